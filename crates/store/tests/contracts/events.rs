//! The record of all events: it has every change once, in one order, and shows tampering.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use waggle_accounts::{AuthEvent, AuthEventFilter, EventKind};
use waggle_audit::ports::EventLog;
use waggle_audit::testing::FakeSigner;
use waggle_audit::{EventFilter, ExtendChain, Fault, Report, SignError, SignHeads, VerifyAudit};
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, UserId};
use waggle_kernel::{
    Actor, Clock as _, Direction, Event, FixedClock, Limit, PageRequest, Scopes, Version,
    event_time,
};
use waggle_settings::{Kept, NewChange, NewChanges, Revision};
use waggle_store::{Mode, Ports, Store};
use waggle_twitter_n8n::events::batch_changed;
use waggle_twitter_n8n::ports::ReviewedTweet;
use waggle_twitter_n8n::testing::{batch, tweets_of};
use waggle_twitter_n8n::{
    Action, BatchFilter, Deleted, GeneratedTweet, HistoryAction, Status, TweetFilter, change_event,
};

use crate::database::{Database, Kind};
use crate::fresh;
use crate::migrations::{execute, try_execute, undo};

pub(crate) const SIGNER: FakeSigner = FakeSigner("secret");

pub(crate) async fn received(ports: &Ports, tweets: usize) -> Vec<GeneratedTweet> {
    let ids: Vec<String> = (0..tweets).map(|number| format!("t-{number}")).collect();
    let texts: Vec<(&str, &str)> = ids.iter().map(|id| (&**id, &**id)).collect();
    ports.batches.receive(&batch("b", &texts), FixedClock::noon().now()).await.unwrap();
    tweets_of(&*ports.tweets, &TweetFilter::default()).await
}

/// Rejects and restores a tweet in turn, as a user.
pub(crate) async fn decide(ports: &Ports, mut tweet: GeneratedTweet, decisions: usize) {
    let now = FixedClock::noon().now();
    let joe = Actor::user(UserId::new(7), "joe", Scopes::NONE).in_request("r-1").reference();
    for number in 0..decisions {
        let (action, after) = if number % 2 == 0 {
            (Action::Reject, tweet.clone().reject(now).unwrap())
        } else {
            (Action::Restore, tweet.clone().restore(now).unwrap())
        };
        let event = change_event(action, &joe, &tweet, &after, None);
        let change = ReviewedTweet { tweet: after.clone(), event };
        let version = ports.tweets.save(&[change]).await.unwrap().pop().unwrap().unwrap();
        tweet = after.saved_as(version);
    }
}

pub(crate) async fn verify(log: &Arc<dyn EventLog>) -> Report {
    let (log, signer) = (Arc::clone(log), Arc::new(SIGNER));
    let clock = Arc::new(FixedClock::noon());
    VerifyAudit { log, signer, clock }.verify(None).await.unwrap()
}

pub(crate) async fn sign(log: &Arc<dyn EventLog>) {
    let (log, signer) = (Arc::clone(log), Arc::new(SIGNER));
    let heads = SignHeads::new(log, signer, Arc::new(FixedClock::noon()));
    assert!(heads.sign().await.unwrap().is_some());
    assert!(heads.sign().await.unwrap().is_none(), "it is signed");
}

pub(crate) async fn all_events(log: &Arc<dyn EventLog>, filter: &EventFilter) -> Vec<Event> {
    let mut events = Vec::new();
    let mut page = PageRequest::first(Limit::new(7).unwrap());
    loop {
        let found = log.list(filter, page).await.unwrap();
        events.extend(found.items);
        match found.next {
            Some(after) => page.after = Some(after),
            None => return events,
        }
    }
}

/// While several writers work, several processes append their events.
async fn positions_have_no_gaps(kind: Kind) {
    const WRITERS: usize = 8;
    const DECISIONS: usize = 12;
    let fresh = fresh(kind).await;
    // SQLite has one process.
    let other = match kind {
        Kind::Sqlite => fresh.store.clone(),
        Kind::Postgres => Store::open(&fresh.database.url).await.unwrap(),
    };
    let tweets = received(&fresh.ports, WRITERS).await;
    let writers: Vec<_> = tweets
        .into_iter()
        .zip([&fresh.store, &other].into_iter().cycle())
        .map(|(tweet, store)| {
            let ports = store.ports();
            tokio::spawn(async move { decide(&ports, tweet, DECISIONS).await })
        })
        .collect();
    let appenders: Vec<_> = [&fresh.store, &other]
        .map(|store| {
            let log = store.ports().events;
            tokio::spawn(async move {
                let mut appended = 0;
                while appended < 40 {
                    appended += log.extend(3).await.unwrap();
                }
            })
        })
        .into();
    for task in writers.into_iter().chain(appenders) {
        task.await.unwrap();
    }

    let log = fresh.ports.events;
    ExtendChain { log: Arc::clone(&log) }.catch_up(20).await.unwrap();

    sign(&log).await;
    let report = verify(&log).await;
    assert_eq!(report.faults, []);
    assert_eq!(report.signed_to, report.end);
    let mut events = all_events(&log, &EventFilter::default()).await;
    events.sort_by_key(|event| event.position);
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=report.end).collect::<Vec<_>>());
    let mut versions: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for event in events.into_iter().filter(|event| event.object_kind == "generated_tweet") {
        assert_eq!((event.actor.as_str(), event.shown_actor()), ("user:7", "user:7:joe"));
        assert_eq!(event.request_id, "r-1");
        let version = event.version.map(Version::number).unwrap();
        versions.entry(event.object_id).or_default().push(version);
    }
    assert_eq!(versions.values().map(Vec::len).sum::<usize>(), WRITERS * DECISIONS);
    for versions in versions.values() {
        assert!(versions.is_sorted(), "{versions:?}");
    }
}

async fn changes_follow_the_chain(kind: Kind) {
    let fresh = fresh(kind).await;
    let log = &fresh.ports.events;
    let empty = log.place().await.unwrap();
    received(&fresh.ports, 2).await;
    while log.extend(500).await.unwrap() > 0 {}

    let place = log.place().await.unwrap();
    let changes = log.changes(0, 500).await.unwrap();

    assert_eq!((empty.position, empty.epoch.len()), (0, 16));
    assert_eq!(place.epoch, empty.epoch);
    let positions: Vec<i64> = changes.iter().map(|change| change.position).collect();
    assert_eq!(positions, (1..=place.position).collect::<Vec<_>>());
    assert_eq!(log.changes(0, 1).await.unwrap(), &changes[..1]);
    assert_eq!(log.changes(1, 500).await.unwrap(), &changes[1..]);
    let first = changes.first().unwrap();
    assert_eq!((&*first.kind, &*first.object_kind), ("batch.received", "campaign_batch"));
}

/// The state of all tweets (by batch and name), batches and settings, as events tell it.
#[derive(Debug, Default, PartialEq)]
struct State {
    tweets: BTreeMap<(String, String), Map<String, Value>>,
    batches: BTreeMap<String, Map<String, Value>>,
    settings: BTreeMap<String, Value>,
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

impl State {
    fn replayed(events: &[Event]) -> Self {
        let mut state = Self::default();
        let mut names: BTreeMap<String, (String, String)> = BTreeMap::new();
        for event in events {
            let (id, change) = (event.object_id.clone(), &event.change);
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            match event.object_kind.as_str() {
                "campaign_batch" if event.kind == "batch.received" => {
                    for tweet in change["tweets"].as_array().unwrap() {
                        let mut tweet = object(tweet);
                        let name = text(&tweet.remove("tweet_id").unwrap());
                        state.tweets.insert((id.clone(), name), tweet);
                    }
                    let title = ("title".to_owned(), change["title"].clone());
                    let deleted = ("deleted_at".to_owned(), Value::Null);
                    state.batches.insert(id, Map::from_iter([title, deleted]));
                }
                "campaign_batch" => {
                    state.batches.entry(id).or_default().extend(object(&change["after"]));
                }
                "generated_tweet" => {
                    if let Some(name) = change.get("tweet_id") {
                        names.insert(id.clone(), (change["batch"].to_string(), text(name)));
                    }
                    if let Some(after) = change.get("after") {
                        let name = names[&id].clone();
                        state.tweets.entry(name).or_default().extend(object(after));
                    }
                }
                "setting" if change["is_set"] == true => {
                    let personal = event.personal.as_ref().unwrap();
                    let after = change.get("after").or_else(|| personal.get("after")).unwrap();
                    state.settings.insert(id, after.clone());
                }
                "setting" => drop(state.settings.remove(&id)),
                _ => {}
            }
        }
        state
    }

    async fn stored(ports: &Ports) -> Self {
        let all = TweetFilter::default();
        let page = PageRequest::first(Limit::new(Limit::MOST).unwrap());
        let with = BatchFilter { deleted: Deleted::With, ..BatchFilter::default() };
        let batches = ports.batches.list(&with, Direction::Ascending, page).await.unwrap().items;
        let mut state = Self::default();
        for batch in batches {
            let title = ("title".to_owned(), batch.title.into());
            let deleted = ("deleted_at".to_owned(), batch.deleted_at.map(event_time).into());
            state.batches.insert(batch.id.to_string(), Map::from_iter([title, deleted]));
            let of_batch = TweetFilter { batch: Some(batch.id), ..all.clone() };
            for tweet in tweets_of(&*ports.tweets, &of_batch).await {
                let name = (batch.id.to_string(), tweet.view().tweet.tweet_id.clone());
                state.tweets.insert(name, tweet.state());
            }
        }
        for setting in ports.settings.load().await.unwrap().settings {
            if let Kept::Clear(text) = setting.value {
                state.settings.insert(setting.key, text.into());
            }
        }
        state
    }
}

fn setting_change(based_on: Revision, change: NewChange, at: DateTime<Utc>) -> NewChanges {
    let by = Actor::system().reference();
    NewChanges { based_on, at, by, master_key: None, changes: vec![change] }
}

/// One of several writers: changes what it finds, at random. What another writer changed first is
/// refused.
async fn change_at_random(ports: Ports, mut seed: u64) {
    let by = Actor::system().reference();
    let mut pick = move |most: usize| {
        // A linear congruential generator, so that a failure can be repeated. (Knuth's MMIX)
        seed = seed.wrapping_mul(6_364_136_223_846_793_005);
        seed = seed.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % most
    };
    for step in 0..40 {
        let now = FixedClock::noon().now() + chrono::Duration::seconds(step);
        match pick(6) {
            0 => {
                let name = format!("b-{}", pick(4));
                let texts = [format!("text {}", pick(3)), format!("text {}", pick(9))];
                let tweets = [("t-1", &*texts[0]), ("t-2", &*texts[1])];
                ports.batches.receive(&batch(&name, &tweets), now).await.unwrap();
            }
            1 => {
                let id = CampaignBatchId::new(1 + i64::try_from(pick(6)).unwrap());
                let Some(before) = ports.batches.find(id).await.unwrap() else { continue };
                let mut after = before.clone();
                match pick(3) {
                    0 => after.title = format!("title {step}"),
                    1 => after.deleted_at = Some(now),
                    _ => after.deleted_at = None,
                }
                let event = batch_changed(&before, &after, &by, now);
                drop(ports.batches.save(&after, &event).await);
            }
            2 => {
                let stored = ports.settings.load().await.unwrap();
                let key = ["ALLOWED_DOMAIN", "custom.a", "custom.b"][pick(3)].to_owned();
                let there = stored.settings.iter().find(|setting| setting.key == key);
                let from = there.map(|setting| (setting.value.clone(), setting.version));
                let to = (pick(3) > 0).then(|| Kept::Clear(format!("value {step}")));
                if from.is_none() && to.is_none() {
                    continue;
                }
                let change = NewChange { key, action: waggle_settings::Action::Set, from, to };
                drop(ports.settings.save(&setting_change(stored.revision, change, now)).await);
            }
            _ => {
                let id = GeneratedTweetId::new(1 + i64::try_from(pick(12)).unwrap());
                let Some(before) = ports.tweets.find(id).await.unwrap() else { continue };
                let action = Action::ALL[pick(5)];
                let moved = before.clone();
                let moved = match action {
                    Action::Edit => moved.edit(Some(format!("edited {step}")), None, now),
                    Action::Approve => moved.approve(&Actor::system(), now),
                    Action::Reject => moved.reject(now),
                    Action::Delete => moved.delete(now),
                    _ => moved.restore(now),
                };
                if let Ok(tweet) = moved {
                    let event = change_event(action, &by, &before, &tweet, None);
                    ports.tweets.save(&[ReviewedTweet { tweet, event }]).await.unwrap();
                }
            }
        }
    }
}

/// Publishes a new tweet, and those that are approved.
async fn publish_one(ports: &Ports) {
    let now = FixedClock::noon().now();
    ports.batches.receive(&batch("last", &[("t-1", "to publish")]), now).await.unwrap();
    let waiting = TweetFilter { status: Some(Status::BrandAligned), ..TweetFilter::default() };
    let waiting = tweets_of(&*ports.tweets, &waiting).await.pop().unwrap();
    let tweet = waiting.clone().approve(&Actor::system(), now).unwrap();
    let change = waggle_twitter_n8n::testing::change(Action::Approve, &waiting, tweet);
    ports.tweets.save(&[change]).await.unwrap().pop().unwrap().unwrap();
    let approved = TweetFilter { status: Some(Status::Approved), ..TweetFilter::default() };
    for tweet in tweets_of(&*ports.tweets, &approved).await {
        crate::publishing::queued(ports, &tweet).await;
    }
    crate::publishing::publish_due(ports).await;
}

async fn a_replay_gives_the_state(kind: Kind) {
    let fresh = fresh(kind).await;
    // SQLite has one process.
    let other = match kind {
        Kind::Sqlite => fresh.store.clone(),
        Kind::Postgres => Store::open(&fresh.database.url).await.unwrap(),
    };
    let writers: Vec<_> = (1..=4)
        .zip([&fresh.store, &other].into_iter().cycle())
        .map(|(seed, store)| tokio::spawn(change_at_random(store.ports(), seed)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    // The writers may have left no setting.
    let now = FixedClock::noon().now();
    let stored = fresh.ports.settings.load().await.unwrap();
    let to = Some(Kept::Clear("value".to_owned()));
    let key = "custom.last".to_owned();
    let change = NewChange { key, action: waggle_settings::Action::Set, from: None, to };
    fresh.ports.settings.save(&setting_change(stored.revision, change, now)).await.unwrap();
    // Publishing changes a tweet, too.
    publish_one(&fresh.ports).await;

    let log = &fresh.ports.events;
    ExtendChain { log: Arc::clone(log) }.catch_up(20).await.unwrap();
    let mut events = all_events(log, &EventFilter::default()).await;
    events.sort_by_key(|event| event.position);

    assert_eq!(verify(log).await.faults, []);
    let replayed = State::replayed(&events);
    assert!(replayed.tweets.len() > 4 && !replayed.settings.is_empty(), "{replayed:?}");
    assert!(events.iter().any(|event| event.kind == "tweet.posted"));
    assert_eq!(replayed, State::stored(&fresh.ports).await);
}

/// What there was without events comes into the record as snapshots, to which later events fit.
async fn an_upgrade_takes_a_snapshot_of_each_object(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = &fresh.ports;
    change_at_random(fresh.store.ports(), 5).await;
    publish_one(ports).await;
    let stored = ports.settings.load().await.unwrap();
    let leftover = NewChange {
        key: "LEFT_OVER_KEY".to_owned(),
        action: waggle_settings::Action::Set,
        from: None,
        to: Some(Kept::Clear("a secret".to_owned())),
    };
    let noon = FixedClock::noon().now();
    ports.settings.save(&setting_change(stored.revision, leftover, noon)).await.unwrap();
    let moments = match kind {
        Kind::Sqlite => ["1", "1700000000000001", "NULL"],
        Kind::Postgres => ["TRUE", "'2023-11-14 22:13:20.000001+00'", "NULL"],
    };
    let [yes, time, no_time] = moments;
    let hash = match kind {
        Kind::Sqlite => "zeroblob(32)",
        Kind::Postgres => "decode(repeat('00', 32), 'hex')",
    };
    let before = format!(
        "DELETE FROM new_events; \
         INSERT INTO users (id, username, username_folded, email, role, is_active, password, \
         date_joined) VALUES (3, 'Joe', 'joe', 'joe@x.example', 'editor', {yes}, '', {time}); \
         INSERT INTO api_tokens (public_id, hash, name, scopes, created_at, expires_at, \
         revoked_at) VALUES ('0123456789ab', {hash}, 'n8n', 'ingest', {time}, {time}, {no_time})"
    );
    execute(&fresh.database, kind, &before).await;
    undo(&fresh.database, kind, "0019", "SELECT 1").await;

    fresh.store.migrate(Mode::Run).await.unwrap();
    change_at_random(fresh.store.ports(), 6).await;

    let mut events = all_events(&ports.events, &EventFilter::default()).await;
    events.sort_by_key(|event| event.position);
    let snapshots: Vec<&Event> =
        events.iter().filter(|event| event.kind.ends_with(".snapshot")).collect();
    assert!(snapshots.iter().all(|event| event.change["snapshot"] == true));
    let kinds: std::collections::BTreeSet<&str> =
        snapshots.iter().map(|event| event.object_kind.as_str()).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["account", "campaign_batch", "generated_tweet", "post", "setting"]
    );
    let told = |kind: &str| {
        let event = snapshots.iter().find(|event| event.kind == kind).unwrap();
        let personal = Value::from(event.personal.clone().unwrap());
        (event.user.map(UserId::number), Value::from(event.change.clone()), personal)
    };
    let post = snapshots.iter().find(|event| event.kind == "post.snapshot").unwrap();
    assert_eq!(
        (&post.change["status"], &post.change["is_held"]),
        (&json!("published"), &json!(false))
    );
    assert_eq!(
        told("user.snapshot"),
        (
            Some(3),
            json!({
                "snapshot": true, "role": "editor", "is_active": true, "is_super_admin": false
            }),
            json!({
                "username": "Joe", "email": "joe@x.example", "first_name": "", "last_name": ""
            })
        )
    );
    assert_eq!(
        told("token.snapshot"),
        (
            None,
            json!({
                "snapshot": true, "token": "0123456789ab", "scopes": "ingest",
                "expires_at": "2023-11-14T22:13:20.000001Z", "revoked_at": null
            }),
            json!({ "name": "n8n" })
        )
    );
    let secret = snapshots.iter().find(|event| event.object_id == "LEFT_OVER_KEY").unwrap();
    assert_eq!(secret.change["is_secret"], true);
    assert_eq!(secret.personal.as_ref().unwrap()["after"], Value::Null);
    let mut replayed = State::replayed(&events);
    let mut stored = State::stored(ports).await;
    replayed.settings.remove("LEFT_OVER_KEY");
    stored.settings.remove("LEFT_OVER_KEY");
    assert!(!replayed.settings.is_empty() && replayed.tweets.len() > 4, "{replayed:?}");
    assert_eq!(replayed, stored);
    sign(&ports.events).await;
    assert_eq!(verify(&ports.events).await.faults, []);
}

/// The statements that keep the triggers from refusing a change.
pub(crate) fn without_triggers(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite => {
            "PRAGMA foreign_keys = OFF; DROP TRIGGER events_stay; DROP TRIGGER events_remain; \
             DROP TRIGGER event_details_stay; DROP TRIGGER event_details_remain;"
        }
        Kind::Postgres => "SET session_replication_role = replica;",
    }
}

/// A chain of six events, of which five are signed.
pub(crate) async fn signed_chain(kind: Kind) -> crate::Fresh {
    let fresh = fresh(kind).await;
    let tweet = received(&fresh.ports, 1).await.remove(0);
    decide(&fresh.ports, tweet, 5).await;
    let log = &fresh.ports.events;
    ExtendChain { log: Arc::clone(log) }.catch_up(20).await.unwrap();
    sign(log).await;
    let tweet = tweets_of(&*fresh.ports.tweets, &TweetFilter::default()).await.remove(0);
    let now = FixedClock::noon().now();
    let after = tweet.clone().restore(now).unwrap();
    let change = waggle_twitter_n8n::testing::change(Action::Restore, &tweet, after);
    fresh.ports.tweets.save(&[change]).await.unwrap().pop().unwrap().unwrap();
    ExtendChain { log: Arc::clone(log) }.catch_up(20).await.unwrap();
    fresh
}

async fn tampering_is_found(kind: Kind) {
    let untouched = signed_chain(kind).await;
    let report = verify(&untouched.ports.events).await;
    let (end, signed) = (report.end, report.signed_to);
    assert_eq!((report.faults, signed), (Vec::new(), end - 1));
    let at = signed - 1;
    let changed = |position| Fault::Changed { position };
    let cut =
        Fault::NotAsSigned { position: signed, signed_at: FixedClock::noon().now().to_rfc3339() };
    let part = waggle_audit::Part::Change;
    let cases: [(String, Vec<Fault>); 6] = [
        (format!("UPDATE events SET actor = 'user:8' WHERE position = {at}"), vec![changed(at)]),
        (
            format!("UPDATE event_details SET change = '{{}}' WHERE position = {at}"),
            vec![Fault::ContentChanged { position: at, part }],
        ),
        (
            format!(
                "DELETE FROM event_details WHERE position = {at}; \
                 DELETE FROM events WHERE position = {at}"
            ),
            vec![Fault::Missing { from: at, to: at }],
        ),
        (
            format!(
                "UPDATE events SET position = 100 WHERE position = {at}; \
                 UPDATE events SET position = {at} WHERE position = {signed}; \
                 UPDATE events SET position = {signed} WHERE position = 100"
            ),
            Vec::new(),
        ),
        (
            format!(
                "DELETE FROM event_details WHERE position >= {at}; \
                 DELETE FROM events WHERE position >= {at}; UPDATE event_chain SET position = {}, \
                 hash = (SELECT hash FROM events WHERE position = {})",
                at - 1,
                at - 1
            ),
            vec![cut],
        ),
        (
            format!(
                "INSERT INTO events (position, kind, object_kind, object_id, actor, request_id, \
                 at, hash) SELECT {}, kind, object_kind, object_id, actor, request_id, at, hash \
                 FROM events WHERE position = {end}",
                end + 1
            ),
            Vec::new(),
        ),
    ];
    for (statements, expected) in cases {
        let fresh = signed_chain(kind).await;
        let statements = format!("{}{statements}", without_triggers(kind));

        execute(&fresh.database, kind, &statements).await;

        let faults = verify(&fresh.ports.events).await.faults;
        assert!(!faults.is_empty(), "{statements}");
        if !expected.is_empty() {
            assert_eq!(faults, expected, "{statements}");
        }
    }
}

/// A process signs nothing after what it signed was replaced, even if all signatures were removed.
async fn a_replaced_chain_is_not_signed(kind: Kind) {
    let fresh = signed_chain(kind).await;
    let log = Arc::clone(&fresh.ports.events);
    let heads = SignHeads::new(log, Arc::new(SIGNER), Arc::new(FixedClock::noon()));
    assert!(heads.sign().await.unwrap().is_some());
    let hash = match kind {
        Kind::Sqlite => "zeroblob(32)",
        Kind::Postgres => "decode(repeat('00', 32), 'hex')",
    };
    let replace = format!(
        "{}{} DELETE FROM event_heads; UPDATE events SET hash = {hash}; \
         UPDATE event_chain SET hash = {hash}",
        without_triggers(kind),
        if kind == Kind::Sqlite { "DROP TRIGGER event_heads_remain;" } else { "" },
    );

    execute(&fresh.database, kind, &replace).await;

    let refused = heads.sign().await;
    assert!(matches!(refused, Err(SignError::Replaced { .. })), "{refused:?}");
}

async fn the_database_refuses_to_change_events(kind: Kind) {
    let fresh = signed_chain(kind).await;
    for statement in [
        "UPDATE events SET actor = 'user:8'",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT * FROM events",
        "TRUNCATE events CASCADE",
        "UPDATE event_details SET change = '{}'",
        "UPDATE event_details SET personal = NULL, personal_salt = NULL",
        "UPDATE event_heads SET position = 1",
        "DELETE FROM event_heads",
        "DELETE FROM event_details",
        "TRUNCATE event_details",
    ] {
        let result = try_execute(&fresh.database, kind, statement).await;
        assert!(result.is_err(), "{statement}");
    }
    assert_eq!(verify(&fresh.ports.events).await.faults, []);
}

async fn each_filter_of_events_shows_what_it_means(kind: Kind) {
    let fresh = signed_chain(kind).await;
    let log = &fresh.ports.events;
    let count = async |filter: EventFilter| all_events(log, &filter).await.len();
    let text = |text: &str| Some(text.to_owned());
    let tweet = tweets_of(&*fresh.ports.tweets, &TweetFilter::default()).await.remove(0);
    let noon = FixedClock::noon().now();
    let none = EventFilter::default;

    assert_eq!(count(EventFilter { kind: text("tweet.rejected"), ..none() }).await, 3);
    assert_eq!(count(EventFilter { actor: text("user:7"), ..none() }).await, 5);
    let tweets = EventFilter { object_kind: text("generated_tweet"), ..none() };
    assert_eq!(count(tweets.clone()).await, 6);
    let object_id = Some(tweet.id().to_string());
    assert_eq!(count(EventFilter { object_id, ..tweets.clone() }).await, 6);
    assert_eq!(count(EventFilter { object_id: text("77"), ..tweets }).await, 0);
    assert_eq!(count(EventFilter { user: Some(UserId::new(7)), ..none() }).await, 0);
    assert_eq!(count(EventFilter { before: Some(noon), ..none() }).await, 0);
    let all = count(none()).await;
    assert_eq!(count(EventFilter { from: Some(noon), ..none() }).await, all);
}

/// The history of the time before the record becomes a part of it.
async fn an_earlier_history_is_kept(kind: Kind) {
    let database = Database::new(kind).await;
    let store = Store::open(&database.url).await.unwrap();
    store.migrate(Mode::Run).await.unwrap();
    let tweet = received(&store.ports(), 1).await.remove(0).id();
    let down = match kind {
        Kind::Sqlite => include_str!("../../../../migrations/sqlite/0015_events/down.sql"),
        Kind::Postgres => include_str!("../../../../migrations/postgres/0015_events/down.sql"),
    };
    undo(&database, kind, "0015", down).await;
    let times = match kind {
        Kind::Sqlite => ["1000000", "2000000", "3000000"],
        Kind::Postgres => ["to_timestamp(1)", "to_timestamp(2)", "to_timestamp(3)"],
    };
    let rows = [
        ("edit", "token:3:n8n:x", "'be\"fore'", "'after'", "NULL"),
        ("approve", "network:10.0.0.7", "NULL", "NULL", "'sha256 00'"),
        ("queue", "system", "NULL", "NULL", "'post 1'"),
    ];
    for ((action, actor, before, after, note), time) in rows.into_iter().zip(times) {
        let insert = format!(
            "INSERT INTO generated_tweet_history (generated_tweet_id, action, actor, at, \
             from_status, to_status, content_before, content_after, note) VALUES ({tweet}, \
             '{action}', '{actor}', {time}, 'Draft', 'Approved', {before}, {after}, {note})"
        );
        execute(&database, kind, &insert).await;
    }

    store.migrate(Mode::Run).await.unwrap();

    let page = PageRequest::first(Limit::DEFAULT);
    let ports = store.ports();
    let history = ports.tweets.history(tweet, page).await.unwrap().items;
    let shown: Vec<_> = history
        .iter()
        .map(|entry| {
            let texts = [&entry.content_before, &entry.content_after, &entry.note];
            let texts = texts.map(|text| text.as_deref().unwrap_or("-"));
            (entry.action, entry.actor.as_str(), entry.at.timestamp(), texts)
        })
        .collect();
    let moved = HistoryAction::Moved;
    assert_eq!(
        shown,
        [
            (HistoryAction::Queued, "system", 3, ["-", "-", "post 1"]),
            (moved(Action::Approve), "network:10.0.0.7", 2, ["-", "-", "sha256 00"]),
            (moved(Action::Edit), "token:3:n8n:x", 1, ["be\"fore", "after", "-"]),
        ]
    );
    let events = all_events(&ports.events, &EventFilter::default()).await;
    let actors: Vec<&str> = events.iter().map(|event| event.actor.as_str()).collect();
    assert_eq!(actors, ["system", "network", "token:3"]);
    sign(&ports.events).await;
    assert_eq!(verify(&ports.events).await.faults, []);
}

/// The earlier audit log of authentication, and changes of settings, become a part of the record.
async fn an_earlier_audit_log_is_kept(kind: Kind) {
    let database = Database::new(kind).await;
    let store = Store::open(&database.url).await.unwrap();
    store.migrate(Mode::Run).await.unwrap();
    let (down, [first, second, no]) = match kind {
        Kind::Sqlite => (
            include_str!("../../../../migrations/sqlite/0016_auth_events/down.sql"),
            ["1000000", "2000000", "0"],
        ),
        Kind::Postgres => (
            include_str!("../../../../migrations/postgres/0016_auth_events/down.sql"),
            ["to_timestamp(1)", "to_timestamp(2)", "FALSE"],
        ),
    };
    undo(&database, kind, "0016", down).await;
    let insert = format!(
        "INSERT INTO auth_events (event_type, user_id, email, actor, ip, user_agent, request_id, \
         metadata, timestamp) VALUES \
         ('LOGIN_FAILURE', NULL, 'x@y.example', '', '10.0.0.7', '', 'r-1', '{{}}', {first}), \
         ('TOKEN_CREATED', 3, '', 'user:3:joe', '', 'curl', '', '{{\"token\": \"ab\"}}', \
         {second}); \
         INSERT INTO setting_changes (revision, key, action, is_set, changed_at, changed_by) \
         VALUES (1, 'ALLOWED_DOMAIN', 'unset', {no}, {second}, 'user:3:joe')"
    );
    execute(&database, kind, &insert).await;

    store.migrate(Mode::Run).await.unwrap();

    let page = PageRequest::first(Limit::DEFAULT);
    let ports = store.ports();
    let all = AuthEventFilter::default();
    let log = ports.auth_events.list(&all, page).await.unwrap().items;
    let mut shown: Vec<String> = log
        .iter()
        .map(|event| {
            let AuthEvent { kind, email, actor, ip, user_agent, request_id, metadata, .. } = event;
            let user = event.user.map(UserId::number);
            format!("{kind} {user:?} {email} {actor} {ip} {user_agent} {request_id} {metadata}")
        })
        .collect();
    shown.reverse();
    assert_eq!(
        shown,
        [
            "LOGIN_FAILURE None x@y.example  10.0.0.7  r-1 {}",
            "TOKEN_CREATED Some(3)  user:3:joe  curl  {\"token\":\"ab\"}",
        ]
    );
    let about = AuthEventFilter { user: Some(UserId::new(3)), kind: Some(EventKind::TokenCreated) };
    assert_eq!(ports.auth_events.list(&about, page).await.unwrap().items.len(), 1);
    let changed = EventFilter { object_kind: Some("setting".to_owned()), ..EventFilter::default() };
    let changed = all_events(&ports.events, &changed).await;
    assert_eq!(
        (changed[0].object_id.as_str(), changed[0].actor.as_str()),
        ("ALLOWED_DOMAIN", "user:3")
    );
    assert_eq!(changed[0].change["is_set"], false);
    sign(&ports.events).await;
    assert_eq!(verify(&ports.events).await.faults, []);
}

on_both_kinds!(
    positions_have_no_gaps,
    changes_follow_the_chain,
    a_replay_gives_the_state,
    an_upgrade_takes_a_snapshot_of_each_object,
    tampering_is_found,
    a_replaced_chain_is_not_signed,
    the_database_refuses_to_change_events,
    each_filter_of_events_shows_what_it_means,
    an_earlier_history_is_kept,
    an_earlier_audit_log_is_kept,
);
