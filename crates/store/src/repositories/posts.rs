//! Posts, as people look at them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use waggle_content::ports::PostRepository;
use waggle_content::{
    Delivery, DeliveryState, Metrics, Post, PostFilter, PostStatus, Prepared, Resolution,
    TwitterDetails,
};
use waggle_kernel::ids::{CampaignBatchId, DeliveryId, GeneratedTweetId, PostId, Version};
use waggle_kernel::{Cursor, Direction, Page, PageRequest, PortError};
use waggle_twitter_n8n::{HistoryAction, NewHistoryEntry, Status};

use super::generated_tweets::write_history;
use super::ledger::record_published;
use super::{Conn, Db, Repositories, cursor_time, dialect, keyset, one_more};
use crate::error::{StoreError, column, during};
use crate::schema::{deliveries, posts, twitter_posts};
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = posts)]
struct Row {
    id: i64,
    platform: String,
    content: String,
    status: String,
    scheduled_time: Option<Time>,
    published_time: Option<Time>,
    platform_post_id: String,
    url: String,
    likes: i64,
    shares: i64,
    comments: i64,
    views: i64,
    hashtags: Value,
    mentions: Value,
    media_urls: Value,
    approved_by: String,
    approved_at: Time,
    approved_hash: String,
    due_at: Option<Time>,
    attempts: i64,
    last_error: Option<String>,
    created_at: Time,
    updated_at: Time,
    version: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = twitter_posts)]
struct TwitterRow {
    reply_to_tweet_id: String,
    quoted_tweet_id: String,
    is_thread: bool,
    thread_position: i64,
    retweets: i64,
    quote_tweets: i64,
    bookmarks: i64,
    impressions: i64,
    generated_tweet_id: Option<i64>,
    campaign_batch_id: Option<i64>,
    brand_alignment_score: Option<f64>,
    audience_target: Option<String>,
    coophive_elements: Option<Value>,
}

impl From<TwitterRow> for TwitterDetails {
    fn from(row: TwitterRow) -> Self {
        Self {
            reply_to_tweet_id: row.reply_to_tweet_id,
            quoted_tweet_id: row.quoted_tweet_id,
            is_thread: row.is_thread,
            thread_position: row.thread_position,
            retweets: row.retweets,
            quote_tweets: row.quote_tweets,
            bookmarks: row.bookmarks,
            impressions: row.impressions,
            generated_tweet: row.generated_tweet_id.map(GeneratedTweetId::new),
            campaign_batch: row.campaign_batch_id.map(CampaignBatchId::new),
            brand_alignment_score: row.brand_alignment_score,
            audience_target: row.audience_target,
            coophive_elements: row.coophive_elements,
        }
    }
}

impl Row {
    fn with(self, twitter: Option<TwitterRow>) -> Result<Post, StoreError> {
        let row = self;
        Ok(Post {
            id: PostId::new(row.id),
            platform: row.platform.parse().map_err(column("posts.platform"))?,
            content: row.content,
            status: row.status.parse().map_err(column("posts.status"))?,
            scheduled_time: row.scheduled_time.map(Into::into),
            published_time: row.published_time.map(Into::into),
            due_at: row.due_at.map(Into::into),
            platform_post_id: row.platform_post_id,
            url: row.url,
            attempts: u32::try_from(row.attempts).map_err(column("posts.attempts"))?,
            last_error: row.last_error,
            approved_hash: row.approved_hash.parse().map_err(column("posts.approved_hash"))?,
            approved_by: row.approved_by,
            approved_at: row.approved_at.into(),
            metrics: Metrics {
                likes: row.likes,
                shares: row.shares,
                comments: row.comments,
                views: row.views,
            },
            hashtags: row.hashtags,
            mentions: row.mentions,
            media_urls: row.media_urls,
            twitter: twitter.map(Into::into),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            version: Version::new(row.version),
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries)]
struct DeliveryRow {
    id: i64,
    post_id: i64,
    attempt: i64,
    state: String,
    platform: String,
    channel: String,
    key: String,
    request: Value,
    hash: String,
    started_at: Time,
    settled_at: Option<Time>,
    platform_post_id: Option<String>,
    error: Option<String>,
    looks: i64,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: DeliveryId::new(row.id),
            post: PostId::new(row.post_id),
            attempt: u32::try_from(row.attempt).map_err(column("deliveries.attempt"))?,
            state: row.state.parse().map_err(column("deliveries.state"))?,
            prepared: Prepared {
                platform: row.platform.parse().map_err(column("deliveries.platform"))?,
                channel: row.channel,
                key: row.key,
                request: row.request,
                hash: row.hash.parse().map_err(column("deliveries.hash"))?,
            },
            started_at: row.started_at.into(),
            settled_at: row.settled_at.map(Into::into),
            platform_post_id: row.platform_post_id,
            error: row.error,
            looks: u32::try_from(row.looks).unwrap_or(u32::MAX),
        })
    }
}

/// The generated tweet of a post, locked, and the status that the post has then.
async fn lock(connection: &mut Conn, post: i64) -> QueryResult<(Option<i64>, Option<String>)> {
    let tweet: Option<i64> = twitter_posts::table
        .find(post)
        .select(twitter_posts::generated_tweet_id)
        .first::<Option<i64>>(connection)
        .await
        .optional()?
        .flatten();
    if let Some(tweet) = tweet {
        dialect::lock_tweet(connection, tweet).await?;
        let status = dialect::lock_post_of_tweet(connection, tweet).await?;
        return Ok((Some(tweet), status.map(|(_, status)| status)));
    }
    let status =
        posts::table.find(post).select(posts::status).first(connection).await.optional()?;
    Ok((None, status))
}

/// Ends the way of a post without it having gone out.
async fn stop(
    connection: &mut Conn,
    post: i64,
    status: PostStatus,
    expected: PostStatus,
    reason: &str,
    now: Time,
) -> QueryResult<bool> {
    let written = diesel::update(posts::table.find(post))
        .filter(posts::status.eq(expected.name()))
        .set((
            posts::status.eq(status.name()),
            posts::due_at.eq(None::<Time>),
            posts::last_error.eq(reason),
            posts::updated_at.eq(now),
            posts::version.eq(posts::version + 1),
        ))
        .execute(connection)
        .await?;
    Ok(written > 0)
}

async fn note(
    connection: &mut Conn,
    tweet: i64,
    actor: &str,
    now: DateTime<Utc>,
    text: String,
) -> QueryResult<()> {
    let entry = NewHistoryEntry {
        action: HistoryAction::Cancelled,
        actor: actor.to_owned(),
        at: now,
        from: Status::Approved,
        to: Status::Approved,
        content_before: None,
        content_after: None,
        note: Some(text),
    };
    write_history(connection, tweet, &entry).await
}

#[async_trait]
impl PostRepository for Repositories {
    async fn find(&self, id: PostId) -> Result<Option<Post>, PortError> {
        during("finding a post", async {
            let mut connection = self.pools.read().await?;
            let row: Option<(Row, Option<TwitterRow>)> = posts::table
                .left_join(twitter_posts::table)
                .filter(posts::id.eq(id.number()))
                .select((Row::as_select(), Option::<TwitterRow>::as_select()))
                .first(&mut connection)
                .await
                .optional()?;
            row.map(|(row, twitter)| row.with(twitter)).transpose()
        })
        .await
    }

    async fn list(&self, filter: &PostFilter, page: PageRequest) -> Result<Page<Post>, PortError> {
        use posts::{created_at, id};
        during("listing posts", async {
            let mut query = posts::table
                .left_join(twitter_posts::table)
                .select((Row::as_select(), Option::<TwitterRow>::as_select()))
                .into_boxed::<Db>();
            if let Some(status) = filter.status {
                query = query.filter(posts::status.eq(status.name()));
            }
            if let Some(platform) = filter.platform {
                query = query.filter(posts::platform.eq(platform.name()));
            }
            if let Some(tweet) = filter.generated_tweet {
                query = query.filter(twitter_posts::generated_tweet_id.eq(tweet.number()));
            }
            let query =
                keyset!(query, created_at, cursor_time, id, Direction::Descending, page.after);
            let mut connection = self.pools.read().await?;
            let rows: Vec<(Row, Option<TwitterRow>)> =
                query.limit(one_more(page.limit)).load(&mut connection).await?;
            let found = rows
                .into_iter()
                .map(|(row, twitter)| row.with(twitter))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Page::from_one_more(found, page.limit, |post| Cursor {
                sort_value: post.created_at.timestamp_micros(),
                id: post.id.number(),
            }))
        })
        .await
    }

    async fn deliveries(&self, id: PostId) -> Result<Vec<Delivery>, PortError> {
        during("listing deliveries", async {
            let mut connection = self.pools.read().await?;
            let rows: Vec<DeliveryRow> = deliveries::table
                .filter(deliveries::post_id.eq(id.number()))
                .order(deliveries::attempt)
                .limit(1_000)
                .select(DeliveryRow::as_select())
                .load(&mut connection)
                .await?;
            rows.into_iter().map(TryInto::try_into).collect()
        })
        .await
    }

    async fn cancel(&self, id: PostId, actor: &str, now: DateTime<Utc>) -> Result<bool, PortError> {
        during("cancelling a post", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let (tweet, _) = lock(connection, id.number()).await?;
            let (cancelled, scheduled) = (PostStatus::Cancelled, PostStatus::Scheduled);
            let reason = format!("cancelled by {actor}");
            let number = id.number();
            let done = stop(connection, number, cancelled, scheduled, &reason, now.into()).await?;
            if let Some(tweet) = tweet.filter(|_| done) {
                note(connection, tweet, actor, now, format!("post {id} left the queue")).await?;
            }
            transaction.commit().await?;
            Ok(done)
        })
        .await
    }

    async fn resolve(
        &self,
        id: PostId,
        resolution: &Resolution,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        during("settling a doubt", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let (tweet, status) = lock(connection, id.number()).await?;
            let unknown = PostStatus::Unknown;
            if status.as_deref() != Some(unknown.name()) {
                return Ok(false);
            }
            let delivery: i64 = deliveries::table
                .filter(deliveries::post_id.eq(id.number()))
                .filter(deliveries::state.eq(DeliveryState::Unknown.name()))
                .select(deliveries::id)
                .first(connection)
                .await?;
            let done = match resolution {
                Resolution::Published { id: platform_id, url } => {
                    let found = (platform_id.as_str(), url.as_str());
                    record_published(connection, id.number(), delivery, found, actor, now).await?
                }
                Resolution::NotPublished => {
                    diesel::update(deliveries::table.find(delivery))
                        .set((
                            deliveries::state.eq(DeliveryState::Absent.name()),
                            deliveries::error.eq(format!("{actor} says that it did not go out")),
                        ))
                        .execute(connection)
                        .await?;
                    let reason = format!("{actor} says that it did not go out");
                    if let Some(tweet) = tweet {
                        note(connection, tweet, actor, now, format!("post {id}: {reason}")).await?;
                    }
                    let (failed, number) = (PostStatus::Failed, id.number());
                    stop(connection, number, failed, unknown, &reason, now.into()).await?
                }
            };
            transaction.commit().await?;
            Ok(done)
        })
        .await
    }
}
