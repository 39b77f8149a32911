//! Adds changes to the totals of source tweets.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::connection::Conn;
use crate::ids::Id;
use crate::run_query::RunQueryDsl;

/// The last of the first `most` changes, if there is one.
pub(crate) async fn last_change(connection: &mut Conn, most: u16) -> QueryResult<Option<i64>> {
    let sql = "SELECT id FROM source_tweet_total_changes ORDER BY id LIMIT ?1";
    let ids: Vec<Id> =
        diesel::sql_query(sql).bind::<BigInt, _>(i64::from(most)).load(connection).await?;
    Ok(ids.last().map(|row| row.id))
}

/// Adds the changes up to `last` to the totals, and returns how many they were.
pub(crate) async fn add_up(connection: &mut Conn, last: i64) -> QueryResult<usize> {
    let add = "INSERT INTO source_tweet_totals (day, execution_id, tweets, likes, retweets, views) \
               SELECT day, execution_id, SUM(tweets), SUM(likes), SUM(retweets), SUM(views) \
               FROM source_tweet_total_changes WHERE id <= ?1 GROUP BY 1, 2 \
               ON CONFLICT (day, execution_id) DO UPDATE SET tweets = tweets + excluded.tweets, \
               likes = likes + excluded.likes, retweets = retweets + excluded.retweets, \
               views = views + excluded.views";
    let end = "DELETE FROM source_tweet_total_changes WHERE id <= ?1";
    diesel::sql_query(add).bind::<BigInt, _>(last).execute(connection).await?;
    diesel::sql_query(end).bind::<BigInt, _>(last).execute(connection).await
}
