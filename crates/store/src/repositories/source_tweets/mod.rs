//! The repository of source tweets.

mod filter;
mod leases;
mod list;
mod reports;
mod row;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use tracing::error;
use waggle_kernel::ids::SourceTweetId;
use waggle_kernel::{ActorRef, Cursor, Direction, Page, PageRequest, PortError};
use waggle_twitter_n8n::events as events_of;
use waggle_twitter_n8n::ports::SourceTweetRepository;
use waggle_twitter_n8n::{
    EndedRuns, Lease, LeaseOutcome, NewSourceTweet, OfferPolicy, Run, RunsToEnd, Sighting,
    SourceTweet, SourceTweetFilter, SourceTweetSort, SourceTweetTotals,
};

use self::row::Row;
use super::readable::{Rows, readable};
use super::{Conn, Db, Repositories, columns, events, locks, system};
use crate::error::{StoreError, during};
use crate::insert_many::CHUNK;
use crate::run_query::RunQueryDsl;
use crate::schema::source_tweets;
use crate::types::Time;

pub(super) use self::leases::{distinct, end_leases, open, open_tweets};

fn with_ids<'a>(connection: &'a mut Conn, ids: &'a [i64]) -> Rows<'a, Row> {
    let query = source_tweets::table.filter(source_tweets::id.eq_any(ids)).order(source_tweets::id);
    query.select(columns::<Row>()).load(connection)
}

/// Records that leases of source tweets ended, if any did.
async fn write_ended(
    connection: &mut Conn,
    outcome: LeaseOutcome,
    tweets: usize,
    by: &ActorRef,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    if tweets == 0 {
        return Ok(());
    }
    events::write(connection, &[events_of::leases_ended(outcome, tweets, by, now)]).await
}

impl Repositories {
    async fn delete_once(
        &self,
        ids: &[SourceTweetId],
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, StoreError> {
        let mut transaction = self.pools.write().await?;
        let mut deleted = Vec::new();
        for chunk in ids.chunks(CHUNK * 10) {
            let numbers: Vec<i64> = chunk.iter().map(|id| id.number()).collect();
            locks::lock_source_tweets_by_id(transaction.connection(), &numbers).await?;
            let rows: Vec<String> = diesel::delete(source_tweets::table)
                .filter(source_tweets::id.eq_any(numbers))
                .returning(source_tweets::tweet_id)
                .get_results(transaction.connection())
                .await?;
            deleted.extend(rows);
        }
        if !deleted.is_empty() {
            let event = events_of::source_tweets_deleted(&deleted, by, now);
            events::write(transaction.connection(), &[event]).await?;
        }
        transaction.commit().await?;
        Ok(deleted)
    }
}

#[async_trait]
impl SourceTweetRepository for Repositories {
    async fn record(
        &self,
        run: &Run,
        tweets: &[NewSourceTweet],
        offers: OfferPolicy,
        now: DateTime<Utc>,
    ) -> Result<Vec<Sighting>, PortError> {
        let mut tries = 1;
        loop {
            match self.record_once(run, tweets, offers, now).await {
                Err(error) if error.is_worth_another_try(tries) => tries += 1,
                result => return result.map_err(|error| error.during("recording source tweets")),
            }
        }
    }

    async fn end_runs(
        &self,
        runs: &RunsToEnd,
        outcome: LeaseOutcome,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<EndedRuns, PortError> {
        during("ending runs", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let ids = open_tweets(connection, runs, now.into()).await?;
            let ended = end_leases(connection, &ids, outcome, now.into()).await?;
            write_ended(connection, outcome, ended.len(), by, now).await?;
            transaction.commit().await?;
            Ok(EndedRuns {
                runs: distinct(&ended),
                tweets: u32::try_from(ended.len()).unwrap_or(u32::MAX),
            })
        })
        .await
    }

    async fn mark_lapsed(
        &self,
        offers: u32,
        most: u16,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, PortError> {
        during("marking lapsed source tweets", async {
            let time = Time::from(now);
            let lapsed = || {
                source_tweets::table
                    .filter(source_tweets::lease.is_not_null())
                    .filter(source_tweets::leased_until.le(time))
                    .filter(source_tweets::lapsed_at.is_null())
                    .filter(source_tweets::offers.ge(i64::from(offers)))
                    .filter(source_tweets::is_processed.eq(false))
            };
            let mut connection = self.pools.read().await?;
            let ids: Vec<i64> = lapsed()
                .order(source_tweets::leased_until)
                .limit(most.into())
                .select(source_tweets::id)
                .load(&mut connection)
                .await?;
            drop(connection);
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let mut transaction = self.pools.write().await?;
            let marked: Vec<String> =
                diesel::update(lapsed().filter(source_tweets::id.eq_any(ids)))
                    .set(source_tweets::lapsed_at.eq(time))
                    .returning(source_tweets::tweet_id)
                    .get_results(transaction.connection())
                    .await?;
            if !marked.is_empty() {
                let event = events_of::lapsed(&marked, &system(), now);
                events::write(transaction.connection(), &[event]).await?;
            }
            transaction.commit().await?;
            Ok(marked)
        })
        .await
    }

    async fn find(&self, id: SourceTweetId) -> Result<Option<SourceTweet>, PortError> {
        during("finding a source tweet", async {
            let mut connection = self.pools.read().await?;
            let row: Option<Row> = source_tweets::table
                .find(id.number())
                .select(columns::<Row>())
                .first(&mut connection)
                .await
                .optional()?;
            Ok(row.map(Into::into))
        })
        .await
    }

    async fn list(
        &self,
        filter: &SourceTweetFilter,
        sort: SourceTweetSort,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<SourceTweet>, PortError> {
        during("listing source tweets", async {
            let mut reader = self.pools.read_long().await?;
            reader.begin_snapshot().await?;
            let rows = list::page(reader.connection(), filter, sort, direction, page).await?;
            reader.end_snapshot().await?;
            let tweets = rows.into_iter().map(SourceTweet::from).collect();
            Ok(Page::from_one_more(tweets, page.limit, |tweet| Cursor {
                sort_value: sort.value(tweet),
                id: tweet.id.number(),
            }))
        })
        .await
    }

    async fn totals(&self, filter: &SourceTweetFilter) -> Result<SourceTweetTotals, PortError> {
        during("adding up source tweets", async {
            let mut reader = self.pools.read_long().await?;
            Ok(list::totals(reader.connection(), filter).await?)
        })
        .await
    }

    async fn delete(
        &self,
        ids: &[SourceTweetId],
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, PortError> {
        let mut tries = 1;
        loop {
            match self.delete_once(ids, by, now).await {
                Err(error) if error.is_worth_another_try(tries) => tries += 1,
                result => return result.map_err(|error| error.during("deleting source tweets")),
            }
        }
    }

    async fn lease(
        &self,
        lease: &Lease,
        most: u16,
        now: DateTime<Utc>,
    ) -> Result<Vec<SourceTweet>, PortError> {
        during("leasing source tweets", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let holder = &lease.holder.shown;
            let ids =
                locks::waiting_source_tweets(connection, holder, now.into(), most.into()).await?;
            diesel::update(source_tweets::table)
                .filter(source_tweets::id.eq_any(&ids))
                .set((
                    source_tweets::lease.eq(&lease.name),
                    source_tweets::leased_until.eq(Time::from(lease.until)),
                    source_tweets::lapsed_at.eq(None::<Time>),
                ))
                .execute(connection)
                .await?;
            let (rows, unreadable) = readable(connection, &ids, with_ids).await?;
            let tweets: Vec<SourceTweet> = rows.into_iter().map(Into::into).collect();
            if !tweets.is_empty() {
                let tweets: Vec<&str> =
                    tweets.iter().map(|tweet| tweet.report.tweet_id.as_str()).collect();
                let event = events_of::claimed(&tweets, &lease.holder, lease.until, now);
                events::write(connection, &[event]).await?;
            }
            transaction.commit().await?;
            for (id, reason) in unreadable {
                error!(source_tweet.id = id, reason, "a source tweet cannot be read");
            }
            Ok(tweets)
        })
        .await
    }

    async fn end_lease(
        &self,
        lease: &str,
        ids: Option<Vec<SourceTweetId>>,
        outcome: LeaseOutcome,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<u64, PortError> {
        during("ending a lease", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let mut held = source_tweets::table
                .filter(source_tweets::lease.eq(lease))
                .order(source_tweets::id)
                .select(source_tweets::id)
                .into_boxed::<Db>();
            if let Some(ids) = ids {
                let numbers: Vec<i64> = ids.into_iter().map(SourceTweetId::number).collect();
                held = held.filter(source_tweets::id.eq_any(numbers));
            }
            let held: Vec<i64> = held.load(connection).await?;
            let ended = end_leases(connection, &held, outcome, now.into()).await?;
            write_ended(connection, outcome, ended.len(), by, now).await?;
            transaction.commit().await?;
            Ok(u64::try_from(ended.len()).unwrap_or_default())
        })
        .await
    }
}
