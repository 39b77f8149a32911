//! Passkeys as they are stored.

use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::PasskeyId;
use waggle_kernel::is_hidden;

/// A passkey to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    /// The owner's name for it.
    pub name: PasskeyName,
    /// The id that the authenticator chose.
    pub credential_id: Vec<u8>,
    /// The public key and everything else that never changes, in the verifier's encoding.
    pub key: Vec<u8>,
    /// The part that changes with each use, in the verifier's encoding.
    pub state: Vec<u8>,
    pub created_at: DateTime<Utc>,
}

/// A stored passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    pub id: PasskeyId,
    /// The owner's name for it.
    pub name: String,
    /// The id that the authenticator chose.
    pub credential_id: Vec<u8>,
    /// The public key and everything else that never changes, in the verifier's encoding.
    pub key: Vec<u8>,
    /// The part that changes with each use, in the verifier's encoding.
    pub state: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The owner's name for a passkey: 1 to 100 visible characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyName(String);

impl PasskeyName {
    /// The maximum length, in characters.
    pub const MOST: usize = 100;

    /// Parses a name. Whitespace around it is removed.
    ///
    /// # Errors
    ///
    /// [`InvalidPasskeyName`] if it is empty, too long, or has hidden characters.
    pub fn parse(text: &str) -> Result<Self, InvalidPasskeyName> {
        let text = text.trim();
        let is_one = (1..=Self::MOST).contains(&text.chars().count());
        if is_one && !text.chars().any(is_hidden) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPasskeyName)
        }
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not a valid name of a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("name: must have 1 to {} visible characters", PasskeyName::MOST)]
pub struct InvalidPasskeyName;
