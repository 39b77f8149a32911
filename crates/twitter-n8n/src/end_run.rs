//! Ends a run that submits no batch, because there was nothing to draft or because it failed.

use std::sync::Arc;

use waggle_kernel::{Actor, Clock, PortError, Scope};

use crate::lease::LeaseOutcome;
use crate::ports::SourceTweetRepository;
use crate::source_tweet::{EndedRuns, RunsToEnd};
use crate::work_queue::WorkQueueError;

/// Ends the leases of runs that submit no batch.
pub struct EndRun {
    pub source_tweets: Arc<dyn SourceTweetRepository>,
    pub clock: Arc<dyn Clock>,
}

impl EndRun {
    /// Ends the leases of these runs. The next run that reports a released tweet is told that it is
    /// new again, while offers are left.
    ///
    /// # Errors
    ///
    /// [`WorkQueueError`]; then no lease ends.
    pub async fn run(
        &self,
        actor: &Actor,
        runs: &RunsToEnd,
        outcome: LeaseOutcome,
    ) -> Result<EndedRuns, WorkQueueError> {
        actor.require(Scope::Ingest)?;
        let (by, now) = (actor.reference(), self.clock.now());
        Ok(self.source_tweets.end_runs(runs, outcome, &by, now).await?)
    }

    /// Marks source tweets that no run has made a batch from and that are not offered again,
    /// because `offers` runs were told of them. Returns the X ids of at most `most` tweets, each
    /// only once.
    pub async fn mark_lapsed(&self, offers: u32, most: u16) -> Result<Vec<String>, PortError> {
        self.source_tweets.mark_lapsed(offers, most, self.clock.now()).await
    }
}
