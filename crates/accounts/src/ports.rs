//! The ports of this domain: stores, mail, password hashing and identity providers.

mod second_factors;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use thiserror::Error;
use url::Url;
use waggle_kernel::ids::{SessionId, TokenId, UserId};
use waggle_kernel::{Page, PageRequest, PortError, Version};

use crate::auth_event::{AuthEvent, AuthEventFilter, NewAuthEvent};
use crate::codes::code::{NewVerification, Purpose, Verification};
use crate::google::identity::{GoogleIdentity, GoogleProfile, IdentityError, SignInSecrets};
use crate::google::return_to::ReturnTo;
use crate::mails::mail::{Mail, MailFailure, QueuedMail};
use crate::people::address::Address;
use crate::people::password::{StoredPassword, Verdict};
use crate::people::setup_link::SetUpEnded;
use crate::people::user::{Login, NewUser, User};
use crate::sessions::session::{NewSession, Session};
use crate::tokens::token::{ApiToken, NewApiToken, OwnedToken, StoredHash, TokensOnReset};

pub use self::second_factors::{
    Added, Asked, Challenge, NewCredential, NewFactor, PasskeyError, PasskeyRepository,
    PasskeyVerifier, Proof, SecondFactorRepository, TotpBegun, WhichFactor,
};
#[cfg(any(test, feature = "testing"))]
pub use self::second_factors::{
    MockPasskeyRepository, MockPasskeyVerifier, MockSecondFactorRepository,
};

/// Stores API tokens. Each change and its auth event are stored together or not at all.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait TokenRepository: Send + Sync {
    /// Stores a token.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there already is a token with the same public id.
    async fn insert(&self, token: &NewApiToken, event: &NewAuthEvent)
    -> Result<TokenId, PortError>;

    /// Stores a token that its owner requests in the session `asked_by`. Returns `None` and stores
    /// nothing if the session has ended or the owner is deactivated.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there already is a token with the same public id.
    async fn insert_own(
        &self,
        owner: UserId,
        token: &NewApiToken,
        asked_by: SessionId,
        event: &NewAuthEvent,
    ) -> Result<Option<TokenId>, PortError>;

    /// Stores a token if there is none at all, not even a revoked one; otherwise returns `None`. Of
    /// two concurrent calls, only one stores its token.
    async fn insert_first(
        &self,
        token: &NewApiToken,
        event: &NewAuthEvent,
    ) -> Result<Option<TokenId>, PortError>;

    /// Finds the token with this public id, even if it has expired or was revoked.
    async fn find(&self, public_id: &str) -> Result<Option<KnownToken>, PortError>;

    /// Lists the tokens of one user or all tokens, with their owners, oldest first.
    async fn list(&self, owner: Option<UserId>) -> Result<Vec<OwnedToken>, PortError>;

    /// Revokes the token with this public id at the time of `event`. If `owner` is given, the token
    /// must belong to that user. Returns `false` if there is no such live token.
    async fn revoke(
        &self,
        public_id: &str,
        owner: Option<UserId>,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Records that the token was used.
    async fn touch(&self, id: TokenId, now: DateTime<Utc>) -> Result<(), PortError>;
}

/// A stored token, with what is needed to authenticate its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownToken {
    pub token: ApiToken,
    /// The hash of the token's text.
    pub hash: StoredHash,
    /// The owner in the current state; `None` for tokens of the operator.
    pub owner: Option<User>,
}

/// Stores users. Each change and its auth event are stored together or not at all.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// Stores a user.
    ///
    /// # Errors
    ///
    /// [`InsertUserError::EmailTaken`] or [`InsertUserError::UsernameTaken`] if another user has
    /// the address or the name.
    async fn insert(&self, user: &NewUser, event: &NewAuthEvent)
    -> Result<UserId, InsertUserError>;

    /// Finds the user with this id.
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError>;

    /// Finds the user who signs in as `login`, with the password hash.
    async fn find_login(&self, login: &Login) -> Result<Option<(User, StoredPassword)>, PortError>;

    /// Returns whether any user has a password from Django, which takes much longer to verify.
    async fn any_imported_password(&self) -> Result<bool, PortError>;

    /// Returns a page of users, ordered by id.
    async fn list(&self, page: PageRequest) -> Result<Page<User>, PortError>;

    /// Saves `user` over the version that was read, ends the sessions given by `sessions`, and
    /// returns the new version.
    ///
    /// # Errors
    ///
    /// In both cases, nothing is changed.
    ///
    /// - [`SaveUserError::Stale`] if the stored version is another one.
    /// - [`SaveUserError::LastAdmin`] if no active user with all rights would be left.
    async fn save(
        &self,
        user: &User,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<Version, SaveUserError>;

    /// Returns the users whose super admin flag does not match the list: super admins without a
    /// verified address on it, and other users with one.
    async fn super_admin_changes(&self, list: &[Address]) -> Result<Vec<User>, PortError>;

    /// Sets or clears the super admin flag of `user` and ends all sessions. Returns `false` and
    /// changes nothing if the stored version is another one.
    async fn set_super_admin(
        &self,
        user: &User,
        is_super_admin: bool,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Replaces the password hash of a user and ends the sessions given by `sessions`. Returns
    /// `false` and changes nothing if `seen` is given and is not the stored hash, or if the session
    /// that requests the change has ended.
    async fn set_password(
        &self,
        id: UserId,
        seen: Option<StoredPassword>,
        password: &StoredPassword,
        sessions: EndSessions,
        event: Option<NewAuthEvent>,
    ) -> Result<bool, PortError>;
}

/// Creates the first admin by a one-time link.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SetupRepository: Send + Sync {
    /// Whether there is no user yet.
    async fn has_no_user(&self) -> Result<bool, PortError>;

    /// Whether this is the hash of the token of the current link, and it has not expired.
    async fn is_link(&self, token: &StoredHash, now: DateTime<Utc>) -> Result<bool, PortError>;

    /// Stores the hash of the token of a set-up link, in place of that of an earlier link. Returns
    /// `false` and stores nothing if there is a user.
    async fn store_link(
        &self,
        token: &StoredHash,
        expires_at: DateTime<Utc>,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Stores the first user and deletes the link, if the token is that of the link, which has not
    /// expired at the time of `event`, and there is no user. Of two concurrent calls, only one
    /// stores its user.
    async fn complete(
        &self,
        token: &StoredHash,
        user: &NewUser,
        event: &NewAuthEvent,
    ) -> Result<SetUpEnded, PortError>;
}

/// Which sessions of a user end with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndSessions {
    None,
    All,
    /// All except this one, which requests the change. If it has ended, nothing is changed.
    AllBut(SessionId),
}

/// Errors of [`UserRepository::insert`].
#[derive(Debug, Error)]
pub enum InsertUserError {
    #[error("another user already has this email address")]
    EmailTaken,
    #[error("another user already has this name")]
    UsernameTaken,
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Errors of [`UserRepository::save`].
#[derive(Debug, Error)]
pub enum SaveUserError {
    /// The user was changed concurrently.
    #[error("the user was changed in the meantime")]
    Stale,
    /// No active user with all rights would be left.
    #[error("this is the last active admin")]
    LastAdmin,
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Stores sessions. Each change and its auth event are stored together or not at all.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Stores a session, and the time of the sign-in unless the session is pending. Returns `None`
    /// and stores nothing if the user or the password has changed since they were read as `user`
    /// and `password`.
    async fn open(
        &self,
        session: &NewSession,
        user: &User,
        password: &StoredPassword,
        event: &NewAuthEvent,
    ) -> Result<Option<SessionId>, PortError>;

    /// Finds the session with this hash and its user, even if the session has expired or the user
    /// is deactivated.
    async fn find(&self, hash: &StoredHash) -> Result<Option<(Session, User)>, PortError>;

    /// Records that the session was used. A session that has ended stays ended.
    async fn touch(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        idle_until: DateTime<Utc>,
    ) -> Result<(), PortError>;

    /// Records that the user authenticated again at `now`. Returns `false` and changes nothing if
    /// the session has ended.
    async fn confirm(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Lists the sessions of a user that are live at `now`, newest first.
    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<Session>, PortError>;

    /// Ends a session of this user. Returns `false` if the user has no such session.
    async fn end(
        &self,
        user: UserId,
        id: SessionId,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Ends the sessions of a user given by `sessions`, and returns how many.
    async fn end_all(
        &self,
        user: UserId,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<u64, PortError>;
}

/// Stores auth events. Stored events are never changed.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait AuthEventRepository: Send + Sync {
    /// Stores an event about something that changed nothing else.
    async fn record(&self, event: &NewAuthEvent) -> Result<(), PortError>;

    /// Returns a page of events, newest first.
    async fn list(
        &self,
        filter: &AuthEventFilter,
        page: PageRequest,
    ) -> Result<Page<AuthEvent>, PortError>;
}

/// Stores mailed codes. Each effect of a code and its auth event are stored together or not at all.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait VerificationRepository: Send + Sync {
    /// Stores a code. It replaces an earlier code for the same purpose and address. Codes with
    /// which a user requests another address are kept separate from all others.
    async fn keep(
        &self,
        verification: &NewVerification,
        event: &NewAuthEvent,
    ) -> Result<(), PortError>;

    /// Finds the code of this flow and counts the attempt. Returns `None` if no code for `purpose`
    /// can be used at `now`, or it was tried [`MOST_TRIES`](crate::MOST_TRIES) times. Concurrent
    /// attempts are counted exactly.
    async fn attempt(
        &self,
        flow: &StoredHash,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Verification>, PortError>;

    /// Finds the code that was mailed with this link. Returns `None` if no code for `purpose` can
    /// be used at `now`.
    async fn find_link(
        &self,
        link: &StoredHash,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Verification>, PortError>;

    /// Applies `effect` and uses up the code of `flow`, in one step. Returns the user that it
    /// applies to. Without a flow, no code is used up.
    ///
    /// Returns `None` and does nothing if the code cannot be used any more at the time of `event`,
    /// the user is deactivated, gone or has another address, or the spared session has ended.
    ///
    /// # Errors
    ///
    /// In both cases, nothing is changed, and the code can be used again.
    ///
    /// - [`CarryOutError::AddressTaken`] if another user has the address or the Google account.
    /// - [`CarryOutError::UsernameTaken`] if another user has the user name.
    async fn carry_out(
        &self,
        flow: Option<StoredHash>,
        effect: &Effect,
        event: &NewAuthEvent,
    ) -> Result<Option<UserId>, CarryOutError>;
}

/// The effect of using a code.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Creates a user. Other codes for the address become invalid.
    MakeUser {
        user: NewUser,
        /// The Google account to link to the user.
        google: Option<GoogleIdentity>,
    },
    /// Sets the password and verifies the address. All sessions and other codes of the user end,
    /// and the Google account is unlinked.
    SetPassword {
        user: UserId,
        /// The address that the code was mailed to.
        address: Address,
        password: StoredPassword,
        /// Whether the API tokens are revoked.
        tokens: TokensOnReset,
    },
    /// Sets the address as verified. All sessions except one and all other codes of the user end.
    SetAddress {
        user: UserId,
        address: Address,
        /// The session that does not end.
        spared: SessionId,
    },
    /// Links a Google account to a user and verifies the address.
    LinkGoogle {
        user: UserId,
        /// The address that the code was mailed to.
        address: Address,
        google: GoogleIdentity,
    },
}

/// Errors of [`VerificationRepository::carry_out`].
#[derive(Debug, Error)]
pub enum CarryOutError {
    /// Another user has the address or the Google account.
    #[error("another user already has this email address")]
    AddressTaken,
    #[error("another user already has this name")]
    UsernameTaken,
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Identifies people: Google, or another OpenID Connect issuer.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// Returns the URL to send the browser to. The issuer offers accounts of `domain` first.
    ///
    /// # Errors
    ///
    /// - [`IdentityError::NotSetUp`] if signing in with Google is not configured.
    /// - [`IdentityError::Unreachable`] if the issuer does not answer.
    async fn address(
        &self,
        secrets: &SignInSecrets,
        domain: Option<String>,
    ) -> Result<Url, IdentityError>;

    /// Exchanges `code` for the profile of the person who signed in.
    ///
    /// # Errors
    ///
    /// - [`IdentityError::Refused`] if the token is invalid: its signature, issuer, audience or
    ///   time is wrong, or it was not issued for these `secrets`.
    /// - [`IdentityError::Unverified`] if the issuer has not verified the address.
    /// - [`IdentityError::NotSetUp`] if signing in with Google is not configured.
    /// - [`IdentityError::Unreachable`] if the issuer does not answer.
    async fn profile(
        &self,
        code: &str,
        secrets: &SignInSecrets,
    ) -> Result<GoogleProfile, IdentityError>;
}

/// Stores which Google account is linked to which user, and the sign-ins with Google that are under
/// way.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait GoogleAccounts: Send + Sync {
    /// Stores a sign-in that is under way, until `expires_at`.
    async fn begin(
        &self,
        hash: &StoredHash,
        return_to: &ReturnTo,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), PortError>;

    /// Removes a sign-in that is under way, and returns where to go afterwards. Returns `None` if
    /// there is none with this hash at `now`. Of concurrent calls, only one gets it.
    async fn take(
        &self,
        hash: &StoredHash,
        now: DateTime<Utc>,
    ) -> Result<Option<ReturnTo>, PortError>;

    /// Finds the user that a Google account is linked to, with the password hash.
    async fn find(
        &self,
        google: &GoogleIdentity,
    ) -> Result<Option<(User, StoredPassword)>, PortError>;

    /// Returns whether any Google account is linked to this user.
    async fn is_linked(&self, user: UserId) -> Result<bool, PortError>;
}

/// The mails that a process has leased from the queue.
#[derive(Debug, Default)]
pub struct ClaimedMails {
    pub mails: Vec<QueuedMail>,
    /// The ids of mails that could not be read and were given up, each with the reason.
    pub unreadable: Vec<(i64, String)>,
}

/// The queue of mails to be sent. Mails are added with
/// [`NewAuthEvent::mails`](crate::NewAuthEvent).
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait MailQueue: Send + Sync {
    /// Leases up to `most` mails that are due at `now`, until `until`. No other process gets them
    /// in the meantime. Expired mails are removed. An email that cannot be read is given up; the
    /// others are still returned.
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        most: u16,
    ) -> Result<ClaimedMails, PortError>;

    /// Removes an email that was sent.
    async fn sent(&self, id: i64) -> Result<(), PortError>;

    /// Returns an email to the queue until `at`, with the reason.
    async fn later(&self, id: i64, at: DateTime<Utc>, why: &NotSent) -> Result<(), PortError>;

    /// Stops trying to send an email, but keeps it for the operator to see.
    async fn give_up(&self, id: i64, why: &NotSent) -> Result<(), PortError>;
}

/// An attempt to send an email that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// The reason, in the mail server's words if it gave one.
    pub reason: String,
    /// Whether the email may have been sent anyway. Such outcomes are counted.
    pub is_unknown: bool,
}

/// Sends mails.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends an email. When this returns, the mail server has accepted it.
    ///
    /// # Errors
    ///
    /// [`MailFailure`], which says whether to try again.
    async fn send(&self, mail: &Mail) -> Result<(), MailFailure>;
}

/// Hashes and verifies passwords. Only a few are processed at the same time, because each takes
/// much memory.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a password.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there are too many requests at the same time.
    async fn hash(&self, password: &SecretString) -> Result<StoredPassword, PortError>;

    /// Verifies a password against a stored hash.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there are too many requests at the same time.
    async fn verify(
        &self,
        password: &SecretString,
        stored: &StoredPassword,
    ) -> Result<Verdict, PortError>;

    /// Waits until a verification that began at `since` would have finished, even with the slowest
    /// kind of hash.
    async fn even_out(&self, since: DateTime<Utc>);
}
