//! Chance, as something to be asked for.

/// Gives bytes that nobody can foresee.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Entropy: Send + Sync {
    /// 32 bytes from a cryptographic generator.
    ///
    /// # Errors
    ///
    /// [`PortError`](crate::PortError) if the machine has none to give.
    fn bytes(&self) -> Result<[u8; 32], crate::PortError>;
}
