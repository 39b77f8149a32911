//! Posts, as people see and change them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, exists, not, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde_json::Value;
use waggle_content::ports::{Ledger as _, PostRepository};
use waggle_content::{
    Backlog, Changed, Delivery, DeliveryState, Marker, Metrics, Platform, Post, PostFilter,
    PostStatus, Prepared, PublicAddress, Recorded, Resolution, TwitterDetails,
};
use waggle_kernel::ids::{CampaignBatchId, DeliveryId, GeneratedTweetId, PostId, Version};
use waggle_kernel::{ActorRef, Cursor, Direction, Limit, Page, PageRequest, PortError};
use waggle_twitter_n8n::{HistoryAction, Status, tweet_event};

use super::generated_tweets::touch;
use super::outcome::{lock, mark_published, of_known_platforms, record_published, stop, take_id};
use super::{Conn, Db, Repositories, columns, cursor_time, dialect, events, keyset, one_more};
use crate::error::{StoreError, column, during};
use crate::run_query::RunQueryDsl;
use crate::schema::{deliveries, posts, public_posts, twitter_posts};
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
    is_held: bool,
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
            is_held: row.is_held,
            public: Vec::new(),
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
    marker: Option<String>,
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
                marker: row.marker.map(Marker),
            },
            started_at: row.started_at.into(),
            settled_at: row.settled_at.map(Into::into),
            platform_post_id: row.platform_post_id,
            error: row.error,
            looks: u32::try_from(row.looks).unwrap_or(u32::MAX),
        })
    }
}

/// The posts that wait for the owner of their account.
pub(super) fn held() -> SqlLiteral<Bool> {
    sql(dialect::HELD)
}

/// Adds its public addresses to each of the posts, in one query.
async fn add_public(connection: &mut Conn, found: &mut [Post]) -> QueryResult<()> {
    let ids: Vec<i64> = found.iter().map(|post| post.id.number()).collect();
    let rows: Vec<(i64, String, String)> = public_posts::table
        .filter(public_posts::post_id.eq_any(ids))
        .order((public_posts::found_at, public_posts::platform_post_id))
        .select((public_posts::post_id, public_posts::platform_post_id, public_posts::url))
        .load(connection)
        .await?;
    for (id, platform_post_id, url) in rows {
        if let Some(post) = found.iter_mut().find(|post| post.id.number() == id) {
            post.public.push(PublicAddress { platform_post_id, url });
        }
    }
    Ok(())
}

/// The posts of these rows, with their public addresses.
async fn whole(
    connection: &mut Conn,
    rows: Vec<(Row, Option<TwitterRow>)>,
) -> Result<Vec<Post>, StoreError> {
    let posts = rows.into_iter().map(|(row, twitter)| row.with(twitter));
    let mut found = posts.collect::<Result<Vec<_>, _>>()?;
    add_public(connection, &mut found).await?;
    Ok(found)
}

/// The status and platform of a locked post, if it has the version that the caller saw.
async fn seen(
    connection: &mut Conn,
    post: i64,
    expected: Option<Version>,
) -> QueryResult<Option<(String, String)>> {
    let row: Option<(String, String, i64)> = posts::table
        .find(post)
        .select((posts::status, posts::platform, posts::version))
        .first(connection)
        .await
        .optional()?;
    Ok(row
        .filter(|(_, _, version)| expected.is_none_or(|expected| expected.number() == *version))
        .map(|(status, platform, _)| (status, platform)))
}

/// Increases the version of a tweet whose post left the queue, so that a later request to publish
/// the earlier version is rejected as stale.
pub(super) async fn leave_queue(
    connection: &mut Conn,
    tweet: i64,
    by: &ActorRef,
    now: DateTime<Utc>,
    note: String,
) -> QueryResult<()> {
    let version = touch(connection, tweet, now.into()).await?;
    let (id, statuses) = (GeneratedTweetId::new(tweet), (Status::Approved, Status::Approved));
    let event = tweet_event(HistoryAction::Cancelled, id, by, now, statuses, Some(note));
    events::write(connection, &[event.with_version(version)]).await
}

#[async_trait]
impl PostRepository for Repositories {
    async fn find(&self, id: PostId) -> Result<Option<Post>, PortError> {
        during("finding a post", async {
            let mut connection = self.pools.read().await?;
            let row: Option<(Row, Option<TwitterRow>)> = posts::table
                .left_join(twitter_posts::table)
                .filter(posts::id.eq(id.number()))
                .filter(of_known_platforms())
                .select((columns::<Row>(), columns::<Option<TwitterRow>>()))
                .first(&mut connection)
                .await
                .optional()?;
            Ok(whole(&mut connection, row.into_iter().collect()).await?.pop())
        })
        .await
    }

    async fn list(&self, filter: &PostFilter, page: PageRequest) -> Result<Page<Post>, PortError> {
        use posts::{created_at, id};
        during("listing posts", async {
            let mut query = posts::table
                .left_join(twitter_posts::table)
                .select((columns::<Row>(), columns::<Option<TwitterRow>>()))
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
            query = match filter.is_held {
                // These are few, and their index begins with the platform.
                Some(true) => {
                    let known = Platform::ALL.map(Platform::name);
                    query.filter(held()).filter(posts::platform.eq_any(known))
                }
                Some(false) => query.filter(not(held())).filter(of_known_platforms()),
                None => query.filter(of_known_platforms()),
            };
            let query =
                keyset!(query, created_at, cursor_time, id, Direction::Descending, page.after);
            let mut connection = self.pools.read().await?;
            let rows = query.limit(one_more(page.limit)).load(&mut connection).await?;
            let found = whole(&mut connection, rows).await?;
            Ok(Page::from_one_more(found, page.limit, |post| Cursor {
                sort_value: post.created_at.timestamp_micros(),
                id: post.id.number(),
            }))
        })
        .await
    }

    async fn of_tweets(&self, tweets: &[GeneratedTweetId]) -> Result<Vec<Post>, PortError> {
        if tweets.is_empty() {
            return Ok(Vec::new());
        }
        during("finding the posts of tweets", async {
            let numbers: Vec<i64> = tweets.iter().map(|tweet| tweet.number()).collect();
            let mut connection = self.pools.read().await?;
            let rows = posts::table
                .left_join(twitter_posts::table)
                .filter(of_known_platforms())
                .filter(twitter_posts::generated_tweet_id.assume_not_null().eq_any(numbers))
                .select((columns::<Row>(), columns::<Option<TwitterRow>>()))
                .load(&mut connection)
                .await?;
            whole(&mut connection, rows).await
        })
        .await
    }

    async fn upcoming(&self, most: Limit) -> Result<Vec<Post>, PortError> {
        during("finding the next posts", async {
            let mut connection = self.pools.read().await?;
            let rows = posts::table
                .left_join(twitter_posts::table)
                .filter(posts::due_at.is_not_null())
                .filter(not(held()))
                .filter(of_known_platforms())
                .order((posts::due_at, posts::id))
                .limit(i64::from(most.rows()))
                .select((columns::<Row>(), columns::<Option<TwitterRow>>()))
                .load(&mut connection)
                .await?;
            whole(&mut connection, rows).await
        })
        .await
    }

    async fn backlog(&self) -> Result<Backlog, PortError> {
        let counted = during("counting posts", async {
            let mut connection = self.pools.read().await?;
            let ended = [PostStatus::Published, PostStatus::Cancelled];
            let open = PostStatus::ALL.into_iter().filter(|status| !ended.contains(status));
            let counts: Vec<(String, i64)> = posts::table
                .filter(posts::status.eq_any(open.map(PostStatus::name)))
                .group_by(posts::status)
                .select((posts::status, count_star()))
                .load(&mut connection)
                .await?;
            // To group them, SQLite would read all posts by their status. These are few.
            let held: Vec<String> =
                posts::table.filter(held()).select(posts::status).load(&mut connection).await?;
            drop(connection);
            let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            let of = |status: PostStatus| {
                let found = counts.iter().find(|(name, _)| name == status.name());
                let held = held.iter().filter(|name| *name == status.name()).count();
                // A post may be held between the two queries.
                (found.map_or(0, |(_, count)| *count) - number(held)).max(0)
            };
            Ok(Backlog {
                scheduled: of(PostStatus::Scheduled),
                publishing: of(PostStatus::Publishing),
                held: number(held.len()),
                unknown: of(PostStatus::Unknown),
                missed: of(PostStatus::Missed),
                failed: of(PostStatus::Failed),
                next_due: None,
            })
        })
        .await?;
        // The worker looks for the same.
        Ok(Backlog { next_due: self.next_due().await?, ..counted })
    }

    async fn needs_person(&self) -> Result<bool, PortError> {
        during("looking for posts that need a person", async {
            let mut connection = self.pools.read().await?;
            let undecided = [PostStatus::Unknown.name(), PostStatus::Missed.name()];
            let undecided = posts::table.filter(posts::status.eq_any(undecided));
            let query = exists(undecided).or(exists(posts::table.filter(held())));
            Ok(diesel::select(query).get_result(&mut connection).await?)
        })
        .await
    }

    async fn deliveries(&self, ids: &[PostId]) -> Result<Vec<Delivery>, PortError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        during("listing deliveries", async {
            let numbers: Vec<i64> = ids.iter().map(|id| id.number()).collect();
            let mut connection = self.pools.read().await?;
            let rows: Vec<DeliveryRow> = deliveries::table
                .filter(deliveries::post_id.eq_any(numbers))
                .order((deliveries::post_id, deliveries::attempt))
                .limit(1_000)
                .select(columns::<DeliveryRow>())
                .load(&mut connection)
                .await?;
            rows.into_iter().map(TryInto::try_into).collect()
        })
        .await
    }

    async fn cancel(
        &self,
        id: PostId,
        expected: Option<Version>,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Changed, PortError> {
        during("cancelling a post", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let number = id.number();
            let tweet = lock(connection, number).await?;
            let Some((status, _)) = seen(connection, number, expected).await? else {
                return Ok(Changed::Stale);
            };
            if status != PostStatus::Scheduled.name() {
                return Ok(Changed::NotAllowed);
            }
            let reason = format!("cancelled by {}", by.shown);
            stop(connection, number, PostStatus::Cancelled, &reason, by, now).await?;
            if let Some(tweet) = tweet {
                let note = format!("post {id} was removed from the queue");
                leave_queue(connection, tweet, by, now, note).await?;
            }
            transaction.commit().await?;
            Ok(Changed::Done)
        })
        .await
    }

    async fn resolve(
        &self,
        id: PostId,
        expected: Option<Version>,
        resolution: &Resolution,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Changed, PortError> {
        during("resolving an unknown outcome", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let number = id.number();
            let tweet = lock(connection, number).await?;
            let Some((status, platform)) = seen(connection, number, expected).await? else {
                return Ok(Changed::Stale);
            };
            if status != PostStatus::Unknown.name() {
                return Ok(Changed::NotAllowed);
            }
            let delivery: Option<i64> = deliveries::table
                .filter(deliveries::post_id.eq(number))
                .filter(deliveries::state.eq(DeliveryState::Unknown.name()))
                .select(deliveries::id)
                .first(connection)
                .await
                .optional()?;
            match resolution {
                Resolution::Published { id: platform_id, url } => {
                    let found = (platform_id.as_str(), url.as_str());
                    if let Some(delivery) = delivery {
                        let of = (number, delivery);
                        let recorded = record_published(connection, of, found, by, now).await?;
                        if let Recorded::IdTaken { by, .. } = recorded {
                            return Ok(Changed::Taken(by));
                        }
                    } else if let Some(holder) =
                        take_id(connection, number, &platform, found, now).await?
                    {
                        return Ok(Changed::Taken(PostId::new(holder)));
                    }
                    // If there were several, a person has chosen the one that counts.
                    mark_published(connection, number, tweet, found, by, now).await?;
                }
                Resolution::NotPublished => {
                    let reason = format!("{} reported that it was not published", by.shown);
                    if let Some(delivery) = delivery {
                        diesel::update(deliveries::table.find(delivery))
                            .set((
                                deliveries::state.eq(DeliveryState::Absent.name()),
                                deliveries::error.eq(&reason),
                            ))
                            .execute(connection)
                            .await?;
                    }
                    if let Some(tweet) = tweet {
                        let note = format!("post {id}: {reason}");
                        leave_queue(connection, tweet, by, now, note).await?;
                    }
                    stop(connection, number, PostStatus::Failed, &reason, by, now).await?;
                }
            }
            transaction.commit().await?;
            Ok(Changed::Done)
        })
        .await
    }
}
