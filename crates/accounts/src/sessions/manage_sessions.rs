//! People who are in: who they are, where else they are in, and how they leave.

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

/// Knows who is in.
pub struct Sessions {
    /// Who is in.
    pub sessions: Arc<dyn SessionRepository>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Somebody who is in, in one browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Who.
    pub user: User,
    /// The session.
    pub session: Session,
}

impl Visitor {
    /// Checks that the visitor proved who they are within the time `recent` before `now`.
    ///
    /// # Errors
    ///
    /// [`NotRecent`] if that was before, or the second factor is still to be shown.
    pub fn require_recent(&self, now: DateTime<Utc>, recent: Duration) -> Result<(), NotRecent> {
        let is_recent = now - self.session.authenticated_at <= recent;
        if is_recent && !self.session.is_pending { Ok(()) } else { Err(NotRecent) }
    }

    /// How far the visitor has come in.
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

/// How far somebody has come in who showed a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The second factor is still to be shown.
    Pending,
    /// There is none, and one has to be set up before anything else.
    Unprotected,
    /// All the way.
    In,
}

/// It is long ago that somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "this needs a fresh proof of who you are: confirm your password, or your second factor if you have one"
)]
pub struct NotRecent;

impl Sessions {
    /// Who shows this token. Whoever was shut out, or whose session ended, is nobody.
    ///
    /// # Errors
    ///
    /// - [`SessionsError::Refused`] if it is nobody.
    /// - [`SessionsError::Port`] if the store cannot answer.
    pub async fn authenticate(
        &self,
        token: &str,
        policy: &SignInPolicy,
    ) -> Result<Visitor, SessionsError> {
        let presented = PresentedSession::parse(token).ok_or(SessionsError::Refused)?;
        let found = self.sessions.find(presented.hash()).await?;
        let (session, user) = found.ok_or(SessionsError::Refused)?;
        let now = self.clock.now();
        if !session.is_live(now) || !user.is_active {
            return Err(SessionsError::Refused);
        }
        if now - session.last_used_at >= Duration::minutes(1) {
            let idle_until = now + policy.life(&user).idle;
            // That this cannot be written at the moment is no reason to refuse a request.
            let _ = self.sessions.touch(session.id, now, idle_until).await;
        }
        Ok(Visitor { user, session })
    }

    /// Where else the visitor is in, newest first.
    ///
    /// # Errors
    ///
    /// [`SessionsError::Port`].
    pub async fn list(&self, visitor: &Visitor) -> Result<Vec<Session>, SessionsError> {
        Ok(self.sessions.list(visitor.user.id, self.clock.now()).await?)
    }

    /// Ends the visitor's own session.
    ///
    /// # Errors
    ///
    /// [`SessionsError::Port`].
    pub async fn sign_out(&self, visitor: &Visitor, client: &Client) -> Result<(), SessionsError> {
        let event = self.event(EventKind::Logout, visitor, client);
        self.sessions.end(visitor.user.id, visitor.session.id, &event).await?;
        Ok(())
    }

    /// Ends one of the visitor's sessions.
    ///
    /// # Errors
    ///
    /// [`SessionsError::NotFound`] if the visitor has no such session, [`SessionsError::Port`].
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

    /// Ends all of the visitor's sessions but this one, and returns how many.
    ///
    /// # Errors
    ///
    /// [`SessionsError::Port`].
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

/// Why that could not be done.
#[derive(Debug, Error)]
pub enum SessionsError {
    /// The session opens nothing.
    #[error("the session is wrong or has ended")]
    Refused,
    /// There is no such session.
    #[error("there is no such session")]
    NotFound,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}
