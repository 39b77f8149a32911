//! The [`Entropy`] port, a source of random bytes.

/// A source of unpredictable bytes.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Entropy: Send + Sync {
    /// Returns 32 bytes from a cryptographically secure random number generator.
    fn bytes(&self) -> Result<[u8; 32], crate::PortError>;
}
