//! Rows that stay unchanged until the transaction ends: on PostgreSQL because they are locked, on
//! SQLite because there is a single writer.

use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::dialect::{locked, share_locked, skip_locked};
use super::{Conn, columns, dialect};
use crate::locked_tweet::LockedTweet;
use crate::run_query::RunQueryDsl;
use crate::schema::{
    campaign_batches, generated_tweets, limit_counters, mails, posts, setting_state, source_tweets,
    twitter_posts, users,
};
use crate::types::Time;

/// The ids of source tweets that `holder` can lease, oldest first. Rows that another
/// transaction has locked are skipped.
pub(super) async fn waiting_source_tweets(
    connection: &mut Conn,
    holder: &str,
    now: Time,
    most: i64,
) -> QueryResult<Vec<i64>> {
    skip_locked!(
        source_tweets::table
            // In the words of the partial index, so that SQLite uses it.
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("NOT is_processed"))
            .filter(
                source_tweets::lease.is_null().or(source_tweets::leased_until.le(now)).or(
                    source_tweets::lease
                        .eq(source_tweets::run_key.nullable())
                        .and(source_tweets::received_from.eq(holder)),
                ),
            )
            .order(source_tweets::id)
            .limit(most)
            .select(source_tweets::id)
    )
    .load(connection)
    .await
}

/// Locks source tweets in the order of their X ids, so that two transactions that change the same
/// ones do not wait for each other.
pub(super) async fn lock_source_tweets(
    connection: &mut Conn,
    tweet_ids: &[&str],
) -> QueryResult<()> {
    let _: Vec<i64> = locked!(
        source_tweets::table
            .filter(source_tweets::tweet_id.eq_any(tweet_ids))
            .order(source_tweets::tweet_id)
            .select(source_tweets::id)
    )
    .load(connection)
    .await?;
    Ok(())
}

/// Locks source tweets in the same order, given their ids.
pub(super) async fn lock_source_tweets_by_id(
    connection: &mut Conn,
    ids: &[i64],
) -> QueryResult<()> {
    let _: Vec<i64> = locked!(
        source_tweets::table
            .filter(source_tweets::id.eq_any(ids))
            .order(source_tweets::tweet_id)
            .select(source_tweets::id)
    )
    .load(connection)
    .await?;
    Ok(())
}

/// The ids of due posts, oldest first. Rows that another transaction has locked are skipped.
pub(super) async fn due_posts(
    connection: &mut Conn,
    of_known_platforms: SqlLiteral<Bool>,
    now: Time,
    most: i64,
) -> QueryResult<Vec<i64>> {
    skip_locked!(
        posts::table
            .filter(posts::due_at.le(now))
            .filter(of_known_platforms)
            .order((posts::due_at, posts::id))
            .limit(most)
            .select(posts::id)
    )
    .load(connection)
    .await
}

/// The ids of due mails, oldest first. Rows that another transaction has locked are skipped.
pub(super) async fn due_mails(
    connection: &mut Conn,
    now: Time,
    most: i64,
) -> QueryResult<Vec<i64>> {
    skip_locked!(
        mails::table
            .filter(mails::due_at.le(now))
            .order((mails::due_at, mails::id))
            .limit(most)
            .select(mails::id)
    )
    .load(connection)
    .await
}

/// The keys of counters whose window ended before `end`. Rows that another transaction has
/// locked are skipped.
pub(super) async fn counters_over(
    connection: &mut Conn,
    end: Time,
    most: i64,
) -> QueryResult<Vec<String>> {
    skip_locked!(
        limit_counters::table
            .filter(limit_counters::window_ends_at.lt(end))
            .order(limit_counters::window_ends_at)
            .limit(most)
            .select(limit_counters::key)
    )
    .load(connection)
    .await
}

/// Locks the batch with this name until the transaction ends, and returns its id.
pub(super) async fn lock_batch(connection: &mut Conn, batch_id: &str) -> QueryResult<Option<i64>> {
    locked!(
        campaign_batches::table
            .filter(campaign_batches::batch_id.eq(batch_id))
            .select(campaign_batches::id)
    )
    .first(connection)
    .await
    .optional()
}

/// Locks the batch with this id until the transaction ends.
pub(super) async fn lock_batch_by_id(connection: &mut Conn, id: i64) -> QueryResult<()> {
    locked!(campaign_batches::table.find(id).select(campaign_batches::id))
        .first::<i64>(connection)
        .await
        .optional()
        .map(drop)
}

/// Locks the generated tweet until the transaction ends, and returns it.
pub(super) async fn lock_tweet(connection: &mut Conn, id: i64) -> QueryResult<Option<LockedTweet>> {
    locked!(generated_tweets::table.find(id).select(columns::<LockedTweet>()))
        .first(connection)
        .await
        .optional()
}

/// Locks the generated tweets of a batch in the order of their ids, and returns the id and the
/// place of each.
pub(super) async fn lock_tweets_of_batch(
    connection: &mut Conn,
    batch: i64,
) -> QueryResult<Vec<(i64, Option<i64>)>> {
    locked!(
        generated_tweets::table
            .filter(generated_tweets::campaign_batch_id.eq(batch))
            .order(generated_tweets::id)
            .select((generated_tweets::id, generated_tweets::place))
    )
    .load(connection)
    .await
}

/// Locks the post until the transaction ends, and returns its status.
pub(super) async fn lock_post(connection: &mut Conn, id: i64) -> QueryResult<Option<String>> {
    locked!(posts::table.find(id).select(posts::status)).first(connection).await.optional()
}

/// Locks the post of a generated tweet until the transaction ends, and returns its id and
/// status.
pub(super) async fn lock_post_of_tweet(
    connection: &mut Conn,
    tweet: i64,
) -> QueryResult<Option<(i64, String)>> {
    let of_tweet = twitter_posts::table
        .filter(twitter_posts::generated_tweet_id.eq(tweet))
        .select(twitter_posts::post_id);
    locked!(posts::table.filter(posts::id.eq_any(of_tweet)).select((posts::id, posts::status)))
        .first(connection)
        .await
        .optional()
}

/// Locks the user until the transaction ends, and returns the password, whether the user is
/// active, and the version.
pub(super) async fn lock_user(
    connection: &mut Conn,
    id: i64,
) -> QueryResult<Option<(String, bool, i64)>> {
    dialect::enter_users(connection).await?;
    locked!(users::table.find(id).select((users::password, users::is_active, users::version)))
        .first(connection)
        .await
        .optional()
}

/// The name of the master key in use, which cannot change until the transaction ends.
pub(super) async fn master_key_in_use(connection: &mut Conn) -> QueryResult<Option<String>> {
    share_locked!(setting_state::table.select(setting_state::master_key)).first(connection).await
}
