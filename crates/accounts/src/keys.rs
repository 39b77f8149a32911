//! What is kept under a key that is not in the database.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;
use waggle_kernel::PortError;

/// What is kept of a short secret: its hash under a key of the server, by which it is recognised and cannot be found out.
#[derive(Clone, PartialEq, Eq)]
pub struct Mark {
    /// What the key is called.
    pub key: String,
    /// The keyed hash.
    pub hash: [u8; 32],
}

impl fmt::Debug for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Mark({})", self.key)
    }
}

/// A secret that has to come back as it was, sealed with a key of the server.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// What the key is called.
    pub key: String,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealedSecret({})", self.key)
    }
}

/// Knows the keys of the server, which are not in the database.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait ServerKeys: Send + Sync {
    /// The mark of `secret`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there is no key.
    fn mark(&self, secret: &SecretString) -> Result<Mark, PortError>;

    /// Whether `secret` has this mark, told in the same time whatever the answer; `false` if the key is gone.
    fn is_marked(&self, secret: &SecretString, mark: &Mark) -> bool;

    /// Seals `secret`, so that it opens at `place` alone.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there is no key, or no randomness.
    fn seal(&self, place: &str, secret: &SecretString) -> Result<SealedSecret, PortError>;

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the key is gone, or it was changed or moved.
    async fn open(&self, place: &str, sealed: &SealedSecret) -> Result<SecretString, PortError>;
}
