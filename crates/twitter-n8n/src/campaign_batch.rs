//! Campaign batches: one run of the AI workflow, with the tweets that it generated.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use thiserror::Error;
use waggle_kernel::ids::{CampaignBatchId, Version};
use waggle_kernel::{TextProblem, check_text, named_enum};

use crate::generated_tweet::NewGeneratedTweet;
use crate::sender::Sender;
use crate::status::Status;

/// A batch as a workflow submits it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCampaignBatch {
    /// The workflow's name for the batch: 1 to [`NewCampaignBatch::MOST_ID`] characters.
    pub batch_id: String,
    /// What the workflow found in its analysis.
    pub analysis_summary: Value,
    /// How well the batch fits the brand, as scored by the workflow.
    pub brand_alignment_score: Option<f64>,
    /// The number of tweets, as reported by the workflow.
    pub total_tweets: i64,
    /// The number of tweets that the workflow considers ready.
    pub ready_for_deployment: i64,
    /// The kind of workflow.
    pub source_type: String,
    /// The title that people see.
    pub title: String,
    /// The description that people see.
    pub description: String,
    /// When the batch was generated, exactly as the workflow wrote it.
    pub generated_at: Option<String>,
    /// The run whose source tweets the batch was made from.
    pub execution_id: Option<String>,
    /// The X ids of the source tweets that the batch was made from.
    pub source_tweet_ids: Vec<String>,
    /// Whether the name of the run or of a source tweet could not be read. Unless this is set, a
    /// batch that names neither ends all open runs of its caller.
    pub has_unreadable_names: bool,
    pub tweets: Vec<NewGeneratedTweet>,
    pub sender: Sender,
}

impl NewCampaignBatch {
    /// The maximum length of a name, in characters. With a suffix of up to four characters, it
    /// stays within 100.
    pub const MOST_ID: usize = 96;
    /// The maximum length of a title, in characters.
    pub const MOST_TITLE: usize = 255;
    /// The maximum length of a description, in characters.
    pub const MOST_DESCRIPTION: usize = 20_000;

    /// Checks the texts and makes the ids of the tweets unique. A tweet that occurs twice is kept
    /// once, and a tweet that has the id of another one is renamed.
    ///
    /// # Errors
    ///
    /// [`InvalidBatch`] with the invalid field and the reason.
    pub fn checked(mut self) -> Result<Self, InvalidBatch> {
        let field = |name, text: &str, most| {
            check_text(text, most).map_err(|problem| InvalidBatch::Text { name, problem })
        };
        if self.batch_id.trim().is_empty() {
            return Err(InvalidBatch::NoId);
        }
        field("campaign_batch", &self.batch_id, Self::MOST_ID)?;
        field("title", &self.title, Self::MOST_TITLE)?;
        field("description", &self.description, Self::MOST_DESCRIPTION)?;
        field("source_type", &self.source_type, 50)?;
        field("generated_at", self.generated_at.as_deref().unwrap_or_default(), 100)?;
        field("execution_id", self.execution_id.as_deref().unwrap_or_default(), 255)?;
        if self.total_tweets < 0 || self.ready_for_deployment < 0 {
            return Err(InvalidBatch::Negative);
        }
        self.tweets = unique_ids(&self.batch_id, self.tweets);
        Ok(self)
    }

    /// The name of the `n`th batch with the same name: `batch`, `batch-v2`, `batch-v3`, ...
    pub fn suffixed(batch_id: &str, n: u32) -> String {
        if n <= 1 { batch_id.to_owned() } else { format!("{batch_id}-v{n}") }
    }
}

fn unique_ids(batch_id: &str, tweets: Vec<NewGeneratedTweet>) -> Vec<NewGeneratedTweet> {
    let mut seen = HashSet::with_capacity(tweets.len());
    let mut names = HashSet::with_capacity(tweets.len());
    let mut unique = Vec::with_capacity(tweets.len());
    for mut tweet in tweets {
        let fingerprint = tweet.fingerprint();
        let mark = fingerprint.get(..12).unwrap_or_default();
        if tweet.tweet_id.trim().is_empty() {
            tweet.tweet_id = format!("{batch_id}-{mark}");
        }
        if names.contains(&tweet.tweet_id) {
            tweet.tweet_id = format!("{}-{mark}", tweet.tweet_id);
        }
        if seen.insert(fingerprint) && names.insert(tweet.tweet_id.clone()) {
            unique.push(tweet);
        }
    }
    unique
}

/// Why a batch is invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidBatch {
    #[error("campaign_batch is missing: the batch needs an id")]
    NoId,
    /// A text cannot be stored.
    #[error("{name} {problem}")]
    Text {
        /// The name of the field.
        name: &'static str,
        problem: TextProblem,
    },
    #[error("tweet_count and ready_for_deployment cannot be negative")]
    Negative,
}

/// The number of tweets of a batch by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusCounts {
    counts: [i64; Status::ALL.len()],
}

impl StatusCounts {
    /// Adds `count` tweets with `status`.
    pub fn add(&mut self, status: Status, count: i64) {
        if let Some(slot) = self.counts.get_mut(status as usize) {
            *slot = slot.saturating_add(count);
        }
    }

    /// The number of tweets with `status`.
    pub fn of(&self, status: Status) -> i64 {
        self.counts.get(status as usize).copied().unwrap_or_default()
    }

    /// The number of all tweets.
    pub fn total(&self) -> i64 {
        self.counts.iter().sum()
    }
}

named_enum! {
    /// The progress of the review of a batch. It is derived from the statuses of its tweets.
    pub enum BatchStatus: "status" (ignores_case) {
        /// A tweet still waits for a decision, or there are no tweets.
        Draft = "Draft",
        /// Every tweet is decided, and an approved tweet is not posted yet or no tweet is posted.
        Reviewed = "Reviewed",
        /// Every tweet is decided, and all approved tweets are posted.
        Published = "Published",
    }
}

impl BatchStatus {
    /// The status of a batch whose tweets have these counts.
    pub fn of(counts: &StatusCounts) -> Self {
        if counts.total() == 0
            || counts.of(Status::BrandAligned) > 0
            || counts.of(Status::Draft) > 0
        {
            Self::Draft
        } else if counts.of(Status::Posted) > 0 && counts.of(Status::Approved) == 0 {
            Self::Published
        } else {
            Self::Reviewed
        }
    }
}

/// A batch, without its tweets.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignBatch {
    /// Waggle's id of the batch.
    pub id: CampaignBatchId,
    /// The unique name: the workflow's own, with a suffix if that was taken.
    pub batch_id: String,
    /// The name that the workflow gave the batch.
    pub claimed_batch_id: String,
    /// What the workflow found in its analysis.
    pub analysis_summary: Value,
    /// How well the batch fits the brand, as scored by the workflow.
    pub brand_alignment_score: Option<f64>,
    /// The number of tweets, as reported by the workflow.
    pub total_tweets: i64,
    /// The number of tweets that the workflow considers ready.
    pub ready_for_deployment: i64,
    /// The kind of workflow.
    pub source_type: String,
    /// The title that people see and may change.
    pub title: String,
    /// The description that people see.
    pub description: String,
    /// When the batch was generated, exactly as the workflow wrote it.
    pub generated_at: Option<String>,
    /// The run whose source tweets the batch was made from.
    pub execution_id: Option<String>,
    pub status: BatchStatus,
    /// The number of its tweets by status.
    pub counts: StatusCounts,
    /// Who submitted the batch.
    pub received_from: String,
    /// Whether the batch was submitted without credentials, from a trusted network.
    pub unauthenticated: bool,
    /// When the batch was received.
    pub created_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub version: Version,
}

/// The result of submitting a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The batch that contains the tweets.
    pub id: CampaignBatchId,
    /// Its name. This differs from the submitted name if that was taken by other content.
    pub batch_id: String,
    /// The number of tweets that were stored; 0 if all were already stored.
    pub stored: u32,
    /// The number of tweets that were already stored.
    pub known: u32,
    /// The number of source tweets that this call marked as processed.
    pub processed_source_tweets: u32,
    /// The number of open runs of the caller that the batch ended, because it named neither a run
    /// nor source tweets.
    pub ended_runs: u32,
    /// Whether the batch named an unknown run.
    pub is_run_unknown: bool,
    /// The number of unknown source tweets that the batch named.
    pub unknown_source_tweets: u32,
}

/// Whether a filter matches deleted batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deleted {
    /// Only batches that are not deleted.
    #[default]
    Without,
    /// Only deleted batches.
    Only,
    /// All batches.
    With,
}

/// Selects batches. A filter that is `None` matches every batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchFilter {
    /// The name or the title contains this, ignoring case.
    pub search: Option<String>,
    pub status: Option<BatchStatus>,
    /// The batch is from this kind of workflow.
    pub source_type: Option<String>,
    /// The brand alignment score is at least this.
    pub min_score: Option<f64>,
    /// The batch was received at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// The batch was received before this time.
    pub created_before: Option<DateTime<Utc>>,
    pub deleted: Deleted,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(Status, i64)]) -> StatusCounts {
        let mut counts = StatusCounts::default();
        for &(status, count) in of {
            counts.add(status, count);
        }
        counts
    }

    #[test]
    fn the_status_of_a_batch_follows_from_its_tweets() {
        use Status::{Approved, BrandAligned, Deleted, Draft, Posted, Rejected};
        let cases: [(&[(Status, i64)], BatchStatus); 7] = [
            (&[], BatchStatus::Draft),
            (&[(BrandAligned, 1), (Posted, 2)], BatchStatus::Draft),
            (&[(Draft, 1)], BatchStatus::Draft),
            (&[(Approved, 1), (Posted, 1)], BatchStatus::Reviewed),
            (&[(Rejected, 2), (Deleted, 1)], BatchStatus::Reviewed),
            (&[(Posted, 1), (Rejected, 1)], BatchStatus::Published),
            (&[(Posted, 3)], BatchStatus::Published),
        ];

        for (of, expected) in cases {
            assert_eq!(BatchStatus::of(&counts(of)), expected, "{of:?}");
        }
    }

    #[test]
    fn a_repeated_tweet_is_kept_once_and_a_duplicate_id_is_renamed() {
        let tweets = vec![
            NewGeneratedTweet::new("t-1", "one"),
            NewGeneratedTweet::new("t-1", "one"),
            NewGeneratedTweet::new("t-1", "two"),
            NewGeneratedTweet::new("", "three"),
        ];

        let unique = unique_ids("b", tweets.clone());
        let reversed = unique_ids("b", tweets.into_iter().rev().collect());

        let texts: Vec<&str> = unique.iter().map(|tweet| tweet.content.as_str()).collect();
        assert_eq!(texts, ["one", "two", "three"]);
        let names: HashSet<&str> = unique.iter().map(|tweet| tweet.tweet_id.as_str()).collect();
        assert_eq!(names.len(), 3);
        // The order of the tweets makes no difference.
        let prints = |tweets: &[NewGeneratedTweet]| -> HashSet<String> {
            tweets.iter().map(NewGeneratedTweet::fingerprint).collect()
        };
        assert_eq!(prints(&unique), prints(&reversed));
    }
}
