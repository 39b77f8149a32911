//! Requests to queue an approved tweet as a post, and their results.

use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::{GeneratedTweetId, PostId, Version};
use waggle_kernel::{ActorRef, PortError};

use crate::generated_tweet::Approval;

/// A request to queue an approved tweet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRequest {
    pub tweet: GeneratedTweetId,
    /// The name of the platform, as used for posts.
    pub platform: String,
    /// When the post is due; `None` means at once.
    pub at: Option<DateTime<Utc>>,
    /// The version of the tweet that the caller saw.
    pub expected: Option<Version>,
    /// The approval. The queue accepts only the approved content.
    pub approval: Approval,
    /// Who queues the tweet.
    pub by: ActorRef,
    /// The time of the request.
    pub now: DateTime<Utc>,
}

impl QueueRequest {
    /// When the post is due.
    pub fn due_at(&self) -> DateTime<Utc> {
        self.at.unwrap_or(self.now)
    }
}

/// The post that a tweet was queued as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedPost {
    pub id: PostId,
    /// The platform that it is published on.
    pub platform: String,
    /// Whether it was already queued for the same platform and time.
    pub was_queued: bool,
}

/// Why a post cannot be published on any platform.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoDestination {
    /// No platform has the name that was given.
    #[error("platform: {0}")]
    Unknown(String),
    /// The platform exists, but no account is connected.
    #[error("the platform {0} is not connected; its credentials are missing from the settings")]
    NotConnected(String),
}

/// Why a tweet was not queued.
#[derive(Debug, Error)]
pub enum QueueRefused {
    #[error("the tweet is no longer approved with this content")]
    NotApproved,
    #[error("the batch of the tweet is deleted; restore it first")]
    BatchDeleted,
    /// The tweet or its post has changed since the caller read it.
    #[error("the tweet has changed since you read it; read it again")]
    Stale,
    /// The post has left the queue. It is queued again only if the caller has seen that.
    #[error(
        "the post of the tweet is {status}; to put it back into the queue, read the tweet and send \
         its version in If-Match"
    )]
    NeedsVersion {
        /// The status of the post.
        status: &'static str,
    },
    #[error("the post is being published; wait until that ends before you change it")]
    OnItsWay,
    /// A post of the tweet was published, or it is not known yet whether it was.
    #[error("a post of the tweet was published, or it is not known yet whether it was")]
    AlreadyOut,
    #[error(transparent)]
    Port(#[from] PortError),
}
