//! The publishing ledger: leases of posts, and attempts to publish them.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;
use waggle_content::ports::{Ledger, LedgerError};
use waggle_content::{
    ClaimRequest, Claimed, ClaimedPosts, DeliveryState, EarlierAttempts, Looked, Marker,
    OpenDelivery, Ownership, Platform, PostStatus, Prepared, PublishablePost, Recorded, Settlement,
    Unreadable,
};
use waggle_kernel::ids::{DeliveryId, PostId};
use waggle_kernel::{PortError, Publication, error_chain};

use super::outcome::{
    OPEN, lock, mark_published, of_known_platforms, record_published, settle_delivery,
    settle_open_as_unknown, stop, tweet_of,
};
use super::post_events::write_reached;
use super::posts::held;
use super::readable::{Rows, readable};
use super::{Conn, Repositories, columns, locks, system};
use crate::error::{StoreError, column, during, is_unique_violation};
use crate::run_query::RunQueryDsl;
use crate::schema::{deliveries, posts, public_posts};
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = posts)]
struct PostRow {
    id: i64,
    platform: String,
    content: String,
    approved_hash: String,
    scheduled_time: Option<Time>,
    fence: i64,
    attempts: i64,
    round: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries)]
struct EarlierRow {
    id: i64,
    post_id: i64,
    round: i64,
    state: String,
    platform: String,
    channel: String,
    key: String,
    request: Value,
    hash: String,
    marker: Option<String>,
    started_at: Time,
    looks: i64,
    absences: i64,
}

/// The states of attempts that may have reached the platform, or once seemed to.
const MAY_HAVE_ARRIVED: [&str; 3] = ["in_flight", "unknown", "absent"];
/// The maximum length of a stored reason, in characters.
const MOST_REASON: usize = 1_000;

impl EarlierRow {
    fn is_open(&self) -> bool {
        OPEN.contains(&self.state.as_str())
    }
}

impl TryFrom<EarlierRow> for OpenDelivery {
    type Error = StoreError;

    fn try_from(row: EarlierRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: DeliveryId::new(row.id),
            prepared: Prepared {
                platform: row.platform.parse().map_err(column("deliveries.platform"))?,
                channel: row.channel,
                key: row.key,
                request: row.request,
                hash: row.hash.parse().map_err(column("deliveries.hash"))?,
                marker: row.marker.map(Marker),
            },
            started_at: row.started_at.into(),
            looks: u32::try_from(row.looks).unwrap_or(u32::MAX),
            absences: u32::try_from(row.absences).unwrap_or(u32::MAX),
        })
    }
}

/// The attempts of the current round that may have reached the platform, if there are any. An open
/// delivery belongs to the current round, whatever its own number is.
fn earlier(attempts: &[EarlierRow], round: i64) -> Option<EarlierAttempts> {
    let of_round = || attempts.iter().filter(|row| row.round == round || row.is_open());
    let first = of_round().min_by_key(|row| row.id)?;
    let is_known = of_round().all(|row| row.marker.is_some());
    Some(EarlierAttempts { since: first.marker.clone().filter(|_| is_known).map(Marker) })
}

fn claimed(
    row: PostRow,
    attempts: Vec<EarlierRow>,
    lease_until: DateTime<Utc>,
) -> Result<Claimed, StoreError> {
    let earlier = earlier(&attempts, row.round);
    let open = attempts.into_iter().find(EarlierRow::is_open).map(TryInto::try_into).transpose()?;
    Ok(Claimed {
        post: PublishablePost {
            id: PostId::new(row.id),
            platform: row.platform.parse().map_err(column("posts.platform"))?,
            publication: Publication::of_text(row.content),
            approved_hash: row.approved_hash.parse().map_err(column("posts.approved_hash"))?,
            scheduled_time: row.scheduled_time.map(Into::into),
        },
        fence: row.fence,
        lease_until,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        open,
        earlier,
    })
}

/// How a settlement other than "published" changes a post: its status, when it is due, and why.
struct Turn<'a> {
    status: PostStatus,
    due_at: Option<DateTime<Utc>>,
    reason: &'a str,
    delivery: DeliveryState,
    looked: Looked,
    is_held: bool,
}

impl<'a> Turn<'a> {
    fn of(settlement: &'a Settlement) -> Option<Self> {
        let turn = |status, due_at, reason, delivery| Self {
            status,
            due_at,
            reason,
            delivery,
            looked: Looked::Unanswered,
            is_held: false,
        };
        let not_sent = DeliveryState::NotSent;
        match settlement {
            Settlement::Published { .. } => None,
            Settlement::Retry { at, reason, state } => {
                Some(turn(PostStatus::Scheduled, Some(*at), reason, *state))
            }
            Settlement::Held { at, reason } => Some(Self {
                is_held: true,
                ..turn(PostStatus::Scheduled, Some(*at), reason, not_sent)
            }),
            Settlement::Look { again_at, reason, looked, is_held } => Some(Self {
                looked: *looked,
                is_held: *is_held,
                ..turn(PostStatus::Publishing, Some(*again_at), reason, DeliveryState::Unknown)
            }),
            Settlement::Failed { reason, state } => {
                Some(turn(PostStatus::Failed, None, reason, *state))
            }
            Settlement::Missed { reason } => Some(turn(PostStatus::Missed, None, reason, not_sent)),
            Settlement::Ask { reason } => {
                Some(turn(PostStatus::Unknown, None, reason, DeliveryState::Unknown))
            }
        }
    }
}

/// Records a settlement other than "published". Returns `None` if the lease is lost.
async fn record_turn(
    connection: &mut Conn,
    claimed: &Claimed,
    delivery: Option<DeliveryId>,
    turn: &Turn<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Recorded>, StoreError> {
    let post = claimed.post.id.number();
    let tweet = lock(connection, post).await?;
    let reason: String = turn.reason.chars().take(MOST_REASON).collect();
    // An attempt that failed because of the account does not count as an attempt of the post.
    let uncounted = i64::from(turn.is_held && delivery.is_some() && claimed.open.is_none());
    let written = diesel::update(posts::table.find(post))
        .filter(posts::fence.eq(claimed.fence))
        .filter(posts::status.eq(PostStatus::Publishing.name()))
        .set((
            posts::status.eq(turn.status.name()),
            posts::due_at.eq(turn.due_at.map(Time::from)),
            posts::is_held.eq(turn.is_held),
            posts::attempts.eq(posts::attempts - uncounted),
            posts::last_error.eq(&reason),
            posts::updated_at.eq(Time::from(now)),
            posts::version.eq(posts::version + 1),
        ))
        .execute(connection)
        .await?;
    if written == 0 {
        return Ok(None);
    }
    if let Some(delivery) = delivery.map(DeliveryId::number) {
        if !settle_delivery(connection, delivery, turn.delivery, &reason, now.into()).await? {
            return Ok(None);
        }
        let looked = i64::from(claimed.open.is_some() && turn.looked != Looked::NotAsked);
        let absent = i64::from(turn.looked == Looked::Absent);
        diesel::update(deliveries::table.find(delivery))
            .set((
                deliveries::looks.eq(deliveries::looks + looked),
                deliveries::absences.eq(deliveries::absences + absent),
            ))
            .execute(connection)
            .await?;
    }
    write_reached(connection, &[post], &system(), now).await?;
    let is_over = !matches!(turn.status, PostStatus::Publishing | PostStatus::Unknown);
    // Meanwhile, an earlier attempt may have turned out to be public.
    if is_over && let Some((id, url)) = public_address(connection, post).await? {
        mark_published(connection, post, tweet, (&id, &url), &system(), now).await?;
        return Ok(Some(Recorded::PublicBefore { id }));
    }
    Ok(Some(Recorded::AsDecided))
}

async fn public_address(connection: &mut Conn, post: i64) -> QueryResult<Option<(String, String)>> {
    public_posts::table
        .filter(public_posts::post_id.eq(post))
        .order(public_posts::found_at)
        .select((public_posts::platform_post_id, public_posts::url))
        .first(connection)
        .await
        .optional()
}

/// Removes an unreadable post from the queue. If an attempt is open, its outcome is unknown.
async fn set_aside(
    connection: &mut Conn,
    post: i64,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let was_open = settle_open_as_unknown(connection, post, reason, now.into()).await?;
    let status = if was_open { PostStatus::Unknown } else { PostStatus::Failed };
    stop(connection, post, status, reason, &system(), now).await
}

async fn claim(connection: &mut Conn, request: &ClaimRequest) -> Result<ClaimedPosts, StoreError> {
    let now = Time::from(request.now);
    let ids =
        locks::due_posts(connection, of_known_platforms(), now, i64::from(request.most)).await?;
    if ids.is_empty() {
        return Ok(ClaimedPosts::default());
    }
    diesel::update(posts::table)
        .filter(posts::id.eq_any(&ids))
        .set((
            posts::status.eq(PostStatus::Publishing.name()),
            posts::due_at.eq(Time::from(request.lease_until)),
            posts::is_held.eq(false),
            posts::fence.eq(posts::fence + 1),
            posts::updated_at.eq(now),
            posts::version.eq(posts::version + 1),
        ))
        .execute(connection)
        .await?;
    let (mut rows, mut unreadable) = readable(connection, &ids, leased).await?;
    rows.sort_by_key(|(row, _)| ids.iter().position(|id| *id == row.id));
    let mut result = ClaimedPosts::default();
    for (row, attempts) in rows {
        let post = row.id;
        match claimed(row, attempts, request.lease_until) {
            Ok(claimed) => result.posts.push(claimed),
            Err(error) => unreadable.push((post, error_chain(&error))),
        }
    }
    for (post, reason) in unreadable {
        set_aside(connection, post, &reason, request.now).await?;
        result.unreadable.push(Unreadable { post: PostId::new(post), reason });
    }
    Ok(result)
}

/// The posts with these ids, each with its attempts that may have reached the platform.
fn leased<'a>(connection: &'a mut Conn, ids: &'a [i64]) -> Rows<'a, (PostRow, Vec<EarlierRow>)> {
    Box::pin(async move {
        let rows: Vec<PostRow> = posts::table
            .filter(posts::id.eq_any(ids))
            .select(columns::<PostRow>())
            .load(connection)
            .await?;
        let attempts: Vec<EarlierRow> = deliveries::table
            .filter(deliveries::post_id.eq_any(ids))
            .filter(deliveries::state.eq_any(MAY_HAVE_ARRIVED))
            .select(columns::<EarlierRow>())
            .load(connection)
            .await?;
        let mut by_post: HashMap<i64, Vec<EarlierRow>> = HashMap::new();
        for row in attempts {
            by_post.entry(row.post_id).or_default().push(row);
        }
        let with_attempts = |row: PostRow| {
            let attempts = by_post.remove(&row.id).unwrap_or_default();
            (row, attempts)
        };
        Ok(rows.into_iter().map(with_attempts).collect())
    })
}

/// The outer error is that of the store, the inner one that of the ledger.
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
        let locked = locks::lock_tweet(connection, tweet).await?;
        if !locked.is_some_and(|tweet| tweet.is_approved_with(prepared.hash)) {
            return Ok(Err(LedgerError::NotApproved));
        }
    }
    let round: Option<i64> = diesel::update(posts::table.find(post))
        .filter(posts::fence.eq(claimed.fence))
        .filter(posts::status.eq(PostStatus::Publishing.name()))
        .filter(posts::due_at.gt(needed_until))
        .filter(posts::approved_hash.eq(&hash))
        .set(posts::attempts.eq(posts::attempts + 1))
        .returning(posts::round)
        .get_result(connection)
        .await
        .optional()?;
    let Some(round) = round else { return Ok(Err(LedgerError::NotHeld)) };
    let last: Option<i64> = deliveries::table
        .filter(deliveries::post_id.eq(post))
        .select(diesel::dsl::max(deliveries::attempt))
        .first(connection)
        .await?;
    let inserted = diesel::insert_into(deliveries::table)
        .values((
            deliveries::post_id.eq(post),
            deliveries::attempt.eq(last.unwrap_or(0) + 1),
            deliveries::round.eq(round),
            deliveries::state.eq(DeliveryState::InFlight.name()),
            deliveries::platform.eq(prepared.platform.name()),
            deliveries::channel.eq(&prepared.channel),
            deliveries::key.eq(&prepared.key),
            deliveries::request.eq(&prepared.request),
            deliveries::hash.eq(&hash),
            deliveries::marker.eq(prepared.marker.as_ref().map(|marker| &marker.0)),
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
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimedPosts, PortError> {
        during("claiming due posts", async {
            // Usually nothing is due, and then the single writer is not needed.
            let mut connection = self.pools.read().await?;
            let next: Option<Option<Time>> = posts::table
                .filter(posts::due_at.le(Time::from(request.now)))
                .filter(of_known_platforms())
                .order(posts::due_at)
                .select(posts::due_at)
                .first(&mut connection)
                .await
                .optional()?;
            drop(connection);
            if next.is_none() {
                return Ok(ClaimedPosts::default());
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
            // After a rejection, the transaction is rolled back.
            if result.is_ok() {
                transaction.commit().await?;
            }
            Ok(result)
        })
        .await;
        result?
    }

    async fn ownership(
        &self,
        post: PostId,
        prepared: &Prepared,
        ids: &[String],
    ) -> Result<Ownership, PortError> {
        during("finding the owners of posts", async {
            let platform = prepared.platform.name();
            let mut connection = self.pools.read().await?;
            // Other deliveries are queried first: the id of one that is settled in between is found
            // below.
            let rivals: i64 = deliveries::table
                .filter(deliveries::platform.eq(platform))
                .filter(deliveries::hash.eq(prepared.hash.to_string()))
                .filter(deliveries::state.eq_any(OPEN))
                .filter(deliveries::post_id.ne(post.number()))
                .count()
                .get_result(&mut connection)
                .await?;
            let taken: Vec<String> = public_posts::table
                .filter(public_posts::platform.eq(platform))
                .filter(public_posts::platform_post_id.eq_any(ids))
                .filter(public_posts::post_id.ne(post.number()))
                .select(public_posts::platform_post_id)
                .load(&mut connection)
                .await?;
            Ok(Ownership {
                taken: BTreeSet::from_iter(taken),
                rivals: u32::try_from(rivals).unwrap_or(u32::MAX),
            })
        })
        .await
    }

    async fn settle(
        &self,
        claimed: &Claimed,
        delivery: Option<DeliveryId>,
        settlement: &Settlement,
        now: DateTime<Utc>,
    ) -> Result<Recorded, LedgerError> {
        let recorded: Result<Option<Recorded>, PortError> = during("settling a delivery", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let recorded = match (settlement, Turn::of(settlement), delivery) {
                (Settlement::Published { id, url }, _, Some(delivery)) => {
                    let of = (claimed.post.id.number(), delivery.number());
                    let found = (id.as_str(), url.as_str());
                    Some(record_published(connection, of, found, &system(), now).await?)
                }
                (_, Some(turn), delivery) => {
                    record_turn(connection, claimed, delivery, &turn, now).await?
                }
                (_, None, _) => None,
            };
            if recorded.is_some() {
                transaction.commit().await?;
            }
            Ok(recorded)
        })
        .await;
        recorded?.ok_or(LedgerError::NotHeld)
    }

    async fn release_held(
        &self,
        platform: Platform,
        now: DateTime<Utc>,
    ) -> Result<usize, PortError> {
        during("releasing held posts", async {
            let waiting = || {
                posts::table
                    .filter(held())
                    .filter(posts::due_at.is_not_null())
                    .filter(posts::platform.eq(platform.name()))
            };
            let mut connection = self.pools.read().await?;
            let any: Option<i64> =
                waiting().select(posts::id).first(&mut connection).await.optional()?;
            drop(connection);
            if any.is_none() {
                return Ok(0);
            }
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let released: Vec<i64> = diesel::update(waiting())
                .set((posts::due_at.eq(Time::from(now)), posts::is_held.eq(false)))
                .returning(posts::id)
                .get_results(connection)
                .await?;
            write_reached(connection, &released, &system(), now).await?;
            transaction.commit().await?;
            Ok(released.len())
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, PortError> {
        during("finding the next due post", async {
            let mut connection = self.pools.read().await?;
            let next: Option<Option<Time>> = posts::table
                .filter(posts::due_at.is_not_null())
                .filter(of_known_platforms())
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
