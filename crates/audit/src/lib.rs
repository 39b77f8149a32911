//! The audit log: all events in one order, in which nothing can be changed, removed or added
//! without a trace.
//!
//! A change writes its events in its own transaction, as waiting events. A worker appends them to
//! the chain ([`ExtendChain`]): it gives them positions without gaps, and hashes that cover
//! everything before them. It signs the end of the chain ([`SignHeads`]) with a key that is not in
//! the database, so that a chain that was recomputed or cut off does not verify
//! ([`VerifyAudit`]). Programs and pages learn that something changed by following the chain
//! ([`FollowChanges`]).
//!
//! The contents of an event (what changed, and personal data) are hashed with a salt, and the event
//! has only these hashes. So personal data can be removed ([`RedactEvents`]) without breaking the
//! chain, and its hash does not tell anything about it. The oldest events can be removed as a whole
//! ([`RemoveOldEvents`]), behind a signed checkpoint with which the chain begins then.
//!
//! ```
//! use waggle_audit::{Facts, Tip, WaitingEvent};
//!
//! let mut tip = Tip::START;
//! let waiting = WaitingEvent {
//!     id: 1,
//!     facts: Facts {
//!         kind: "tweet.approved".to_owned(),
//!         object_kind: "generated_tweet".to_owned(),
//!         object_id: "7".to_owned(),
//!         version: Some(2),
//!         actor: "user:1".to_owned(),
//!         user: None,
//!         request_id: String::new(),
//!         at: chrono::Utc::now(),
//!     },
//!     change: None,
//!     personal: None,
//! };
//!
//! let entry = tip.append(waiting, &[0; 32]);
//!
//! assert_eq!(entry.position, 1);
//! assert_eq!(entry.hash_after(&Tip::START.hash), tip.hash);
//! ```

mod browse;
mod chain;
mod change;
mod checkpoint;
mod entry;
mod filter;
mod follow;
mod head;
pub mod ports;
mod ranges;
mod reader;
mod record;
mod redact;
mod redaction;
mod retention;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod verify;

pub use browse::{BrowseEvents, BrowseEventsError};
pub use chain::{ExtendChain, SignError, SignHeads, VerifyAudit};
pub use change::{Change, NoPlace, Place};
pub use checkpoint::Checkpoint;
pub use entry::{Content, Entry, Facts, Hash, Salted, Tip, WaitingEvent};
pub use filter::EventFilter;
pub use follow::{Beginning, FollowChanges};
pub use head::{Head, HeadRef};
pub use reader::read_record;
pub use record::{Item, NotAnItem};
pub use redact::{RedactEvents, RedactEventsError, Redaction};
pub use redaction::{EVENTS, REDACTED, RedactionOrder};
pub use retention::{RemoveOldEvents, RemoveOldEventsError};
pub use verify::{Fault, Part, Report, Verifier};
