//! Stores a batch and its tweets in one statement.

use diesel::insertable::InsertValues;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId, ValuesClause};
use diesel::sql_types::BigInt;

use super::connection::Conn;
use crate::run_query::RunQueryDsl;
use crate::schema::{campaign_batches, generated_tweets};

/// Stores a batch and its tweets (at least one), unless a batch with its name exists or `unless`
/// finds a row. Returns the id of the batch, or `None` if nothing was stored.
///
/// A transaction of separate statements takes five round trips to the server. This takes one, or
/// two with more than ten tweets, because such a statement is prepared each time.
pub(crate) async fn store_at_once<B, T, O, VB, VT>(
    connection: &mut Conn,
    batch: B,
    tweets: Vec<T>,
    unless: O,
) -> QueryResult<Option<i64>>
where
    B: Insertable<campaign_batches::table, Values = ValuesClause<VB, campaign_batches::table>>,
    T: Insertable<generated_tweets::table, Values = ValuesClause<VT, generated_tweets::table>>,
    O: QueryFragment<Pg> + Send,
    VB: InsertValues<Pg, campaign_batches::table> + Send,
    VT: InsertValues<Pg, generated_tweets::table> + Send,
{
    let batch = batch.values().values;
    let tweets = tweets.into_iter().map(|tweet| tweet.values().values).collect();
    // All results are read, until the server says that the statement is committed. It sends the row
    // before that.
    let ids: Vec<i64> = NewBatch { batch, tweets, unless }.get_results(connection).await?;
    Ok(ids.into_iter().next())
}

struct NewBatch<B, T, O> {
    batch: B,
    tweets: Vec<T>,
    unless: O,
}

impl<B, T, O> QueryFragment<Pg> for NewBatch<B, T, O>
where
    B: InsertValues<Pg, campaign_batches::table>,
    T: InsertValues<Pg, generated_tweets::table>,
    O: QueryFragment<Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // The cache is keyed by the text of the statement, so only common lengths are cached.
        if self.tweets.len() > 10 {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql("WITH batch AS (INSERT INTO campaign_batches (");
        self.batch.column_names(out.reborrow())?;
        out.push_sql(") SELECT ");
        self.batch.walk_ast(out.reborrow())?;
        out.push_sql(" WHERE NOT EXISTS (");
        self.unless.walk_ast(out.reborrow())?;
        out.push_sql(
            ") ON CONFLICT (batch_id) DO NOTHING RETURNING id), \
             tweets AS (INSERT INTO generated_tweets (campaign_batch_id, ",
        );
        let mut tweets = self.tweets.iter();
        if let Some(first) = tweets.next() {
            first.column_names(out.reborrow())?;
            out.push_sql(") SELECT batch.id, tweet.* FROM batch CROSS JOIN (VALUES (");
            first.walk_ast(out.reborrow())?;
        }
        for tweet in tweets {
            out.push_sql("), (");
            tweet.walk_ast(out.reborrow())?;
        }
        out.push_sql(")) AS tweet) SELECT id FROM batch");
        Ok(())
    }
}

impl<B, T, O> QueryId for NewBatch<B, T, O> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<B, T, O> Query for NewBatch<B, T, O> {
    type SqlType = BigInt;
}
