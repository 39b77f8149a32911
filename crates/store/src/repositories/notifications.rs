//! Notifications: considers events, queues emails, and keeps what people chose.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde_json::{Map, Value};
use waggle_accounts::{Letter, MatterLine, NewMail, Role, User};
use waggle_content::{Platform, PostStatus};
use waggle_kernel::ids::UserId;
use waggle_kernel::{Cursor, Hour, NewEvent, Page, PageRequest, PortError, Zone};
use waggle_notifications::ports::NotificationRepository;
use waggle_notifications::{
    Choices, ChoicesChange, Delivery, Kind, Known, MOST_UNREAD, NewNotification, Notification,
    OBJECT_KINDS, Opened, Person, Read, Step, told,
};

use waggle_twitter_n8n::Status;

use super::generated_tweets::WAITING;
use super::posts::held;
use super::user_row::{UserRow, user};
use super::{Conn, Db, Repositories, columns, dialect, events, mails as queue, one_more};
use crate::error::{StoreError, column, during};
use crate::insert_many::{CHUNK, OnConflict, insert_many};
use crate::queues::Queue;
use crate::run_query::RunQueryDsl;
use crate::schema::{
    campaign_batches, event_chain, generated_tweets, mails, notification_choices,
    notification_position, notifications, posts, source_tweets, twitter_posts, users,
};
use crate::types::Time;

/// The minimum time between two of these emails to a person.
const PAUSE: Duration = Duration::minutes(1);
/// The maximum number of matters that an email names.
const MOST_LINES: usize = 50;
/// The maximum number of matters that are counted for an email.
const MOST_COUNTED: i64 = 10_000;
/// The maximum number of notifications that are due whose people are looked up at once.
const MOST_DUE: i64 = 1_000;
/// The maximum number of objects that a statement names.
const MOST_NAMED: usize = 500;
/// The name of these emails in the queue.
const MATTERS: &str = "MATTERS";

#[derive(Queryable, Selectable)]
#[diesel(table_name = notification_choices)]
struct ChoicesRow {
    digest_hour: i64,
    deliveries: Value,
}

impl From<ChoicesRow> for Choices {
    /// What this version does not know is left out.
    fn from(row: ChoicesRow) -> Self {
        let mut choices = Self::default();
        let hour = u8::try_from(row.digest_hour).ok().and_then(Hour::new);
        choices.digest_hour = hour.unwrap_or(Self::DIGEST_HOUR);
        for (kind, delivery) in row.deliveries.as_object().into_iter().flatten() {
            let delivery = delivery.as_str().and_then(|name| name.parse().ok());
            if let (Ok(kind), Some(delivery)) = (kind.parse(), delivery) {
                choices.set(kind, delivery);
            }
        }
        choices
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = notifications)]
struct Row {
    id: i64,
    kind: String,
    object_id: String,
    summary: String,
    created_at: Time,
    read_at: Option<Time>,
}

impl TryFrom<Row> for Notification {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            kind: row.kind.parse().map_err(column("notifications.kind"))?,
            object: row.object_id,
            summary: row.summary,
            created_at: row.created_at.into(),
            read_at: row.read_at.map(Into::into),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = notifications, treat_none_as_default_value = false)]
struct NewRow {
    user_id: i64,
    kind: &'static str,
    object_id: String,
    batch_id: Option<i64>,
    summary: String,
    created_at: Time,
    mail_due_at: Option<Time>,
}

/// Locks the only row of `notification_position`, so that one process at a time adds notifications
/// and queues their emails. Returns the position of the last event that was considered.
async fn lock(connection: &mut Conn) -> QueryResult<i64> {
    dialect::locked!(notification_position::table.find(1).select(notification_position::position))
        .first(connection)
        .await
}

/// The people who may be told of one of these matters.
async fn people(connection: &mut Conn, opened: &[Opened], zone: Zone) -> QueryResult<Vec<Person>> {
    let is_told = |role: &Role| opened.iter().any(|o| o.matter.kind.is_for(role.scopes()));
    let roles: Vec<&str> = Role::ALL.into_iter().filter(is_told).map(Role::name).collect();
    let rows: Vec<(UserRow, Option<ChoicesRow>)> = users::table
        .left_join(notification_choices::table)
        .filter(users::is_active.eq(true))
        .filter(users::role.eq_any(roles).or(users::is_super_admin.eq(true)))
        .order(users::id)
        .select((columns::<UserRow>(), columns::<Option<ChoicesRow>>()))
        .load(connection)
        .await?;
    // A user who cannot be read is told of nothing; the others are.
    let person = |(row, choices): (UserRow, Option<ChoicesRow>)| {
        let user = user(row).ok()?;
        Some(Person {
            id: user.id,
            scopes: user.effective_role().scopes(),
            zone: user.time_zone.unwrap_or(zone),
            choices: choices.map(Into::into).unwrap_or_default(),
        })
    };
    Ok(rows.into_iter().filter_map(person).collect())
}

/// What people were told already of these matters and their batches.
async fn known(connection: &mut Conn, opened: &[Opened]) -> QueryResult<Known> {
    let objects: BTreeSet<&str> = opened.iter().map(|opened| &*opened.matter.object).collect();
    let batches: BTreeSet<i64> = opened.iter().filter_map(|opened| opened.matter.batch).collect();
    let mut known = Known::default();
    let rows: Vec<(i64, String, String)> = notifications::table
        .filter(notifications::object_id.eq_any(objects))
        .select((notifications::user_id, notifications::kind, notifications::object_id))
        .load(connection)
        .await?;
    for (user, kind, object) in rows {
        // A kind that this version does not know is not one of these matters.
        if let Ok(kind) = kind.parse() {
            known.matters.insert((UserId::new(user), kind, object));
        }
    }
    let rows: Vec<(i64, Option<i64>)> = notifications::table
        .filter(notifications::batch_id.eq_any(batches))
        .filter(notifications::kind.eq(Kind::BatchArrived.name()))
        .select((notifications::user_id, notifications::batch_id))
        .load(connection)
        .await?;
    let rows = rows.into_iter().filter_map(|(user, batch)| Some((UserId::new(user), batch?)));
    known.batches.extend(rows);
    Ok(known)
}

/// Removes the notifications of matters that have grown. Returns when they were to be mailed.
async fn take_grown(
    connection: &mut Conn,
    opened: &[Opened],
) -> QueryResult<HashMap<(UserId, Kind), DateTime<Utc>>> {
    let grown = opened.iter().map(|opened| &opened.matter).filter(|matter| matter.kind.can_grow());
    let grown: BTreeSet<(Kind, &str)> = grown.map(|m| (m.kind, m.object.as_str())).collect();
    let mut due = HashMap::new();
    for (kind, object) in grown {
        let rows: Vec<(i64, Option<Time>)> = diesel::delete(notifications::table)
            .filter(notifications::kind.eq(kind.name()))
            .filter(notifications::object_id.eq(object))
            .returning((notifications::user_id, notifications::mail_due_at))
            .get_results(connection)
            .await?;
        due.extend(
            rows.into_iter().filter_map(|(user, at)| Some(((UserId::new(user), kind), at?.into()))),
        );
    }
    Ok(due)
}

/// Adds notifications of the matters that were opened.
async fn tell(
    connection: &mut Conn,
    opened: &[Opened],
    zone: Zone,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    if opened.is_empty() {
        return Ok(());
    }
    let grown = take_grown(connection, opened).await?;
    let people = people(connection, opened, zone).await?;
    let known = Known { grown, ..known(connection, opened).await? };
    let told = told(opened, &people, known, now);
    for chunk in told.chunks(CHUNK) {
        let row = |new: &NewNotification<'_>| {
            let (matter, created_at) = (new.opened.matter.clone(), new.opened.at.into());
            NewRow {
                user_id: new.user.number(),
                kind: matter.kind.name(),
                object_id: matter.object,
                batch_id: matter.batch,
                summary: matter.summary,
                created_at,
                mail_due_at: new.mail_due.map(Into::into),
            }
        };
        let id = notifications::id;
        let rows = chunk.iter().map(row).collect();
        let _: Vec<i64> = insert_many(notifications::table, rows, id, OnConflict::DoNothing, id)
            .get_results(connection)
            .await?;
    }
    Ok(())
}

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
async fn remove(
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
async fn settle(connection: &mut Conn, step: &Step) -> QueryResult<()> {
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

/// Queues an email to a person about everything that is due.
async fn queue_mail(
    connection: &mut Conn,
    id: i64,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let row: UserRow = users::table.find(id).select(columns::<UserRow>()).first(connection).await?;
    // A user who cannot be read gets no email; the others do.
    let user: Option<User> = user(row).ok();
    let due = || {
        notifications::table
            .filter(notifications::user_id.eq(id))
            .filter(notifications::mail_due_at.le(Time::from(now)))
    };
    let rows: Vec<Row> = due()
        .order(notifications::id.desc())
        .limit(MOST_COUNTED)
        .select(columns::<Row>())
        .load(connection)
        .await?;
    diesel::update(due())
        .set(notifications::mail_due_at.eq(None::<Time>))
        .execute(connection)
        .await?;
    let told = rows.into_iter().filter_map(|row| Notification::try_from(row).ok());
    let mut told: Vec<Notification> = told.collect();
    let Some(user) = user.filter(|user| user.is_active) else { return Ok(false) };
    let scopes = user.effective_role().scopes();
    told.retain(|notification| notification.kind.is_for(scopes));
    if told.is_empty() {
        return Ok(false);
    }
    let more = told.len().saturating_sub(MOST_LINES);
    let line = |notification: &Notification| MatterLine {
        text: notification.summary.clone(),
        path: notification.path(),
    };
    let letter = Letter::Matters {
        lines: told.iter().take(MOST_LINES).map(line).collect(),
        more: u32::try_from(more).unwrap_or(u32::MAX),
    };
    queue::put(connection, &[NewMail::notice(user.email, letter, now)]).await?;
    choose_defaults(connection, id).await?;
    diesel::update(notification_choices::table.find(id))
        .set(notification_choices::mailed_at.eq(Time::from(now)))
        .execute(connection)
        .await?;
    Ok(true)
}

/// Adds the row of the choices of a user, if there is none.
async fn choose_defaults(connection: &mut Conn, id: i64) -> QueryResult<()> {
    let hour = i64::from(Choices::DIGEST_HOUR.number());
    diesel::insert_into(notification_choices::table)
        .values((
            notification_choices::user_id.eq(id),
            notification_choices::digest_hour.eq(hour),
            notification_choices::deliveries.eq(Value::from(Map::new())),
        ))
        .on_conflict(notification_choices::user_id)
        .do_nothing()
        .execute(connection)
        .await
        .map(drop)
}

/// The people who have notifications that are due to be mailed, and can get an email now: nothing
/// was mailed to them within a minute, and no such email of theirs waits for the mail server.
async fn due(connection: &mut Conn, most: u16, now: DateTime<Utc>) -> QueryResult<Vec<i64>> {
    let is_any: Option<i64> = notifications::table
        .filter(notifications::mail_due_at.le(Time::from(now)))
        .order(notifications::mail_due_at)
        .select(notifications::id)
        .first(connection)
        .await
        .optional()?;
    if is_any.is_none() {
        return Ok(Vec::new());
    }
    let waiting: Vec<String> = mails::table
        .filter(mails::letter.eq(MATTERS))
        .filter(mails::due_at.is_not_null())
        .select(mails::recipient)
        .load(connection)
        .await?;
    let mut blocked: Vec<i64> = users::table
        .filter(users::email.eq_any(waiting))
        .select(users::id)
        .load(connection)
        .await?;
    let mailed: Vec<i64> = notification_choices::table
        .filter(notification_choices::mailed_at.gt(Time::from(now - PAUSE)))
        .select(notification_choices::user_id)
        .load(connection)
        .await?;
    blocked.extend(mailed);
    // In the order of the index of what is due.
    let due: Vec<i64> = notifications::table
        .filter(notifications::mail_due_at.le(Time::from(now)))
        .filter(notifications::user_id.ne_all(blocked))
        .order(notifications::mail_due_at)
        .limit(MOST_DUE)
        .select(notifications::user_id)
        .load(connection)
        .await?;
    let due: BTreeSet<i64> = due.into_iter().collect();
    Ok(due.into_iter().take(usize::from(most)).collect())
}

/// Moves what waits to be mailed to the times that somebody chose. What is due stays due.
async fn reschedule(
    connection: &mut Conn,
    user: i64,
    choices: &Choices,
    zone: Zone,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    for kind in Kind::ALL {
        let waiting = diesel::update(notifications::table)
            .filter(notifications::user_id.eq(user))
            .filter(notifications::kind.eq(kind.name()));
        match choices.mail_due(kind, zone, now).map(Time::from) {
            None => {
                waiting.set(notifications::mail_due_at.eq(None::<Time>)).execute(connection).await?
            }
            due => {
                waiting
                    .filter(notifications::mail_due_at.gt(Time::from(now)))
                    .set(notifications::mail_due_at.eq(due))
                    .execute(connection)
                    .await?
            }
        };
    }
    Ok(())
}

fn names(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.name()).collect()
}

#[async_trait]
impl NotificationRepository for Repositories {
    async fn consider_events(
        &self,
        most: u16,
        zone: Zone,
        now: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        during("telling people of events", async {
            let mut reader = self.pools.read().await?;
            let (from, end): (i64, i64) = notification_position::table
                .inner_join(event_chain::table.on(event_chain::id.eq(notification_position::id)))
                .select((notification_position::position, event_chain::position))
                .first(&mut reader)
                .await?;
            let to = end.min(from.saturating_add(i64::from(most)));
            if from >= to {
                return Ok(false);
            }
            // Events never change, so they are read without the lock.
            let events = events::between(&mut reader, (from, to), &OBJECT_KINDS).await?;
            drop(reader);
            let step = Step::of(&events);
            // Where nothing concerns anybody, the position is not worth a transaction each time.
            if step.is_empty() && to - from < i64::from(most) {
                return Ok(false);
            }
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            if lock(connection).await? != from {
                // Another process was faster.
                return Ok(true);
            }
            remove(connection, &step.ended).await?;
            Box::pin(tell(connection, &step.opened, zone, now)).await?;
            Box::pin(settle(connection, &step)).await?;
            diesel::update(notification_position::table.find(1))
                .set(notification_position::position.eq(to))
                .execute(connection)
                .await?;
            transaction.commit().await?;
            Ok(to < end)
        })
        .await
    }

    async fn queue_mails(&self, most: u16, now: DateTime<Utc>) -> Result<usize, PortError> {
        during("queueing emails about matters", async {
            let mut reader = self.pools.read().await?;
            let is_any = !due(&mut reader, 1, now).await?.is_empty();
            drop(reader);
            if !is_any {
                return Ok(0);
            }
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            lock(connection).await?;
            let mut queued = 0;
            for id in due(connection, most, now).await? {
                queued += usize::from(Box::pin(queue_mail(connection, id, now)).await?);
            }
            transaction.fills(Queue::Mails);
            transaction.commit().await?;
            Ok(queued)
        })
        .await
    }

    async fn list(
        &self,
        user: UserId,
        kinds: &[Kind],
        is_unread: Option<bool>,
        page: PageRequest,
    ) -> Result<Page<Notification>, PortError> {
        during("listing notifications", async {
            let mut query = notifications::table
                .filter(notifications::user_id.eq(user.number()))
                .filter(notifications::kind.eq_any(names(kinds)))
                .into_boxed::<Db>();
            query = match is_unread {
                Some(true) => query.filter(notifications::read_at.is_null()),
                Some(false) => query.filter(notifications::read_at.is_not_null()),
                None => query,
            };
            if let Some(after) = page.after {
                query = query.filter(notifications::id.lt(after.id));
            }
            let rows: Vec<Row> = query
                .order(notifications::id.desc())
                .limit(one_more(page.limit))
                .select(columns::<Row>())
                .load(&mut *self.pools.read().await?)
                .await?;
            let items = rows.into_iter().map(TryInto::try_into);
            let items = items.collect::<Result<Vec<Notification>, StoreError>>()?;
            let cursor = |item: &Notification| Cursor { sort_value: 0, id: item.id };
            Ok(Page::from_one_more(items, page.limit, cursor))
        })
        .await
    }

    async fn count_unread(&self, user: UserId, kinds: &[Kind]) -> Result<u32, PortError> {
        during("counting notifications", async {
            let ids: Vec<i64> = notifications::table
                .filter(notifications::user_id.eq(user.number()))
                .filter(notifications::kind.eq_any(names(kinds)))
                .filter(notifications::read_at.is_null())
                .order(notifications::id)
                .limit(i64::from(MOST_UNREAD))
                .select(notifications::id)
                .load(&mut *self.pools.read().await?)
                .await?;
            Ok(u32::try_from(ids.len()).unwrap_or(MOST_UNREAD))
        })
        .await
    }

    async fn mark_read(
        &self,
        user: UserId,
        read: &Read,
        now: DateTime<Utc>,
    ) -> Result<u64, PortError> {
        during("marking notifications as read", async {
            let mut query = notifications::table
                .filter(notifications::user_id.eq(user.number()))
                .filter(notifications::read_at.is_null())
                .select(notifications::id)
                .into_boxed::<Db>();
            query = match read {
                Read::These(ids) => query.filter(notifications::id.eq_any(ids.clone())),
                Read::UpTo(id) => query.filter(notifications::id.le(*id)),
            };
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let ids: Vec<i64> = query.load(connection).await?;
            let mut number = 0;
            for ids in ids.chunks(1_000) {
                number += diesel::update(notifications::table)
                    .filter(notifications::id.eq_any(ids))
                    .filter(notifications::read_at.is_null())
                    .set(notifications::read_at.eq(Time::from(now)))
                    .execute(connection)
                    .await?;
            }
            transaction.commit().await?;
            Ok(u64::try_from(number).unwrap_or(u64::MAX))
        })
        .await
    }

    async fn move_digest(
        &self,
        user: UserId,
        zone: Zone,
        now: DateTime<Utc>,
    ) -> Result<(), PortError> {
        let choices = self.choices(user).await?;
        during("moving a digest", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            lock(connection).await?;
            reschedule(connection, user.number(), &choices, zone, now).await?;
            transaction.commit().await
        })
        .await
    }

    async fn choices(&self, user: UserId) -> Result<Choices, PortError> {
        during("reading what a user is told of", async {
            let row: Option<ChoicesRow> = notification_choices::table
                .find(user.number())
                .select(columns::<ChoicesRow>())
                .first(&mut *self.pools.read().await?)
                .await
                .optional()?;
            Ok(row.map(Into::into).unwrap_or_default())
        })
        .await
    }

    async fn choose(
        &self,
        user: UserId,
        change: &ChoicesChange,
        zone: Zone,
        event: &NewEvent,
    ) -> Result<Choices, PortError> {
        during("storing what a user is told of", async {
            let id = user.number();
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            // Nothing is added or mailed meanwhile.
            lock(connection).await?;
            choose_defaults(connection, id).await?;
            let row: ChoicesRow = notification_choices::table
                .find(id)
                .select(columns::<ChoicesRow>())
                .first(connection)
                .await?;
            let before = Choices::from(row);
            let mut choices = before.clone();
            choices.apply(change);
            if choices == before {
                return Ok(choices);
            }
            let chosen = choices
                .chosen()
                .map(|(kind, delivery)| (kind.name().to_owned(), Value::from(delivery.name())));
            let chosen = Value::from(chosen.collect::<Map<String, Value>>());
            diesel::update(notification_choices::table.find(id))
                .set((
                    notification_choices::digest_hour.eq(i64::from(choices.digest_hour.number())),
                    notification_choices::deliveries.eq(chosen),
                ))
                .execute(connection)
                .await?;
            let off = Kind::ALL.into_iter().filter(|kind| choices.of(*kind) == Delivery::Off);
            diesel::delete(notifications::table)
                .filter(notifications::user_id.eq(id))
                .filter(notifications::kind.eq_any(off.map(Kind::name)))
                .execute(connection)
                .await?;
            reschedule(connection, id, &choices, zone, event.at).await?;
            events::write(connection, std::slice::from_ref(event)).await?;
            transaction.commit().await?;
            Ok(choices)
        })
        .await
    }
}
