//! Campaign batches: one run of the AI workflow, with the tweets that it generated.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use thiserror::Error;
use waggle_kernel::ids::{CampaignBatchId, Version};
use waggle_kernel::{TextProblem, check_text};

use crate::generated_tweet::NewGeneratedTweet;
use crate::status::{Status, UnknownStatus};

/// A batch that a workflow hands in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCampaignBatch {
    /// The workflow's name for the batch: 1 to [`NewCampaignBatch::MOST_ID`] characters.
    pub batch_id: String,
    /// What the workflow found out on its way.
    pub analysis_summary: Value,
    /// How well the batch fits the brand, by the workflow's own judgement.
    pub brand_alignment_score: Option<f64>,
    /// How many tweets the workflow says there are.
    pub total_tweets: i64,
    /// How many of them the workflow holds for ready.
    pub ready_for_deployment: i64,
    /// What kind of workflow it was.
    pub source_type: String,
    /// A title for people.
    pub title: String,
    /// A description for people.
    pub description: String,
    /// When the workflow says it made the batch, as it wrote it.
    pub generated_at: Option<String>,
    /// The run whose source tweets the batch was made from.
    pub execution_id: Option<String>,
    /// The X ids of the source tweets the batch was made from.
    pub source_tweet_ids: Vec<String>,
    /// Whether a name of a run or a source tweet could not be read. Otherwise a batch without any
    /// ends all open runs of its caller.
    pub has_unreadable_names: bool,
    /// The tweets.
    pub tweets: Vec<NewGeneratedTweet>,
    /// Who hands it in, as [`Actor`](waggle_kernel::Actor) shows it.
    pub received_from: String,
    /// The network address that it comes from; empty where it is not known.
    pub address: String,
    /// Whether it came without a credential, from a trusted network.
    pub unauthenticated: bool,
}

impl NewCampaignBatch {
    /// The longest name, in characters; a suffix of up to four more keeps it within 100.
    pub const MOST_ID: usize = 96;
    /// The longest title, in characters.
    pub const MOST_TITLE: usize = 255;
    /// The longest description, in characters.
    pub const MOST_DESCRIPTION: usize = 20_000;

    /// Checks the texts and makes the tweets' ids unique: a tweet that stands there twice is taken once,
    /// and one that bears the id of another is renamed.
    ///
    /// # Errors
    ///
    /// [`InvalidBatch`] names the field and what is wrong with it.
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

    /// The name of the batch's `n`th namesake: `batch`, `batch-v2`, `batch-v3`, ...
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

/// Why a batch is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidBatch {
    /// It has no name.
    #[error("campaign_batch is missing: the batch needs an id")]
    NoId,
    /// A text cannot be kept.
    #[error("{name} {problem}")]
    Text {
        /// Which field.
        name: &'static str,
        /// What is wrong with it.
        problem: TextProblem,
    },
    /// A count is below zero.
    #[error("tweet_count and ready_for_deployment cannot be negative")]
    Negative,
}

/// How many tweets of a batch stand where.
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

    /// How many tweets have `status`.
    pub fn of(&self, status: Status) -> i64 {
        self.counts.get(status as usize).copied().unwrap_or_default()
    }

    /// How many tweets there are.
    pub fn total(&self) -> i64 {
        self.counts.iter().sum()
    }
}

/// How far the review of a batch has come. It follows from the states of its tweets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchStatus {
    /// Somebody still has to decide on a tweet, or there is none.
    Draft,
    /// Every tweet is decided, and something approved waits to go out, or nothing went.
    Reviewed,
    /// Every tweet is decided, and all that was approved went out.
    Published,
}

impl BatchStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Draft, Self::Reviewed, Self::Published];

    /// The name in the database and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::Reviewed => "Reviewed",
            Self::Published => "Published",
        }
    }

    /// The status of a batch whose tweets stand so.
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

impl fmt::Display for BatchStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for BatchStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// A batch, without its tweets.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignBatch {
    /// The id that Waggle gave it.
    pub id: CampaignBatchId,
    /// Its name, unique: the workflow's own, with a suffix where that was taken.
    pub batch_id: String,
    /// The name that the workflow gave it.
    pub claimed_batch_id: String,
    /// What the workflow found out on its way.
    pub analysis_summary: Value,
    /// How well it fits the brand, by the workflow's own judgement.
    pub brand_alignment_score: Option<f64>,
    /// How many tweets the workflow said there are.
    pub total_tweets: i64,
    /// How many of them the workflow held for ready.
    pub ready_for_deployment: i64,
    /// What kind of workflow it was.
    pub source_type: String,
    /// A title for people; they may change it.
    pub title: String,
    /// A description for people.
    pub description: String,
    /// When the workflow says it made the batch, as it wrote it.
    pub generated_at: Option<String>,
    /// The run whose source tweets it was made from.
    pub execution_id: Option<String>,
    /// How far its review has come.
    pub status: BatchStatus,
    /// How its tweets stand.
    pub counts: StatusCounts,
    /// Who handed it in.
    pub received_from: String,
    /// Whether it came without a credential, from a trusted network.
    pub unauthenticated: bool,
    /// When it came.
    pub created_at: DateTime<Utc>,
    /// When it was put away.
    pub deleted_at: Option<DateTime<Utc>>,
    /// How often it was changed.
    pub version: Version,
}

/// What became of a batch that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The batch that holds the tweets.
    pub id: CampaignBatchId,
    /// Its name; not the one that came if that was taken by other content.
    pub batch_id: String,
    /// How many tweets were stored; none if all were there.
    pub stored: u32,
    /// How many tweets were there already.
    pub known: u32,
    /// How many source tweets are now known to be processed.
    pub processed_source_tweets: u32,
    /// How many open runs of the caller it ended, as it named neither a run nor tweets.
    pub ended_runs: u32,
    /// Whether it named a run that nobody knows.
    pub is_run_unknown: bool,
    /// How many source tweets it named that are not known.
    pub unknown_source_tweets: u32,
}

/// Whether deleted batches are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deleted {
    /// Those that are not.
    #[default]
    Without,
    /// Those alone.
    Only,
    /// All.
    With,
}

/// Which batches are meant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchFilter {
    /// The name or the title has this in it, without regard to case.
    pub search: Option<String>,
    /// With this status.
    pub status: Option<BatchStatus>,
    /// Of this kind of workflow.
    pub source_type: Option<String>,
    /// With at least this score.
    pub min_score: Option<f64>,
    /// Came at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Came before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Whether deleted ones are meant.
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
    fn a_tweet_twice_is_taken_once_and_a_namesake_is_renamed() {
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
        // Whatever the order, they are the same tweets.
        let prints = |tweets: &[NewGeneratedTweet]| -> HashSet<String> {
            tweets.iter().map(NewGeneratedTweet::fingerprint).collect()
        };
        assert_eq!(prints(&unique), prints(&reversed));
    }
}
