//! What surrounds every page: the header, the navigation and the notices.

use waggle_kernel::Scopes;

/// A place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Review,
    Batches,
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
}

impl Shell {
    /// The value of `aria-current` of the link to a section.
    pub(crate) fn current(&self, section: Section) -> &'static str {
        if self.section == section { "page" } else { "false" }
    }
}
