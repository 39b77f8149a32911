//! Posts: a text with its media, to be published on one platform.
//!
//! ```text
//!            ┌──────────────── queue again ◀──── cancelled, failed, missed
//!            ▼                                       ▲
//!        scheduled ──claim──▶ publishing ──▶ published ──(public twice)──┐
//!            ▲                 │      │                                  ▼
//!            └── retry later ──┘      └────────────────────────────▶ unknown
//!
//!        unknown ──(a person)──▶ published, failed
//! ```

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, PostId, Version};
use waggle_kernel::{ContentHash, Publication, named_enum};

use crate::platform::Platform;

named_enum! {
    /// The status of a post.
    pub enum PostStatus: "status" {
        /// The post waits for its scheduled time.
        Scheduled = "scheduled",
        /// A worker has leased the post.
        Publishing = "publishing",
        /// The post is public and has an id on the platform.
        Published = "published",
        /// The platform refused the post, or Waggle gave up.
        Failed = "failed",
        /// It is unknown whether the post is public, or it was published twice. A person must
        /// decide.
        Unknown = "unknown",
        /// The post could not be published in time. A person must decide.
        Missed = "missed",
        /// A person removed the post from the queue.
        Cancelled = "cancelled",
    }
}

impl PostStatus {
    /// Whether the post can be queued again: it is certainly not public, and is not being
    /// published.
    pub const fn can_be_queued_again(self) -> bool {
        matches!(self, Self::Failed | Self::Missed | Self::Cancelled)
    }

    /// Whether the post may be public, or may become public without further action.
    pub const fn may_be_public(self) -> bool {
        matches!(self, Self::Publishing | Self::Published | Self::Unknown)
    }
}

/// The counters that all platforms have for a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    pub likes: i64,
    pub shares: i64,
    pub comments: i64,
    pub views: i64,
}

/// The details that only a post on X has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TwitterDetails {
    /// The tweet that it replies to.
    pub reply_to_tweet_id: String,
    /// The tweet that it quotes.
    pub quoted_tweet_id: String,
    /// Whether it is part of a thread.
    pub is_thread: bool,
    /// Its position in the thread, from 0.
    pub thread_position: i64,
    pub retweets: i64,
    /// Reposts with a comment.
    pub quote_tweets: i64,
    pub bookmarks: i64,
    pub impressions: i64,
    /// The generated tweet that it was made from.
    pub generated_tweet: Option<GeneratedTweetId>,
    /// The campaign batch of that tweet.
    pub campaign_batch: Option<CampaignBatchId>,
    /// The brand alignment score of that batch.
    pub brand_alignment_score: Option<f64>,
    /// The audience that it addresses.
    pub audience_target: Option<String>,
    /// The elements of the brand that it contains.
    pub coophive_elements: Option<Value>,
}

/// A post with its status, its approval and the platform's counters.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// Waggle's id of the post.
    pub id: PostId,
    pub platform: Platform,
    /// The text.
    pub content: String,
    pub status: PostStatus,
    /// When the post should be published.
    pub scheduled_time: Option<DateTime<Utc>>,
    pub published_time: Option<DateTime<Utc>>,
    /// When the post is processed next, while it is queued.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether the post waits for the owner of its account.
    pub is_held: bool,
    /// The platform's id of the post; empty until it is public.
    pub platform_post_id: String,
    /// The URL of the post on the platform.
    pub url: String,
    /// Every known public copy of the post: more than one if it was published more than once.
    pub public: Vec<PublicAddress>,
    /// How many deliveries were begun.
    pub attempts: u32,
    pub last_error: Option<String>,
    /// The hash of the approved publication.
    pub approved_hash: ContentHash,
    pub approved_by: String,
    pub approved_at: DateTime<Utc>,
    pub metrics: Metrics,
    /// The hashtags in the text.
    pub hashtags: Value,
    /// The accounts mentioned in the text.
    pub mentions: Value,
    pub media_urls: Value,
    /// The details of a post on X.
    pub twitter: Option<TwitterDetails>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: Version,
}

/// Where a post is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddress {
    /// The platform's id of the post.
    pub platform_post_id: String,
    /// The URL of the post; empty if it is unknown.
    pub url: String,
}

/// The parts of a post that a publisher needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishablePost {
    pub id: PostId,
    pub platform: Platform,
    /// The content to publish.
    pub publication: Publication,
    /// The hash of the approved publication.
    pub approved_hash: ContentHash,
    /// When the post should be published.
    pub scheduled_time: Option<DateTime<Utc>>,
}

impl PublishablePost {
    /// Whether the scheduled time is more than `allowed` in the past. Such a post is not published
    /// automatically, no matter how often it was postponed.
    pub fn is_late(&self, now: DateTime<Utc>, allowed: Duration) -> bool {
        self.scheduled_time.is_some_and(|time| now - time > allowed)
    }
}

/// Selects posts. A filter that is `None` matches every post.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostFilter {
    /// Only posts with this status.
    pub status: Option<PostStatus>,
    /// Only posts for this platform.
    pub platform: Option<Platform>,
    /// Only posts made from this generated tweet.
    pub generated_tweet: Option<GeneratedTweetId>,
    /// Only posts that wait for the owner of their account, or only others.
    pub is_held: Option<bool>,
}

/// The number of posts in each state that publishing has not ended for, and of those that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Posts that wait for their time.
    pub scheduled: i64,
    pub publishing: i64,
    /// Posts that wait for the owner of their account.
    pub held: i64,
    pub unknown: i64,
    pub missed: i64,
    pub failed: i64,
    /// When the next post is processed, if one waits.
    pub next_due: Option<DateTime<Utc>>,
}

impl Backlog {
    /// The number of posts that need a person.
    pub const fn needed(&self) -> i64 {
        self.unknown + self.missed + self.held
    }

    /// How late the next post is; zero if none is late.
    pub fn lag(&self, now: DateTime<Utc>) -> Duration {
        self.next_due.map_or_else(Duration::zero, |due| (now - due).max(Duration::zero()))
    }
}

/// What a person found out about a post whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The post is public.
    Published {
        /// The platform's id of the post.
        id: String,
        url: String,
    },
    /// The post is not public, and may be queued again.
    NotPublished,
}

/// The result of an attempt to change a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// The change was made.
    Done,
    /// The status of the post does not allow the change.
    NotAllowed,
    /// The post has a different version than the caller saw.
    Stale,
    /// The platform's id already belongs to this post.
    Taken(PostId),
}
