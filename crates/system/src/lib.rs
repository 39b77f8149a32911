//! The machine behind the ports of the domains: clock, randomness, password hashing on threads of
//! its own, and the master keys in the environment or in a file.

mod clock;
mod entropy;
mod hashing;
mod master_keys;
pub mod private_file;

pub use clock::SystemClock;
pub use entropy::SystemEntropy;
pub use hashing::Hashing;
pub use master_keys::MasterKeyPlace;
