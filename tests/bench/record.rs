//! Measures the record of events with a million of them: lists, open streams, verification, the
//! removal of old ones, and a backup while clients write.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::database::{Database, Kind};
use crate::process::{Process, command, token};
use crate::raw::Raw;
use crate::timing::{self, PASSWORD};
use crate::wire::Client;
use crate::{CLIENTS, batch, memory_mb, per_call, ratio, reads, rows_per_second, say};

/// The number of stored events.
const EVENTS: u32 = 1_000_000;
/// The number of open streams.
const STREAMS: usize = 50;
/// The number of batches that a client sends in a round.
const BATCHES: usize = 500;
/// How often each measurement is repeated, with and without what is measured in turn.
const ROUNDS: usize = 3;

const LISTS: [(&str, &str); 7] = [
    ("newest events", "events"),
    ("events of one object", "events?object_kind=generated_tweet&object_id=4242"),
    ("events of one actor", "events?actor=user:7"),
    ("events of one kind", "events?kind=post.published"),
    ("events within an hour", "events?from=2024-01-15T10:00:00Z&before=2024-01-15T11:00:00Z"),
    ("events of a user within a month", "events?actor=user:7&from=2024-01-01T00:00:00Z"),
    ("frequent actor, other kind of object", "events?actor=token:1&object_kind=post"),
];

const ENVIRONMENT: [(&str, &str); 4] = [
    ("WAGGLE_LOG", "error"),
    ("REQUESTS_PER_MINUTE", "0"),
    ("ADMIN_SECOND_FACTOR_REQUIRED", "false"),
    ("WAGGLE_EVENTS_KEEP_DAYS", "0"),
];

/// Measures on a separate database.
pub(crate) fn measure(runtime: &Runtime, kind: Kind, database: &Database) {
    // The events of the past come before those of the start, so that they can be removed.
    let migrated = command(database).arg("migrate").output().expect("it runs");
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let mut raw = Raw::open(runtime, kind, &database.url);
    raw.execute(&fill(kind));

    let begun = Instant::now();
    let mut process = Process::start(database, &ENVIRONMENT);
    say("start to ready with 1,000,000 waiting events", &seconds(begun));
    while raw.count("new_events") > 0 {
        std::thread::sleep(Duration::from_millis(500));
    }
    say("until they are appended", &seconds(begun));
    timing::user(database, "ann", "admin", &["--password-stdin"]);
    let token = token(database, &["admin"]);
    raw.vacuum("events");
    let address = process.base.trim_start_matches("http://").to_owned();
    let mut admin = Client::connect(&address, "");
    admin.sign_in("ann@hive.example", PASSWORD);
    for (name, path) in LISTS {
        let path = format!("/api/v1/{path}");
        let (rate, median, slow) = reads(&path, || admin.another(&address));
        say(name, &format!("{rate:.0} calls/s, median {median:.2} ms, p99 {slow:.2} ms"));
    }

    let mut round = 0;
    let mut batches = || {
        round += 1;
        let body = |client, call| {
            batch(&format!("batch-{round}-{client}-{call}"), None).to_string().into_bytes()
        };
        let bodies: Vec<Vec<Vec<u8>>> = (0..CLIENTS)
            .map(|client| (0..BATCHES).map(|call| body(client, call)).collect())
            .collect();
        let client = || Client::connect(&address, &token);
        rows_per_second(&bodies, "/api/receive-tweets", client) / per_call()
    };
    measure_streams(runtime, process.id(), &address, &token, &mut batches);
    if kind == Kind::Sqlite {
        measure_backup(database, &mut batches);
    }
    process.terminate();

    let begun = Instant::now();
    let verified = command(database).args(["audit", "verify"]).output().expect("it runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    say("waggle audit verify", &seconds(begun));

    let mut environment = ENVIRONMENT;
    environment[3] = ("WAGGLE_EVENTS_KEEP_DAYS", "30");
    let _process = Process::start(database, &environment);
    let begun = Instant::now();
    let all = raw.count("events");
    while raw.count("events") >= all {
        std::thread::sleep(Duration::from_millis(200));
    }
    say("until the first old events are removed", &seconds(begun));
    let (begun, before) = (Instant::now(), raw.count("events"));
    std::thread::sleep(Duration::from_secs(10));
    let removed = f64::from(u32::try_from(before - raw.count("events")).expect("it is small"));
    let rate = removed / begun.elapsed().as_secs_f64();
    say("old events removed, a quarter of the time", &format!("{rate:.0} events/s"));
}

fn seconds(begun: Instant) -> String {
    format!("{:.1} s", begun.elapsed().as_secs_f64())
}

/// Open streams beside clients that send batches.
fn measure_streams(
    runtime: &Runtime,
    process: u32,
    address: &str,
    token: &str,
    batches: &mut impl FnMut() -> f64,
) {
    let (mut without, mut with) = (batches(), 0.0_f64);
    let (mut memory, mut memory_with) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        without = without.max(batches());
        memory = memory.max(memory_mb(process, "VmRSS:"));
        let streams: Vec<_> = (0..STREAMS)
            .map(|_| runtime.spawn(follow(address.to_owned(), token.to_owned())))
            .collect();
        with = with.max(batches());
        memory_with = memory_with.max(memory_mb(process, "VmRSS:"));
        for stream in streams {
            assert!(!stream.is_finished(), "a stream stays open");
            stream.abort();
        }
    }
    say(
        "batches of 3 with 50 open streams",
        &format!("{with:.0} batches/s = {} of {without:.0} without", ratio(with, without)),
    );
    say("memory of 50 open streams", &format!("{:.1} MB", memory_with - memory));
}

/// Reads a stream of changes until it ends.
async fn follow(address: String, token: String) {
    let mut stream = TcpStream::connect(address).await.expect("the server takes connections");
    let request =
        format!("GET /api/v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut buffer = [0; 16_384];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// A backup beside clients that send batches.
fn measure_backup(database: &Database, batches: &mut impl FnMut() -> f64) {
    let without = batches().max(batches());
    let file = database.folder.0.join("backup.db");
    let mut with = Vec::new();
    let begun = Instant::now();
    let mut backup =
        command(database).arg("backup").arg(&file).stdout(Stdio::null()).spawn().expect("it runs");
    let took = loop {
        with.push(batches());
        if let Some(status) = backup.try_wait().expect("it ends") {
            assert!(status.success());
            break begun.elapsed();
        }
    };
    let size = std::fs::metadata(&file).expect("it is there").len() / 1_000_000;
    say(
        "backup while clients write",
        &format!(
            "at most {:.1} s for {size} MB; {:.0} batches/s = {} of {without:.0} without",
            took.as_secs_f64(),
            with[0],
            ratio(with[0], without)
        ),
    );
}

/// The statement that records events of the past, which wait to be appended.
fn fill(kind: Kind) -> String {
    let (numbers, at) = match kind {
        Kind::Sqlite => (
            format!(
                "WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers \
                 WHERE i < {EVENTS})"
            ),
            "1700000000000000 + i * 20000000",
        ),
        Kind::Postgres => (
            format!("WITH numbers AS (SELECT i FROM generate_series(1, {EVENTS}) AS i)"),
            "to_timestamp(1700000000 + i * 20)",
        ),
    };
    format!(
        "INSERT INTO new_events (kind, object_kind, object_id, version, actor, request_id, at, \
         change, personal) {numbers} SELECT \
         CASE WHEN i % 20 < 12 THEN 'tweet.approved' \
         WHEN i % 20 < 16 THEN 'source_tweets.reported' WHEN i % 20 < 18 THEN 'post.published' \
         WHEN i % 20 < 19 THEN 'batch.received' ELSE 'user.login_success' END, \
         CASE WHEN i % 20 < 12 THEN 'generated_tweet' WHEN i % 20 < 16 THEN 'run' \
         WHEN i % 20 < 18 THEN 'post' WHEN i % 20 < 19 THEN 'campaign_batch' ELSE 'account' END, \
         CAST(i % 100003 AS TEXT), 2, \
         CASE WHEN i % 20 < 12 THEN 'user:' || (i % 50) WHEN i % 20 < 16 THEN 'token:1' \
         WHEN i % 20 < 18 THEN 'system' WHEN i % 20 < 19 THEN 'token:1' \
         ELSE 'user:' || (i % 50) END, \
         'r-' || i, {at}, \
         '{{\"from\":\"Brand Aligned\",\"to\":\"Approved\",\"before\":{{\"status\":\"Brand \
         Aligned\"}},\"after\":{{\"status\":\"Approved\"}}}}', \
         '{{\"actor\":\"user:7:joe\"}}' FROM numbers"
    )
}
