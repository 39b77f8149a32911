//! An approved tweet on its way into the queue of posts.

use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::PortError;
use waggle_kernel::ids::{GeneratedTweetId, PostId, Version};

use crate::generated_tweet::Approval;

/// What shall be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRequest {
    /// The tweet.
    pub tweet: GeneratedTweetId,
    /// The platform, by the name that posts have.
    pub platform: String,
    /// When it is due; at once if no time is named.
    pub at: Option<DateTime<Utc>>,
    /// The version of the tweet that the caller saw.
    pub expected: Option<Version>,
    /// What was approved; the queue takes nothing else.
    pub approval: Approval,
    /// Who queues it, as [`waggle_kernel::Actor`] shows it.
    pub actor: String,
    /// When.
    pub now: DateTime<Utc>,
}

impl QueueRequest {
    /// When it is due.
    pub fn due_at(&self) -> DateTime<Utc> {
        self.at.unwrap_or(self.now)
    }
}

/// The post that a tweet became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedPost {
    /// The post.
    pub id: PostId,
    /// Whether it was queued before, for the same platform and time.
    pub was_queued: bool,
}

/// Why a tweet was not queued.
#[derive(Debug, Error)]
pub enum QueueRefused {
    /// It is not approved with this content any more.
    #[error("the tweet is not approved with this content any more")]
    NotApproved,
    /// Its batch was archived.
    #[error("the batch of the tweet is archived; restore it first")]
    BatchDeleted,
    /// The tweet, or its post, was changed since the caller saw it.
    #[error(
        "the tweet was changed in between; read it again and repeat the call with its version in \
         If-Match"
    )]
    Stale,
    /// A post that left the queue is put back only by a caller who has seen that it did.
    #[error(
        "the post of the tweet is {status}; to put it back into the queue, read the tweet and send \
         its version in If-Match"
    )]
    NeedsVersion {
        /// Where the post stands.
        status: &'static str,
    },
    /// A worker sends it at this moment.
    #[error("the post is being sent at this moment; wait for its end before changing it")]
    OnItsWay,
    /// It went out, or nobody knows yet whether it did.
    #[error("a post of the tweet went out, or it is not known yet whether it did")]
    AlreadyOut,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}
