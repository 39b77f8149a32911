//! Lets people browse, rename, delete and restore campaign batches.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::{CampaignBatchId, Version};
use waggle_kernel::{
    Actor, Clock, Direction, Forbidden, Page, PageRequest, PortError, Scope, TextProblem,
    check_text, is_hidden,
};

use crate::campaign_batch::{BatchFilter, CampaignBatch, NewCampaignBatch};
use crate::events::batch_changed;
use crate::ports::{CampaignBatchRepository, SaveError};

/// Lets people view, rename, delete and restore batches.
pub struct ManageBatches {
    pub batches: Arc<dyn CampaignBatchRepository>,
    pub clock: Arc<dyn Clock>,
}

impl ManageBatches {
    /// A page of the batches that match `filter`.
    ///
    /// # Errors
    ///
    /// [`ManageBatchesError::Forbidden`] without the scope `read`.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &BatchFilter,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<CampaignBatch>, ManageBatchesError> {
        actor.require(Scope::Read)?;
        Ok(self.batches.list(filter, direction, page).await?)
    }

    /// The batch with this id, and the X ids of the source tweets that it was made from.
    ///
    /// # Errors
    ///
    /// - [`ManageBatchesError::Forbidden`] without the scope `read`.
    /// - [`ManageBatchesError::NotFound`] if there is no such batch.
    pub async fn find(
        &self,
        actor: &Actor,
        id: CampaignBatchId,
    ) -> Result<(CampaignBatch, Vec<String>), ManageBatchesError> {
        actor.require(Scope::Read)?;
        let batch = self.existing(id).await?;
        let sources = self.batches.sources(id).await?;
        Ok((batch, sources))
    }

    /// The existing batches with these ids, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`ManageBatchesError::Forbidden`] without the scope `read`.
    pub async fn find_many(
        &self,
        actor: &Actor,
        ids: &[CampaignBatchId],
    ) -> Result<Vec<CampaignBatch>, ManageBatchesError> {
        actor.require(Scope::Read)?;
        Ok(self.batches.find_many(ids).await?)
    }

    /// Changes the title of the batch.
    ///
    /// # Errors
    ///
    /// [`ManageBatchesError`]; then nothing is changed.
    pub async fn rename(
        &self,
        actor: &Actor,
        id: CampaignBatchId,
        expected: Option<Version>,
        title: String,
    ) -> Result<CampaignBatch, ManageBatchesError> {
        actor.require(Scope::Write)?;
        if title.trim().is_empty() {
            return Err(ManageBatchesError::NoTitle);
        }
        check_text(&title, NewCampaignBatch::MOST_TITLE)?;
        if title.chars().any(is_hidden) {
            return Err(ManageBatchesError::Hidden);
        }
        self.change(actor, id, expected, |batch, _| batch.title = title).await
    }

    /// Deletes the batch. Its tweets do not change, and are restored together with it.
    ///
    /// # Errors
    ///
    /// [`ManageBatchesError`]; then nothing is changed.
    pub async fn delete(
        &self,
        actor: &Actor,
        id: CampaignBatchId,
        expected: Option<Version>,
    ) -> Result<CampaignBatch, ManageBatchesError> {
        actor.require(Scope::Write)?;
        self.change(actor, id, expected, |batch, now| {
            batch.deleted_at.get_or_insert(now);
        })
        .await
    }

    /// Restores a deleted batch.
    ///
    /// # Errors
    ///
    /// [`ManageBatchesError`]; then nothing is changed.
    pub async fn restore(
        &self,
        actor: &Actor,
        id: CampaignBatchId,
        expected: Option<Version>,
    ) -> Result<CampaignBatch, ManageBatchesError> {
        actor.require(Scope::Write)?;
        self.change(actor, id, expected, |batch, _| batch.deleted_at = None).await
    }

    async fn change(
        &self,
        actor: &Actor,
        id: CampaignBatchId,
        expected: Option<Version>,
        change: impl FnOnce(&mut CampaignBatch, DateTime<Utc>) + Send,
    ) -> Result<CampaignBatch, ManageBatchesError> {
        let mut batch = self.existing(id).await?;
        if expected.is_some_and(|expected| expected != batch.version) {
            return Err(ManageBatchesError::Stale { current: Box::new(batch) });
        }
        let (before, now) = (batch.clone(), self.clock.now());
        change(&mut batch, now);
        let event = batch_changed(&before, &batch, &actor.reference(), now);
        match self.batches.save(&batch, &event).await {
            Ok(version) => Ok(CampaignBatch { version, ..batch }),
            Err(SaveError::Stale | SaveError::InFlight) => {
                let current = Box::new(self.existing(id).await?);
                Err(ManageBatchesError::Stale { current })
            }
            Err(SaveError::Port(error)) => Err(error.into()),
        }
    }

    async fn existing(&self, id: CampaignBatchId) -> Result<CampaignBatch, ManageBatchesError> {
        self.batches.find(id).await?.ok_or(ManageBatchesError::NotFound)
    }
}

/// Errors of [`ManageBatches`].
#[derive(Debug, Error)]
pub enum ManageBatchesError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such campaign batch")]
    NotFound,
    #[error("the title is empty")]
    NoTitle,
    /// The title has a character that is invisible or changes the text direction.
    #[error(
        "the title contains a control character, an invisible character, or one that changes \
         the text direction"
    )]
    Hidden,
    /// The title cannot be stored.
    #[error("the title {0}")]
    Title(#[from] TextProblem),
    /// The batch has changed since the caller read it.
    #[error("the batch has changed since you read it; its version is now {}", current.version)]
    Stale {
        /// The batch as it is now.
        current: Box<CampaignBatch>,
    },
    #[error(transparent)]
    Port(#[from] PortError),
}
