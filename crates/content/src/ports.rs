//! The ports of this domain: publishers, connections, the ledger and the repository of posts.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::{DeliveryId, GeneratedTweetId, PostId, Version};
use waggle_kernel::{ActorRef, Limit, Page, PageRequest, PortError};

use crate::claim::{ClaimRequest, Claimed, ClaimedPosts, Recorded, Timing};
use crate::delivery::{
    Delivery, Finding, Mark, Marker, Outcome, Ownership, Prepared, ReconcilePolicy, Settlement,
};
use crate::platform::Platform;
use crate::post::{Backlog, Changed, Post, PostFilter, PublishablePost, Resolution};

/// Publishes posts on one platform.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Publisher: Send + Sync {
    /// The platform that this publisher serves.
    fn platform(&self) -> Platform;

    /// The account that posts, in the form of [`Prepared::channel`].
    fn channel(&self) -> String;

    /// How to reconcile a post whose outcome is unknown.
    fn reconcile_policy(&self) -> ReconcilePolicy;

    /// Builds the exact request, without sending anything.
    ///
    /// # Errors
    ///
    /// A human-readable reason if the platform cannot publish this content.
    fn prepare(&self, post: &PublishablePost) -> Result<Prepared, String>;

    /// The current position of the platform, by its own clock or timeline. It is requested before
    /// anything is sent, so that a later check knows where to start.
    async fn mark(&self) -> Mark;

    /// Sends the request, once. Neither this method nor the HTTP client below it repeats a request.
    async fn send(&self, prepared: &Prepared) -> Outcome;

    /// Checks the platform for a post that was sent when the platform was at `since`, or later.
    /// Without `since`, an absence cannot be established either. A response that is not fully
    /// understood gives [`Finding::CannotTell`].
    async fn find(&self, prepared: &Prepared, since: Option<Marker>) -> Finding;
}

/// The platforms that are connected at one moment, and the time limits that apply.
pub struct Connected {
    pub publishers: Vec<Arc<dyn Publisher>>,
    pub timing: Timing,
}

impl Connected {
    /// The platform that posts go to when none is named: X if it is connected, otherwise the
    /// sandbox.
    pub fn default_platform(&self) -> Platform {
        if self.publisher(Platform::X).is_some() { Platform::X } else { Platform::Sandbox }
    }

    /// The publisher for `platform`, if it is connected.
    pub fn publisher(&self, platform: Platform) -> Option<&dyn Publisher> {
        self.publishers.iter().find(|publisher| publisher.platform() == platform).map(AsRef::as_ref)
    }
}

/// Provides the connected platforms, which may change at any time.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Connections: Send + Sync {
    /// The platforms that are connected now.
    fn now(&self) -> Arc<Connected>;
}

/// The publishing ledger: leases due posts, and records every delivery.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Leases due posts, oldest first: posts that are waiting, and posts whose lease expired before
    /// they were settled. A post never has two leases at the same time. Posts for platforms that
    /// this build does not know are left to other builds. A post that cannot be read is settled on
    /// its own and does not block the others.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is leased.
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimedPosts, PortError>;

    /// Records that `prepared` is about to be sent.
    ///
    /// This is refused if the lease is lost or expires before `needed_until`, or if the post is
    /// already public or no longer approved with this content.
    ///
    /// # Errors
    ///
    /// - [`LedgerError::NotHeld`] or [`LedgerError::NotApproved`] if it is refused; then nothing is
    ///   written.
    /// - [`LedgerError::Port`] if the store cannot answer; then something may be written.
    async fn begin(
        &self,
        claimed: &Claimed,
        prepared: &Prepared,
        now: DateTime<Utc>,
        needed_until: DateTime<Utc>,
    ) -> Result<DeliveryId, LedgerError>;

    /// Which of `ids` belong to a post other than `post`, on the platform of `prepared`, the
    /// request that is being looked for.
    async fn ownership(
        &self,
        post: PostId,
        prepared: &Prepared,
        ids: &[String],
    ) -> Result<Ownership, PortError>;

    /// Records how a delivery ended and what follows for the post and for the generated tweet that
    /// it was made from, in one step. `delivery` is [`None`] if none was begun.
    ///
    /// That a post is public is always recorded: also after its lease expired, after its delivery
    /// was settled differently, and in addition to another id of the same post. The return value
    /// says so.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotHeld`] if another worker has leased the post; then nothing is written.
    async fn settle(
        &self,
        claimed: &Claimed,
        delivery: Option<DeliveryId>,
        settlement: &Settlement,
        now: DateTime<Utc>,
    ) -> Result<Recorded, LedgerError>;

    /// Makes the posts due that wait for the owner of the account on `platform`, and returns their
    /// number.
    async fn release_held(
        &self,
        platform: Platform,
        now: DateTime<Utc>,
    ) -> Result<usize, PortError>;

    /// When the next post is due, if there is one.
    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, PortError>;
}

/// Why the ledger recorded nothing.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The lease expired, or another worker has leased the post.
    #[error("the lease on the post was lost")]
    NotHeld,
    /// The approval was withdrawn or covers different content.
    #[error("the post is not approved with its current content")]
    NotApproved,
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Reads posts, and records what people decide about them.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PostRepository: Send + Sync {
    /// The post with this id, if it exists.
    async fn find(&self, id: PostId) -> Result<Option<Post>, PortError>;

    /// A page of the posts that match `filter`, newest first.
    async fn list(&self, filter: &PostFilter, page: PageRequest) -> Result<Page<Post>, PortError>;

    /// The posts made from these generated tweets, in any order.
    async fn of_tweets(&self, tweets: &[GeneratedTweetId]) -> Result<Vec<Post>, PortError>;

    /// The queued posts that are processed next, at most `most` of them, without those that wait
    /// for the owner of their account.
    async fn upcoming(&self, most: Limit) -> Result<Vec<Post>, PortError>;

    /// The number of posts in each state.
    async fn backlog(&self) -> Result<Backlog, PortError>;

    /// Whether a person must decide about a post, or the owner of an account must act.
    async fn needs_person(&self) -> Result<bool, PortError>;

    /// The deliveries of these posts, from first to last, at most 1,000 in all.
    async fn deliveries(&self, ids: &[PostId]) -> Result<Vec<Delivery>, PortError>;

    /// Removes a scheduled post from the queue, if it has the version `expected`.
    async fn cancel(
        &self,
        id: PostId,
        expected: Option<Version>,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Changed, PortError>;

    /// Records what a person found out about a post whose outcome is unknown, if it has the version
    /// `expected`.
    async fn resolve(
        &self,
        id: PostId,
        expected: Option<Version>,
        resolution: &Resolution,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Changed, PortError>;
}
