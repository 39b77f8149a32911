//! Types and ports that several Waggle domains share, such as ids, actors, pages and the clock.
//!
//! This crate performs no I/O. The system clock and the random number generator are behind ports
//! ([`Clock`], [`Entropy`]), so code that needs them must take them as dependencies.
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
mod budget;
mod clock;
mod entropy;
mod error_chain;
mod event;
mod hex;
pub mod ids;
mod keys;
mod named;
mod page;
mod port_error;
mod publication;
mod text;
mod zone;

pub use actor::{Actor, ActorKind, ActorRef, Forbidden, Scope, Scopes};
#[cfg(any(test, feature = "testing"))]
pub use budget::MockLimits;
pub use budget::{Budget, Exhausted, Limits};
#[cfg(any(test, feature = "testing"))]
pub use clock::FixedClock;
pub use clock::{Clock, to_micros};
pub use entropy::Entropy;
#[cfg(any(test, feature = "testing"))]
pub use entropy::MockEntropy;
pub use error_chain::error_chain;
pub use event::{Event, NewEvent, ObjectRef, event_time};
pub use hex::{hex, unhex};
pub use ids::Version;
#[cfg(any(test, feature = "testing"))]
pub use keys::MockServerKeys;
pub use keys::{Mark, SealedSecret, ServerKeys};
pub use named::{Named, UnknownName};
pub use page::{Cursor, Direction, InvalidCursor, Limit, Page, PageRequest};
pub use port_error::{PortError, PortErrorKind};
pub use publication::{ContentHash, InvalidContentHash, Publication};
pub use text::{TextProblem, check_text, is_hidden, is_plain_local_part};
pub use zone::{Hour, UnknownZone, Zone};
