//! Tests of the verification: each way to tamper with a chain is found.

use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;
use waggle_kernel::{Clock as _, FixedClock};

use super::*;
use crate::entry::{Facts, Salted, WaitingEvent};
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
        head.signature = signer.sign(head.text(heads.last()).as_bytes()).unwrap();
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
