//! The ports of second factors: stores for apps, recovery codes and passkeys, and the verifier of
//! passkeys.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use thiserror::Error;
use waggle_kernel::ids::{PasskeyId, SessionId, UserId};
use waggle_kernel::{PortError, SealedSecret};

use super::EndSessions;
use crate::auth_event::NewAuthEvent;
use crate::factors::stored_passkey::{NewPasskey, Passkey};
use crate::factors::totp::StoredTotp;
use crate::people::user::User;
use crate::sessions::session::NewSession;
use crate::tokens::token::StoredHash;

/// A second factor to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewFactor {
    /// An app that was begun. The codes up to this time step are used up.
    Totp {
        /// The sealed secret as it was read; another one may have been begun since.
        secret: SealedSecret,
        /// The time step: the number of 30-second steps since 1970.
        step: i64,
    },
    Passkey(NewPasskey),
}

/// The result of storing the secret of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotpBegun {
    /// The secret is stored and waits to be confirmed.
    Kept,
    /// Nothing was stored, because there is a confirmed app.
    IsOn,
    /// Nothing was stored, because the secret is sealed with a key that is no longer in use.
    OldKey,
}

/// The result of adding a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is the first factor, and the recovery codes were stored with it.
    First,
    /// There are other factors, whose recovery codes stay.
    Further,
    /// Nothing was stored: no such app was begun, the passkey already belongs to a user or is one
    /// too many, the user is deactivated, or the session that requests it has ended.
    Refused,
}

/// A selection of a user's second factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichFactor {
    /// The app, confirmed or not.
    Totp,
    Passkey(PasskeyId),
    All,
}

/// A proof of having a second factor. Each proof is accepted once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// An app code of this time step.
    Step(i64),
    RecoveryCode(StoredHash),
    /// An answer of a passkey, which counts its uses.
    Passkey {
        id: PasskeyId,
        /// The stored state that was verified against.
        seen: Vec<u8>,
        /// The state to store in its place.
        renewed: Vec<u8>,
    },
}

/// Stores second factors. Each change and its auth event are stored together or not at all.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SecondFactorRepository: Send + Sync {
    /// Stores the secret of an app that is not confirmed yet, in place of an earlier unconfirmed
    /// one.
    async fn begin_totp(
        &self,
        user: UserId,
        secret: &SealedSecret,
        now: DateTime<Utc>,
    ) -> Result<TotpBegun, PortError>;

    /// Finds the stored app of a user.
    async fn find_totp(&self, user: UserId) -> Result<Option<StoredTotp>, PortError>;

    /// Stores a factor, and the recovery codes if it is the first factor. The user's version
    /// increases.
    async fn add(
        &self,
        user: UserId,
        factor: &NewFactor,
        recovery_codes: &[StoredHash],
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<Added, PortError>;

    /// Removes a factor, and the recovery codes with the last factor. The user's version increases.
    /// Returns `false` and changes nothing if there is no such factor, or the session that requests
    /// it has ended. An unconfirmed app is not a factor.
    async fn remove(
        &self,
        user: UserId,
        which: WhichFactor,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Uses up a proof and stores `session` in place of the session `from`, in one step. Returns
    /// `false` and changes nothing if the proof was used before or is invalid, `from` has ended, or
    /// the user is deactivated. Of concurrent calls with the same proof, only one succeeds.
    async fn let_in(
        &self,
        from: SessionId,
        proof: &Proof,
        session: &NewSession,
        events: &[NewAuthEvent],
    ) -> Result<bool, PortError>;

    /// Returns how many unused recovery codes a user has.
    async fn recovery_codes_left(&self, user: UserId) -> Result<u32, PortError>;

    /// Replaces the recovery codes of a user. Returns `false` and changes nothing if the user has
    /// no second factor or is deactivated, or the session that requests it has ended.
    async fn renew_recovery_codes(
        &self,
        user: UserId,
        recovery_codes: &[StoredHash],
        asked_by: SessionId,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Returns the sealed secrets of all apps, for resealing them with another key.
    async fn totp_secrets(&self) -> Result<Vec<(UserId, SealedSecret)>, PortError>;

    /// Replaces the sealed secret `seen` with the resealed one. Returns `false` if the stored
    /// secret is another one.
    async fn reseal_totp(
        &self,
        user: UserId,
        seen: &SealedSecret,
        renewed: &SealedSecret,
    ) -> Result<bool, PortError>;
}

/// The kind of challenge for an authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// Register a new passkey.
    Register,
    /// Prove to have an existing passkey.
    Prove,
}

/// Stores passkeys and the challenges for authenticators. Passkeys are added and removed with
/// [`SecondFactorRepository`].
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PasskeyRepository: Send + Sync {
    /// Lists the passkeys of a user, oldest first.
    async fn list(&self, user: UserId) -> Result<Vec<Passkey>, PortError>;

    /// Stores the challenge of a session, in place of an earlier one. Returns `false` if the
    /// session has ended.
    async fn ask(
        &self,
        session: SessionId,
        challenge: Challenge,
        state: &[u8],
        expires_at: DateTime<Utc>,
    ) -> Result<bool, PortError>;

    /// Removes and returns the challenge of a session, unless it has expired. Of concurrent calls,
    /// only one gets it.
    async fn take(
        &self,
        session: SessionId,
        challenge: Challenge,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<u8>>, PortError>;
}

/// A challenge for an authenticator.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The options for the browser: `PublicKeyCredentialCreationOptionsJSON` or
    /// `PublicKeyCredentialRequestOptionsJSON`.
    pub options: Value,
    /// The state to store until the authenticator answers. It is valid for one answer.
    pub state: Vec<u8>,
}

/// A passkey that an authenticator created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// The id that the authenticator chose.
    pub id: Vec<u8>,
    /// The public key and everything else that never changes, in the verifier's encoding.
    pub key: Vec<u8>,
    /// The part that changes with each use, in the verifier's encoding.
    pub state: Vec<u8>,
}

/// Errors of [`PasskeyVerifier`].
#[derive(Debug, Error)]
pub enum PasskeyError {
    /// Browsers do not support passkeys for this URL.
    #[error(
        "to use passkeys, set PUBLIC_URL to a domain with TLS, such as https://waggle.example, or \
         to http://localhost"
    )]
    NotSetUp,
    #[error("you have no passkey")]
    None,
    /// The answer is wrong; this is the reason.
    #[error("the passkey could not be verified")]
    Refused(String),
    /// The signature counter is lower than expected: the passkey was copied.
    #[error("this passkey may have been copied; remove it, and use another second factor")]
    Cloned,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl PasskeyError {
    /// Returns the reason for the audit log, truncated, because it may contain text from the
    /// browser.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Refused(why) => why.chars().filter(|c| !c.is_control()).take(200).collect(),
            other => other.to_string(),
        }
    }
}

/// Creates challenges for authenticators and verifies their answers. The browser's answers have the
/// format of `PublicKeyCredential.toJSON()`
/// (<https://www.w3.org/TR/webauthn-3/#dom-publickeycredential-tojson>).
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait PasskeyVerifier: Send + Sync {
    /// Creates a challenge for registering a passkey that is not in `present`.
    fn begin_registering(&self, user: &User, present: &[Passkey]) -> Result<Asked, PasskeyError>;

    /// Verifies the answer to the challenge, and returns the new passkey.
    fn finish_registering(
        &self,
        user: &User,
        state: &[u8],
        answer: &Value,
    ) -> Result<NewCredential, PasskeyError>;

    /// Creates a challenge for one of the passkeys in `present`.
    fn begin_proving(&self, present: &[Passkey]) -> Result<Asked, PasskeyError>;

    /// Verifies the answer to the challenge with one of the passkeys in `present`, and returns the
    /// proof.
    fn finish_proving(
        &self,
        user: &User,
        present: &[Passkey],
        state: &[u8],
        answer: &Value,
    ) -> Result<Proof, PasskeyError>;
}
