//! The repository of source tweets.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tracing::error;
use waggle_kernel::ids::SourceTweetId;
use waggle_kernel::{Cursor, Direction, Page, PageRequest, PortError};
use waggle_twitter_n8n::ports::SourceTweetRepository;
use waggle_twitter_n8n::{
    EndedRuns, Engagement, Lease, LeaseOutcome, NewSourceTweet, OfferPolicy, Run, RunKey,
    RunsToEnd, Sighting, SourceTweet, SourceTweetFilter, SourceTweetSort, SourceTweetTotals,
};

use super::readable::{Rows, readable};
use super::{Conn, Db, Repositories, containing, cursor_time, keyset, locks, lower, one_more};
use crate::error::{StoreError, during};
use crate::insert_many::{CHUNK, OnConflict, insert_many};
use crate::one_of::OneOf;
use crate::run_query::RunQueryDsl;
use crate::schema::source_tweets;
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = source_tweets)]
struct Row {
    id: i64,
    tweet_id: String,
    url: String,
    content: String,
    likes: i64,
    retweets: i64,
    replies: i64,
    quotes: i64,
    views: i64,
    date: Time,
    date_raw: String,
    status: String,
    tweet_url: String,
    execution_id: String,
    source_url: String,
    received_from: String,
    unauthenticated: bool,
    processed_at: Time,
    refreshed_at: Option<Time>,
    is_processed: bool,
    leased_until: Option<Time>,
    offers: i64,
}

impl From<Row> for SourceTweet {
    fn from(row: Row) -> Self {
        Self {
            id: SourceTweetId::new(row.id),
            report: NewSourceTweet {
                tweet_id: row.tweet_id,
                url: row.url,
                tweet_url: row.tweet_url,
                content: row.content,
                engagement: Engagement {
                    likes: row.likes,
                    retweets: row.retweets,
                    replies: row.replies,
                    quotes: row.quotes,
                    views: row.views,
                },
                date: row.date.into(),
                date_raw: row.date_raw,
                status: row.status,
            },
            execution_id: row.execution_id,
            source_url: row.source_url,
            received_from: row.received_from,
            unauthenticated: row.unauthenticated,
            processed_at: row.processed_at.into(),
            refreshed_at: row.refreshed_at.map(Into::into),
            is_processed: row.is_processed,
            leased_until: row.leased_until.map(Into::into),
            offers: u32::try_from(row.offers).unwrap_or(u32::MAX),
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = source_tweets, treat_none_as_default_value = false)]
struct NewRow<'a> {
    tweet_id: &'a str,
    url: &'a str,
    content: &'a str,
    likes: i64,
    retweets: i64,
    replies: i64,
    quotes: i64,
    views: i64,
    total_engagement: i64,
    date: Time,
    date_raw: &'a str,
    status: &'a str,
    tweet_url: &'a str,
    execution_id: &'a str,
    source_url: &'a str,
    run_key: &'a str,
    received_from: &'a str,
    unauthenticated: bool,
    processed_at: Time,
    refreshed_at: Option<Time>,
    lease: &'a str,
    leased_until: Time,
    address: &'a str,
}

impl<'a> NewRow<'a> {
    fn new(
        run: &'a Run,
        run_key: &'a str,
        tweet: &'a NewSourceTweet,
        now: Time,
        leased_until: Time,
    ) -> Self {
        let engagement = tweet.engagement;
        Self {
            tweet_id: &tweet.tweet_id,
            url: &tweet.url,
            content: &tweet.content,
            likes: engagement.likes,
            retweets: engagement.retweets,
            replies: engagement.replies,
            quotes: engagement.quotes,
            views: engagement.views,
            total_engagement: engagement.total(),
            date: tweet.date.into(),
            date_raw: &tweet.date_raw,
            status: &tweet.status,
            tweet_url: &tweet.tweet_url,
            execution_id: &run.execution_id,
            source_url: &run.source_url,
            run_key,
            received_from: &run.sender.name,
            unauthenticated: run.sender.is_unauthenticated,
            processed_at: now,
            refreshed_at: Some(now),
            lease: run_key,
            leased_until,
            address: &run.sender.address,
        }
    }
}

/// The part of a stored tweet that decides what a new report of it changes.
#[derive(Queryable, Selectable)]
#[diesel(table_name = source_tweets)]
struct Known {
    tweet_id: String,
    run_key: String,
    processed_at: Time,
    offered_at: Option<Time>,
    is_processed: bool,
    leased_until: Option<Time>,
    offers: i64,
    likes: i64,
    retweets: i64,
    replies: i64,
    quotes: i64,
    views: i64,
}

impl Known {
    /// Whether no run or claim holds it any more, and no batch was made of it.
    fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        !self.is_processed && self.leased_until.is_some_and(|until| until.0 <= now)
    }

    /// Whether the run with this key was told that the tweet is new.
    fn is_of(&self, run_key: &str, since: Option<DateTime<Utc>>) -> bool {
        let told_at = self.offered_at.unwrap_or(self.processed_at).0;
        self.run_key == run_key && since.is_none_or(|since| told_at >= since)
    }

    const fn engagement(&self) -> Engagement {
        Engagement {
            likes: self.likes,
            retweets: self.retweets,
            replies: self.replies,
            quotes: self.quotes,
            views: self.views,
        }
    }
}

async fn known(connection: &mut Conn, ids: &[&str]) -> QueryResult<HashMap<String, Known>> {
    let mut found = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let values = chunk.iter().map(|&id| id.to_owned()).collect();
        let rows: Vec<Known> = source_tweets::table
            .filter(OneOf { column: source_tweets::tweet_id, values })
            .select(Known::as_select())
            .load(connection)
            .await?;
        found.extend(rows.into_iter().map(|row| (row.tweet_id.clone(), row)));
    }
    Ok(found)
}

/// The stored tweets among `ids`, before anything is written. If neither the first nor the last of
/// many ids is stored, most of them are likely new. In that case no other id is looked up, because
/// the insert reports which ones exist.
async fn seen(connection: &mut Conn, ids: &[&str]) -> QueryResult<HashMap<String, Known>> {
    const MANY: usize = 10;
    if let [first, .., last] = ids
        && ids.len() >= MANY
        && known(connection, &[first, last]).await?.is_empty()
    {
        return Ok(HashMap::new());
    }
    known(connection, ids).await
}

/// The columns that a later report overwrites.
const NUMBERS: &[&str] =
    &["likes", "retweets", "replies", "quotes", "views", "total_engagement", "refreshed_at"];

/// Inserts rows and returns the X ids of those that were written.
async fn write(
    connection: &mut Conn,
    mut rows: Vec<NewRow<'_>>,
    conflict: OnConflict,
) -> QueryResult<HashSet<String>> {
    let mut written = HashSet::with_capacity(rows.len());
    // Two calls with the same tweets in different orders would deadlock.
    rows.sort_unstable_by_key(|row| row.tweet_id);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<NewRow<'_>> = rows.by_ref().take(CHUNK).collect();
        let ids: Vec<String> = insert_many(
            source_tweets::table,
            chunk,
            source_tweets::tweet_id,
            conflict,
            source_tweets::tweet_id,
        )
        .get_results(connection)
        .await?;
        written.extend(ids);
    }
    Ok(written)
}

type Boxed<'a> = source_tweets::BoxedQuery<'a, Db>;

fn filtered<'a>(filter: &SourceTweetFilter) -> Boxed<'a> {
    let mut query = source_tweets::table.into_boxed::<Db>();
    if let Some(part) = &filter.search {
        query =
            query.filter(lower(source_tweets::content).like(lower(containing(part))).escape('\\'));
    }
    if let Some(prefix) = &filter.tweet_id {
        // A range instead of LIKE, so that the unique index is used.
        query = query.filter(source_tweets::tweet_id.ge(prefix.clone()));
        if let Some(end) = after_prefix(prefix) {
            query = query.filter(source_tweets::tweet_id.lt(end));
        }
    }
    if let Some(execution) = &filter.execution_id {
        query = query.filter(source_tweets::execution_id.eq(execution.clone()));
    }
    if let Some(from) = filter.date_from {
        query = query.filter(source_tweets::date.ge(Time::from(from)));
    }
    if let Some(before) = filter.date_before {
        query = query.filter(source_tweets::date.lt(Time::from(before)));
    }
    if let Some(status) = &filter.status {
        query = query.filter(source_tweets::status.eq(status.clone()));
    }
    if let Some(least) = filter.min_likes {
        query = query.filter(source_tweets::likes.ge(least));
    }
    if let Some(least) = filter.min_retweets {
        query = query.filter(source_tweets::retweets.ge(least));
    }
    if let Some(least) = filter.min_views {
        query = query.filter(source_tweets::views.ge(least));
    }
    if let Some(processed) = filter.is_processed {
        query = query.filter(source_tweets::is_processed.eq(processed));
    }
    if let Some(lapsed) = filter.lapsed {
        let is_lapsed = || {
            source_tweets::lease
                .is_not_null()
                .and(source_tweets::leased_until.le(Time::from(lapsed.now)).assume_not_null())
                .and(source_tweets::offers.ge(i64::from(lapsed.offers)))
                .and(source_tweets::is_processed.eq(false))
        };
        query = if lapsed.is {
            query.filter(is_lapsed())
        } else {
            query.filter(diesel::dsl::not(is_lapsed()).or(source_tweets::lease.is_null()))
        };
    }
    query
}

/// The first text after all texts that begin with `prefix`, if there is one.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = char::from_u32(u32::from(last) + 1)
            .or_else(|| (last == '\u{D7FF}').then_some('\u{E000}'));
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// Offers tweets that an earlier run let lapse to this run, and returns the X ids of those that it
/// got.
async fn offer_again(
    connection: &mut Conn,
    run: &Run,
    run_key: &str,
    ids: &[String],
    offers: OfferPolicy,
    now: DateTime<Utc>,
) -> QueryResult<HashSet<String>> {
    let mut offered = HashSet::new();
    for chunk in ids.chunks(CHUNK) {
        let ids: Vec<String> = diesel::update(source_tweets::table)
            .filter(source_tweets::tweet_id.eq_any(chunk))
            .filter(source_tweets::is_processed.eq(false))
            .filter(source_tweets::leased_until.le(Time::from(now)))
            .filter(source_tweets::offers.lt(i64::from(offers.most)))
            .set((
                source_tweets::run_key.eq(run_key),
                source_tweets::execution_id.eq(&run.execution_id),
                source_tweets::source_url.eq(&run.source_url),
                source_tweets::received_from.eq(&run.sender.name),
                source_tweets::unauthenticated.eq(run.sender.is_unauthenticated),
                source_tweets::address.eq(&run.sender.address),
                source_tweets::lease.eq(run_key),
                source_tweets::leased_until.eq(Time::from(now + offers.lease)),
                source_tweets::offers.eq(source_tweets::offers + 1),
                source_tweets::offered_at.eq(Time::from(now)),
                source_tweets::lapsed_at.eq(None::<Time>),
            ))
            .returning(source_tweets::tweet_id)
            .get_results(connection)
            .await?;
        offered.extend(ids);
    }
    Ok(offered)
}

/// Renews the lapsed lease of a run that reports the tweets again.
async fn renew(
    connection: &mut Conn,
    run_key: &str,
    ids: &[String],
    offers: OfferPolicy,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    for chunk in ids.chunks(CHUNK) {
        diesel::update(source_tweets::table)
            .filter(source_tweets::tweet_id.eq_any(chunk))
            .filter(source_tweets::run_key.eq(run_key))
            .filter(source_tweets::is_processed.eq(false))
            .filter(source_tweets::leased_until.le(Time::from(now)))
            .set((
                source_tweets::lease.eq(run_key),
                source_tweets::leased_until.eq(Time::from(now + offers.lease)),
                source_tweets::lapsed_at.eq(None::<Time>),
            ))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Ends the leases of these rows, and returns the runs that they belong to, one for each row.
pub(super) async fn end_leases(
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
                rows.set((source_tweets::lease.eq(RELEASED), source_tweets::leased_until.eq(now)))
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
pub(super) async fn open_tweets(
    connection: &mut Conn,
    runs: &RunsToEnd,
    now: Time,
) -> QueryResult<Vec<i64>> {
    let of_run = source_tweets::lease.eq(source_tweets::run_key.nullable());
    let query = source_tweets::table
        .filter(source_tweets::is_processed.eq(false))
        .order(source_tweets::id)
        .select(source_tweets::id)
        .into_boxed::<Db>();
    let query = match runs {
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
            let is_same = source_tweets::received_from.eq(sender.name.clone());
            let is_near = source_tweets::address.eq(sender.address.clone());
            if sender.address.is_empty() {
                query.filter(is_same)
            } else if sender.is_unauthenticated {
                query.filter(is_same.or(is_near))
            } else {
                query.filter(is_same.or(is_near.and(source_tweets::unauthenticated)))
            }
        }
    };
    query.load(connection).await
}

/// The number of distinct runs.
pub(super) fn distinct(runs: &[String]) -> u32 {
    let distinct: HashSet<&String> = runs.iter().collect();
    u32::try_from(distinct.len()).unwrap_or(u32::MAX)
}

fn with_ids<'a>(connection: &'a mut Conn, ids: &'a [i64]) -> Rows<'a, Row> {
    let query = source_tweets::table.filter(source_tweets::id.eq_any(ids)).order(source_tweets::id);
    query.select(Row::as_select()).load(connection)
}

impl Repositories {
    async fn record_once(
        &self,
        run: &Run,
        tweets: &[NewSourceTweet],
        offers: OfferPolicy,
        now: DateTime<Utc>,
    ) -> Result<Vec<Sighting>, StoreError> {
        if tweets.is_empty() {
            return Ok(Vec::new());
        }
        let run_key = run.key.stored();
        let ids: Vec<&str> = tweets.iter().map(|tweet| tweet.tweet_id.as_str()).collect();
        let mut there = seen(&mut *self.pools.read().await?, &ids).await?;
        let leased_until = Time::from(now + offers.lease);
        let row = |tweet| NewRow::new(run, &run_key, tweet, now.into(), leased_until);
        let new: Vec<NewRow<'_>> = tweets
            .iter()
            .filter(|tweet| !there.contains_key(&tweet.tweet_id))
            .map(|tweet| NewRow { refreshed_at: None, ..row(tweet) })
            .collect();
        let has_changed = |tweet: &&NewSourceTweet, there: &HashMap<String, Known>| {
            let known = there.get(&tweet.tweet_id);
            known.is_some_and(|known| known.engagement() != tweet.engagement)
        };
        let since = run.key.same_since(now);
        let (mut stored, mut offered) = (HashSet::new(), HashSet::new());
        let is_own = |known: &&Known| known.is_of(&run_key, since);
        let is_offered = |known: &&Known| {
            known.has_lapsed(now) && (is_own(known) || known.offers < i64::from(offers.most))
        };
        let is_any_offered = there.values().any(|known| is_offered(&known));
        let is_any_changed = tweets.iter().any(|tweet| has_changed(&tweet, &there));
        // A report without news is answered without the single writer.
        if !new.is_empty() || is_any_offered || is_any_changed {
            let missing: Vec<&str> = new.iter().map(|row| row.tweet_id).collect();
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            stored = write(connection, new, OnConflict::DoNothing).await?;
            if stored.len() < missing.len() {
                // Some tweets already existed, or another call stored them first. Their rows show
                // which run has them.
                let lost: Vec<&str> =
                    missing.into_iter().filter(|id| !stored.contains(*id)).collect();
                there.extend(known(connection, &lost).await?);
            }
            let changed = tweets.iter().filter(|tweet| has_changed(tweet, &there)).map(row);
            write(connection, changed.collect(), OnConflict::Update(NUMBERS)).await?;
            let (own, of_others): (Vec<&Known>, Vec<&Known>) =
                there.values().filter(is_offered).partition(is_own);
            let ids =
                |of: Vec<&Known>| of.into_iter().map(|known| known.tweet_id.clone()).collect();
            let (own, of_others): (Vec<String>, Vec<String>) = (ids(own), ids(of_others));
            offered = offer_again(connection, run, &run_key, &of_others, offers, now).await?;
            renew(connection, &run_key, &own, offers, now).await?;
            transaction.commit().await?;
        }
        Ok(tweets
            .iter()
            .map(|tweet| match there.get(&tweet.tweet_id) {
                _ if stored.contains(&tweet.tweet_id) => Sighting::Stored,
                _ if offered.contains(&tweet.tweet_id) => Sighting::OfferedAgain,
                Some(known) if known.is_of(&run_key, since) => Sighting::BroughtBefore,
                _ => Sighting::Known,
            })
            .collect())
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
        now: DateTime<Utc>,
    ) -> Result<EndedRuns, PortError> {
        during("ending runs", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let ids = open_tweets(connection, runs, now.into()).await?;
            let ended = end_leases(connection, &ids, outcome, now.into()).await?;
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
            let marked = diesel::update(lapsed().filter(source_tweets::id.eq_any(ids)))
                .set(source_tweets::lapsed_at.eq(time))
                .returning(source_tweets::tweet_id)
                .get_results(transaction.connection())
                .await?;
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
                .select(Row::as_select())
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
        use source_tweets::{date, id, likes, retweets, total_engagement, views};
        during("listing source tweets", async {
            let query = filtered(filter);
            let number = |after: Cursor| after.sort_value;
            let (way, after) = (direction, page.after);
            let query = match sort {
                SourceTweetSort::Date => keyset!(query, date, cursor_time, id, way, after),
                SourceTweetSort::Likes => keyset!(query, likes, number, id, way, after),
                SourceTweetSort::Retweets => keyset!(query, retweets, number, id, way, after),
                SourceTweetSort::Views => keyset!(query, views, number, id, way, after),
                SourceTweetSort::TotalEngagement => {
                    keyset!(query, total_engagement, number, id, way, after)
                }
            };
            let mut reader = self.pools.read_long().await?;
            let rows: Vec<Row> = query
                .limit(one_more(page.limit))
                .select(Row::as_select())
                .load(reader.connection())
                .await?;
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
            let (tweets, likes, retweets, views, executions) = filtered(filter)
                .select(sql::<(BigInt, BigInt, BigInt, BigInt, BigInt)>(
                    "COUNT(*), CAST(COALESCE(SUM(likes), 0) AS BIGINT), \
                     CAST(COALESCE(SUM(retweets), 0) AS BIGINT), \
                     CAST(COALESCE(SUM(views), 0) AS BIGINT), COUNT(DISTINCT execution_id)",
                ))
                .get_result(reader.connection())
                .await?;
            Ok(SourceTweetTotals { tweets, likes, retweets, views, executions })
        })
        .await
    }

    async fn delete(&self, ids: &[SourceTweetId]) -> Result<Vec<String>, PortError> {
        during("deleting source tweets", async {
            let mut transaction = self.pools.write().await?;
            let mut deleted = Vec::new();
            for chunk in ids.chunks(CHUNK * 10) {
                let numbers: Vec<i64> = chunk.iter().map(|id| id.number()).collect();
                let rows: Vec<String> = diesel::delete(source_tweets::table)
                    .filter(source_tweets::id.eq_any(numbers))
                    .returning(source_tweets::tweet_id)
                    .get_results(transaction.connection())
                    .await?;
                deleted.extend(rows);
            }
            transaction.commit().await?;
            Ok(deleted)
        })
        .await
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
            let ids =
                locks::waiting_source_tweets(connection, &lease.holder, now.into(), most.into())
                    .await?;
            diesel::update(source_tweets::table)
                .filter(source_tweets::id.eq_any(&ids))
                .set((
                    source_tweets::lease.eq(&lease.name),
                    source_tweets::leased_until.eq(Time::from(lease.until)),
                ))
                .execute(connection)
                .await?;
            let (rows, unreadable) = readable(connection, &ids, with_ids).await?;
            transaction.commit().await?;
            for (id, reason) in unreadable {
                error!(source_tweet.id = id, reason, "a source tweet cannot be read");
            }
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    async fn end_lease(
        &self,
        lease: &str,
        ids: Option<Vec<SourceTweetId>>,
        outcome: LeaseOutcome,
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
            transaction.commit().await?;
            Ok(u64::try_from(ended.len()).unwrap_or_default())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_after_all_texts_with_the_prefix() {
        assert_eq!(after_prefix("123"), Some("124".into()));
        assert_eq!(after_prefix("1\u{D7FF}"), Some("1\u{E000}".into()));
        assert_eq!(after_prefix("1\u{10FFFF}"), Some("2".into()));
        assert_eq!(after_prefix(""), None);
    }
}
