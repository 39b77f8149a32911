//! Sessions: people who are signed in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use waggle_kernel::ids::{SessionId, UserId};

use crate::auth_event::Client;
use crate::tokens::token::StoredHash;

/// What the token begins with, so that scanners know it.
const PREFIX: &str = "wgs_";

/// The token of a session as a browser shows it: well formed, but not yet known to be right.
pub struct PresentedSession(StoredHash);

impl PresentedSession {
    /// Reads a token; `None` unless `text` has the form of one, exactly.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = text.strip_prefix(PREFIX)?;
        let is_base64url = secret.len() == 43
            && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        is_base64url.then(|| Self(StoredHash(Sha256::digest(text).into())))
    }

    /// The hash by which the session is found. 256 random bits need no comparing in constant time.
    pub const fn hash(&self) -> &StoredHash {
        &self.0
    }
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLife {
    /// Without anything being done.
    pub idle: Duration,
    /// Whatever is done.
    pub absolute: Duration,
}

/// A session that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The hash of its token.
    pub hash: StoredHash,
    /// Whose it is.
    pub user: UserId,
    /// From where it was opened.
    pub client: Client,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// How long it lasts.
    pub life: SessionLife,
    /// Whether it opens nothing before the second factor was shown.
    pub is_pending: bool,
}

impl NewSession {
    /// Makes a session of `chance` and returns it beside the only text of its token that there will ever be.
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

/// A session that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, which opens nothing.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When somebody last proved who they are.
    pub authenticated_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: DateTime<Utc>,
    /// When it ends if nothing is done.
    pub idle_until: DateTime<Utc>,
    /// When it ends whatever is done.
    pub ends_at: DateTime<Utc>,
    /// From where it was opened.
    pub ip: String,
    /// With which browser.
    pub user_agent: String,
    /// Whether it opens nothing before the second factor was shown.
    pub is_pending: bool,
}

impl Session {
    /// Whether it lets anybody in at `now`.
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
        fn what_is_made_is_known_again(chance: [u8; 32]) {
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
