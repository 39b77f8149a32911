//! Stores a batch, its tweets and what it did to source tweets in one statement.

use diesel::insertable::InsertValues;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId, ValuesClause};
use diesel::sql_types::BigInt;

use super::connection::Conn;
use crate::new_batch::NewBatch;
use crate::run_query::RunQueryDsl;
use crate::schema::{campaign_batches, generated_tweets, new_events};

/// Stores a batch, its tweets (at least one) and its event, links it to its sources, and marks
/// these as processed. Returns the id of the batch, the number of source tweets, and the number of
/// their runs; `None` if nothing was stored, because a batch with its name exists, there are more
/// than [`MOST_SOURCES`], or it needs sources and there are none.
///
/// A transaction of separate statements takes five to eight round trips to the server. This takes
/// one, or two with more than ten tweets, because such a statement is prepared each time. It takes
/// its locks in the same order as the transaction: first the name of the batch, for which a
/// repeated call waits, then the source tweets.
pub(crate) async fn store_at_once<B, T, E, O, VB, VT, VE>(
    connection: &mut Conn,
    new: NewBatch<B, T, E, O>,
) -> QueryResult<Option<(i64, i64, i64)>>
where
    B: Insertable<campaign_batches::table, Values = ValuesClause<VB, campaign_batches::table>>,
    T: Insertable<generated_tweets::table, Values = ValuesClause<VT, generated_tweets::table>>,
    E: Insertable<new_events::table, Values = ValuesClause<VE, new_events::table>>,
    O: QueryFragment<Pg> + Send,
    VB: InsertValues<Pg, campaign_batches::table> + Send,
    VT: InsertValues<Pg, generated_tweets::table> + Send,
    VE: InsertValues<Pg, new_events::table> + Send,
{
    let query = Statement {
        batch: new.row.values().values,
        tweets: new.tweets.into_iter().map(|tweet| tweet.values().values).collect(),
        event: new.event.values().values,
        sources: new.sources,
        needs_sources: new.needs_sources,
    };
    // All results are read, until the server says that the statement is committed. It sends the row
    // before that.
    let rows: Vec<(i64, i64, i64)> = query.get_results(connection).await?;
    Ok(rows.into_iter().next())
}

/// The maximum number of source tweets, because a statement must end in time.
pub(crate) const MOST_SOURCES: i64 = 1_000;

struct Statement<B, T, E, O> {
    batch: B,
    tweets: Vec<T>,
    event: E,
    sources: O,
    needs_sources: bool,
}

impl<B, T, E, O> QueryFragment<Pg> for Statement<B, T, E, O>
where
    B: InsertValues<Pg, campaign_batches::table>,
    T: InsertValues<Pg, generated_tweets::table>,
    E: InsertValues<Pg, new_events::table>,
    O: QueryFragment<Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // The cache is keyed by the text of the statement, so only common lengths are cached.
        if self.tweets.len() > 10 {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql("WITH sources AS (");
        self.sources.walk_ast(out.reborrow())?;
        out.push_sql("), batch AS (INSERT INTO campaign_batches (");
        self.batch.column_names(out.reborrow())?;
        out.push_sql(") SELECT ");
        self.batch.walk_ast(out.reborrow())?;
        let least = i64::from(self.needs_sources);
        out.push_sql(&format!(
            " WHERE (SELECT COUNT(*) FROM sources) BETWEEN {least} AND {MOST_SOURCES}"
        ));
        out.push_sql(
            " ON CONFLICT (batch_id) DO NOTHING RETURNING id), \
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
        out.push_sql(")) AS tweet), event AS (INSERT INTO new_events (object_id, ");
        self.event.column_names(out.reborrow())?;
        out.push_sql(") SELECT batch.id::text, ");
        self.event.walk_ast(out.reborrow())?;
        // By the ids in an array, the planner always finds the tweets with the index.
        out.push_sql(
            " FROM batch), processed AS (UPDATE source_tweets SET is_processed = TRUE, \
             lease = NULL, leased_until = NULL FROM batch \
             WHERE source_tweets.id = ANY(ARRAY(SELECT id FROM sources)) \
             RETURNING source_tweets.id, source_tweets.run_key), \
             links AS (INSERT INTO campaign_batch_sources (campaign_batch_id, source_tweet_id) \
             SELECT batch.id, processed.id FROM batch CROSS JOIN processed) \
             SELECT id, (SELECT COUNT(*) FROM processed), \
             (SELECT COUNT(DISTINCT run_key) FROM processed) FROM batch",
        );
        Ok(())
    }
}

impl<B, T, E, O> QueryId for Statement<B, T, E, O> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<B, T, E, O> Query for Statement<B, T, E, O> {
    type SqlType = (BigInt, BigInt, BigInt);
}
