//! What this domain needs from outside.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::{DeliveryId, PostId};
use waggle_kernel::{Page, PageRequest, PortError};

use crate::delivery::{Delivery, DoubtPolicy, Finding, Outcome, Prepared, Settlement};
use crate::platform::Platform;
use crate::post::{Post, PostFilter, PublishablePost};
use crate::posts::Resolution;
use crate::publish_due::{Claimed, Timing};

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

    /// Sends it, once: neither this method nor the HTTP client below it repeats a request.
    async fn send(&self, prepared: &Prepared) -> Outcome;

    /// Looks on the platform for what was sent at `since` or later.
    async fn find(&self, prepared: &Prepared, since: DateTime<Utc>) -> Finding;
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

/// Which posts a worker wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The present moment.
    pub now: DateTime<Utc>,
    /// Until when the worker has them.
    pub lease_until: DateTime<Utc>,
    /// How many at the most.
    pub most: u16,
    /// A scheduled post that was due before this is missed, not published.
    pub missed_before: DateTime<Utc>,
}

/// The ledger of publishing.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Takes posts that are due in hand, oldest first: those that wait, and those that a worker took and
    /// did not finish in time. No post is in two hands at once. Marks as missed what was due too long ago.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is taken.
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, PortError>;

    /// Writes down that `prepared` is about to be sent, unless the post is no longer in this hand, until
    /// `needed_until` at least, or is no longer approved with this content.
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

    /// Writes down how a delivery ended and what follows for the post, and for the generated tweet that
    /// it was made from, in one step. Without a delivery, nothing was begun.
    ///
    /// That a post is public is written down in any case, even if it is no longer in this hand.
    ///
    /// # Errors
    ///
    /// - [`LedgerError::NotHeld`] if another hand has it; then nothing is written.
    /// - [`LedgerError::Port`] if the store cannot answer.
    async fn settle(
        &self,
        claimed: &Claimed,
        delivery: Option<DeliveryId>,
        settlement: &Settlement,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError>;

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
    /// The lease ran out, or another hand has the post.
    #[error("the post is not in this hand any more")]
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

    /// Takes a scheduled post out of the queue; `false` if it was not scheduled.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn cancel(&self, id: PostId, actor: &str, now: DateTime<Utc>) -> Result<bool, PortError>;

    /// Writes down what a person says of a post in doubt; `false` if it was not in doubt.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn resolve(
        &self,
        id: PostId,
        resolution: &Resolution,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError>;
}
