//! The repository of sessions of signed-in users.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_accounts::ports::{EndSessions, SessionRepository};
use waggle_accounts::{NewAuthEvent, NewSession, Session, StoredHash, StoredPassword, User};
use waggle_kernel::PortError;
use waggle_kernel::ids::{SessionId, UserId};

use super::auth_events::write_down;
use super::revoke::end_sessions;
use super::user_row::UserRow;
use super::{Conn, Repositories, columns, locks};
use crate::error::during;
use crate::run_query::RunQueryDsl;
use crate::schema::{sessions, users};
use crate::types::Time;

/// The maximum number of sessions per user. A further session ends the oldest.
const MOST_SESSIONS: i64 = 100;

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct SessionRow {
    id: i64,
    user_id: i64,
    created_at: Time,
    authenticated_at: Time,
    last_used_at: Time,
    idle_until: Time,
    ends_at: Time,
    ip: String,
    user_agent: String,
    is_pending: bool,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: SessionId::new(row.id),
            user: UserId::new(row.user_id),
            created_at: row.created_at.into(),
            authenticated_at: row.authenticated_at.into(),
            last_used_at: row.last_used_at.into(),
            idle_until: row.idle_until.into(),
            ends_at: row.ends_at.into(),
            ip: row.ip,
            user_agent: row.user_agent,
            is_pending: row.is_pending,
        }
    }
}

/// Stores a session of a user whose row is locked.
pub(super) async fn insert(connection: &mut Conn, session: &NewSession) -> QueryResult<SessionId> {
    let (user, now) = (session.user.number(), Time::from(session.created_at));
    // Sessions that have expired are removed.
    diesel::delete(sessions::table)
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ends_at.le(now).or(sessions::idle_until.le(now)))
        .execute(connection)
        .await?;
    let ip = session.client.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let id: i64 = diesel::insert_into(sessions::table)
        .values((
            sessions::hash.eq(session.hash.0.to_vec()),
            sessions::user_id.eq(user),
            sessions::created_at.eq(now),
            sessions::authenticated_at.eq(now),
            sessions::last_used_at.eq(now),
            sessions::idle_until.eq(Time::from(session.created_at + session.life.idle)),
            sessions::ends_at.eq(Time::from(session.created_at + session.life.absolute)),
            sessions::ip.eq(ip),
            sessions::user_agent.eq(&session.client.user_agent),
            sessions::is_pending.eq(session.is_pending),
        ))
        .returning(sessions::id)
        .get_result(connection)
        .await?;
    // Repeated sign-ins must not fill the table. Pending sessions are counted separately, so that a
    // caller who knows only the password cannot end a session that is fully signed in.
    let first_gone: Option<i64> = sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::is_pending.eq(session.is_pending))
        .order(sessions::id.desc())
        .offset(MOST_SESSIONS)
        .select(sessions::id)
        .first(connection)
        .await
        .optional()?;
    if let Some(first) = first_gone {
        diesel::delete(sessions::table)
            .filter(sessions::user_id.eq(user))
            .filter(sessions::is_pending.eq(session.is_pending))
            .filter(sessions::id.le(first))
            .execute(connection)
            .await?;
    }
    if !session.is_pending {
        diesel::update(users::table.find(user))
            .set(users::last_login.eq(now))
            .execute(connection)
            .await?;
    }
    Ok(SessionId::new(id))
}

#[async_trait]
impl SessionRepository for Repositories {
    async fn open(
        &self,
        session: &NewSession,
        seen: &User,
        password: &StoredPassword,
        event: &NewAuthEvent,
    ) -> Result<Option<SessionId>, PortError> {
        during("opening a session", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            // The user is locked first, as in all code that ends sessions.
            let present = locks::lock_user(connection, session.user.number()).await?;
            if present != Some((password.0.clone(), true, seen.version.number())) {
                return Ok(None);
            }
            let id = insert(connection, session).await?;
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(Some(id))
        })
        .await
    }

    async fn find(&self, hash: &StoredHash) -> Result<Option<(Session, User)>, PortError> {
        during("finding a session", async {
            let mut connection = self.pools.read().await?;
            let row: Option<(SessionRow, UserRow)> = sessions::table
                .inner_join(users::table)
                .filter(sessions::hash.eq(hash.0.to_vec()))
                .select((columns::<SessionRow>(), columns::<UserRow>()))
                .first(&mut connection)
                .await
                .optional()?;
            let Some((session, user)) = row else { return Ok(None) };
            let (user, _) = <(User, StoredPassword)>::try_from(user)?;
            Ok(Some((session.into(), user)))
        })
        .await
    }

    async fn touch(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        idle_until: DateTime<Utc>,
    ) -> Result<(), PortError> {
        during("recording the use of a session", async {
            let mut transaction = self.pools.write_briefly().await?;
            diesel::update(sessions::table.find(id.number()))
                .set((
                    sessions::last_used_at.eq(Time::from(now)),
                    sessions::idle_until.eq(Time::from(idle_until)),
                ))
                .execute(transaction.connection())
                .await?;
            transaction.commit().await
        })
        .await
    }

    async fn confirm(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError> {
        during("recording a confirmation of a session", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let confirmed = diesel::update(sessions::table.find(id.number()))
                .set(sessions::authenticated_at.eq(Time::from(now)))
                .execute(connection)
                .await?;
            if confirmed > 0 {
                write_down(&mut transaction, event).await?;
            }
            transaction.commit().await?;
            Ok(confirmed > 0)
        })
        .await
    }

    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<Session>, PortError> {
        during("listing sessions", async {
            let mut connection = self.pools.read().await?;
            let rows: Vec<SessionRow> = sessions::table
                .filter(sessions::user_id.eq(user.number()))
                .filter(sessions::ends_at.gt(Time::from(now)))
                .filter(sessions::idle_until.gt(Time::from(now)))
                .filter(sessions::is_pending.eq(false))
                .order(sessions::id.desc())
                .select(columns::<SessionRow>())
                .load(&mut connection)
                .await?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    async fn end(
        &self,
        user: UserId,
        id: SessionId,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError> {
        during("ending a session", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            locks::lock_user(connection, user.number()).await?;
            let ended = diesel::delete(sessions::table.find(id.number()))
                .filter(sessions::user_id.eq(user.number()))
                .execute(connection)
                .await?;
            if ended > 0 {
                write_down(&mut transaction, event).await?;
            }
            transaction.commit().await?;
            Ok(ended > 0)
        })
        .await
    }

    async fn end_all(
        &self,
        user: UserId,
        which: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<u64, PortError> {
        during("ending sessions", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            locks::lock_user(connection, user.number()).await?;
            let ended = end_sessions(connection, user, which).await?.unwrap_or_default();
            if ended > 0 {
                write_down(&mut transaction, event).await?;
            }
            transaction.commit().await?;
            Ok(ended as u64)
        })
        .await
    }
}
