//! What waits for a decision, oldest first.

use std::collections::BTreeMap;

use askama::Template;
use waggle_twitter_n8n::{CampaignBatch, GeneratedTweet};

use super::batches::BatchLine;
use crate::card::Card;
use crate::shell::Shell;

/// The tweets of a batch that wait.
pub(crate) struct Group {
    /// The ID of the batch.
    pub(crate) id: i64,
    /// The batch, unless it was removed in the meantime.
    pub(crate) batch: Option<BatchLine>,
    pub(crate) cards: Vec<Card>,
}

/// The page `/review`.
#[derive(Template)]
#[template(path = "pages/review.html")]
pub struct ReviewPage {
    shell: Shell,
    groups: Vec<Group>,
    /// The cursor of the next page; empty if this is the last.
    next: String,
    is_first: bool,
}

impl ReviewPage {
    /// The page with `tweets`, and the batches that they belong to.
    pub fn new(
        shell: Shell,
        tweets: &[GeneratedTweet],
        batches: &[CampaignBatch],
        next: Option<String>,
        is_first: bool,
    ) -> Self {
        let mut known: BTreeMap<i64, BatchLine> =
            batches.iter().map(|batch| (batch.id.number(), batch.into())).collect();
        let mut groups: Vec<Group> = Vec::new();
        for tweet in tweets {
            let card = Card::new(tweet, shell.scopes);
            match groups.last_mut() {
                Some(group) if group.id == card.batch => group.cards.push(card),
                _ => groups.push(Group {
                    id: card.batch,
                    batch: known.remove(&card.batch),
                    cards: vec![card],
                }),
            }
        }
        Self { shell, groups, next: next.unwrap_or_default(), is_first }
    }
}
