//! Adds changes to the totals of source tweets.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::connection::Conn;
use crate::ids::Id;
use crate::run_query::RunQueryDsl;

/// Adds up to `most` changes to the totals, and returns how many they were. Skips changes that
/// another process is adding.
pub(crate) async fn add_up(connection: &mut Conn, most: u16) -> QueryResult<usize> {
    let sql = "WITH next AS MATERIALIZED (SELECT id FROM source_tweet_total_changes \
               ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED), \
               ended AS (DELETE FROM source_tweet_total_changes AS change USING next \
               WHERE change.id = next.id RETURNING change.*), \
               added AS (INSERT INTO source_tweet_totals AS kept \
               (day, execution_id, tweets, likes, retweets, views) \
               SELECT day, execution_id, SUM(tweets), SUM(likes), SUM(retweets), SUM(views) \
               FROM ended GROUP BY 1, 2 ORDER BY 1, 2 \
               ON CONFLICT (day, execution_id) DO UPDATE \
               SET tweets = kept.tweets + excluded.tweets, likes = kept.likes + excluded.likes, \
               retweets = kept.retweets + excluded.retweets, views = kept.views + excluded.views) \
               SELECT id FROM ended";
    let ended: Vec<Id> =
        diesel::sql_query(sql).bind::<BigInt, _>(i64::from(most)).load(connection).await?;
    Ok(ended.len())
}
