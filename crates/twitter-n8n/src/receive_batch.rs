//! A workflow hands in a batch of generated tweets.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::{Actor, Clock, Forbidden, PortError, Scope};

use crate::campaign_batch::{InvalidBatch, NewCampaignBatch, Received};
use crate::ports::CampaignBatchRepository;

/// Stores batches, each once, and loses none.
pub struct ReceiveBatch {
    /// Where they are kept.
    pub batches: Arc<dyn CampaignBatchRepository>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl ReceiveBatch {
    /// Stores what is new in `batch`.
    ///
    /// # Errors
    ///
    /// [`ReceiveBatchError`]; then nothing is stored.
    pub async fn run(
        &self,
        actor: &Actor,
        batch: NewCampaignBatch,
    ) -> Result<Received, ReceiveBatchError> {
        actor.require(Scope::Ingest)?;
        let batch = batch.checked()?;
        Ok(self.batches.receive(&batch, self.clock.now()).await?)
    }
}

/// Why a batch was not stored.
#[derive(Debug, Error)]
pub enum ReceiveBatchError {
    /// The actor may not ingest.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The batch makes no sense.
    #[error(transparent)]
    Invalid(#[from] InvalidBatch),
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}
