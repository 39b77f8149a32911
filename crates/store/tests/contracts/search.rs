//! Searches find texts while they are indexed, after that, and after they are changed; and totals
//! are right before and after changes are added to them.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use waggle_kernel::{Clock as _, Direction, FixedClock, Limit, PageRequest};
use waggle_store::{Maintenance, Mode, Ports, Store};
use waggle_twitter_n8n::testing::many::{
    check_many_tweets, concurrent_changes_keep_the_totals, record_many_tweets,
};
use waggle_twitter_n8n::testing::{batch, change, tweets_of};
use waggle_twitter_n8n::{Action, GeneratedTweet, Status, TweetFilter};

use crate::database::{Database, Kind};
use crate::migrations::{execute, undo};
use crate::{Fresh, fresh};

fn noon() -> DateTime<Utc> {
    FixedClock::noon().now()
}

async fn indexed(kind: Kind) -> (Fresh, Maintenance) {
    let fresh = fresh(kind).await;
    let index = fresh.store.maintenance();
    index.prepare_index().await.unwrap();
    (fresh, index)
}

async fn index_all(index: &Maintenance) {
    while index.index_texts(1_000).await.unwrap() {}
    while index.add_up(1_000).await.unwrap() {}
}

async fn tweets_are_found_while_and_after_they_are_indexed(kind: Kind) {
    let (fresh, index) = indexed(kind).await;
    let tweets = &*fresh.ports.source_tweets;
    record_many_tweets(tweets).await;

    assert!(index.index_texts(3_000).await.unwrap(), "the rest still waits");
    assert!(index.add_up(3).await.unwrap(), "the rest still waits");
    check_many_tweets(tweets).await;
    index_all(&index).await;
    check_many_tweets(tweets).await;
}

/// The names of the tweets whose text contains `part`.
async fn found(ports: &Ports, part: &str) -> Vec<String> {
    let filter = TweetFilter { search: Some(part.to_owned()), ..TweetFilter::default() };
    let found = tweets_of(&*ports.tweets, &filter).await;
    let mut names: Vec<String> =
        found.iter().map(|tweet| tweet.view().tweet.tweet_id.clone()).collect();
    names.sort();
    names
}

async fn edit(ports: &Ports, tweet: &GeneratedTweet, text: &str) -> GeneratedTweet {
    let after = tweet.clone().edit(Some(text.to_owned()), None, noon()).unwrap();
    let saved = ports.tweets.save(&[change(Action::Edit, tweet, after)]).await.unwrap();
    saved.into_iter().next().unwrap().unwrap();
    ports.tweets.find(tweet.id()).await.unwrap().unwrap()
}

async fn an_edited_text_is_found_as_it_is(kind: Kind) {
    let (fresh, index) = indexed(kind).await;
    let ports = &fresh.ports;
    let made = batch("b", &[("t-1", "grey \"heron\" 100%"), ("t-2", "white stork")]);
    ports.batches.receive(&made, noon()).await.unwrap();
    index_all(&index).await;
    assert_eq!(found(ports, "Y \"HERON\"").await, ["t-1"]);
    assert_eq!(found(ports, "stork").await, ["t-2"]);
    assert_eq!(found(ports, "n\" 100%").await, ["t-1"]);

    let all = tweets_of(&*ports.tweets, &TweetFilter::default()).await;
    let heron = all.into_iter().find(|tweet| tweet.view().tweet.tweet_id == "t-1").unwrap();
    edit(ports, &heron, "black stork").await;

    assert!(found(ports, "heron").await.is_empty());
    assert_eq!(found(ports, "stork").await, ["t-1", "t-2"]);
    index_all(&index).await;
    assert!(found(ports, "heron").await.is_empty());
    assert_eq!(found(ports, "stork").await, ["t-1", "t-2"]);
    assert_eq!(found(ports, "black st").await, ["t-1"]);
}

/// The first tweets of a list are read without the index, and the others with it: of tweets that
/// were all stored at the same time, none is missed or found twice.
async fn a_text_is_found_among_many_tweets(kind: Kind) {
    const MANY: usize = 2_300;
    let (fresh, index) = indexed(kind).await;
    let ports = &fresh.ports;
    let names: Vec<String> = (0..MANY).map(|number| format!("t-{number:04}")).collect();
    let bird = |number: usize| match number {
        40 | 1_170 | 2_260 => "grey heron",
        _ if number.is_multiple_of(7) => "white stork",
        _ => "kingfisher",
    };
    let texts: Vec<(&str, &str)> =
        names.iter().enumerate().map(|(number, name)| (&**name, bird(number))).collect();
    ports.batches.receive(&batch("b", &texts), noon()).await.unwrap();

    for is_indexed in [false, true] {
        for direction in [Direction::Ascending, Direction::Descending] {
            for part in ["heron", "STORK", "fisher", "no such bird"] {
                let matches = |name: &&String| {
                    let number = name[2..].parse().unwrap();
                    bird(number).contains(&part.to_lowercase())
                };
                let mut expected: Vec<&String> = names.iter().filter(matches).collect();
                if direction == Direction::Descending {
                    expected.reverse();
                }
                let filter = TweetFilter { search: Some(part.into()), ..TweetFilter::default() };
                let limit = Limit::new(150).unwrap();
                let mut page = PageRequest::first(limit);
                let mut read = Vec::new();
                loop {
                    let found = ports.tweets.list(&filter, direction, page).await.unwrap();
                    read.extend(
                        found.items.iter().map(|tweet| tweet.view().tweet.tweet_id.clone()),
                    );
                    let Some(next) = found.next else { break };
                    page = PageRequest { after: Some(next), limit };
                }
                assert_eq!(read.iter().collect::<Vec<_>>(), expected, "{part} {is_indexed}");
            }
        }
        index_all(&index).await;
    }
}

/// A search that also selects by date and status, among more tweets than are read without the
/// index.
async fn a_search_keeps_the_other_conditions(kind: Kind) {
    let (fresh, index) = indexed(kind).await;
    let ports = &fresh.ports;
    for day in 0..3 {
        let names: Vec<String> = (0..500).map(|number| format!("t-{day}-{number}")).collect();
        let texts: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "grey heron")).collect();
        let time = noon() + TimeDelta::days(day);
        ports.batches.receive(&batch(&format!("b-{day}"), &texts), time).await.unwrap();
    }
    let count = async |filter: TweetFilter| {
        let filter = TweetFilter { search: Some("heron".to_owned()), ..filter };
        let limit = Limit::new(200).unwrap();
        let (mut page, mut count) = (PageRequest::first(limit), 0);
        loop {
            let found = ports.tweets.list(&filter, Direction::Descending, page).await.unwrap();
            count += found.items.len();
            let Some(next) = found.next else { return count };
            page = PageRequest { after: Some(next), limit };
        }
    };
    let none = TweetFilter::default;

    for _ in ["waiting", "indexed"] {
        let (from, before) = (noon() + TimeDelta::days(1), noon() + TimeDelta::days(2));
        assert_eq!(count(none()).await, 1_500);
        assert_eq!(count(TweetFilter { created_from: Some(from), ..none() }).await, 1_000);
        assert_eq!(count(TweetFilter { created_before: Some(before), ..none() }).await, 1_000);
        let (created_from, created_before) = (Some(from), Some(before));
        let day = TweetFilter { created_from, created_before, ..none() };
        assert_eq!(count(day).await, 500);
        assert_eq!(count(TweetFilter { status: Some(Status::Posted), ..none() }).await, 0);
        index_all(&index).await;
    }
}

/// Edits and two indexers at the same time: at the end, the index knows the last texts.
async fn edits_beside_the_indexer_are_not_lost(kind: Kind) {
    const TWEETS: usize = 12;
    const ROUNDS: usize = 8;
    let (fresh, index) = indexed(kind).await;
    let ports = &fresh.ports;
    let ids: Vec<String> = (0..TWEETS).map(|number| format!("t-{number:02}")).collect();
    let texts: Vec<(&str, &str)> = ids.iter().map(|id| (&**id, "round none")).collect();
    ports.batches.receive(&batch("b", &texts), noon()).await.unwrap();
    let all = tweets_of(&*ports.tweets, &TweetFilter::default()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut indexers = Vec::new();
    for _ in 0..2 {
        let (index, stopped) = (index.clone(), stopped.clone());
        indexers.push(tokio::spawn(async move {
            while !*stopped.borrow() {
                index.index_texts(3).await.unwrap();
                tokio::task::yield_now().await;
            }
        }));
    }
    let ports = Arc::new(ports.clone());
    let mut editors = Vec::new();
    for mut tweet in all {
        let ports = Arc::clone(&ports);
        editors.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                tweet = edit(&ports, &tweet, &format!("round-{round}-")).await;
            }
        }));
    }
    for editor in editors {
        editor.await.unwrap();
    }
    stop.send(true).unwrap();
    for indexer in indexers {
        indexer.await.unwrap();
    }

    index_all(&index).await;

    assert_eq!(found(&ports, &format!("round-{}-", ROUNDS - 1)).await, ids);
    for text in ["round none", "round-0-", "round-6-"] {
        assert!(found(&ports, text).await.is_empty(), "{text}");
    }
}

/// Totals are right while two processes add up changes, and after that.
async fn totals_stay_true_beside_the_worker(kind: Kind) {
    let (fresh, maintenance) = indexed(kind).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut workers = Vec::new();
    for _ in 0..2 {
        let (maintenance, stopped) = (maintenance.clone(), stopped.clone());
        workers.push(tokio::spawn(async move {
            while !*stopped.borrow() {
                maintenance.add_up(7).await.unwrap();
                tokio::task::yield_now().await;
            }
        }));
    }

    concurrent_changes_keep_the_totals(fresh.ports.source_tweets.clone()).await;

    stop.send(true).unwrap();
    for worker in workers {
        worker.await.unwrap();
    }
}

/// The scripts that take the schema back to the state before totals and searches.
const DOWN: [(&str, &str, &str); 4] = [
    ("0013", include_str!("../../../../migrations/sqlite/0013_statistics/down.sql"), ""),
    (
        "0012",
        include_str!("../../../../migrations/sqlite/0012_search/down.sql"),
        include_str!("../../../../migrations/postgres/0012_search/down.sql"),
    ),
    (
        "0011",
        include_str!("../../../../migrations/sqlite/0011_totals/down.sql"),
        include_str!("../../../../migrations/postgres/0011_totals/down.sql"),
    ),
    ("0010", include_str!("../../../../migrations/sqlite/0010_count_order/down.sql"), ""),
];

async fn an_upgrade_adds_up_and_finds_what_was_stored_before(kind: Kind) {
    let database = Database::new(kind).await;
    let store = Store::open(&database.url).await.unwrap();
    store.migrate(Mode::Run).await.unwrap();
    for (version, sqlite, postgres) in DOWN {
        let down = if kind == Kind::Sqlite { sqlite } else { postgres };
        undo(&database, kind, version, down).await;
    }
    let tweets = store.ports().source_tweets;
    record_many_tweets(&*tweets).await;

    store.migrate(Mode::Run).await.unwrap();

    let index = store.maintenance();
    index.prepare_index().await.unwrap();
    index_all(&index).await;
    check_many_tweets(&*tweets).await;
}

/// For a role that may not create the extension, searches find texts without the index, and the
/// index is created once the extension exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_extension_texts_are_found_and_the_index_follows_later() {
    let database = Database::new(Kind::Postgres).await;
    let role = format!("plain_{}", database.url.rsplit('/').next().unwrap().replace('?', "_"));
    let role: String = role.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let grant = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'plain'; GRANT USAGE, CREATE ON SCHEMA public TO {role}"
    );
    execute(&database, Kind::Postgres, &grant).await;
    let (_, place) = database.url.split_once('@').unwrap();
    let store = Store::open(&format!("postgresql://{role}:plain@{place}")).await.unwrap();
    store.migrate(Mode::Run).await.unwrap();
    let (ports, maintenance) = (store.ports(), store.maintenance());
    let made = batch("b", &[("t-1", "grey heron")]);
    ports.batches.receive(&made, noon()).await.unwrap();

    let refused = maintenance.prepare_index().await;

    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(found(&ports, "HERON").await, ["t-1"]);
    execute(&database, Kind::Postgres, "CREATE EXTENSION pg_trgm").await;
    maintenance.prepare_index().await.unwrap();
    index_all(&maintenance).await;
    assert_eq!(found(&ports, "HERON").await, ["t-1"]);
}

mod sqlite {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn tweets_are_found_while_and_after_they_are_indexed() {
        super::tweets_are_found_while_and_after_they_are_indexed(super::Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_edited_text_is_found_as_it_is() {
        super::an_edited_text_is_found_as_it_is(super::Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_text_is_found_among_many_tweets() {
        super::a_text_is_found_among_many_tweets(super::Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_search_keeps_the_other_conditions() {
        super::a_search_keeps_the_other_conditions(super::Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn edits_beside_the_indexer_are_not_lost() {
        super::edits_beside_the_indexer_are_not_lost(super::Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_upgrade_adds_up_and_finds_what_was_stored_before() {
        super::an_upgrade_adds_up_and_finds_what_was_stored_before(super::Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn totals_stay_true_beside_the_worker() {
        super::totals_stay_true_beside_the_worker(super::Kind::Sqlite).await;
    }
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn tweets_are_found_while_and_after_they_are_indexed() {
        super::tweets_are_found_while_and_after_they_are_indexed(super::Kind::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_edited_text_is_found_as_it_is() {
        super::an_edited_text_is_found_as_it_is(super::Kind::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_text_is_found_among_many_tweets() {
        super::a_text_is_found_among_many_tweets(super::Kind::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_search_keeps_the_other_conditions() {
        super::a_search_keeps_the_other_conditions(super::Kind::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn edits_beside_the_indexer_are_not_lost() {
        super::edits_beside_the_indexer_are_not_lost(super::Kind::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_upgrade_adds_up_and_finds_what_was_stored_before() {
        super::an_upgrade_adds_up_and_finds_what_was_stored_before(super::Kind::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn totals_stay_true_beside_the_worker() {
        super::totals_stay_true_beside_the_worker(super::Kind::Postgres).await;
    }
}
