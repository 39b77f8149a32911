//! Tells people of what happened.

use std::sync::Arc;

use waggle_kernel::{Clock, PortError, Zone};

use crate::ports::NotificationRepository;

/// The maximum number of events that are considered at once.
const MOST_EVENTS: u16 = 200;
/// The maximum number of people whose emails are queued at once.
const MOST_PEOPLE: u16 = 50;

/// Tells people of what happened, by notifications and emails.
pub struct TellPeople {
    pub notifications: Arc<dyn NotificationRepository>,
    pub clock: Arc<dyn Clock>,
}

impl TellPeople {
    /// Adds notifications for the next events, and removes those of settled matters. People without
    /// a time zone get their digest in `zone`. Returns whether there are more events.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails. Then nothing was done, and calling it again does it.
    pub async fn step(&self, zone: Zone) -> Result<bool, PortError> {
        self.notifications.consider_events(MOST_EVENTS, zone, self.clock.now()).await
    }

    /// Queues the emails that are due, and returns their number.
    ///
    /// # Errors
    ///
    /// As for [`step`](Self::step).
    pub async fn queue_mails(&self) -> Result<usize, PortError> {
        self.notifications.queue_mails(MOST_PEOPLE, self.clock.now()).await
    }
}
