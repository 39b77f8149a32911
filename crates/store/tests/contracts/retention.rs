//! What leaves the record of events: personal data by a redaction, and events that are too old.

use std::sync::Arc;

use chrono::Duration;
use waggle_audit::ports::{EventLog, HeadSigner};
use waggle_audit::testing::FakeSigner;
use waggle_audit::{
    EventFilter, ExtendChain, Fault, Part, RedactEvents, RedactEventsError, Redaction,
    RemoveOldEvents, RemoveOldEventsError, SignHeads, VerifyAudit,
};
use waggle_kernel::ids::UserId;
use waggle_kernel::{Actor, Clock as _, FixedClock, PortError, Scope, Scopes};
use waggle_store::{Ports, Store};

use crate::database::Kind;
use crate::events::{
    SIGNER, all_events, decide, received, sign, signed_chain, verify, without_triggers,
};
use crate::fresh;
use crate::migrations::{execute, try_execute};

fn admin() -> Actor {
    Actor::user(UserId::new(1), "ann", Scopes::of(&[Scope::Admin])).in_request("r-9")
}

fn redacting(ports: &Ports) -> RedactEvents {
    RedactEvents { log: Arc::clone(&ports.events), clock: Arc::new(FixedClock::noon()) }
}

async fn redacted_events_still_verify(kind: Kind) {
    let fresh = signed_chain(kind).await;
    let log = &fresh.ports.events;
    let redact = redacting(&fresh.ports);
    let reason = Some("asked on Monday".to_owned());
    let events = verify(log).await.events;

    // The first event has no personal data, and there is none at 999.
    let positions = Redaction::Positions(vec![1, 2, 4, 999]);
    let redacted = redact.redact(&admin(), &positions, reason.clone()).await.unwrap();
    let again = redact.redact(&admin(), &positions, reason).await.unwrap();

    assert_eq!((redacted, again), (2, 0));
    let report = verify(log).await;
    assert_eq!((report.faults, report.redacted), (vec![], 2));
    assert_eq!(report.events, events + 1, "the second time, nothing is recorded");
    let shown = all_events(log, &EventFilter::default()).await;
    let without: Vec<i64> =
        shown.iter().filter(|event| event.personal.is_none()).map(|event| event.position).collect();
    assert_eq!(without.len(), 2);
    let event = shown.iter().find(|event| event.kind == "events.redacted").unwrap();
    assert_eq!((event.actor.as_str(), event.request_id.as_str()), ("user:1", "r-9"));
    assert_eq!(event.change["positions"], serde_json::json!([[2, 2], [4, 4]]));
    let personal = event.personal.as_ref().unwrap();
    assert_eq!(personal["reason"], "asked on Monday");
    // Only a redaction removes personal data, and it removes nothing else.
    let remove =
        "UPDATE event_details SET personal = NULL, personal_salt = NULL WHERE position = 3";
    assert!(try_execute(&fresh.database, kind, remove).await.is_err());
    execute(&fresh.database, kind, &format!("{}{remove}", without_triggers(kind))).await;
    let missing = Fault::ContentMissing { position: 3, part: Part::Personal };
    assert_eq!(verify(log).await.faults, [missing]);
}

async fn a_person_is_forgotten(kind: Kind) {
    let fresh = signed_chain(kind).await;
    let log = &fresh.ports.events;
    let redact = redacting(&fresh.ports);
    let joe = Redaction::User(UserId::new(7));
    let viewer = Actor::user(UserId::new(1), "ann", Scopes::of(&[Scope::Read]));

    let refused = redact.redact(&viewer, &joe, None).await;
    assert!(matches!(refused, Err(RedactEventsError::Forbidden(_))), "{refused:?}");
    let too_many = Redaction::Positions(vec![1; RedactEvents::MOST + 1]);
    let refused = redact.redact(&admin(), &too_many, None).await;
    assert!(matches!(refused, Err(RedactEventsError::TooMany)), "{refused:?}");
    // Two admins do the same.
    let other = redacting(&fresh.ports);
    let admin = admin();
    let both = tokio::join!(redact.redact(&admin, &joe, None), other.redact(&admin, &joe, None));

    assert_eq!(both.0.unwrap() + both.1.unwrap(), 5);
    let report = verify(log).await;
    assert_eq!((report.faults, report.redacted), (vec![], 5));
    let by_joe = EventFilter { actor: Some("user:7".to_owned()), ..EventFilter::default() };
    let events = all_events(log, &by_joe).await;
    assert!(events.iter().all(|event| event.personal.is_none() && !event.change.is_empty()));
}

/// What waits is appended first, and what the user did with a token counts, too.
async fn waiting_events_of_a_user_are_redacted(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = &fresh.ports;
    let [yes, time, hash] = match kind {
        Kind::Sqlite => ["1", "1700000000000001", "zeroblob(32)"],
        Kind::Postgres => {
            ["TRUE", "'2023-11-14 22:13:20.000001+00'", "decode(repeat('00', 32), 'hex')"]
        }
    };
    let waiting = format!(
        "INSERT INTO users (id, username, username_folded, email, role, is_active, password, \
         date_joined) VALUES (7, 'Joe', 'joe', 'joe@x.example', 'editor', {yes}, '', {time}); \
         INSERT INTO api_tokens (id, public_id, hash, name, scopes, created_at, user_id) VALUES \
         (3, '0123456789ab', {hash}, 'of joe', 'ingest', {time}, 7); \
         INSERT INTO new_events (kind, object_kind, object_id, actor, request_id, at, change, \
         personal) WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM \
         numbers WHERE number < 12000) SELECT 'batch.edited', 'campaign_batch', \
         CAST(number AS TEXT), CASE number % 3 WHEN 0 THEN 'token:3' ELSE 'user:7' END, '', \
         {time}, '{{}}', '{{\"actor\":\"joe\"}}' FROM numbers"
    );
    execute(&fresh.database, kind, &waiting).await;

    let joe = Redaction::User(UserId::new(7));
    let redacted = redacting(ports).redact(&admin(), &joe, None).await.unwrap();

    assert_eq!(redacted, 12_000);
    let all = all_events(&ports.events, &EventFilter::default()).await;
    assert!(all.iter().all(|event| event.personal.is_none() || event.actor == "user:1"));
    sign(&ports.events).await;
    assert_eq!(verify(&ports.events).await.faults, []);
}

/// Events are redacted and removed while the record is verified.
async fn a_reading_during_a_change_begins_again(kind: Kind) {
    let (fresh, _) = old_chain(kind).await;
    let log = &fresh.ports.events;
    log.extend(500).await.unwrap();
    sign_at(log, 39).await;
    let redact = redacting(&fresh.ports);
    let admin = admin();
    let changes = async {
        for position in 1_100..1_150 {
            let one = Redaction::Positions(vec![position]);
            redact.redact(&admin, &one, None).await.unwrap();
        }
        let remove = removing(log, Arc::new(SIGNER), 30);
        while remove.step().await.unwrap() {}
    };
    let verifying = async {
        let mut verified = 0;
        for _ in 0..60 {
            let verifying = VerifyAudit {
                log: Arc::clone(log),
                signer: Arc::new(SIGNER),
                clock: Arc::new(FixedClock::noon()),
            };
            // It may give up, but it does not report a fault.
            if let Ok(report) = verifying.verify(None).await {
                assert_eq!(report.faults, []);
                verified += 1;
            }
        }
        verified
    };

    let (verified, ()) = tokio::join!(verifying, changes);

    assert!(verified > 0);
    assert_eq!(verify(log).await.faults, []);
}

/// A clock some days after the events.
fn days_later(days: i64) -> Arc<FixedClock> {
    let clock = FixedClock::noon();
    clock.advance(Duration::days(days));
    Arc::new(clock)
}

/// Removes events 40 days later.
fn removing(
    log: &Arc<dyn EventLog>,
    signer: Arc<dyn HeadSigner>,
    keep_days: u32,
) -> RemoveOldEvents {
    RemoveOldEvents::new(Arc::clone(log), signer, days_later(40), keep_days)
}

/// A chain of some thousand events with several heads, a recent event that is not signed, and who
/// signed last.
async fn old_chain(kind: Kind) -> (crate::Fresh, SignHeads) {
    let fresh = fresh(kind).await;
    let (ports, log) = (&fresh.ports, &fresh.ports.events);
    let tweet = received(ports, 1).await.remove(0);
    decide(ports, tweet, 1).await;
    ExtendChain { log: Arc::clone(log) }.catch_up(20).await.unwrap();
    sign(log).await;
    // Copies of a decision.
    let copies = "INSERT INTO new_events (kind, object_kind, object_id, actor, request_id, at, \
                  change, personal) WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT \
                  number + 1 FROM numbers WHERE number < 1200) SELECT 'tweet.rejected', \
                  'generated_tweet', CAST(number AS TEXT), 'user:7', 'r-1', (SELECT at FROM events \
                  WHERE position = 2), '{}', '{\"actor\":\"user:7:joe\"}' FROM numbers";
    execute(&fresh.database, kind, copies).await;
    let heads = SignHeads::new(Arc::clone(log), Arc::new(SIGNER), days_later(0));
    while log.extend(100).await.unwrap() > 0 {
        heads.sign().await.unwrap();
    }
    let at = match kind {
        Kind::Sqlite => days_later(39).now().timestamp_micros().to_string(),
        Kind::Postgres => format!("'{}'", days_later(39).now().to_rfc3339()),
    };
    let recent = format!(
        "INSERT INTO new_events (kind, object_kind, object_id, actor, request_id, at) VALUES \
         ('tweet.rejected', 'generated_tweet', '1', 'system', '', {at})"
    );
    execute(&fresh.database, kind, &recent).await;
    assert_eq!(log.extend(500).await.unwrap(), 1);
    (fresh, heads)
}

async fn sign_at(log: &Arc<dyn EventLog>, days: i64) {
    let heads = SignHeads::new(Arc::clone(log), Arc::new(SIGNER), days_later(days));
    heads.sign().await.unwrap();
}

async fn old_events_are_removed_behind_a_checkpoint(kind: Kind) {
    let (fresh, early) = old_chain(kind).await;
    let log = &fresh.ports.events;
    let other = match kind {
        Kind::Sqlite => fresh.store.clone(),
        Kind::Postgres => Store::open(&fresh.database.url).await.unwrap(),
    };
    let here = removing(log, Arc::new(SIGNER), 30);
    let there = removing(&other.ports().events, Arc::new(SIGNER), 30);
    let before = verify(log).await;
    for keep_days in [0, 40, 100] {
        assert!(!removing(log, Arc::new(SIGNER), keep_days).step().await.unwrap());
    }
    assert_eq!(verify(log).await, before, "nothing is removed");
    // The last events are not signed, so they stay.
    while here.step().await.unwrap() | there.step().await.unwrap() {}
    let kept = verify(log).await;
    assert_eq!(kept.faults, []);
    assert_eq!((kept.removed_to, kept.signed_to), (before.signed_to - 1, before.signed_to));
    log.extend(500).await.unwrap();
    sign_at(log, 39).await;

    let both = async |remove: &RemoveOldEvents| while remove.step().await.unwrap() {};
    tokio::join!(both(&here), both(&there));

    let report = verify(log).await;
    assert_eq!(report.faults, []);
    assert_eq!((report.removed_to, report.heads), (before.end - 1, 1));
    let events = all_events(log, &EventFilter::default()).await;
    assert_eq!(events.iter().map(|event| event.position).min(), Some(before.end));
    // Each event was removed once.
    let removed = EventFilter { kind: Some("events.removed".to_owned()), ..EventFilter::default() };
    let mut removed: Vec<[i64; 2]> = all_events(log, &removed)
        .await
        .iter()
        .map(|event| ["from", "to"].map(|name| event.change[name].as_i64().unwrap()))
        .collect();
    removed.sort_unstable();
    assert!(removed.len() > 2 && removed[0][0] == 1, "{removed:?}");
    assert!(removed.windows(2).all(|pair| pair[0][1] + 1 == pair[1][0]), "{removed:?}");
    for statement in [
        format!("DELETE FROM event_details WHERE position = {}", before.end),
        format!("DELETE FROM events WHERE position = {}", before.end),
        "DELETE FROM event_heads".to_owned(),
    ] {
        assert!(try_execute(&fresh.database, kind, &statement).await.is_err(), "{statement}");
    }
    // The last event that this process signed is among the removed ones.
    assert!(early.sign().await.unwrap().is_some());
    assert_eq!(verify(log).await.faults, []);
    // Without the checkpoint, the events are missing.
    execute(&fresh.database, kind, "DELETE FROM event_checkpoint").await;
    let missing = Fault::Missing { from: 1, to: before.end - 1 };
    assert_eq!(verify(log).await.faults[0], missing);
}

async fn events_that_were_changed_are_not_removed(kind: Kind) {
    let off = without_triggers(kind);
    let off_heads = match kind {
        Kind::Sqlite => "DROP TRIGGER event_heads_remain; DROP TRIGGER event_heads_stay;",
        Kind::Postgres => "",
    };
    let hash = match kind {
        Kind::Sqlite => "zeroblob(32)",
        Kind::Postgres => "decode(repeat('00', 32), 'hex')",
    };
    let content = Fault::ContentChanged { position: 700, part: Part::Change };
    let removed = Fault::ContentMissing { position: 700, part: Part::Change };
    let cases = [
        ("UPDATE events SET actor = 'user:8' WHERE position = 700".to_owned(), changed(700)),
        ("UPDATE event_details SET change = '[]' WHERE position = 700".to_owned(), content),
        ("DELETE FROM event_details WHERE position = 700".to_owned(), removed),
        // A head that somebody else made does not cover anything.
        (
            format!("{off_heads} UPDATE event_heads SET signature = {hash} WHERE position = 702"),
            Fault::WrongSignature { position: 702 },
        ),
        (
            format!("{off_heads} DELETE FROM event_heads WHERE position = 702"),
            Fault::HeadMissing { position: 802 },
        ),
    ];
    for (statement, fault) in cases {
        let (fresh, _) = old_chain(kind).await;
        execute(&fresh.database, kind, &format!("{off}{statement}")).await;

        let refused = removing(&fresh.ports.events, Arc::new(SIGNER), 30).step().await;

        assert_eq!(found(refused), Some(fault), "{statement}");
        assert_eq!(verify(&fresh.ports.events).await.removed_to, 0);
    }
}

const fn changed(position: i64) -> Fault {
    Fault::Changed { position }
}

/// What kept events from being removed.
fn found(step: Result<bool, RemoveOldEventsError>) -> Option<Fault> {
    match step {
        Err(RemoveOldEventsError::Tampered(fault)) => Some(fault),
        _ => None,
    }
}

/// What a checkpoint leaves is signed, so nothing that remains can be replaced.
async fn a_checkpoint_covers_no_unsigned_chain(kind: Kind) {
    let (fresh, _) = old_chain(kind).await;
    let log = &fresh.ports.events;
    assert!(removing(log, Arc::new(SIGNER), 30).step().await.unwrap());
    let foreign = removing(log, Arc::new(FakeSigner("other")), 30).step().await;
    let wrong = Fault::WrongCheckpoint { position: 901 };
    assert_eq!(found(foreign), Some(wrong), "it is not replaced");
    let cut_off = format!(
        "{}{} DELETE FROM event_heads; DELETE FROM event_details; DELETE FROM events; \
         UPDATE event_chain SET position = 901, hash = (SELECT hash FROM event_checkpoint); \
         DELETE FROM new_events",
        without_triggers(kind),
        if kind == Kind::Sqlite { "DROP TRIGGER event_heads_remain;" } else { "" },
    );

    execute(&fresh.database, kind, &cut_off).await;

    assert_eq!(verify(log).await.faults, [Fault::Unsigned]);
    assert!(!removing(log, Arc::new(SIGNER), 30).step().await.unwrap());
}

/// What is changed between the verification and the removal is not signed.
async fn a_removal_ends_with_what_was_verified(kind: Kind) {
    let (fresh, _) = old_chain(kind).await;
    let log = &fresh.ports.events;
    let copies = "INSERT INTO new_events (kind, object_kind, object_id, actor, request_id, at) \
                  SELECT kind, object_kind, object_id, actor, request_id, at FROM events WHERE \
                  position = 1203";
    for _ in 0..3 {
        execute(&fresh.database, kind, copies).await;
        log.extend(500).await.unwrap();
        sign_at(log, 39).await;
    }
    let clock = days_later(40);
    let (signer, now) = (Arc::new(SIGNER), Arc::clone(&clock));
    let remove = RemoveOldEvents::new(Arc::clone(log), signer, now, 30);
    while log.checkpoint().await.unwrap().is_none_or(|found| found.tip.position < 1_202) {
        assert!(remove.step().await.unwrap());
    }
    // The later events are verified as well, and are not old yet.
    let genuine = log.entries(1_204, 1).await.unwrap().remove(0);
    let hash = match kind {
        Kind::Sqlite => "zeroblob(32)",
        Kind::Postgres => "decode(repeat('00', 32), 'hex')",
    };
    let forge = format!(
        "{}UPDATE events SET hash = {hash}, actor = 'user:8' WHERE position = 1205",
        without_triggers(kind)
    );
    execute(&fresh.database, kind, &forge).await;
    clock.advance(Duration::days(40));

    assert!(remove.step().await.unwrap());

    let tip = log.checkpoint().await.unwrap().unwrap().tip;
    assert_eq!((tip.position, tip.hash), (1_205, genuine.hash));
    assert_eq!(verify(log).await.faults, []);
}

/// Holds a new key and an old one.
struct Rotated(FakeSigner, FakeSigner);

impl HeadSigner for Rotated {
    fn public_keys(&self) -> Result<Vec<String>, PortError> {
        Ok([self.0.public_keys()?, self.1.public_keys()?].concat())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, PortError> {
        self.0.sign(text)
    }

    fn is_signature(&self, key: &str, text: &[u8], signature: &[u8]) -> bool {
        [&self.0, &self.1].iter().any(|signer| signer.is_signature(key, text, signature))
    }
}

async fn a_checkpoint_is_signed_again_with_a_new_key(kind: Kind) {
    let (fresh, _) = old_chain(kind).await;
    let log = &fresh.ports.events;
    assert!(removing(log, Arc::new(SIGNER), 30).step().await.unwrap());
    let rotated = || Arc::new(Rotated(FakeSigner("new"), SIGNER));

    // Also if nothing is to be removed.
    assert!(!removing(log, rotated(), 0).step().await.unwrap());
    let heads = SignHeads::new(Arc::clone(log), rotated(), Arc::new(FixedClock::noon()));
    assert!(heads.sign().await.unwrap().is_some());

    let (log, clock) = (Arc::clone(log), Arc::new(FixedClock::noon()));
    let only_new = VerifyAudit { log, signer: Arc::new(FakeSigner("new")), clock };
    let report = only_new.verify(None).await.unwrap();
    assert!(!report.faults.contains(&Fault::WrongCheckpoint { position: 901 }), "{report:?}");
    assert_eq!((report.removed_to, report.signed_to), (901, report.end));
}

on_both_kinds!(
    redacted_events_still_verify,
    a_person_is_forgotten,
    old_events_are_removed_behind_a_checkpoint,
    events_that_were_changed_are_not_removed,
    a_checkpoint_covers_no_unsigned_chain,
    a_removal_ends_with_what_was_verified,
    a_reading_during_a_change_begins_again,
    waiting_events_of_a_user_are_redacted,
    a_checkpoint_is_signed_again_with_a_new_key,
);
