//! The rows of notifications and choices, and the lock that those who change them take.

use diesel::prelude::*;
use serde_json::{Map, Value};
use waggle_kernel::Hour;
use waggle_notifications::{Choices, Kind, Notification};

use super::super::{Conn, dialect};
use crate::error::{StoreError, column};
use crate::run_query::RunQueryDsl;
use crate::schema::{notification_choices, notification_position, notifications};
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = notification_choices)]
pub(super) struct ChoicesRow {
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
pub(super) struct Row {
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
pub(super) struct NewRow {
    pub(super) user_id: i64,
    pub(super) kind: &'static str,
    pub(super) object_id: String,
    pub(super) batch_id: Option<i64>,
    pub(super) summary: String,
    pub(super) created_at: Time,
    pub(super) mail_due_at: Option<Time>,
}

/// Locks the only row of `notification_position`, so that one process at a time adds notifications
/// and queues their emails. Returns the position of the last event that was considered.
pub(super) async fn lock(connection: &mut Conn) -> QueryResult<i64> {
    dialect::locked!(notification_position::table.find(1).select(notification_position::position))
        .first(connection)
        .await
}

pub(super) fn names(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.name()).collect()
}

/// Adds the row of the choices of a user, if there is none.
pub(super) async fn choose_defaults(connection: &mut Conn, id: i64) -> QueryResult<()> {
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
