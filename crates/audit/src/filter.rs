//! The selection of events.

use chrono::{DateTime, Utc};
use waggle_kernel::ids::UserId;

/// Selects events. A field that is `None` matches all events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    pub kind: Option<String>,
    /// The kind of the object.
    pub object_kind: Option<String>,
    /// The id of the object. Ids are unique among objects of a kind.
    pub object_id: Option<String>,
    /// Who did it, such as `user:3`.
    pub actor: Option<String>,
    /// The user that the event is about.
    pub user: Option<UserId>,
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}
