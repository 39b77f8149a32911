//! Generated tweets over HTTP.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{Object, OpenApi};
use serde_json::{Value, json};
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, Version};
use waggle_twitter_n8n::{
    Action, GeneratedTweet, HistoryEntry, MoveRefused, NoDestination, Place, PublishTime,
    PublishTweet, PublishTweetError, QueueRefused, ReviewError, ReviewTweets, Status, TweetFilter,
};

use super::name::Name;
use super::posts::PostView;
use super::query::{Order, if_match, page, text, time};
use super::refused::RefusedView;
use super::tag::Tag;
use crate::http::{Caller, Failure, Problem};
use crate::use_cases::UseCases;

/// A drafted tweet.
#[derive(Object)]
#[oai(rename = "GeneratedTweet")]
struct GeneratedTweetView {
    /// Waggle's id of the tweet.
    id: i64,
    /// The batch that the tweet belongs to.
    campaign_batch_id: i64,
    /// The name that the workflow gave the tweet.
    tweet_id: String,
    /// The kind of tweet, as defined by the workflow.
    #[oai(rename = "type")]
    kind: String,
    content: String,
    /// The length as X counts it: a URL counts as 23 characters, an emoji as 2.
    character_count: u32,
    /// The length that the workflow reported.
    claimed_character_count: Option<i64>,
    engagement_hook: String,
    coophive_elements: Value,
    discord_voice_patterns: Value,
    theme_connection: String,
    /// Whether X would accept the tweet and the workflow did not say that it is not ready.
    ready_for_deployment: bool,
    /// Why X would not accept the tweet.
    not_ready_reason: Option<String>,
    /// `Brand Aligned`, `Draft`, `Approved`, `Posted`, `Rejected` or `Deleted`.
    status: String,
    /// The actions that the status of the tweet allows.
    allowed: Vec<String>,
    /// Whether a person edited the tweet.
    is_edited: bool,
    /// Who approved the tweet.
    approved_by: Option<String>,
    approved_at: Option<DateTime<Utc>>,
    /// The SHA-256 of exactly the content that may be published.
    approved_hash: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// When the tweet was published.
    published_at: Option<DateTime<Utc>>,
    /// The platform's id of the post. A post whose id starts with `sandbox-` was never on X.
    x_com_post_id: Option<String>,
    /// The version of the tweet, for `If-Match`. It increases with each change.
    version: i64,
}

impl From<&GeneratedTweet> for GeneratedTweetView {
    fn from(entity: &GeneratedTweet) -> Self {
        let stored = entity.view().clone();
        let tweet = stored.tweet;
        let approval = stored.approval;
        Self {
            id: stored.id.number(),
            campaign_batch_id: stored.batch.number(),
            tweet_id: tweet.tweet_id,
            kind: tweet.kind,
            content: tweet.content,
            character_count: entity.character_count(),
            claimed_character_count: tweet.claimed_character_count,
            engagement_hook: tweet.engagement_hook,
            coophive_elements: tweet.coophive_elements,
            discord_voice_patterns: tweet.discord_voice_patterns,
            theme_connection: tweet.theme_connection,
            ready_for_deployment: entity.ready_for_deployment(),
            not_ready_reason: entity.unfit().map(|unfit| unfit.to_string()),
            status: stored.status.name().to_owned(),
            allowed: stored.status.allowed().map(|action| action.name().to_owned()).collect(),
            is_edited: tweet.is_edited,
            approved_at: approval.as_ref().map(|approval| approval.at),
            approved_hash: approval.as_ref().map(|approval| approval.hash.to_string()),
            approved_by: approval.map(|approval| approval.by),
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            published_at: stored.published_at,
            x_com_post_id: stored.x_com_post_id,
            version: stored.version.number(),
        }
    }
}

/// A generated tweet as the API shows it.
pub(crate) fn generated_tweet_json(tweet: &GeneratedTweet) -> Value {
    GeneratedTweetView::from(tweet).to_json().unwrap_or_default()
}

/// A page of generated tweets.
#[derive(Object)]
struct GeneratedTweetPage {
    items: Vec<GeneratedTweetView>,
    /// The cursor of the next page. Null on the last page.
    next_cursor: Option<String>,
}

/// New content for a tweet. Fields that are left out stay unchanged.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct EditBody {
    content: Option<String>,
    engagement_hook: Option<String>,
}

/// A tweet, with the version that you read.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct SeenTweet {
    id: i64,
    version: i64,
}

/// The tweets to approve.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ApproveManyBody {
    /// The tweets, each with the version that you read.
    #[oai(validator(max_items = 200))]
    tweets: Option<Vec<SeenTweet>>,
    /// No longer accepted (428), because an approval covers what you have seen. Send `tweets`
    /// instead.
    #[oai(deprecated)]
    ids: Option<Vec<i64>>,
    /// No longer accepted (428). Send `tweets` instead.
    #[oai(deprecated)]
    campaign_batch_id: Option<i64>,
}

/// A place among the tweets of a batch: one of the two.
#[derive(Object)]
#[oai(rename = "TweetPlace", deny_unknown_fields)]
struct PlaceBody {
    /// The id of the tweet that follows.
    #[oai(skip_serializing_if_is_none)]
    before: Option<i64>,
    /// The id of the tweet that precedes.
    #[oai(skip_serializing_if_is_none)]
    after: Option<i64>,
}

impl From<Place> for PlaceBody {
    fn from(place: Place) -> Self {
        match place {
            Place::Before(id) => Self { before: Some(id.number()), after: None },
            Place::After(id) => Self { before: None, after: Some(id.number()) },
        }
    }
}

/// A tweet that was moved.
#[derive(Object)]
struct MovedView {
    tweet: GeneratedTweetView,
    /// Where the tweet was. Null if it was there already, so that nothing changed.
    was: Option<PlaceBody>,
}

/// The reason for a rejection.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RejectBody {
    /// The reason, which is kept in the history. At most 2,000 characters.
    reason: Option<String>,
}

/// The result of approving several tweets.
#[derive(Object)]
struct ApprovedMany {
    approved: Vec<GeneratedTweetView>,
    /// The tweets that were not approved, each with the reason.
    refused: Vec<RefusedView>,
}

/// Where and when to publish.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct PublishBody {
    /// `x` or `sandbox`. By default X, or the sandbox while X is not connected.
    platform: Option<String>,
    /// When to publish. By default at once.
    at: Option<DateTime<Utc>>,
    /// In how many seconds to publish, by the clock of the server. The post can be cancelled until
    /// then. Send either this or `at`.
    #[oai(validator(maximum(value = "3600")))]
    in_seconds: Option<u32>,
}

/// Which tweets to publish, where and when.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct PublishManyBody {
    /// The tweets, each with the version that you read.
    #[oai(validator(max_items = 200))]
    tweets: Vec<SeenTweet>,
    /// `x` or `sandbox`. By default X, or the sandbox while X is not connected.
    platform: Option<String>,
    /// When to publish. By default at once.
    at: Option<DateTime<Utc>>,
    /// In how many seconds to publish, by the clock of the server. The posts can be cancelled until
    /// then. Send either this or `at`.
    #[oai(validator(maximum(value = "3600")))]
    in_seconds: Option<u32>,
}

/// The result of publishing several tweets.
#[derive(Object)]
struct QueuedManyView {
    /// The posts of the tweets that were queued, as they are now.
    queued: Vec<PostView>,
    /// The tweets that were not queued, each with the reason.
    refused: Vec<RefusedView>,
}

/// When to publish, from the two ways to say it.
fn publish_time(
    at: Option<DateTime<Utc>>,
    in_seconds: Option<u32>,
) -> Result<PublishTime, Problem> {
    match (time("at", at)?, in_seconds) {
        (None, None) => Ok(PublishTime::Now),
        (Some(at), None) => Ok(PublishTime::At(at)),
        (None, Some(seconds)) => Ok(PublishTime::After(TimeDelta::seconds(i64::from(seconds)))),
        (Some(_), Some(_)) => Err(Problem::invalid("send either at or in_seconds, not both")),
    }
}

/// The tweets of a body, as use cases take them.
fn seen(tweets: &[SeenTweet]) -> Vec<(GeneratedTweetId, Version)> {
    let of = |tweet: &SeenTweet| (GeneratedTweetId::new(tweet.id), Version::new(tweet.version));
    tweets.iter().map(of).collect()
}

/// The queued post.
#[derive(Object)]
struct QueuedView {
    /// Whether the post was already queued for the same platform and time. If so, nothing was
    /// changed.
    was_queued: bool,
    post: PostView,
}

/// An entry in the history of a tweet.
#[derive(Object)]
#[oai(rename = "HistoryEntry")]
struct HistoryEntryView {
    id: i64,
    /// What was done: `edit`, `approve`, `reject`, `delete`, `restore`, `queue`, `cancel` or
    /// `publish`.
    action: String,
    /// Who did it.
    actor: String,
    at: DateTime<Utc>,
    from_status: String,
    to_status: String,
    /// The content before the change, if it was changed.
    content_before: Option<String>,
    /// The content after the change, if it was changed.
    content_after: Option<String>,
    note: Option<String>,
}

impl From<HistoryEntry> for HistoryEntryView {
    fn from(entry: HistoryEntry) -> Self {
        Self {
            id: entry.id,
            action: entry.action.name().to_owned(),
            actor: entry.actor,
            at: entry.at,
            from_status: entry.from.name().to_owned(),
            to_status: entry.to.name().to_owned(),
            content_before: entry.content_before,
            content_after: entry.content_after,
            note: entry.note,
        }
    }
}

/// A page of a history, newest first.
#[derive(Object)]
struct HistoryPage {
    items: Vec<HistoryEntryView>,
    next_cursor: Option<String>,
}

pub(crate) struct GeneratedTweetsApi;

fn view(tweet: &GeneratedTweet) -> Json<GeneratedTweetView> {
    Json(tweet.into())
}

#[OpenApi(tag = "Tag::GeneratedTweets")]
#[expect(clippy::too_many_arguments, reason = "these are the filters of the list")]
impl GeneratedTweetsApi {
    /// List generated tweets of all batches, by the time they were received. The tweets of a batch
    /// are in the order that people gave them.
    ///
    /// Scope: `read`. Tweets of deleted batches are not included, unless you filter by their batch.
    #[oai(path = "/generated-tweets", method = "get", operation_id = "list_generated_tweets")]
    async fn list_generated_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        /// Only tweets whose text contains this, ignoring case.
        search: Query<Option<String>>,
        campaign_batch_id: Query<Option<i64>>,
        status: Query<Option<Name<Status>>>,
        /// Whether the tweets wait for a decision: their status is `Brand Aligned` or `Draft`.
        waiting: Query<Option<bool>>,
        #[oai(name = "type")] kind: Query<Option<String>>,
        ready_for_deployment: Query<Option<bool>>,
        is_edited: Query<Option<bool>>,
        /// Only tweets that were received at this time or later.
        created_from: Query<Option<DateTime<Utc>>>,
        /// Only tweets that were received before this time.
        created_before: Query<Option<DateTime<Utc>>>,
        order: Query<Option<Order>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<GeneratedTweetPage>, Failure> {
        let filter = TweetFilter {
            search: text("search", search.0)?,
            batch: campaign_batch_id.0.map(CampaignBatchId::new),
            status: status.0.map(|status| status.0),
            waiting: waiting.0,
            kind: text("type", kind.0)?,
            ready: ready_for_deployment.0,
            is_edited: is_edited.0,
            created_from: time("created_from", created_from.0)?,
            created_before: time("created_before", created_before.0)?,
        };
        let page = page(limit.0, cursor.0.as_deref())?;
        let way = Order::direction(order.0);
        let found = app.review.list(&caller.actor, &filter, way, page).await?;
        Ok(Json(GeneratedTweetPage {
            next_cursor: found.next.map(|cursor| cursor.to_string()),
            items: found.items.iter().map(Into::into).collect(),
        }))
    }

    /// Retrieve a generated tweet.
    ///
    /// Scope: `read`.
    #[oai(path = "/generated-tweets/:id", method = "get", operation_id = "show_generated_tweet")]
    async fn show_generated_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<GeneratedTweetView>, Failure<404>> {
        Ok(view(&app.review.find(&caller.actor, GeneratedTweetId::new(id.0)).await?))
    }

    /// Edit a generated tweet.
    ///
    /// Scope: `write`. If the tweet is approved, its approval is withdrawn. A post of the tweet
    /// that waits in the queue is cancelled.
    #[oai(path = "/generated-tweets/:id", method = "patch", operation_id = "edit_generated_tweet")]
    async fn edit_generated_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
        body: Json<EditBody>,
    ) -> Result<Json<GeneratedTweetView>, Failure<404, 409>> {
        let EditBody { content, engagement_hook } = body.0;
        if content.is_none() && engagement_hook.is_none() {
            let detail = "there is nothing to change: send content or engagement_hook";
            return Err(Problem::invalid(detail).into());
        }
        let (id, expected) = (GeneratedTweetId::new(id.0), if_match(version.0.as_deref())?);
        let edited = app.review.edit(&caller.actor, id, expected, content, engagement_hook).await?;
        Ok(view(&edited))
    }

    /// Approve a generated tweet.
    ///
    /// Scope: `approve`. The approval covers exactly the content that you have seen. Send the
    /// version that you read in `If-Match`; without it, the response is a 428. Approving a tweet
    /// does not publish it.
    #[oai(
        path = "/generated-tweets/:id/approve",
        method = "post",
        operation_id = "approve_generated_tweet"
    )]
    async fn approve_generated_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<GeneratedTweetView>, Failure<404, 409, 428>> {
        let expected = if_match(version.0.as_deref())?.ok_or_else(|| {
            Problem::needs_version(
                "read the tweet first, and send its version in If-Match: an approval covers what \
                 you have seen",
            )
        })?;
        let id = GeneratedTweetId::new(id.0);
        Ok(view(&app.review.approve(&caller.actor, id, Some(expected)).await?))
    }

    /// Approve several generated tweets.
    ///
    /// Scope: `approve`. You can send at most 200 tweets. If a tweet cannot be approved, the others
    /// still are.
    #[oai(
        path = "/generated-tweets/approve-many",
        method = "post",
        operation_id = "approve_generated_tweets"
    )]
    async fn approve_generated_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<ApproveManyBody>,
    ) -> Result<Json<ApprovedMany>, Failure<428>> {
        let tweets = match body.0 {
            ApproveManyBody { tweets: Some(tweets), ids: None, campaign_batch_id: None } => tweets,
            ApproveManyBody { tweets: None, ids: None, campaign_batch_id: None } => {
                let detail = "tweets is missing: send [{\"id\", \"version\"}]";
                return Err(Problem::invalid(detail).into());
            }
            _ => {
                return Err(Problem::needs_version(
                    "read the tweets first, and send tweets as [{\"id\", \"version\"}]: an \
                     approval covers what you have seen",
                )
                .into());
            }
        };
        let reviewed = app.review.approve_many(&caller.actor, &seen(&tweets)).await?;
        Ok(Json(ApprovedMany {
            approved: reviewed.approved.iter().map(Into::into).collect(),
            refused: RefusedView::all(
                reviewed.refused.into_iter().map(|refused| (refused.id.number(), refused.reason)),
            ),
        }))
    }

    /// Reject a generated tweet.
    ///
    /// Scope: `write`. The tweet can be restored. If you send a reason, the history keeps it.
    #[oai(
        path = "/generated-tweets/:id/reject",
        method = "post",
        operation_id = "reject_generated_tweet"
    )]
    async fn reject_generated_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
        body: Json<RejectBody>,
    ) -> Result<Json<GeneratedTweetView>, Failure<404, 409>> {
        let (id, expected) = (GeneratedTweetId::new(id.0), if_match(version.0.as_deref())?);
        Ok(view(&app.review.reject(&caller.actor, id, expected, body.0.reason).await?))
    }

    /// Restore a rejected or deleted tweet.
    ///
    /// Scope: `write`. The tweet waits for a decision again.
    #[oai(
        path = "/generated-tweets/:id/restore",
        method = "post",
        operation_id = "restore_generated_tweet"
    )]
    async fn restore_generated_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<GeneratedTweetView>, Failure<404, 409>> {
        let (id, expected) = (GeneratedTweetId::new(id.0), if_match(version.0.as_deref())?);
        Ok(view(&app.review.restore(&caller.actor, id, expected).await?))
    }

    /// Withdraw the approval of a generated tweet.
    ///
    /// Scope: `approve`. The tweet waits for a decision again. A post of the tweet that waits in
    /// the queue is cancelled.
    #[oai(
        path = "/generated-tweets/:id/withdraw",
        method = "post",
        operation_id = "withdraw_generated_tweet"
    )]
    async fn withdraw_generated_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<GeneratedTweetView>, Failure<404, 409>> {
        let (id, expected) = (GeneratedTweetId::new(id.0), if_match(version.0.as_deref())?);
        Ok(view(&app.review.withdraw(&caller.actor, id, expected).await?))
    }

    /// Move a generated tweet to another place among the tweets of its batch.
    ///
    /// Scope: `write`. Lists with `order=asc` show the tweets of a batch in this order. Neither the
    /// content nor the approval of the tweet changes, and its version stays the same.
    #[oai(
        path = "/generated-tweets/:id/move",
        method = "post",
        operation_id = "move_generated_tweet"
    )]
    async fn move_generated_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        body: Json<PlaceBody>,
    ) -> Result<Json<MovedView>, Failure<404>> {
        let place = match body.0 {
            PlaceBody { before: Some(id), after: None } => Place::Before(GeneratedTweetId::new(id)),
            PlaceBody { before: None, after: Some(id) } => Place::After(GeneratedTweetId::new(id)),
            _ => return Err(Problem::invalid("send either before or after").into()),
        };
        let id = GeneratedTweetId::new(id.0);
        let (tweet, former) = app.review.reorder(&caller.actor, id, place).await?;
        Ok(Json(MovedView { tweet: (&tweet).into(), was: former.map(Into::into) }))
    }

    /// Delete a generated tweet.
    ///
    /// Scope: `write`. The tweet can be restored.
    #[oai(
        path = "/generated-tweets/:id",
        method = "delete",
        operation_id = "delete_generated_tweet"
    )]
    async fn delete_generated_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<GeneratedTweetView>, Failure<404, 409>> {
        let (id, expected) = (GeneratedTweetId::new(id.0), if_match(version.0.as_deref())?);
        Ok(view(&app.review.delete(&caller.actor, id, expected).await?))
    }

    /// Publish an approved tweet, now or at a scheduled time.
    ///
    /// Scope: `publish`. This queues a post. Retrieve the post to see when it is published.
    ///
    /// Sending the same request again does not queue a second post. While the post waits, a request
    /// with another platform or time changes it.
    ///
    /// With `If-Match`, the post is queued only if the tweet still has that version. To queue a
    /// post again that was cancelled, failed or was missed, `If-Match` is required (428 without
    /// it). This prevents a delayed request from queueing it again.
    #[oai(
        path = "/generated-tweets/:id/publish",
        method = "post",
        operation_id = "publish_generated_tweet"
    )]
    async fn publish_generated_tweet(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
        body: Json<PublishBody>,
    ) -> Result<Json<QueuedView>, Failure<404, 409, 428>> {
        let PublishBody { platform, at, in_seconds } = body.0;
        let (id, expected) = (GeneratedTweetId::new(id.0), if_match(version.0.as_deref())?);
        let when = publish_time(at, in_seconds)?;
        let queued = app.publish_tweet.run(&caller.actor, id, expected, platform, when).await?;
        // The right to publish includes seeing what was queued.
        let post = app.posts.find(&waggle_kernel::Actor::system(), queued.id).await?;
        Ok(Json(QueuedView { was_queued: queued.was_queued, post: post.into() }))
    }

    /// Publish several approved tweets, now or at a scheduled time.
    ///
    /// Scope: `publish`. You can send at most 200 tweets. If a tweet cannot be queued, the others
    /// still are. To repeat the call safely, send an `Idempotency-Key`.
    #[oai(
        path = "/generated-tweets/publish-many",
        method = "post",
        operation_id = "publish_generated_tweets"
    )]
    async fn publish_generated_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<PublishManyBody>,
    ) -> Result<Json<QueuedManyView>, Failure<409>> {
        let PublishManyBody { tweets, platform, at, in_seconds } = body.0;
        let (seen, when) = (seen(&tweets), publish_time(at, in_seconds)?);
        let many = app.publish_tweet.run_many(&caller.actor, &seen, platform, when).await?;
        // The right to publish includes seeing what was queued.
        let is_refused = |id| many.refused.iter().any(|(refused, _)| *refused == id);
        let queued: Vec<GeneratedTweetId> =
            seen.iter().map(|(id, _)| *id).filter(|id| !is_refused(*id)).collect();
        let posts = app.posts.of_tweets(&waggle_kernel::Actor::system(), &queued).await?;
        Ok(Json(QueuedManyView {
            queued: posts.into_iter().map(Into::into).collect(),
            refused: RefusedView::all(
                many.refused.into_iter().map(|(id, reason)| (id.number(), reason)),
            ),
        }))
    }

    /// List the history of a generated tweet, newest first.
    ///
    /// Scope: `read`. The history shows who did what to the tweet.
    #[oai(
        path = "/generated-tweets/:id/history",
        method = "get",
        operation_id = "show_generated_tweet_history"
    )]
    async fn show_generated_tweet_history(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<HistoryPage>, Failure<404>> {
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = app.review.history(&caller.actor, GeneratedTweetId::new(id.0), page).await?;
        Ok(Json(HistoryPage {
            next_cursor: found.next.map(|cursor| cursor.to_string()),
            items: found.items.into_iter().map(Into::into).collect(),
        }))
    }
}

// The API document gives the limits as 200.
const _: () = assert!(ReviewTweets::MOST == 200 && PublishTweet::MOST == 200);

impl From<MoveRefused> for Problem {
    fn from(error: MoveRefused) -> Self {
        let detail = error.to_string();
        match error {
            MoveRefused::Unfit(_) => Self::invalid(detail),
            MoveRefused::Illegal { status, .. } => {
                let allowed: Vec<&str> = status.allowed().map(Action::name).collect();
                Self::conflict(detail)
                    .with("current_status", json!(status.name()))
                    .with("allowed", json!(allowed))
            }
        }
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        let detail = error.to_string();
        match error {
            ReviewError::Forbidden(error) => error.into(),
            ReviewError::NotFound => Self::not_found(detail),
            ReviewError::Text { .. } | ReviewError::NotNeighbor | ReviewError::TooMany => {
                Self::invalid(detail)
            }
            ReviewError::Move(error) => error.into(),
            ReviewError::Stale { current } => {
                let problem = Self::conflict(detail);
                match current {
                    Some(current) => problem.with("current", generated_tweet_json(&current)),
                    None => problem,
                }
            }
            ReviewError::InFlight => Self::conflict(detail),
            ReviewError::Port(error) => error.into(),
        }
    }
}

impl From<PublishTweetError> for Problem {
    fn from(error: PublishTweetError) -> Self {
        let detail = error.to_string();
        match error {
            PublishTweetError::Forbidden(error) => error.into(),
            PublishTweetError::NotFound => Self::not_found(detail),
            PublishTweetError::NotApproved { status } => {
                let allowed: Vec<&str> = status.allowed().map(Action::name).collect();
                Self::conflict(detail)
                    .with("current_status", json!(status.name()))
                    .with("allowed", json!(allowed))
            }
            PublishTweetError::TooFarAhead
            | PublishTweetError::Past
            | PublishTweetError::TooMany
            | PublishTweetError::NoDestination(NoDestination::Unknown(_)) => Self::invalid(detail),
            PublishTweetError::Refused(QueueRefused::Port(error))
            | PublishTweetError::Port(error) => error.into(),
            PublishTweetError::Refused(QueueRefused::NeedsVersion { .. }) => {
                Self::needs_version(detail)
            }
            PublishTweetError::ContentChanged { .. }
            | PublishTweetError::NotTried
            | PublishTweetError::Refused(_)
            | PublishTweetError::NoDestination(NoDestination::NotConnected(_)) => {
                Self::conflict(detail)
            }
        }
    }
}
