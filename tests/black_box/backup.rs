//! Tests of backups: one that is made under load is a state of one moment, and after it is restored
//! nothing goes out by itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::database::{Database, Kind};
use crate::process::Process;
use crate::{Waggle, count, on_both, run};

/// Runs a command that must succeed, and returns the JSON that it prints.
fn command(database: &Database, arguments: &[&str]) -> Value {
    let output = run(database, arguments, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command that must fail complains of.
fn failure(database: &Database, arguments: &[&str]) -> String {
    let output = run(database, arguments, "");
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// Queues three posts: one that is due at once, and two that are due later.
async fn three_posts(waggle: &Waggle) -> [i64; 3] {
    let tweets = waggle.batch("b", &["Published", "Due soon", "Due later"]).await;
    let mut posts = [0; 3];
    for (post, (tweet, hours)) in posts.iter_mut().zip(tweets.into_iter().zip([0, 1, 1_000])) {
        waggle.act(tweet, "approve").await.ok();
        let at = chrono::Utc::now() + chrono::Duration::hours(hours);
        let body = if hours == 0 { json!({}) } else { json!({ "at": at }) };
        let queued = waggle.publish_at(tweet, None, body).await.ok();
        *post = queued["post"]["id"].as_i64().unwrap();
    }
    waggle.until_published(posts[0]).await;
    posts
}

async fn statuses(waggle: &Waggle, posts: [i64; 3]) -> Vec<String> {
    let mut statuses = Vec::new();
    for post in posts {
        let post = waggle.get(&format!("/api/v1/posts/{post}")).await.ok();
        statuses.push(post["status"].as_str().unwrap().to_owned());
    }
    statuses
}

/// `restored` is for databases that were restored with other tools.
async fn after_a_restore_nothing_goes_out_by_itself(kind: Kind) {
    let mut waggle = Waggle::start(kind).await;
    let posts = three_posts(&waggle).await;
    waggle.admin().await;
    assert_eq!(waggle.process.terminate(), Some(0));

    let said = command(&waggle.database, &["restored", "--json"]);
    waggle.again(&[]);

    let listed: Vec<i64> =
        said["posts"].as_array().unwrap().iter().map(|post| post["id"].as_i64().unwrap()).collect();
    assert_eq!(listed, posts[1..]);
    assert_eq!(said["posts"][0]["content"], "Due soon");
    assert_eq!(said["sessions"], 1);
    assert_eq!(statuses(&waggle, posts).await, ["published", "missed", "missed"]);
    let post = waggle.get(&format!("/api/v1/posts/{}", posts[1])).await.ok();
    assert!(post["last_error"].as_str().unwrap().starts_with("restored: "), "{post}");
    assert_eq!(waggle.timeline().await, ["Published"]);
    let events = "SELECT COUNT(*) FROM events WHERE kind = 'database.restored'";
    assert_eq!(count(&waggle.database, events).await, 1);
    assert_eq!(command(&waggle.database, &["audit", "verify", "--json"])["intact"], true);
    // A person can publish such a post again.
    let tweet = post["twitter"]["generated_tweet_id"].as_i64().unwrap();
    let shown = waggle.get(&format!("/api/v1/generated-tweets/{tweet}")).await.ok();
    waggle.publish_at(tweet, shown["version"].as_i64(), json!({})).await.ok();
    waggle.until_published(posts[1]).await;
}

/// What a post says that was being published when the backup was made.
async fn a_delivery_that_had_begun_is_unknown_after_a_restore(kind: Kind) {
    let mut waggle = Waggle::start(kind).await;
    let posts = three_posts(&waggle).await;
    assert_eq!(waggle.process.terminate(), Some(0));
    let begun = format!(
        "UPDATE posts SET status = 'publishing' WHERE id = {0}; \
         INSERT INTO deliveries (post_id, attempt, round, state, platform, channel, key, request, \
         hash, started_at) SELECT {0}, 1, 1, 'in_flight', platform, channel, 'k', request, hash, \
         started_at FROM deliveries WHERE post_id = {1}",
        posts[1], posts[0]
    );
    crate::execute(&waggle.database, &begun).await.unwrap();

    command(&waggle.database, &["restored", "--json"]);
    waggle.again(&[]);

    assert_eq!(statuses(&waggle, posts).await, ["published", "unknown", "missed"]);
    assert_eq!(waggle.timeline().await, ["Published"]);
}

on_both! {
    after_a_restore_nothing_goes_out_by_itself,
    a_delivery_that_had_begun_is_unknown_after_a_restore,
}

/// The state of tweets and batches in a database that no server uses.
async fn state(database: &Database) -> [i64; 3] {
    let count = async |sql| count(database, sql).await;
    [
        count("SELECT COUNT(*) FROM campaign_batches").await,
        count("SELECT COUNT(*) FROM generated_tweets").await,
        count("SELECT (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM new_events)").await,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_restored_to_the_same_state() {
    let mut waggle = Waggle::start(Kind::Sqlite).await;
    let posts = three_posts(&waggle).await;
    let waggle_while_it_works = Arc::new(waggle);
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (waggle, stop) = (Arc::clone(&waggle_while_it_works), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::SeqCst) && number < 1_000 {
                waggle.batch(&format!("load-{number}"), &["One", "Two"]).await;
                number += 1;
            }
            number
        })
    };
    let database = Arc::clone(&waggle_while_it_works.database);
    let backup = database.folder.0.join("backup.db");
    let backup = backup.to_str().unwrap();

    let said = tokio::task::spawn_blocking({
        let (database, backup) = (Arc::clone(&database), backup.to_owned());
        move || command(&database, &["backup", "--json", &backup])
    });
    let said = said.await.unwrap();
    stop.store(true, Ordering::SeqCst);
    assert!(load.await.unwrap() > 0);
    waggle = Arc::into_inner(waggle_while_it_works).unwrap();
    let again = failure(&database, &["backup", backup]);
    let in_use = failure(&database, &["restore", backup]);
    assert_eq!(waggle.process.terminate(), Some(0));
    let after_load = state(&database).await;
    let copy = Database { url: format!("sqlite://{backup}"), ..Database::new(Kind::Sqlite).await };
    let in_backup = state(&copy).await;
    // The disk is lost.
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(database.folder.0.join(format!("waggle.db{end}")));
    }
    let restored = command(&database, &["restore", "--json", backup]);

    assert!(said["bytes"].as_u64().unwrap() > 0);
    assert!(again.contains("exists already"), "{again}");
    assert!(in_use.contains("is in use by another Waggle server"), "{in_use}");
    assert_eq!(restored["posts"].as_array().unwrap().len(), 2);
    let [batches, tweets, events] = state(&database).await;
    assert_eq!([batches, tweets], in_backup[..2]);
    assert!(batches <= after_load[0] && tweets == 3 + (batches - 1) * 2, "{batches} {tweets}");
    // Two posts, their tweets, and the restore itself.
    assert_eq!(events, in_backup[2] + 5);
    waggle.process = Process::start(&database, &[]);
    assert_eq!(statuses(&waggle, posts).await, ["published", "missed", "missed"]);
    assert_eq!(command(&database, &["audit", "verify", "--json"])["intact"], true);
    assert_eq!(waggle.timeline().await, ["Published"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_replaced_is_kept_and_what_is_no_backup_is_refused() {
    let mut waggle = Waggle::start(Kind::Sqlite).await;
    let folder = waggle.database.folder.0.clone();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    command(&waggle.database, &["backup", "--json", &path("backup.db")]);
    waggle.batch("after-the-backup", &["One"]).await;
    waggle.process.kill();
    std::fs::write(path("text.db"), "no database at all, but a text of some length").unwrap();
    let whole = std::fs::read(path("backup.db")).unwrap();
    std::fs::write(path("half.db"), &whole[..whole.len() / 2]).unwrap();
    rusqlite::Connection::open(path("foreign.db"))
        .unwrap()
        .execute_batch("CREATE TABLE t (a)")
        .unwrap();

    for bad in ["text.db", "half.db", "foreign.db", "missing.db"] {
        let said = failure(&waggle.database, &["restore", &path(bad)]);
        assert!(!said.contains("panicked"), "{bad}: {said}");
        assert!(!Path::new(&path("waggle.db.restoring")).exists(), "{bad}");
        let batches = count(&waggle.database, "SELECT COUNT(*) FROM campaign_batches").await;
        assert_eq!(batches, 1, "{bad}");
    }
    let restored = command(&waggle.database, &["restore", "--json", &path("backup.db")]);

    let batches = "SELECT COUNT(*) FROM campaign_batches";
    assert_eq!(count(&waggle.database, batches).await, 0);
    let kept = restored["replaced"].as_str().unwrap();
    let kept: i64 =
        rusqlite::Connection::open(kept).unwrap().query_row(batches, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1, "the killed server had it in its write-ahead log only");
}

/// Of backups to one file at the same time, one is made, and it is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_backups_are_one() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    waggle.batch("b", &["One"]).await;
    let path = waggle.database.folder.0.join("backup.db");

    let runs: Vec<_> = (0..6)
        .map(|_| {
            let (database, path) = (Arc::clone(&waggle.database), path.clone());
            tokio::task::spawn_blocking(move || {
                run(&database, &["backup", path.to_str().unwrap()], "").status.success()
            })
        })
        .collect();
    let mut succeeded = 0;
    for run in runs {
        succeeded += usize::from(run.await.unwrap());
    }

    assert_eq!(succeeded, 1);
    let copy = rusqlite::Connection::open(&path).unwrap();
    let batches = "SELECT COUNT(*) FROM campaign_batches";
    let batches: i64 = copy.query_row(batches, [], |row| row.get(0)).unwrap();
    assert_eq!(batches, 1);
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let left = std::fs::read_dir(&waggle.database.folder.0).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_str().unwrap().contains("partial")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_behind_a_link_is_replaced_where_it_is() {
    let mut waggle = Waggle::start(Kind::Sqlite).await;
    let folder = waggle.database.folder.0.clone();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    command(&waggle.database, &["backup", "--json", &path("backup.db")]);
    waggle.batch("after-the-backup", &["One"]).await;
    assert_eq!(waggle.process.terminate(), Some(0));
    std::fs::create_dir(path("disk")).unwrap();
    std::fs::rename(path("waggle.db"), path("disk/real.db")).unwrap();
    std::os::unix::fs::symlink(path("disk/real.db"), path("waggle.db")).unwrap();

    let itself = failure(&waggle.database, &["restore", &path("disk/real.db")]);
    command(&waggle.database, &["restore", "--json", &path("backup.db")]);

    assert!(itself.contains("is not a separate file"), "{itself}");
    assert!(Path::new(&path("waggle.db")).is_symlink());
    let batches = "SELECT COUNT(*) FROM campaign_batches";
    assert_eq!(count(&waggle.database, batches).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_the_commands_name_its_tools() {
    let waggle = Waggle::start(Kind::Postgres).await;

    let backup = failure(&waggle.database, &["backup", "b.dump"]);
    let restore = failure(&waggle.database, &["restore", "b.dump"]);

    assert!(backup.contains("pg_dump --format=custom --file=b.dump"), "{backup}");
    assert!(
        restore.contains("pg_restore --exit-on-error") && restore.contains("restored"),
        "{restore}"
    );
}
