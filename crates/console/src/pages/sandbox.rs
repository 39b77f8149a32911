//! The timeline of the sandbox.

use askama::Template;
use chrono::{DateTime, Utc};

use crate::shell::Shell;
use crate::words::Moment;

/// A post on the timeline.
struct Entry {
    id: String,
    text: String,
    at: Moment,
}

/// The page `/sandbox`.
#[derive(Template)]
#[template(path = "pages/sandbox.html")]
pub struct SandboxPage {
    shell: Shell,
    posts: Vec<Entry>,
}

impl SandboxPage {
    /// The page of these posts: the ID, the text and the time of each.
    pub fn new(
        shell: Shell,
        posts: impl IntoIterator<Item = (String, String, DateTime<Utc>)>,
    ) -> Self {
        let entry =
            |(id, text, at): (String, String, DateTime<Utc>)| Entry { id, text, at: at.into() };
        Self { shell, posts: posts.into_iter().map(entry).collect() }
    }
}
