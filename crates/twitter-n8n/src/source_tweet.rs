//! Tweets of monitored accounts, as workflows report them.
//!
//! ```text
//! reported ──▶ leased to the run that was told it is new ──batch, done, acknowledge──▶ processed
//!                 │        ▲
//!                 ▼        └── the next run that reports it, while offers are left
//!              lapsed ──(no offers left)──▶ lapsed for good
//! ```

use chrono::{DateTime, Duration, Utc};
use thiserror::Error;
use waggle_kernel::ids::SourceTweetId;
use waggle_kernel::{TextProblem, check_text};

use crate::tweet_date::{UnreadableDate, parse_tweet_date};
use crate::unrendered::{is_placeholder, is_unrendered};

/// The numbers that X shows under a tweet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Engagement {
    /// Likes.
    pub likes: i64,
    /// Reposts without a comment.
    pub retweets: i64,
    /// Replies.
    pub replies: i64,
    /// Reposts with a comment.
    pub quotes: i64,
    /// Views.
    pub views: i64,
}

impl Engagement {
    /// Likes, retweets, replies and quotes; views are not an act of anybody.
    pub const fn total(self) -> i64 {
        self.likes
            .saturating_add(self.retweets)
            .saturating_add(self.replies)
            .saturating_add(self.quotes)
    }
}

/// A tweet that a workflow reports, checked field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSourceTweet {
    /// X's id of the tweet: 1 to 20 decimal digits.
    pub tweet_id: String,
    /// Where the workflow found it.
    pub url: String,
    /// Its address on X.
    pub tweet_url: String,
    /// Its text.
    pub content: String,
    /// Its numbers at the time of the report.
    pub engagement: Engagement,
    /// When it was posted.
    pub date: DateTime<Utc>,
    /// The same as the workflow wrote it.
    pub date_raw: String,
    /// What the workflow says of its own success, `success` as a rule.
    pub status: String,
}

impl NewSourceTweet {
    /// The longest id, in digits: X's ids have 64 bits.
    pub const MOST_ID: usize = 20;
    /// The longest address, in characters.
    pub const MOST_URL: usize = 2_048;
    /// The longest text, in characters: what X gives its largest accounts.
    pub const MOST_CONTENT: usize = 25_000;
    /// The largest count; sums over millions of tweets still fit into 64 bits.
    pub const MOST_COUNT: i64 = 1_000_000_000_000;
    /// The longest status, in characters.
    pub const MOST_STATUS: usize = 50;

    /// Checks a tweet whose `date` is still text.
    ///
    /// # Errors
    ///
    /// [`InvalidSourceTweet`] names the field and what is wrong with it.
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
    /// X's id of a tweet, without white space around it.
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

/// Why a reported tweet is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSourceTweet {
    /// It has no id.
    #[error("the tweet id is missing")]
    NoId,
    /// X has no such ids.
    #[error("the tweet id is not 1 to 20 decimal digits; send ids as text, as X writes them")]
    NotAnId,
    /// It says nothing.
    #[error("the text of the tweet is missing")]
    NoContent,
    /// A text cannot be kept.
    #[error("the {name} {problem}")]
    Text {
        /// Which field.
        name: &'static str,
        /// What is wrong with it.
        problem: TextProblem,
    },
    /// A count is below zero, or more than there can be.
    #[error("the number of {name} is not between 0 and {}", NewSourceTweet::MOST_COUNT)]
    Count {
        /// Which count.
        name: &'static str,
    },
    /// The date cannot be read.
    #[error("the date {0}")]
    Date(#[from] UnreadableDate),
}

/// By what a repeated report is told from a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunKey {
    /// The workflow named its run.
    Execution(String),
    /// It did not; then the same bytes within an hour are the same run.
    Body {
        /// The SHA-256 of the request body, in hexadecimal.
        hash: String,
    },
}

impl RunKey {
    /// The key as the store keeps it.
    pub fn stored(&self) -> String {
        match self {
            Self::Execution(id) => format!("run:{id}"),
            Self::Body { hash } => format!("body:{hash}"),
        }
    }

    /// From when on a report with this key counts as the same run at `now`; `None` is from ever.
    pub fn same_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Execution(_) => None,
            Self::Body { .. } => Some(now - chrono::Duration::hours(1)),
        }
    }
}

/// The run of a workflow that reports tweets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// By what its repetitions are known.
    pub key: RunKey,
    /// The id of the run, as it is stored and echoed: at most 255 characters.
    pub execution_id: String,
    /// Where the run says it comes from: at most 255 characters.
    pub source_url: String,
    /// Who hands it in, as [`Actor`](waggle_kernel::Actor) shows it.
    pub received_from: String,
    /// The network address that it calls from; empty where it is not known.
    pub address: String,
    /// Whether it came without a credential, from a trusted network.
    pub unauthenticated: bool,
}

/// What the store knows of a reported tweet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// It was stored by this very call.
    Stored,
    /// The same run had brought it before.
    BroughtBefore,
    /// Another run had been told that it is new, and has let its lease lapse.
    OfferedAgain,
    /// Another run has it, or it is processed, or no offer is left.
    Known,
}

/// How long a run has for what it was told is new, and how many runs are told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferPolicy {
    /// How long the lease of a run lasts.
    pub lease: Duration,
    /// How many runs are told of a tweet that it is new, one after the other.
    pub most: u32,
}

/// Which runs are over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunsToEnd {
    /// The one with this name.
    Named(String),
    /// Every open run of the same caller; and, where the caller or the run has no token, from the
    /// same network address.
    OfCaller {
        /// Who calls, as [`Run::received_from`] has it.
        received_from: String,
        /// The network address that the call comes from; an empty one is nobody's.
        address: String,
        /// Whether the call has no token.
        unauthenticated: bool,
    },
}

/// What was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndedRuns {
    /// How many runs.
    pub runs: u32,
    /// How many source tweets.
    pub tweets: u32,
}

/// Which tweets count as lapsed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapsed {
    /// Those whose last lease ended before this time without a batch.
    pub now: DateTime<Utc>,
    /// Those that so many runs were told of.
    pub offers: u32,
    /// Whether they are meant, or all others.
    pub is: bool,
}

/// A tweet of a monitored account, stored once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTweet {
    /// The id that Waggle gave it.
    pub id: SourceTweetId,
    /// What was reported, with the numbers of the latest report.
    pub report: NewSourceTweet,
    /// The run that was told last that it is new.
    pub execution_id: String,
    /// Where that run came from.
    pub source_url: String,
    /// Who handed it in.
    pub received_from: String,
    /// Whether it came without a credential, from a trusted network.
    pub unauthenticated: bool,
    /// When it was stored.
    pub processed_at: DateTime<Utc>,
    /// When its numbers were last changed by a later report.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// Whether a batch was made from it.
    pub is_processed: bool,
    /// Until when it is leased to a run or a claim; in the past if the lease lapsed.
    pub leased_until: Option<DateTime<Utc>>,
    /// How many runs were told that it is new.
    pub offers: u32,
}

/// Which source tweets are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceTweetFilter {
    /// The text has this in it, without regard to case.
    pub search: Option<String>,
    /// The id of X begins with this.
    pub tweet_id: Option<String>,
    /// Brought by this run.
    pub execution_id: Option<String>,
    /// Posted at this time or later.
    pub date_from: Option<DateTime<Utc>>,
    /// Posted before this time.
    pub date_before: Option<DateTime<Utc>>,
    /// With this status.
    pub status: Option<String>,
    /// With at least as many likes.
    pub min_likes: Option<i64>,
    /// With at least as many retweets.
    pub min_retweets: Option<i64>,
    /// With at least as many views.
    pub min_views: Option<i64>,
    /// Processed, or not.
    pub is_processed: Option<bool>,
    /// Lapsed for good, or not.
    pub lapsed: Option<Lapsed>,
}

/// By what source tweets are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceTweetSort {
    /// When they were posted.
    Date,
    /// Likes.
    Likes,
    /// Retweets.
    Retweets,
    /// Views.
    Views,
    /// [`Engagement::total`].
    TotalEngagement,
}

impl SourceTweetSort {
    /// The value of `tweet` that this sorts by.
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

/// Sums over a filtered set of source tweets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceTweetTotals {
    /// How many tweets.
    pub tweets: i64,
    /// Their likes.
    pub likes: i64,
    /// Their retweets.
    pub retweets: i64,
    /// Their views.
    pub views: i64,
    /// How many runs brought them.
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
    fn a_report_is_refused_with_the_field_and_the_reason() {
        let date = "2025-08-14T14:30:31Z";
        let cases = [
            (report(" ", "x", 0, date), "the tweet id is missing"),
            (report("1", "a\0b", 0, date), "the content has a NUL character"),
            (report("1", "x", -1, date), "the number of likes is not between 0 and 1000000000000"),
            (
                report("1", "x", i64::MAX, date),
                "the number of likes is not between 0 and 1000000000000",
            ),
            (report("undefined", "x", 0, date), "the tweet id is missing"),
            (report("1", " ", 0, date), "the text of the tweet is missing"),
            (report("1", "{{ $json.text }}", 0, date), "the text of the tweet is missing"),
        ];

        for (result, reason) in cases {
            assert_eq!(result.unwrap_err().to_string(), reason);
        }
        assert!(
            report("1", "x", 0, "soon").unwrap_err().to_string().starts_with("the date is not")
        );
        for id in [&*"1".repeat(21), "1.95594E+18", "-1", "12.0", "１２", "1 2"] {
            let result = report(id, "x", 0, date);
            assert_eq!(result, Err(InvalidSourceTweet::NotAnId), "{id}");
        }
        assert_eq!(report(" 1 ", "x", 0, date).unwrap().tweet_id, "1");
    }

    #[test]
    fn only_a_run_without_a_name_is_forgotten() {
        let now = parse_tweet_date("2025-08-14T14:30:31Z").unwrap();

        assert_eq!(RunKey::Execution("a".into()).same_since(now), None);
        assert_eq!(
            RunKey::Body { hash: "a".into() }.same_since(now),
            Some(now - chrono::Duration::hours(1))
        );
    }
}
