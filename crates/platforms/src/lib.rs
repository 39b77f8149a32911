//! The platforms that Waggle publishes to: X, and a sandbox that needs no account.
//!
//! Each platform implements [`waggle_content::ports::Publisher`] and does not depend on the others.
//! The wire format of a platform is only in its own module.

mod sandbox;
mod x;

pub use self::sandbox::{Fault, Sandbox, SandboxPost};
pub use self::x::{OAuth1, X, XCredentials};
