//! Verifies that nobody changed, removed or added events in the chain.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use thiserror::Error;

use crate::checkpoint::Checkpoint;
use crate::entry::{Content, Entry, Tip};
use crate::head::{Head, HeadRef};
use crate::ports::HeadSigner;
use crate::ranges;
use crate::record::Item;
use crate::redaction::{POSITIONS, REDACTED};

/// Something that a chain that nobody tampered with does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// Events were removed, or their positions changed.
    #[error("events {from} to {to} are missing")]
    Missing { from: i64, to: i64 },
    /// The fields of an event, or those of the one before, do not fit its hash.
    #[error("event {position} was changed, or the events before it were")]
    Changed { position: i64 },
    /// A content of an event does not fit the hash of the content.
    #[error("the {part} of event {position} was changed")]
    ContentChanged { position: i64, part: Part },
    /// A content of an event was removed, and not by a redaction.
    #[error("the {part} of event {position} is missing")]
    ContentMissing { position: i64, part: Part },
    /// A signature vouches for events that are not in the chain.
    #[error(
        "event {position} and those before it are not the ones that were signed at {signed_at}: \
         the chain was recomputed, or its end was cut off"
    )]
    NotAsSigned { position: i64, signed_at: String },
    /// A head that the key did not sign.
    #[error("the signature of the head at event {position} is wrong")]
    WrongSignature { position: i64 },
    /// Heads are missing, or their numbers changed.
    #[error("a head is missing before the one at event {position}")]
    HeadMissing { position: i64 },
    /// The oldest events were removed, and not because of their age.
    #[error(
        "the checkpoint after event {position} is not signed with a known key, or not at the \
         beginning"
    )]
    WrongCheckpoint { position: i64 },
    /// The end that the caller knows was removed because of its age.
    #[error(
        "event {position} was removed because of its age, so its hash cannot be compared any more"
    )]
    KnownIsRemoved { position: i64 },
    /// The last head is signed with a key that is not one of ours.
    #[error("the last head is signed with an unknown key, {key}")]
    UnknownKey { key: String },
    /// No head, although there are events that should have been signed.
    #[error(
        "no event is signed, although the first one is older than ten minutes, or older ones were \
         removed"
    )]
    Unsigned,
    /// The end that the caller knows is not in the chain.
    #[error("event {position} does not have the hash that it is known to have had")]
    NotAsKnown { position: i64 },
    /// The record has no end, because a part of the file is missing.
    #[error("the record is cut off after event {found}")]
    CutOff { found: i64 },
    /// The stored end of the chain is not the end of the events.
    #[error("the chain should end with event {expected}, but ends with event {found}")]
    OtherEnd { expected: i64, found: i64 },
}

/// A content of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Change,
    Personal,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Change => "change",
            Self::Personal => "personal data",
        })
    }
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The number of events that were read.
    pub events: u64,
    /// The number of events whose personal data was removed by a redaction.
    pub redacted: u64,
    /// The last event that was removed because of its age, or 0.
    pub removed_to: i64,
    /// The number of heads that are signed with one of our keys.
    pub heads: u64,
    /// The last event that such a head vouches for. Later events could be replaced by somebody who
    /// can write to the database.
    pub signed_to: i64,
    /// The end of the chain.
    pub end: i64,
    /// The first faults, at most [`Report::MOST`].
    pub faults: Vec<Fault>,
    /// The number of all faults.
    pub all_faults: u64,
}

impl Report {
    /// The maximum number of faults that are listed.
    pub const MOST: usize = 100;
}

/// Whether a checkpoint is signed with one of `keys`.
pub(crate) fn is_ours(checkpoint: &Checkpoint, signer: &dyn HeadSigner, keys: &[String]) -> bool {
    let (key, text) = (&checkpoint.key, checkpoint.text());
    keys.contains(key) && signer.is_signature(key, text.as_bytes(), &checkpoint.signature)
}

/// Verifies a chain, event by event.
pub struct Verifier<'a> {
    signer: &'a dyn HeadSigner,
    keys: Vec<String>,
    known: Option<Tip>,
    now: DateTime<Utc>,
    tip: Tip,
    /// The last head, and the key with which it is signed.
    head: HeadRef,
    last_key: Option<String>,
    /// The events whose personal data is missing and that no redaction has named yet.
    without_personal: BTreeSet<i64>,
    first_at: Option<DateTime<Utc>>,
    end: Option<Tip>,
    report: Report,
}

impl<'a> Verifier<'a> {
    /// Verifies from the first event, at the time `now`. Only heads that are signed with one of
    /// `keys` vouch for events. `known` must be in the chain.
    pub fn new(
        signer: &'a dyn HeadSigner,
        keys: Vec<String>,
        known: Option<Tip>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            signer,
            keys,
            known,
            now,
            tip: Tip::START,
            head: HeadRef::NONE,
            last_key: None,
            without_personal: BTreeSet::new(),
            first_at: None,
            end: None,
            report: Report::default(),
        }
    }

    /// Verifies the next event. Events must come in the order of their positions.
    pub fn event(&mut self, entry: &Entry) {
        let position = entry.position;
        self.report.events += 1;
        self.first_at.get_or_insert(entry.facts.at);
        let (from, to) = (self.tip.position.saturating_add(1), position.saturating_sub(1));
        if from <= to {
            self.fault(Fault::Missing { from, to });
        } else if from != position || entry.hash_after(&self.tip.hash) != entry.hash {
            self.fault(Fault::Changed { position });
        }
        self.content(position, Part::Change, entry.change.as_ref());
        self.content(position, Part::Personal, entry.personal.as_ref());
        if entry.facts.kind == REDACTED {
            self.redaction(entry);
        }
        // The stored hash, so that a fault is reported where it is and not for all later events.
        let tip = Tip { position, hash: entry.hash };
        if from <= position {
            self.tip = tip;
        }
        if self.known.take_if(|known| *known == tip).is_none()
            && let Some(other) = self.known.take_if(|known| known.position == position)
        {
            self.fault(Fault::NotAsKnown { position: other.position });
        }
    }

    fn content(&mut self, position: i64, part: Part, content: Option<&Content>) {
        let Some(content) = content else { return };
        match &content.salted {
            None if part == Part::Personal => drop(self.without_personal.insert(position)),
            None => self.fault(Fault::ContentMissing { position, part }),
            Some(salted) if salted.hash() != content.hash => {
                self.fault(Fault::ContentChanged { position, part });
            }
            Some(_) => {}
        }
    }

    /// Accepts that the events before this one that it names were redacted.
    fn redaction(&mut self, entry: &Entry) {
        let genuine = |change: &Content| {
            change.salted.as_ref().filter(|salted| salted.hash() == change.hash).cloned()
        };
        let change = entry.change.as_ref().and_then(genuine);
        let change: Value =
            change.and_then(|salted| serde_json::from_str(&salted.text).ok()).unwrap_or_default();
        let before = self.without_personal.len();
        ranges::remove(change.get(POSITIONS).unwrap_or(&Value::Null), &mut self.without_personal);
        let redacted = before.saturating_sub(self.without_personal.len());
        self.report.redacted += u64::try_from(redacted).unwrap_or(u64::MAX);
    }

    /// Verifies the checkpoint with which the chain begins. It must come first.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        let position = checkpoint.tip.position;
        let is_first = self.tip == Tip::START && self.head == HeadRef::NONE;
        if !is_first || !is_ours(checkpoint, self.signer, &self.keys) {
            self.fault(Fault::WrongCheckpoint { position });
        }
        if !is_first {
            return;
        }
        self.tip = checkpoint.tip;
        self.head = checkpoint.head;
        self.report.removed_to = position;
        if let Some(known) = self.known.take_if(|known| known.position <= position)
            && known != checkpoint.tip
        {
            let fault = if known.position == position {
                Fault::NotAsKnown { position }
            } else {
                Fault::KnownIsRemoved { position: known.position }
            };
            self.fault(fault);
        }
    }

    /// Verifies the next head, after the event at its position.
    pub fn head(&mut self, head: &Head) {
        let position = head.tip.position;
        let previous = std::mem::replace(&mut self.head, head.into());
        self.last_key = Some(head.key.clone());
        if previous.number.checked_add(1) != Some(head.number) {
            self.fault(Fault::HeadMissing { position });
            return;
        }
        let text = head.text(previous);
        if !self.signer.is_signature(&head.key, text.as_bytes(), &head.signature) {
            self.fault(Fault::WrongSignature { position });
            return;
        }
        if head.tip != self.tip {
            let signed_at = head.signed_at.to_rfc3339();
            self.fault(Fault::NotAsSigned { position, signed_at });
        } else if self.keys.contains(&head.key) {
            self.report.heads += 1;
            self.report.signed_to = position;
        }
    }

    /// Verifies the next item of a record.
    pub fn item(&mut self, item: &Item) {
        match item {
            Item::Event(entry) => self.event(entry),
            Item::Checkpoint(checkpoint) => self.checkpoint(checkpoint),
            Item::Head(head) => self.head(head),
            Item::End(end) => self.end = Some(*end),
        }
    }

    /// What is known of the items that were verified.
    pub(crate) const fn so_far(&self) -> &Report {
        &self.report
    }

    /// Ends the verification.
    pub fn finish(mut self) -> Report {
        match self.end {
            None => self.fault(Fault::CutOff { found: self.tip.position }),
            Some(end) if end != self.tip => {
                let (expected, found) = (end.position, self.tip.position);
                self.fault(Fault::OtherEnd { expected, found });
            }
            Some(_) => {}
        }
        if let Some(known) = self.known.take() {
            self.fault(Fault::NotAsKnown { position: known.position });
        }
        for position in std::mem::take(&mut self.without_personal) {
            self.fault(Fault::ContentMissing { position, part: Part::Personal });
        }
        let is_old = |first: DateTime<Utc>| (self.now - first).abs() > Duration::minutes(10);
        match self.last_key.take() {
            Some(key) if !self.keys.contains(&key) => self.fault(Fault::UnknownKey { key }),
            // What a checkpoint leaves is signed.
            None if self.report.removed_to > 0 || self.first_at.is_some_and(is_old) => {
                self.fault(Fault::Unsigned);
            }
            _ => {}
        }
        self.report.end = self.tip.position;
        self.report
    }

    fn fault(&mut self, fault: Fault) {
        self.report.all_faults += 1;
        if self.report.faults.len() < Report::MOST {
            self.report.faults.push(fault);
        }
    }
}

#[cfg(test)]
mod tests;
