//! A workflow says that a run is over: it rightly drafts nothing, or it failed.

use std::sync::Arc;

use waggle_kernel::{Actor, Clock, PortError, Scope};

use crate::lease::LeaseOutcome;
use crate::ports::SourceTweetRepository;
use crate::source_tweet::{EndedRuns, RunsToEnd};
use crate::work_queue::WorkQueueError;

/// Ends the leases of runs that hand in no batch.
pub struct EndRun {
    /// Where source tweets are kept.
    pub source_tweets: Arc<dyn SourceTweetRepository>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl EndRun {
    /// Ends the leases of these runs. What was released is new once more to the next run that
    /// reports it, as far as the offers last.
    ///
    /// # Errors
    ///
    /// [`WorkQueueError`]; then nothing ends.
    pub async fn run(
        &self,
        actor: &Actor,
        runs: &RunsToEnd,
        outcome: LeaseOutcome,
    ) -> Result<EndedRuns, WorkQueueError> {
        actor.require(Scope::Ingest)?;
        Ok(self.source_tweets.end_runs(runs, outcome, self.clock.now()).await?)
    }

    /// Marks source tweets of which no run has made a batch, and that no run is told of any more,
    /// as so many were; returns the X ids of at most `most`, each once.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    pub async fn mark_lapsed(&self, offers: u32, most: u16) -> Result<Vec<String>, PortError> {
        self.source_tweets.mark_lapsed(offers, most, self.clock.now()).await
    }
}
