//! Events about events: which of them were redacted, by whom and why.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use waggle_kernel::{ActorRef, NewEvent, ObjectRef};

use crate::ranges;

/// The kind of the object of events about events. Its id is empty.
pub const EVENTS: &str = "events";
/// The kind of the event that names redacted events.
pub const REDACTED: &str = "events.redacted";
/// The name in the change of [`REDACTED`] of the positions of the redacted events.
pub(crate) const POSITIONS: &str = "positions";

/// Who redacts, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactionOrder {
    pub by: ActorRef,
    /// Recorded as personal data, because it may name the person.
    pub reason: Option<String>,
    pub at: DateTime<Utc>,
}

impl RedactionOrder {
    /// The event that names the events that were redacted.
    pub fn event(&self, positions: &BTreeSet<i64>) -> NewEvent {
        let object = ObjectRef::new(EVENTS, &"");
        let mut event = NewEvent::new(REDACTED, object, &self.by, self.at)
            .with(POSITIONS, ranges::to_json(positions));
        if let Some(reason) = &self.reason {
            event.personal.insert("reason".to_owned(), reason.clone().into());
        }
        event
    }
}
