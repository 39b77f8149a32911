//! Posts that a worker has leased, and what the ledger recorded of them.

use chrono::{DateTime, Duration, Utc};
use waggle_kernel::ids::PostId;

use crate::delivery::{Doubt, OpenDelivery};
use crate::post::PublishablePost;

/// Which posts a worker wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The present moment.
    pub now: DateTime<Utc>,
    /// Until when the worker has them.
    pub lease_until: DateTime<Utc>,
    /// How many at the most.
    pub most: u16,
}

/// A post that a worker has leased.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The post.
    pub post: PublishablePost,
    /// The fencing token: a later lease of the post has a larger number.
    pub fence: i64,
    /// Until when the lease lasts.
    pub lease_until: DateTime<Utc>,
    /// How many deliveries were begun before, in this round.
    pub attempts: u32,
    /// The delivery that an earlier worker left open.
    pub open: Option<OpenDelivery>,
    /// That an attempt of this round may have reached the platform. A round begins when a person
    /// puts the post back into the queue: what was resolved before that says nothing about it.
    pub doubt: Option<Doubt>,
}

/// A post in the queue that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The post.
    pub post: PostId,
    /// Which column, and what is wrong with it.
    pub reason: String,
}

/// What a worker has claimed.
#[derive(Debug, Default, PartialEq)]
pub struct ClaimedPosts {
    /// The posts.
    pub posts: Vec<Claimed>,
    /// Posts that could not be read. They have left the queue and wait for a person.
    pub unreadable: Vec<Unreadable>,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a lease lasts; longer than two requests may take.
    pub lease: Duration,
    /// How long a request to a platform may take.
    pub request: Duration,
    /// How late a post may go out; after that it is missed.
    pub missed_after: Duration,
}

/// What the ledger recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// What was decided.
    AsDecided,
    /// The post is published: an earlier attempt of it turned out to be public.
    PublicBefore {
        /// The platform's id of that one.
        id: String,
    },
    /// The post is public more than once, and waits for a person.
    PublicTwice {
        /// The platform's ids of it.
        ids: Vec<String>,
    },
    /// The platform's id belongs to another post, so this one waits for a person.
    IdTaken {
        /// The platform's id.
        id: String,
        /// The post that holds it.
        by: PostId,
    },
}
