//! Measures how rates and response times change as the database grows.

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::database::{Database, Kind};
use crate::process::{Process, token};
use crate::raw::Raw;
use crate::wire::Client;
use crate::{
    CALLS, CLIENTS, ROUNDS, ROWS, content, ratio, reads, resident_mb, rows_per_second, say,
};

/// The number of source tweets that are stored before the second measurement.
const STORED: u32 = 1_000_000;

/// Lists that people make, and what they cost.
const LISTS: [(&str, &str); 9] = [
    ("newest", "/api/v1/source-tweets?limit=50"),
    ("most likes", "/api/v1/source-tweets?sort=likes&limit=50"),
    ("most views", "/api/v1/source-tweets?sort=views&limit=50"),
    ("most engagement", "/api/v1/source-tweets?sort=total_engagement&limit=50"),
    ("filtered by views, most likes", "/api/v1/source-tweets?min_views=5000&sort=likes&limit=50"),
    ("one run", "/api/v1/source-tweets?execution_id=filled-7&limit=50"),
    ("one status", "/api/v1/source-tweets?status=success&limit=50"),
    ("search without a match", "/api/v1/source-tweets?search=nowhere%20to%20be%20found&limit=50"),
    ("totals", "/api/v1/source-tweets/totals"),
];

pub(crate) fn measure(runtime: &Runtime, kind: Kind, database: &Database) {
    let quiet = [("WAGGLE_LOG", "error"), ("REQUESTS_PER_MINUTE", "0")];
    let mut process = Process::start(database, &quiet);
    let token = token(database, &["admin"]);
    let empty = new_tweets(0, &process, &token);
    process.kill();
    let mut raw = Raw::open(runtime, kind, &database.url);
    raw.execute(&fill(kind));
    drop(raw);

    let process = Process::start(database, &quiet);
    let full = new_tweets(ROUNDS, &process, &token);
    say("new tweets, HTTP, empty", &format!("{empty:.0} tweets/s"));
    say(
        &format!("new tweets, HTTP, {STORED} stored"),
        &format!("{full:.0} tweets/s = {} of empty (aim: above 50 %)", ratio(full, empty)),
    );
    let address = process.base.trim_start_matches("http://").to_owned();
    for (name, path) in LISTS {
        let (rate, median, slow) = reads(path, || Client::connect(&address, &token));
        say(
            &format!("list: {name}"),
            &format!("{rate:.0} calls/s, median {median:.2} ms, p99 {slow:.2} ms"),
        );
    }
    say("memory after that (RSS)", &format!("{:.1} MB", resident_mb(process.id())));
}

/// The best rate of new tweets of several rounds, in tweets per second.
fn new_tweets(first_round: usize, process: &Process, token: &str) -> f64 {
    let address = process.base.trim_start_matches("http://").to_owned();
    let mut best = 0.0_f64;
    for round in first_round..first_round + ROUNDS {
        let bodies: Vec<Vec<Vec<u8>>> = (0..CLIENTS)
            .map(|client| (0..CALLS).map(|call| report(round, client, call)).collect())
            .collect();
        let client = || Client::connect(&address, token);
        best = best.max(rows_per_second(&bodies, "/api/check-duplicate-tweet", client));
    }
    best
}

/// Inserts the stored tweets: ids and dates rise, as those of X do, and counts are scattered.
fn fill(kind: Kind) -> String {
    let (numbers, no) = match kind {
        Kind::Sqlite => (
            format!(
                "WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE \
                 i < {STORED})"
            ),
            "0",
        ),
        Kind::Postgres => (
            format!(
                "WITH numbers AS (SELECT i::bigint AS i FROM generate_series(1, {STORED}) AS i)"
            ),
            "false",
        ),
    };
    let time = |value: &str| match kind {
        Kind::Sqlite => value.to_owned(),
        Kind::Postgres => format!("to_timestamp(({value}) / 1000000.0)"),
    };
    let date = time("1700000000000000 + i * 30000000");
    let now = time("1755181831000000");
    let words = content(0);
    format!(
        "{numbers} INSERT INTO source_tweets (tweet_id, url, content, likes, retweets, replies, \
         quotes, views, total_engagement, date, date_raw, status, tweet_url, execution_id, \
         source_url, run_key, received_from, unauthenticated, processed_at, refreshed_at, \
         is_processed) SELECT CAST(8000000000000000000 + i AS TEXT), 'https://x.com/example', \
         '{words}', (i * 2654435761) % 100003, (i * 40503) % 10007, i % 10, i % 5, \
         (i * 2246822519) % 1000003, (i * 3266489917) % 110017, {date}, '2025-08-14', 'success', \
         'https://x.com/example', 'filled-' || (i / 500), 'https://n8n.example.com', \
         'filled-' || (i / 500), 'system', {no}, {now}, {now}, i <= 900000 FROM numbers"
    )
}

fn report(round: usize, client: usize, call: usize) -> Vec<u8> {
    let tweets: Vec<Value> = (0..ROWS)
        .map(|row| {
            let number = ((round * CLIENTS + client) * 1_000 + call) * ROWS + row;
            let scattered = number.wrapping_mul(2_654_435_761);
            json!({
                "Tweet ID": format!("9{number:018}"),
                "URL": format!("https://x.com/example/status/{number}"),
                "Content": content(number),
                "Likes": scattered % 100_003,
                "Retweets": scattered % 10_007,
                "Replies": number % 10,
                "Quotes": number % 5,
                "Views": scattered % 1_000_003,
                "Date": "Thu Aug 14 14:30:31 +0000 2025",
                "Status": "success",
            })
        })
        .collect();
    json!({ "execution_id": format!("run-{round}-{client}-{call}"), "tweets": tweets })
        .to_string()
        .into_bytes()
}
