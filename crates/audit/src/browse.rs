//! Lists events.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::{Actor, Event, Forbidden, Page, PageRequest, PortError, Scope};

use crate::chain::ExtendChain;
use crate::filter::EventFilter;
use crate::ports::EventLog;

/// Lets admins read events.
pub struct BrowseEvents {
    pub log: Arc<dyn EventLog>,
    pub chain: Arc<ExtendChain>,
}

impl BrowseEvents {
    /// A page of the events that match `filter`, newest first. It has all events of changes that
    /// were completed before the call.
    ///
    /// # Errors
    ///
    /// [`BrowseEventsError`].
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>, BrowseEventsError> {
        actor.require(Scope::Admin)?;
        self.chain.catch_up().await?;
        Ok(self.log.list(filter, page).await?)
    }
}

/// Errors of [`BrowseEvents`].
#[derive(Debug, Error)]
pub enum BrowseEventsError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Port(#[from] PortError),
}
