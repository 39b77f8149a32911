//! A page that says why there is nothing else.

use askama::Template;

use crate::shell::Shell;

/// A title and a sentence, with a way on.
#[derive(Template)]
#[template(path = "pages/message.html")]
pub struct MessagePage {
    pub shell: Shell,
    pub title: &'static str,
    /// What happened, and what to do.
    pub text: String,
    /// The ID of the request, for the log.
    pub request_id: String,
}
