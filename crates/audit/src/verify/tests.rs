//! Tests of the verification: each way to tamper with a chain is found.

use chrono::Duration;
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

fn head(entry: &Entry, signer: &FakeSigner) -> Head {
    let tip = Tip { position: entry.position, hash: entry.hash };
    let signed_at = FixedClock::noon().now();
    let signature = signer.sign(Head::text(tip, signed_at).as_bytes()).unwrap();
    Head { tip, signed_at, key: signer.public_key().unwrap(), signature }
}

/// Verifies entries, with heads after the entries at their positions or at the end.
fn verified(entries: &[Entry], heads: &[Head], end: Tip) -> Report {
    let mut verifier = Verifier::new(&SIGNER, SIGNER.public_key().unwrap());
    for entry in entries {
        verifier.event(entry);
        heads.iter().filter(|head| head.tip.position == entry.position).for_each(|head| {
            verifier.head(head);
        });
    }
    let last = entries.last().map_or(0, |entry| entry.position);
    heads.iter().filter(|head| head.tip.position > last).for_each(|head| verifier.head(head));
    verifier.finish(end)
}

#[test]
fn an_untouched_chain_has_no_faults() {
    let (entries, end) = chain(5);

    let report = verified(&entries, &[head(&entries[1], &SIGNER), head(&entries[3], &SIGNER)], end);

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
    let signed = head(&entries[3], &SIGNER);
    let mut tip = Tip::START;
    let recomputed: Vec<Entry> =
        [1, 2, 4, 5].map(|number| tip.append(waiting(number), &[7; 32])).into();

    let report = verified(&recomputed, std::slice::from_ref(&signed), tip);

    let signed_at = signed.signed_at.to_rfc3339();
    let key = SIGNER.public_key().unwrap();
    let other = Fault::NotAsSigned { position: 4, signed_at };
    assert_eq!(report.faults, [other.clone(), Fault::OtherKey { key }]);
    // An attacker who also corrects the stored end cannot sign it.
    let mut cut = entries;
    cut.truncate(3);
    let end = Tip { position: 3, hash: cut[2].hash };
    let report = verified(&cut, &[head(&cut[1], &SIGNER), signed], end);
    assert_eq!((report.faults, report.signed_to), (vec![other], 2));
}

#[test]
fn a_head_of_another_key_vouches_for_nothing() {
    let (entries, end) = chain(2);
    let mut forged = head(&entries[1], &FakeSigner("other"));

    let report = verified(&entries, std::slice::from_ref(&forged), end);
    forged.key = SIGNER.public_key().unwrap();
    let claimed = verified(&entries, &[forged], end);

    let wrong = Fault::WrongSignature { position: 2 };
    let key = SIGNER.public_key().unwrap();
    let expected = [wrong, Fault::OtherKey { key }];
    assert_eq!((report.signed_to, report.faults), (0, expected.to_vec()));
    assert_eq!((claimed.signed_to, claimed.faults), (0, expected.to_vec()));
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
