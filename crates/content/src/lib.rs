//! Posts, and how they are published: only once, with a ledger as proof.
//!
//! The ledger is at the center. A worker [claims](PublishDue::claim) due posts, records what it is
//! about to send, sends it, and records the outcome ([`PublishDue::deliver`]). A crash in between
//! leaves an open delivery. An open delivery is never resent blindly: the worker first checks the
//! platform for it.
//!
//! ```
//! use chrono::{Duration, Utc};
//! use waggle_content::{Outcome, Settlement, decide};
//!
//! let now = Utc::now();
//! // A timeout does not say what the platform did, so check before sending again.
//! let outcome = Outcome::Unknown { reason: "timed out".into() };
//!
//! let settlement = decide(outcome, 1, now, Duration::seconds(20));
//!
//! assert!(matches!(settlement, Settlement::Look { again_at, .. } if again_at > now));
//! ```

mod claim;
mod delivery;
mod platform;
pub mod ports;
mod post;
mod post_event;
mod posts;
mod publish_due;

pub use claim::{ClaimRequest, Claimed, ClaimedPosts, Recorded, Timing, Unreadable};
pub use delivery::{
    Delivery, DeliveryState, EarlierAttempts, Finding, Lookalike, Looked, MOST_ATTEMPTS, Mark,
    Marker, OpenDelivery, Outcome, Ownership, Prepared, ReconcilePolicy, Settlement, attribute,
    decide, decide_unknown,
};
pub use platform::Platform;
pub use post::{
    Backlog, Changed, Metrics, Post, PostFilter, PostStatus, PublicAddress, PublishablePost,
    Resolution, TwitterDetails,
};
pub use post_event::{POST, PostState};
pub use posts::{ManagePosts, ManagePostsError};
pub use publish_due::{PublishDue, PublishDueError, Settled};
