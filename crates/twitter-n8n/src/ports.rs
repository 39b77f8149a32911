//! What this domain needs from outside. Each method is one atomic step.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, SourceTweetId, Version};
use waggle_kernel::{Direction, Page, PageRequest, PortError};

use crate::campaign_batch::{BatchFilter, CampaignBatch, NewCampaignBatch, Received};
use crate::generated_tweet::{GeneratedTweet, TweetFilter};
use crate::history::{HistoryEntry, NewHistoryEntry};
use crate::lease::{Lease, LeaseOutcome};
use crate::queued_post::{QueueRefused, QueueRequest, QueuedPost};
use crate::source_tweet::{
    EndedRuns, NewSourceTweet, OfferPolicy, Run, RunsToEnd, Sighting, SourceTweet,
    SourceTweetFilter, SourceTweetSort, SourceTweetTotals,
};

/// Keeps source tweets, each once.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SourceTweetRepository: Send + Sync {
    /// Stores those of `tweets` whose id is new, writes the numbers of the others over the old ones
    /// where they differ, and says of each, in order, what was known. No id stands in `tweets`
    /// twice.
    ///
    /// What the run is told is new is leased to it. What an earlier run was told, whose lease
    /// lapsed or was released, is offered to this one, as far as `offers` allows.
    ///
    /// Of two calls at the same moment, one gets a tweet and the other sees that.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is written.
    async fn record(
        &self,
        run: &Run,
        tweets: &[NewSourceTweet],
        offers: OfferPolicy,
        now: DateTime<Utc>,
    ) -> Result<Vec<Sighting>, PortError>;

    /// Ends the leases of these runs: what they were told is new is processed, or free for the next
    /// run that reports it.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing ends.
    async fn end_runs(
        &self,
        runs: &RunsToEnd,
        outcome: LeaseOutcome,
        now: DateTime<Utc>,
    ) -> Result<EndedRuns, PortError>;

    /// Marks those whose last lease lapsed and that no run is told of again, each once, at most
    /// `most`, and returns their X ids.
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

    /// The tweet with this id.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(&self, id: SourceTweetId) -> Result<Option<SourceTweet>, PortError>;

    /// A page of those that `filter` means.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(
        &self,
        filter: &SourceTweetFilter,
        sort: SourceTweetSort,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<SourceTweet>, PortError>;

    /// Sums over those that `filter` means.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn totals(&self, filter: &SourceTweetFilter) -> Result<SourceTweetTotals, PortError>;

    /// Removes tweets for good and returns the X ids of those that were there.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is removed.
    async fn delete(&self, ids: &[SourceTweetId]) -> Result<Vec<String>, PortError>;

    /// Gives up to `most` tweets that are neither processed nor leased to `lease`, oldest first.
    /// What is leased to a run of the same caller counts as free: that caller claims what it
    /// reported. No tweet goes to two leases at once.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is given.
    async fn lease(
        &self,
        lease: &Lease,
        most: u16,
        now: DateTime<Utc>,
    ) -> Result<Vec<SourceTweet>, PortError>;

    /// Ends what the lease named `lease` holds: of `ids`, or of all where that is `None`. Returns how many.
    /// What another lease holds, or what this one held until it ran out and was given on, stays as it is.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing ends.
    async fn end_lease(
        &self,
        lease: &str,
        ids: Option<Vec<SourceTweetId>>,
        outcome: LeaseOutcome,
        now: DateTime<Utc>,
    ) -> Result<u64, PortError>;
}

/// Keeps campaign batches with their generated tweets.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait CampaignBatchRepository: Send + Sync {
    /// Stores the tweets of `batch` that are not there yet: under its name if that is free, otherwise,
    /// if any tweet is new, under the next free one of [`NewCampaignBatch::suffixed`]. Marks the
    /// source tweets that it names as processed; a batch that names none ends all open runs of the
    /// same caller, or from the same network address.
    ///
    /// Of two calls at the same moment with the same batch, one stores it and the other sees it.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is written.
    async fn receive(
        &self,
        batch: &NewCampaignBatch,
        now: DateTime<Utc>,
    ) -> Result<Received, PortError>;

    /// The batch with this id, deleted or not.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(&self, id: CampaignBatchId) -> Result<Option<CampaignBatch>, PortError>;

    /// A page of those that `filter` means, by the time they came.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(
        &self,
        filter: &BatchFilter,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<CampaignBatch>, PortError>;

    /// Writes title and deletion of `batch` over the version it was read at, and returns the new version.
    ///
    /// # Errors
    ///
    /// - [`SaveError::Stale`] if the store has another version, or none; then nothing is written.
    /// - [`SaveError::Port`] if the store cannot answer.
    async fn save(&self, batch: &CampaignBatch) -> Result<Version, SaveError>;

    /// The X ids of the source tweets that a batch was made from, at most 1,000.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn sources(&self, id: CampaignBatchId) -> Result<Vec<String>, PortError>;
}

/// A change of a generated tweet, with what the history says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewedTweet {
    /// The tweet as it shall be; its version is the one it was read at.
    pub tweet: GeneratedTweet,
    /// The entry.
    pub entry: NewHistoryEntry,
}

/// Keeps generated tweets and their history.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait GeneratedTweetRepository: Send + Sync {
    /// The tweet with this id.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(&self, id: GeneratedTweetId) -> Result<Option<GeneratedTweet>, PortError>;

    /// The tweets with these ids, as far as there are such, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find_many(&self, ids: &[GeneratedTweetId]) -> Result<Vec<GeneratedTweet>, PortError>;

    /// A page of those that `filter` means, by the time they came.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(
        &self,
        filter: &TweetFilter,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<GeneratedTweet>, PortError>;

    /// Writes each change over the version it was read at, with its history entry, takes a post that
    /// waits for the tweet out of the queue, and brings the status of the batches up to date. All in one
    /// step; each change has its own result, in order.
    ///
    /// # Errors
    ///
    /// Of a change: [`SaveError::Stale`] if the store has another version, or none;
    /// [`SaveError::InFlight`] if a post of the tweet is on its way; then this change is not written.
    /// Of the call: [`PortError`] if the store cannot answer; then nothing is written.
    async fn save(
        &self,
        changes: &[ReviewedTweet],
    ) -> Result<Vec<Result<Version, SaveError>>, PortError>;

    /// The history of a tweet, newest first.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn history(
        &self,
        id: GeneratedTweetId,
        page: PageRequest,
    ) -> Result<Page<HistoryEntry>, PortError>;
}

/// Takes approved tweets for publishing.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PostQueue: Send + Sync {
    /// Makes a post of the tweet, with its details for X and the link to the tweet, due at the time
    /// asked for. A post that waits is moved to the platform and time asked for. One that did not
    /// go out is put back into the queue, if the caller has seen that: a call that comes late must
    /// not bring back what was cancelled meanwhile. A call that asks for what is planned already
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`QueueRefused`]; then nothing is written.
    async fn queue(&self, request: &QueueRequest) -> Result<QueuedPost, QueueRefused>;
}

/// Why something was not saved.
#[derive(Debug, Error)]
pub enum SaveError {
    /// Somebody else changed it in between.
    #[error("it was changed by somebody else in between")]
    Stale,
    /// A post of it is on its way to the platform.
    #[error("a post of it is on its way to the platform")]
    InFlight,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}
