//! The page on which the first admin is created.

use askama::Template;

/// The page `/setup`.
#[derive(Template)]
#[template(path = "pages/setup.html")]
pub struct SetupPage {
    /// Whether there is no user yet.
    pub is_open: bool,
}
