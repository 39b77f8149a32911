//! Passkeys as they are kept.

use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::PasskeyId;
use waggle_kernel::is_hidden;

/// A passkey that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    /// What its owner calls it.
    pub name: PasskeyName,
    /// The id that the authenticator gave it.
    pub credential_id: Vec<u8>,
    /// The public key and all that never changes, as the verifier writes it.
    pub key: Vec<u8>,
    /// What changes with each use, as the verifier writes it.
    pub state: Vec<u8>,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// A passkey that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Its id here.
    pub id: PasskeyId,
    /// What its owner calls it.
    pub name: String,
    /// The id that the authenticator gave it.
    pub credential_id: Vec<u8>,
    /// The public key and all that never changes, as the verifier writes it.
    pub key: Vec<u8>,
    /// What changes with each use, as the verifier writes it.
    pub state: Vec<u8>,
    /// Since when there is one.
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What somebody calls a passkey: 1 to 100 characters that can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyName(String);

impl PasskeyName {
    /// The most characters.
    pub const MOST: usize = 100;

    /// Reads a name.
    ///
    /// # Errors
    ///
    /// [`InvalidPasskeyName`] if it is empty, too long, or has characters that nobody sees.
    pub fn parse(text: &str) -> Result<Self, InvalidPasskeyName> {
        let text = text.trim();
        let is_one = (1..=Self::MOST).contains(&text.chars().count());
        if is_one && !text.chars().any(is_hidden) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPasskeyName)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text is no name of a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("name: 1 to {} characters that can be seen are needed", PasskeyName::MOST)]
pub struct InvalidPasskeyName;
