//! API tokens: their format, hash and lifetime.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use waggle_kernel::ids::{TokenId, UserId};
use waggle_kernel::{Scope, Scopes, TextProblem, check_text, hex, is_hidden};

use crate::people::user::User;

const PREFIX: &str = "wgl_";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 43;

/// The SHA-256 hash of a whole token.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash(pub [u8; 32]);

impl std::fmt::Debug for StoredHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("StoredHash(..)")
    }
}

/// A well-formed token from a request; it is not verified yet.
pub struct PresentedToken {
    public_id: String,
    hash: [u8; 32],
}

impl PresentedToken {
    /// Parses a token.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] unless `text` has exactly the format of a token.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let (public_id, secret) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(InvalidToken)?;
        let hexadecimal = public_id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let base64url =
            secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if public_id.len() != ID_LENGTH
            || secret.len() != SECRET_LENGTH
            || !hexadecimal
            || !base64url
        {
            return Err(InvalidToken);
        }
        Ok(Self { public_id: public_id.to_owned(), hash: Sha256::digest(text).into() })
    }

    /// Returns the part that identifies the token.
    pub fn public_id(&self) -> &str {
        &self.public_id
    }

    /// Checks in constant time whether this is the token with the hash `stored`.
    pub fn is(&self, stored: &StoredHash) -> bool {
        self.hash.ct_eq(&stored.0).into()
    }
}

/// The text does not have the format of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is not an API token")]
pub struct InvalidToken;

/// A token to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiToken {
    /// The part that identifies the token.
    pub public_id: String,
    /// The hash of the whole token.
    pub hash: StoredHash,
    pub name: String,
    /// `None` for tokens of the operator.
    pub owner: Option<UserId>,
    /// What the bearer can do, as far as the owner can.
    pub scopes: Scopes,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl NewApiToken {
    /// The maximum length of a name, in characters.
    pub const MOST_NAME: usize = 150;

    /// Creates a token from random bytes. Returns it with its text, which cannot be recovered
    /// later.
    ///
    /// # Errors
    ///
    /// [`InvalidTokenName`] if the name is empty, too long, or has control characters.
    pub fn make(
        chance: &[u8; 32],
        id_chance: &[u8; 32],
        wanted: &WantedToken,
        created_at: DateTime<Utc>,
    ) -> Result<(Self, SecretString), InvalidTokenName> {
        let name = wanted.name.trim();
        if name.is_empty() {
            return Err(InvalidTokenName::Empty);
        }
        if name.chars().any(is_hidden) {
            return Err(InvalidTokenName::Control);
        }
        check_text(name, Self::MOST_NAME)?;
        let public_id: String = hex(id_chance).chars().take(ID_LENGTH).collect();
        let text = format!("{PREFIX}{public_id}_{}", URL_SAFE_NO_PAD.encode(chance));
        let hash = StoredHash(Sha256::digest(&text).into());
        let token = Self {
            public_id,
            hash,
            name: name.to_owned(),
            owner: wanted.owner,
            scopes: wanted.scopes,
            created_at,
            expires_at: wanted.expires_at,
        };
        Ok((token, SecretString::from(text)))
    }
}

/// The data of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedToken {
    pub name: String,
    /// `None` for tokens of the operator.
    pub owner: Option<UserId>,
    /// What the bearer can do, as far as the owner can.
    pub scopes: Scopes,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a token cannot have this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidTokenName {
    #[error("the name of a token cannot be empty")]
    Empty,
    #[error("the name of a token cannot have control characters")]
    Control,
    /// It cannot be stored.
    #[error("the name of the token {0}")]
    Text(#[from] TextProblem),
}

/// A stored token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    pub id: TokenId,
    /// The part that identifies the token. It is not secret.
    pub public_id: String,
    pub name: String,
    /// `None` for tokens of the operator.
    pub owner: Option<UserId>,
    /// What the bearer can do, as far as the owner can.
    pub scopes: Scopes,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// When the token was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ApiToken {
    /// Returns whether the token is neither revoked nor expired at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A token with its owner in the current state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedToken {
    pub token: ApiToken,
    /// `None` for tokens of the operator.
    pub owner: Option<User>,
}

impl OwnedToken {
    /// Returns the scopes of the token that have no effect, because the owner's role does not
    /// include them.
    pub fn unusable_scopes(&self) -> Vec<Scope> {
        self.owner.as_ref().map(|owner| owner.lacks(self.token.scopes)).unwrap_or_default()
    }
}

/// What happens to a user's API tokens when the password is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokensOnReset {
    Keep,
    Revoke,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;
    use waggle_kernel::{Clock as _, FixedClock};

    use super::*;

    fn made(chance: [u8; 32]) -> (NewApiToken, SecretString) {
        let scopes = Scopes::of(&[Scope::Ingest]);
        let wanted = WantedToken { name: "n8n".to_owned(), owner: None, scopes, expires_at: None };
        NewApiToken::make(&chance, &chance, &wanted, FixedClock::noon().now()).unwrap()
    }

    proptest! {
        #[test]
        fn a_new_token_is_parsed_and_recognized(chance: [u8; 32]) {
            let (token, text) = made(chance);

            let presented = PresentedToken::parse(text.expose_secret()).unwrap();

            prop_assert_eq!(presented.public_id(), &token.public_id);
            prop_assert!(presented.is(&token.hash));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,80}") {
            let _ = PresentedToken::parse(&text);
        }
    }

    #[test]
    fn another_token_does_not_match() {
        let (token, _) = made([1; 32]);
        let (_, other) = made([2; 32]);

        let presented = PresentedToken::parse(other.expose_secret()).unwrap();

        assert!(!presented.is(&token.hash));
    }

    #[test]
    fn truncated_or_upper_case_tokens_are_rejected() {
        let (_, text) = made([200; 32]);
        let text = text.expose_secret();

        assert!(PresentedToken::parse(&text[..text.len() - 1]).is_err());
        assert!(PresentedToken::parse(&text.to_uppercase()).is_err());
        assert!(PresentedToken::parse(&format!("{text} ")).is_err());
    }

    #[test]
    fn the_hash_is_not_printed() {
        let (token, _) = made([7; 32]);

        assert!(format!("{token:?}").contains("StoredHash(..)"));
    }
}
