//! An event with its place in the chain of all events, and the hashes that bind it there.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use waggle_kernel::ids::{UserId, Version};
use waggle_kernel::{Event, to_micros};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What an event says in itself: everything but its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub kind: String,
    pub object_kind: String,
    pub object_id: String,
    pub version: Option<i64>,
    pub actor: String,
    pub user: Option<i64>,
    pub request_id: String,
    pub at: DateTime<Utc>,
}

/// An event that is recorded and has no place in the chain yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingEvent {
    /// The id of the row.
    pub id: i64,
    pub facts: Facts,
    /// What changed, as JSON.
    pub change: Option<String>,
    /// What a person may ask to have forgotten, as JSON.
    pub personal: Option<String>,
}

/// Hashes fields, each preceded by its length in eight bytes, so that no byte can move from one
/// field to the next.
struct Fields(Sha256);

impl Fields {
    fn new(kind: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(kind))
    }

    fn field(&mut self, value: &[u8]) {
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(value);
    }

    fn hash(self) -> Hash {
        self.0.finalize().into()
    }
}

/// A text with random bytes, so that its hash does not tell anything about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salted {
    pub salt: Vec<u8>,
    pub text: String,
}

impl Salted {
    /// The number of random bytes.
    pub const SALT: usize = 16;

    /// The SHA-256 of `waggle content 1`, of the salt and of the text, each of these two preceded
    /// by its length in eight bytes.
    pub fn hash(&self) -> Hash {
        let mut fields = Fields::new(b"waggle content 1");
        fields.field(&self.salt);
        fields.field(self.text.as_bytes());
        fields.hash()
    }
}

/// A content of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub hash: Hash,
    /// `None` if it is missing.
    pub salted: Option<Salted>,
}

impl From<Salted> for Content {
    fn from(salted: Salted) -> Self {
        Self { hash: salted.hash(), salted: Some(salted) }
    }
}

/// An event in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The place in the order of all events, from 1, without gaps.
    pub position: i64,
    pub facts: Facts,
    /// What changed; `None` if the event tells no change.
    pub change: Option<Content>,
    /// What a person may ask to have forgotten; `None` if there never was any.
    pub personal: Option<Content>,
    /// The hash that is stored with the event.
    pub hash: Hash,
}

impl Entry {
    /// The hash that the event has after an event with the hash `previous`.
    ///
    /// It is the SHA-256 of `waggle event 1` and of these fields, each preceded by its length in
    /// eight bytes: the previous hash, the position, the kind, the kind and id of the object, its
    /// version, the actor, the user, the id of the request, the time in microseconds since 1970,
    /// and the hashes of both contents. Numbers are written in decimal digits. A field that is
    /// missing is empty.
    pub fn hash_after(&self, previous: &Hash) -> Hash {
        fn number(number: Option<i64>) -> String {
            number.map(|number| number.to_string()).unwrap_or_default()
        }
        fn bytes(content: Option<&Content>) -> &[u8] {
            content.map_or(&[], |content| &content.hash)
        }
        let mut fields = Fields::new(b"waggle event 1");
        let mut field = |value: &[u8]| fields.field(value);
        let facts = &self.facts;
        field(previous);
        field(self.position.to_string().as_bytes());
        field(facts.kind.as_bytes());
        field(facts.object_kind.as_bytes());
        field(facts.object_id.as_bytes());
        field(number(facts.version).as_bytes());
        field(facts.actor.as_bytes());
        field(number(facts.user).as_bytes());
        field(facts.request_id.as_bytes());
        field(facts.at.timestamp_micros().to_string().as_bytes());
        field(bytes(self.change.as_ref()));
        field(bytes(self.personal.as_ref()));
        fields.hash()
    }

    /// The event for readers.
    pub fn into_event(self) -> Event {
        let facts = self.facts;
        let parsed = |content: Option<Content>| match content {
            None => Some(Map::new()),
            Some(content) => content.salted.map(|salted| object(salted.text)),
        };
        Event {
            position: self.position,
            kind: facts.kind,
            object_kind: facts.object_kind,
            object_id: facts.object_id,
            version: facts.version.map(Version::new),
            actor: facts.actor,
            user: facts.user.map(UserId::new),
            request_id: facts.request_id,
            at: facts.at,
            change: parsed(self.change).unwrap_or_default(),
            personal: parsed(self.personal),
        }
    }
}

/// The JSON object in a text. A text that is none, because it was tampered with, is shown as it is.
fn object(text: String) -> Map<String, Value> {
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => object,
        _ => Map::from_iter([("unreadable".to_owned(), text.into())]),
    }
}

/// The end of the chain: the position and the hash of its last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    pub position: i64,
    pub hash: Hash,
}

impl Tip {
    /// The end of a chain without events.
    pub const START: Self = Self { position: 0, hash: [0; 32] };

    /// Appends an event, and moves to it. The salts of its contents follow from `seed`, which must
    /// be random and is not kept.
    pub fn append(&mut self, waiting: WaitingEvent, seed: &[u8; 32]) -> Entry {
        let facts = Facts { at: to_micros(waiting.facts.at), ..waiting.facts };
        let position = self.position + 1;
        let salted = |name: &[u8], text: Option<String>| {
            let salt = Sha256::new()
                .chain_update(seed)
                .chain_update(position.to_be_bytes())
                .chain_update(name)
                .finalize();
            text.map(|text| {
                let salt = salt.into_iter().take(Salted::SALT).collect();
                Content::from(Salted { salt, text })
            })
        };
        let mut entry = Entry {
            position,
            facts,
            change: salted(b"change", waiting.change),
            personal: salted(b"personal", waiting.personal),
            hash: [0; 32],
        };
        entry.hash = entry.hash_after(&self.hash);
        *self = Self { position, hash: entry.hash };
        entry
    }
}
