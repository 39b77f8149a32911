//! Tests that migrations are applied once, regardless of which process is first.

use waggle_store::{Mode, Store};

use crate::database::{Database, Kind};

/// Executes statements on a separate connection.
pub(crate) async fn execute(database: &Database, kind: Kind, statements: &str) {
    try_execute(database, kind, statements).await.unwrap();
}

/// Executes statements on a separate connection, which may refuse them.
pub(crate) async fn try_execute(
    database: &Database,
    kind: Kind,
    statements: &str,
) -> diesel::QueryResult<()> {
    match kind {
        Kind::Sqlite => {
            use diesel::connection::{Connection as _, SimpleConnection as _};
            let path = database.url.trim_start_matches("sqlite://");
            let mut connection = diesel::SqliteConnection::establish(path).unwrap();
            connection.batch_execute(statements)
        }
        Kind::Postgres => {
            use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};
            let mut connection =
                diesel_async::AsyncPgConnection::establish(&database.url).await.unwrap();
            connection.batch_execute(statements).await
        }
    }
}

/// Takes back a migration with its `down` script.
pub(crate) async fn undo(database: &Database, kind: Kind, version: &str, down: &str) {
    let record = format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'");
    execute(database, kind, &format!("{down}; {record}")).await;
}

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

async fn a_renamed_setting_keeps_its_value(kind: Kind) {
    let database = Database::new(kind).await;
    let store = Store::open(&database.url).await.unwrap();
    store.migrate(Mode::Run).await.unwrap();
    // It is the same on both databases.
    let down = include_str!("../../../../migrations/sqlite/0014_reconcile_setting/down.sql");
    undo(&database, kind, "0014", down).await;
    let time = if kind == Kind::Sqlite { "0" } else { "now()" };
    let change = format!(
        "INSERT INTO setting_changes (revision, key, action, is_set, changed_at, changed_by) \
         VALUES (1, 'TWITTER_DOUBT_SECONDS', 'set', {}, {time}, '')",
        if kind == Kind::Sqlite { "1" } else { "true" }
    );
    execute(&database, kind, &change).await;
    let insert = format!(
        "INSERT INTO app_settings (key, value, version, created_at, updated_at, updated_by) \
         VALUES ('TWITTER_DOUBT_SECONDS', 'x', 0, {time}, {time}, '')"
    );
    execute(&database, kind, &insert).await;

    store.migrate(Mode::Run).await.unwrap();

    let settings = store.ports().settings;
    let stored = settings.load().await.unwrap().settings;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].key, "TWITTER_RECONCILE_SECONDS");
    assert_eq!(stored[0].value, waggle_settings::Kept::Clear("x".to_owned()));
    let changes = settings.changes(waggle_settings::Revision(1)).await.unwrap();
    assert_eq!(changes[0].key, "TWITTER_RECONCILE_SECONDS");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_renamed_on_sqlite_keeps_its_value() {
    a_renamed_setting_keeps_its_value(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_renamed_on_postgres_keeps_its_value() {
    a_renamed_setting_keeps_its_value(Kind::Postgres).await;
}
