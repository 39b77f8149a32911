//! Source tweets over HTTP.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use waggle_kernel::Clock as _;
use waggle_kernel::ids::SourceTweetId;
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
    /// The id that Waggle gave it.
    id: i64,
    /// The id that X gave it.
    tweet_id: String,
    /// Where the workflow found it.
    url: String,
    /// Its address on X.
    tweet_url: String,
    /// Its text.
    content: String,
    likes: i64,
    retweets: i64,
    replies: i64,
    quotes: i64,
    views: i64,
    /// Likes, retweets, replies and quotes together.
    total_engagement: i64,
    /// When it was posted.
    date: DateTime<Utc>,
    /// The same as the workflow wrote it.
    date_raw: String,
    /// What the workflow says of its own success.
    status: String,
    /// The run that was told last that it is new.
    execution_id: String,
    /// Where that run came from.
    source_url: String,
    /// Who handed it in.
    received_from: String,
    /// Whether it came without a credential, from a trusted network.
    unauthenticated: bool,
    /// Whether a batch was made from it.
    is_processed: bool,
    /// Until when it is leased to a run or a claim; in the past if the lease lapsed.
    leased_until: Option<DateTime<Utc>>,
    /// How many runs were told that it is new.
    offers: u32,
    /// When it was stored.
    processed_at: DateTime<Utc>,
    /// When its numbers were last changed by a later report.
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
    /// Where the next page begins; not there at the end of the list.
    next_cursor: Option<String>,
}

/// Sums over a filtered set of source tweets.
#[derive(Object)]
#[oai(rename = "SourceTweetTotals")]
struct TotalsView {
    tweets: i64,
    likes: i64,
    retweets: i64,
    views: i64,
    /// How many runs brought them.
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

/// By what source tweets are sorted.
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

/// Ids of things to act on.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct Ids {
    /// The ids that Waggle gave, 1 to 1,000 of them.
    #[oai(validator(min_items = 1, max_items = 1000))]
    ids: Vec<i64>,
}

/// What was removed.
#[derive(Object)]
struct DeletedTweets {
    deleted_count: u64,
    /// The ids that X gave them.
    deleted_tweet_ids: Vec<String>,
}

/// A claim of source tweets to work on.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ClaimBody {
    /// How many tweets at the most: 1 to 200.
    #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
    limit: u16,
    /// For how long: 1 to 86,400 seconds.
    #[oai(validator(minimum(value = "1"), maximum(value = "86400")))]
    lease_seconds: u32,
}

/// What a claim gave.
#[derive(Object)]
struct ClaimedTweets {
    /// The name of the lease, to be sent when work ends.
    lease: String,
    /// When the lease runs out and the tweets are given back.
    leased_until: DateTime<Utc>,
    /// The tweets, oldest first; there may be none.
    items: Vec<SourceTweetView>,
}

/// The end of work on claimed source tweets.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct EndOfLease {
    /// The name of the lease.
    #[oai(validator(max_length = 100))]
    lease: String,
    /// Which of its tweets; all if this is not there.
    #[oai(validator(max_items = 1000))]
    ids: Option<Vec<i64>>,
}

/// How many tweets a lease let go.
#[derive(Object)]
struct EndedLease {
    count: u64,
}

pub(crate) struct SourceTweetsApi;

/// The filter that a query asks for.
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
    })
}

#[OpenApi(tag = "Tag::SourceTweets")]
#[expect(clippy::too_many_arguments, reason = "these are the filters of the list")]
impl SourceTweetsApi {
    /// List source tweets.
    ///
    /// Scope: `read`. Each filter narrows the list further.
    #[oai(path = "/source-tweets", method = "get", operation_id = "list_source_tweets")]
    async fn list_source_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        /// The text has this in it, without regard to case.
        search: Query<Option<String>>,
        /// The id of X begins with this.
        tweet_id: Query<Option<String>>,
        /// Brought by this run.
        execution_id: Query<Option<String>>,
        /// Posted at this time or later.
        date_from: Query<Option<DateTime<Utc>>>,
        /// Posted before this time.
        date_before: Query<Option<DateTime<Utc>>>,
        /// With this status.
        status: Query<Option<String>>,
        min_likes: Query<Option<i64>>,
        min_retweets: Query<Option<i64>>,
        min_views: Query<Option<i64>>,
        is_processed: Query<Option<bool>>,
        /// Whether its last lease lapsed without a batch, and no run is told of it any more.
        lapsed: Query<Option<bool>>,
        /// By what the list is sorted; by date when nothing is said.
        sort: Query<Option<SortBy>>,
        /// Which way; `desc` when nothing is said.
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

    /// Add up source tweets.
    ///
    /// Scope: `read`. Takes the filters of the list.
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
        /// Whether its last lease lapsed without a batch, and no run is told of it any more.
        lapsed: Query<Option<bool>>,
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
            app.0,
        )?;
        Ok(Json(app.source_tweets.totals(&caller.actor, &filter).await?.into()))
    }

    /// Export source tweets.
    ///
    /// Scope: `read`. Exactly those that the list would show with the same filters, all of them, as CSV or as
    /// JSON lines. In CSV, texts that a spreadsheet would take for a formula get an apostrophe in front.
    #[oai(path = "/source-tweets/export", method = "get", operation_id = "export_source_tweets")]
    async fn export_source_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        /// `csv` (also when nothing is said) or `jsonl`.
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
        /// Whether its last lease lapsed without a batch, and no run is told of it any more.
        lapsed: Query<Option<bool>>,
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
            app.0,
        )?;
        let (sort, way) = (SortBy::sort(sort.0), Order::direction(order.0));
        let format = format.0.unwrap_or(Format::Csv);
        let (app, actor) = (Arc::clone(app.0), caller.actor);
        Ok(export(SourceTweetPages { app, actor, filter, sort, direction: way }, format).await?)
    }

    /// Show a source tweet.
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

    /// Delete a source tweet for good.
    ///
    /// Scope: `write`. If a workflow reports it again, it is new again.
    #[oai(path = "/source-tweets/:id", method = "delete", operation_id = "delete_source_tweet")]
    async fn delete_source_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<DeletedTweets>, Failure<404>> {
        delete(app.0, &caller, vec![id.0]).await
    }

    /// Delete source tweets for good.
    ///
    /// Scope: `write`. Ids that are not there are passed over; if none is there, the answer is a 404.
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
    /// Scope: `ingest`. Gives unprocessed tweets that nobody else has in hand. If they are neither
    /// acknowledged nor released before the lease runs out, others get them.
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

    /// Say that claimed source tweets are worked through.
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

    /// Give claimed source tweets back.
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
