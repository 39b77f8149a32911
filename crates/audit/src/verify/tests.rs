//! Tests of the verification: each way to tamper with a chain is found.

use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;
use serde_json::json;
use waggle_kernel::{Actor, Clock as _, FixedClock};

use super::*;
use crate::entry::{Facts, Salted, WaitingEvent};
use crate::redaction::RedactionOrder;
use crate::testing::FakeSigner;

const SIGNER: FakeSigner = FakeSigner("secret");

fn waiting(number: i64) -> WaitingEvent {
    WaitingEvent {
        id: number,
        facts: Facts {
            kind: "tweet.edited".to_owned(),
            object_kind: "generated_tweet".to_owned(),
            object_id: number.to_string(),
            version: Some(number),
            actor: "user:1".to_owned(),
            user: Some(1),
            request_id: "r".to_owned(),
            at: FixedClock::noon().now() + Duration::seconds(number),
        },
        change: Some(format!(r#"{{"number":{number}}}"#)),
        personal: (number % 2 == 0).then(|| r#"{"actor":"user:1:joe"}"#.to_owned()),
    }
}

fn chain(events: i64) -> (Vec<Entry>, Tip) {
    let mut tip = Tip::START;
    let entries = (1..=events).map(|number| tip.append(waiting(number), &[7; 32])).collect();
    (entries, tip)
}

/// Heads at these entries.
fn heads(entries: &[&Entry], signer: &FakeSigner) -> Vec<Head> {
    let mut heads: Vec<Head> = Vec::new();
    for (number, entry) in (1..).zip(entries) {
        let tip = Tip { position: entry.position, hash: entry.hash };
        let key = signer.public_keys().unwrap().remove(0);
        let signed_at = FixedClock::noon().now();
        let mut head = Head { number, tip, signed_at, key, signature: Vec::new() };
        head.signature = signer
            .sign(head.text(heads.last().map_or(HeadRef::NONE, HeadRef::from)).as_bytes())
            .unwrap();
        heads.push(head);
    }
    heads
}

/// Verifies entries, with heads after the entries at their positions or at the end.
fn verified(entries: &[Entry], heads: &[Head], end: Tip) -> Report {
    verified_at(FixedClock::noon().now(), entries, heads, None, end)
}

fn verified_at(
    now: DateTime<Utc>,
    entries: &[Entry],
    heads: &[Head],
    known: Option<Tip>,
    end: Tip,
) -> Report {
    let mut verifier = Verifier::new(&SIGNER, SIGNER.public_keys().unwrap(), known, now);
    for entry in entries {
        verifier.event(entry);
        heads.iter().filter(|head| head.tip.position == entry.position).for_each(|head| {
            verifier.head(head);
        });
    }
    let last = entries.last().map_or(0, |entry| entry.position);
    heads.iter().filter(|head| head.tip.position > last).for_each(|head| verifier.head(head));
    verifier.item(&Item::End(end));
    verifier.finish()
}

#[test]
fn an_untouched_chain_has_no_faults() {
    let (entries, end) = chain(5);

    let report = verified(&entries, &heads(&[&entries[1], &entries[3]], &SIGNER), end);

    assert_eq!(report.faults, []);
    assert_eq!((report.events, report.heads, report.signed_to, report.end), (5, 2, 4, 5));
}

#[test]
fn each_fault_is_found_where_it_is() {
    let (entries, end) = chain(5);
    let faults = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut entries = entries.clone();
        change(&mut entries);
        verified(&entries, &[], end).faults
    };
    let salted = |content: &mut Option<Content>, text: &str| {
        let content = content.as_mut().unwrap();
        content.salted = Some(Salted { text: text.to_owned(), ..content.salted.clone().unwrap() });
    };

    let changed = || [Fault::Changed { position: 3 }];
    assert_eq!(faults(&|all| all[2].facts.actor = "user:2".to_owned()), changed());
    assert_eq!(faults(&|all| all[2].facts.version = None), changed());
    assert_eq!(faults(&|all| all[2].facts.at += Duration::microseconds(1)), changed());
    assert_eq!(faults(&|all| all[2].change = None), changed());
    assert_eq!(
        faults(&|all| all[2].hash = [1; 32]),
        [3, 4].map(|position| Fault::Changed { position }),
        "the next event has a hash of this hash"
    );
    let part = Part::Change;
    let content = Fault::ContentChanged { position: 3, part };
    assert_eq!(faults(&|all| salted(&mut all[2].change, "{}")), [content]);
    let missing = Fault::ContentMissing { position: 3, part };
    assert_eq!(faults(&|all| all[2].change.as_mut().unwrap().salted = None), [missing]);
    let removed = Fault::Missing { from: 2, to: 3 };
    assert_eq!(faults(&|all| drop(all.drain(1..3))), [removed]);
    let swapped = [2, 3, 4].map(|position| Fault::Changed { position });
    let swap = |all: &mut Vec<Entry>| {
        all.swap(1, 2);
        (all[1].position, all[2].position) = (2, 3);
    };
    assert_eq!(faults(&swap), swapped);
    let cut = Fault::OtherEnd { expected: 5, found: 3 };
    assert_eq!(faults(&|all| all.truncate(3)), [cut]);
}

#[test]
fn a_chain_that_was_recomputed_is_not_the_signed_one() {
    let (entries, _) = chain(5);
    let signed = heads(&[&entries[1], &entries[3]], &SIGNER);
    let mut tip = Tip::START;
    let recomputed: Vec<Entry> =
        [1, 2, 4, 5].map(|number| tip.append(waiting(number), &[7; 32])).into();

    let report = verified(&recomputed, &signed, tip);

    let signed_at = FixedClock::noon().now().to_rfc3339();
    let other = Fault::NotAsSigned { position: 4, signed_at };
    assert_eq!((report.signed_to, report.faults), (2, vec![other.clone()]));
    // An attacker who also corrects the stored end cannot sign it.
    let mut cut = entries;
    cut.truncate(3);
    let end = Tip { position: 3, hash: cut[2].hash };
    let report = verified(&cut, &signed, end);
    assert_eq!((report.signed_to, report.faults), (2, vec![other]));
}

#[test]
fn a_head_that_was_removed_or_forged_is_found() {
    let (entries, end) = chain(4);
    let all = heads(&[&entries[0], &entries[1], &entries[3]], &SIGNER);
    let faults = |heads: &[Head]| verified(&entries, heads, end).faults;

    assert_eq!(faults(&all), []);
    assert_eq!(faults(&all[1..])[0], Fault::HeadMissing { position: 2 });
    let without_second = [all[0].clone(), all[2].clone()];
    assert_eq!(faults(&without_second), [Fault::HeadMissing { position: 4 }]);
    let renumbered = [all[0].clone(), Head { number: 2, ..all[2].clone() }];
    assert_eq!(faults(&renumbered), [Fault::WrongSignature { position: 4 }]);
    // A key of somebody else vouches for nothing.
    let foreign = heads(&[&entries[3]], &FakeSigner("other"));
    let claimed = Head { key: all[0].key.clone(), ..foreign[0].clone() };
    let wrong = Fault::WrongSignature { position: 4 };
    let unknown = Fault::UnknownKey { key: foreign[0].key.clone() };
    assert_eq!(faults(&foreign), [wrong.clone(), unknown]);
    assert_eq!(faults(&[claimed]), [wrong]);
}

#[test]
fn events_without_any_head_are_suspicious_after_ten_minutes() {
    let (entries, end) = chain(2);
    let at = |minutes| {
        let now = FixedClock::noon().now() + Duration::minutes(minutes);
        verified_at(now, &entries, &[], None, end).faults
    };

    assert_eq!(at(9), []);
    assert_eq!(at(11), [Fault::Unsigned]);
    assert_eq!(at(-11), [Fault::Unsigned], "a time in the future is no excuse");
}

#[test]
fn an_end_that_is_known_must_be_in_the_chain() {
    let (entries, end) = chain(4);
    let faults = |known: Tip, entries: &[Entry], end: Tip| {
        let now = FixedClock::noon().now();
        verified_at(now, entries, &[], Some(known), end).faults
    };
    let known = Tip { position: 3, hash: entries[2].hash };
    let mut tip = Tip::START;
    let other: Vec<Entry> = [5, 6].map(|number| tip.append(waiting(number), &[7; 32])).into();

    assert_eq!(faults(known, &entries, end), []);
    let not_there = [Fault::NotAsKnown { position: 3 }];
    assert_eq!(faults(known, &other, tip), not_there, "it is after the end");
    let wrong = Tip { hash: [1; 32], ..known };
    assert_eq!(faults(wrong, &entries, end), not_there);
}

/// An event that names positions as redacted.
fn redaction(positions: &[i64]) -> WaitingEvent {
    let (by, reason) = (Actor::system().reference(), None);
    let order = RedactionOrder { by, reason, at: FixedClock::noon().now() };
    let event = order.event(&positions.iter().copied().collect());
    let facts = Facts { kind: event.kind, ..waiting(1).facts };
    let change = Some(Value::from(event.change).to_string());
    WaitingEvent { facts, change, personal: None, ..waiting(1) }
}

#[test]
fn personal_data_is_missing_unless_a_later_event_names_it_as_redacted() {
    let mut tip = Tip::START;
    let events = [waiting(1), waiting(2), redaction(&[2]), waiting(4)];
    let mut entries: Vec<Entry> =
        events.into_iter().map(|event| tip.append(event, &[7; 32])).collect();
    let mut without = |position: usize| {
        entries[position - 1].personal.as_mut().unwrap().salted = None;
        verified(&entries, &[], tip)
    };
    let missing = |position| Fault::ContentMissing { position, part: Part::Personal };

    let named = without(2);
    let later = without(4);

    assert_eq!((named.faults, named.redacted), (vec![], 1));
    assert_eq!((later.faults, later.redacted), (vec![missing(4)], 1));
    // A change that is not the recorded one excuses nothing.
    let text = json!({ POSITIONS: [[1, 4]] }).to_string();
    let salted = entries[2].change.as_mut().unwrap().salted.as_mut().unwrap();
    salted.text = text;
    let changed = Fault::ContentChanged { position: 3, part: Part::Change };
    assert_eq!(verified(&entries, &[], tip).faults, [changed, missing(2), missing(4)]);
}

/// A checkpoint after an entry and a head.
fn checkpoint(entry: &Entry, head: &Head, signer: &FakeSigner) -> Checkpoint {
    let tip = Tip { position: entry.position, hash: entry.hash };
    let (head, signed_at) = (HeadRef::from(head), FixedClock::noon().now());
    let key = signer.public_keys().unwrap().remove(0);
    let mut checkpoint = Checkpoint { tip, head, signed_at, key, signature: Vec::new() };
    checkpoint.signature = signer.sign(checkpoint.text().as_bytes()).unwrap();
    checkpoint
}

#[test]
fn a_chain_may_begin_with_a_signed_checkpoint() {
    let (entries, end) = chain(5);
    let heads = heads(&[&entries[0], &entries[1], &entries[4]], &SIGNER);
    let begin = checkpoint(&entries[2], &heads[1], &SIGNER);
    let verified = |before: &[Entry], begin: &Checkpoint, left: &[Entry], known: Option<Tip>| {
        let (keys, now) = (SIGNER.public_keys().unwrap(), FixedClock::noon().now());
        let mut verifier = Verifier::new(&SIGNER, keys, known, now);
        for entry in before {
            verifier.event(entry);
        }
        verifier.checkpoint(begin);
        for entry in left {
            verifier.event(entry);
        }
        verifier.head(&heads[2]);
        verifier.item(&Item::End(end));
        verifier.finish()
    };

    let report = verified(&[], &begin, &entries[3..], Some(begin.tip));
    assert_eq!(report.faults, []);
    assert_eq!((report.events, report.removed_to, report.signed_to), (2, 3, 5));
    let faults = |begin: &Checkpoint| verified(&[], begin, &entries[3..], None).faults;
    let wrong = || Fault::WrongCheckpoint { position: 3 };
    let foreign = checkpoint(&entries[2], &heads[1], &FakeSigner("other"));
    assert_eq!(faults(&foreign), [wrong()]);
    assert_eq!(faults(&Checkpoint { key: begin.key.clone(), ..foreign }), [wrong()]);
    let (after_first, other_head) =
        (HeadRef::from(&heads[0]), HeadRef { number: 2, hash: [1; 32] });
    assert_eq!(faults(&Checkpoint { head: after_first, ..begin.clone() })[0], wrong());
    assert_eq!(faults(&Checkpoint { head: other_head, ..begin.clone() })[0], wrong());
    // More was removed than what the checkpoint says.
    let missing = Fault::Missing { from: 4, to: 4 };
    assert_eq!(verified(&[], &begin, &entries[4..], None).faults[0], missing);
    // Events before a checkpoint that somebody put there would not be covered by a signature.
    assert_eq!(verified(&entries[..1], &begin, &entries[3..], None).faults[0], wrong());
    // What was removed cannot be compared any more.
    let known = Tip { position: 2, hash: entries[1].hash };
    let removed = Fault::KnownIsRemoved { position: 2 };
    assert_eq!(verified(&[], &begin, &entries[3..], Some(known)).faults, [removed]);
    let known = Tip { position: 3, hash: entries[1].hash };
    let not_known = [Fault::NotAsKnown { position: 3 }];
    assert_eq!(verified(&[], &begin, &entries[3..], Some(known)).faults, not_known);
}

#[test]
fn an_event_outside_the_order_is_found() {
    let (mut entries, end) = chain(2);
    entries.insert(0, Entry { position: -1, ..entries[0].clone() });

    assert_eq!(verified(&entries, &[], end).faults, [Fault::Changed { position: -1 }]);
}

#[test]
fn bytes_cannot_move_from_the_text_to_the_salt() {
    let salted = Salted { salt: vec![1, 2], text: "ab".to_owned() };
    let moved = Salted { salt: vec![1, 2, b'a'], text: "b".to_owned() };

    assert_ne!(salted.hash(), moved.hash());
}

proptest! {
    #[test]
    fn different_events_have_different_hashes(
        one in ("[ab]{0,2}", "[ab]{0,2}", "[ab]{0,2}", "[ab]{0,2}"),
        other in ("[ab]{0,2}", "[ab]{0,2}", "[ab]{0,2}", "[ab]{0,2}"),
    ) {
        let hash = |(kind, object_kind, object_id, actor): &(String, String, String, String)| {
            let facts = Facts {
                kind: kind.clone(),
                object_kind: object_kind.clone(),
                object_id: object_id.clone(),
                actor: actor.clone(),
                ..waiting(1).facts
            };
            let mut tip = Tip::START;
            tip.append(WaitingEvent { facts, ..waiting(1) }, &[7; 32]).hash
        };

        prop_assert_eq!(hash(&one) == hash(&other), one == other);
    }
}
