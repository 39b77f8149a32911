//! The port of this domain. Each method is one atomic step.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waggle_kernel::ids::UserId;
use waggle_kernel::{NewEvent, Page, PageRequest, PortError, Zone};

use crate::choices::{Choices, ChoicesChange};
use crate::kind::Kind;
use crate::notification::{Notification, Read};

/// Stores notifications. It reads the events in the order of their chain, and remembers the last
/// one in the same step in which it adds the notifications. So each event is considered once, no
/// matter how often processes crash and how many of them there are.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait NotificationRepository: Send + Sync {
    /// Considers up to `most` events after the last one considered ([`Step`](crate::Step)): adds a
    /// notification for each person who is told of a matter ([`Person`](crate::Person)), and
    /// removes those of settled matters. People without a time zone get their digest in `zone`.
    /// Returns whether there are more events.
    ///
    /// A person has at most one notification of a matter. Those who have a notification of a batch
    /// get none of its tweets. A matter is settled when an event ended it, or when its object does
    /// not need anybody any more.
    async fn consider_events(
        &self,
        most: u16,
        zone: Zone,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError>;

    /// Queues the emails that are due, one for each person, for up to `most` people. Each
    /// notification is in one email only. A person gets at most one of these emails a minute, and
    /// none while another one waits for the mail server.
    /// Returns how many emails were queued.
    async fn queue_mails(&self, most: u16, now: DateTime<Utc>) -> Result<usize, PortError>;

    /// A page of a person's notifications of these kinds, newest first. `is_unread` limits it to
    /// those that are, or are not, unread.
    async fn list(
        &self,
        user: UserId,
        kinds: &[Kind],
        is_unread: Option<bool>,
        page: PageRequest,
    ) -> Result<Page<Notification>, PortError>;

    /// The number of unread notifications of these kinds, up to
    /// [`MOST_UNREAD`](crate::MOST_UNREAD).
    async fn count_unread(&self, user: UserId, kinds: &[Kind]) -> Result<u32, PortError>;

    /// Marks notifications of the person as read, and returns how many of them were unread.
    async fn mark_read(
        &self,
        user: UserId,
        read: &Read,
        now: DateTime<Utc>,
    ) -> Result<u64, PortError>;

    /// Moves what waits for the next digest of the person to its hour in another time zone.
    async fn move_digest(
        &self,
        user: UserId,
        zone: Zone,
        now: DateTime<Utc>,
    ) -> Result<(), PortError>;

    /// What the person chose.
    async fn choices(&self, user: UserId) -> Result<Choices, PortError>;

    /// Changes what the person chose, and returns it. The event is recorded if that makes a
    /// difference. Notifications of kinds that are now off are removed. What waits to be mailed is
    /// mailed, or not, as chosen now. An email that is due already stays due.
    async fn choose(
        &self,
        user: UserId,
        change: &ChoicesChange,
        zone: Zone,
        event: &NewEvent,
    ) -> Result<Choices, PortError>;
}
