//! Ends sessions and codes when a user changes.

use diesel::prelude::*;
use waggle_accounts::ports::EndSessions;
use waggle_kernel::ids::{SessionId, UserId};

use super::Conn;
use crate::run_query::RunQueryDsl;
use crate::schema::{sessions, verification_codes};

/// Ends sessions of a user whose row is locked, and returns how many. Returns `None` if the session
/// that requests this has ended.
pub(super) async fn end_sessions(
    connection: &mut Conn,
    user: UserId,
    which: EndSessions,
) -> QueryResult<Option<usize>> {
    let spared = match which {
        EndSessions::None => return Ok(Some(0)),
        // No session has this id.
        EndSessions::All => 0,
        EndSessions::AllBut(session) if has_session(connection, user, session).await? => {
            session.number()
        }
        EndSessions::AllBut(_) => return Ok(None),
    };
    diesel::delete(sessions::table)
        .filter(sessions::user_id.eq(user.number()))
        .filter(sessions::id.ne(spared))
        .execute(connection)
        .await
        .map(Some)
}

/// Whether a user still has this session.
pub(super) async fn has_session(
    connection: &mut Conn,
    user: UserId,
    session: SessionId,
) -> QueryResult<bool> {
    let found: Option<i64> = sessions::table
        .find(session.number())
        .filter(sessions::user_id.eq(user.number()))
        .select(sessions::id)
        .first(connection)
        .await
        .optional()?;
    Ok(found.is_some())
}

/// Removes the codes that can still be used: those of an address and those of a user.
pub(super) async fn end_codes(connection: &mut Conn, address: &str, user: i64) -> QueryResult<()> {
    let is_theirs = verification_codes::address
        .eq(address)
        .or(verification_codes::user_id.eq(user).assume_not_null());
    diesel::delete(verification_codes::table.filter(is_theirs))
        .filter(verification_codes::used_at.is_null())
        .execute(connection)
        .await
        .map(drop)
}
