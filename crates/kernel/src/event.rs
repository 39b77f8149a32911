//! Events: what happened to an object, when, and who did it. Every change writes its events in its
//! own transaction.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::actor::ActorRef;
use crate::ids::{UserId, Version};

/// The object that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// The kind of the object, such as `generated_tweet`.
    pub kind: &'static str,
    /// The id of the object among those of its kind.
    pub id: String,
}

impl ObjectRef {
    /// Refers to an object.
    pub fn new(kind: &'static str, id: &impl ToString) -> Self {
        Self { kind, id: id.to_string() }
    }
}

/// A time as events tell it: RFC 3339 in UTC, with microseconds.
#[must_use]
pub fn event_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// An event to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happened, such as `tweet.approved`.
    pub kind: String,
    pub object: ObjectRef,
    /// The version of the object after the event, if it has versions.
    pub version: Option<Version>,
    pub by: ActorRef,
    /// The user that the event is about, if it is about one.
    pub user: Option<UserId>,
    pub at: DateTime<Utc>,
    /// What changed, a JSON object. It never contains a secret, nor personal data.
    pub change: Map<String, Value>,
    /// What a person may ask to have forgotten, such as an address.
    pub personal: Map<String, Value>,
}

impl NewEvent {
    /// The name in [`personal`](Self::personal) under which the actor is shown.
    pub const ACTOR: &'static str = "actor";

    /// Creates an event without a change.
    pub fn new(
        kind: impl Into<String>,
        object: ObjectRef,
        by: &ActorRef,
        at: DateTime<Utc>,
    ) -> Self {
        let mut personal = Map::new();
        if by.shown != by.key {
            personal.insert(Self::ACTOR.to_owned(), by.shown.clone().into());
        }
        let (kind, by, change) = (kind.into(), by.clone(), Map::new());
        Self { kind, object, version: None, by, user: None, at, change, personal }
    }

    /// Adds the version of the object after the event.
    #[must_use]
    pub const fn with_version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds a fact to the change.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.change.insert(name.to_owned(), value.into());
        self
    }

    /// Adds the fields that differ between two states of the object, as `before` and `after`.
    #[must_use]
    pub fn with_difference(
        mut self,
        before: Map<String, Value>,
        after: &Map<String, Value>,
    ) -> Self {
        let before: Map<String, Value> =
            before.into_iter().filter(|(name, value)| after.get(name) != Some(value)).collect();
        let after: Map<String, Value> = before
            .keys()
            .map(|name| (name.clone(), after.get(name).cloned().unwrap_or_default()))
            .collect();
        self.change.insert("before".to_owned(), before.into());
        self.change.insert("after".to_owned(), after.into());
        self
    }
}

/// A recorded event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The place in the order of all events, from 1, without gaps.
    pub position: i64,
    /// What happened. Later versions may know more kinds.
    pub kind: String,
    pub object_kind: String,
    pub object_id: String,
    /// The version of the object after the event, if it has versions.
    pub version: Option<Version>,
    /// Who did it: `system`, `command`, `network`, or the kind and id of a user or token, such as
    /// `user:3`.
    pub actor: String,
    /// The user that the event is about, if it is about one.
    pub user: Option<UserId>,
    /// The id of the request in which it happened; empty if it happened in none.
    pub request_id: String,
    pub at: DateTime<Utc>,
    /// What changed.
    pub change: Map<String, Value>,
    /// What a person may ask to have forgotten; `None` if it is missing.
    pub personal: Option<Map<String, Value>>,
}

impl Event {
    /// The actor with its name, such as `user:3:joe`; without the name if that is missing.
    #[must_use]
    pub fn shown_actor(&self) -> &str {
        let personal = self.personal.as_ref();
        let shown = personal.and_then(|personal| personal.get(NewEvent::ACTOR)?.as_str());
        shown.unwrap_or(&self.actor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Actor, Clock as _, FixedClock};

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_difference_has_only_the_fields_that_changed() {
        let object = ObjectRef::new("generated_tweet", &7);
        let by = Actor::system().reference();
        let event = NewEvent::new("tweet.edited", object, &by, FixedClock::noon().now());

        let event = event.with_difference(
            map(&json!({ "content": "one", "status": "Draft", "hash": null })),
            &map(&json!({ "content": "two", "status": "Draft", "hash": "ab" })),
        );

        assert_eq!(
            Value::from(event.change),
            json!({
                "before": { "content": "one", "hash": null },
                "after": { "content": "two", "hash": "ab" },
            })
        );
        assert!(event.personal.is_empty());
    }
}
