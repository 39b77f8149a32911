//! The statements that store a batch of three generated tweets, sent by a plain client as a
//! transaction. This is what Waggle does on SQLite; on PostgreSQL, it sends one statement instead.

use std::time::Instant;

use crate::content;
use crate::database::Kind;
use crate::raw::{Raw, per_second};

/// The number of tweets in a batch.
const TWEETS: usize = 3;
/// The number of texts of a tweet.
const TEXTS: usize = 7;

const TOKEN: &str = "SELECT t.id, t.public_id, t.hash, t.name, t.scopes, t.created_at, \
                     t.expires_at, t.revoked_at, t.last_used_at, t.user_id, u.id, u.email, u.role \
                     FROM api_tokens AS t LEFT JOIN users AS u ON u.id = t.user_id \
                     WHERE t.public_id = $1";

/// The statements after that of the token: they insert the batch and its tweets, and look for open
/// source tweets.
fn statements(kind: Kind) -> [String; 3] {
    let (json, no, time) = match kind {
        Kind::Sqlite => ("", "0", "1755181831000000"),
        Kind::Postgres => ("::text::json", "false", "to_timestamp(1755181831)"),
    };
    let tweets: Vec<String> = (0..TWEETS)
        .map(|tweet| {
            let text = |place: usize| format!("${}", 2 + tweet * TEXTS + place);
            format!(
                "($1, {}, 'developer_tools', {}, 210, 210, {}, {}{json}, {}{json}, {}, \
                 NOT {no}, NOT {no}, {}, 'Brand Aligned', {no}, {time}, {time})",
                text(0),
                text(1),
                text(2),
                text(3),
                text(4),
                text(5),
                text(6)
            )
        })
        .collect();
    let all = [
        format!(
            "INSERT INTO campaign_batches (batch_id, claimed_batch_id, analysis_summary, \
             brand_alignment_score, total_tweets, ready_for_deployment, source_type, title, \
             description, received_from, unauthenticated, created_at) VALUES ($1, $1, $2{json}, \
             9.1, 3, 3, 'multi_agent_automation', $3, $4, 'raw', {no}, {time}) \
             ON CONFLICT (batch_id) DO NOTHING RETURNING id"
        ),
        format!(
            "INSERT INTO generated_tweets (campaign_batch_id, tweet_id, type, content, \
             character_count, claimed_character_count, engagement_hook, coophive_elements, \
             discord_voice_patterns, theme_connection, ready_for_deployment, claimed_ready, \
             fingerprint, status, is_edited, created_at, updated_at) VALUES {} \
             ON CONFLICT (id) DO NOTHING RETURNING id",
            tweets.join(", ")
        ),
        format!(
            "SELECT id FROM source_tweets WHERE is_processed = {no} AND lease IS NOT NULL \
             AND leased_until > {time} AND lease = run_key AND (received_from = $1 OR \
             (address = $2 AND unauthenticated)) ORDER BY id"
        ),
    ];
    // Both databases accept numbered parameters, with different signs.
    all.map(|text| if kind == Kind::Sqlite { text.replace('$', "?") } else { text })
}

/// The name of a batch, and the texts of its tweets.
fn batch(round: usize, client: usize, call: usize) -> (String, Vec<String>) {
    let name = format!("raw-{round}-{client}-{call}");
    let texts = (0..TWEETS)
        .flat_map(|tweet| {
            [
                format!("{name}-tweet-{tweet}"),
                format!("{} https://example.com/{tweet}", content(tweet)),
                "Tell us".to_owned(),
                r#"["marketplace-design","infra-abstraction"]"#.to_owned(),
                r#"["agent-centric"]"#.to_owned(),
                "Tighter".to_owned(),
                format!("{name}-{tweet}-{}", "f".repeat(40)),
            ]
        })
        .collect();
    (name, texts)
}

const SUMMARY: &str = r#"{"brand_alignment_score":9.1}"#;

impl Raw<'_> {
    /// Stores new batches, and returns batches per second.
    pub(crate) fn batches(&mut self, round: usize, calls: usize, public_id: &str) -> f64 {
        match self {
            Self::Sqlite(connection) => {
                let [insert_batch, insert_tweets, open] = statements(Kind::Sqlite);
                let token = TOKEN.replace('$', "?");
                let prepare = |text: &str| connection.prepare(text).expect("it is SQL");
                let mut token = prepare(&token);
                let mut insert_batch = prepare(&insert_batch);
                let mut insert_tweets = prepare(&insert_tweets);
                let mut open = prepare(&open);
                let begun = Instant::now();
                for call in 0..calls {
                    let (name, texts) = batch(round, 0, call);
                    let known = token.query_map([public_id], |_| Ok(())).expect("it is taken");
                    assert_eq!(known.count(), 1);
                    connection.execute_batch("BEGIN IMMEDIATE").expect("it begins");
                    let id: i64 = insert_batch
                        .query_row([&*name, SUMMARY, "A Title", ""], |row| row.get(0))
                        .expect("it is new");
                    let mut values: Vec<&dyn rusqlite::ToSql> = vec![&id];
                    values.extend(texts.iter().map(|text| text as &dyn rusqlite::ToSql));
                    let written = insert_tweets.query_map(&values[..], |_| Ok(()));
                    assert_eq!(written.expect("it is taken").count(), TWEETS);
                    let found = open.query_map(["raw", ""], |_| Ok(())).expect("it is taken");
                    assert_eq!(found.count(), 0);
                    connection.execute_batch("COMMIT").expect("it is kept");
                }
                per_second(calls, begun)
            }
            Self::Postgres(runtime, clients) => {
                let [insert_batch, insert_tweets, open] = &statements(Kind::Postgres);
                let each = calls / clients.len();
                runtime.block_on(async {
                    let mut ready = Vec::new();
                    for client in clients.iter() {
                        let mut prepared = Vec::new();
                        for text in [TOKEN, insert_batch, insert_tweets, open] {
                            prepared.push(client.prepare(text).await.expect("it is SQL"));
                        }
                        ready.push((client, prepared));
                    }
                    let begun = Instant::now();
                    let tasks = ready.iter().enumerate().map(|(number, (client, prepared))| {
                        store(
                            client,
                            prepared,
                            public_id,
                            (0..each).map(move |call| batch(round, number, call)),
                        )
                    });
                    futures_util::future::join_all(tasks).await;
                    per_second(each * clients.len(), begun)
                })
            }
        }
    }
}

/// Stores batches on one connection, one statement after another.
async fn store(
    client: &tokio_postgres::Client,
    prepared: &[tokio_postgres::Statement],
    public_id: &str,
    batches: impl Iterator<Item = (String, Vec<String>)>,
) {
    for (name, texts) in batches {
        let known = client.query(&prepared[0], &[&public_id]).await.expect("it is taken");
        assert_eq!(known.len(), 1);
        client.batch_execute("BEGIN").await.expect("it begins");
        let row = client
            .query_one(&prepared[1], &[&name, &SUMMARY, &"A Title", &""])
            .await
            .expect("it is new");
        let id: i64 = row.get(0);
        let mut values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&id];
        values.extend(texts.iter().map(|text| text as &(dyn tokio_postgres::types::ToSql + Sync)));
        let written = client.query(&prepared[2], &values).await.expect("it is taken");
        assert_eq!(written.len(), TWEETS);
        let found = client.query(&prepared[3], &[&"raw", &""]).await.expect("it is taken");
        assert!(found.is_empty());
        client.batch_execute("COMMIT").await.expect("it is kept");
    }
}
