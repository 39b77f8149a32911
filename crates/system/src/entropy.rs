//! Randomness from the operating system.

use waggle_kernel::{Entropy, PortError};

/// The random number generator of the operating system.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one source of randomness")]
    fn bytes(&self) -> Result<[u8; 32], PortError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| PortError::broken("getting random bytes", error.to_string()))?;
        Ok(bytes)
    }
}
