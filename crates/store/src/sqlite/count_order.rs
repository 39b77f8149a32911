//! Reads source tweets in the order of a count, such as likes.
//!
//! Counts are scattered: in a plain index of a count, each new tweet changes a page of its own. So
//! the indexes of counts are ordered by block first. A block is 4,096 consecutive ids. New tweets
//! are in the last block, whose part of an index is only a few pages. Lists merge the blocks.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use waggle_kernel::{Cursor, Direction};

use super::connection::Conn;
use crate::counts::Count;
use crate::ids::{Id, at_most};
use crate::run_query::RunQueryDsl;

/// The numbers of the blocks with tweets. `id >> 12` is the expression of the indexes.
const BLOCKS: &str = "WITH RECURSIVE blocks (block) AS (\
                      SELECT (SELECT id >> 12 FROM source_tweets ORDER BY id LIMIT 1) \
                      UNION ALL \
                      SELECT (SELECT id >> 12 FROM source_tweets WHERE id >= (block + 1) << 12 \
                      ORDER BY id LIMIT 1) FROM blocks WHERE block IS NOT NULL)";

#[derive(QueryableByName)]
struct Position {
    #[diesel(sql_type = BigInt)]
    value: i64,
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The counts and ids of the next `most` tweets after `after` in the order of `count`. On another
/// database this is `None`, because an index has that order.
///
/// The recursive table is a priority queue. It starts with the first tweet of each block. When a
/// tweet leaves it, the next tweet of the same block enters.
pub(crate) async fn next_by_count(
    connection: &mut Conn,
    count: Count,
    direction: Direction,
    after: Option<Cursor>,
    most: i64,
) -> QueryResult<Option<Vec<(i64, i64)>>> {
    let count = count.column();
    let (beyond, order, start) = match direction {
        Direction::Ascending => (">", "ASC", i64::MIN),
        Direction::Descending => ("<", "DESC", i64::MAX),
    };
    let first = |condition: &str| {
        format!(
            "(SELECT id FROM source_tweets INDEXED BY source_tweets_{count} WHERE id >> 12 = \
             last.block AND {condition} ORDER BY {count} {order}, id {order} LIMIT 1)"
        )
    };
    // Two lookups, so that many tweets with the same count are not skipped one by one.
    let next = |value: &str, id: &str| {
        let same = first(&format!("{count} = {value} AND id {beyond} {id}"));
        let other = first(&format!("{count} {beyond} {value}"));
        format!("CROSS JOIN source_tweets AS next ON next.id = COALESCE({same}, {other})")
    };
    let after = after.unwrap_or(Cursor { sort_value: start, id: start });
    let sql = format!(
        "{BLOCKS}, positions (block, value, id) AS (\
         SELECT block, next.{count}, next.id FROM blocks AS last {} UNION ALL \
         SELECT block, next.{count}, next.id FROM positions AS last {} \
         ORDER BY 2 {order}, 3 {order} LIMIT ?3) SELECT value, id FROM positions",
        next("?1", "?2"),
        next("last.value", "last.id"),
    );
    let positions: Vec<Position> = diesel::sql_query(sql)
        .bind::<BigInt, _>(after.sort_value)
        .bind::<BigInt, _>(after.id)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?;
    Ok(Some(positions.into_iter().map(|position| (position.value, position.id)).collect()))
}

/// The ids of the tweets whose `count` is at least `least`, or `None` if they are more than `most`.
pub(crate) async fn with_at_least(
    connection: &mut Conn,
    count: Count,
    least: i64,
    most: i64,
) -> QueryResult<Option<Vec<i64>>> {
    let count = count.column();
    let sql = format!(
        "{BLOCKS} SELECT id FROM blocks CROSS JOIN source_tweets \
         INDEXED BY source_tweets_{count} ON id >> 12 = block AND {count} >= ?1 LIMIT ?2 + 1"
    );
    let found: Vec<Id> = diesel::sql_query(sql)
        .bind::<BigInt, _>(least)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await?;
    Ok(at_most(most, found))
}
