//! Posts: one text with its media, meant for one platform.
//!
//! ```text
//!            ┌──────────────── queue again ◀──── cancelled, failed, missed
//!            ▼                                       ▲
//!        scheduled ──claim──▶ publishing ──▶ published ──(public twice)──┐
//!            ▲                 │      │                                  ▼
//!            └── try later ────┘      └────────────────────────────▶ unknown
//!
//!        unknown ──(a person)──▶ published, failed
//! ```

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use thiserror::Error;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, PostId, Version};
use waggle_kernel::{ContentHash, Publication};

use crate::platform::Platform;

/// Where a post stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PostStatus {
    /// It waits for its time.
    Scheduled,
    /// A worker has leased it.
    Publishing,
    /// It is public, with the platform's id.
    Published,
    /// The platform refused it, or Waggle gave up.
    Failed,
    /// Nobody can tell whether it went out, or it went out twice; a person is asked.
    Unknown,
    /// Its time went by long ago while nothing ran; a person decides.
    Missed,
    /// A person took it out of the queue.
    Cancelled,
}

impl PostStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Publishing,
        Self::Published,
        Self::Failed,
        Self::Unknown,
        Self::Missed,
        Self::Cancelled,
    ];

    /// The name in the database and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Publishing => "publishing",
            Self::Published => "published",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the post can be put in the queue again: it certainly did not go out and is not on its way.
    pub const fn can_be_queued_again(self) -> bool {
        matches!(self, Self::Failed | Self::Missed | Self::Cancelled)
    }

    /// Whether the post may be public, or become so without anybody doing anything.
    pub const fn may_be_public(self) -> bool {
        matches!(self, Self::Publishing | Self::Published | Self::Unknown)
    }
}

impl fmt::Display for PostStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for PostStatus {
    type Err = UnknownPostStatus;

    fn from_str(text: &str) -> Result<Self, UnknownPostStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or_else(|| UnknownPostStatus(text.to_owned()))
    }
}

/// The text names no [`PostStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "unknown status '{0}': scheduled, publishing, published, failed, unknown, missed and cancelled are known"
)]
pub struct UnknownPostStatus(pub String);

/// What a platform counts under any post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// Likes.
    pub likes: i64,
    /// Shares.
    pub shares: i64,
    /// Comments.
    pub comments: i64,
    /// Views.
    pub views: i64,
}

/// What a post for X has beyond any post.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TwitterDetails {
    /// The tweet that it answers.
    pub reply_to_tweet_id: String,
    /// The tweet that it quotes.
    pub quoted_tweet_id: String,
    /// Whether it is part of a thread.
    pub is_thread: bool,
    /// Its place in the thread, from 0.
    pub thread_position: i64,
    /// Reposts.
    pub retweets: i64,
    /// Reposts with a comment.
    pub quote_tweets: i64,
    /// Bookmarks.
    pub bookmarks: i64,
    /// Impressions.
    pub impressions: i64,
    /// The generated tweet that it was made from.
    pub generated_tweet: Option<GeneratedTweetId>,
    /// The batch of that tweet.
    pub campaign_batch: Option<CampaignBatchId>,
    /// The score of that batch.
    pub brand_alignment_score: Option<f64>,
    /// Whom it addresses.
    pub audience_target: Option<String>,
    /// Elements of the brand in it.
    pub coophive_elements: Option<Value>,
}

/// A post.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// The id that Waggle gave it.
    pub id: PostId,
    /// Where it goes.
    pub platform: Platform,
    /// Its text.
    pub content: String,
    /// Where it stands.
    pub status: PostStatus,
    /// When it was meant to go out.
    pub scheduled_time: Option<DateTime<Utc>>,
    /// When it went out.
    pub published_time: Option<DateTime<Utc>>,
    /// When it is looked at next, while it is queued.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether it waits for the owner of its account.
    pub is_held: bool,
    /// The platform's id of it; empty until it is public.
    pub platform_post_id: String,
    /// Its address on the platform.
    pub url: String,
    /// Everything of it that is known to be public: more than one if it went out more than once.
    pub public: Vec<PublicAddress>,
    /// How many deliveries were begun.
    pub attempts: u32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// The hash of what was approved.
    pub approved_hash: ContentHash,
    /// Who approved it.
    pub approved_by: String,
    /// When.
    pub approved_at: DateTime<Utc>,
    /// What the platform counts.
    pub metrics: Metrics,
    /// Tags in the text.
    pub hashtags: Value,
    /// Names in the text.
    pub mentions: Value,
    /// Media.
    pub media_urls: Value,
    /// What it has for X.
    pub twitter: Option<TwitterDetails>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// How often it was changed.
    pub version: Version,
}

/// Where a post is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddress {
    /// The platform's id of it.
    pub platform_post_id: String,
    /// Its address; empty where it is not known.
    pub url: String,
}

/// What a publisher needs of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishablePost {
    /// The post.
    pub id: PostId,
    /// Where it goes.
    pub platform: Platform,
    /// What goes out.
    pub publication: Publication,
    /// The hash of what was approved.
    pub approved_hash: ContentHash,
    /// When it was meant to go out.
    pub scheduled_time: Option<DateTime<Utc>>,
}

impl PublishablePost {
    /// Whether its time is over by more than `allowed`: then it does not go out by itself, however
    /// often it was put off meanwhile.
    pub fn is_late(&self, now: DateTime<Utc>, allowed: Duration) -> bool {
        self.scheduled_time.is_some_and(|time| now - time > allowed)
    }
}

/// Which posts are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostFilter {
    /// With this status.
    pub status: Option<PostStatus>,
    /// For this platform.
    pub platform: Option<Platform>,
    /// Made from this tweet.
    pub generated_tweet: Option<GeneratedTweetId>,
}

/// What a person found out about a post in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It is public.
    Published {
        /// The platform's id of it.
        id: String,
        /// Its address.
        url: String,
    },
    /// It is not; it may be queued again.
    NotPublished,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Done,
    /// Where the post stands does not allow it.
    NotAllowed,
    /// The post has another version than the caller saw.
    Stale,
    /// The platform's id belongs to this post.
    Taken(PostId),
}
