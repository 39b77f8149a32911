//! Passkeys (WebAuthn): keys that an authenticator keeps and never shows.

use chrono::{DateTime, Utc};
use waggle_kernel::ids::PasskeyId;

/// A passkey that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    /// What its owner calls it.
    pub name: String,
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
