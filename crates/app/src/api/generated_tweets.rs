//! Generated tweets over HTTP.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::{Value, json};
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, Version};
use waggle_twitter_n8n::{
    Action, GeneratedTweet, HistoryEntry, MoveRefused, NoDestination, PublishTweetError,
    QueueRefused, ReviewError, ReviewTweets, Status, TweetFilter,
};

use super::posts::PostView;
use super::query::{Order, if_match, page, text, time};
use super::tag::Tag;
use crate::http::{Caller, Failure, Problem};
use crate::use_cases::UseCases;

/// A drafted tweet.
#[derive(Object)]
#[oai(rename = "GeneratedTweet")]
struct GeneratedTweetView {
    /// The id that Waggle gave it.
    id: i64,
    /// The batch that it came in.
    campaign_batch_id: i64,
    /// The workflow's name for it.
    tweet_id: String,
    /// What kind of tweet it is, by the workflow's own list.
    #[oai(rename = "type")]
    kind: String,
    content: String,
    /// The length as X counts it: a URL is 23, an emoji 2.
    character_count: u32,
    /// The length that the workflow claimed.
    claimed_character_count: Option<i64>,
    engagement_hook: String,
    coophive_elements: Value,
    discord_voice_patterns: Value,
    theme_connection: String,
    /// Whether X would take it and the workflow did not object.
    ready_for_deployment: bool,
    /// Why X would not take it.
    not_ready_reason: Option<String>,
    /// Brand Aligned, Draft, Approved, Posted, Rejected or Deleted.
    status: String,
    /// What can be done to it now.
    allowed: Vec<String>,
    /// Whether a person edited it.
    is_edited: bool,
    /// Who approved it.
    approved_by: Option<String>,
    approved_at: Option<DateTime<Utc>>,
    /// The SHA-256 of exactly what may go out.
    approved_hash: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// When it went out.
    published_at: Option<DateTime<Utc>>,
    /// The platform's id of it. One that begins with `sandbox-` never was on X.
    x_com_post_id: Option<String>,
    /// How often it was changed; `If-Match` takes this.
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
    /// Where the next page begins; not there at the end of the list.
    next_cursor: Option<String>,
}

/// Where a generated tweet stands.
#[derive(Debug, Clone, Copy, Enum)]
enum StatusName {
    #[oai(rename = "Brand Aligned")]
    BrandAligned,
    Draft,
    Approved,
    Posted,
    Rejected,
    Deleted,
}

impl From<StatusName> for Status {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::BrandAligned => Self::BrandAligned,
            StatusName::Draft => Self::Draft,
            StatusName::Approved => Self::Approved,
            StatusName::Posted => Self::Posted,
            StatusName::Rejected => Self::Rejected,
            StatusName::Deleted => Self::Deleted,
        }
    }
}

/// Other words.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct EditBody {
    content: Option<String>,
    engagement_hook: Option<String>,
}

/// A tweet at the version that the caller saw.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct SeenTweet {
    id: i64,
    version: i64,
}

/// Which tweets to approve at once.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ApproveManyBody {
    /// The tweets, each at the version that the caller saw.
    #[oai(validator(max_items = 200))]
    tweets: Option<Vec<SeenTweet>>,
    /// Not taken any more (428): an approval covers what was seen.
    #[oai(deprecated)]
    ids: Option<Vec<i64>>,
    /// Not taken any more (428).
    #[oai(deprecated)]
    campaign_batch_id: Option<i64>,
}

/// Why a tweet is turned down.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RejectBody {
    /// For the history; at most 2,000 characters.
    reason: Option<String>,
}

/// A tweet of many that was not approved.
#[derive(Object)]
struct RefusedView {
    id: i64,
    reason: String,
}

/// What became of many tweets.
#[derive(Object)]
struct ApprovedMany {
    approved: Vec<GeneratedTweetView>,
    /// Those that were not approved, each with the reason.
    refused: Vec<RefusedView>,
}

/// Where and when to publish.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct PublishBody {
    /// `x` or `sandbox`; X when nothing is said, or the sandbox while X is not connected.
    platform: Option<String>,
    /// When; at once when nothing is said.
    at: Option<DateTime<Utc>>,
}

/// What was queued.
#[derive(Object)]
struct QueuedView {
    /// Whether it was queued before, for the same platform and time; then nothing was changed.
    was_queued: bool,
    post: PostView,
}

/// An entry of a history.
#[derive(Object)]
#[oai(rename = "HistoryEntry")]
struct HistoryEntryView {
    id: i64,
    /// What was done: edit, approve, reject, delete, restore, queue, cancel or publish.
    action: String,
    /// Who did it.
    actor: String,
    at: DateTime<Utc>,
    from_status: String,
    to_status: String,
    /// The words before, where they were changed.
    content_before: Option<String>,
    /// The words after, where they were changed.
    content_after: Option<String>,
    note: Option<String>,
}

impl From<HistoryEntry> for HistoryEntryView {
    fn from(HistoryEntry { id, entry }: HistoryEntry) -> Self {
        Self {
            id,
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
    /// List generated tweets across batches, by the time they came.
    ///
    /// Scope: `read`. Those of batches that were put away are not there, unless the batch is asked for.
    #[oai(path = "/generated-tweets", method = "get", operation_id = "list_generated_tweets")]
    async fn list_generated_tweets(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        /// The text has this in it, without regard to case.
        search: Query<Option<String>>,
        campaign_batch_id: Query<Option<i64>>,
        status: Query<Option<StatusName>>,
        #[oai(name = "type")] kind: Query<Option<String>>,
        ready_for_deployment: Query<Option<bool>>,
        is_edited: Query<Option<bool>>,
        /// Came at this time or later.
        created_from: Query<Option<DateTime<Utc>>>,
        /// Came before this time.
        created_before: Query<Option<DateTime<Utc>>>,
        order: Query<Option<Order>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<GeneratedTweetPage>, Failure> {
        let filter = TweetFilter {
            search: text("search", search.0)?,
            batch: campaign_batch_id.0.map(CampaignBatchId::new),
            status: status.0.map(Into::into),
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

    /// Show a generated tweet.
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
    /// Scope: `write`. An approval is taken back, and a post that waits for it leaves the queue.
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
    /// Scope: `approve`. The approval covers exactly the words that the caller saw: `If-Match` has
    /// to be the version of the tweet as it was read (428 without). Approving does not publish.
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
                "read the tweet first, and send its version in If-Match: an approval covers what was seen",
            )
        })?;
        let id = GeneratedTweetId::new(id.0);
        Ok(view(&app.review.approve(&caller.actor, id, Some(expected)).await?))
    }

    /// Approve many generated tweets.
    ///
    /// Scope: `approve`. One that cannot be approved does not hold up the others. At most 200 at once.
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
                    "read the tweets first, and send tweets as [{\"id\", \"version\"}]: an approval \
                     covers what was seen",
).into());
            }
        };
        let seen: Vec<(GeneratedTweetId, Version)> = tweets
            .into_iter()
            .map(|tweet| (GeneratedTweetId::new(tweet.id), Version::new(tweet.version)))
            .collect();
        let reviewed = app.review.approve_many(&caller.actor, &seen).await?;
        Ok(Json(ApprovedMany {
            approved: reviewed.approved.iter().map(Into::into).collect(),
            refused: reviewed
                .refused
                .iter()
                .map(|refused| RefusedView {
                    id: refused.id.number(),
                    reason: refused.reason.to_string(),
                })
                .collect(),
        }))
    }

    /// Reject a generated tweet; it can be restored.
    ///
    /// Scope: `write`. A reason is kept in the history.
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

    /// Restore a rejected or deleted tweet; it waits for a decision again.
    ///
    /// Scope: `write`.
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

    /// Delete a generated tweet; it can be restored.
    ///
    /// Scope: `write`.
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

    /// Publish an approved tweet, now or at a time.
    ///
    /// Scope: `publish`. The post is queued; a repeated call queues it once, and one with another
    /// platform or time moves a post that waits. With `If-Match` it is queued only if the tweet
    /// still has that version. To put a post back into the queue that was cancelled, failed or was
    /// missed, `If-Match` is required (428), so that a call that comes late cannot bring it back.
    /// Watch the post to see it go out.
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
        let PublishBody { platform, at } = body.0;
        let (id, expected) = (GeneratedTweetId::new(id.0), if_match(version.0.as_deref())?);
        let at = time("at", at)?;
        let queued = app.publish_tweet.run(&caller.actor, id, expected, platform, at).await?;
        // The right to publish includes seeing what was queued.
        let post = app.posts.find(&waggle_kernel::Actor::system(), queued.id).await?;
        Ok(Json(QueuedView { was_queued: queued.was_queued, post: post.into() }))
    }

    /// Show who did what to a generated tweet, newest first.
    ///
    /// Scope: `read`.
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

// The document says 200, and so does the domain.
const _: () = assert!(ReviewTweets::MOST == 200);

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
            ReviewError::Text { .. } | ReviewError::TooMany => Self::invalid(detail),
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
            | PublishTweetError::NoDestination(NoDestination::Unknown(_)) => Self::invalid(detail),
            PublishTweetError::Refused(QueueRefused::Port(error))
            | PublishTweetError::Port(error) => error.into(),
            PublishTweetError::Refused(QueueRefused::NeedsVersion { .. }) => {
                Self::needs_version(detail)
            }
            PublishTweetError::ContentChanged { .. }
            | PublishTweetError::Refused(_)
            | PublishTweetError::NoDestination(NoDestination::NotConnected(_)) => {
                Self::conflict(detail)
            }
        }
    }
}
