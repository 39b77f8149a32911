//! Redacts events: removes the personal data of a person who asked to be forgotten.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{Actor, Clock, Event, Forbidden, Limit, PageRequest, PortError, Scope};

use crate::chain::ExtendChain;
use crate::filter::EventFilter;
use crate::ports::EventLog;
use crate::redaction::RedactionOrder;

/// Selects the events to redact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redaction {
    /// The events at these positions. Those without personal data are left out.
    Positions(Vec<i64>),
    /// The events about this user, and those of what the user did, also with an API token.
    User(UserId),
}

/// How many times [`ExtendChain::MOST`] events may wait when a user is forgotten.
const MOST_STEPS: u32 = 40;

/// Lets admins redact events.
pub struct RedactEvents {
    pub log: Arc<dyn EventLog>,
    pub clock: Arc<dyn Clock>,
}

impl RedactEvents {
    /// The maximum number of events that are redacted together.
    pub const MOST: usize = Limit::MOST as usize;

    /// Removes personal data and its salt from events, and returns how many had any. What changed,
    /// and the hashes, stay. If it ends early, the rest can be redacted by calling it again.
    ///
    /// # Errors
    ///
    /// [`RedactEventsError`].
    pub async fn redact(
        &self,
        actor: &Actor,
        what: &Redaction,
        reason: Option<String>,
    ) -> Result<u64, RedactEventsError> {
        actor.require(Scope::Admin)?;
        let order = RedactionOrder { by: actor.reference(), reason, at: self.clock.now() };
        match what {
            Redaction::Positions(positions) if positions.len() > Self::MOST => {
                Err(RedactEventsError::TooMany)
            }
            Redaction::Positions(positions) => Ok(self.log.redact(positions, &order).await?),
            Redaction::User(user) => {
                self.append_all().await?;
                let about = EventFilter { user: Some(*user), ..EventFilter::default() };
                let mut redacted = self.redact_all(&about, &order).await?;
                for actor in self.log.actors_of(*user).await? {
                    let by = EventFilter { actor: Some(actor), ..EventFilter::default() };
                    redacted += self.redact_all(&by, &order).await?;
                }
                Ok(redacted)
            }
        }
    }

    /// Appends all waiting events to the chain, where they are found.
    async fn append_all(&self) -> Result<(), PortError> {
        for _ in 0..MOST_STEPS {
            if self.log.extend(ExtendChain::MOST).await? < usize::from(ExtendChain::MOST) {
                return Ok(());
            }
        }
        let problem = "very many events wait to be appended; try again later";
        Err(PortError::unavailable("redacting events", problem))
    }

    /// Redacts all events that match a filter, a page at a time.
    async fn redact_all(
        &self,
        filter: &EventFilter,
        order: &RedactionOrder,
    ) -> Result<u64, PortError> {
        let mut redacted = 0;
        let mut page = PageRequest::first(Limit::new(Limit::MOST).unwrap_or(Limit::DEFAULT));
        loop {
            let found = self.log.list(filter, page).await?;
            let positions: Vec<i64> =
                found.items.iter().filter(|event| is_personal(event)).map(|e| e.position).collect();
            if !positions.is_empty() {
                redacted += self.log.redact(&positions, order).await?;
            }
            let Some(next) = found.next else { return Ok(redacted) };
            page.after = Some(next);
        }
    }
}

/// Whether an event has personal data.
fn is_personal(event: &Event) -> bool {
    event.personal.as_ref().is_some_and(|personal| !personal.is_empty())
}

/// Errors of [`RedactEvents`].
#[derive(Debug, Error)]
pub enum RedactEventsError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// More than [`RedactEvents::MOST`] positions.
    #[error("at most {} events can be redacted at once", RedactEvents::MOST)]
    TooMany,
    #[error(transparent)]
    Port(#[from] PortError),
}
