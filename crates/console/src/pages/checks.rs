//! What may be wrong with the installation, and what to do about it.

use askama::Template;

use crate::shell::Shell;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    Ok,
    /// It works, but not as it should.
    Warning,
    /// It does not work, or is dangerous.
    Failed,
}

impl CheckState {
    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }

    /// The class of its mark.
    const fn class(self) -> &'static str {
        match self {
            Self::Ok => "good",
            Self::Warning => "waits",
            Self::Failed => "needed",
        }
    }
}

/// Something that was checked. The texts have code in backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub title: &'static str,
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// What to do about it, or what to keep in mind; empty if there is nothing.
    pub remedy: String,
}

/// The page `/checks`.
#[derive(Template)]
#[template(path = "pages/checks.html")]
pub struct ChecksPage {
    pub shell: Shell,
    pub checks: Vec<Check>,
}
