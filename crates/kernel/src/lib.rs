//! What two domains of Waggle share, and no more: ids, time, chance, actors, pages, publications.
//!
//! Nothing here does input or output. The clock of the machine and its source of randomness are
//! ports ([`Clock`], [`Entropy`]), so that whoever needs them has to ask.
//!
//! ```
//! use waggle_kernel::{Actor, Scope, Scopes};
//!
//! let reviewer = Actor::system().limited_to(Scopes::of(&[Scope::Read, Scope::Approve]));
//!
//! assert!(reviewer.require(Scope::Approve).is_ok());
//! assert!(reviewer.require(Scope::Publish).is_err());
//! ```

mod actor;
mod clock;
mod entropy;
mod error_chain;
mod hex;
pub mod ids;
mod page;
mod port_error;
mod publication;
mod text;

pub use actor::{Actor, ActorKind, Forbidden, Scope, Scopes, UnknownScope};
#[cfg(any(test, feature = "testing"))]
pub use clock::FixedClock;
pub use clock::{Clock, SystemClock, to_micros};
pub use entropy::Entropy;
#[cfg(any(test, feature = "testing"))]
pub use entropy::MockEntropy;
pub use error_chain::error_chain;
pub use hex::hex;
pub use ids::Version;
pub use page::{Cursor, Direction, InvalidCursor, Limit, Page, PageRequest};
pub use port_error::{PortError, PortErrorKind};
pub use publication::{ContentHash, InvalidContentHash, Publication};
pub use text::{TextProblem, check_text, is_hidden, is_plain_local_part};
