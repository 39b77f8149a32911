//! What this domain needs from outside.

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;
use thiserror::Error;
use waggle_kernel::ids::{SessionId, TokenId, UserId};
use waggle_kernel::{Page, PageRequest, PortError, Version};

use crate::auth_event::{AuthEvent, AuthEventFilter, NewAuthEvent};
use crate::password::{StoredPassword, Verdict};
use crate::session::{NewSession, Session};
use crate::token::{ApiToken, NewApiToken, StoredHash};
use crate::user::{Login, NewUser, User};

/// Keeps API tokens.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait TokenRepository: Send + Sync {
    /// Keeps a token.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer, or has a token with the same public id.
    async fn insert(&self, token: &NewApiToken) -> Result<TokenId, PortError>;

    /// Keeps a token if there is none at all, revoked ones included; `None` if there was one. Of two calls
    /// at the same moment, one keeps its token.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn insert_first(&self, token: &NewApiToken) -> Result<Option<TokenId>, PortError>;

    /// The token with this public id, and its hash.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(&self, public_id: &str) -> Result<Option<(ApiToken, StoredHash)>, PortError>;

    /// Every token, oldest first.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(&self) -> Result<Vec<ApiToken>, PortError>;

    /// Ends the token with this public id; `false` if there is none that lives.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn revoke(&self, public_id: &str, now: DateTime<Utc>) -> Result<bool, PortError>;

    /// Writes down that the token was shown.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn touch(&self, id: TokenId, now: DateTime<Utc>) -> Result<(), PortError>;
}

/// Keeps users. What happens to them is written down in the same step, or it does not happen.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// Keeps a user.
    ///
    /// # Errors
    ///
    /// - [`InsertUserError::EmailTaken`], [`InsertUserError::UsernameTaken`] if there is one; then none is kept.
    /// - [`InsertUserError::Port`] if the store cannot answer; then none is kept.
    async fn insert(&self, user: &NewUser, event: &NewAuthEvent)
    -> Result<UserId, InsertUserError>;

    /// The user with this id.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError>;

    /// The user who signs in as `login`, and the password.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find_login(&self, login: &Login) -> Result<Option<(User, StoredPassword)>, PortError>;

    /// A page of users, by id.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(&self, page: PageRequest) -> Result<Page<User>, PortError>;

    /// Writes `user` over the version that it was read at, ends sessions where `sessions` says so, and returns the version
    /// it has now.
    ///
    /// # Errors
    ///
    /// - [`SaveUserError::Stale`] if the store has another version; then nothing is changed.
    /// - [`SaveUserError::LastAdmin`] if nobody active would be left who may do everything; then nothing is changed.
    /// - [`SaveUserError::Port`] if the store cannot answer; then nothing is changed.
    async fn save(
        &self,
        user: &User,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<Version, SaveUserError>;

    /// Gives a user another password, and ends sessions where `sessions` says so; `false`, and nothing is changed, if
    /// the present one is not the one `seen`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is changed.
    async fn set_password(
        &self,
        id: UserId,
        seen: Option<StoredPassword>,
        password: &StoredPassword,
        sessions: EndSessions,
        event: Option<NewAuthEvent>,
    ) -> Result<bool, PortError>;
}

/// Which sessions of a user end with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndSessions {
    /// None.
    None,
    /// All of them.
    All,
    /// All but this one, which asked for the change.
    AllBut(SessionId),
}

/// Why a user was not kept.
#[derive(Debug, Error)]
pub enum InsertUserError {
    /// Somebody has the address.
    #[error("there is a user with this mail address")]
    EmailTaken,
    /// Somebody has the name.
    #[error("there is a user with this name")]
    UsernameTaken,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Why a user was not written over.
#[derive(Debug, Error)]
pub enum SaveUserError {
    /// Somebody else was faster.
    #[error("the user was changed by somebody else")]
    Stale,
    /// Nobody would be left to let others in.
    #[error("this is the last active admin")]
    LastAdmin,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Keeps sessions.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Keeps a session, and writes down when the user signed in. `None`, and none is kept, if the user is not any more as
    /// `user` and `password` were seen: between comparing a password and this it may have been changed.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then none is kept.
    async fn open(
        &self,
        session: &NewSession,
        user: &User,
        password: &StoredPassword,
        event: &NewAuthEvent,
    ) -> Result<Option<SessionId>, PortError>;

    /// The session with this hash and its user, whatever became of both.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(&self, hash: &StoredHash) -> Result<Option<(Session, User)>, PortError>;

    /// Writes down that the session was used; one that ended meanwhile stays ended.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn touch(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        idle_until: DateTime<Utc>,
    ) -> Result<(), PortError>;

    /// The sessions of a user that live at `now`, newest first.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<Session>, PortError>;

    /// Ends a session of this user; `false` if the user has no such session.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then it goes on.
    async fn end(
        &self,
        user: UserId,
        id: SessionId,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Ends the sessions of a user and returns how many.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then they go on.
    async fn end_all(
        &self,
        user: UserId,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<u64, PortError>;
}

/// Keeps what happened; nothing of it is ever changed.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait AuthEventRepository: Send + Sync {
    /// Writes down what changed nothing else.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn record(&self, event: &NewAuthEvent) -> Result<(), PortError>;

    /// A page of what happened, newest first.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(
        &self,
        filter: &AuthEventFilter,
        page: PageRequest,
    ) -> Result<Page<AuthEvent>, PortError>;
}

/// Something that may be done so often in so long a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What is counted: `login:account:joe@example.com`.
    pub key: String,
    /// How often.
    pub most: u32,
    /// In how long a time, from the first.
    pub window: Duration,
}

/// A budget that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// When it will be whole again.
    pub until: DateTime<Utc>,
    /// How often something was refused since it was used up, this time included.
    pub refusals: u32,
}

/// Counts what is done, for all processes, and through restarts.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Limits: Send + Sync {
    /// Takes one of each budget in one step, exactly, however many do so at the same time. Where one is used up, what
    /// stands behind it is not counted.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn take(
        &self,
        budgets: &[Budget],
        now: DateTime<Utc>,
    ) -> Result<Option<Exhausted>, PortError>;

    /// Gives back one of each: what was taken turned out not to count.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn give_back(&self, budgets: &[Budget]) -> Result<(), PortError>;
}

/// Hashes and compares passwords, a few at a time: each takes much memory.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a password.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there are too many at the same time.
    async fn hash(&self, password: &SecretString) -> Result<StoredPassword, PortError>;

    /// Compares a password with one that is kept.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there are too many at the same time.
    async fn verify(
        &self,
        password: &SecretString,
        stored: &StoredPassword,
    ) -> Result<Verdict, PortError>;
}
