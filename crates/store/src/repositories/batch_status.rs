//! The status of a batch, which follows from the states of its tweets and is stored for filtering.

use std::collections::HashMap;

use diesel::dsl::count_star;
use diesel::prelude::*;
use waggle_twitter_n8n::{BatchStatus, StatusCounts};

use super::{Conn, locks};
use crate::error::{StoreError, column};
use crate::run_query::RunQueryDsl;
use crate::schema::{campaign_batches, generated_tweets};

/// The number of tweets in each status for these batches, in one query.
pub(super) async fn counts(
    connection: &mut Conn,
    batches: &[i64],
) -> Result<HashMap<i64, StatusCounts>, StoreError> {
    let rows: Vec<(i64, String, i64)> = generated_tweets::table
        .filter(generated_tweets::campaign_batch_id.eq_any(batches))
        .group_by((generated_tweets::campaign_batch_id, generated_tweets::status))
        .select((generated_tweets::campaign_batch_id, generated_tweets::status, count_star()))
        .load(connection)
        .await?;
    let mut counts: HashMap<i64, StatusCounts> = HashMap::with_capacity(batches.len());
    for (batch, status, count) in rows {
        let status = status.parse().map_err(column("generated_tweets.status"))?;
        counts.entry(batch).or_default().add(status, count);
    }
    Ok(counts)
}

/// Updates the status of a batch after a change of its tweets, in the same transaction.
pub(super) async fn refresh(connection: &mut Conn, batch: i64) -> Result<(), StoreError> {
    // Serializes transactions that change different tweets of the same batch.
    locks::lock_batch_by_id(connection, batch).await?;
    let counts = counts(connection, &[batch]).await?.remove(&batch).unwrap_or_default();
    let status = BatchStatus::of(&counts).name();
    diesel::update(campaign_batches::table.find(batch))
        .filter(campaign_batches::status.ne(status))
        .set(campaign_batches::status.eq(status))
        .execute(connection)
        .await?;
    Ok(())
}
