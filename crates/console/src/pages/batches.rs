//! The batches that workflows submitted, and the tweets of one of them.

use askama::Template;
use waggle_twitter_n8n::{CampaignBatch, GeneratedTweet, Status};

use crate::card::Card;
use crate::shell::Shell;
use crate::words::Moment;

/// A batch as pages show it.
pub(crate) struct BatchLine {
    pub(crate) id: i64,
    pub(crate) title: String,
    /// The workflow's name of the batch.
    pub(crate) name: String,
    pub(crate) received: Moment,
    pub(crate) status: &'static str,
    /// How well it fits the brand, as the workflow scored it; empty if it did not.
    pub(crate) score: String,
    /// The number of tweets, and of those that wait for a decision.
    pub(crate) tweets: i64,
    pub(crate) waiting: i64,
    /// Whether it was submitted without credentials.
    pub(crate) is_unauthenticated: bool,
    pub(crate) is_deleted: bool,
}

impl From<&CampaignBatch> for BatchLine {
    fn from(batch: &CampaignBatch) -> Self {
        let waiting = Status::ALL.into_iter().filter(|status| status.is_waiting());
        Self {
            id: batch.id.number(),
            title: batch.title.clone(),
            name: batch.batch_id.clone(),
            received: batch.created_at.into(),
            status: batch.status.name(),
            score: batch.brand_alignment_score.map(|score| score.to_string()).unwrap_or_default(),
            tweets: batch.counts.total(),
            waiting: waiting.map(|status| batch.counts.of(status)).sum(),
            is_unauthenticated: batch.unauthenticated,
            is_deleted: batch.deleted_at.is_some(),
        }
    }
}

/// The page `/batches`, newest first.
#[derive(Template)]
#[template(path = "pages/batches.html")]
pub struct BatchesPage {
    shell: Shell,
    batches: Vec<BatchLine>,
    /// The cursor of the next page; empty if this is the last.
    next: String,
    is_first: bool,
}

impl BatchesPage {
    /// The page with these batches.
    pub fn new(
        shell: Shell,
        batches: &[CampaignBatch],
        next: Option<String>,
        is_first: bool,
    ) -> Self {
        let batches = batches.iter().map(Into::into).collect();
        Self { shell, batches, next: next.unwrap_or_default(), is_first }
    }
}

/// The page `/batches/{id}`.
#[derive(Template)]
#[template(path = "pages/batch.html")]
pub struct BatchPage {
    shell: Shell,
    batch: BatchLine,
    cards: Vec<Card>,
    /// The X IDs of the source tweets that it was made from.
    sources: Vec<String>,
    /// The cursor of the next page of tweets; empty if this is the last.
    next: String,
    is_first: bool,
}

impl BatchPage {
    /// The page of a batch with these of its tweets.
    pub fn new(
        shell: Shell,
        (batch, sources): (&CampaignBatch, Vec<String>),
        tweets: &[GeneratedTweet],
        next: Option<String>,
        is_first: bool,
    ) -> Self {
        let cards = tweets.iter().map(|tweet| Card::new(tweet, shell.scopes)).collect();
        let (batch, next) = (batch.into(), next.unwrap_or_default());
        Self { shell, batch, cards, sources, next, is_first }
    }
}
