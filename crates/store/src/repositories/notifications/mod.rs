//! Notifications: considers events, queues emails, and keeps what people chose.

mod mails;
mod rows;
mod settle;
mod tell;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::{Map, Value};
use waggle_kernel::ids::UserId;
use waggle_kernel::{Cursor, NewEvent, Page, PageRequest, PortError, Zone};
use waggle_notifications::ports::NotificationRepository;
use waggle_notifications::{
    Choices, ChoicesChange, Delivery, Kind, MOST_UNREAD, Notification, OBJECT_KINDS, Read, Step,
};

use self::mails::{due, queue_mail, reschedule};
use self::rows::{ChoicesRow, Row, choose_defaults, lock, names};
use self::settle::{remove, settle};
use self::tell::tell;
use super::{Db, Repositories, columns, events, one_more};
use crate::error::{StoreError, during};
use crate::queues::Queue;
use crate::run_query::RunQueryDsl;
use crate::schema::{event_chain, notification_choices, notification_position, notifications};
use crate::types::Time;

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
