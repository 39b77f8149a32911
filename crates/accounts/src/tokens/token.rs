//! API tokens: their form, their hash, their life.

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

/// The SHA-256 of a whole token.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash(pub [u8; 32]);

impl std::fmt::Debug for StoredHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("StoredHash(..)")
    }
}

/// A token as somebody shows it: well formed, but not yet known to be right.
pub struct PresentedToken {
    public_id: String,
    hash: [u8; 32],
}

impl PresentedToken {
    /// Reads a token.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] unless `text` has the form of a token, exactly.
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

    /// The part by which the token is found.
    pub fn public_id(&self) -> &str {
        &self.public_id
    }

    /// Whether it is the token with this hash, told in the same time whatever the answer.
    pub fn is(&self, stored: &StoredHash) -> bool {
        self.hash.ct_eq(&stored.0).into()
    }
}

/// The text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("that is not an API token")]
pub struct InvalidToken;

/// A token that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiToken {
    /// The part by which it is found.
    pub public_id: String,
    /// The hash of the whole.
    pub hash: StoredHash,
    /// What it is for.
    pub name: String,
    /// Whose it is; nobody's where the operator made it.
    pub owner: Option<UserId>,
    /// What its bearer may do, as far as its owner may.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

impl NewApiToken {
    /// The longest name, in characters.
    pub const MOST_NAME: usize = 150;

    /// Makes a token of `chance` and returns it beside the only text of it that there will ever be.
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

/// What is wanted of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedToken {
    /// What it is for.
    pub name: String,
    /// Whose it is to be; nobody's where the operator makes it.
    pub owner: Option<UserId>,
    /// What its bearer may do.
    pub scopes: Scopes,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a token cannot have this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidTokenName {
    /// It is empty.
    #[error("the name of a token cannot be empty")]
    Empty,
    /// It has control characters.
    #[error("the name of a token cannot have control characters")]
    Control,
    /// It cannot be kept.
    #[error("the name of the token {0}")]
    Text(#[from] TextProblem),
}

/// A token that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// The id that Waggle gave it.
    pub id: TokenId,
    /// The part by which it is found; no secret.
    pub public_id: String,
    /// What it is for.
    pub name: String,
    /// Whose it is; nobody's where the operator made it.
    pub owner: Option<UserId>,
    /// What its bearer may do, as far as its owner may.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was ended.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last shown, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ApiToken {
    /// Whether it lets anybody in at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A token with its owner, as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedToken {
    /// The token.
    pub token: ApiToken,
    /// Whose it is; nobody's where the operator made it.
    pub owner: Option<User>,
}

impl OwnedToken {
    /// The scopes of the token that do nothing, because the role of its owner does not have them.
    pub fn unusable_scopes(&self) -> Vec<Scope> {
        self.owner.as_ref().map(|owner| owner.lacks(self.token.scopes)).unwrap_or_default()
    }
}

/// What becomes of the API tokens of somebody who resets the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokensOnReset {
    /// They go on working.
    Keep,
    /// They end.
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
        fn what_is_made_is_read_and_known_again(chance: [u8; 32]) {
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
    fn another_token_is_not_taken_for_it() {
        let (token, _) = made([1; 32]);
        let (_, other) = made([2; 32]);

        let presented = PresentedToken::parse(other.expose_secret()).unwrap();

        assert!(!presented.is(&token.hash));
    }

    #[test]
    fn a_token_cut_off_or_changed_in_case_is_no_token() {
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
