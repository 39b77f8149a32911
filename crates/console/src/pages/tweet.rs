//! A generated tweet with its history.

use askama::Template;
use waggle_content::Post;
use waggle_twitter_n8n::{GeneratedTweet, HistoryEntry};

use crate::card::Card;
use crate::shell::Shell;
use crate::words::{Moment, past, who};

/// A step of the history.
pub(crate) struct Step {
    pub(crate) at: Moment,
    pub(crate) actor: String,
    pub(crate) did: &'static str,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) note: String,
}

/// The page `/tweets/{id}`.
#[derive(Template)]
#[template(path = "pages/tweet.html")]
pub struct TweetPage {
    shell: Shell,
    card: Card,
    history: Vec<Step>,
}

impl TweetPage {
    /// The page of a tweet with its post, and the newest part of its history.
    pub fn new(
        shell: Shell,
        tweet: &GeneratedTweet,
        post: Option<&Post>,
        history: Vec<HistoryEntry>,
    ) -> Self {
        let card = Card::new(tweet, post, shell.scopes);
        let step = |entry: HistoryEntry| Step {
            at: entry.at.into(),
            actor: who(&entry.actor),
            did: past(entry.action),
            before: entry.content_before.unwrap_or_default(),
            after: entry.content_after.unwrap_or_default(),
            note: entry.note.unwrap_or_default(),
        };
        Self { shell, card, history: history.into_iter().map(step).collect() }
    }
}
