//! What this domain needs from outside.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::{DeliveryId, PostId, Version};
use waggle_kernel::{Page, PageRequest, PortError};

use crate::claim::{ClaimRequest, Claimed, ClaimedPosts, Recorded, Timing};
use crate::delivery::{
    Delivery, DoubtPolicy, Finding, Mark, Marker, Outcome, Ownership, Prepared, Settlement,
};
use crate::platform::Platform;
use crate::post::{Changed, Post, PostFilter, PublishablePost, Resolution};

/// Brings posts to one platform.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Which platform.
    fn platform(&self) -> Platform;

    /// The account that posts, as [`Prepared::channel`] has it.
    fn channel(&self) -> String;

    /// How to look for a post after a doubt.
    fn doubt_policy(&self) -> DoubtPolicy;

    /// Makes the exact request, without sending anything.
    ///
    /// # Errors
    ///
    /// A reason for people if the platform has no way to say this.
    fn prepare(&self, post: &PublishablePost) -> Result<Prepared, String>;

    /// Where the platform stands now, by its own clock or timeline: asked before anything is sent,
    /// so that a look knows where to begin.
    async fn mark(&self) -> Mark;

    /// Sends it, once: neither this method nor the HTTP client below it repeats a request.
    async fn send(&self, prepared: &Prepared) -> Outcome;

    /// Looks on the platform for what was sent when the platform stood at `since`, or later. Where
    /// that is not known, an absence cannot be told either. Any answer that is not wholly
    /// understood is [`Finding::CannotTell`].
    async fn find(&self, prepared: &Prepared, since: Option<Marker>) -> Finding;
}

/// The platforms that are connected at one moment, and how long things may take then.
pub struct Connected {
    /// The platforms.
    pub publishers: Vec<Arc<dyn Publisher>>,
    /// How long things may take.
    pub timing: Timing,
}

impl Connected {
    /// The way to `platform`, if it is connected.
    pub fn publisher(&self, platform: Platform) -> Option<&dyn Publisher> {
        self.publishers.iter().find(|publisher| publisher.platform() == platform).map(AsRef::as_ref)
    }
}

/// Knows what is connected, which may change at any time.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Connections: Send + Sync {
    /// What is connected now.
    fn now(&self) -> Arc<Connected>;
}

/// The ledger of publishing.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Leases posts that are due, oldest first: those that wait, and those whose lease ran out
    /// before they were settled. No post has two leases at once. Posts of platforms that this build
    /// does not know are left to other builds. One that cannot be read is settled alone and does
    /// not keep the others.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is leased.
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimedPosts, PortError>;

    /// Records that `prepared` is about to be sent, unless the lease is lost or does not last until
    /// `needed_until`, the post is no longer approved with this content, or is public already.
    ///
    /// # Errors
    ///
    /// - [`LedgerError::NotHeld`], [`LedgerError::NotApproved`]; then nothing is written.
    /// - [`LedgerError::Port`] if the store cannot answer; then something may be written.
    async fn begin(
        &self,
        claimed: &Claimed,
        prepared: &Prepared,
        now: DateTime<Utc>,
        needed_until: DateTime<Utc>,
    ) -> Result<DeliveryId, LedgerError>;

    /// To whom the posts with these ids belong on the platform of `prepared`, which `post` is
    /// looked for with.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn ownership(
        &self,
        post: PostId,
        prepared: &Prepared,
        ids: &[String],
    ) -> Result<Ownership, PortError>;

    /// Records how a delivery ended and what follows for the post, and for the generated tweet that
    /// it was made from, in one step. Without a delivery, nothing was begun.
    ///
    /// That a post is public is recorded whoever finds out: after its lease ran out, after its
    /// delivery was settled otherwise, and beside another id of the same post. The answer says so.
    ///
    /// # Errors
    ///
    /// - [`LedgerError::NotHeld`] if another worker has the post; then nothing is written.
    /// - [`LedgerError::Port`] if the store cannot answer.
    async fn settle(
        &self,
        claimed: &Claimed,
        delivery: Option<DeliveryId>,
        settlement: &Settlement,
        now: DateTime<Utc>,
    ) -> Result<Recorded, LedgerError>;

    /// Makes due what waits for the owner of the account on `platform`, and says how many posts
    /// these are.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn release_held(
        &self,
        platform: Platform,
        now: DateTime<Utc>,
    ) -> Result<usize, PortError>;

    /// When the next post is due, if any is.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, PortError>;
}

/// Why the ledger took nothing down.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The lease ran out, or another worker has the post.
    #[error("the lease of the post was lost")]
    NotHeld,
    /// The approval was taken back or covers other content.
    #[error("the post is not approved with this content")]
    NotApproved,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Keeps posts.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PostRepository: Send + Sync {
    /// The post with this id.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(&self, id: PostId) -> Result<Option<Post>, PortError>;

    /// A page of those that `filter` means, newest first.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(&self, filter: &PostFilter, page: PageRequest) -> Result<Page<Post>, PortError>;

    /// The deliveries of a post, first to last.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn deliveries(&self, id: PostId) -> Result<Vec<Delivery>, PortError>;

    /// Takes a scheduled post out of the queue, if it has the version `expected`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn cancel(
        &self,
        id: PostId,
        expected: Option<Version>,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Changed, PortError>;

    /// Records what a person says of a post whose outcome is unknown, if it has the version
    /// `expected`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn resolve(
        &self,
        id: PostId,
        expected: Option<Version>,
        resolution: &Resolution,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Changed, PortError>;
}
