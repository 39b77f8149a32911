//! Tests of failures of databases, disks and logs, and of signals, and of what the server reports.

use std::process::Stdio;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::database::{Database, Folder, Kind, server};
use crate::process::{Process, command, token};
use crate::{Waggle, answer, count, execute, on_both, postgres, process, run};

const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                            WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_postgres_ends_are_replaced_and_never_a_500() {
    let waggle = Waggle::start(Kind::Postgres).await;
    let mut stored = Vec::new();
    for round in 0..3 {
        // Use every connection of the pool once.
        let calls = (0..16).map(|_| waggle.get("/api/v1/posts"));
        futures_util::future::join_all(calls).await;

        execute(&waggle.database, END_SESSIONS).await.unwrap();
        let mut statuses = Vec::new();
        for number in 0..10 {
            let read = waggle.get("/api/v1/posts").await.status;
            let name = format!("b-{round}-{number}");
            let write = waggle.post("/api/receive-tweets", of_one_tweet(&name)).await.status;
            statuses.extend([read, write]);
            if write == 200 {
                stored.push(name);
            }
        }

        assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
        let served = statuses.iter().filter(|&&status| status == 200).count();
        assert!(served >= 18, "{statuses:?}");
        assert_eq!(statuses.last(), Some(&200), "{statuses:?}");
    }
    let tweets = waggle.get("/api/v1/generated-tweets?limit=200").await.ok();
    for name in stored {
        let is_of_batch = |tweet: &&serde_json::Value| tweet["tweet_id"] == json!(name);
        let count = tweets["items"].as_array().unwrap().iter().filter(is_of_batch).count();
        assert_eq!(count, 1, "{name}");
    }
}

/// A batch with one tweet, which has the name of the batch as its id.
fn of_one_tweet(name: &str) -> serde_json::Value {
    json!({ "campaign_batch": name, "tweets": [{ "id": name, "content": format!("of {name}") }] })
}

/// The session ends while its statement waits for another batch of the same name, which is not
/// committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_session_is_ended_is_stored_by_the_same_call() {
    const END_WAITING: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waggle = Waggle::start(Kind::Postgres).await;
    let other = postgres(&waggle.database).await;
    let namesake = "BEGIN; INSERT INTO campaign_batches (batch_id, claimed_batch_id, \
                    analysis_summary, total_tweets, ready_for_deployment, source_type, title, \
                    description, received_from, unauthenticated, created_at) \
                    VALUES ('b', 'b', '{}', 0, 0, '', '', '', '', false, now())";
    other.batch_execute(namesake).await.unwrap();

    let end = async {
        let begun = std::time::Instant::now();
        while count(&waggle.database, END_WAITING).await == 0 {
            assert!(begun.elapsed() < crate::process::PATIENCE, "nothing waits");
        }
        other.batch_execute("ROLLBACK").await.unwrap();
    };
    let (stored, ()) = tokio::join!(waggle.post("/api/receive-tweets", of_one_tweet("b")), end);

    assert_eq!(stored.ok()["stored_count"], 1);
}

/// The error output of a server that must fail to start.
fn failed_start(database: &Database) -> String {
    let output = run(database, &["serve"], "");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn at(url: &str) -> Database {
    Database { url: url.to_owned(), folder: Folder::new() }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_called_by_its_reason() {
    let good = server();
    let (_, host) = good.rsplit_once('@').unwrap();
    let wrong_role = format!("postgresql://nobody_of_this_name:hush@{host}");
    // A server that accepts connections and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let silent = format!("postgresql://u:hush@{silent}/d?connect_timeout=1&sslmode=disable");
    let cases = [
        (silent, "did not answer within 2 seconds"),
        (good.replace("/postgres?", "/no_such_database?"), "no_such_database"),
        (wrong_role, "nobody_of_this_name"),
        ("postgresql://u:hush@127.0.0.1:1/d".to_owned(), "refused"),
        ("postgresql://u:hush@no-such-host.invalid/d".to_owned(), "lookup"),
    ];
    for (url, reason) in cases {
        let said = failed_start(&at(&url));

        assert!(said.contains(reason) && !said.contains("hush"), "{reason}: {said}");
        assert!(!said.contains("Timed out in bb8"), "{said}");
    }
    let database = Database::new(Kind::Sqlite).await;
    std::fs::write(database.folder.0.join("waggle.db"), "this is a letter to my aunt").unwrap();
    let said = failed_start(&database);
    assert!(said.contains("not a database"), "{said}");
}

#[tokio::test]
async fn a_database_that_would_lose_texts_is_refused() {
    let database = Database::new(Kind::Postgres).await;
    let name = format!("latin_{}", std::process::id());
    let sql = format!(
        "CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    );
    execute(&database, &sql).await.unwrap();
    let latin = at(&server().replacen("/postgres?", &format!("/{name}?"), 1));

    let said = failed_start(&latin);

    assert!(said.contains("LATIN1") && said.contains("UTF8"), "{said}");
}

async fn a_schema_from_the_future_is_refused(kind: Kind) {
    let mut waggle = Waggle::start(kind).await;
    waggle.process.kill();
    let now = if kind == Kind::Sqlite { "CURRENT_TIMESTAMP" } else { "now()" };
    let sql = format!("INSERT INTO __diesel_schema_migrations VALUES ('9999', {now})");
    execute(&waggle.database, &sql).await.unwrap();

    let said = failed_start(&waggle.database);

    assert!(said.contains("9999") && said.contains("newer"), "{said}");
}

async fn a_database_of_another_program_is_refused_and_stays_as_it_is(kind: Kind) {
    let database = process::database(kind).await;
    let sql = "CREATE TABLE letters (id integer); INSERT INTO letters VALUES (1)";
    execute(&database, sql).await.unwrap();
    let content = || std::fs::read(database.folder.0.join("waggle.db")).ok();
    let before = content();

    for command in [&["serve"][..], &["migrate"], &["users", "list"], &["migrate", "status"]] {
        let output = run(&database, command, "");

        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("another program's"), "{said}");
    }
    assert_eq!(content(), before);
    assert!(execute(&database, "SELECT 1 FROM users").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_is_reported_and_reads_still_work() {
    let waggle = Waggle::start(Kind::Postgres).await;
    let sql = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only \
               = on', current_database()); END $$";
    execute(&waggle.database, sql).await.unwrap();
    execute(&waggle.database, END_SESSIONS).await.unwrap();
    let hand_in = || waggle.post("/api/receive-tweets", of_one_tweet("b"));

    // The first call may fail because its session was ended.
    hand_in().await;
    let refused = hand_in().await;

    assert!(refused.status == 503 && refused.text.contains("accepts no writes"), "{refused:?}");
    waggle.get("/api/v1/posts").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_answered_while_another_program_holds_the_lock() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    let fresh = token(&waggle.database, &["read"]);
    let path = waggle.database.url.strip_prefix("sqlite://").unwrap().to_owned();
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    // The time of the token's last use cannot be written, but reads do not depend on it.
    for _ in 0..3 {
        let read = waggle.request(Method::GET, "/api/v1/posts").bearer_auth(&fresh);
        answer(read).await.ok();
    }
    let write = waggle.post("/api/receive-tweets", json!({ "campaign_batch": "b", "tweets": [] }));
    write.await.refused(503);

    other.execute_batch("ROLLBACK").unwrap();
    let write = waggle.post("/api/receive-tweets", json!({ "campaign_batch": "b", "tweets": [] }));
    write.await.ok();
}

/// Starts a server whose log goes to `log`, and returns the process and the base URL.
fn logging_to(database: &Database, log: Stdio) -> (std::process::Child, String) {
    use std::io::{BufRead as _, BufReader};

    let mut child =
        command(database).arg("serve").stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let base = lines
        .map_while(Result::ok)
        .find_map(|line| {
            let rest = line.strip_prefix("Waggle is at ")?.to_owned();
            Some(rest.split(',').next()?.to_owned())
        })
        .unwrap();
    (child, base)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_does_not_stop_requests() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for log in [Stdio::from(full), Stdio::piped()] {
        let database = Database::new(Kind::Sqlite).await;
        let (mut child, base) = logging_to(&database, log);
        // If it is a pipe, its reader is gone.
        drop(child.stderr.take());
        let token = token(&database, &["read"]);

        for _ in 0..5 {
            let request = crate::client().get(format!("{base}/api/v1/posts")).bearer_auth(&token);
            answer(request).await.ok();
        }

        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// As with a log collector that hangs, or a paused terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_reader_is_blocked_does_not_stop_requests() {
    let database = Database::new(Kind::Sqlite).await;
    let (mut child, base) = logging_to(&database, Stdio::piped());
    let unread = child.stderr.take().unwrap();
    let client = crate::client();

    // More lines than fit in a pipe, which holds 64 KiB.
    for _ in 0..1_000 {
        let call = client.get(format!("{base}/health/live"));
        let answered = call.timeout(crate::process::PATIENCE).send().await.unwrap();
        assert_eq!(answered.status(), 200);
    }
    let sent = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
    let begun = std::time::Instant::now();
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        assert!(begun.elapsed() < crate::process::PATIENCE, "it does not end");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };

    assert!(ended.success());
    drop(unread);
}

async fn a_server_is_ready_while_its_database_answers(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let ready = || async { waggle.get("/health/ready").await.status };
    assert_eq!(ready().await, 200);
    if kind == Kind::Postgres {
        // The database accepts no connections.
        let name = waggle.database.url.rsplit('/').next().unwrap().split('?').next().unwrap();
        let other = Database::new(Kind::Postgres).await;
        let allow = |is: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {is}");
        execute(&other, &allow(false)).await.unwrap();
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        execute(&other, &end).await.unwrap();

        assert_eq!(ready().await, 503);
        let refused = waggle.get("/api/v1/posts").await;
        assert_eq!(refused.status, 503, "{refused:?}");
        // Every response says when to try again, also for n8n.
        for path in ["/api/v1/posts", "/api/check-duplicate-tweet", "/health/ready"] {
            let method = if path.contains("check") { Method::POST } else { Method::GET };
            let call = waggle.request(method, path).bearer_auth(&waggle.token);
            let response = call.json(&json!({ "tweets": [] })).send().await.unwrap();
            assert_eq!(response.status(), 503, "{path}");
            assert!(response.headers().contains_key("retry-after"), "{path}");
        }

        execute(&other, &allow(true)).await.unwrap();
        assert_eq!(ready().await, 200);
        assert_eq!(waggle.get("/api/v1/posts").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_end_while_it_starts_ends() {
    for wait in [0, 5, 20, 60] {
        let database = Database::new(Kind::Sqlite).await;
        let mut child = command(&database)
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
        let sent = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
        assert!(sent.success());

        let begun = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < crate::process::PATIENCE, "it does not end");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        // Another server can start on the data that it left.
        Process::start(&database, &[]).kill();
    }
}

/// While one address uses all of its connections, another address is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_does_not_block_others() {
    let waggle = Waggle::with(Kind::Sqlite, &[("HTTP_CONNECTIONS_PER_ADDRESS", "16")]).await;
    let address = waggle.process.base.trim_start_matches("http://").to_owned();
    let mut held = Vec::new();
    for _ in 0..64 {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            let _ = stream.write_all(b"G").await;
            held.push(stream);
        }
    }
    let other = reqwest::Client::builder().local_address(Some([127, 0, 0, 2].into()));
    let live = other.build().unwrap().get(format!("{}/health/live", waggle.process.base));

    assert_eq!(live.send().await.unwrap().status(), 200);

    // Connections over the limit were rejected, and those within it are open.
    let mut refused = 0;
    for stream in &mut held {
        let mut byte = [0; 1];
        let read = stream.read(&mut byte);
        let closed = tokio::time::timeout(std::time::Duration::from_millis(20), read).await;
        refused += i32::from(closed.is_ok());
    }
    assert!(refused >= 48, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_at_an_open_route_is_refused_unread() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    let address = waggle.process.base.trim_start_matches("http://").to_owned();
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\n\
             Content-Type: application/json\r\nContent-Length: 1000000\r\n{expect}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();

        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer);
        tokio::time::timeout(crate::process::PATIENCE, read).await.unwrap().unwrap();

        assert_eq!(&answer, b"HTTP/1.1 413", "{expect}");
    }
}

on_both! {
    a_database_of_another_program_is_refused_and_stays_as_it_is,
    a_schema_from_the_future_is_refused,
    a_server_is_ready_while_its_database_answers,
}
