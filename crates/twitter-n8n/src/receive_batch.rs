//! Receives a batch of generated tweets from a workflow.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::{Actor, Clock, Forbidden, PortError, Scope};

use crate::campaign_batch::{InvalidBatch, NewCampaignBatch, Received};
use crate::ports::CampaignBatchRepository;

/// Stores submitted batches: each is stored once, and none is lost.
pub struct ReceiveBatch {
    pub batches: Arc<dyn CampaignBatchRepository>,
    pub clock: Arc<dyn Clock>,
}

impl ReceiveBatch {
    /// Stores the new tweets of `batch`.
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

/// Errors of [`ReceiveBatch`].
#[derive(Debug, Error)]
pub enum ReceiveBatchError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Invalid(#[from] InvalidBatch),
    #[error(transparent)]
    Port(#[from] PortError),
}
