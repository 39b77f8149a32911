//! The order of the tweets of a batch.
//!
//! A tweet that nobody moved has no place of its own: its id stands for it. The tweets of a batch
//! exchange their places when one is moved, so that places, like ids, occur once.

use std::fmt::Write as _;

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use waggle_kernel::ids::GeneratedTweetId;
use waggle_twitter_n8n::Place;

use super::{Conn, locks};
use crate::insert_many::CHUNK;
use crate::run_query::RunQueryDsl;
use crate::schema::generated_tweets;

/// The place of a tweet, in the words of the indexes, so that SQLite uses them.
pub(super) fn place() -> SqlLiteral<BigInt> {
    sql("coalesce(generated_tweets.place, generated_tweets.id)")
}

/// Moves a tweet among the tweets of its batch. Returns where it was, if their order changed.
pub(super) async fn reorder(
    connection: &mut Conn,
    batch: i64,
    tweet: GeneratedTweetId,
    to: Place,
) -> QueryResult<Option<Place>> {
    let mut places = locks::lock_tweets_of_batch(connection, batch).await?;
    places.sort_by_key(|&(id, place)| place.unwrap_or(id));
    let mut order: Vec<GeneratedTweetId> =
        places.iter().map(|&(id, _)| GeneratedTweetId::new(id)).collect();
    let former = Place::of(tweet, &order);
    to.apply(&mut order, tweet);
    let changed: Vec<(i64, i64)> = order
        .iter()
        .zip(&places)
        .filter(|(id, (there, _))| id.number() != *there)
        .map(|(id, &(there, place))| (id.number(), place.unwrap_or(there)))
        .collect();
    for chunk in changed.chunks(CHUNK) {
        let ids = chunk.iter().map(|&(id, _)| id);
        diesel::update(generated_tweets::table.filter(generated_tweets::id.eq_any(ids)))
            .set(generated_tweets::place.eq(sql::<BigInt>(&by_id(chunk)).nullable()))
            .execute(connection)
            .await?;
    }
    Ok(former.filter(|_| !changed.is_empty()))
}

/// The new place of each of these tweets, given with its id.
fn by_id(places: &[(i64, i64)]) -> String {
    let mut text = "CASE generated_tweets.id".to_owned();
    for (id, place) in places {
        // Writing to a string does not fail.
        let _ = write!(text, " WHEN {id} THEN {place}");
    }
    text + " END"
}
