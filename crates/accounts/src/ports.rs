//! What this domain needs from outside.

mod second_factors;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use thiserror::Error;
use url::Url;
use waggle_kernel::ids::{SessionId, TokenId, UserId};
use waggle_kernel::{Page, PageRequest, PortError, Version};

use crate::auth_event::{AuthEvent, AuthEventFilter, NewAuthEvent};
use crate::budget::{Budget, Exhausted};
use crate::codes::code::{NewVerification, Purpose, Verification};
use crate::google::identity::{GoogleIdentity, GoogleProfile, IdentityError, SignInSecrets};
use crate::google::return_to::ReturnTo;
use crate::mails::mail::{Mail, MailFailure, QueuedMail};
use crate::people::address::Address;
use crate::people::password::{StoredPassword, Verdict};
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

/// Keeps API tokens. What happens to them is written down in the same step, or it does not happen.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait TokenRepository: Send + Sync {
    /// Keeps a token.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer, or has a token with the same public id.
    async fn insert(&self, token: &NewApiToken, event: &NewAuthEvent)
    -> Result<TokenId, PortError>;

    /// Keeps a token that its owner asks for in the session `asked_by`; `None`, and none is kept, if that has ended, or the owner is shut
    /// out.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer, or has a token with the same public id.
    async fn insert_own(
        &self,
        owner: UserId,
        token: &NewApiToken,
        asked_by: SessionId,
        event: &NewAuthEvent,
    ) -> Result<Option<TokenId>, PortError>;

    /// Keeps a token if there is none at all, revoked ones included; `None` if there was one. Of two calls
    /// at the same moment, one keeps its token.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn insert_first(
        &self,
        token: &NewApiToken,
        event: &NewAuthEvent,
    ) -> Result<Option<TokenId>, PortError>;

    /// The token with this public id, whatever became of it.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(&self, public_id: &str) -> Result<Option<KnownToken>, PortError>;

    /// The tokens of a user, or all, oldest first, with their owners.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(&self, owner: Option<UserId>) -> Result<Vec<OwnedToken>, PortError>;

    /// Ends the token with this public id, whosever it is or that of `owner`, at the time of `event`; `false` if there is none that
    /// lives.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then it goes on.
    async fn revoke(
        &self,
        public_id: &str,
        owner: Option<UserId>,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Writes down that the token was shown.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn touch(&self, id: TokenId, now: DateTime<Utc>) -> Result<(), PortError>;
}

/// A token that is kept, and what is needed to let its bearer in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownToken {
    /// The token.
    pub token: ApiToken,
    /// The hash of its text.
    pub hash: StoredHash,
    /// Whose it is, as they are now.
    pub owner: Option<User>,
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

    /// Whether anybody has a password that came from Django, which takes much longer to compare.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn any_imported_password(&self) -> Result<bool, PortError>;

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

    /// Those whom the list of super admins changes: who has the right and no verified address on it, or the other way round.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn super_admin_changes(&self, list: &[Address]) -> Result<Vec<User>, PortError>;

    /// Makes `user` a super admin, or not one any more, and ends all sessions; `false`, and nothing is changed, if the store has
    /// another version.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is changed.
    async fn set_super_admin(
        &self,
        user: &User,
        is_super_admin: bool,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

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
    /// All but this one, which asked for the change. If it has ended meanwhile, there is no change.
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

    /// Writes down that somebody proved at `now` who they are; `false`, and nothing is changed, if the session has ended.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is changed.
    async fn confirm(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

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

    /// Counts from the start again.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn forget(&self, keys: &[String]) -> Result<(), PortError>;
}

impl dyn Limits {
    /// Gives `budgets` back where `done` is an error: what could not be looked at is nobody's
    /// failure.
    pub(crate) async fn unless_failed<T, E>(
        &self,
        budgets: &[Budget],
        done: Result<T, E>,
    ) -> Result<T, E> {
        if done.is_err() {
            // The error that is returned says what is wrong.
            let _ = self.give_back(budgets).await;
        }
        done
    }
}

/// Keeps codes that were mailed. What happens because of them is written down in the same step, or it does not happen.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait VerificationRepository: Send + Sync {
    /// Keeps a code in place of the one for the same purpose and address; those that a user asked for, to have another address, are
    /// apart from all others.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then the older one stays.
    async fn keep(
        &self,
        verification: &NewVerification,
        event: &NewAuthEvent,
    ) -> Result<(), PortError>;

    /// The code of this flow, of which this is one try more; `None` if there is none for `purpose` that can be used at `now`,
    /// or it was tried [`MOST_TRIES`](crate::MOST_TRIES) times. Exact, however many try at the same time.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn attempt(
        &self,
        flow: &StoredHash,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Verification>, PortError>;

    /// The code that was mailed with this link; `None` if there is none for `purpose` that can be used at `now`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find_link(
        &self,
        link: &StoredHash,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Verification>, PortError>;

    /// Makes `effect` true and uses the code of `flow` up, in one step, and returns whom it happened to. `None`, and nothing
    /// happens, if the code cannot be used any more at the time of `event`, or its user is shut out, gone or has another
    /// address. Without a flow there is no code to be used up.
    ///
    /// # Errors
    ///
    /// [`CarryOutError`]; then nothing happens, and the code can be used again.
    async fn carry_out(
        &self,
        flow: Option<StoredHash>,
        effect: &Effect,
        event: &NewAuthEvent,
    ) -> Result<Option<UserId>, CarryOutError>;
}

/// What becomes true when a code is used.
#[derive(Debug, Clone)]
pub enum Effect {
    /// There is a user more; other codes for the address end.
    MakeUser {
        /// Who.
        user: NewUser,
        /// The Google account that opens the user.
        google: Option<GoogleIdentity>,
    },
    /// A user has another password and a verified address; all sessions and other codes of the user end, and no Google account opens
    /// the user any more.
    SetPassword {
        /// Who.
        user: UserId,
        /// The address that the code was mailed to.
        address: Address,
        /// The password.
        password: StoredPassword,
        /// What becomes of the API tokens.
        tokens: TokensOnReset,
    },
    /// A user has this address, which is verified; all sessions but one, and other codes of the user, end.
    SetAddress {
        /// Who.
        user: UserId,
        /// The address.
        address: Address,
        /// The session that goes on.
        spared: SessionId,
    },
    /// A Google account opens a user, whose address is verified thereby.
    LinkGoogle {
        /// Who.
        user: UserId,
        /// The address that the code was mailed to.
        address: Address,
        /// The Google account.
        google: GoogleIdentity,
    },
}

/// Why an effect did not come about.
#[derive(Debug, Error)]
pub enum CarryOutError {
    /// Somebody has the address, or the Google account.
    #[error("there is a user with this mail address")]
    AddressTaken,
    /// Somebody has the name.
    #[error("there is a user with this name")]
    UsernameTaken,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Says who somebody is: Google, or another issuer of OpenID Connect.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// Where somebody is sent to; accounts of `domain` are offered first.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NotSetUp`], [`IdentityError::Port`] if the issuer does not answer.
    async fn address(
        &self,
        secrets: &SignInSecrets,
        domain: Option<String>,
    ) -> Result<Url, IdentityError>;

    /// Who it is that came back with `code`.
    ///
    /// # Errors
    ///
    /// - [`IdentityError::Refused`] unless the token is right: its signature, who issued it, for whom, when, and that it was issued
    ///   because of these `secrets`.
    /// - [`IdentityError::Unverified`] unless the issuer has verified the address.
    /// - [`IdentityError::NotSetUp`], [`IdentityError::Port`] if the issuer does not answer.
    async fn profile(
        &self,
        code: &str,
        secrets: &SignInSecrets,
    ) -> Result<GoogleProfile, IdentityError>;
}

/// Knows which Google account opens which user, and who is on the way to Google.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait GoogleAccounts: Send + Sync {
    /// Keeps until `expires_at` that somebody is on the way.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn begin(
        &self,
        hash: &StoredHash,
        return_to: &ReturnTo,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), PortError>;

    /// Takes that away, and returns where they wanted to go; `None` if nobody is on the way with this hash at `now`. Of several who ask
    /// at the same time one gets it.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn take(
        &self,
        hash: &StoredHash,
        now: DateTime<Utc>,
    ) -> Result<Option<ReturnTo>, PortError>;

    /// The user whom a Google account opens, and the password.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(
        &self,
        google: &GoogleIdentity,
    ) -> Result<Option<(User, StoredPassword)>, PortError>;

    /// Whether some Google account opens this user.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn is_linked(&self, user: UserId) -> Result<bool, PortError>;
}

/// What a process has claimed of the queue of mails.
#[derive(Debug, Default)]
pub struct ClaimedMails {
    /// The mails.
    pub mails: Vec<QueuedMail>,
    /// The ids of those that could not be read and were given up, each with the reason.
    pub unreadable: Vec<(i64, String)>,
}

/// Where mails wait for the mail server. They come in by [`NewAuthEvent::mails`](crate::NewAuthEvent).
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait MailQueue: Send + Sync {
    /// Leases up to `most` mails that are due at `now`, until `until`; no other process gets them
    /// meanwhile. Those that are of no use any more are removed. One that cannot be read is given
    /// up alone and does not keep the others.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        most: u16,
    ) -> Result<ClaimedMails, PortError>;

    /// Removes a mail that was taken.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn sent(&self, id: i64) -> Result<(), PortError>;

    /// Puts a mail back until `at`, with the reason.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn later(&self, id: i64, at: DateTime<Utc>, why: &NotSent) -> Result<(), PortError>;

    /// Keeps a mail for the operator to see, and tries it no more.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn give_up(&self, id: i64, why: &NotSent) -> Result<(), PortError>;
}

/// How a try to send a mail ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// Why, in the mail server's words where it said something.
    pub reason: String,
    /// Whether the mail may have gone out all the same. Such ends are counted.
    pub is_unknown: bool,
}

/// Brings mails out of the house.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail over; when it returns the mail server has it.
    ///
    /// # Errors
    ///
    /// [`MailFailure`], which says whether to try again.
    async fn send(&self, mail: &Mail) -> Result<(), MailFailure>;
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

    /// Waits until every comparison that began at `since` would have ended, however slow its hash is.
    async fn even_out(&self, since: DateTime<Utc>);
}
