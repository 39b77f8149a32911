//! Source tweets over HTTP.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use waggle_kernel::Clock as _;
use waggle_kernel::ids::{CampaignBatchId, SourceTweetId};
use waggle_system::SystemClock;
use waggle_twitter_n8n::{
    Lapsed, LeaseOutcome, SourceTweet, SourceTweetFilter, SourceTweetSort, SourceTweetTotals,
    SourceTweetsError, WorkQueueError,
};

use super::export::{Export, Format, SourceTweetPages, export};
use super::query::{Order, page, text, time};
use super::tag::Tag;
use crate::http::{Caller, Failure, Problem};
use crate::use_cases::UseCases;

/// A tweet of a monitored account, stored once.
#[derive(Object)]
#[oai(rename = "SourceTweet")]
pub(super) struct SourceTweetView {
    /// Waggle's id of the tweet.
    id: i64,
    /// X's id of the tweet.
    tweet_id: String,
    /// Where the workflow found the tweet.
    url: String,
    /// The URL of the tweet on X.
    tweet_url: String,
    /// The text of the tweet.
    content: String,
    likes: i64,
    retweets: i64,
    replies: i64,
    quotes: i64,
    views: i64,
    /// The sum of likes, retweets, replies and quotes.
    total_engagement: i64,
    /// When the tweet was posted.
    date: DateTime<Utc>,
    /// The date as the workflow wrote it.
    date_raw: String,
    /// Whether the workflow succeeded, in its own words.
    status: String,
    /// The run that was last told that the tweet is new.
    execution_id: String,
    /// The source of that run.
    source_url: String,
    /// Who submitted the tweet.
    received_from: String,
    /// Whether the tweet was submitted without credentials, from a trusted network.
    unauthenticated: bool,
    /// Whether the tweet is processed: a batch was made from it, or its lease was ended as
    /// processed.
    is_processed: bool,
    /// When the lease by a run or a claim expires. In the past if the lease has lapsed.
    leased_until: Option<DateTime<Utc>>,
    /// How many runs were told that the tweet is new.
    offers: u32,
    /// When the tweet was stored.
    processed_at: DateTime<Utc>,
    /// When a later report last changed the counts.
    refreshed_at: Option<DateTime<Utc>>,
}

impl From<SourceTweet> for SourceTweetView {
    fn from(tweet: SourceTweet) -> Self {
        let engagement = tweet.report.engagement;
        Self {
            id: tweet.id.number(),
            tweet_id: tweet.report.tweet_id,
            url: tweet.report.url,
            tweet_url: tweet.report.tweet_url,
            content: tweet.report.content,
            likes: engagement.likes,
            retweets: engagement.retweets,
            replies: engagement.replies,
            quotes: engagement.quotes,
            views: engagement.views,
            total_engagement: engagement.total(),
            date: tweet.report.date,
            date_raw: tweet.report.date_raw,
            status: tweet.report.status,
            execution_id: tweet.execution_id,
            source_url: tweet.source_url,
            received_from: tweet.received_from,
            unauthenticated: tweet.unauthenticated,
            is_processed: tweet.is_processed,
            leased_until: tweet.leased_until,
            offers: tweet.offers,
            processed_at: tweet.processed_at,
            refreshed_at: tweet.refreshed_at,
        }
    }
}

/// A page of source tweets.
#[derive(Object)]
struct SourceTweetPage {
    items: Vec<SourceTweetView>,
    /// The cursor of the next page. Null on the last page.
    next_cursor: Option<String>,
}

/// Totals of the source tweets that match the filters.
#[derive(Object)]
#[oai(rename = "SourceTweetTotals")]
struct TotalsView {
    tweets: i64,
    likes: i64,
    retweets: i64,
    views: i64,
    /// The number of runs that reported the tweets.
    executions: i64,
}

impl From<SourceTweetTotals> for TotalsView {
    fn from(totals: SourceTweetTotals) -> Self {
        Self {
            tweets: totals.tweets,
            likes: totals.likes,
            retweets: totals.retweets,
            views: totals.views,
            executions: totals.executions,
        }
    }
}

/// The value by which source tweets are sorted.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum SortBy {
    Date,
    Likes,
    Retweets,
    Views,
    TotalEngagement,
}

impl SortBy {
    fn sort(by: Option<Self>) -> SourceTweetSort {
        match by {
            Some(Self::Date) | None => SourceTweetSort::Date,
            Some(Self::Likes) => SourceTweetSort::Likes,
            Some(Self::Retweets) => SourceTweetSort::Retweets,
            Some(Self::Views) => SourceTweetSort::Views,
            Some(Self::TotalEngagement) => SourceTweetSort::TotalEngagement,
        }
    }
}

/// The ids of the objects to act on.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct Ids {
    /// Waggle's ids, 1 to 1,000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    ids: Vec<i64>,
}

/// The tweets that were deleted.
#[derive(Object)]
struct DeletedTweets {
    deleted_count: u64,
    /// X's ids of the tweets.
    deleted_tweet_ids: Vec<String>,
}

/// A claim of source tweets to work on.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ClaimBody {
    /// The maximum number of tweets: 1 to 200.
    #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
    limit: u16,
    /// The duration of the lease: 1 to 86,400 seconds.
    #[oai(validator(minimum(value = "1"), maximum(value = "86400")))]
    lease_seconds: u32,
}

/// The result of a claim.
#[derive(Object)]
struct ClaimedTweets {
    /// The name of the lease. Send it when you end the lease.
    lease: String,
    /// When the lease expires and the tweets become available again.
    leased_until: DateTime<Utc>,
    /// The claimed tweets, oldest first. May be empty.
    items: Vec<SourceTweetView>,
}

/// The end of a lease.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct EndOfLease {
    /// The name of the lease.
    #[oai(validator(max_length = 100))]
    lease: String,
    /// The ids of the tweets to which this applies. By default, all tweets of the lease.
    #[oai(validator(max_items = 1000))]
    ids: Option<Vec<i64>>,
}

/// How many tweets are no longer leased.
#[derive(Object)]
struct EndedLease {
    count: u64,
}

pub(crate) struct SourceTweetsApi;

/// The filter that the query parameters describe.
#[expect(clippy::too_many_arguments, reason = "these are the filters of the list")]
fn filter(
    search: Option<String>,
    tweet_id: Option<String>,
    execution_id: Option<String>,
    date_from: Option<DateTime<Utc>>,
    date_before: Option<DateTime<Utc>>,
    status: Option<String>,
    min_likes: Option<i64>,
    min_retweets: Option<i64>,
    min_views: Option<i64>,
    is_processed: Option<bool>,
    lapsed: Option<bool>,
    campaign_batch_id: Option<i64>,
    app: &UseCases,
) -> Result<SourceTweetFilter, Problem> {
    let offers = u32::try_from(app.settings.values().source_tweet_offers.count());
    let offers = offers.unwrap_or(u32::MAX);
    Ok(SourceTweetFilter {
        search: text("search", search)?,
        tweet_id: text("tweet_id", tweet_id)?,
        execution_id: text("execution_id", execution_id)?,
        date_from: time("date_from", date_from)?,
        date_before: time("date_before", date_before)?,
        status: text("status", status)?,
        min_likes,
        min_retweets,
        min_views,
        is_processed,
        lapsed: lapsed.map(|is| Lapsed { now: SystemClock.now(), offers, is }),
        batch: campaign_batch_id.map(CampaignBatchId::new),
    })
}

#[OpenApi(tag = "Tag::SourceTweets")]
#[expect(clippy::too_many_arguments, reason = "these are the filters of the list")]
impl SourceTweetsApi {
    /// List source tweets.
    ///
    /// Scope: `read`. A tweet must match all filters.
    #[oai(path = "/source-tweets", method = "get", operation_id = "list_source_tweets")]
    async fn list_source_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        /// Only tweets whose text contains this, ignoring case.
        search: Query<Option<String>>,
        /// Only tweets whose X id starts with this.
        tweet_id: Query<Option<String>>,
        /// Only tweets that this run reported.
        execution_id: Query<Option<String>>,
        /// Only tweets that were posted at this time or later.
        date_from: Query<Option<DateTime<Utc>>>,
        /// Only tweets that were posted before this time.
        date_before: Query<Option<DateTime<Utc>>>,
        /// Only tweets with this status.
        status: Query<Option<String>>,
        min_likes: Query<Option<i64>>,
        min_retweets: Query<Option<i64>>,
        min_views: Query<Option<i64>>,
        is_processed: Query<Option<bool>>,
        /// Whether the last lease of the tweet lapsed without a batch, and no further run is told
        /// of it.
        lapsed: Query<Option<bool>>,
        /// Only tweets that this batch was made of.
        campaign_batch_id: Query<Option<i64>>,
        /// The value to sort by. By default `date`.
        sort: Query<Option<SortBy>>,
        /// The sort order. By default `desc`.
        order: Query<Option<Order>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<SourceTweetPage>, Failure> {
        let filter = filter(
            search.0,
            tweet_id.0,
            execution_id.0,
            date_from.0,
            date_before.0,
            status.0,
            min_likes.0,
            min_retweets.0,
            min_views.0,
            is_processed.0,
            lapsed.0,
            campaign_batch_id.0,
            app.0,
        )?;
        let page = page(limit.0, cursor.0.as_deref())?;
        let (sort, way) = (SortBy::sort(sort.0), Order::direction(order.0));
        let found = app.source_tweets.list(&caller.actor, &filter, sort, way, page).await?;
        Ok(Json(SourceTweetPage {
            next_cursor: found.next.map(|cursor| cursor.to_string()),
            items: found.items.into_iter().map(Into::into).collect(),
        }))
    }

    /// Retrieve totals of source tweets.
    ///
    /// Scope: `read`. Accepts the same filters as the list.
    #[oai(path = "/source-tweets/totals", method = "get", operation_id = "total_source_tweets")]
    async fn total_source_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        search: Query<Option<String>>,
        tweet_id: Query<Option<String>>,
        execution_id: Query<Option<String>>,
        date_from: Query<Option<DateTime<Utc>>>,
        date_before: Query<Option<DateTime<Utc>>>,
        status: Query<Option<String>>,
        min_likes: Query<Option<i64>>,
        min_retweets: Query<Option<i64>>,
        min_views: Query<Option<i64>>,
        is_processed: Query<Option<bool>>,
        /// Whether the last lease of the tweet lapsed without a batch, and no further run is told
        /// of it.
        lapsed: Query<Option<bool>>,
        /// Only tweets that this batch was made of.
        campaign_batch_id: Query<Option<i64>>,
    ) -> Result<Json<TotalsView>, Failure> {
        let filter = filter(
            search.0,
            tweet_id.0,
            execution_id.0,
            date_from.0,
            date_before.0,
            status.0,
            min_likes.0,
            min_retweets.0,
            min_views.0,
            is_processed.0,
            lapsed.0,
            campaign_batch_id.0,
            app.0,
        )?;
        Ok(Json(app.source_tweets.totals(&caller.actor, &filter).await?.into()))
    }

    /// Export source tweets.
    ///
    /// Scope: `read`. The file contains all tweets that the list returns with the same filters, as
    /// CSV or JSON lines. In CSV, a text that a spreadsheet would interpret as a formula starts
    /// with an apostrophe.
    #[oai(path = "/source-tweets/export", method = "get", operation_id = "export_source_tweets")]
    async fn export_source_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        /// `csv` (the default) or `jsonl`.
        format: Query<Option<Format>>,
        search: Query<Option<String>>,
        tweet_id: Query<Option<String>>,
        execution_id: Query<Option<String>>,
        date_from: Query<Option<DateTime<Utc>>>,
        date_before: Query<Option<DateTime<Utc>>>,
        status: Query<Option<String>>,
        min_likes: Query<Option<i64>>,
        min_retweets: Query<Option<i64>>,
        min_views: Query<Option<i64>>,
        is_processed: Query<Option<bool>>,
        /// Whether the last lease of the tweet lapsed without a batch, and no further run is told
        /// of it.
        lapsed: Query<Option<bool>>,
        /// Only tweets that this batch was made of.
        campaign_batch_id: Query<Option<i64>>,
        sort: Query<Option<SortBy>>,
        order: Query<Option<Order>>,
    ) -> Result<Export, Failure> {
        let filter = filter(
            search.0,
            tweet_id.0,
            execution_id.0,
            date_from.0,
            date_before.0,
            status.0,
            min_likes.0,
            min_retweets.0,
            min_views.0,
            is_processed.0,
            lapsed.0,
            campaign_batch_id.0,
            app.0,
        )?;
        let (sort, way) = (SortBy::sort(sort.0), Order::direction(order.0));
        let format = format.0.unwrap_or(Format::Csv);
        let (app, actor) = (Arc::clone(app.0), caller.actor);
        Ok(export(SourceTweetPages { app, actor, filter, sort, direction: way }, format).await?)
    }

    /// Retrieve a source tweet.
    ///
    /// Scope: `read`.
    #[oai(path = "/source-tweets/:id", method = "get", operation_id = "show_source_tweet")]
    async fn show_source_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<SourceTweetView>, Failure<404>> {
        let tweet = app.source_tweets.find(&caller.actor, SourceTweetId::new(id.0)).await?;
        Ok(Json(tweet.into()))
    }

    /// Delete a source tweet permanently.
    ///
    /// Scope: `write`. If a workflow reports the tweet again, the tweet counts as new.
    #[oai(path = "/source-tweets/:id", method = "delete", operation_id = "delete_source_tweet")]
    async fn delete_source_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<DeletedTweets>, Failure<404>> {
        delete(app.0, &caller, vec![id.0]).await
    }

    /// Delete source tweets permanently.
    ///
    /// Scope: `write`. Unknown ids are ignored. If all ids are unknown, the response is a 404.
    #[oai(
        path = "/source-tweets/bulk-delete",
        method = "post",
        operation_id = "delete_source_tweets"
    )]
    async fn delete_source_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<Ids>,
    ) -> Result<Json<DeletedTweets>, Failure<404>> {
        delete(app.0, &caller, body.0.ids).await
    }

    /// Claim source tweets to work on.
    ///
    /// Scope: `ingest`. Returns unprocessed tweets that are not leased to other callers. Tweets
    /// that are neither acknowledged nor released before the lease expires become available to
    /// others.
    #[oai(path = "/source-tweets/claim", method = "post", operation_id = "claim_source_tweets")]
    async fn claim_source_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<ClaimBody>,
    ) -> Result<Json<ClaimedTweets>, Failure> {
        let claimed = app.work_queue.claim(&caller.actor, body.limit, body.lease_seconds).await?;
        Ok(Json(ClaimedTweets {
            lease: claimed.lease.name,
            leased_until: claimed.lease.until,
            items: claimed.tweets.into_iter().map(Into::into).collect(),
        }))
    }

    /// Mark claimed source tweets as processed.
    ///
    /// Scope: `ingest`.
    #[oai(
        path = "/source-tweets/acknowledge",
        method = "post",
        operation_id = "acknowledge_source_tweets"
    )]
    async fn acknowledge_source_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<EndOfLease>,
    ) -> Result<Json<EndedLease>, Failure<409>> {
        end(app.0, &caller, body.0, LeaseOutcome::Processed).await
    }

    /// Release claimed source tweets without processing them.
    ///
    /// Scope: `ingest`.
    #[oai(path = "/source-tweets/release", method = "post", operation_id = "release_source_tweets")]
    async fn release_source_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<EndOfLease>,
    ) -> Result<Json<EndedLease>, Failure<409>> {
        end(app.0, &caller, body.0, LeaseOutcome::Released).await
    }
}

async fn delete(
    app: &UseCases,
    caller: &Caller,
    ids: Vec<i64>,
) -> Result<Json<DeletedTweets>, Failure<404>> {
    let ids: Vec<SourceTweetId> = ids.into_iter().map(SourceTweetId::new).collect();
    let deleted = app.source_tweets.delete(&caller.actor, &ids).await?;
    let deleted_count = u64::try_from(deleted.len()).unwrap_or(u64::MAX);
    Ok(Json(DeletedTweets { deleted_count, deleted_tweet_ids: deleted }))
}

async fn end(
    app: &UseCases,
    caller: &Caller,
    body: EndOfLease,
    outcome: LeaseOutcome,
) -> Result<Json<EndedLease>, Failure<409>> {
    let lease = text("lease", Some(body.lease))?.unwrap_or_default();
    let ids = body.ids.map(|ids| ids.into_iter().map(SourceTweetId::new).collect());
    let count = app.work_queue.end(&caller.actor, &lease, ids, outcome).await?;
    Ok(Json(EndedLease { count }))
}

impl From<SourceTweetsError> for Problem {
    fn from(error: SourceTweetsError) -> Self {
        match error {
            SourceTweetsError::Forbidden(error) => error.into(),
            SourceTweetsError::NotFound => Self::not_found(error.to_string()),
            SourceTweetsError::Port(error) => error.into(),
        }
    }
}

impl From<WorkQueueError> for Problem {
    fn from(error: WorkQueueError) -> Self {
        match error {
            WorkQueueError::Forbidden(error) => error.into(),
            WorkQueueError::Invalid(error) => Self::invalid(error.to_string()),
            WorkQueueError::NotHeld => Self::conflict(error.to_string()),
            WorkQueueError::Port(error) => error.into(),
        }
    }
}
