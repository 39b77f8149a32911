//! Keyed hashes and sealed secrets, and the port to the server's keys, which the database does not
//! contain.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::port_error::PortError;

/// The keyed hash of a short secret, such as a mailed code.
///
/// The secret can be verified against the mark. Without the server's key, the mark does not help to
/// guess it.
#[derive(Clone, PartialEq, Eq)]
pub struct Mark {
    /// The id of the server key.
    pub key: String,
    pub hash: [u8; 32],
}

impl fmt::Debug for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Mark({})", self.key)
    }
}

/// A secret that is encrypted with a server key, because its text is needed again later.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The id of the server key.
    pub key: String,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealedSecret({})", self.key)
    }
}

/// The server's keys, which are not in the database.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait ServerKeys: Send + Sync {
    /// Returns the mark of `secret`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there is no key.
    fn mark(&self, secret: &SecretString) -> Result<Mark, PortError>;

    /// Checks in constant time whether `mark` is the mark of `secret`. Returns `false` if the key
    /// of the mark is missing.
    fn is_marked(&self, secret: &SecretString, mark: &Mark) -> bool;

    /// Encrypts `secret` and binds it to `place`: [`open`](Self::open) rejects it for any other
    /// place.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there is no key, or no randomness.
    fn seal(&self, place: &str, secret: &SecretString) -> Result<SealedSecret, PortError>;

    /// Decrypts a secret that was sealed for `place`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the key is missing, or if the sealed secret was altered or sealed for
    /// another place.
    async fn open(&self, place: &str, sealed: &SealedSecret) -> Result<SecretString, PortError>;
}
