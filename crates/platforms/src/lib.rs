//! The platforms that Waggle publishes to: X, and a sandbox that needs no account.
//!
//! Each implements [`waggle_content::ports::Publisher`] and knows nothing of the others. The wire format of
//! a platform is in its own module alone.

mod sandbox;
mod x;

pub use self::sandbox::{Fault, Sandbox, SandboxPost, UnknownFault};
pub use self::x::{OAuth1, X, XCredentials};
