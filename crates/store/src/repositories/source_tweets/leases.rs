//! Ends leases of source tweets.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use waggle_twitter_n8n::{LeaseOutcome, RunKey, RunsToEnd};

use super::super::{Conn, Db};
use crate::insert_many::CHUNK;
use crate::run_query::RunQueryDsl;
use crate::schema::source_tweets;
use crate::types::Time;

/// Ends the leases of these rows, and returns the runs that they belong to, one for each row.
pub(in super::super) async fn end_leases(
    connection: &mut Conn,
    ids: &[i64],
    outcome: LeaseOutcome,
    now: Time,
) -> QueryResult<Vec<String>> {
    let mut runs = Vec::new();
    for chunk in ids.chunks(CHUNK * 10) {
        let rows = diesel::update(source_tweets::table).filter(source_tweets::id.eq_any(chunk));
        let ended: Vec<String> = match outcome {
            LeaseOutcome::Processed => {
                rows.set((
                    source_tweets::is_processed.eq(true),
                    source_tweets::lease.eq(None::<String>),
                    source_tweets::leased_until.eq(None::<Time>),
                ))
                .returning(source_tweets::run_key)
                .get_results(connection)
                .await?
            }
            // The lease is set to one that has expired: a tweet that was never leased is not
            // offered again, but this one is.
            LeaseOutcome::Released => {
                rows.set((
                    source_tweets::lease.eq(RELEASED),
                    source_tweets::leased_until.eq(now),
                    source_tweets::lapsed_at.eq(None::<Time>),
                ))
                .returning(source_tweets::run_key)
                .get_results(connection)
                .await?
            }
        };
        runs.extend(ended);
    }
    Ok(runs)
}

/// The name of a lease that was released. No run and no claim has this name.
const RELEASED: &str = "released";

/// The open source tweets of these runs.
pub(in super::super) async fn open_tweets(
    connection: &mut Conn,
    runs: &RunsToEnd,
    now: Time,
) -> QueryResult<Vec<i64>> {
    open(runs, now).load(connection).await
}

/// The ids of the open source tweets of these runs.
pub(in super::super) fn open<'a>(
    runs: &RunsToEnd,
    now: Time,
) -> source_tweets::BoxedQuery<'a, Db, BigInt> {
    let of_run = source_tweets::lease.eq(source_tweets::run_key.nullable());
    let query = source_tweets::table
        .filter(source_tweets::is_processed.eq(false))
        .order(source_tweets::id)
        .select(source_tweets::id)
        .into_boxed::<Db>();
    match runs {
        RunsToEnd::Named(name) => {
            let key = RunKey::Execution(name.clone()).stored();
            query
                .filter(source_tweets::execution_id.eq(name.clone()))
                .filter(of_run.and(source_tweets::run_key.eq(key)))
        }
        RunsToEnd::OfSender(sender) => {
            let query = query
                .filter(source_tweets::lease.is_not_null())
                .filter(source_tweets::leased_until.gt(now))
                .filter(of_run);
            let is_same = source_tweets::received_from.eq(sender.by.shown.clone());
            let is_near = source_tweets::address.eq(sender.address.clone());
            if sender.address.is_empty() {
                query.filter(is_same)
            } else if sender.is_unauthenticated {
                query.filter(is_same.or(is_near))
            } else {
                query.filter(is_same.or(is_near.and(source_tweets::unauthenticated)))
            }
        }
    }
}

/// The number of distinct runs.
pub(in super::super) fn distinct(runs: &[String]) -> u32 {
    let distinct: HashSet<&String> = runs.iter().collect();
    u32::try_from(distinct.len()).unwrap_or(u32::MAX)
}
