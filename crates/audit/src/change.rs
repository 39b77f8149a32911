//! Changes: that something happened to an object, but not what changed.

use std::fmt;
use std::str::FromStr;

use waggle_kernel::ids::Version;
use waggle_kernel::{Actor, ActorKind, Scope};

use crate::redaction::EVENTS;

/// That something happened to an object, without the contents of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The place in the order of all events.
    pub position: i64,
    /// What happened, such as `tweet.approved`.
    pub kind: String,
    pub object_kind: String,
    pub object_id: String,
    /// The version of the object after the event, if it has versions.
    pub version: Option<Version>,
}

impl Change {
    /// Whether the actor may learn of it: of accounts and of what people chose for themselves, if
    /// it is an admin who is signed in; of settings and of events themselves, if it is an admin; of
    /// anything else, if it may read.
    pub fn is_visible_to(&self, actor: &Actor) -> bool {
        let is_admin = actor.require(Scope::Admin).is_ok();
        match self.object_kind.as_str() {
            "account" | "notifications" => {
                is_admin && matches!(actor.kind(), ActorKind::User { .. })
            }
            "setting" | EVENTS => is_admin,
            _ => actor.require(Scope::Read).is_ok(),
        }
    }
}

/// A place in the order of all events, as clients keep it: `EPOCH-POSITION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Identifies the course of events. After a backup was restored, it is another one.
    pub epoch: String,
    pub position: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.epoch, self.position)
    }
}

/// The text is not a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be an epoch, a hyphen and a position")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (epoch, position) = text.rsplit_once('-').ok_or(NoPlace)?;
        let position = position.parse().map_err(|_| NoPlace)?;
        Ok(Self { epoch: epoch.to_owned(), position })
    }
}

#[cfg(test)]
mod tests {
    use waggle_kernel::Scopes;
    use waggle_kernel::ids::{TokenId, UserId};

    use super::*;

    #[test]
    fn accounts_settings_and_events_are_for_admins() {
        let change = |object_kind: &str| Change {
            position: 1,
            kind: "something.happened".to_owned(),
            object_kind: object_kind.to_owned(),
            object_id: "1".to_owned(),
            version: None,
        };
        let user = |scope| Actor::user(UserId::new(1), "joe", Scopes::of(&[scope]));
        let token = |scope| Actor::token(TokenId::new(1), "n8n", Scopes::of(&[scope]));
        let sees = |actor: Actor| {
            ["account", "notifications", "setting", "events", "post"]
                .map(|kind| change(kind).is_visible_to(&actor))
        };

        assert_eq!(sees(user(Scope::Admin)), [true, true, true, true, true]);
        assert_eq!(sees(token(Scope::Admin)), [false, false, true, true, true]);
        assert_eq!(sees(user(Scope::Read)), [false, false, false, false, true]);
        assert_eq!(sees(token(Scope::Ingest)), [false, false, false, false, false]);
    }
}
