//! Queues emails about what is due, and moves what is not due yet.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use waggle_accounts::{Letter, MatterLine, NewMail, User};
use waggle_kernel::Zone;
use waggle_notifications::{Choices, Kind, Notification};

use super::super::user_row::{UserRow, user};
use super::super::{Conn, columns, mails as queue};
use super::rows::{Row, choose_defaults};
use crate::error::StoreError;
use crate::run_query::RunQueryDsl;
use crate::schema::{mails, notification_choices, notifications, users};
use crate::types::Time;

/// The minimum time between two of these emails to a person.
const PAUSE: Duration = Duration::minutes(1);
/// The maximum number of matters that an email names.
const MOST_LINES: usize = 50;
/// The maximum number of matters that are counted for an email.
const MOST_COUNTED: i64 = 10_000;
/// The maximum number of notifications that are due whose people are looked up at once.
const MOST_DUE: i64 = 1_000;
/// The name of these emails in the queue.
const MATTERS: &str = "MATTERS";

/// Queues an email to a person about everything that is due.
pub(super) async fn queue_mail(
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

/// The people who have notifications that are due to be mailed, and can get an email now: nothing
/// was mailed to them within a minute, and no such email of theirs waits for the mail server.
pub(super) async fn due(
    connection: &mut Conn,
    most: u16,
    now: DateTime<Utc>,
) -> QueryResult<Vec<i64>> {
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
pub(super) async fn reschedule(
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
