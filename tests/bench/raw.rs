//! The same multi-row insert and the same lookup, directly on the same database with a plain
//! client.

use std::time::{Duration, Instant};

use tokio_postgres::NoTls;
use tokio_postgres::types::ToSql;

use crate::database::Kind;
use crate::{CLIENTS, ROWS, content};

const COLUMNS: &str = "tweet_id, url, content, likes, retweets, replies, quotes, views, \
                       total_engagement, date, date_raw, status, tweet_url, execution_id, \
                       source_url, run_key, \
                       received_from, unauthenticated, processed_at, refreshed_at";
const COLUMN_COUNT: usize = 20;
const DATE: i64 = 1_755_181_831_000_000;

/// One row, with times in microseconds.
struct Row {
    tweet_id: String,
    url: String,
    content: String,
    numbers: [i64; 6],
    run: String,
}

fn row(round: usize, call: usize, place: usize) -> Row {
    let number = (round * 1_000_000 + call) * ROWS + place;
    let count = i64::try_from(number % 1_000).expect("it is small");
    Row {
        tweet_id: format!("9{number:018}"),
        url: format!("https://x.com/example/status/{number}"),
        content: content(number),
        numbers: [count, count % 100, count % 10, count % 5, count * 10, count],
        run: format!("raw-{round}-{call}"),
    }
}

fn insert_text(placeholder: impl Fn(usize) -> String) -> String {
    let rows: Vec<String> = (0..ROWS)
        .map(|row| {
            let values: Vec<String> = (0..COLUMN_COUNT)
                .map(|column| placeholder(row * COLUMN_COUNT + column + 1))
                .collect();
            format!("({})", values.join(", "))
        })
        .collect();
    format!(
        "INSERT INTO source_tweets ({COLUMNS}) VALUES {} ON CONFLICT (tweet_id) DO NOTHING \
         RETURNING tweet_id",
        rows.join(", ")
    )
}

pub(crate) fn per_second(count: usize, begun: Instant) -> f64 {
    f64::from(u32::try_from(count).expect("it is small")) / begun.elapsed().as_secs_f64()
}

/// A plain client of one of the two databases.
pub(crate) enum Raw<'a> {
    Sqlite(rusqlite::Connection),
    Postgres(&'a tokio::runtime::Runtime, Vec<tokio_postgres::Client>),
}

impl<'a> Raw<'a> {
    pub(crate) fn open(runtime: &'a tokio::runtime::Runtime, kind: Kind, url: &str) -> Self {
        match kind {
            Kind::Sqlite => {
                let path = url.trim_start_matches("sqlite://");
                let connection = rusqlite::Connection::open(path).expect("the file opens");
                connection
                    .execute_batch(
                        "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
                         PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;",
                    )
                    .expect("the pragmas are taken");
                Self::Sqlite(connection)
            }
            Kind::Postgres => {
                let clients = (0..CLIENTS)
                    .map(|_| {
                        runtime.block_on(async {
                            let (client, connection) = tokio_postgres::connect(url, NoTls)
                                .await
                                .expect("the server answers");
                            tokio::spawn(connection);
                            client
                        })
                    })
                    .collect();
                Self::Postgres(runtime, clients)
            }
        }
    }

    /// Runs statements that may take long. PostgreSQL's statistics are then as autovacuum makes
    /// them.
    pub(crate) fn execute(&mut self, statement: &str) {
        match self {
            Self::Sqlite(connection) => {
                connection.execute_batch(statement).expect("it is SQL");
            }
            Self::Postgres(runtime, clients) => {
                let all = format!("{statement}; ANALYZE");
                runtime.block_on(clients[0].batch_execute(&all)).expect("it is SQL");
            }
        }
    }

    /// Waits until the server has indexed all source tweets.
    pub(crate) fn wait_for_index(&mut self) {
        while self.count("source_tweets_to_index") > 0 {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Removes what is left of changed rows of a table, on PostgreSQL.
    pub(crate) fn vacuum(&mut self, table: &str) {
        if let Self::Postgres(runtime, clients) = self {
            let vacuum = format!("VACUUM ANALYZE {table}");
            runtime.block_on(clients[0].batch_execute(&vacuum)).expect("it is SQL");
        }
    }

    /// The number of rows of a table.
    pub(crate) fn count(&mut self, table: &str) -> i64 {
        let text = format!("SELECT COUNT(*) FROM {table}");
        match self {
            Self::Sqlite(connection) => {
                connection.query_row(&text, [], |row| row.get(0)).expect("it is SQL")
            }
            Self::Postgres(runtime, clients) => {
                runtime.block_on(clients[0].query_one(&text, &[])).expect("it is SQL").get(0)
            }
        }
    }

    /// Inserts new rows, 100 per statement, and returns rows per second.
    pub(crate) fn insert(&mut self, round: usize, statements: usize) -> f64 {
        match self {
            Self::Sqlite(connection) => {
                let text = insert_text(|number| format!("?{number}"));
                let mut prepared = connection.prepare(&text).expect("it is SQL");
                let begun = Instant::now();
                for call in 0..statements {
                    let rows: Vec<Row> = (0..ROWS).map(|place| row(round, call, place)).collect();
                    let mut values: Vec<&dyn rusqlite::ToSql> =
                        Vec::with_capacity(ROWS * COLUMN_COUNT);
                    for row in &rows {
                        values.extend([
                            &row.tweet_id as &dyn rusqlite::ToSql,
                            &row.url,
                            &row.content,
                        ]);
                        values.extend(
                            row.numbers.iter().map(|number| number as &dyn rusqlite::ToSql),
                        );
                        values.extend([
                            &DATE as &dyn rusqlite::ToSql,
                            &"2025-08-14",
                            &"success",
                            &row.url,
                            &row.run,
                            &"raw",
                            &row.run,
                            &"raw",
                            &false,
                            &DATE,
                            &rusqlite::types::Null,
                        ]);
                    }
                    connection.execute_batch("BEGIN IMMEDIATE").expect("it begins");
                    let written = prepared
                        .query_map(&values[..], |row| row.get::<_, String>(0))
                        .expect("it is taken")
                        .count();
                    connection.execute_batch("COMMIT").expect("it is kept");
                    assert_eq!(written, ROWS);
                }
                per_second(statements * ROWS, begun)
            }
            Self::Postgres(runtime, clients) => {
                let text = insert_text(|number| format!("${number}"));
                let each = statements / clients.len();
                let time = chrono::DateTime::from_timestamp_micros(DATE).expect("it is a time");
                let time = std::time::SystemTime::from(time);
                runtime.block_on(async {
                    let mut prepared = Vec::new();
                    for client in clients.iter() {
                        prepared.push(client.prepare(&text).await.expect("it is SQL"));
                    }
                    let begun = Instant::now();
                    let tasks = clients.iter().zip(&prepared).enumerate().map(
                        |(number, (client, prepared))| async move {
                            for call in 0..each {
                                let call = number * 10_000 + call;
                                let rows: Vec<Row> =
                                    (0..ROWS).map(|place| row(round, call, place)).collect();
                                let mut values: Vec<&(dyn ToSql + Sync)> =
                                    Vec::with_capacity(ROWS * COLUMN_COUNT);
                                for row in &rows {
                                    values.extend([
                                        &row.tweet_id as &(dyn ToSql + Sync),
                                        &row.url,
                                        &row.content,
                                    ]);
                                    values.extend(
                                        row.numbers
                                            .iter()
                                            .map(|number| number as &(dyn ToSql + Sync)),
                                    );
                                    values.extend([
                                        &time as &(dyn ToSql + Sync),
                                        &"2025-08-14",
                                        &"success",
                                        &row.url,
                                        &row.run,
                                        &"raw",
                                        &row.run,
                                        &"raw",
                                        &false,
                                        &time,
                                        &None::<std::time::SystemTime>,
                                    ]);
                                }
                                let written = client
                                    .query(prepared, &values)
                                    .await
                                    .expect("it is taken")
                                    .len();
                                assert_eq!(written, ROWS);
                            }
                        },
                    );
                    futures_util::future::join_all(tasks).await;
                    per_second(each * clients.len() * ROWS, begun)
                })
            }
        }
    }

    /// Queries which of 100 ids are known, and returns calls per second.
    pub(crate) fn known(&mut self, calls: usize) -> f64 {
        let ids = |call: usize| -> Vec<String> {
            (0..ROWS).map(|place| row(0, call % 50, place).tweet_id).collect()
        };
        match self {
            Self::Sqlite(connection) => {
                let marks: Vec<String> = (1..=ROWS).map(|number| format!("?{number}")).collect();
                let text = format!(
                    "SELECT tweet_id FROM source_tweets WHERE tweet_id IN ({})",
                    marks.join(", ")
                );
                let mut prepared = connection.prepare(&text).expect("it is SQL");
                let begun = Instant::now();
                for call in 0..calls {
                    let found = prepared
                        .query_map(rusqlite::params_from_iter(ids(call)), |row| {
                            row.get::<_, String>(0)
                        })
                        .expect("it is taken")
                        .count();
                    assert_eq!(found, ROWS);
                }
                per_second(calls, begun)
            }
            Self::Postgres(runtime, clients) => {
                let text = "SELECT tweet_id FROM source_tweets WHERE tweet_id = ANY($1)";
                let each = calls / clients.len();
                runtime.block_on(async {
                    let mut prepared = Vec::new();
                    for client in clients.iter() {
                        prepared.push(client.prepare(text).await.expect("it is SQL"));
                    }
                    let begun = Instant::now();
                    let tasks =
                        clients.iter().zip(&prepared).map(|(client, prepared)| async move {
                            for call in 0..each {
                                let ids = ids(call);
                                let found = client
                                    .query(prepared, &[&ids])
                                    .await
                                    .expect("it is taken")
                                    .len();
                                assert_eq!(found, ROWS);
                            }
                        });
                    futures_util::future::join_all(tasks).await;
                    per_second(each * clients.len(), begun)
                })
            }
        }
    }
}
