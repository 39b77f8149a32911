//! Removes notifications of matters that do not stand any more.

use std::collections::{BTreeMap, BTreeSet};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use waggle_content::{Platform, PostStatus};
use waggle_notifications::{Kind, Step};
use waggle_twitter_n8n::Status;

use super::super::Conn;
use super::super::generated_tweets::WAITING;
use super::super::posts::held;
use super::rows::names;
use crate::run_query::RunQueryDsl;
use crate::schema::{
    campaign_batches, generated_tweets, notifications, posts, source_tweets, twitter_posts,
};

/// The maximum number of objects that a statement names.
const MOST_NAMED: usize = 500;

/// Which matters stand, of objects that changed.
#[derive(Default)]
struct Standing {
    /// The status of each post, and whether its tweet is still approved.
    posts: BTreeMap<i64, (String, bool)>,
    tweets: BTreeSet<i64>,
    batches: BTreeSet<i64>,
    platforms: BTreeSet<String>,
    has_lapsed: bool,
}

impl Standing {
    fn has(&self, kind: Kind, object: &str) -> bool {
        let id = || object.parse().unwrap_or_default();
        // Nobody has to do anything about a post that is not public, if its tweet is not approved.
        let is = |wanted: PostStatus, needs_tweet: bool| {
            self.posts.get(&id()).is_some_and(|(status, is_approved)| {
                status == wanted.name() && (*is_approved || !needs_tweet)
            })
        };
        match kind {
            Kind::BatchArrived => self.batches.contains(&id()),
            Kind::DecisionRequested => self.tweets.contains(&id()),
            Kind::PostFailed => is(PostStatus::Failed, true),
            Kind::PostUnknown => is(PostStatus::Unknown, false),
            Kind::PostMissed => is(PostStatus::Missed, true),
            Kind::PostsHeld => self.platforms.contains(object),
            Kind::SourceTweetsLapsed => self.has_lapsed,
        }
    }
}

async fn standing(connection: &mut Conn, open: &BTreeSet<Open>) -> QueryResult<Standing> {
    let ids = |kinds: &[Kind]| -> Vec<i64> {
        let of = open.iter().filter(|open| kinds.contains(&open.kind));
        of.filter_map(|open| open.object.parse().ok()).collect()
    };
    let is_any = |kind: Kind| open.iter().any(|open| open.kind == kind);
    // In batches that are not archived.
    let waiting = || {
        generated_tweets::table
            .inner_join(campaign_batches::table)
            .filter(campaign_batches::deleted_at.is_null())
            .filter(sql::<Bool>(WAITING))
    };
    let mut standing = Standing::default();
    for chunk in ids(&[Kind::PostFailed, Kind::PostUnknown, Kind::PostMissed]).chunks(MOST_NAMED) {
        let rows: Vec<(i64, String, Option<String>)> = posts::table
            .left_join(
                twitter_posts::table.left_join(
                    generated_tweets::table
                        .on(generated_tweets::id.nullable().eq(twitter_posts::generated_tweet_id)),
                ),
            )
            .filter(posts::id.eq_any(chunk))
            .select((posts::id, posts::status, generated_tweets::status.nullable()))
            .load(connection)
            .await?;
        standing.posts.extend(rows.into_iter().map(|(id, status, tweet)| {
            let is_approved = tweet.is_none_or(|status| status == Status::Approved.name());
            (id, (status, is_approved))
        }));
    }
    for chunk in ids(&[Kind::DecisionRequested]).chunks(MOST_NAMED) {
        let rows: Vec<i64> = waiting()
            .filter(generated_tweets::id.eq_any(chunk))
            .select(generated_tweets::id)
            .load(connection)
            .await?;
        standing.tweets.extend(rows);
    }
    for chunk in ids(&[Kind::BatchArrived]).chunks(MOST_NAMED) {
        let rows: Vec<i64> = waiting()
            .filter(generated_tweets::campaign_batch_id.eq_any(chunk))
            .select(generated_tweets::campaign_batch_id)
            .distinct()
            .load(connection)
            .await?;
        standing.batches.extend(rows);
    }
    if is_any(Kind::PostsHeld) {
        let query = || posts::table.select(posts::platform).distinct();
        let rows: Vec<String> = query().filter(held()).load(connection).await?;
        standing.platforms.extend(rows);
        // While a held post is tried again, it is not held.
        let publishing = posts::status.eq(PostStatus::Publishing.name());
        let rows: Vec<String> = query().filter(publishing).load(connection).await?;
        standing.platforms.extend(rows);
    }
    if is_any(Kind::SourceTweetsLapsed) {
        let row: Option<i64> = source_tweets::table
            .filter(source_tweets::lapsed_at.is_not_null())
            .filter(source_tweets::lease.is_not_null())
            .filter(source_tweets::is_processed.eq(false))
            .select(source_tweets::id)
            .first(connection)
            .await
            .optional()?;
        standing.has_lapsed = row.is_some();
    }
    Ok(standing)
}

/// A matter of which somebody has a notification.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Open {
    kind: Kind,
    object: String,
}

/// The matters that are open, of the objects of a step.
async fn open(connection: &mut Conn, step: &Step) -> QueryResult<BTreeSet<Open>> {
    let mut objects: BTreeMap<&[Kind], BTreeSet<String>> = BTreeMap::new();
    let texts = |ids: &BTreeSet<i64>| ids.iter().map(ToString::to_string).collect();
    let mut of_posts: BTreeSet<String> = texts(&step.posts);
    // Their posts need nobody, if these tweets are no longer approved.
    let of_tweets: Vec<i64> = twitter_posts::table
        .filter(twitter_posts::generated_tweet_id.eq_any(&step.tweets))
        .select(twitter_posts::post_id)
        .load(connection)
        .await?;
    of_posts.extend(of_tweets.iter().map(ToString::to_string));
    objects.insert(&[Kind::PostFailed, Kind::PostUnknown, Kind::PostMissed], of_posts);
    objects.insert(&[Kind::DecisionRequested], texts(&step.tweets));
    objects.insert(&[Kind::BatchArrived], texts(&step.batches));
    if !step.posts.is_empty() {
        // A post may have moved from any platform.
        let platforms = Platform::ALL.map(|platform| platform.name().to_owned());
        objects.insert(&[Kind::PostsHeld], platforms.into());
    }
    if step.has_source_tweets {
        objects.insert(&[Kind::SourceTweetsLapsed], BTreeSet::from([String::new()]));
    }
    let mut rows: Vec<(String, String)> = Vec::new();
    for (kinds, objects) in objects.into_iter().filter(|(_, objects)| !objects.is_empty()) {
        let found: Vec<(String, String)> = notifications::table
            .filter(notifications::kind.eq_any(names(kinds)))
            .filter(notifications::object_id.eq_any(objects))
            .select((notifications::kind, notifications::object_id))
            .distinct()
            .load(connection)
            .await?;
        rows.extend(found);
    }
    if !step.whole_batches.is_empty() {
        let found: Vec<(String, String)> = notifications::table
            .filter(notifications::batch_id.eq_any(&step.whole_batches))
            .select((notifications::kind, notifications::object_id))
            .distinct()
            .load(connection)
            .await?;
        rows.extend(found);
    }
    let known = rows.into_iter().filter_map(|(kind, object)| {
        // A kind that this version does not know stays.
        Some(Open { kind: kind.parse().ok()?, object })
    });
    Ok(known.collect())
}

/// Removes the notifications of matters.
pub(super) async fn remove(
    connection: &mut Conn,
    matters: &BTreeMap<Kind, BTreeSet<String>>,
) -> QueryResult<()> {
    for (kind, objects) in matters {
        let objects: Vec<&String> = objects.iter().collect();
        for chunk in objects.chunks(MOST_NAMED) {
            diesel::delete(notifications::table)
                .filter(notifications::kind.eq(kind.name()))
                .filter(notifications::object_id.eq_any(chunk.iter().copied()))
                .execute(connection)
                .await?;
        }
    }
    Ok(())
}

/// Removes the notifications of matters of the objects of a step that do not stand any more.
pub(super) async fn settle(connection: &mut Conn, step: &Step) -> QueryResult<()> {
    let open = open(connection, step).await?;
    if open.is_empty() {
        return Ok(());
    }
    let standing = standing(connection, &open).await?;
    let mut settled: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for Open { kind, object } in open {
        if !standing.has(kind, &object) {
            settled.entry(kind).or_default().insert(object);
        }
    }
    remove(connection, &settled).await
}
