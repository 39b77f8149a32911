//! Lists events.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::{Actor, Event, Forbidden, Page, PageRequest, PortError, Scope};

use crate::filter::EventFilter;
use crate::ports::EventLog;

/// Lets admins read events.
pub struct BrowseEvents {
    pub log: Arc<dyn EventLog>,
}

impl BrowseEvents {
    /// A page of the events that match `filter`, newest first.
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
