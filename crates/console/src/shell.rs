//! What surrounds every page: the header, the navigation and the notices.

use waggle_accounts::AfterApproval;
use waggle_kernel::{Scope, Scopes, Zone};
use waggle_notifications::MOST_UNREAD;

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
    Notifications,
    Account,
    Tokens,
    Settings,
    Users,
    Audit,
    Checks,
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
    /// The time zone in which times are shown.
    pub zone: Zone,
    pub section: Section,
    /// Whether posts go to the sandbox only, because X is not connected.
    pub is_sandbox_only: bool,
    /// Whether a post needs a person.
    pub needs_person: bool,
    /// How many notifications the user has not read, up to
    /// [`MOST_UNREAD`].
    pub unread: u32,
    /// What happens after the user approves a tweet.
    pub after_approval: AfterApproval,
}

impl Shell {
    /// What surrounds a page for a visitor.
    #[must_use]
    pub const fn of_visitor(section: Section) -> Self {
        Self {
            user: String::new(),
            scopes: Scopes::NONE,
            zone: Zone::UTC,
            section,
            is_sandbox_only: false,
            needs_person: false,
            unread: 0,
            after_approval: AfterApproval::Nothing,
        }
    }

    /// The number of unread notifications, as people read it; empty if there are none.
    pub(crate) fn unread(&self) -> String {
        match self.unread {
            0 => String::new(),
            MOST_UNREAD.. => format!("{}+", MOST_UNREAD - 1),
            number => number.to_string(),
        }
    }

    /// The page that draws the number of unread notifications: on the page of notifications this
    /// one, elsewhere a page that is cheap to draw.
    pub(crate) fn bell_from(&self) -> &'static str {
        if self.section == Section::Notifications { "/notifications" } else { "/help" }
    }

    /// The value of `aria-current` of the link to a section.
    pub(crate) fn current(&self, section: Section) -> &'static str {
        if self.section == section { "page" } else { "false" }
    }

    /// Whether the user may choose what happens after an approval.
    pub(crate) const fn may_publish(&self) -> bool {
        self.scopes.grant(Scope::Approve) && self.scopes.grant(Scope::Publish)
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
            | Section::Notifications
            | Section::Account
            | Section::Tokens
            | Section::Settings
            | Section::Users
            | Section::Audit
            | Section::Checks
            | Section::Other => "",
        }
    }
}
