//! Leases on due posts, and what the ledger recorded when they were settled.

use chrono::{DateTime, Duration, Utc};
use waggle_kernel::ids::PostId;

use crate::delivery::{EarlierAttempts, OpenDelivery};
use crate::post::PublishablePost;

/// A worker's request to lease due posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    pub now: DateTime<Utc>,
    /// When the leases expire.
    pub lease_until: DateTime<Utc>,
    /// The maximum number of posts.
    pub most: u16,
}

/// A post that a worker has leased.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    pub post: PublishablePost,
    /// The fencing token. Each later lease of the post has a larger one.
    pub fence: i64,
    /// When the lease expires.
    pub lease_until: DateTime<Utc>,
    /// How many deliveries were begun earlier in this round.
    pub attempts: u32,
    /// The delivery that an earlier worker left open.
    pub open: Option<OpenDelivery>,
    /// Set if an attempt of this round may have reached the platform. A round begins when a person
    /// puts the post back into the queue. Outcomes that were resolved before that do not count.
    pub earlier: Option<EarlierAttempts>,
}

/// A queued post that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub post: PostId,
    /// Which column, and what is wrong with it.
    pub reason: String,
}

/// The result of a claim.
#[derive(Debug, Default, PartialEq)]
pub struct ClaimedPosts {
    pub posts: Vec<Claimed>,
    /// Posts that could not be read. They have left the queue, and a person must decide about them.
    pub unreadable: Vec<Unreadable>,
}

/// The time limits of publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a lease lasts. This is longer than two requests may take.
    pub lease: Duration,
    /// How long a request to a platform may take.
    pub request: Duration,
    /// How late a post may be published. After that, it is missed.
    pub missed_after: Duration,
}

/// What the ledger recorded when a delivery was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The settlement, as decided.
    AsDecided,
    /// The post is published, because an earlier attempt turned out to be public.
    PublicBefore {
        /// The platform's id of that attempt.
        id: String,
    },
    /// The post is public more than once. A person must decide.
    PublicTwice {
        /// The platform's ids of the post.
        ids: Vec<String>,
    },
    /// The platform's id belongs to another post. A person must decide about this one.
    IdTaken {
        id: String,
        /// The post that the id belongs to.
        by: PostId,
    },
}
