//! The index of texts: SQLite's FTS5 with trigrams.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::connection::Conn;
use crate::run_query::RunQueryDsl;
use crate::texts::{Id, Texts, at_most};

/// The maximum number of trigrams in a query of the index. More would hardly exclude more tweets.
const TRIGRAMS: usize = 32;

/// The ids of tweets among which are all whose text contains `part`, or `None` if they are many or
/// the index cannot tell. `pattern` is `part` as a LIKE pattern.
pub(crate) async fn may_contain(
    connection: &mut Conn,
    texts: Texts,
    part: &str,
    pattern: &str,
    most: i64,
) -> QueryResult<Option<Vec<i64>>> {
    let Some(trigrams) = trigrams(part) else { return Ok(None) };
    let (tweets, search, waiting) = (texts.tweets(), texts.search(), texts.waiting());
    // The index knows the trigrams of a text, but not their order.
    let sql = format!(
        "SELECT rowid AS id FROM {search} WHERE {search} MATCH ?1 \
         UNION ALL SELECT id FROM {waiting} LIMIT ?2 + 1"
    );
    let unchecked: Vec<Id> = diesel::sql_query(sql)
        .bind::<Text, _>(&trigrams)
        .bind::<BigInt, _>(most * 2)
        .load(connection)
        .await?;
    if let Some(few) = at_most(most * 2, unchecked) {
        return Ok(Some(few));
    }
    let is_match = "lower(tweet.content) LIKE lower(?2) ESCAPE '\\'";
    let sql = format!(
        "SELECT tweet.id FROM {search} CROSS JOIN {tweets} AS tweet ON tweet.id = {search}.rowid \
         WHERE {search} MATCH ?1 AND {is_match} \
         UNION ALL SELECT tweet.id FROM {waiting} CROSS JOIN {tweets} AS tweet USING (id) \
         WHERE {is_match} LIMIT ?3 + 1"
    );
    let found: Vec<Id> = diesel::sql_query(sql)
        .bind::<Text, _>(trigrams)
        .bind::<Text, _>(pattern)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?;
    Ok(at_most(most, found))
}

/// The query of the index for texts that contain all trigrams of `part`, or `None` if it has fewer
/// than three characters. Trigrams that overlap only partly are enough: they cover `part`.
fn trigrams(part: &str) -> Option<String> {
    let chars: Vec<char> = part.chars().collect();
    let last = chars.windows(3).last()?;
    let trigrams = chars.chunks_exact(3).take(TRIGRAMS).chain([last]);
    let quoted = trigrams.map(|trigram| {
        let text: String = trigram.iter().collect();
        format!("\"{}\"", text.replace('"', "\"\""))
    });
    Some(quoted.collect::<Vec<_>>().join(" "))
}

/// Whether tweets are waiting to be indexed.
pub(crate) async fn is_any_waiting(connection: &mut Conn, texts: Texts) -> QueryResult<bool> {
    let sql = format!("SELECT id FROM {} LIMIT 1", texts.waiting());
    let first: Vec<Id> = diesel::sql_query(sql).load(connection).await?;
    Ok(!first.is_empty())
}

/// Indexes up to `most` waiting tweets, and returns how many they were.
pub(crate) async fn index_waiting(
    connection: &mut Conn,
    texts: Texts,
    most: u16,
) -> QueryResult<usize> {
    let (tweets, search, waiting) = (texts.tweets(), texts.search(), texts.waiting());
    let next = format!("(SELECT id FROM {waiting} ORDER BY id LIMIT ?1)");
    let add = format!(
        "INSERT INTO {search} (rowid, content) SELECT id, content FROM {tweets} WHERE id IN {next}"
    );
    let end = format!("DELETE FROM {waiting} WHERE id IN {next}");
    let most = i64::from(most);
    diesel::sql_query(add).bind::<BigInt, _>(most).execute(connection).await?;
    diesel::sql_query(end).bind::<BigInt, _>(most).execute(connection).await
}

#[cfg(test)]
mod tests {
    use super::trigrams;

    #[test]
    fn trigrams_cover_a_text() {
        assert_eq!(trigrams("abc").as_deref(), Some("\"abc\" \"abc\""));
        assert_eq!(trigrams("Über \"x").as_deref(), Some("\"Übe\" \"r \"\"\" \" \"\"x\""));
        assert_eq!(trigrams("日本"), None);
    }
}
