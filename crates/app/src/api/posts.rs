//! Posts and their deliveries over HTTP.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{Object, OpenApi};
use serde_json::{Value, json};
use waggle_content::{
    Delivery, ManagePostsError, Platform, Post, PostFilter, PostStatus, Resolution, TwitterDetails,
};
use waggle_kernel::Clock as _;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, PostId, Version};
use waggle_system::SystemClock;

use super::name::Name;
use super::query::{if_match, page};
use super::refused::RefusedView;
use super::tag::Tag;
use crate::http::{Caller, Failure, Problem};
use crate::use_cases::UseCases;

/// The details that only a post on X has.
#[derive(Object)]
#[oai(rename = "TwitterPost")]
struct TwitterPostView {
    reply_to_tweet_id: String,
    quoted_tweet_id: String,
    is_thread: bool,
    thread_position: i64,
    retweets: i64,
    quote_tweets: i64,
    bookmarks: i64,
    impressions: i64,
    /// The generated tweet that the post was made from.
    generated_tweet_id: Option<i64>,
    /// The campaign batch of that tweet.
    campaign_batch_id: Option<i64>,
    brand_alignment_score: Option<f64>,
    audience_target: Option<String>,
    coophive_elements: Option<Value>,
}

impl From<TwitterDetails> for TwitterPostView {
    fn from(details: TwitterDetails) -> Self {
        Self {
            reply_to_tweet_id: details.reply_to_tweet_id,
            quoted_tweet_id: details.quoted_tweet_id,
            is_thread: details.is_thread,
            thread_position: details.thread_position,
            retweets: details.retweets,
            quote_tweets: details.quote_tweets,
            bookmarks: details.bookmarks,
            impressions: details.impressions,
            generated_tweet_id: details.generated_tweet.map(GeneratedTweetId::number),
            campaign_batch_id: details.campaign_batch.map(CampaignBatchId::number),
            brand_alignment_score: details.brand_alignment_score,
            audience_target: details.audience_target,
            coophive_elements: details.coophive_elements,
        }
    }
}

/// Where a post is public.
#[derive(Object)]
#[oai(rename = "PublicAddress")]
struct PublicAddressView {
    /// The platform's id of the post.
    platform_post_id: String,
    /// The URL of the post. Empty if it is unknown.
    url: String,
}

/// A post.
#[derive(Object)]
#[oai(rename = "Post")]
pub(super) struct PostView {
    id: i64,
    /// `x` or `sandbox`.
    platform: String,
    content: String,
    /// `scheduled`, `publishing`, `published`, `failed`, `unknown`, `missed` or `cancelled`.
    status: String,
    /// When the post should be published.
    scheduled_time: Option<DateTime<Utc>>,
    /// When the post was published.
    published_time: Option<DateTime<Utc>>,
    /// When Waggle processes the post next, while it is queued.
    due_at: Option<DateTime<Utc>>,
    /// Whether the post waits for the owner of its account. `last_error` contains the reason.
    /// Waggle continues with the post when the credentials change.
    is_held: bool,
    /// The platform's id of the post. Empty until the post is public.
    platform_post_id: String,
    /// The URL of the post on the platform.
    url: String,
    /// All public copies of the post that are known. There is more than one if the post was
    /// published more than once. Its status is then `unknown` until a person resolves it.
    public: Vec<PublicAddressView>,
    /// How many deliveries were started since the post was last queued.
    attempts: u32,
    /// The most recent error.
    last_error: Option<String>,
    /// The SHA-256 of exactly the content that may be published.
    approved_hash: String,
    approved_by: String,
    approved_at: DateTime<Utc>,
    likes: i64,
    shares: i64,
    comments: i64,
    views: i64,
    hashtags: Value,
    mentions: Value,
    media_urls: Value,
    twitter: Option<TwitterPostView>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
}

impl From<Post> for PostView {
    fn from(post: Post) -> Self {
        Self {
            id: post.id.number(),
            platform: post.platform.name().to_owned(),
            content: post.content,
            status: post.status.name().to_owned(),
            scheduled_time: post.scheduled_time,
            published_time: post.published_time,
            due_at: post.due_at,
            is_held: post.is_held,
            public: post
                .public
                .into_iter()
                .map(|public| PublicAddressView {
                    platform_post_id: public.platform_post_id,
                    url: public.url,
                })
                .collect(),
            platform_post_id: post.platform_post_id,
            url: post.url,
            attempts: post.attempts,
            last_error: post.last_error,
            approved_hash: post.approved_hash.to_string(),
            approved_by: post.approved_by,
            approved_at: post.approved_at,
            likes: post.metrics.likes,
            shares: post.metrics.shares,
            comments: post.metrics.comments,
            views: post.metrics.views,
            hashtags: post.hashtags,
            mentions: post.mentions,
            media_urls: post.media_urls,
            twitter: post.twitter.map(Into::into),
            created_at: post.created_at,
            updated_at: post.updated_at,
            version: post.version.number(),
        }
    }
}

/// A post as the API shows it.
pub(crate) fn post_json(post: Post) -> Value {
    PostView::from(post).to_json().unwrap_or_default()
}

/// A page of posts, newest first.
#[derive(Object)]
struct PostPage {
    items: Vec<PostView>,
    next_cursor: Option<String>,
}

/// One attempt to publish a post on its platform.
#[derive(Object)]
#[oai(rename = "Delivery")]
struct DeliveryView {
    id: i64,
    /// The number of the attempt, starting at 1.
    attempt: u32,
    /// `in_flight`, `published`, `refused`, `not_sent`, `absent`, `unknown`, or `also_published` if
    /// the post of this delivery turned out to be public after another delivery took its place.
    state: String,
    platform: String,
    /// The account that the post was sent with. Empty if it is unknown.
    channel: String,
    /// The key that distinguishes the post from others on the platform.
    key: String,
    /// Exactly what was sent, without credentials.
    request: Value,
    /// The SHA-256 of the content in the request.
    hash: String,
    /// When the delivery was recorded, before anything was sent.
    started_at: DateTime<Utc>,
    /// When the outcome was recorded.
    settled_at: Option<DateTime<Utc>>,
    platform_post_id: Option<String>,
    error: Option<String>,
    /// How often Waggle checked the platform for the post.
    looks: u32,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.number(),
            attempt: delivery.attempt,
            state: delivery.state.name().to_owned(),
            platform: delivery.prepared.platform.name().to_owned(),
            channel: delivery.prepared.channel,
            key: delivery.prepared.key,
            request: delivery.prepared.request,
            hash: delivery.prepared.hash.to_string(),
            started_at: delivery.started_at,
            settled_at: delivery.settled_at,
            platform_post_id: delivery.platform_post_id,
            error: delivery.error,
            looks: delivery.looks,
        }
    }
}

/// The deliveries of a post, from first to last.
#[derive(Object)]
struct Deliveries {
    items: Vec<DeliveryView>,
}

/// A post, with the version that you read.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct SeenPost {
    id: i64,
    version: i64,
}

/// The posts to cancel.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct CancelManyBody {
    /// The posts, each with the version that you read.
    #[oai(validator(max_items = 200))]
    posts: Vec<SeenPost>,
}

/// The result of cancelling several posts.
#[derive(Object)]
struct CancelledMany {
    cancelled: Vec<PostView>,
    /// The posts that were not cancelled, each with the reason.
    refused: Vec<RefusedView>,
}

/// The outcome of a post, as determined by a person.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ResolveBody {
    /// Whether the post is public.
    published: bool,
    /// The platform's id of the post, if the post is public. If it is missing, it is taken from
    /// `url`.
    platform_post_id: Option<String>,
    /// The URL of the post, if the post is public.
    url: Option<String>,
}

/// The state of publishing.
#[derive(Object)]
#[oai(rename = "Publishing")]
struct PublishingView {
    /// Posts that wait for their time.
    scheduled: i64,
    /// Posts that are being published.
    publishing: i64,
    /// Posts that wait for the owner of their account.
    held: i64,
    /// Posts of which a person must decide whether they are public.
    unknown: i64,
    /// Posts that could not be published in time.
    missed: i64,
    /// Posts that were not published.
    failed: i64,
    /// When the next post is processed, if one waits.
    next_due: Option<DateTime<Utc>>,
    /// How late the next post is, in seconds; 0 if none is late.
    lag_seconds: i64,
}

pub(crate) struct PostsApi;

#[OpenApi(tag = "Tag::Posts")]
#[expect(clippy::too_many_arguments, reason = "these are the filters of the list")]
impl PostsApi {
    /// List posts, newest first.
    ///
    /// Scope: `read`.
    #[oai(path = "/posts", method = "get", operation_id = "list_posts")]
    async fn list_posts(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        status: Query<Option<Name<PostStatus>>>,
        platform: Query<Option<Name<Platform>>>,
        /// Only posts that were made from this generated tweet.
        generated_tweet_id: Query<Option<i64>>,
        /// Only posts that wait for the owner of their account (`true`), or only others (`false`).
        is_held: Query<Option<bool>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<PostPage>, Failure> {
        let filter = PostFilter {
            status: status.0.map(|status| status.0),
            platform: platform.0.map(|platform| platform.0),
            generated_tweet: generated_tweet_id.0.map(GeneratedTweetId::new),
            is_held: is_held.0,
        };
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = app.posts.list(&caller.actor, &filter, page).await?;
        Ok(Json(PostPage {
            next_cursor: found.next.map(|cursor| cursor.to_string()),
            items: found.items.into_iter().map(Into::into).collect(),
        }))
    }

    /// Retrieve the state of publishing: how many posts wait, and for what.
    ///
    /// Scope: `read`.
    #[oai(path = "/publishing", method = "get", operation_id = "show_publishing")]
    async fn show_publishing(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<PublishingView>, Failure> {
        let backlog = app.posts.backlog(&caller.actor).await?;
        Ok(Json(PublishingView {
            scheduled: backlog.scheduled,
            publishing: backlog.publishing,
            held: backlog.held,
            unknown: backlog.unknown,
            missed: backlog.missed,
            failed: backlog.failed,
            next_due: backlog.next_due,
            lag_seconds: backlog.lag(SystemClock.now()).num_seconds(),
        }))
    }

    /// Retrieve a post.
    ///
    /// Scope: `read`.
    #[oai(path = "/posts/:id", method = "get", operation_id = "show_post")]
    async fn show_post(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<PostView>, Failure<404>> {
        Ok(Json(app.posts.find(&caller.actor, PostId::new(id.0)).await?.into()))
    }

    /// List all attempts to deliver a post, from first to last.
    ///
    /// Scope: `read`.
    #[oai(path = "/posts/:id/deliveries", method = "get", operation_id = "list_deliveries")]
    async fn list_deliveries(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<Deliveries>, Failure<404>> {
        let found = app.posts.deliveries(&caller.actor, PostId::new(id.0)).await?;
        Ok(Json(Deliveries { items: found.into_iter().map(Into::into).collect() }))
    }

    /// Cancel a scheduled post.
    ///
    /// Scope: `publish`. Removes the post from the queue. A post that is being published cannot be
    /// cancelled. With `If-Match`, the post is cancelled only if it still has that version.
    #[oai(path = "/posts/:id/cancel", method = "post", operation_id = "cancel_post")]
    async fn cancel_post(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<PostView>, Failure<404, 409>> {
        let (id, expected) = (PostId::new(id.0), if_match(version.0.as_deref())?);
        Ok(Json(app.posts.cancel(&caller.actor, id, expected).await?.into()))
    }

    /// Cancel several scheduled posts.
    ///
    /// Scope: `publish`. You can send at most 200 posts. If a post cannot be cancelled, the others
    /// still are.
    #[oai(path = "/posts/cancel-many", method = "post", operation_id = "cancel_posts")]
    async fn cancel_posts(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<CancelManyBody>,
    ) -> Result<Json<CancelledMany>, Failure> {
        let of = |post: &SeenPost| (PostId::new(post.id), Version::new(post.version));
        let seen: Vec<(PostId, Version)> = body.posts.iter().map(of).collect();
        let many = app.posts.cancel_many(&caller.actor, &seen).await?;
        Ok(Json(CancelledMany {
            cancelled: many.cancelled.into_iter().map(Into::into).collect(),
            refused: RefusedView::all(
                many.refused.into_iter().map(|(id, reason)| (id.number(), reason)),
            ),
        }))
    }

    /// Resolve a post with an unknown outcome.
    ///
    /// Scope: `publish`. Send whether the post is public. A post that is not public can be
    /// published again. With `If-Match`, the post is resolved only if it still has that version.
    #[oai(path = "/posts/:id/resolve", method = "post", operation_id = "resolve_post")]
    async fn resolve_post(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
        body: Json<ResolveBody>,
    ) -> Result<Json<PostView>, Failure<404, 409>> {
        let is_named = body.platform_post_id.is_some() || body.url.is_some();
        if is_named && !body.published {
            let detail = "send platform_post_id and url only if published is true";
            return Err(Problem::invalid(detail).into());
        }
        let resolution = if body.published {
            Resolution::Published {
                id: body.0.platform_post_id.unwrap_or_default(),
                url: body.0.url.unwrap_or_default(),
            }
        } else {
            Resolution::NotPublished
        };
        let (id, expected) = (PostId::new(id.0), if_match(version.0.as_deref())?);
        let post = app.posts.resolve(&caller.actor, id, expected, resolution).await?;
        Ok(Json(post.into()))
    }
}

impl From<ManagePostsError> for Problem {
    fn from(error: ManagePostsError) -> Self {
        let detail = error.to_string();
        match error {
            ManagePostsError::Forbidden(error) => error.into(),
            ManagePostsError::NotFound => Self::not_found(detail),
            ManagePostsError::NoPlatformId
            | ManagePostsError::NotItsUrl
            | ManagePostsError::TooMany => Self::invalid(detail),
            ManagePostsError::Illegal { status, .. } => {
                Self::conflict(detail).with("current_status", json!(status.name()))
            }
            ManagePostsError::IsPublic { .. }
            | ManagePostsError::Taken { .. }
            | ManagePostsError::NotTried => Self::conflict(detail),
            ManagePostsError::Stale { current } => {
                Self::conflict(detail).with("current", post_json(*current))
            }
            ManagePostsError::Port(error) => error.into(),
        }
    }
}
