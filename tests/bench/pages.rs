//! Measures how long the server takes for each page of the console, with many objects stored.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::database::{Database, Kind};
use crate::process::Process;
use crate::raw::Raw;
use crate::timing::{PASSWORD, user};
use crate::wire::Client;
use crate::{growth, memory_mb, say};

/// The number of source tweets and of generated tweets.
const STORED: u32 = 100_000;
/// The number of posts.
const POSTS: u32 = 100_000;
/// How often each page is loaded.
const LOADS: usize = 300;

const PAGES: [&str; 20] = [
    "/",
    "/review",
    "/batches",
    "/batches/33000",
    "/tweets/50000",
    "/sources",
    "/sources?sort=likes&min_likes=50000",
    "/posts",
    "/posts?status=failed",
    "/posts/50000",
    "/publishing",
    "/sandbox",
    "/tokens",
    "/settings?group=mail",
    "/settings/history",
    "/users",
    "/audit",
    "/notifications",
    "/account",
    "/checks",
];

pub(crate) fn measure(runtime: &Runtime, kind: Kind, database: &Database) {
    let quiet = [("WAGGLE_LOG", "error"), ("REQUESTS_PER_MINUTE", "0")];
    let mut process = Process::start(database, &quiet);
    user(database, "ana", "admin", &["--password-stdin"]);
    std::thread::sleep(Duration::from_secs(2));
    say("memory when idle (RSS)", &format!("{:.1} MB", memory_mb(process.id(), "VmRSS:")));
    process.kill();
    let mut raw = Raw::open(runtime, kind, &database.url);
    for statement in growth::fill(kind, STORED, STORED).iter().chain(&posts(kind)) {
        raw.execute(statement);
    }
    drop(raw);

    let process = Process::start(database, &quiet);
    let mut raw = Raw::open(runtime, kind, &database.url);
    raw.wait_for_index();
    drop(raw);
    let address = process.base.trim_start_matches("http://").to_owned();
    let mut client = Client::connect(&address, "");
    client.sign_in("ana", PASSWORD);
    for path in PAGES {
        let mut bytes = 0;
        let mut times: Vec<f64> = (0..LOADS)
            .map(|_| {
                let sent = Instant::now();
                bytes = client.get(path);
                sent.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        let (median, slow) = (at(50), at(99));
        say(path, &format!("median {median:.2} ms, p99 {slow:.2} ms, {} KB", bytes / 1024));
    }
    say("memory after that (RSS)", &format!("{:.1} MB", memory_mb(process.id(), "VmRSS:")));
}

/// The statements that store posts of all states, and let some drafts wait.
fn posts(kind: Kind) -> [String; 3] {
    let (numbers, time) = match kind {
        Kind::Sqlite => (
            format!(
                "WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers \
                 WHERE i < {POSTS})"
            ),
            "1700000000000000 + i * 20000000",
        ),
        Kind::Postgres => (
            format!(
                "WITH numbers AS (SELECT i::bigint AS i FROM generate_series(1, {POSTS}) AS i)"
            ),
            "to_timestamp(1700000000 + i * 20)",
        ),
    };
    let later = match kind {
        Kind::Sqlite => "4000000000000000 + i",
        Kind::Postgres => "to_timestamp(4000000000 + i)",
    };
    let status = "CASE WHEN i % 100 = 1 THEN 'failed' WHEN i % 100 = 2 THEN 'scheduled' \
                  WHEN i % 1000 = 3 THEN 'missed' WHEN i % 1000 = 4 THEN 'unknown' \
                  ELSE 'published' END";
    [
        format!(
            "INSERT INTO posts (platform, content, status, scheduled_time, published_time, \
             platform_post_id, url, hashtags, mentions, media_urls, approved_by, approved_at, \
             approved_hash, due_at, last_error, created_at, updated_at) {numbers} SELECT \
             'sandbox', 'Post ' || i, {status}, {time}, {time}, 'sandbox-' || i, \
             '/sandbox#sandbox-' || i, '[]', '[]', '[]', 'system', {time}, '{}', \
             CASE WHEN i % 100 = 2 THEN {later} END, \
             CASE WHEN i % 100 = 1 THEN 'refused' END, {time}, {time} FROM numbers",
            "0".repeat(64)
        ),
        "INSERT INTO twitter_posts (post_id, generated_tweet_id, campaign_batch_id) \
         SELECT posts.id, tweets.id, tweets.campaign_batch_id FROM posts \
         JOIN generated_tweets AS tweets ON tweets.id = posts.id"
            .to_owned(),
        "UPDATE generated_tweets SET status = 'Brand Aligned' WHERE id % 100 = 7".to_owned(),
    ]
}
