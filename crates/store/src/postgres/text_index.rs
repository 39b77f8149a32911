//! The index of texts: PostgreSQL's extension `pg_trgm`.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::SimpleAsyncConnection as _;

use super::connection::Conn;
use crate::ids::{Id, at_most};
use crate::run_query::RunQueryDsl;
use crate::texts::{Texts, Waiting};

/// Ids of tweets that include all tweets whose text contains `part`. `None` if they are many or the
/// index cannot tell. `pattern` is `part` as a LIKE pattern.
pub(crate) async fn may_contain(
    connection: &mut Conn,
    texts: Texts,
    part: &str,
    pattern: &str,
    most: i64,
) -> QueryResult<Option<Vec<i64>>> {
    if part.chars().nth(2).is_none() {
        return Ok(None);
    }
    let (tweets, search, waiting) = (texts.tweets(), texts.search(), texts.waiting());
    // OFFSET 0 keeps the planner from reading all tweets if it believes that many are waiting.
    let sql = format!(
        "SELECT id FROM {search} WHERE text LIKE lower($1) UNION ALL \
         SELECT waiting.id FROM {waiting} AS waiting CROSS JOIN LATERAL \
         (SELECT content FROM {tweets} WHERE id = waiting.id OFFSET 0) AS tweet \
         WHERE lower(tweet.content) LIKE lower($1) LIMIT $2 + 1"
    );
    let found: Vec<Id> = diesel::sql_query(sql)
        .bind::<Text, _>(pattern)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?;
    Ok(at_most(most, found))
}

/// The key of the advisory lock of a process that creates the indexes.
const LOCK: i64 = 0x77_61_67_67_6c_66;

/// Creates the indexes if they do not exist, and the extension that they need. The extension may be
/// in any schema. A role that does not own the tables may use indexes that exist.
pub(crate) async fn prepare(connection: &mut Conn) -> QueryResult<()> {
    let statement = format!(
        "DO $$
        DECLARE
            place TEXT;
            kind TEXT;
        BEGIN
            PERFORM pg_advisory_xact_lock({LOCK});
            FOREACH kind IN ARRAY ARRAY['source', 'generated'] LOOP
                IF to_regclass(kind || '_tweet_search_text') IS NULL THEN
                    CREATE EXTENSION IF NOT EXISTS pg_trgm;
                    SELECT nspname INTO place FROM pg_extension
                        JOIN pg_namespace ON pg_namespace.oid = extnamespace
                        WHERE extname = 'pg_trgm';
                    EXECUTE format('CREATE INDEX %I ON %I USING gin (text %I.gin_trgm_ops)',
                        kind || '_tweet_search_text', kind || '_tweet_search', place);
                END IF;
            END LOOP;
        END $$"
    );
    connection.batch_execute(&statement).await
}

/// The first waiting tweets, at most `most`, without those that another process is indexing.
///
/// A change of a text also changes its waiting row, which is locked here. So the next statement
/// reads texts that do not change until the transaction ends.
pub(crate) async fn waiting(
    connection: &mut Conn,
    texts: Texts,
    most: u16,
) -> QueryResult<Vec<Waiting>> {
    let (tweets, waiting) = (texts.tweets(), texts.waiting());
    let sql = format!(
        "SELECT waiting.id, length(tweet.content)::bigint AS length FROM {waiting} AS waiting \
         CROSS JOIN LATERAL (SELECT content FROM {tweets} WHERE id = waiting.id OFFSET 0) AS tweet \
         ORDER BY waiting.id LIMIT $1 FOR UPDATE OF waiting SKIP LOCKED"
    );
    diesel::sql_query(sql).bind::<BigInt, _>(i64::from(most)).load(connection).await
}

/// Indexes waiting tweets.
pub(crate) async fn index(connection: &mut Conn, texts: Texts, ids: &[i64]) -> QueryResult<()> {
    let (tweets, search, waiting) = (texts.tweets(), texts.search(), texts.waiting());
    let add = format!(
        "INSERT INTO {search} (id, text) SELECT id, lower(content) FROM {tweets} \
         WHERE id = ANY($1) ON CONFLICT (id) DO UPDATE SET text = excluded.text"
    );
    let end = format!("DELETE FROM {waiting} WHERE id = ANY($1)");
    diesel::sql_query(add).bind::<Array<BigInt>, _>(ids).execute(connection).await?;
    diesel::sql_query(end).bind::<Array<BigInt>, _>(ids).execute(connection).await.map(drop)
}
