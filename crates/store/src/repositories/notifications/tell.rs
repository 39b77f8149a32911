//! Adds notifications of matters, for each person who is told.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_accounts::Role;
use waggle_kernel::Zone;
use waggle_kernel::ids::UserId;
use waggle_notifications::{Kind, Known, NewNotification, Opened, Person, told};

use super::super::user_row::{UserRow, user};
use super::super::{Conn, columns};
use super::rows::{ChoicesRow, NewRow};
use crate::insert_many::{CHUNK, OnConflict, insert_many};
use crate::run_query::RunQueryDsl;
use crate::schema::{notification_choices, notifications, users};
use crate::types::Time;

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
pub(super) async fn tell(
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
