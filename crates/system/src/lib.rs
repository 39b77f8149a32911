//! Implements ports of the domains with the operating system: the clock, randomness, password
//! hashing on separate threads, signatures, and the master keys in the environment or in a file.

mod clock;
mod entropy;
mod hashing;
mod master_keys;
pub mod private_file;
mod signing;

pub use clock::SystemClock;
pub use entropy::SystemEntropy;
pub use hashing::Hashing;
pub use master_keys::MasterKeyPlace;
pub use signing::{SigningKey, is_signature};
