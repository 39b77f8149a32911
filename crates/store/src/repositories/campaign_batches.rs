//! The repository of campaign batches.

#![expect(
    clippy::ref_option_ref,
    reason = "Diesel's derive makes references to the fields of a row"
)]

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::Value;
use waggle_content::PostStatus;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, Version};
use waggle_kernel::{ActorRef, Cursor, Direction, NewEvent, Page, PageRequest, PortError};
use waggle_twitter_n8n::events::batch_received;
use waggle_twitter_n8n::ports::{CampaignBatchRepository, SaveError};
use waggle_twitter_n8n::{
    BatchFilter, BatchStatus, CampaignBatch, Deleted, GeneratedTweet, LeaseOutcome,
    NewCampaignBatch, NewGeneratedTweet, Received, RunKey, RunsToEnd, StatusCounts,
};

use super::post_events::write_reached;
use super::source_tweets::{distinct, end_leases, open, open_tweets};
use super::{
    Conn, Db, Repositories, batch_status, columns, containing, cursor_time, dialect, events,
    keyset, locks, lower, one_more,
};
use crate::error::{StoreError, column, during};
use crate::insert_many::{CHUNK, OnConflict, insert_many};
use crate::new_batch::NewBatch;
use crate::queues::Queue;
use crate::run_query::RunQueryDsl;
use crate::schema::{
    campaign_batch_sources, campaign_batches, generated_tweets, posts, source_tweets, twitter_posts,
};
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = campaign_batches)]
struct Row {
    id: i64,
    batch_id: String,
    claimed_batch_id: String,
    analysis_summary: Value,
    brand_alignment_score: Option<f64>,
    total_tweets: i64,
    ready_for_deployment: i64,
    source_type: String,
    title: String,
    description: String,
    generated_at: Option<String>,
    execution_id: Option<String>,
    status: String,
    received_from: String,
    unauthenticated: bool,
    created_at: Time,
    deleted_at: Option<Time>,
    version: i64,
}

impl Row {
    fn with(self, counts: StatusCounts) -> Result<CampaignBatch, StoreError> {
        let status: BatchStatus = self.status.parse().map_err(column("campaign_batches.status"))?;
        Ok(CampaignBatch {
            id: CampaignBatchId::new(self.id),
            batch_id: self.batch_id,
            claimed_batch_id: self.claimed_batch_id,
            analysis_summary: self.analysis_summary,
            brand_alignment_score: self.brand_alignment_score,
            total_tweets: self.total_tweets,
            ready_for_deployment: self.ready_for_deployment,
            source_type: self.source_type,
            title: self.title,
            description: self.description,
            generated_at: self.generated_at,
            execution_id: self.execution_id,
            status,
            counts,
            received_from: self.received_from,
            unauthenticated: self.unauthenticated,
            created_at: self.created_at.into(),
            deleted_at: self.deleted_at.map(Into::into),
            version: Version::new(self.version),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = campaign_batches, treat_none_as_default_value = false)]
struct NewRow<'a> {
    batch_id: &'a str,
    claimed_batch_id: &'a str,
    analysis_summary: &'a Value,
    brand_alignment_score: Option<f64>,
    total_tweets: i64,
    ready_for_deployment: i64,
    source_type: &'a str,
    title: &'a str,
    description: &'a str,
    generated_at: Option<&'a str>,
    execution_id: Option<&'a str>,
    received_from: &'a str,
    unauthenticated: bool,
    created_at: Time,
}

impl<'a> NewRow<'a> {
    /// The row of a batch that is stored under `name`.
    fn new(batch: &'a NewCampaignBatch, name: &'a str, now: Time) -> Self {
        Self {
            batch_id: name,
            claimed_batch_id: &batch.batch_id,
            analysis_summary: &batch.analysis_summary,
            brand_alignment_score: batch.brand_alignment_score,
            total_tweets: batch.total_tweets,
            ready_for_deployment: batch.ready_for_deployment,
            source_type: &batch.source_type,
            title: &batch.title,
            description: &batch.description,
            generated_at: batch.generated_at.as_deref(),
            execution_id: batch.execution_id.as_deref(),
            received_from: &batch.sender.by.shown,
            unauthenticated: batch.sender.is_unauthenticated,
            created_at: now,
        }
    }
}

/// A tweet, without its batch.
#[derive(Insertable)]
#[diesel(table_name = generated_tweets, treat_none_as_default_value = false)]
struct NewTweetRow<'a> {
    tweet_id: &'a str,
    kind: &'a str,
    content: &'a str,
    character_count: i64,
    claimed_character_count: Option<i64>,
    engagement_hook: &'a str,
    coophive_elements: &'a Value,
    discord_voice_patterns: &'a Value,
    theme_connection: &'a str,
    ready_for_deployment: bool,
    claimed_ready: Option<bool>,
    fingerprint: String,
    status: &'static str,
    is_edited: bool,
    created_at: Time,
    updated_at: Time,
}

impl<'a> NewTweetRow<'a> {
    fn new(tweet: &'a NewGeneratedTweet, now: DateTime<Utc>) -> Self {
        // The domain determines the initial state of a tweet, and the database assigns the ids.
        let (id, batch) = (GeneratedTweetId::new(0), CampaignBatchId::new(0));
        let begun = GeneratedTweet::received(id, batch, tweet.clone(), now);
        Self {
            tweet_id: &tweet.tweet_id,
            kind: &tweet.kind,
            content: &tweet.content,
            character_count: i64::from(begun.character_count()),
            claimed_character_count: tweet.claimed_character_count,
            engagement_hook: &tweet.engagement_hook,
            coophive_elements: &tweet.coophive_elements,
            discord_voice_patterns: &tweet.discord_voice_patterns,
            theme_connection: &tweet.theme_connection,
            ready_for_deployment: begun.ready_for_deployment(),
            claimed_ready: tweet.claimed_ready,
            fingerprint: tweet.fingerprint(),
            status: begun.status().name(),
            is_edited: tweet.is_edited,
            created_at: now.into(),
            updated_at: now.into(),
        }
    }
}

/// Inserts a batch under `name`. Returns `None` if a batch with that name exists.
async fn insert_batch(
    connection: &mut Conn,
    batch: &NewCampaignBatch,
    name: &str,
    now: Time,
) -> QueryResult<Option<i64>> {
    insert_many(
        campaign_batches::table,
        vec![NewRow::new(batch, name, now)],
        campaign_batches::batch_id,
        OnConflict::DoNothing,
        campaign_batches::id,
    )
    .get_result(connection)
    .await
    .optional()
}

async fn insert_tweets(
    connection: &mut Conn,
    batch: i64,
    tweets: &[&NewGeneratedTweet],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    for chunk in tweets.chunks(CHUNK) {
        let rows = chunk
            .iter()
            .map(|tweet| {
                let of_batch = generated_tweets::campaign_batch_id.eq(batch);
                (of_batch, NewTweetRow::new(tweet, now))
            })
            .collect();
        let _: Vec<i64> = insert_many(
            generated_tweets::table,
            rows,
            generated_tweets::id,
            OnConflict::DoNothing,
            generated_tweets::id,
        )
        .get_results(connection)
        .await?;
    }
    Ok(())
}

/// Which of these tweets are stored in batches with this name, whatever number follows the name.
/// The query takes as long for a name that was used a thousand times as for one that was used
/// twice.
async fn known(
    connection: &mut Conn,
    batch_id: &str,
    tweets: &[NewGeneratedTweet],
) -> QueryResult<HashSet<String>> {
    let mut known = HashSet::new();
    for chunk in tweets.chunks(CHUNK) {
        let prints: Vec<String> = chunk.iter().map(NewGeneratedTweet::fingerprint).collect();
        let there: Vec<String> = generated_tweets::table
            .inner_join(campaign_batches::table)
            .filter(generated_tweets::fingerprint.eq_any(prints))
            .filter(
                campaign_batches::claimed_batch_id
                    .eq(batch_id)
                    .or(campaign_batches::batch_id.eq(batch_id)),
            )
            .select(generated_tweets::fingerprint)
            .load(connection)
            .await?;
        known.extend(there);
    }
    Ok(known)
}

/// The number after the name of the latest batch with this claimed name; 1 if there is no number.
async fn latest_number(connection: &mut Conn, batch_id: &str) -> QueryResult<u32> {
    let latest: Option<String> = campaign_batches::table
        .filter(campaign_batches::claimed_batch_id.eq(batch_id))
        .order(campaign_batches::id.desc())
        .select(campaign_batches::batch_id)
        .first(connection)
        .await
        .optional()?;
    let number = latest.as_deref().and_then(|latest| latest.strip_prefix(batch_id));
    Ok(number.and_then(|rest| rest.strip_prefix("-v")).and_then(|n| n.parse().ok()).unwrap_or(1))
}

/// Whether the batch names neither a run nor source tweets, so that it ends the open runs of its
/// caller.
fn names_nothing(batch: &NewCampaignBatch) -> bool {
    batch.execution_id.is_none() && batch.source_tweet_ids.is_empty() && !batch.has_unreadable_names
}

/// The effects of a batch on source tweets.
#[derive(Default)]
struct Linked {
    processed: usize,
    ended_runs: u32,
    is_run_unknown: bool,
    unknown_source_tweets: usize,
}

/// Links the batch to the source tweets that it was made from, and marks them as processed. These
/// are the tweets that the batch names. If it names none, they are those of all open runs of its
/// caller.
async fn link_sources(
    connection: &mut Conn,
    batch: i64,
    named: &NewCampaignBatch,
    now: Time,
) -> QueryResult<Linked> {
    let mut linked = Linked::default();
    let mut ids: Vec<i64> = Vec::new();
    if let Some(execution) = &named.execution_id {
        ids = of_run(execution).load(connection).await?;
        if ids.is_empty() {
            ids = of_nameless_run(connection, execution, named, now).await?;
        }
        linked.is_run_unknown = ids.is_empty();
    }
    for chunk in named.source_tweet_ids.chunks(CHUNK * 10) {
        let by_name: Vec<i64> = source_tweets::table
            .filter(source_tweets::tweet_id.eq_any(chunk))
            .select(source_tweets::id)
            .load(connection)
            .await?;
        linked.unknown_source_tweets += chunk.len() - by_name.len();
        ids.extend(by_name);
    }
    if names_nothing(named) {
        ids = open_tweets(connection, &RunsToEnd::OfSender(named.sender.clone()), now).await?;
    }
    ids.sort_unstable();
    ids.dedup();
    for chunk in ids.chunks(CHUNK * 10) {
        let sources = source_tweets::table
            .filter(source_tweets::id.eq_any(chunk))
            .select((batch.into_sql::<BigInt>(), source_tweets::id));
        diesel::insert_into(campaign_batch_sources::table)
            .values(sources)
            .into_columns((
                campaign_batch_sources::campaign_batch_id,
                campaign_batch_sources::source_tweet_id,
            ))
            .execute(connection)
            .await?;
    }
    let runs = end_leases(connection, &ids, LeaseOutcome::Processed, now).await?;
    if names_nothing(named) {
        linked.ended_runs = distinct(&runs);
    }
    linked.processed = ids.len();
    Ok(linked)
}

/// The source tweets that a run with this name was told are new.
fn of_run<'a>(execution: &str) -> source_tweets::BoxedQuery<'a, Db, BigInt> {
    source_tweets::table
        .filter(source_tweets::execution_id.eq(execution.to_owned()))
        .filter(source_tweets::run_key.eq(RunKey::Execution(execution.to_owned()).stored()))
        .select(source_tweets::id)
        .into_boxed::<Db>()
}

/// The open source tweets of the caller's unnamed runs to which Waggle assigned this name.
async fn of_nameless_run(
    connection: &mut Conn,
    execution: &str,
    batch: &NewCampaignBatch,
    now: Time,
) -> QueryResult<Vec<i64>> {
    let open = open_tweets(connection, &RunsToEnd::OfSender(batch.sender.clone()), now).await?;
    let mut ids = Vec::new();
    for chunk in open.chunks(CHUNK * 10) {
        let of_name: Vec<i64> = source_tweets::table
            .filter(source_tweets::id.eq_any(chunk))
            .filter(source_tweets::execution_id.eq(execution))
            .filter(source_tweets::run_key.like("body:%"))
            .select(source_tweets::id)
            .load(connection)
            .await?;
        ids.extend(of_name);
    }
    Ok(ids)
}

/// Removes the waiting posts of a deleted batch from the queue. A post that is being published
/// cannot be stopped.
async fn cancel_waiting_posts(
    connection: &mut Conn,
    batch: CampaignBatchId,
    by: &ActorRef,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let of_batch = twitter_posts::table
        .filter(twitter_posts::campaign_batch_id.eq(batch.number()))
        .select(twitter_posts::post_id);
    let cancelled: Vec<i64> = diesel::update(posts::table)
        .filter(posts::id.eq_any(of_batch))
        .filter(posts::status.eq(PostStatus::Scheduled.name()))
        .set((
            posts::status.eq(PostStatus::Cancelled.name()),
            posts::due_at.eq(None::<Time>),
            posts::is_held.eq(false),
            posts::last_error.eq("the batch was deleted after the post was queued"),
            posts::updated_at.eq(Time::from(now)),
            posts::version.eq(posts::version + 1),
        ))
        .returning(posts::id)
        .get_results(connection)
        .await?;
    write_reached(connection, &cancelled, by, now).await
}

fn filtered<'a>(filter: &BatchFilter) -> campaign_batches::BoxedQuery<'a, Db> {
    let mut query = campaign_batches::table.into_boxed::<Db>();
    if let Some(part) = &filter.search {
        let pattern = containing(part);
        query = query.filter(
            lower(campaign_batches::batch_id).like(lower(pattern.clone())).escape('\\').or(lower(
                campaign_batches::title,
            )
            .like(lower(pattern))
            .escape('\\')),
        );
    }
    if let Some(status) = filter.status {
        query = query.filter(campaign_batches::status.eq(status.name()));
    }
    if let Some(source_type) = &filter.source_type {
        query = query.filter(campaign_batches::source_type.eq(source_type.clone()));
    }
    if let Some(least) = filter.min_score {
        query = query.filter(campaign_batches::brand_alignment_score.ge(least));
    }
    if let Some(from) = filter.created_from {
        query = query.filter(campaign_batches::created_at.ge(Time::from(from)));
    }
    if let Some(before) = filter.created_before {
        query = query.filter(campaign_batches::created_at.lt(Time::from(before)));
    }
    match filter.deleted {
        Deleted::Without => query.filter(campaign_batches::deleted_at.is_null()),
        Deleted::Only => query.filter(campaign_batches::deleted_at.is_not_null()),
        Deleted::With => query,
    }
}

impl Repositories {
    /// Stores a batch in one statement. `None` if a transaction has to store it, because it names
    /// source tweets or a run without any, it ends runs with very many, its name is taken, or the
    /// connection was lost. In the last case the batch may be stored already: then the transaction
    /// finds its tweets, and they count as known.
    async fn receive_at_once(
        &self,
        batch: &NewCampaignBatch,
        now: DateTime<Utc>,
    ) -> Result<Option<Received>, StoreError> {
        let is_simple = !batch.tweets.is_empty() && batch.tweets.len() <= CHUNK;
        let names_sources = !batch.source_tweet_ids.is_empty() || batch.has_unreadable_names;
        if !dialect::STORES_AT_ONCE || !is_simple || names_sources {
            return Ok(None);
        }
        let (sources, is_named) = match &batch.execution_id {
            Some(execution) => (of_run(execution), true),
            None => (open(&RunsToEnd::OfSender(batch.sender.clone()), now.into()), false),
        };
        let sources = sources.limit(dialect::MOST_SOURCES + 1);
        let row = NewRow::new(batch, &batch.batch_id, now.into());
        let tweets = batch.tweets.iter().map(|tweet| NewTweetRow::new(tweet, now)).collect();
        let mut connection = self.pools.read().await?;
        let all: Vec<&NewGeneratedTweet> = batch.tweets.iter().collect();
        let event = batch_received(batch, CampaignBatchId::new(0), &batch.batch_id, &all, now);
        let event = events::NewRow::from(&event);
        let stored = NewBatch { row, tweets, event, sources, needs_sources: is_named };
        let stored = dialect::store_at_once(&mut connection, stored).await;
        let (id, processed, runs) = match stored.map_err(StoreError::from) {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(None),
            Err(error) if error.is_about_lost_connection() => return Ok(None),
            Err(error) => return Err(error),
        };
        self.pools.queues.announce(Queue::Events);
        Ok(Some(Received {
            id: CampaignBatchId::new(id),
            batch_id: batch.batch_id.clone(),
            stored: u32::try_from(batch.tweets.len()).unwrap_or(u32::MAX),
            known: 0,
            processed_source_tweets: u32::try_from(processed).unwrap_or(u32::MAX),
            ended_runs: if is_named { 0 } else { u32::try_from(runs).unwrap_or(u32::MAX) },
            is_run_unknown: false,
            unknown_source_tweets: 0,
        }))
    }

    async fn receive_once(
        &self,
        batch: &NewCampaignBatch,
        now: DateTime<Utc>,
    ) -> Result<Received, StoreError> {
        if let Some(received) = self.receive_at_once(batch, now).await? {
            return Ok(received);
        }
        let mut transaction = self.pools.write().await?;
        let connection = transaction.connection();
        let all: Vec<&NewGeneratedTweet> = batch.tweets.iter().collect();
        let mut name = batch.batch_id.clone();
        let inserted = insert_batch(connection, batch, &name, now.into()).await?;
        let (id, new, is_new) = if let Some(id) = inserted {
            (id, all, true)
        } else {
            let first = locks::lock_batch(connection, &batch.batch_id)
                .await?
                .ok_or(diesel::result::Error::NotFound)?;
            let known = known(connection, &batch.batch_id, &batch.tweets).await?;
            let is_new = |tweet: &&NewGeneratedTweet| !known.contains(&tweet.fingerprint());
            let new: Vec<&NewGeneratedTweet> = all.into_iter().filter(is_new).collect();
            if new.is_empty() {
                (first, new, false)
            } else {
                let mut n = latest_number(connection, &batch.batch_id).await?;
                let id = loop {
                    n = n.saturating_add(1);
                    name = NewCampaignBatch::suffixed(&batch.batch_id, n);
                    if let Some(id) = insert_batch(connection, batch, &name, now.into()).await? {
                        break id;
                    }
                };
                (id, new, true)
            }
        };
        insert_tweets(connection, id, &new, now).await?;
        let known = batch.tweets.len() - new.len();
        // If nothing was generated, no source tweet was processed.
        let linked = if is_new && !new.is_empty() {
            link_sources(connection, id, batch, now.into()).await?
        } else {
            Linked::default()
        };
        if is_new {
            let event = batch_received(batch, CampaignBatchId::new(id), &name, &new, now);
            events::write(connection, &[event]).await?;
        }
        transaction.commit().await?;
        Ok(Received {
            id: CampaignBatchId::new(id),
            batch_id: name,
            stored: u32::try_from(new.len()).unwrap_or(u32::MAX),
            known: u32::try_from(known).unwrap_or(u32::MAX),
            processed_source_tweets: u32::try_from(linked.processed).unwrap_or(u32::MAX),
            ended_runs: linked.ended_runs,
            is_run_unknown: linked.is_run_unknown,
            unknown_source_tweets: u32::try_from(linked.unknown_source_tweets).unwrap_or(u32::MAX),
        })
    }
}

/// Adds the numbers of tweets by status to batches, in one query.
async fn with_counts(
    connection: &mut Conn,
    rows: Vec<Row>,
) -> Result<Vec<CampaignBatch>, StoreError> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let counts = batch_status::counts(connection, &ids).await?;
    rows.into_iter()
        .map(|row| {
            let counts = counts.get(&row.id).copied().unwrap_or_default();
            row.with(counts)
        })
        .collect()
}

#[async_trait]
impl CampaignBatchRepository for Repositories {
    async fn receive(
        &self,
        batch: &NewCampaignBatch,
        now: DateTime<Utc>,
    ) -> Result<Received, PortError> {
        let mut tries = 1;
        loop {
            match self.receive_once(batch, now).await {
                Err(error) if error.is_worth_another_try(tries) => tries += 1,
                result => return result.map_err(|error| error.during("receiving a batch")),
            }
        }
    }

    async fn find(&self, id: CampaignBatchId) -> Result<Option<CampaignBatch>, PortError> {
        Ok(self.find_many(&[id]).await?.pop())
    }

    async fn find_many(&self, ids: &[CampaignBatchId]) -> Result<Vec<CampaignBatch>, PortError> {
        during("finding batches", async {
            let numbers: Vec<i64> = ids.iter().map(|id| id.number()).collect();
            let mut connection = self.pools.read().await?;
            let rows: Vec<Row> = campaign_batches::table
                .filter(campaign_batches::id.eq_any(numbers))
                .order(campaign_batches::id)
                .select(columns::<Row>())
                .load(&mut connection)
                .await?;
            with_counts(&mut connection, rows).await
        })
        .await
    }

    async fn list(
        &self,
        filter: &BatchFilter,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<CampaignBatch>, PortError> {
        use campaign_batches::{created_at, id};
        during("listing batches", async {
            let query =
                keyset!(filtered(filter), created_at, cursor_time, id, direction, page.after);
            let mut reader = self.pools.read_long().await?;
            let connection = reader.connection();
            let rows: Vec<Row> = query
                .limit(one_more(page.limit))
                .select(columns::<Row>())
                .load(&mut *connection)
                .await?;
            let batches = with_counts(connection, rows).await?;
            Ok(Page::from_one_more(batches, page.limit, |batch| Cursor {
                sort_value: batch.created_at.timestamp_micros(),
                id: batch.id.number(),
            }))
        })
        .await
    }

    async fn save(&self, batch: &CampaignBatch, event: &NewEvent) -> Result<Version, SaveError> {
        let next = batch.version.next();
        let written = during("saving a batch", async {
            let mut transaction = self.pools.write().await?;
            if batch.deleted_at.is_some() {
                let connection = transaction.connection();
                cancel_waiting_posts(connection, batch.id, &event.by, event.at).await?;
            }
            let written = diesel::update(campaign_batches::table.find(batch.id.number()))
                .filter(campaign_batches::version.eq(batch.version.number()))
                .set((
                    campaign_batches::title.eq(&batch.title),
                    campaign_batches::deleted_at.eq(batch.deleted_at.map(Time::from)),
                    campaign_batches::version.eq(next.number()),
                ))
                .execute(transaction.connection())
                .await?;
            // If the change is stale, everything is rolled back.
            if written > 0 {
                events::write(transaction.connection(), std::slice::from_ref(event)).await?;
                transaction.commit().await?;
            }
            Ok(written)
        })
        .await?;
        if written == 0 { Err(SaveError::Stale) } else { Ok(next) }
    }

    async fn sources(&self, id: CampaignBatchId) -> Result<Vec<String>, PortError> {
        during("finding the sources of a batch", async {
            let mut connection = self.pools.read().await?;
            let ids = campaign_batch_sources::table
                .filter(campaign_batch_sources::campaign_batch_id.eq(id.number()))
                .select(campaign_batch_sources::source_tweet_id);
            Ok(source_tweets::table
                .filter(source_tweets::id.eq_any(ids))
                .order(source_tweets::id)
                .limit(1_000)
                .select(source_tweets::tweet_id)
                .load(&mut connection)
                .await?)
        })
        .await
    }
}
