//! The lines of an exported record: all events, signatures and the end, in the order in which they
//! are verified.

use chrono::DateTime;
use serde_json::{Value, json};
use thiserror::Error;
use waggle_kernel::{hex, unhex};

use crate::checkpoint::Checkpoint;
use crate::entry::{Content, Entry, Facts, Hash, Salted, Tip};
use crate::head::{Head, HeadRef};

/// A part of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Event(Box<Entry>),
    /// That older events were removed. It comes before the first event that is left.
    Checkpoint(Checkpoint),
    /// A signature. It comes after the event at its position.
    Head(Head),
    /// The end of the chain as it is stored apart from the events. Nothing comes after it.
    End(Tip),
}

/// The text is not an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it is not an event, a checkpoint, a head or the end of a record")]
pub struct NotAnItem;

impl Item {
    /// One JSON object, without a line break. Times are in microseconds since 1970.
    pub fn to_line(&self) -> String {
        let value = match self {
            Self::Event(entry) => json!({ "event": {
                "position": entry.position,
                "kind": entry.facts.kind,
                "object_kind": entry.facts.object_kind,
                "object_id": entry.facts.object_id,
                "version": entry.facts.version,
                "actor": entry.facts.actor,
                "user_id": entry.facts.user,
                "request_id": entry.facts.request_id,
                "at": entry.facts.at.timestamp_micros(),
                "change": content_json(entry.change.as_ref()),
                "personal": content_json(entry.personal.as_ref()),
                "hash": hex(&entry.hash),
            }}),
            Self::Checkpoint(checkpoint) => json!({ "checkpoint": {
                "position": checkpoint.tip.position,
                "hash": hex(&checkpoint.tip.hash),
                "head_number": checkpoint.head.number,
                "head_hash": hex(&checkpoint.head.hash),
                "signed_at": checkpoint.signed_at.timestamp_micros(),
                "key": checkpoint.key,
                "signature": hex(&checkpoint.signature),
            }}),
            Self::Head(head) => json!({ "head": {
                "number": head.number,
                "position": head.tip.position,
                "hash": hex(&head.tip.hash),
                "signed_at": head.signed_at.timestamp_micros(),
                "key": head.key,
                "signature": hex(&head.signature),
            }}),
            Self::End(tip) => json!({ "end": {
                "position": tip.position,
                "hash": hex(&tip.hash),
            }}),
        };
        value.to_string()
    }

    /// Reads a line of [`to_line`](Self::to_line).
    ///
    /// # Errors
    ///
    /// [`NotAnItem`] if anything is missing or has another type.
    pub fn from_line(line: &str) -> Result<Self, NotAnItem> {
        let value: Value = serde_json::from_str(line).map_err(|_| NotAnItem)?;
        let item = if let Some(event) = value.get("event") {
            event_of(event).map(Box::new).map(Self::Event)
        } else if let Some(checkpoint) = value.get("checkpoint") {
            checkpoint_of(checkpoint).map(Self::Checkpoint)
        } else if let Some(head) = value.get("head") {
            head_of(head).map(Self::Head)
        } else {
            value.get("end").and_then(tip_of).map(Self::End)
        };
        item.ok_or(NotAnItem)
    }
}

fn content_json(content: Option<&Content>) -> Value {
    let Some(content) = content else { return Value::Null };
    let salted = content.salted.as_ref();
    json!({
        "hash": hex(&content.hash),
        "salt": salted.map(|salted| hex(&salted.salt)),
        "text": salted.map(|salted| &salted.text),
    })
}

fn event_of(value: &Value) -> Option<Entry> {
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Some(Entry {
        position: value.get("position")?.as_i64()?,
        facts: Facts {
            kind: text("kind")?,
            object_kind: text("object_kind")?,
            object_id: text("object_id")?,
            version: optional(value.get("version")?, Value::as_i64).ok()?,
            actor: text("actor")?,
            user: optional(value.get("user_id")?, Value::as_i64).ok()?,
            request_id: text("request_id")?,
            at: DateTime::from_timestamp_micros(value.get("at")?.as_i64()?)?,
        },
        change: optional(value.get("change")?, content_of).ok()?,
        personal: optional(value.get("personal")?, content_of).ok()?,
        hash: hash_of(value)?,
    })
}

/// What `read` makes of a value; `None` if the value is null.
fn optional<T>(
    value: &Value,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, NotAnItem> {
    if value.is_null() { Ok(None) } else { read(value).map(Some).ok_or(NotAnItem) }
}

fn content_of(value: &Value) -> Option<Content> {
    let salted = match (value.get("salt")?, value.get("text")?) {
        (Value::Null, Value::Null) => None,
        (salt, text) => {
            Some(Salted { salt: unhex(salt.as_str()?)?, text: text.as_str()?.to_owned() })
        }
    };
    Some(Content { hash: hash_of(value)?, salted })
}

fn checkpoint_of(value: &Value) -> Option<Checkpoint> {
    let number = value.get("head_number")?.as_i64()?;
    let hash = unhex(value.get("head_hash")?.as_str()?)?.try_into().ok()?;
    Some(Checkpoint {
        tip: tip_of(value)?,
        head: HeadRef { number, hash },
        signed_at: DateTime::from_timestamp_micros(value.get("signed_at")?.as_i64()?)?,
        key: value.get("key")?.as_str()?.to_owned(),
        signature: unhex(value.get("signature")?.as_str()?)?,
    })
}

fn head_of(value: &Value) -> Option<Head> {
    Some(Head {
        number: value.get("number")?.as_i64()?,
        tip: tip_of(value)?,
        signed_at: DateTime::from_timestamp_micros(value.get("signed_at")?.as_i64()?)?,
        key: value.get("key")?.as_str()?.to_owned(),
        signature: unhex(value.get("signature")?.as_str()?)?,
    })
}

fn tip_of(value: &Value) -> Option<Tip> {
    Some(Tip { position: value.get("position")?.as_i64()?, hash: hash_of(value)? })
}

fn hash_of(value: &Value) -> Option<Hash> {
    unhex(value.get("hash")?.as_str()?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content() -> impl Strategy<Value = Option<Content>> {
        let salted =
            (any::<[u8; 16]>(), ".*").prop_map(|(salt, text)| Salted { salt: salt.to_vec(), text });
        let content = (any::<Hash>(), proptest::option::of(salted))
            .prop_map(|(hash, salted)| Content { hash, salted });
        proptest::option::of(content)
    }

    prop_compose! {
        fn event()(
            position in 1..i64::MAX,
            (kind, object_kind, object_id) in (".*", ".*", ".*"),
            (version, user) in (any::<Option<i64>>(), any::<Option<i64>>()),
            (actor, request_id) in (".*", ".*"),
            at in 0..4_000_000_000_000_000_i64,
            (change, personal) in (content(), content()),
            hash in any::<Hash>(),
        ) -> Entry {
            let at = DateTime::from_timestamp_micros(at).unwrap();
            let facts =
                Facts { kind, object_kind, object_id, version, actor, user, request_id, at };
            Entry { position, facts, change, personal, hash }
        }
    }

    proptest! {
        #[test]
        fn an_event_is_read_as_it_was_written(event in event()) {
            let item = Item::Event(Box::new(event));
            let line = item.to_line();

            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(Item::from_line(&line), Ok(item));
        }

        #[test]
        fn heads_and_checkpoints_are_read_as_they_were_written(
            (number, position) in (any::<i64>(), any::<i64>()),
            hash in any::<Hash>(),
            at in 0..4_000_000_000_000_000_i64,
            signature in any::<[u8; 32]>(),
        ) {
            let tip = Tip { position, hash };
            let signed_at = DateTime::from_timestamp_micros(at).unwrap();
            let (key, signature) = ("ab".to_owned(), signature.to_vec());
            let head = HeadRef { number, hash };
            let checkpoint =
                Checkpoint { tip, head, signed_at, key: key.clone(), signature: signature.clone() };
            let checkpoint = Item::Checkpoint(checkpoint);
            prop_assert_eq!(Item::from_line(&checkpoint.to_line()), Ok(checkpoint));
            let item = Item::Head(Head { number, tip, signed_at, key, signature });

            prop_assert_eq!(Item::from_line(&item.to_line()), Ok(item));
            prop_assert_eq!(Item::from_line(&Item::End(tip).to_line()), Ok(Item::End(tip)));
        }

        #[test]
        fn any_text_is_read_or_refused(line in ".*") {
            let _ = Item::from_line(&line);
        }
    }

    #[test]
    fn a_line_that_lacks_something_is_refused() {
        let whole = Item::End(Tip::START).to_line();
        for (from, to) in
            [("\"position\":0,", ""), (":0,", ":\"0\","), ("00\"", "\""), ("end", "x")]
        {
            let line = whole.replacen(from, to, 1);
            assert_eq!(Item::from_line(&line), Err(NotAnItem), "{line}");
        }
    }
}
