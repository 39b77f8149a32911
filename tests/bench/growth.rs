//! Measures how rates and response times change as the database grows.

use std::time::Instant;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::database::{Database, Kind};
use crate::process::{Process, token};
use crate::raw::Raw;
use crate::wire::Client;
use crate::{CALLS, CLIENTS, ROUNDS, ROWS, memory_mb, ratio, reads, rows_per_second, say};

/// The number of source tweets that are stored before the second measurement.
const STORED: u32 = 1_000_000;
/// The number of generated tweets that are stored besides, in batches of 3.
const GENERATED: u32 = 300_000;
/// The number of different words in the stored texts, and of words in each text. A few words are in
/// many texts, and most words are in few, as in a language.
const VOCABULARY: usize = 2_000;
const WORDS: usize = 20;

/// Lists that people make, and totals.
const LISTS: [(&str, &str); 14] = [
    ("newest", "source-tweets?"),
    ("most likes", "source-tweets?sort=likes"),
    ("most views", "source-tweets?sort=views"),
    ("most engagement", "source-tweets?sort=total_engagement"),
    ("many views, most likes", "source-tweets?min_views=5000&sort=likes"),
    ("very many views, newest", "source-tweets?min_views=999900"),
    ("one run", "source-tweets?execution_id=filled-7"),
    ("one status", "source-tweets?status=success"),
    ("rare status, most likes", "source-tweets?status=error&sort=likes"),
    ("totals: all", "source-tweets/totals?"),
    ("totals: one run", "source-tweets/totals?execution_id=filled-7"),
    (
        "totals: ten weeks",
        "source-tweets/totals?date_from=2024-02-01T09:00:00Z&date_before=2024-04-11T09:00:00Z",
    ),
    ("generated: newest", "generated-tweets?"),
    ("generated: one status", "generated-tweets?status=Approved"),
];

/// Searches that people make: a list and the text.
fn searches() -> Vec<(&'static str, String)> {
    let words = vocabulary();
    let (frequent, rare) = (&words[0], &words[1_500]);
    let two = format!("{}%20{}", words[5], words[700]);
    let none = "nowhere%20to%20be%20found";
    vec![
        ("search: no match", format!("source-tweets?search={none}")),
        ("search: one match", "source-tweets?search=Tweet%20765432:".to_owned()),
        ("search: two words", format!("source-tweets?search={two}")),
        ("search: a word in 0.4 % of the texts", format!("source-tweets?search={rare}")),
        ("search: a word in 40 % of the texts", format!("source-tweets?search={frequent}")),
        ("search: a word, most likes", format!("source-tweets?search={rare}&sort=likes")),
        ("generated: search, two words", format!("generated-tweets?search={two}")),
        ("generated: search, no match", format!("generated-tweets?search={none}")),
    ]
}

/// Words of two or three syllables.
fn vocabulary() -> Vec<String> {
    const SYLLABLES: [&str; 30] = [
        "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "qi", "ro", "su",
        "ta", "ve", "wi", "xo", "yu", "zan", "bel", "cin", "dor", "fun", "gar", "hes", "jim",
        "kol", "lun",
    ];
    let syllable = |number: usize| SYLLABLES[number % SYLLABLES.len()];
    (0..VOCABULARY)
        .map(|number| {
            let scattered = number * 7_919 + 13;
            let last = if number % 3 == 0 { "" } else { syllable(scattered / 900) };
            format!("{}{}{last}", syllable(scattered), syllable(scattered / 30))
        })
        .collect()
}

pub(crate) fn measure(runtime: &Runtime, kind: Kind, database: &Database) {
    let quiet = [("WAGGLE_LOG", "error"), ("REQUESTS_PER_MINUTE", "0")];
    let mut process = Process::start(database, &quiet);
    let token = token(database, &["admin"]);
    let empty = new_tweets(0, &process, &token);
    process.kill();
    let mut raw = Raw::open(runtime, kind, &database.url);
    for statement in fill(kind, STORED, GENERATED) {
        raw.execute(&statement);
    }
    drop(raw);

    let process = Process::start(database, &quiet);
    let full = new_tweets(ROUNDS, &process, &token);
    say("new tweets, HTTP, empty", &format!("{empty:.0} tweets/s"));
    say(
        &format!("new tweets, HTTP, {STORED} stored"),
        &format!("{full:.0} tweets/s = {} of empty (aim: above 50 %)", ratio(full, empty)),
    );
    let mut raw = Raw::open(runtime, kind, &database.url);
    let begun = Instant::now();
    raw.wait_for_index();
    drop(raw);
    say("until new texts are indexed", &format!("{:.0} s", begun.elapsed().as_secs_f64()));
    let address = process.base.trim_start_matches("http://").to_owned();
    let lists = LISTS.map(|(name, path)| (name, path.to_owned()));
    for (name, path) in lists.into_iter().chain(searches()) {
        let path = format!("/api/v1/{path}");
        let (rate, median, slow) = reads(&path, || Client::connect(&address, &token));
        say(name, &format!("{rate:.0} calls/s, median {median:.2} ms, p99 {slow:.2} ms"));
    }
    say("memory after that (RSS)", &format!("{:.1} MB", memory_mb(process.id(), "VmRSS:")));
    say("peak of the memory", &format!("{:.1} MB", memory_mb(process.id(), "VmHWM:")));
}

/// The best rate of new tweets of several rounds, in tweets per second.
fn new_tweets(first_round: usize, process: &Process, token: &str) -> f64 {
    let address = process.base.trim_start_matches("http://").to_owned();
    let words = vocabulary();
    let mut best = 0.0_f64;
    for round in first_round..first_round + ROUNDS {
        let bodies: Vec<Vec<Vec<u8>>> = (0..CLIENTS)
            .map(|client| (0..CALLS).map(|call| report(&words, round, client, call)).collect())
            .collect();
        let client = || Client::connect(&address, token);
        best = best.max(rows_per_second(&bodies, "/api/check-duplicate-tweet", client));
    }
    best
}

/// The statements that store so many source tweets and generated tweets, and index their texts.
/// Ids and dates of source tweets rise together, as those of X do, and counts are scattered, which
/// is the worst case for indexes.
pub(crate) fn fill(kind: Kind, stored: u32, generated: u32) -> Vec<String> {
    let numbers = |most: u32| match kind {
        Kind::Sqlite => format!(
            "WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < \
             {most})"
        ),
        Kind::Postgres => {
            format!("WITH numbers AS (SELECT i::bigint AS i FROM generate_series(1, {most}) AS i)")
        }
    };
    let time = |value: &str| match kind {
        Kind::Sqlite => value.to_owned(),
        Kind::Postgres => format!("to_timestamp(({value}) / 1000000.0)"),
    };
    let no = if kind == Kind::Sqlite { "0" } else { "false" };
    // Dates of a run are spread over three days.
    let date = time("1700000000000000 + i * 30000000 + (i * 2654435761) % 259200000000");
    let now = time("1755181831000000");
    let words: Vec<String> = vocabulary()
        .iter()
        .enumerate()
        .map(|(number, word)| format!("({number}, '{word}')"))
        .collect();
    let text: Vec<String> = (0..WORDS)
        .map(|place| {
            let any = format!("(i * {} + {}) % {VOCABULARY}", 7_919 + 104_729 * place, place * 31);
            format!("(SELECT word FROM vocabulary WHERE number = ({any}) * ({any}) / {VOCABULARY})")
        })
        .collect();
    let text = format!("'Tweet ' || i || ': ' || {}", text.join(" || ' ' || "));
    let status = "CASE WHEN i % 997 = 0 THEN 'error' ELSE 'success' END";
    let index = |name: &str| match kind {
        Kind::Sqlite => format!(
            "INSERT INTO {name}_search (rowid, content) SELECT id, content FROM {name}s; \
             DELETE FROM {name}s_to_index"
        ),
        Kind::Postgres => format!(
            "INSERT INTO {name}_search (id, text) SELECT id, lower(content) FROM {name}s \
             ON CONFLICT DO NOTHING; DELETE FROM {name}s_to_index"
        ),
    };
    vec![
        "CREATE TEMPORARY TABLE vocabulary (number INTEGER PRIMARY KEY, word TEXT)".to_owned(),
        format!("INSERT INTO vocabulary VALUES {}", words.join(", ")),
        format!(
            "{} INSERT INTO source_tweets (tweet_id, url, content, likes, retweets, replies, \
             quotes, views, total_engagement, date, date_raw, status, tweet_url, execution_id, \
             source_url, run_key, received_from, unauthenticated, processed_at, refreshed_at, \
             is_processed) SELECT CAST(8000000000000000000 + i AS TEXT), 'https://x.com/example', \
             {text}, (i * 2654435761) % 100003, (i * 40503) % 10007, i % 10, i % 5, \
             (i * 2246822519) % 1000003, (i * 3266489917) % 110017, {date}, '2025-08-14', \
             {status}, 'https://x.com/example', 'filled-' || (i / 100), \
             'https://n8n.example.com', 'filled-' || (i / 100), 'system', {no}, {now}, {now}, \
             i <= 900000 FROM numbers",
            numbers(stored)
        ),
        format!(
            "{} INSERT INTO campaign_batches (batch_id, claimed_batch_id, analysis_summary, \
             total_tweets, ready_for_deployment, title, description, received_from, \
             unauthenticated, created_at) SELECT 'stored-' || i, 'stored-' || i, '{{}}', 3, 3, \
             'Batch ' || i, '', 'system', {no}, {} FROM numbers",
            numbers(generated / 3),
            time("1700000000000000 + i * 90000000"),
        ),
        format!(
            "{} INSERT INTO generated_tweets (campaign_batch_id, tweet_id, type, content, \
             character_count, engagement_hook, coophive_elements, discord_voice_patterns, \
             theme_connection, ready_for_deployment, fingerprint, status, created_at, updated_at, \
             approved_by, approved_at, approved_hash) SELECT batch.id, 't-' || i, 'generated', \
             {text}, 200, 'hook', '[]', '[]', '', {}, 'fingerprint-' || i, \
             CASE WHEN i % 10 = 0 THEN 'Approved' ELSE 'Rejected' END, batch.created_at, \
             batch.created_at, 'system', batch.created_at, '{}' FROM numbers \
             JOIN campaign_batches AS batch ON batch.batch_id = 'stored-' || ((i + 2) / 3)",
            numbers(generated),
            if kind == Kind::Sqlite { "1" } else { "true" },
            "0".repeat(64),
        ),
        index("source_tweet"),
        index("generated_tweet"),
    ]
}

/// A text like the stored ones.
fn text(words: &[String], number: usize) -> String {
    let word = |place: usize| {
        let any = (number * (7_919 + 104_729 * place) + place * 31) % VOCABULARY;
        words[any * any / VOCABULARY].as_str()
    };
    let words: Vec<&str> = (0..WORDS).map(word).collect();
    format!("Tweet {number}: {}", words.join(" "))
}

fn report(words: &[String], round: usize, client: usize, call: usize) -> Vec<u8> {
    let tweets: Vec<Value> = (0..ROWS)
        .map(|row| {
            let number = ((round * CLIENTS + client) * 1_000 + call) * ROWS + row;
            let scattered = number.wrapping_mul(2_654_435_761);
            json!({
                "Tweet ID": format!("9{number:018}"),
                "URL": format!("https://x.com/example/status/{number}"),
                "Content": text(words, number),
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
