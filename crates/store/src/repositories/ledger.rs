//! The ledger of publishing.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use waggle_content::ports::{ClaimRequest, Ledger, LedgerError};
use waggle_content::{
    Claimed, DeliveryState, OpenDelivery, PostStatus, Prepared, PublishablePost, Settlement,
};
use waggle_kernel::ids::{DeliveryId, PostId};
use waggle_kernel::{PortError, Publication};
use waggle_twitter_n8n::{Action, HistoryAction, NewHistoryEntry, Status};

use super::generated_tweets::write_history;
use super::{Conn, Repositories, batch_status, dialect};
use crate::error::{StoreError, column, during, is_unique_violation};
use crate::schema::{deliveries, generated_tweets, posts, twitter_posts};
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = posts)]
struct PostRow {
    id: i64,
    platform: String,
    content: String,
    approved_hash: String,
    fence: i64,
    attempts: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries)]
struct DoubtRow {
    id: i64,
    post_id: i64,
    state: String,
    platform: String,
    channel: String,
    key: String,
    request: Value,
    hash: String,
    started_at: Time,
    looks: i64,
    absences: i64,
}

/// Attempts whose end is not known, or was not at some time.
const IN_DOUBT: [&str; 3] = ["in_flight", "unknown", "absent"];
const OPEN: [&str; 2] = ["in_flight", "unknown"];

impl DoubtRow {
    fn is_open(&self) -> bool {
        OPEN.contains(&self.state.as_str())
    }

    fn open(self, first_doubt_at: DateTime<Utc>) -> Result<OpenDelivery, StoreError> {
        Ok(OpenDelivery {
            id: DeliveryId::new(self.id),
            prepared: Prepared {
                platform: self.platform.parse().map_err(column("deliveries.platform"))?,
                channel: self.channel,
                key: self.key,
                request: self.request,
                hash: self.hash.parse().map_err(column("deliveries.hash"))?,
            },
            started_at: self.started_at.into(),
            first_doubt_at,
            looks: u32::try_from(self.looks).unwrap_or(u32::MAX),
            absences: u32::try_from(self.absences).unwrap_or(u32::MAX),
        })
    }
}

fn claimed(
    row: PostRow,
    doubts: Vec<DoubtRow>,
    lease_until: DateTime<Utc>,
) -> Result<Claimed, StoreError> {
    let first_doubt_at = doubts.iter().map(|doubt| doubt.started_at).min().map(|time| time.0);
    let open = doubts
        .into_iter()
        .find(DoubtRow::is_open)
        .map(|doubt| {
            let started_at = doubt.started_at.0;
            doubt.open(first_doubt_at.unwrap_or(started_at))
        })
        .transpose()?;
    Ok(Claimed {
        post: PublishablePost {
            id: PostId::new(row.id),
            platform: row.platform.parse().map_err(column("posts.platform"))?,
            publication: Publication::of_text(row.content),
            approved_hash: row.approved_hash.parse().map_err(column("posts.approved_hash"))?,
        },
        fence: row.fence,
        lease_until,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        open,
        first_doubt_at,
    })
}

async fn mark_missed(connection: &mut Conn, before: Time, now: Time) -> QueryResult<()> {
    diesel::update(posts::table)
        .filter(posts::due_at.lt(before))
        .filter(posts::status.eq(PostStatus::Scheduled.name()))
        .set((
            posts::status.eq(PostStatus::Missed.name()),
            posts::due_at.eq(None::<Time>),
            posts::last_error.eq("nothing was running when it was due; queue it again to publish"),
            posts::updated_at.eq(now),
            posts::version.eq(posts::version + 1),
        ))
        .execute(connection)
        .await
        .map(drop)
}

/// The generated tweet that a post was made from.
async fn tweet_of(connection: &mut Conn, post: i64) -> QueryResult<Option<i64>> {
    twitter_posts::table
        .find(post)
        .select(twitter_posts::generated_tweet_id)
        .first::<Option<i64>>(connection)
        .await
        .optional()
        .map(Option::flatten)
}

/// Writes down that a post is public, whoever has it in hand; `false` if the delivery is settled already.
pub(super) async fn record_published(
    connection: &mut Conn,
    post: i64,
    delivery: i64,
    (platform_id, url): (&str, &str),
    actor: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let tweet = tweet_of(connection, post).await?;
    if let Some(tweet) = tweet {
        dialect::lock_tweet(connection, tweet).await?;
        dialect::lock_post_of_tweet(connection, tweet).await?;
    }
    let settled = diesel::update(deliveries::table.find(delivery))
        .filter(deliveries::state.eq_any(OPEN))
        .set((
            deliveries::state.eq(DeliveryState::Published.name()),
            deliveries::settled_at.eq(Time::from(now)),
            deliveries::platform_post_id.eq(platform_id),
            deliveries::error.eq(None::<String>),
        ))
        .execute(connection)
        .await?;
    if settled == 0 {
        return Ok(false);
    }
    diesel::update(posts::table.find(post))
        .set((
            posts::status.eq(PostStatus::Published.name()),
            posts::published_time.eq(Time::from(now)),
            posts::platform_post_id.eq(platform_id),
            posts::url.eq(url),
            posts::due_at.eq(None::<Time>),
            posts::last_error.eq(None::<String>),
            posts::updated_at.eq(Time::from(now)),
            posts::version.eq(posts::version + 1),
        ))
        .execute(connection)
        .await?;
    let Some(tweet) = tweet else { return Ok(true) };
    let batch: Option<i64> = diesel::update(generated_tweets::table.find(tweet))
        .filter(generated_tweets::status.eq(Status::Approved.name()))
        .set((
            generated_tweets::status.eq(Status::Posted.name()),
            generated_tweets::published_at.eq(Time::from(now)),
            generated_tweets::x_com_post_id.eq(platform_id),
            generated_tweets::updated_at.eq(Time::from(now)),
            generated_tweets::version.eq(generated_tweets::version + 1),
        ))
        .returning(generated_tweets::campaign_batch_id)
        .get_result(connection)
        .await
        .optional()?;
    if let Some(batch) = batch {
        let entry = NewHistoryEntry {
            action: HistoryAction::Moved(Action::Publish),
            actor: actor.to_owned(),
            at: now,
            from: Status::Approved,
            to: Status::Posted,
            content_before: None,
            content_after: None,
            note: Some(format!("post {post} is {platform_id}")),
        };
        write_history(connection, tweet, &entry).await?;
        batch_status::refresh(connection, batch).await?;
    }
    Ok(true)
}

/// What a settlement other than "published" makes of a post: its status, when it is due, and why.
struct Turn<'a> {
    status: PostStatus,
    due_at: Option<DateTime<Utc>>,
    reason: &'a str,
    delivery: DeliveryState,
    absent: bool,
}

impl<'a> Turn<'a> {
    fn of(settlement: &'a Settlement) -> Option<Self> {
        let turn = |status, due_at, reason, delivery| Self {
            status,
            due_at,
            reason,
            delivery,
            absent: false,
        };
        match settlement {
            Settlement::Published { .. } => None,
            Settlement::Retry { at, reason, state } => {
                Some(turn(PostStatus::Scheduled, Some(*at), reason, *state))
            }
            Settlement::Look { again_at, reason, absent } => Some(Self {
                absent: *absent,
                ..turn(PostStatus::Publishing, Some(*again_at), reason, DeliveryState::Unknown)
            }),
            Settlement::Failed { reason } => {
                Some(turn(PostStatus::Failed, None, reason, DeliveryState::Refused))
            }
            Settlement::Ask { reason } => {
                Some(turn(PostStatus::Unknown, None, reason, DeliveryState::Unknown))
            }
        }
    }
}

async fn record_turn(
    connection: &mut Conn,
    claimed: &Claimed,
    delivery: Option<DeliveryId>,
    turn: &Turn<'_>,
    now: Time,
) -> QueryResult<bool> {
    let reason: String = turn.reason.chars().take(1_000).collect();
    let written = diesel::update(posts::table.find(claimed.post.id.number()))
        .filter(posts::fence.eq(claimed.fence))
        .filter(posts::status.eq(PostStatus::Publishing.name()))
        .set((
            posts::status.eq(turn.status.name()),
            posts::due_at.eq(turn.due_at.map(Time::from)),
            posts::last_error.eq(&reason),
            posts::updated_at.eq(now),
            posts::version.eq(posts::version + 1),
        ))
        .execute(connection)
        .await?;
    if written == 0 {
        return Ok(false);
    }
    let Some(delivery) = delivery else { return Ok(true) };
    let looked = i64::from(claimed.open.is_some());
    let settled = diesel::update(deliveries::table.find(delivery.number()))
        .filter(deliveries::state.eq_any(OPEN))
        .set((
            deliveries::state.eq(turn.delivery.name()),
            deliveries::settled_at.eq(now),
            deliveries::error.eq(&reason),
            deliveries::looks.eq(deliveries::looks + looked),
            deliveries::absences.eq(deliveries::absences + i64::from(turn.absent)),
        ))
        .execute(connection)
        .await?;
    Ok(settled > 0)
}

async fn claim(connection: &mut Conn, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
    let now = Time::from(request.now);
    mark_missed(connection, request.missed_before.into(), now).await?;
    let ids = dialect::due_posts(connection, now, i64::from(request.most)).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: Vec<PostRow> = diesel::update(posts::table)
        .filter(posts::id.eq_any(&ids))
        .set((
            posts::status.eq(PostStatus::Publishing.name()),
            posts::due_at.eq(Time::from(request.lease_until)),
            posts::fence.eq(posts::fence + 1),
            posts::updated_at.eq(now),
            posts::version.eq(posts::version + 1),
        ))
        .returning(PostRow::as_select())
        .get_results(connection)
        .await?;
    let doubts: Vec<DoubtRow> = deliveries::table
        .filter(deliveries::post_id.eq_any(&ids))
        .filter(deliveries::state.eq_any(IN_DOUBT))
        .select(DoubtRow::as_select())
        .load(connection)
        .await?;
    let mut by_post: HashMap<i64, Vec<DoubtRow>> = HashMap::new();
    for doubt in doubts {
        by_post.entry(doubt.post_id).or_default().push(doubt);
    }
    rows.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
    rows.into_iter()
        .map(|row| {
            let doubts = by_post.remove(&row.id).unwrap_or_default();
            claimed(row, doubts, request.lease_until)
        })
        .collect()
}

/// The outer error is the store's, the inner one the ledger's.
async fn begin(
    connection: &mut Conn,
    claimed: &Claimed,
    prepared: &Prepared,
    now: Time,
    needed_until: Time,
) -> Result<Result<DeliveryId, LedgerError>, StoreError> {
    let post = claimed.post.id.number();
    let hash = prepared.hash.to_string();
    if let Some(tweet) = tweet_of(connection, post).await? {
        let approved = |(status, approved): (String, Option<String>)| {
            status == Status::Approved.name() && approved.as_ref() == Some(&hash)
        };
        if !dialect::lock_tweet(connection, tweet).await?.is_some_and(approved) {
            return Ok(Err(LedgerError::NotApproved));
        }
    }
    let held = diesel::update(posts::table.find(post))
        .filter(posts::fence.eq(claimed.fence))
        .filter(posts::status.eq(PostStatus::Publishing.name()))
        .filter(posts::due_at.gt(needed_until))
        .filter(posts::approved_hash.eq(&hash))
        .set(posts::attempts.eq(posts::attempts + 1))
        .execute(connection)
        .await?;
    if held == 0 {
        return Ok(Err(LedgerError::NotHeld));
    }
    let last: Option<i64> = deliveries::table
        .filter(deliveries::post_id.eq(post))
        .select(diesel::dsl::max(deliveries::attempt))
        .first(connection)
        .await?;
    let inserted = diesel::insert_into(deliveries::table)
        .values((
            deliveries::post_id.eq(post),
            deliveries::attempt.eq(last.unwrap_or(0) + 1),
            deliveries::state.eq(DeliveryState::InFlight.name()),
            deliveries::platform.eq(prepared.platform.name()),
            deliveries::channel.eq(&prepared.channel),
            deliveries::key.eq(&prepared.key),
            deliveries::request.eq(&prepared.request),
            deliveries::hash.eq(&hash),
            deliveries::started_at.eq(now),
        ))
        .returning(deliveries::id)
        .get_result::<i64>(connection)
        .await;
    match inserted {
        Ok(id) => Ok(Ok(DeliveryId::new(id))),
        Err(error) if is_unique_violation(&error) => Ok(Err(LedgerError::NotHeld)),
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl Ledger for Repositories {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, PortError> {
        during("claiming due posts", async {
            // Most of the time nothing is due, and the one writer need not be asked.
            let mut connection = self.pools.read().await?;
            let next: Option<Option<Time>> = posts::table
                .filter(posts::due_at.le(Time::from(request.now)))
                .order(posts::due_at)
                .select(posts::due_at)
                .first(&mut connection)
                .await
                .optional()?;
            drop(connection);
            if next.is_none() {
                return Ok(Vec::new());
            }
            let mut transaction = self.pools.write().await?;
            let claimed = claim(transaction.connection(), request).await?;
            transaction.commit().await?;
            Ok(claimed)
        })
        .await
    }

    async fn begin(
        &self,
        claimed: &Claimed,
        prepared: &Prepared,
        now: DateTime<Utc>,
        needed_until: DateTime<Utc>,
    ) -> Result<DeliveryId, LedgerError> {
        let result: Result<_, PortError> = during("beginning a delivery", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let result =
                begin(connection, claimed, prepared, now.into(), needed_until.into()).await?;
            // A refusal leaves the transaction to be rolled back.
            if result.is_ok() {
                transaction.commit().await?;
            }
            Ok(result)
        })
        .await;
        result?
    }

    async fn settle(
        &self,
        claimed: &Claimed,
        delivery: Option<DeliveryId>,
        settlement: &Settlement,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let written: Result<bool, PortError> = during("settling a delivery", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let written = match (settlement, Turn::of(settlement), delivery) {
                (Settlement::Published { id, url }, _, Some(delivery)) => {
                    let post = claimed.post.id.number();
                    let found = (id.as_str(), url.as_str());
                    record_published(connection, post, delivery.number(), found, "system", now)
                        .await?
                }
                (_, Some(turn), delivery) => {
                    record_turn(connection, claimed, delivery, &turn, now.into()).await?
                }
                (_, None, _) => false,
            };
            if written {
                transaction.commit().await?;
            }
            Ok(written)
        })
        .await;
        if written? { Ok(()) } else { Err(LedgerError::NotHeld) }
    }

    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, PortError> {
        during("finding the next due post", async {
            let mut connection = self.pools.read().await?;
            let next: Option<Option<Time>> = posts::table
                .filter(posts::due_at.is_not_null())
                .order(posts::due_at)
                .select(posts::due_at)
                .first(&mut connection)
                .await
                .optional()?;
            Ok(next.flatten().map(Into::into))
        })
        .await
    }
}
