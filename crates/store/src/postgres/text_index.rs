//! The index of texts: PostgreSQL's extension `pg_trgm`.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::SimpleAsyncConnection as _;

use super::connection::Conn;
use crate::run_query::RunQueryDsl;
use crate::texts::{Id, Texts, at_most};

/// The ids of tweets among which are all whose text contains `part`, or `None` if they are more than
/// `most` or the index cannot tell. `pattern` is `part` as a LIKE pattern.
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
    let sql = format!(
        "SELECT id FROM {search} WHERE text LIKE lower($1) UNION ALL \
         SELECT id FROM {waiting} JOIN {tweets} USING (id) WHERE lower(content) LIKE lower($1) \
         LIMIT $2 + 1"
    );
    let found: Vec<Id> = diesel::sql_query(sql)
        .bind::<Text, _>(pattern)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?;
    Ok(at_most(most, found))
}

/// Creates the indexes if they do not exist, and the extension that they need. The extension may be
/// in any schema.
const PREPARE: &str = "
    DO $$
    DECLARE
        place TEXT;
    BEGIN
        PERFORM pg_advisory_xact_lock(9181732);
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        SELECT nspname INTO place FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = 'pg_trgm';
        EXECUTE format('CREATE INDEX IF NOT EXISTS source_tweet_search_text
            ON source_tweet_search USING gin (text %I.gin_trgm_ops)', place);
        EXECUTE format('CREATE INDEX IF NOT EXISTS generated_tweet_search_text
            ON generated_tweet_search USING gin (text %I.gin_trgm_ops)', place);
    END $$";

/// Creates the indexes if they do not exist.
pub(crate) async fn prepare(connection: &mut Conn) -> QueryResult<()> {
    connection.batch_execute(PREPARE).await
}

/// Indexes up to `most` waiting tweets, and returns how many they were. Skips tweets that another
/// process is indexing.
pub(crate) async fn index_waiting(
    connection: &mut Conn,
    texts: Texts,
    most: u16,
) -> QueryResult<usize> {
    let (tweets, search, waiting) = (texts.tweets(), texts.search(), texts.waiting());
    // Whoever changes a text also changes its row here. So the texts of the locked rows do not
    // change, and the next statement reads what was committed before.
    let next = format!("SELECT id FROM {waiting} ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED");
    let rows: Vec<Id> =
        diesel::sql_query(next).bind::<BigInt, _>(i64::from(most)).load(connection).await?;
    let ids: Vec<i64> = rows.into_iter().map(|row| row.id).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let add = format!(
        "INSERT INTO {search} (id, text) SELECT id, lower(content) FROM {tweets} \
         WHERE id = ANY($1) ON CONFLICT (id) DO UPDATE SET text = excluded.text"
    );
    let end = format!("DELETE FROM {waiting} WHERE id = ANY($1)");
    diesel::sql_query(add).bind::<Array<BigInt>, _>(&ids).execute(connection).await?;
    diesel::sql_query(end).bind::<Array<BigInt>, _>(&ids).execute(connection).await
}
