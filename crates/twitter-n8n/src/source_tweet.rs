//! Tweets of monitored accounts, as workflows report them.
//!
//! ```text
//! reported ──▶ leased to the run that was told it is new ──batch, done, acknowledge──▶ processed
//!                 │        ▲
//!                 ▼        └── the next run that reports it, while offers are left
//!              lapsed ──(no offers left)──▶ lapsed permanently
//! ```

use chrono::{DateTime, Duration, Utc};
use thiserror::Error;
use waggle_kernel::ids::{CampaignBatchId, SourceTweetId};
use waggle_kernel::{TextProblem, check_text};

use crate::sender::Sender;
use crate::tweet_date::{UnreadableDate, parse_tweet_date};
use crate::unrendered::{is_placeholder, is_unrendered};

/// The counters that X shows for a tweet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Engagement {
    pub likes: i64,
    /// Reposts without a comment.
    pub retweets: i64,
    pub replies: i64,
    /// Reposts with a comment.
    pub quotes: i64,
    pub views: i64,
}

impl Engagement {
    /// The sum of likes, retweets, replies and quotes. Views are not included, because they are not
    /// an action.
    pub const fn total(self) -> i64 {
        self.likes
            .saturating_add(self.retweets)
            .saturating_add(self.replies)
            .saturating_add(self.quotes)
    }
}

/// A tweet that a workflow reports, with all fields checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSourceTweet {
    /// X's id of the tweet: 1 to 20 decimal digits.
    pub tweet_id: String,
    /// Where the workflow found the tweet.
    pub url: String,
    /// The URL of the tweet on X.
    pub tweet_url: String,
    pub content: String,
    /// The counters at the time of the report.
    pub engagement: Engagement,
    /// When the tweet was posted.
    pub date: DateTime<Utc>,
    /// The date exactly as the workflow wrote it.
    pub date_raw: String,
    /// Whether the workflow succeeded, in its own words; usually `success`.
    pub status: String,
}

impl NewSourceTweet {
    /// The maximum length of an id, in digits: X's ids have 64 bits.
    pub const MOST_ID: usize = 20;
    /// The maximum length of a URL, in characters.
    pub const MOST_URL: usize = 2_048;
    /// The maximum length of a text, in characters: what X allows its largest accounts.
    pub const MOST_CONTENT: usize = 25_000;
    /// The largest count. Sums over millions of tweets still fit into 64 bits.
    pub const MOST_COUNT: i64 = 1_000_000_000_000;
    /// The maximum length of a status, in characters.
    pub const MOST_STATUS: usize = 50;

    /// Checks the fields of a tweet and parses its date.
    ///
    /// # Errors
    ///
    /// [`InvalidSourceTweet`] with the invalid field and the reason.
    pub fn new(
        tweet_id: &str,
        url: String,
        tweet_url: String,
        content: String,
        engagement: Engagement,
        date_raw: String,
        status: String,
    ) -> Result<Self, InvalidSourceTweet> {
        let field = |name, text: &str, most| {
            check_text(text, most).map_err(|problem| InvalidSourceTweet::Text { name, problem })
        };
        let tweet_id = Self::id(tweet_id)?;
        if content.trim().is_empty() || is_placeholder(&content) {
            return Err(InvalidSourceTweet::NoContent);
        }
        field("url", &url, Self::MOST_URL)?;
        field("tweet url", &tweet_url, Self::MOST_URL)?;
        field("content", &content, Self::MOST_CONTENT)?;
        field("date", &date_raw, 100)?;
        field("status", &status, Self::MOST_STATUS)?;
        let numbers = [
            ("likes", engagement.likes),
            ("retweets", engagement.retweets),
            ("replies", engagement.replies),
            ("quotes", engagement.quotes),
            ("views", engagement.views),
        ];
        let possible = 0..=Self::MOST_COUNT;
        if let Some((name, _)) = numbers.into_iter().find(|(_, number)| !possible.contains(number))
        {
            return Err(InvalidSourceTweet::Count { name });
        }
        let date = parse_tweet_date(&date_raw)?;
        Ok(Self { tweet_id, url, tweet_url, content, engagement, date, date_raw, status })
    }
}

impl NewSourceTweet {
    /// Checks X's id of a tweet, and returns it without surrounding white space.
    ///
    /// # Errors
    ///
    /// [`InvalidSourceTweet`] unless it is 1 to 20 decimal digits.
    pub fn id(text: &str) -> Result<String, InvalidSourceTweet> {
        let id = text.trim();
        if id.is_empty() || is_unrendered(id) {
            return Err(InvalidSourceTweet::NoId);
        }
        let is_id = id.len() <= Self::MOST_ID && id.bytes().all(|byte| byte.is_ascii_digit());
        if is_id { Ok(id.to_owned()) } else { Err(InvalidSourceTweet::NotAnId) }
    }
}

/// Why a reported tweet is invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSourceTweet {
    #[error("the tweet id is missing")]
    NoId,
    #[error("the tweet id must be 1 to 20 decimal digits; send ids as strings, as X writes them")]
    NotAnId,
    #[error("the text of the tweet is missing")]
    NoContent,
    /// A text cannot be stored.
    #[error("the {name} {problem}")]
    Text {
        /// The name of the field.
        name: &'static str,
        problem: TextProblem,
    },
    /// A count is negative or too large.
    #[error("the number of {name} must be between 0 and {}", NewSourceTweet::MOST_COUNT)]
    Count {
        /// The name of the count.
        name: &'static str,
    },
    #[error("the date {0}")]
    Date(#[from] UnreadableDate),
}

/// What identifies a repeated report of the same run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunKey {
    /// The name that the workflow gave its run.
    Execution(String),
    /// The request body, if the workflow did not name its run. The same bytes within an hour are
    /// the same run.
    Body {
        /// The SHA-256 of the request body, in hexadecimal.
        hash: String,
    },
}

impl RunKey {
    /// The stored form of the key.
    pub fn stored(&self) -> String {
        match self {
            Self::Execution(id) => format!("run:{id}"),
            Self::Body { hash } => format!("body:{hash}"),
        }
    }

    /// Since when a report with this key counts as the same run at `now`; `None` means without
    /// limit.
    pub fn same_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Execution(_) => None,
            Self::Body { .. } => Some(now - chrono::Duration::hours(1)),
        }
    }
}

/// A run of a workflow that reports tweets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What identifies repetitions of the run.
    pub key: RunKey,
    /// The id of the run, as it is stored and returned: at most 255 characters.
    pub execution_id: String,
    /// The source that the run reports for itself: at most 255 characters.
    pub source_url: String,
    pub sender: Sender,
}

/// What the store knew about a reported tweet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// The tweet was stored by this call.
    Stored,
    /// The same run reported the tweet before.
    BroughtBefore,
    /// Another run was told that the tweet is new, and its lease has lapsed.
    OfferedAgain,
    /// The tweet is leased to another run or processed, or no offer is left.
    Known,
}

/// How long a tweet that is new to a run is leased to it, and how many runs it is offered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferPolicy {
    /// How long the lease of a run lasts.
    pub lease: Duration,
    /// How many runs are told that a tweet is new, one after the other.
    pub most: u32,
}

/// Which runs to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunsToEnd {
    /// The run with this name.
    Named(String),
    /// All open runs of the same sender. If the sender or the run has no token, also all open runs
    /// from the same network address. An empty address matches no run.
    OfSender(Sender),
}

/// How many runs and leases were ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndedRuns {
    /// The number of runs.
    pub runs: u32,
    /// The number of source tweets.
    pub tweets: u32,
}

/// Selects tweets that lapsed permanently, or all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapsed {
    /// The last lease ended before this time without a batch.
    pub now: DateTime<Utc>,
    /// At least this many runs were told of the tweet.
    pub offers: u32,
    /// Whether to select these tweets; otherwise, all others.
    pub is: bool,
}

/// A tweet of a monitored account, stored once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTweet {
    /// Waggle's id of the tweet.
    pub id: SourceTweetId,
    /// The reported tweet, with the counters of the latest report.
    pub report: NewSourceTweet,
    /// The run that was last told that the tweet is new.
    pub execution_id: String,
    /// The source of that run.
    pub source_url: String,
    /// Who reported the tweet.
    pub received_from: String,
    /// Whether it was reported without credentials, from a trusted network.
    pub unauthenticated: bool,
    /// When the tweet was stored.
    pub processed_at: DateTime<Utc>,
    /// When a later report last changed the counters.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// Whether the tweet is processed: a batch was made from it, or its lease was ended so.
    pub is_processed: bool,
    /// When the lease by a run or a claim expires; in the past if the lease has lapsed.
    pub leased_until: Option<DateTime<Utc>>,
    /// How many runs were told that the tweet is new.
    pub offers: u32,
}

/// Selects source tweets. A filter that is `None` matches every tweet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceTweetFilter {
    /// The text contains this, ignoring case.
    pub search: Option<String>,
    /// X's id starts with this.
    pub tweet_id: Option<String>,
    /// The tweet was reported by this run.
    pub execution_id: Option<String>,
    /// The tweet was posted at this time or later.
    pub date_from: Option<DateTime<Utc>>,
    /// The tweet was posted before this time.
    pub date_before: Option<DateTime<Utc>>,
    pub status: Option<String>,
    pub min_likes: Option<i64>,
    pub min_retweets: Option<i64>,
    pub min_views: Option<i64>,
    pub is_processed: Option<bool>,
    pub lapsed: Option<Lapsed>,
    /// This batch was made of the tweet.
    pub batch: Option<CampaignBatchId>,
}

/// The sort order of source tweets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceTweetSort {
    /// By the time they were posted.
    Date,
    Likes,
    Retweets,
    Views,
    /// By [`Engagement::total`].
    TotalEngagement,
}

impl SourceTweetSort {
    /// The value by which `tweet` is sorted.
    pub fn value(self, tweet: &SourceTweet) -> i64 {
        match self {
            Self::Date => tweet.report.date.timestamp_micros(),
            Self::Likes => tweet.report.engagement.likes,
            Self::Retweets => tweet.report.engagement.retweets,
            Self::Views => tweet.report.engagement.views,
            Self::TotalEngagement => tweet.report.engagement.total(),
        }
    }
}

/// Totals over a filtered set of source tweets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceTweetTotals {
    /// The number of tweets.
    pub tweets: i64,
    pub likes: i64,
    pub retweets: i64,
    pub views: i64,
    /// The number of runs that reported them.
    pub executions: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(
        tweet_id: &str,
        content: &str,
        likes: i64,
        date: &str,
    ) -> Result<NewSourceTweet, InvalidSourceTweet> {
        NewSourceTweet::new(
            tweet_id,
            String::new(),
            String::new(),
            content.into(),
            Engagement { likes, ..Engagement::default() },
            date.into(),
            "success".into(),
        )
    }

    #[test]
    fn an_invalid_report_is_refused_with_the_field_and_the_reason() {
        let date = "2025-08-14T14:30:31Z";
        let cases = [
            (report(" ", "x", 0, date), "the tweet id is missing"),
            (report("1", "a\0b", 0, date), "the content contains a NUL character"),
            (report("1", "x", -1, date), "the number of likes must be between 0 and 1000000000000"),
            (
                report("1", "x", i64::MAX, date),
                "the number of likes must be between 0 and 1000000000000",
            ),
            (report("undefined", "x", 0, date), "the tweet id is missing"),
            (report("1", " ", 0, date), "the text of the tweet is missing"),
            (report("1", "{{ $json.text }}", 0, date), "the text of the tweet is missing"),
        ];

        for (result, reason) in cases {
            assert_eq!(result.unwrap_err().to_string(), reason);
        }
        assert!(
            report("1", "x", 0, "soon")
                .unwrap_err()
                .to_string()
                .starts_with("the date is not a valid date")
        );
        for id in [&*"1".repeat(21), "1.95594E+18", "-1", "12.0", "１２", "1 2"] {
            let result = report(id, "x", 0, date);
            assert_eq!(result, Err(InvalidSourceTweet::NotAnId), "{id}");
        }
        assert_eq!(report(" 1 ", "x", 0, date).unwrap().tweet_id, "1");
    }

    #[test]
    fn only_a_run_without_a_name_is_forgotten_after_an_hour() {
        let now = parse_tweet_date("2025-08-14T14:30:31Z").unwrap();

        assert_eq!(RunKey::Execution("a".into()).same_since(now), None);
        assert_eq!(
            RunKey::Body { hash: "a".into() }.same_since(now),
            Some(now - chrono::Duration::hours(1))
        );
    }
}
