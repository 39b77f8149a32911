//! A second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.
//!
//! ```text
//! begin ──▶ the app shows codes ──▶ confirm: on from now, recovery codes are shown once
//! first proof ──▶ a session that opens nothing ──▶ prove ──▶ a session
//! ```

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use totp_rs::{Builder, Secret, Totp};
use url::Url;
use waggle_kernel::{Actor, Clock, Entropy, Forbidden, PortError, Scope};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::keys::{SealedSecret, ServerKeys};
use crate::limits::FACTOR_USER;
use crate::mail::{Letter, NewMail};
use crate::policy::AccountPolicy;
use crate::ports::{
    AuthEventRepository, EndSessions, Exhausted, Limits, SecondFactorRepository, SessionRepository,
};
use crate::session::NewSession;
use crate::sessions::{NotRecent, Visitor};
use crate::sign_in::SignedIn;
use crate::token::StoredHash;
use crate::user::User;

/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
/// The letters of recovery codes: Base32, which has none that look alike (RFC 4648, 6).
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What is kept of an authenticator app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTotp {
    /// The secret, sealed.
    pub secret: SealedSecret,
    /// Whether the user has shown that the app has it.
    pub is_confirmed: bool,
}

/// What an app needs to show codes. Printing it takes a deliberate act.
pub struct NewTotp {
    /// The secret in Base32, to be typed in.
    pub secret: SecretString,
    /// The same as `otpauth://...`, to be shown as a QR code.
    pub url: SecretString,
}

/// Sets second factors up and asks for them.
pub struct SecondFactor {
    /// Where they are kept.
    pub factors: Arc<dyn SecondFactorRepository>,
    /// Who is in.
    pub sessions: Arc<dyn SessionRepository>,
    /// What happened.
    pub events: Arc<dyn AuthEventRepository>,
    /// How often.
    pub limits: Arc<dyn Limits>,
    /// Seals the secrets.
    pub keys: Arc<dyn ServerKeys>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives chance.
    pub entropy: Arc<dyn Entropy>,
}

impl SecondFactor {
    /// Makes a secret for an app; it is of no effect before [`confirm`](Self::confirm).
    ///
    /// # Errors
    ///
    /// [`SecondFactorError`]; [`SecondFactorError::IsOn`] if there is a second factor already.
    pub async fn begin(
        &self,
        visitor: &Visitor,
        policy: &AccountPolicy,
    ) -> Result<NewTotp, SecondFactorError> {
        let (user, now) = (&visitor.user, self.clock.now());
        visitor.require_recent(now, policy.recent)?;
        if user.has_second_factor {
            return Err(SecondFactorError::IsOn);
        }
        let chance = self.entropy.bytes()?;
        let (bytes, _) = chance.split_at(20);
        let totp = totp(bytes, user.email.as_str())?;
        let sealed = self.keys.seal(&place(user), &kept(bytes))?;
        if !self.factors.keep(user.id, &sealed, now).await? {
            return Err(SecondFactorError::IsOn);
        }
        let url = totp.to_url().map_err(|_| broken())?;
        let parsed: Url = url.parse().map_err(|_| broken())?;
        let secret = parsed.query_pairs().find(|(name, _)| name == "secret");
        let secret = secret.map(|(_, secret)| secret.into_owned()).ok_or_else(broken)?;
        Ok(NewTotp { secret: secret.into(), url: url.into() })
    }

    /// Switches the second factor on, if `code` shows that the app has the secret. All other sessions end, and the owner is told.
    /// Returns the recovery codes, which cannot be had again.
    ///
    /// # Errors
    ///
    /// [`SecondFactorError`]; then it stays off.
    pub async fn confirm(
        &self,
        visitor: &Visitor,
        code: &str,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Vec<SecretString>, SecondFactorError> {
        let (user, now) = (&visitor.user, self.clock.now());
        let stored = self.factors.find(user.id).await?.filter(|stored| !stored.is_confirmed);
        let stored = stored.ok_or(SecondFactorError::NotBegun)?;
        let budget = [policy.limits.budget(&FACTOR_USER, &user.id.to_string())];
        if let Some(exhausted) = self.limits.take(&budget, now).await? {
            return Err(SecondFactorError::Limited(exhausted));
        }
        let step = self.step(user, &stored, code, now)?.ok_or(SecondFactorError::Refused)?;
        self.limits.give_back(&budget).await?;
        let mut codes = Vec::with_capacity(RECOVERY_CODES);
        for _ in 0..RECOVERY_CODES {
            codes.push(recovery_code(&self.entropy.bytes()?));
        }
        let hashes: Vec<StoredHash> = codes.iter().map(|code| hash(code.expose_secret())).collect();
        let event =
            self.told(EventKind::FactorAdded, user, client, "an authenticator app was set up");
        let others = EndSessions::AllBut(visitor.session.id);
        if self.factors.switch_on(user.id, step, &hashes, others, &event).await? {
            Ok(codes)
        } else {
            Err(SecondFactorError::NotBegun)
        }
    }

    /// Switches the second factor off.
    ///
    /// # Errors
    ///
    /// [`SecondFactorError`]; then it stays.
    pub async fn remove(
        &self,
        visitor: &Visitor,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), SecondFactorError> {
        let user = &visitor.user;
        visitor.require_recent(self.clock.now(), policy.recent)?;
        let event = self.told(EventKind::FactorRemoved, user, client, "it was switched off");
        let others = EndSessions::AllBut(visitor.session.id);
        if self.factors.switch_off(user.id, others, &event).await? {
            Ok(())
        } else {
            Err(SecondFactorError::NotBegun)
        }
    }

    /// Switches somebody's second factor off, for the operator: the app and the recovery codes are lost.
    ///
    /// # Errors
    ///
    /// [`SecondFactorError`]; then it stays.
    pub async fn remove_for(&self, actor: &Actor, user: &User) -> Result<(), SecondFactorError> {
        actor.require(Scope::Admin)?;
        let (kind, client) = (EventKind::FactorRemoved, Client::default());
        let mut event = self.told(kind, user, &client, "the operator switched it off");
        event.actor = actor.to_string();
        if self.factors.switch_off(user.id, EndSessions::All, &event).await? {
            Ok(())
        } else {
            Err(SecondFactorError::NotBegun)
        }
    }

    /// How many recovery codes the visitor has left.
    ///
    /// # Errors
    ///
    /// [`SecondFactorError::Port`].
    pub async fn recovery_codes_left(&self, visitor: &Visitor) -> Result<u32, SecondFactorError> {
        Ok(self.factors.recovery_codes_left(visitor.user.id).await?)
    }

    /// Lets somebody in whose session opens nothing yet, by a code of the app or a recovery code; each is good for once. The session
    /// is another from then on.
    ///
    /// # Errors
    ///
    /// [`SecondFactorError`]; then the session goes on opening nothing.
    pub async fn prove(
        &self,
        visitor: &Visitor,
        code: &str,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<SignedIn, SecondFactorError> {
        let (user, now) = (&visitor.user, self.clock.now());
        let budget = [policy.limits.budget(&FACTOR_USER, &user.id.to_string())];
        if let Some(exhausted) = self.limits.take(&budget, now).await? {
            return Err(SecondFactorError::Limited(exhausted));
        }
        let stored = self.factors.find(user.id).await?.filter(|stored| stored.is_confirmed);
        let stored = stored.ok_or(SecondFactorError::NotBegun)?;
        let typed: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let used = match self.step(user, &stored, &typed, now)? {
            Some(step) => self.factors.use_step(user.id, step).await?.then_some("totp"),
            None => {
                let event =
                    self.told(EventKind::RecoveryUsed, user, client, "a recovery code was used");
                let used = self.factors.use_recovery_code(user.id, &hash(&typed), &event).await?;
                used.then_some("recovery code")
            }
        };
        let Some(method) = used else {
            let event = NewAuthEvent::of_user(EventKind::FactorFailure, user, client, now);
            self.events.record(&event).await?;
            return Err(SecondFactorError::Refused);
        };
        self.limits.give_back(&budget).await?;
        let life = policy.sign_in.life(user);
        let chance = self.entropy.bytes()?;
        let (session, token) = NewSession::make(&chance, user.id, client.clone(), now, life);
        let mut event = NewAuthEvent::of_user(EventKind::LoginSuccess, user, client, now);
        event.metadata = json!({ "method": method });
        let opened = self.sessions.complete(visitor.session.id, &session, &event).await?;
        opened.ok_or(SecondFactorError::Refused)?;
        Ok(SignedIn { user: user.clone(), token, ends_at: now + life.absolute, is_complete: true })
    }

    /// Seals every secret anew with the newest key, and returns how many.
    ///
    /// # Errors
    ///
    /// [`SecondFactorError`] if one does not open; those before it are sealed anew.
    pub async fn reseal(&self, actor: &Actor) -> Result<u32, SecondFactorError> {
        actor.require(Scope::Admin)?;
        let mut count = 0;
        for (user, stored) in self.factors.all().await? {
            let place = format!("totp {user}");
            let anew = self.keys.seal(&place, &self.keys.open(&place, &stored)?)?;
            if anew.key != stored.key && self.factors.replace(user, &stored, &anew).await? {
                count += 1;
            }
        }
        Ok(count)
    }

    /// The step of time that `code` belongs to, if it is one of the app.
    fn step(
        &self,
        user: &User,
        stored: &StoredTotp,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>, SecondFactorError> {
        let secret = self.keys.open(&place(user), &stored.secret)?;
        let bytes = bytes(&secret).ok_or_else(broken)?;
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        let step = totp(&bytes, user.email.as_str())?.check(code, seconds);
        Ok(step.and_then(|step| i64::try_from(step).ok()))
    }

    fn told(&self, kind: EventKind, user: &User, client: &Client, what: &str) -> NewAuthEvent {
        let now = self.clock.now();
        let letter = Letter::SecondFactorChanged { what: what.to_owned() };
        let mails = vec![NewMail::notice(user.email.clone(), letter, now)];
        NewAuthEvent { mails, ..NewAuthEvent::of_user(kind, user, client, now) }
    }
}

/// Where a secret opens: with its user.
fn place(user: &User) -> String {
    format!("totp {}", user.id)
}

/// A secret as it is sealed, and back.
fn kept(bytes: &[u8]) -> SecretString {
    URL_SAFE_NO_PAD.encode(bytes).into()
}

fn bytes(kept: &SecretString) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(kept.expose_secret()).ok()
}

/// Six digits, every 30 seconds, by SHA-1: what every app understands. One step before and after counts, too (RFC 6238, 5.2).
fn totp(secret: &[u8], account: &str) -> Result<Totp, SecondFactorError> {
    let built = Builder::new()
        .with_secret(Secret::new(secret.into()))
        .with_account_name(account)
        .with_issuer(Some("Waggle"))
        .build();
    built.map_err(|_| broken())
}

fn broken() -> SecondFactorError {
    PortError::broken("reading a second factor", "the secret makes no sense").into()
}

/// 16 letters, 80 bits: what nobody guesses may be kept as a hash without a key.
fn recovery_code(chance: &[u8; 32]) -> SecretString {
    let letters = chance.iter().take(16).filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
    let mut code = String::with_capacity(19);
    for (index, letter) in letters.enumerate() {
        if index > 0 && index % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(*letter));
    }
    code.into()
}

fn hash(code: &str) -> StoredHash {
    let typed: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    StoredHash(Sha256::digest(typed.to_ascii_lowercase()).into())
}

/// Why that could not be done.
#[derive(Debug, Error)]
pub enum SecondFactorError {
    /// The actor may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// It is long ago that somebody proved who they are.
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    /// There is one already.
    #[error("there is a second factor already; switch it off first")]
    IsOn,
    /// There is none, or none that was begun.
    #[error("there is no second factor to do that with")]
    NotBegun,
    /// The code is wrong, or was used before.
    #[error("the code is wrong, or was used before")]
    Refused,
    /// It was wrong too often.
    #[error("there were too many wrong codes; try again later")]
    Limited(Exhausted),
    /// Something behind it could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, the last six of its eight digits.
        let totp = totp(b"12345678901234567890", "joe@hive.example").unwrap();

        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            assert_eq!(totp.check(code, seconds), Some(seconds / 30));
            assert!(totp.check(code, seconds + 90).is_none());
        }
    }

    #[test]
    fn recovery_codes_are_read_however_they_are_typed() {
        let code = recovery_code(&[33; 32]);

        assert_eq!(code.expose_secret(), "bbbb-bbbb-bbbb-bbbb");
        assert_eq!(hash("BBBBbbbb bbbb-bbbb"), hash(code.expose_secret()));
        assert_ne!(hash("cbbb-bbbb-bbbb-bbbb"), hash(code.expose_secret()));
    }
}
