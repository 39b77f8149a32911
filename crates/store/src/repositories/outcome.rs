//! Records the outcome of a delivery, as the platform or a person reports it.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde_json::{Map, Value};
use waggle_content::{DeliveryState, Platform, PostStatus, Recorded};
use waggle_kernel::ids::{GeneratedTweetId, PostId, Version};
use waggle_kernel::{ActorRef, event_time};
use waggle_twitter_n8n::{Action, HistoryAction, Status, tweet_event};

use super::{Conn, batch_status, events, locks, post_events};
use crate::error::StoreError;
use crate::run_query::RunQueryDsl;
use crate::schema::{deliveries, generated_tweets, posts, public_posts, twitter_posts};
use crate::types::Time;

/// States of deliveries whose outcome is not known yet.
pub(super) const OPEN: [&str; 2] = ["in_flight", "unknown"];

/// Whether a post is for a platform that this build knows.
///
/// Nearly all posts are of one platform. The expression keeps SQLite from reading them by the index
/// of the platform and sorting them, in place of reading the first ones in the order of another.
pub(super) fn of_known_platforms() -> SqlLiteral<Bool> {
    let names = Platform::ALL.map(|platform| format!("'{}'", platform.name()));
    sql(&format!("(posts.platform || '') IN ({})", names.join(", ")))
}

/// The generated tweet that a post was made from.
pub(super) async fn tweet_of(connection: &mut Conn, post: i64) -> QueryResult<Option<i64>> {
    twitter_posts::table
        .find(post)
        .select(twitter_posts::generated_tweet_id)
        .first::<Option<i64>>(connection)
        .await
        .optional()
        .map(Option::flatten)
}

/// The ids under which a post is known to be public, oldest first.
async fn public_ids(connection: &mut Conn, post: i64) -> QueryResult<Vec<String>> {
    public_posts::table
        .filter(public_posts::post_id.eq(post))
        .order((public_posts::found_at, public_posts::platform_post_id))
        .select(public_posts::platform_post_id)
        .load(connection)
        .await
}

/// Assigns the platform's id to the post. If another post holds the id, returns that post.
pub(super) async fn take_id(
    connection: &mut Conn,
    post: i64,
    platform: &str,
    (platform_id, url): (&str, &str),
    now: DateTime<Utc>,
) -> QueryResult<Option<i64>> {
    diesel::insert_into(public_posts::table)
        .values((
            public_posts::platform.eq(platform),
            public_posts::platform_post_id.eq(platform_id),
            public_posts::post_id.eq(post),
            public_posts::url.eq(url),
            public_posts::found_at.eq(Time::from(now)),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    let holder: i64 = public_posts::table
        .find((platform, platform_id))
        .select(public_posts::post_id)
        .first(connection)
        .await?;
    Ok((holder != post).then_some(holder))
}

/// Marks the post as published, unless it is, under the same address, and the tweet that it was
/// made from as posted.
pub(super) async fn mark_published(
    connection: &mut Conn,
    post: i64,
    tweet: Option<i64>,
    (platform_id, url): (&str, &str),
    by: &ActorRef,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let marked = diesel::update(posts::table.find(post))
        .filter(
            posts::status
                .ne(PostStatus::Published.name())
                .or(posts::platform_post_id.ne(platform_id))
                .or(posts::url.ne(url)),
        )
        .set((
            posts::status.eq(PostStatus::Published.name()),
            posts::published_time.eq(Time::from(now)),
            posts::platform_post_id.eq(platform_id),
            posts::url.eq(url),
            posts::due_at.eq(None::<Time>),
            posts::is_held.eq(false),
            posts::last_error.eq(None::<String>),
            posts::updated_at.eq(Time::from(now)),
            posts::version.eq(posts::version + 1),
        ))
        .execute(connection)
        .await?;
    if marked > 0 {
        post_events::write_reached(connection, &[post], by, now).await?;
    }
    let Some(tweet) = tweet else { return Ok(()) };
    let moved: Option<(i64, i64)> = diesel::update(generated_tweets::table.find(tweet))
        .filter(generated_tweets::status.eq(Status::Approved.name()))
        .set((
            generated_tweets::status.eq(Status::Posted.name()),
            generated_tweets::published_at.eq(Time::from(now)),
            generated_tweets::x_com_post_id.eq(platform_id),
            generated_tweets::updated_at.eq(Time::from(now)),
            generated_tweets::version.eq(generated_tweets::version + 1),
        ))
        .returning((generated_tweets::campaign_batch_id, generated_tweets::version))
        .get_result(connection)
        .await
        .optional()?;
    if let Some((batch, version)) = moved {
        let note = format!("post {post} was published as {platform_id}");
        let event = tweet_event(
            HistoryAction::Moved(Action::Publish),
            GeneratedTweetId::new(tweet),
            by,
            now,
            (Status::Approved, Status::Posted),
            Some(note),
        )
        .with_version(Version::new(version))
        .with_difference(
            state(Status::Approved, None, None),
            &state(Status::Posted, Some(now), Some(platform_id)),
        );
        events::write(connection, &[event]).await?;
        batch_status::refresh(connection, batch).await?;
    }
    Ok(())
}

/// The part of the state of a tweet that publishing changes, as its events tell it.
fn state(
    status: Status,
    published_at: Option<DateTime<Utc>>,
    x_com_post_id: Option<&str>,
) -> Map<String, Value> {
    Map::from_iter([
        ("status".to_owned(), status.name().into()),
        ("published_at".to_owned(), published_at.map(event_time).into()),
        ("x_com_post_id".to_owned(), x_com_post_id.into()),
    ])
}

/// Asks a person to resolve a post whose outcome is not clear.
async fn ask(
    connection: &mut Conn,
    post: i64,
    reason: &str,
    by: &ActorRef,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    stop(connection, post, PostStatus::Unknown, reason, by, now).await
}

/// Locks a post and the tweet that it was made from, and returns the tweet.
pub(super) async fn lock(connection: &mut Conn, post: i64) -> QueryResult<Option<i64>> {
    let tweet = tweet_of(connection, post).await?;
    if let Some(tweet) = tweet {
        locks::lock_tweet(connection, tweet).await?;
    }
    locks::lock_post(connection, post).await?;
    Ok(tweet)
}

/// Records that a post is public, regardless of who found out and of how its delivery was settled
/// meanwhile.
pub(super) async fn record_published(
    connection: &mut Conn,
    (post, delivery): (i64, i64),
    (platform_id, url): (&str, &str),
    by: &ActorRef,
    now: DateTime<Utc>,
) -> Result<Recorded, StoreError> {
    let tweet = lock(connection, post).await?;
    let (state, platform): (String, String) = deliveries::table
        .find(delivery)
        .select((deliveries::state, deliveries::platform))
        .first(connection)
        .await?;
    let is_open = OPEN.contains(&state.as_str());
    let found = (platform_id, url);
    if let Some(holder) = take_id(connection, post, &platform, found, now).await? {
        let reason = format!("the platform's id {platform_id} belongs to post {holder}");
        settle_delivery(connection, delivery, DeliveryState::Unknown, &reason, now.into()).await?;
        ask(connection, post, &reason, by, now).await?;
        let id = platform_id.to_owned();
        return Ok(Recorded::IdTaken { id, by: PostId::new(holder) });
    }
    let after = if is_open { DeliveryState::Published } else { DeliveryState::AlsoPublished };
    diesel::update(deliveries::table.find(delivery))
        .filter(deliveries::state.ne(DeliveryState::Published.name()))
        .set((
            deliveries::state.eq(after.name()),
            deliveries::settled_at.eq(Time::from(now)),
            deliveries::platform_post_id.eq(platform_id),
            deliveries::error.eq(None::<String>),
        ))
        .execute(connection)
        .await?;
    let ids = public_ids(connection, post).await?;
    if ids.len() > 1 {
        let reason = format!(
            "the post is public more than once, as {}: delete all but one on the platform, then \
             resolve the post",
            ids.join(" and ")
        );
        ask(connection, post, &reason, by, now).await?;
        return Ok(Recorded::PublicTwice { ids });
    }
    let another_is_open = diesel::select(diesel::dsl::exists(
        deliveries::table
            .filter(deliveries::post_id.eq(post))
            .filter(deliveries::state.eq_any(OPEN)),
    ))
    .get_result::<bool>(connection)
    .await?;
    if !another_is_open {
        mark_published(connection, post, tweet, found, by, now).await?;
    }
    // An attempt that is in progress must end first. Only then is it clear whether the post is
    // public twice.
    Ok(if is_open {
        Recorded::AsDecided
    } else {
        Recorded::PublicBefore { id: platform_id.to_owned() }
    })
}

pub(super) async fn settle_delivery(
    connection: &mut Conn,
    delivery: i64,
    state: DeliveryState,
    reason: &str,
    now: Time,
) -> QueryResult<bool> {
    diesel::update(deliveries::table.find(delivery))
        .filter(deliveries::state.eq_any(OPEN))
        .set((
            deliveries::state.eq(state.name()),
            deliveries::settled_at.eq(now),
            deliveries::error.eq(reason),
        ))
        .execute(connection)
        .await
        .map(|settled| settled > 0)
}

/// Settles the open delivery of a post as unknown. Returns whether there was one.
pub(super) async fn settle_open_as_unknown(
    connection: &mut Conn,
    post: i64,
    reason: &str,
    now: Time,
) -> QueryResult<bool> {
    let open: Option<i64> = deliveries::table
        .filter(deliveries::post_id.eq(post))
        .filter(deliveries::state.eq_any(OPEN))
        .select(deliveries::id)
        .first(connection)
        .await
        .optional()?;
    let Some(delivery) = open else { return Ok(false) };
    settle_delivery(connection, delivery, DeliveryState::Unknown, reason, now).await?;
    Ok(true)
}

/// Removes a post from the queue.
pub(super) async fn stop(
    connection: &mut Conn,
    post: i64,
    status: PostStatus,
    reason: &str,
    by: &ActorRef,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::update(posts::table.find(post))
        .set((
            posts::status.eq(status.name()),
            posts::due_at.eq(None::<Time>),
            posts::is_held.eq(false),
            posts::last_error.eq(reason),
            posts::updated_at.eq(Time::from(now)),
            posts::version.eq(posts::version + 1),
        ))
        .execute(connection)
        .await?;
    post_events::write_reached(connection, &[post], by, now).await
}
