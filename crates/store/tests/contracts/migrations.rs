//! Tests that migrations are applied once, regardless of which process is first.

use waggle_store::{Mode, Store};

use crate::database::{Database, Kind};

async fn replicas_start_together(kind: Kind) {
    let database = Database::new(kind).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let url = database.url.clone();
        tasks.push(tokio::spawn(async move {
            let store = Store::open(&url).await.unwrap();
            store.migrate(Mode::Run).await.unwrap().len()
        }));
    }
    let mut applied = Vec::new();
    for task in tasks {
        applied.push(task.await.unwrap());
    }

    let store = Store::open(&database.url).await.unwrap();
    let status = store.migration_status().await.unwrap();
    assert_eq!(applied.iter().sum::<usize>(), status.len(), "{applied:?}");
    assert!(status.iter().all(|step| step.applied), "{status:?}");
}

async fn faked_steps_are_recorded_and_not_run(kind: Kind) {
    let database = Database::new(kind).await;
    let store = Store::open(&database.url).await.unwrap();
    let before = store.migration_status().await.unwrap();

    let faked = store.migrate(Mode::Fake).await.unwrap();

    assert!(before.iter().all(|step| !step.applied), "{before:?}");
    assert_eq!(faked.len(), before.len());
    assert!(store.migration_status().await.unwrap().iter().all(|step| step.applied));
    assert!(store.migrate(Mode::Run).await.unwrap().is_empty());
    assert!(store.ports().tokens.list(None).await.is_err(), "there are no tables");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_replicas_start_together() {
    replicas_start_together(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_replicas_start_together() {
    replicas_start_together(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_faked_steps_are_recorded_and_not_run() {
    faked_steps_are_recorded_and_not_run(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_faked_steps_are_recorded_and_not_run() {
    faked_steps_are_recorded_and_not_run(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_for_a_sqlite_file_is_rejected() {
    let fresh = crate::fresh(Kind::Sqlite).await;
    let now = chrono::Utc::now();
    let first = fresh.store.lock_for_server(now).await.unwrap();

    let second = fresh.store.lock_for_server(now).await;

    assert!(second.is_err(), "{second:?}");
    drop(first);
    assert!(fresh.store.lock_for_server(now).await.is_ok());
}

#[tokio::test]
async fn an_invalid_url_is_rejected_without_repeating_it() {
    for url in ["mysql://user:hush@host/x", "/just/a/path", "sqlite://", "postgresql:/x:hush"] {
        let error = Store::open(url).await.unwrap_err();

        assert!(!error.to_string().contains("hush"), "{error}");
    }
}
