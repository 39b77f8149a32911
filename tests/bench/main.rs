//! Measures the built binary over HTTP with several clients, next to the raw rates of the same
//! database in the same run. Machines differ and are shared, so the ratios are what counts.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]
#![expect(clippy::disallowed_methods, reason = "what is tested has the clock of the machine")]

#[path = "../support/database.rs"]
mod database;
mod growth;
mod pages;
#[expect(dead_code, reason = "it serves other test binaries too")]
#[path = "../support/process.rs"]
mod process;
mod raw;
mod raw_batches;
mod record;
mod timing;
mod wire;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::database::{Database, Kind};
use crate::process::{Process, token};
use crate::wire::Client;

/// The number of clients that send at the same time, over HTTP and raw.
pub(crate) const CLIENTS: usize = 4;
/// The number of tweets in a call or a statement.
pub(crate) const ROWS: usize = 100;
/// The number of calls that a client sends in a round.
const CALLS: usize = 50;
/// How often each measurement is repeated. The best result counts, because the machine is shared.
const ROUNDS: usize = 3;
/// The number of stored tweets when lists are measured.
const STORED: usize = 100_000;

/// The parts of the benchmark.
const PARTS: [&str; 5] = ["pipeline", "growth", "pages", "record", "timing"];

fn main() {
    // `cargo test --benches` runs this only to check that it compiles.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    // `cargo bench -- growth` measures that part alone.
    let named: Vec<String> =
        std::env::args().filter(|argument| PARTS.contains(&&**argument)).collect();
    let is_asked = |part: &str| named.is_empty() || named.iter().any(|named| named == part);
    for kind in [Kind::Sqlite, Kind::Postgres] {
        println!("\n{kind:?}");
        let database = || runtime.block_on(process::database(kind));
        if is_asked("pipeline") {
            measure(&runtime, kind, &database());
        }
        if is_asked("growth") {
            growth::measure(&runtime, kind, &database());
        }
        if is_asked("pages") {
            pages::measure(&runtime, kind, &database());
        }
        if is_asked("record") {
            record::measure(&runtime, kind, &database());
        }
        if is_asked("timing") {
            timing::measure(&runtime, &database());
        }
    }
}

fn measure(runtime: &tokio::runtime::Runtime, kind: Kind, database: &Database) {
    let quiet = [("WAGGLE_LOG", "error"), ("REQUESTS_PER_MINUTE", "0")];
    drop(Process::start(database, &quiet));
    let mut starts: Vec<Duration> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            let mut process = Process::start(database, &quiet);
            let took = begun.elapsed();
            process.kill();
            took
        })
        .collect();
    starts.sort();
    say(
        "start to ready, existing database",
        &format!("{:.0} ms (median of 5)", starts[2].as_secs_f64() * 1e3),
    );
    let process = Process::start(database, &quiet);
    std::thread::sleep(Duration::from_secs(2));
    say("idle memory (RSS)", &format!("{:.1} MB", memory_mb(process.id(), "VmRSS:")));

    let token = token(database, &["admin"]);
    let address = process.base.trim_start_matches("http://").to_owned();
    let client = || Client::connect(&address, &token);
    let mut raw = raw::Raw::open(runtime, kind, &database.url);

    // New tweets, raw and over HTTP in turn.
    let (mut best_raw, mut best_http) = (0.0_f64, 0.0_f64);
    let mut sent = Vec::new();
    for round in 0..ROUNDS {
        best_raw = best_raw.max(raw.insert(round, CALLS * CLIENTS));
        let bodies: Vec<Vec<Vec<u8>>> = (0..CLIENTS)
            .map(|client| (0..CALLS).map(|call| report(round, client, call)).collect())
            .collect();
        best_http = best_http.max(rows_per_second(&bodies, "/api/check-duplicate-tweet", client));
        sent = bodies;
    }
    let new = ratio(best_http, best_raw);
    say("new tweets, raw multi-row insert", &format!("{best_raw:.0} tweets/s"));
    say(
        "new tweets, HTTP, 100 a call",
        &format!("{best_http:.0} tweets/s = {new} of raw (aim: above 70 %)"),
    );

    // The same tweets again, and a query for which of 100 ids are known.
    let (mut best_known, mut best_again) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        best_known = best_known.max(raw.known(CALLS * CLIENTS));
        let rate = rows_per_second(&sent, "/api/check-duplicate-tweet", client);
        best_again = best_again.max(rate / per_call());
    }
    let again = ratio(best_again, best_known);
    say("which of 100 ids are known, raw", &format!("{best_known:.0} calls/s"));
    say(
        "re-sent tweets, HTTP, 100 a call",
        &format!("{best_again:.0} calls/s = {again} of raw (aim: above 20 %)"),
    );

    raw.wait_for_index();
    measure_batches(&mut raw, &process, &token);

    // A filtered list over many tweets.
    let there = ROUNDS * 2 * CALLS * CLIENTS * ROWS;
    let missing = STORED.saturating_sub(there).div_ceil(ROWS * CLIENTS);
    let bodies: Vec<Vec<Vec<u8>>> = (0..CLIENTS)
        .map(|client| (0..missing).map(|call| report(90, client, call)).collect())
        .collect();
    rows_per_second(&bodies, "/api/check-duplicate-tweet", client);
    raw.wait_for_index();
    for (name, path) in [
        ("newest 50 of 100,000", "/api/v1/source-tweets?limit=50"),
        ("filtered, sorted by likes", "/api/v1/source-tweets?min_views=5000&sort=likes&limit=50"),
        ("one run's tweets", "/api/v1/source-tweets?execution_id=run-0-0-1&limit=50"),
        (
            "text search without a match",
            "/api/v1/source-tweets?search=nowhere%20to%20be%20found&limit=50",
        ),
    ] {
        let (rate, median, slow) = reads(path, client);
        say(
            &format!("list: {name}"),
            &format!("{rate:.0} calls/s, median {median:.2} ms, p99 {slow:.2} ms"),
        );
    }
    say("memory after that (RSS)", &format!("{:.1} MB", memory_mb(process.id(), "VmRSS:")));
}

/// New batches of three generated tweets, raw and over HTTP in turn; and batches of which each ends
/// a run that was told of one new source tweet.
fn measure_batches(raw: &mut raw::Raw<'_>, process: &Process, token: &str) {
    const BATCHES: usize = 500;
    let address = process.base.trim_start_matches("http://").to_owned();
    let client = || Client::connect(&address, token);
    // `wgl_<public id>_<secret>`
    let public_id = token.split('_').nth(1).expect("a token has three parts");
    // Ends the runs that reported the tweets before.
    client().post("/api/receive-tweets", batch("last", None).to_string().as_bytes());
    raw.vacuum("source_tweets");
    let bodies = |of: &dyn Fn(usize, usize) -> Value| -> Vec<Vec<Vec<u8>>> {
        let body = |client, call| of(client, call).to_string().into_bytes();
        (0..CLIENTS).map(|client| (0..BATCHES).map(|call| body(client, call)).collect()).collect()
    };
    let send = |bodies: &[Vec<Vec<u8>>]| {
        let before = processor_time(process.id());
        let rate = rows_per_second(bodies, "/api/receive-tweets", client) / per_call();
        (rate, processor_time(process.id()).saturating_sub(before))
    };
    let (mut best_raw, mut best_http, mut best_ending) = (0.0_f64, 0.0_f64, 0.0_f64);
    let (mut processor, mut processor_ending) = (Duration::ZERO, Duration::ZERO);
    for round in 0..ROUNDS {
        best_raw = best_raw.max(raw.batches(round, BATCHES * CLIENTS, public_id));
        let (rate, took) =
            send(&bodies(&|client, call| batch(&format!("batch-{round}-{client}-{call}"), None)));
        best_http = best_http.max(rate);
        processor += took;

        let run = |client, call| format!("one-{round}-{client}-{call}");
        let reports = bodies(&|client, call| {
            let number = ((200 + round) * CLIENTS + client) * 100_000 + call;
            report_of(&run(client, call), [source_tweet(number * ROWS)])
        });
        rows_per_second(&reports, "/api/check-duplicate-tweet", client);
        let (rate, took) = send(&bodies(&|client, call| {
            let run = run(client, call);
            batch(&run, Some(&run))
        }));
        best_ending = best_ending.max(rate);
        processor_ending += took;
    }
    let calls = u32::try_from(ROUNDS * BATCHES * CLIENTS).expect("it is small");
    let each = |processor: Duration| (processor / calls).as_secs_f64() * 1e6;
    say("batches of 3, a transaction, raw", &format!("{best_raw:.0} batches/s"));
    say(
        "batches of 3, HTTP",
        &format!(
            "{best_http:.0} batches/s = {} of raw (aim: above 70 %), {:.0} µs of processor time \
             of the server for each",
            ratio(best_http, best_raw),
            each(processor),
        ),
    );
    say(
        "batches of 3 that end a run, HTTP",
        &format!(
            "{best_ending:.0} batches/s, {:.0} µs of processor time of the server for each",
            each(processor_ending),
        ),
    );
}

/// The processor time that a process has used.
fn processor_time(process: u32) -> Duration {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name, which may contain spaces: user and system time are the 12th and 13th field.
    let fields = status.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn say(what: &str, figure: &str) {
    println!("  {what:42} {figure}");
}

fn per_call() -> f64 {
    f64::from(u32::try_from(ROWS).expect("it is small"))
}

fn ratio(part: f64, whole: f64) -> String {
    format!("{:.0} %", 100.0 * part / whole)
}

/// Each client sends its bodies one after the other. Every response must be a 200.
fn rows_per_second(
    bodies: &[Vec<Vec<u8>>],
    path: &'static str,
    client: impl Fn() -> Client + Sync,
) -> f64 {
    let calls: usize = bodies.iter().map(Vec::len).sum();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for mine in bodies {
            let client = &client;
            scope.spawn(move || {
                let mut client = client();
                for body in mine {
                    client.post(path, body);
                }
            });
        }
    });
    let rows = f64::from(u32::try_from(calls * ROWS).expect("it is small"));
    rows / begun.elapsed().as_secs_f64()
}

/// The rate of a read by several clients, and the median and the 99th percentile in milliseconds.
fn reads(path: &str, client: impl Fn() -> Client + Sync) -> (f64, f64, f64) {
    let begun = Instant::now();
    let mut times: Vec<f64> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = client();
                    let deadline = Instant::now() + Duration::from_secs(2);
                    let mut times = Vec::new();
                    while Instant::now() < deadline && times.len() < 2_000 {
                        let sent = Instant::now();
                        client.get(path);
                        times.push(sent.elapsed().as_secs_f64() * 1e3);
                    }
                    times
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client ends")).collect()
    });
    let took = begun.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    (f64::from(u32::try_from(times.len()).expect("it is small")) / took, at(50), at(99))
}

/// A figure of the memory of a process, in megabytes.
fn memory_mb(process: u32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    let kilobytes: f64 =
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default();
    kilobytes / 1024.0
}

/// The text of a tweet, with the usual length.
pub(crate) fn content(number: usize) -> String {
    format!("Tweet {number}: {}", "compute that finds its own work, by dancing. ".repeat(4))
}

fn report(round: usize, client: usize, call: usize) -> Vec<u8> {
    let first = ((round * CLIENTS + client) * 100_000 + call) * ROWS;
    let tweets = (first..first + ROWS).map(source_tweet);
    report_of(&format!("run-{round}-{client}-{call}"), tweets).to_string().into_bytes()
}

/// What a run reports.
fn report_of(run: &str, tweets: impl IntoIterator<Item = Value>) -> Value {
    json!({
        "execution_id": run,
        "source_url": "https://n8n.example.com",
        "tweets": tweets.into_iter().collect::<Vec<_>>(),
    })
}

fn source_tweet(number: usize) -> Value {
    json!({
        "Tweet ID": format!("1{number:018}"),
        "URL": format!("https://x.com/example/status/{number}"),
        "Content": content(number),
        "Likes": number % 1_000,
        "Retweets": number % 100,
        "Replies": number % 10,
        "Quotes": number % 5,
        "Views": number % 10_000,
        "Date": "Thu Aug 14 14:30:31 +0000 2025",
        "Status": "success",
        "Tweet": format!("https://twitter.com/example/status/{number}"),
    })
}

/// A batch of three tweets, made from the source tweets of `run`.
fn batch(name: &str, run: Option<&str>) -> Value {
    let tweets: Vec<Value> = (0..3)
        .map(|row| {
            json!({
                "id": format!("{name}-tweet-{row}"),
                "type": "developer_tools",
                "content": format!("{} https://example.com/{row}", content(row)),
                "character_count": 210,
                "engagement_hook": "Tell us",
                "coophive_elements": ["marketplace-design", "infra-abstraction"],
                "discord_voice_patterns": ["agent-centric"],
                "theme_connection": "Tighter",
                "ready_for_deployment": true,
            })
        })
        .collect();
    let summary = json!({ "brand_alignment_score": 9.1 });
    let mut batch =
        json!({ "campaign_batch": name, "analysis_summary": summary, "tweets": tweets });
    if let Some(run) = run {
        batch["execution_id"] = json!(run);
    }
    batch
}
