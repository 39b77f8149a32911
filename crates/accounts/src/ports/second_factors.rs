//! Second factors: where apps, recovery codes and passkeys are kept, and who asks authenticators.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use thiserror::Error;
use waggle_kernel::PortError;
use waggle_kernel::ids::{PasskeyId, SessionId, UserId};

use super::EndSessions;
use crate::auth_event::NewAuthEvent;
use crate::factors::stored_passkey::{NewPasskey, Passkey};
use crate::factors::totp::StoredTotp;
use crate::keys::SealedSecret;
use crate::people::user::User;
use crate::sessions::session::NewSession;
use crate::tokens::token::StoredHash;

/// A second factor that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewFactor {
    /// The app that was begun, of which this step of time is used up.
    Totp {
        /// The secret, sealed as it was found: another may have been begun since.
        secret: SealedSecret,
        /// The step, of 30 seconds each since 1970.
        step: i64,
    },
    /// A passkey.
    Passkey(NewPasskey),
}

/// What became of the secret of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotpBegun {
    /// It is kept, and waits to be confirmed.
    Kept,
    /// Nothing happened: there is an app that was confirmed.
    IsOn,
    /// Nothing happened: the secret is sealed with a key that is not the one in use any more.
    OldKey,
}

/// What became of a second factor that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is the first, and the recovery codes are kept with it.
    First,
    /// There are others; their recovery codes stay.
    Further,
    /// Nothing is kept: there is no such app that was begun, the passkey is somebody's already or one too many, the user is shut out, or the
    /// session that asks for it has ended.
    Refused,
}

/// A second factor that a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichFactor {
    /// The app, confirmed or not.
    Totp,
    /// One passkey.
    Passkey(PasskeyId),
    /// Everything.
    All,
}

/// What somebody showed, which can be shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A code of the app that belongs to this step of time.
    Step(i64),
    /// A recovery code.
    RecoveryCode(StoredHash),
    /// A passkey, which counts its uses.
    Passkey {
        /// Which.
        id: PasskeyId,
        /// What was kept of it.
        seen: Vec<u8>,
        /// What is to be kept of it.
        anew: Vec<u8>,
    },
}

/// Keeps second factors. What happens to them is written down in the same step, or it does not happen.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SecondFactorRepository: Send + Sync {
    /// Keeps the secret of an app that is not confirmed yet, in place of another such.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn begin_totp(
        &self,
        user: UserId,
        secret: &SealedSecret,
        now: DateTime<Utc>,
    ) -> Result<TotpBegun, PortError>;

    /// What is kept of the app of a user.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find_totp(&self, user: UserId) -> Result<Option<StoredTotp>, PortError>;

    /// Keeps a factor, and with the first one the recovery codes; the user counts as changed.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing happens.
    async fn add(
        &self,
        user: UserId,
        factor: &NewFactor,
        recovery_codes: &[StoredHash],
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<Added, PortError>;

    /// Removes a factor, and with the last one the recovery codes; the user counts as changed. `false`, and nothing happens, if there is
    /// no such factor, or the session that asks for it has ended. An app that was not confirmed is no factor.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing happens.
    async fn remove(
        &self,
        user: UserId,
        which: WhichFactor,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// Uses a proof up and keeps `session` in place of the one `from`, all in one step. `false`, and nothing happens, if the proof was
    /// used before or is none, if `from` has ended, or the user is shut out. Of several who come with the same proof at the same time
    /// one gets in.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing happens.
    async fn let_in(
        &self,
        from: SessionId,
        proof: &Proof,
        session: &NewSession,
        events: &[NewAuthEvent],
    ) -> Result<bool, PortError>;

    /// How many recovery codes a user has left.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn recovery_codes_left(&self, user: UserId) -> Result<u32, PortError>;

    /// Keeps recovery codes in place of those before; `false`, and nothing happens, if the user has no second factor or is shut out, or the
    /// session that asks for it has ended.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing happens.
    async fn renew_recovery_codes(
        &self,
        user: UserId,
        recovery_codes: &[StoredHash],
        asked_by: SessionId,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError>;

    /// The sealed secret of every app, for another key to be taken.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn totp_secrets(&self) -> Result<Vec<(UserId, SealedSecret)>, PortError>;

    /// Writes a secret that was sealed anew over the one `seen`; `false` if it is another by now.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn reseal_totp(
        &self,
        user: UserId,
        seen: &SealedSecret,
        anew: &SealedSecret,
    ) -> Result<bool, PortError>;
}

/// What an authenticator is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// A new passkey.
    Register,
    /// One that there is.
    Prove,
}

/// Keeps passkeys, and what authenticators were asked. They come and go by [`SecondFactorRepository`].
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PasskeyRepository: Send + Sync {
    /// The passkeys of a user, oldest first.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(&self, user: UserId) -> Result<Vec<Passkey>, PortError>;

    /// Keeps what is asked in a session, in place of what was asked before; `false` if the session has ended.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn ask(
        &self,
        session: SessionId,
        challenge: Challenge,
        state: &[u8],
        expires_at: DateTime<Utc>,
    ) -> Result<bool, PortError>;

    /// Takes what was asked in a session, unless its time is over; it is gone from then on. Of several who take it one gets it.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn take(
        &self,
        session: SessionId,
        challenge: Challenge,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<u8>>, PortError>;
}

/// What an authenticator is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What the browser hands to it: `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON`.
    pub options: Value,
    /// What has to be kept here until it answers, and is good for one answer.
    pub state: Vec<u8>,
}

/// A passkey that an authenticator made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// The id that the authenticator gave it.
    pub id: Vec<u8>,
    /// The public key and all that never changes, as the verifier writes it.
    pub key: Vec<u8>,
    /// What changes with each use, as the verifier writes it.
    pub state: Vec<u8>,
}

/// Why an authenticator cannot be asked, or its answer is not taken.
#[derive(Debug, Error)]
pub enum PasskeyError {
    /// Browsers have no passkeys for this place.
    #[error(
        "passkeys need PUBLIC_URL with a domain and TLS, such as https://waggle.example, or http://localhost"
    )]
    NotSetUp,
    /// The user has no passkey.
    #[error("there is no passkey to be asked for")]
    None,
    /// The answer is not right.
    #[error("the passkey's answer is not right")]
    Refused(String),
    /// It counted less uses than are known: there is a copy of it.
    #[error("this passkey may have been copied; remove it, and use another second factor")]
    Cloned,
    /// Something behind it is broken.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl PasskeyError {
    /// The reason for the record, cut: it may have words of the browser in it.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Refused(why) => why.chars().filter(|c| !c.is_control()).take(200).collect(),
            other => other.to_string(),
        }
    }
}

/// Asks authenticators, and checks what they answer. The browser's answers are as `PublicKeyCredential.toJSON()` has them
/// (<https://www.w3.org/TR/webauthn-3/#dom-publickeycredential-tojson>).
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait PasskeyVerifier: Send + Sync {
    /// Asks for a new passkey that is none of those at present.
    ///
    /// # Errors
    ///
    /// [`PasskeyError`].
    fn begin_registering(&self, user: &User, present: &[Passkey]) -> Result<Asked, PasskeyError>;

    /// The passkey that was made, if the answer fits what was asked.
    ///
    /// # Errors
    ///
    /// [`PasskeyError`].
    fn finish_registering(
        &self,
        user: &User,
        state: &[u8],
        answer: &Value,
    ) -> Result<NewCredential, PasskeyError>;

    /// Asks for one of the passkeys at present.
    ///
    /// # Errors
    ///
    /// [`PasskeyError`].
    fn begin_proving(&self, present: &[Passkey]) -> Result<Asked, PasskeyError>;

    /// The proof, if the answer fits what was asked and one of the passkeys.
    ///
    /// # Errors
    ///
    /// [`PasskeyError`].
    fn finish_proving(
        &self,
        user: &User,
        present: &[Passkey],
        state: &[u8],
        answer: &Value,
    ) -> Result<Proof, PasskeyError>;
}
