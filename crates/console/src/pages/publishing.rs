//! The state of publishing: what needs a person, what comes next, and what failed.

use askama::Template;
use chrono::Duration;
use waggle_content::{Backlog, Post, PostStatus};
use waggle_twitter_n8n::GeneratedTweet;

use super::posts::PostsWith;
use crate::card::Card;
use crate::post_card::PostCard;
use crate::post_line::is_of;
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
    /// Approved tweets that no post waits for.
    approved: Vec<Card>,
}

impl PublishingPage {
    /// The page of the posts that need a person, that come next, and that failed, and of approved
    /// tweets with their posts. `lag` is how late the next post is.
    pub fn new(
        shell: Shell,
        backlog: Backlog,
        lag: Duration,
        [attention, upcoming, failed]: [PostsWith<'_>; 3],
        (tweets, posts): (&[GeneratedTweet], &[Post]),
    ) -> Self {
        let card = |tweet: &GeneratedTweet| {
            let post = posts.iter().find(|post| is_of(post, tweet.id()));
            let is_idle = post.is_none_or(|post| post.status == PostStatus::Cancelled);
            is_idle.then(|| Card::new(tweet, post, shell.scopes))
        };
        let approved = tweets.iter().filter_map(card).collect();
        let is_more =
            usize::try_from(backlog.needed()).is_ok_and(|needed| needed > attention.posts.len());
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
            approved,
            shell,
        }
    }
}
