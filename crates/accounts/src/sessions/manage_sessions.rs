//! Signed-in visitors: authenticating their sessions, listing them, and signing out.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use thiserror::Error;
use waggle_kernel::ids::SessionId;
use waggle_kernel::{Clock, PortError};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::people::user::User;
use crate::policy::{AccountPolicy, SignInPolicy};
use crate::ports::{EndSessions, SessionRepository};
use crate::sessions::session::{PresentedSession, Session};

/// Authenticates, lists and ends sessions.
pub struct Sessions {
    pub sessions: Arc<dyn SessionRepository>,
    pub clock: Arc<dyn Clock>,
}

/// A user who is signed in with one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    pub user: User,
    pub session: Session,
}

impl Visitor {
    /// Checks that the visitor authenticated within the period `recent` before `now`.
    ///
    /// # Errors
    ///
    /// [`NotRecent`] if it was earlier, or the second factor is still missing.
    pub fn require_recent(&self, now: DateTime<Utc>, recent: Duration) -> Result<(), NotRecent> {
        let is_recent = now - self.session.authenticated_at <= recent;
        if is_recent && !self.session.is_pending { Ok(()) } else { Err(NotRecent) }
    }

    /// Returns how much access the visitor has.
    pub fn standing(&self, policy: &AccountPolicy) -> Standing {
        if self.session.is_pending {
            Standing::Pending
        } else if policy.needs_setup(&self.user) {
            Standing::Unprotected
        } else {
            Standing::In
        }
    }
}

/// How much access the visitor of a session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The second factor is still missing.
    Pending,
    /// The visitor has no second factor, and must set one up before anything else.
    Unprotected,
    /// Full access.
    In,
}

/// The visitor must authenticate again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("confirm your password, or your second factor if you have one, and try again")]
pub struct NotRecent;

impl Sessions {
    /// Returns the visitor of the session with this token, and records that the session is used.
    ///
    /// # Errors
    ///
    /// [`SessionsError::Refused`] if there is no such session, it has ended, or the user is
    /// deactivated.
    pub async fn authenticate(
        &self,
        token: &str,
        policy: &SignInPolicy,
    ) -> Result<Visitor, SessionsError> {
        let Visitor { user, session } = self.authenticate_in_background(token).await?;
        let now = self.clock.now();
        if now - session.last_used_at >= Duration::minutes(1) {
            let idle_until = now + policy.life(&user).idle;
            // A failure to record the use is no reason to reject the request.
            let _ = self.sessions.touch(session.id, now, idle_until).await;
        }
        Ok(Visitor { user, session })
    }

    /// Returns the visitor of the session with this token, for what a page does by itself: it does
    /// not keep the session from ending.
    ///
    /// # Errors
    ///
    /// [`SessionsError::Refused`] as for [`authenticate`](Self::authenticate).
    pub async fn authenticate_in_background(&self, token: &str) -> Result<Visitor, SessionsError> {
        let presented = PresentedSession::parse(token).ok_or(SessionsError::Refused)?;
        let found = self.sessions.find(presented.hash()).await?;
        let (session, user) = found.ok_or(SessionsError::Refused)?;
        if session.is_live(self.clock.now()) && user.is_active {
            Ok(Visitor { user, session })
        } else {
            Err(SessionsError::Refused)
        }
    }

    /// Lists the visitor's sessions, newest first.
    pub async fn list(&self, visitor: &Visitor) -> Result<Vec<Session>, SessionsError> {
        Ok(self.sessions.list(visitor.user.id, self.clock.now()).await?)
    }

    /// Ends the visitor's current session.
    pub async fn sign_out(&self, visitor: &Visitor, client: &Client) -> Result<(), SessionsError> {
        let event = self.event(EventKind::Logout, visitor, client);
        self.sessions.end(visitor.user.id, visitor.session.id, &event).await?;
        Ok(())
    }

    /// Ends one of the visitor's sessions.
    ///
    /// # Errors
    ///
    /// [`SessionsError::NotFound`] if the visitor has no such session.
    pub async fn end(
        &self,
        visitor: &Visitor,
        id: SessionId,
        client: &Client,
    ) -> Result<(), SessionsError> {
        let mut event = self.event(EventKind::SessionRevoked, visitor, client);
        event.metadata = json!({ "session": id.number() });
        if self.sessions.end(visitor.user.id, id, &event).await? {
            Ok(())
        } else {
            Err(SessionsError::NotFound)
        }
    }

    /// Ends all of the visitor's sessions except the current one, and returns how many.
    pub async fn end_others(
        &self,
        visitor: &Visitor,
        client: &Client,
    ) -> Result<u64, SessionsError> {
        let event = self.event(EventKind::SessionsRevoked, visitor, client);
        let others = EndSessions::AllBut(visitor.session.id);
        Ok(self.sessions.end_all(visitor.user.id, others, &event).await?)
    }

    fn event(&self, kind: EventKind, visitor: &Visitor, client: &Client) -> NewAuthEvent {
        NewAuthEvent::of_user(kind, &visitor.user, client, self.clock.now())
    }
}

/// Errors of [`Sessions`].
#[derive(Debug, Error)]
pub enum SessionsError {
    #[error("the session is invalid or has ended")]
    Refused,
    #[error("there is no such session")]
    NotFound,
    #[error(transparent)]
    Port(#[from] PortError),
}
