//! The index of texts: SQLite's FTS5 with trigrams.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::connection::Conn;
use crate::ids::{Id, at_most};
use crate::run_query::RunQueryDsl;
use crate::texts::{Texts, Waiting};

/// The maximum number of trigrams in a query of the index. More would hardly exclude more tweets.
const TRIGRAMS: usize = 32;

/// Ids of tweets that include all tweets whose text contains `part`. `None` if they are many or the
/// index cannot tell. `pattern` is `part` as a LIKE pattern.
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

/// The query of the index for texts that contain the trigrams of `part`, or `None` if it has fewer
/// than three characters. Trigrams with a space in them are left out if each word has trigrams of
/// its own: they are in most texts, so that they cost most and exclude least.
fn trigrams(part: &str) -> Option<String> {
    let of_words: Vec<Vec<String>> = part.split_whitespace().map(covering).collect();
    let mut trigrams =
        if of_words.iter().any(Vec::is_empty) { covering(part) } else { of_words.concat() };
    trigrams.truncate(TRIGRAMS);
    (!trigrams.is_empty()).then(|| trigrams.join(" "))
}

/// Trigrams that cover a text, in quotes. That they overlap only partly is enough.
fn covering(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let trigrams = chars.chunks_exact(3).chain(chars.windows(3).last());
    let quoted = |trigram: &[char]| {
        let text: String = trigram.iter().collect();
        format!("\"{}\"", text.replace('"', "\"\""))
    };
    trigrams.map(quoted).collect()
}

/// The first waiting tweets, at most `most`.
pub(crate) async fn waiting(
    connection: &mut Conn,
    texts: Texts,
    most: u16,
) -> QueryResult<Vec<Waiting>> {
    let (tweets, waiting) = (texts.tweets(), texts.waiting());
    let sql = format!(
        "SELECT waiting.id, length(tweet.content) AS length FROM {waiting} AS waiting \
         CROSS JOIN {tweets} AS tweet USING (id) ORDER BY waiting.id LIMIT ?1"
    );
    diesel::sql_query(sql).bind::<BigInt, _>(i64::from(most)).load(connection).await
}

/// Indexes those of these tweets that are waiting.
pub(crate) async fn index(connection: &mut Conn, texts: Texts, ids: &[i64]) -> QueryResult<()> {
    let (tweets, search, waiting) = (texts.tweets(), texts.search(), texts.waiting());
    let these = "(SELECT value FROM json_each(?1))";
    let add = format!(
        "INSERT INTO {search} (rowid, content) SELECT tweet.id, tweet.content FROM {waiting} \
         CROSS JOIN {tweets} AS tweet USING (id) WHERE tweet.id IN {these}"
    );
    let end = format!("DELETE FROM {waiting} WHERE id IN {these}");
    let ids = serde_json::Value::from(ids).to_string();
    diesel::sql_query(add).bind::<Text, _>(&ids).execute(connection).await?;
    diesel::sql_query(end).bind::<Text, _>(&ids).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::trigrams;

    #[test]
    fn trigrams_cover_the_words_of_a_text() {
        let of = |part| trigrams(part).unwrap_or_default();
        assert_eq!(of("abc"), "\"abc\" \"abc\"");
        assert_eq!(of("Über\"x"), "\"Übe\" \"r\"\"x\" \"r\"\"x\"");
        assert_eq!(of("stands water"), "\"sta\" \"nds\" \"nds\" \"wat\" \"ter\"");
        assert_eq!(of("a b"), "\"a b\" \"a b\"");
        assert_eq!(of("of AI and"), "\"of \" \"AI \" \"and\" \"and\"");
        assert_eq!(of(" and "), "\"and\" \"and\"");
        assert_eq!(trigrams("   "), None);
        assert_eq!(trigrams("日本"), None);
    }
}
