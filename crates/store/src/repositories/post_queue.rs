//! Queues approved tweets as posts: the post, its details for X and the link to the tweet are
//! written in one transaction.

use async_trait::async_trait;
use diesel::prelude::*;
use serde_json::{Value, json};
use waggle_content::PostStatus;
use waggle_kernel::ids::PostId;
use waggle_kernel::{PortError, Publication};
use waggle_twitter_n8n::ports::PostQueue;
use waggle_twitter_n8n::{
    HistoryAction, QueueRefused, QueueRequest, QueuedPost, Status, tweet_event,
};

use super::generated_tweets::touch;
use super::post_events::{write_created, write_reached};
use super::{Conn, Repositories, columns, events, locks};
use crate::error::{StoreError, column, during};
use crate::queues::Queue;
use crate::run_query::RunQueryDsl;
use crate::schema::{campaign_batches, generated_tweets, posts, twitter_posts};
use crate::types::Time;

/// The parts of a generated tweet that are copied to its post.
struct Source {
    content: String,
    batch: i64,
    is_deleted: bool,
    score: Option<f64>,
    kind: String,
    elements: Value,
}

async fn source(connection: &mut Conn, tweet: i64) -> QueryResult<Source> {
    let (content, batch, kind, elements): (String, i64, String, Value) = generated_tweets::table
        .find(tweet)
        .select((
            generated_tweets::content,
            generated_tweets::campaign_batch_id,
            generated_tweets::kind,
            generated_tweets::coophive_elements,
        ))
        .first(connection)
        .await?;
    // A concurrent deletion of the batch waits here, and then sees the post.
    locks::lock_batch_by_id(connection, batch).await?;
    let (score, deleted_at): (Option<f64>, Option<Time>) = campaign_batches::table
        .find(batch)
        .select((campaign_batches::brand_alignment_score, campaign_batches::deleted_at))
        .first(connection)
        .await?;
    Ok(Source { content, batch, is_deleted: deleted_at.is_some(), score, kind, elements })
}

async fn insert(
    connection: &mut Conn,
    request: &QueueRequest,
    source: &Source,
) -> QueryResult<i64> {
    let now = Time::from(request.now);
    let id: i64 = diesel::insert_into(posts::table)
        .values((
            (
                posts::platform.eq(&request.platform),
                posts::content.eq(&source.content),
                posts::status.eq(PostStatus::Scheduled.name()),
                posts::scheduled_time.eq(Time::from(request.due_at())),
                posts::due_at.eq(Time::from(request.due_at().max(request.now))),
            ),
            (
                posts::hashtags.eq(json!([])),
                posts::mentions.eq(json!([])),
                posts::media_urls.eq(json!([])),
                posts::approved_by.eq(&request.approval.by),
                posts::approved_at.eq(Time::from(request.approval.at)),
                posts::approved_hash.eq(request.approval.hash.to_string()),
                posts::created_at.eq(now),
                posts::updated_at.eq(now),
            ),
        ))
        .returning(posts::id)
        .get_result(connection)
        .await?;
    diesel::insert_into(twitter_posts::table)
        .values((
            twitter_posts::post_id.eq(id),
            twitter_posts::generated_tweet_id.eq(request.tweet.number()),
            twitter_posts::campaign_batch_id.eq(source.batch),
            twitter_posts::brand_alignment_score.eq(source.score),
            twitter_posts::audience_target.eq(&source.kind),
            twitter_posts::coophive_elements.eq(&source.elements),
        ))
        .execute(connection)
        .await?;
    Ok(id)
}

async fn renew(
    connection: &mut Conn,
    post: i64,
    request: &QueueRequest,
    source: &Source,
) -> QueryResult<()> {
    diesel::update(posts::table.find(post))
        .set((
            (
                posts::platform.eq(&request.platform),
                posts::content.eq(&source.content),
                posts::status.eq(PostStatus::Scheduled.name()),
                posts::scheduled_time.eq(Time::from(request.due_at())),
                posts::due_at.eq(Time::from(request.due_at().max(request.now))),
                posts::attempts.eq(0),
                posts::round.eq(posts::round + 1),
                posts::is_held.eq(false),
                posts::last_error.eq(None::<String>),
            ),
            (
                posts::approved_by.eq(&request.approval.by),
                posts::approved_at.eq(Time::from(request.approval.at)),
                posts::approved_hash.eq(request.approval.hash.to_string()),
                posts::updated_at.eq(Time::from(request.now)),
                posts::version.eq(posts::version + 1),
            ),
        ))
        .execute(connection)
        .await
        .map(drop)
}

/// Where and when a waiting post is to be published.
#[derive(Queryable, Selectable)]
#[diesel(table_name = posts)]
struct Waiting {
    platform: String,
    scheduled_time: Option<Time>,
}

impl Waiting {
    /// Whether the request asks for what is already planned. "At once" matches a post whose time
    /// has come.
    fn is_as_asked(&self, request: &QueueRequest) -> bool {
        let planned = self.scheduled_time.map(|time| time.0);
        let is_time = match request.at {
            Some(at) => planned == Some(at),
            None => planned.is_some_and(|planned| planned <= request.now),
        };
        is_time && self.platform == request.platform
    }
}

/// Changes the platform or the time of a waiting post.
async fn reschedule(connection: &mut Conn, post: i64, request: &QueueRequest) -> QueryResult<()> {
    let due_at = request.due_at();
    diesel::update(posts::table.find(post))
        .set((
            posts::platform.eq(&request.platform),
            posts::scheduled_time.eq(Time::from(due_at)),
            posts::due_at.eq(Time::from(due_at.max(request.now))),
            posts::is_held.eq(false),
            posts::updated_at.eq(Time::from(request.now)),
            posts::version.eq(posts::version + 1),
        ))
        .execute(connection)
        .await
        .map(drop)
}

/// The outer error is that of the store, the inner one that of the queue.
async fn queue(
    connection: &mut Conn,
    request: &QueueRequest,
) -> Result<Result<QueuedPost, QueueRefused>, StoreError> {
    let tweet = request.tweet.number();
    let hash = request.approval.hash;
    let locked = locks::lock_tweet(connection, tweet).await?;
    let is_seen = |version: i64| request.expected.is_none_or(|seen| seen.number() == version);
    let there = locks::lock_post_of_tweet(connection, tweet).await?;
    let waiting = match &there {
        Some((id, status)) if status == PostStatus::Scheduled.name() => {
            let found: Waiting =
                posts::table.find(*id).select(columns::<Waiting>()).first(connection).await?;
            Some(found)
        }
        _ => None,
    };
    // A repeated call changes nothing, whatever version it names.
    if let (Some((id, _)), Some(waiting)) = (&there, &waiting)
        && waiting.is_as_asked(request)
        && locked.as_ref().is_some_and(|tweet| tweet.is_approved_with(hash))
    {
        return Ok(Ok(QueuedPost {
            id: PostId::new(*id),
            platform: request.platform.clone(),
            was_queued: true,
        }));
    }
    let Some(locked) = locked else { return Ok(Err(QueueRefused::NotApproved)) };
    if !is_seen(locked.version) {
        return Ok(Err(QueueRefused::Stale));
    }
    if !locked.is_approved_with(hash) {
        return Ok(Err(QueueRefused::NotApproved));
    }
    let source = source(connection, tweet).await?;
    if Publication::of_text(source.content.clone()).hash() != hash {
        return Ok(Err(QueueRefused::NotApproved));
    }
    if source.is_deleted {
        return Ok(Err(QueueRefused::BatchDeleted));
    }
    let id = match there {
        None => {
            let id = insert(connection, request, &source).await?;
            write_created(connection, id, &request.by, request.now).await?;
            id
        }
        Some((id, status)) => {
            let status: PostStatus = status.parse().map_err(column("posts.status"))?;
            match status {
                PostStatus::Scheduled => reschedule(connection, id, request).await?,
                PostStatus::Publishing => return Ok(Err(QueueRefused::OnItsWay)),
                status if !status.can_be_queued_again() => {
                    return Ok(Err(QueueRefused::AlreadyOut));
                }
                status => {
                    // A call that was made before the post left the queue, but arrives late, must
                    // not bring it back. A call after a new approval refers to that approval.
                    let approved_at: Time =
                        posts::table.find(id).select(posts::approved_at).first(connection).await?;
                    if request.expected.is_none() && approved_at.0 == request.approval.at {
                        return Ok(Err(QueueRefused::NeedsVersion { status: status.name() }));
                    }
                    renew(connection, id, request, &source).await?;
                }
            }
            id
        }
    };
    write_reached(connection, &[id], &request.by, request.now).await?;
    let version = touch(connection, tweet, request.now.into()).await?;
    let note = format!("post {id} for {}, due {}", request.platform, request.due_at().to_rfc3339());
    let event = tweet_event(
        HistoryAction::Queued,
        request.tweet,
        &request.by,
        request.now,
        (Status::Approved, Status::Approved),
        Some(note),
    );
    events::write(connection, &[event.with_version(version)]).await?;
    Ok(Ok(QueuedPost {
        id: PostId::new(id),
        platform: request.platform.clone(),
        was_queued: false,
    }))
}

#[async_trait]
impl PostQueue for Repositories {
    async fn queue(&self, request: &QueueRequest) -> Result<QueuedPost, QueueRefused> {
        let result: Result<_, PortError> = during("queueing a tweet", async {
            let mut transaction = self.pools.write().await?;
            let result = queue(transaction.connection(), request).await?;
            transaction.fills(Queue::Posts);
            transaction.commit().await?;
            Ok(result)
        })
        .await;
        result?
    }
}
