//! What waits for a decision, oldest first.

use std::collections::BTreeMap;

use askama::Template;
use waggle_twitter_n8n::{CampaignBatch, GeneratedTweet};

use crate::card::Card;
use crate::shell::Shell;
use crate::words::Moment;

/// The tweets of a batch that wait.
pub(crate) struct Group {
    pub(crate) batch: i64,
    pub(crate) title: String,
    /// The workflow's name of the batch.
    pub(crate) name: String,
    pub(crate) received: Option<Moment>,
    /// How well it fits the brand, as the workflow scored it; empty if it did not.
    pub(crate) score: String,
    /// Whether it was submitted without credentials.
    pub(crate) is_unauthenticated: bool,
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
        batches: Vec<CampaignBatch>,
        next: Option<String>,
        is_first: bool,
    ) -> Self {
        let mut known: BTreeMap<i64, CampaignBatch> =
            batches.into_iter().map(|batch| (batch.id.number(), batch)).collect();
        let mut groups: Vec<Group> = Vec::new();
        for tweet in tweets {
            let card = Card::new(tweet, shell.scopes);
            match groups.last_mut() {
                Some(group) if group.batch == card.batch => group.cards.push(card),
                _ => groups.push(group(known.remove(&card.batch), card)),
            }
        }
        Self { shell, groups, next: next.unwrap_or_default(), is_first }
    }
}

fn group(batch: Option<CampaignBatch>, card: Card) -> Group {
    Group {
        batch: card.batch,
        title: batch.as_ref().map(|batch| batch.title.clone()).unwrap_or_default(),
        name: batch.as_ref().map(|batch| batch.batch_id.clone()).unwrap_or_default(),
        received: batch.as_ref().map(|batch| batch.created_at.into()),
        score: batch
            .as_ref()
            .and_then(|batch| batch.brand_alignment_score)
            .map(|score| score.to_string())
            .unwrap_or_default(),
        is_unauthenticated: batch.is_some_and(|batch| batch.unauthenticated),
        cards: vec![card],
    }
}
