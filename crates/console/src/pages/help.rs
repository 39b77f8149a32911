//! What the words and keys of the console mean, and the addresses for workflows.

use askama::Template;

use crate::shell::Shell;

/// The page `/help`.
#[derive(Template)]
#[template(path = "pages/help.html")]
pub struct HelpPage {
    pub shell: Shell,
    /// The address of this server, without a final slash.
    pub home: String,
}
