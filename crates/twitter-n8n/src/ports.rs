//! The ports of this domain. Each method is one atomic step.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, SourceTweetId, Version};
use waggle_kernel::{ActorRef, Direction, NewEvent, Page, PageRequest, PortError};

use crate::campaign_batch::{BatchFilter, CampaignBatch, NewCampaignBatch, Received};
use crate::generated_tweet::{GeneratedTweet, TweetFilter};
use crate::history::HistoryEntry;
use crate::lease::{Lease, LeaseOutcome};
use crate::place::Place;
use crate::queued_post::{NoDestination, QueueRefused, QueueRequest, QueuedPost};
use crate::source_tweet::{
    EndedRuns, NewSourceTweet, OfferPolicy, Run, RunsToEnd, Sighting, SourceTweet,
    SourceTweetFilter, SourceTweetSort, SourceTweetTotals,
};

/// Stores source tweets, each only once. Each change is recorded as an event in the same step.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SourceTweetRepository: Send + Sync {
    /// Records a report of `tweets` and returns, in order, what was known of each.
    ///
    /// Tweets with a new id are stored. For the others, the engagement numbers are updated if they
    /// differ. An id must not occur in `tweets` more than once.
    ///
    /// Tweets that are new to the run are leased to it. If the lease of an earlier run on a tweet
    /// expired or was released, the tweet is offered to this run as new, as far as `offers` allows.
    ///
    /// If two calls report a tweet at the same moment, one gets it, and the other is told that it
    /// is known.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails; then nothing is written.
    async fn record(
        &self,
        run: &Run,
        tweets: &[NewSourceTweet],
        offers: OfferPolicy,
        now: DateTime<Utc>,
    ) -> Result<Vec<Sighting>, PortError>;

    /// Ends the leases of these runs. Depending on `outcome`, their tweets are processed, or free
    /// for the next run that reports them.
    ///
    /// On any error, no lease ends.
    async fn end_runs(
        &self,
        runs: &RunsToEnd,
        outcome: LeaseOutcome,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<EndedRuns, PortError>;

    /// Marks tweets whose last lease expired and that are not offered to any run again. Marks at
    /// most `most` tweets, each only once, and returns their X ids.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is marked.
    async fn mark_lapsed(
        &self,
        offers: u32,
        most: u16,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, PortError>;

    /// The tweet with this id, if it exists.
    async fn find(&self, id: SourceTweetId) -> Result<Option<SourceTweet>, PortError>;

    /// A page of the tweets that match `filter`.
    async fn list(
        &self,
        filter: &SourceTweetFilter,
        sort: SourceTweetSort,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<SourceTweet>, PortError>;

    /// Totals over the tweets that match `filter`.
    async fn totals(&self, filter: &SourceTweetFilter) -> Result<SourceTweetTotals, PortError>;

    /// Deletes tweets permanently, and returns the X ids of those that existed.
    ///
    /// On any error, nothing is deleted.
    async fn delete(
        &self,
        ids: &[SourceTweetId],
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, PortError>;

    /// Leases up to `most` tweets that are neither processed nor leased, oldest first. A tweet that
    /// is leased to a run of the same caller counts as free: a caller claims what it reported. A
    /// tweet never has two leases at the same time.
    ///
    /// On any error, nothing is leased.
    async fn lease(
        &self,
        lease: &Lease,
        most: u16,
        now: DateTime<Utc>,
    ) -> Result<Vec<SourceTweet>, PortError>;

    /// Ends the lease named `lease` for `ids`, or for all its tweets if that is `None`. Returns the
    /// number of tweets. Tweets under another lease stay as they are, including those that this
    /// lease held until it expired and that were leased again.
    ///
    /// On any error, no lease ends.
    async fn end_lease(
        &self,
        lease: &str,
        ids: Option<Vec<SourceTweetId>>,
        outcome: LeaseOutcome,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<u64, PortError>;
}

/// Stores campaign batches with their generated tweets. Each change is recorded as an event in the
/// same step.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait CampaignBatchRepository: Send + Sync {
    /// Stores the tweets of `batch` that are not stored yet.
    ///
    /// They are stored under the batch's name if it is free. Otherwise, if any tweet is new, they
    /// are stored under the next free name of [`NewCampaignBatch::suffixed`]. The source tweets
    /// that the batch names are marked as processed. A batch that names none ends all open runs of
    /// the same caller, or from the same network address.
    ///
    /// If two calls submit the same batch at the same moment, one stores it, and the other finds it
    /// stored.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails; then nothing is written.
    async fn receive(
        &self,
        batch: &NewCampaignBatch,
        now: DateTime<Utc>,
    ) -> Result<Received, PortError>;

    /// The batch with this id, deleted or not, if it exists.
    async fn find(&self, id: CampaignBatchId) -> Result<Option<CampaignBatch>, PortError>;

    /// The existing batches with these ids, deleted or not, in the order of their ids.
    async fn find_many(&self, ids: &[CampaignBatchId]) -> Result<Vec<CampaignBatch>, PortError>;

    /// A page of the batches that match `filter`, sorted by the time they were received.
    async fn list(
        &self,
        filter: &BatchFilter,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<CampaignBatch>, PortError>;

    /// Saves the title and deletion time of `batch` over the version that was read, with the event,
    /// and returns the new version. When a batch is deleted, its waiting posts leave the queue.
    ///
    /// # Errors
    ///
    /// [`SaveError::Stale`] if the store has another version, or none; then nothing is written.
    async fn save(&self, batch: &CampaignBatch, event: &NewEvent) -> Result<Version, SaveError>;

    /// The X ids of the source tweets that a batch was made from, at most 1,000.
    async fn sources(&self, id: CampaignBatchId) -> Result<Vec<String>, PortError>;
}

/// A change of a generated tweet, with its event.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewedTweet {
    /// The tweet after the change. Its version is the one that was read.
    pub tweet: GeneratedTweet,
    pub event: NewEvent,
}

/// Stores generated tweets and their history.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait GeneratedTweetRepository: Send + Sync {
    /// The tweet with this id, if it exists.
    async fn find(&self, id: GeneratedTweetId) -> Result<Option<GeneratedTweet>, PortError>;

    /// The existing tweets with these ids, in the order of their ids.
    async fn find_many(&self, ids: &[GeneratedTweetId]) -> Result<Vec<GeneratedTweet>, PortError>;

    /// A page of the tweets that match `filter`, sorted by the time they were received. The tweets
    /// of a batch, which were received together, are in the order that people gave them.
    async fn list(
        &self,
        filter: &TweetFilter,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<GeneratedTweet>, PortError>;

    /// Saves each change over the version that was read, with its event. Removes a waiting post of
    /// the tweet from the queue, and updates the status of the batches. All of this is one
    /// step. Each change has its own result, in order.
    ///
    /// # Errors
    ///
    /// - For a change, [`SaveError::Stale`] if the store has another version, or none; then this
    ///   change is not written.
    /// - For a change, [`SaveError::InFlight`] if a post of the tweet is being published; then this
    ///   change is not written.
    /// - For the call, [`PortError`] if storage fails; then nothing is written.
    async fn save(
        &self,
        changes: &[ReviewedTweet],
    ) -> Result<Vec<Result<Version, SaveError>>, PortError>;

    /// Moves the tweet to `place`, next to another tweet of its batch, with the event. Returns
    /// where the tweet was; `None` if the order did not change, and then there is no event. If two
    /// calls move tweets of a batch at the same moment, one does so after the other.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails; then nothing is moved.
    async fn reorder(
        &self,
        tweet: &GeneratedTweet,
        place: Place,
        event: &NewEvent,
    ) -> Result<Option<Place>, PortError>;

    /// The history of a tweet, newest first.
    async fn history(
        &self,
        id: GeneratedTweetId,
        page: PageRequest,
    ) -> Result<Page<HistoryEntry>, PortError>;
}

/// The platforms that tweets can be published on now.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Destinations: Send + Sync {
    /// The name of the platform `wanted`, or of the default platform.
    ///
    /// # Errors
    ///
    /// [`NoDestination`] if there is no such platform, or it is not connected.
    fn choose(&self, wanted: Option<String>) -> Result<String, NoDestination>;
}

/// Queues approved tweets for publishing.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PostQueue: Send + Sync {
    /// Creates a post from the tweet, with its details for X and the link to the tweet, due at the
    /// requested time.
    ///
    /// A waiting post is moved to the requested platform and time. A post that was not published is
    /// put back into the queue, but only if the caller has seen that. A late call must not bring
    /// back a post that was cancelled in the meantime. A call that requests what is already planned
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`QueueRefused`]; then nothing is written.
    async fn queue(&self, request: &QueueRequest) -> Result<QueuedPost, QueueRefused>;
}

/// Why a change was not saved.
#[derive(Debug, Error)]
pub enum SaveError {
    /// The stored version is not the one that was read.
    #[error("it has changed since it was read")]
    Stale,
    /// A post of the tweet is being published.
    #[error("a post of it is being published")]
    InFlight,
    #[error(transparent)]
    Port(#[from] PortError),
}
