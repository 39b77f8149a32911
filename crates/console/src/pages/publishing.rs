//! The state of publishing: what needs a person, what comes next, and what failed.

use askama::Template;
use chrono::Duration;
use waggle_content::Backlog;

use super::posts::PostsWith;
use crate::post_card::PostCard;
use crate::shell::Shell;

/// The page `/publishing`.
#[derive(Template)]
#[template(path = "pages/publishing.html")]
pub struct PublishingPage {
    shell: Shell,
    backlog: Backlog,
    /// How late the next post is; empty if it is not.
    late: String,
    attention: Vec<PostCard>,
    /// Whether more posts need a person than `attention` has.
    is_more: bool,
    upcoming: Vec<PostCard>,
    failed: Vec<PostCard>,
}

impl PublishingPage {
    /// The page of these posts. `lag` is how late the next post is.
    pub fn new(
        shell: Shell,
        backlog: Backlog,
        lag: Duration,
        attention: PostsWith<'_>,
        upcoming: PostsWith<'_>,
        failed: PostsWith<'_>,
    ) -> Self {
        let needed = backlog.unknown + backlog.missed + backlog.held;
        let is_more = usize::try_from(needed).is_ok_and(|needed| needed > attention.posts.len());
        // Workers look each second or so; that is not late.
        let late = match lag.num_minutes() {
            0 => String::new(),
            minutes if minutes < 120 => format!("{minutes} minutes"),
            minutes => format!("{} hours", minutes / 60),
        };
        Self {
            backlog,
            late,
            attention: attention.cards(&shell),
            is_more,
            upcoming: upcoming.cards(&shell),
            failed: failed.cards(&shell),
            shell,
        }
    }
}
