//! What waits for a decision, oldest first.

use std::collections::BTreeMap;

use askama::Template;
use waggle_twitter_n8n::{CampaignBatch, GeneratedTweet};

use super::batches::BatchLine;
use crate::card::{Card, approve_all};
use crate::control::Control;
use crate::links::Links;
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
    /// Approves all that fit, if there are any that the user may approve.
    approve_all: Option<Control>,
    groups: Vec<Group>,
    links: Links,
}

impl ReviewPage {
    /// The page with `tweets`, and the batches that they belong to.
    pub fn new(
        shell: Shell,
        tweets: &[GeneratedTweet],
        batches: &[CampaignBatch],
        links: Links,
    ) -> Self {
        let mut known: BTreeMap<i64, BatchLine> =
            batches.iter().map(|batch| (batch.id.number(), batch.into())).collect();
        let mut groups: Vec<Group> = Vec::new();
        for tweet in tweets {
            let card = Card::new(tweet, None, shell.scopes);
            match groups.last_mut() {
                Some(group) if group.id == card.batch => group.cards.push(card),
                _ => groups.push(Group {
                    id: card.batch,
                    batch: known.remove(&card.batch),
                    cards: vec![card],
                }),
            }
        }
        for group in &mut groups {
            group.batch = group.batch.take().map(|batch| batch.with_tweets(&group.cards));
        }
        let cards = groups.iter().flat_map(|group| &group.cards);
        let approve_all = approve_all(cards, shell.scopes);
        Self { shell, approve_all, groups, links }
    }
}
