//! What surrounds every page: the header, the navigation and the notices.

use waggle_kernel::{Scope, Scopes};

/// A place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Home,
    Review,
    Batches,
    Sources,
    Posts,
    Publishing,
    Sandbox,
    Tokens,
    Settings,
    Users,
    Audit,
    /// A page that is not in the navigation.
    Other,
}

/// What every page needs.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The name of the signed-in user.
    pub user: String,
    /// What the user may do.
    pub scopes: Scopes,
    pub section: Section,
    /// Whether posts go to the sandbox only, because X is not connected.
    pub is_sandbox_only: bool,
    /// Whether a post needs a person.
    pub needs_person: bool,
}

impl Shell {
    /// The value of `aria-current` of the link to a section.
    pub(crate) fn current(&self, section: Section) -> &'static str {
        if self.section == section { "page" } else { "false" }
    }

    /// Whether the user may do everything.
    pub(crate) const fn is_admin(&self) -> bool {
        self.scopes.grant(Scope::Admin)
    }

    /// The kinds of events after which the page says that there is something new.
    pub(crate) const fn news(&self) -> &'static str {
        match self.section {
            Section::Home | Section::Review | Section::Batches => "batch.received",
            Section::Posts => "post.created",
            Section::Publishing => "post.created post.unknown post.missed post.held post.failed",
            Section::Sandbox => "post.published",
            Section::Sources
            | Section::Tokens
            | Section::Settings
            | Section::Users
            | Section::Audit
            | Section::Other => "",
        }
    }
}
