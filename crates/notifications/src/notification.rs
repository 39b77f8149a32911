//! Notifications, and the people who get them.

use chrono::{DateTime, Utc};
use waggle_kernel::ids::UserId;
use waggle_kernel::{Scopes, Zone};

use crate::choices::{Choices, Delivery};
use crate::kind::Kind;
use crate::matter::Opened;

/// What a person is told of an open matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub id: i64,
    pub kind: Kind,
    /// The object among those of its kind, see [`Matter::object`](crate::Matter::object).
    pub object: String,
    /// What happened, in a sentence without its full stop.
    pub summary: String,
    /// When the matter was opened.
    pub created_at: DateTime<Utc>,
    /// When the person read it; `None` if not yet.
    pub read_at: Option<DateTime<Utc>>,
}

impl Notification {
    /// The path of the page of the console about the matter.
    #[must_use]
    pub fn path(&self) -> String {
        path(self.kind, &self.object)
    }
}

/// The path of the page of the console about a matter.
pub(crate) fn path(kind: Kind, object: &str) -> String {
    match kind {
        Kind::BatchArrived => format!("/batches/{object}"),
        Kind::DecisionRequested => format!("/tweets/{object}"),
        Kind::PostFailed | Kind::PostUnknown | Kind::PostMissed => format!("/posts/{object}"),
        Kind::PostsHeld => "/publishing".to_owned(),
        Kind::SourceTweetsLapsed => "/sources?lapsed=true".to_owned(),
    }
}

/// Somebody who may be told of matters.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: UserId,
    pub scopes: Scopes,
    pub zone: Zone,
    pub choices: Choices,
}

impl Person {
    /// Whether the person is told of a matter: they can do something about it, did not cause it
    /// themselves, and did not choose otherwise.
    #[must_use]
    pub fn is_told(&self, opened: &Opened) -> bool {
        let kind = opened.matter.kind;
        kind.is_for(self.scopes)
            && opened.actor != format!("user:{}", self.id)
            && self.choices.of(kind) != Delivery::Off
    }
}

/// Which notifications a person read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Those with these ids.
    These(Vec<i64>),
    /// All up to this id.
    UpTo(i64),
}

/// The largest number of unread notifications that is counted.
pub const MOST_UNREAD: u32 = 100;
