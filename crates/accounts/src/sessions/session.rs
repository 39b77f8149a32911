//! Sessions of signed-in users, and their tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use waggle_kernel::ids::{SessionId, UserId};

use crate::auth_event::Client;
use crate::tokens::token::StoredHash;

/// The prefix of session tokens, by which secret scanners can find them.
const PREFIX: &str = "wgs_";

/// A well-formed session token from a request; it is not verified yet.
pub struct PresentedSession(StoredHash);

impl PresentedSession {
    /// Parses a token. Returns `None` unless `text` has exactly the format of one.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = text.strip_prefix(PREFIX)?;
        let is_base64url = secret.len() == 43
            && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        is_base64url.then(|| Self(StoredHash(Sha256::digest(text).into())))
    }

    /// Returns the hash by which the session is found. The token has 256 random bits, so a
    /// constant-time comparison is not needed.
    pub const fn hash(&self) -> &StoredHash {
        &self.0
    }
}

/// The lifetime of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLife {
    /// How long a session lasts without being used.
    pub idle: Duration,
    /// How long a session lasts at most.
    pub absolute: Duration,
}

/// A session to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The hash of the token.
    pub hash: StoredHash,
    pub user: UserId,
    /// The client that opened the session.
    pub client: Client,
    pub created_at: DateTime<Utc>,
    pub life: SessionLife,
    /// Whether the session gives no access until the second factor is proved.
    pub is_pending: bool,
}

impl NewSession {
    /// Creates a session from random bytes. Returns it with its token, which cannot be recovered
    /// later.
    pub fn make(
        chance: &[u8; 32],
        user: UserId,
        client: Client,
        now: DateTime<Utc>,
        life: SessionLife,
    ) -> (Self, SecretString) {
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(chance));
        let hash = StoredHash(Sha256::digest(&text).into());
        (Self { hash, user, client, created_at: now, life, is_pending: false }, text.into())
    }
}

/// A stored session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Not a secret.
    pub id: SessionId,
    pub user: UserId,
    pub created_at: DateTime<Utc>,
    /// When the user last authenticated.
    pub authenticated_at: DateTime<Utc>,
    /// When the session was last used, to the minute.
    pub last_used_at: DateTime<Utc>,
    /// When the session ends if it is not used.
    pub idle_until: DateTime<Utc>,
    /// When the session ends in any case.
    pub ends_at: DateTime<Utc>,
    /// The address of the client that opened the session.
    pub ip: String,
    /// The browser that opened the session.
    pub user_agent: String,
    /// Whether the session gives no access until the second factor is proved.
    pub is_pending: bool,
}

impl Session {
    /// Returns whether the session has not ended at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        now < self.idle_until && now < self.ends_at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    proptest! {
        #[test]
        fn a_new_session_token_is_recognized(chance: [u8; 32]) {
            let life = SessionLife { idle: Duration::hours(1), absolute: Duration::days(1) };
            let (session, text) = NewSession::make(
                &chance, UserId::new(1), Client::default(), DateTime::UNIX_EPOCH, life,
            );

            let presented = PresentedSession::parse(text.expose_secret()).unwrap();

            prop_assert_eq!(presented.hash(), &session.hash);
            prop_assert!(PresentedSession::parse(&text.expose_secret()[1..]).is_none());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,60}") {
            let _ = PresentedSession::parse(&text);
        }
    }
}
