//! Posts and their publishing: once, and provably.
//!
//! The ledger is the heart. A worker [claims](PublishDue::claim) what is due, writes down what it is about
//! to send, sends it, and writes down what came of it ([`PublishDue::deliver`]). A crash in between leaves
//! an open delivery; what is open is never sent again blindly, but looked for on the platform.
//!
//! ```
//! use chrono::{Duration, Utc};
//! use waggle_content::{Outcome, Settlement, decide};
//!
//! let now = Utc::now();
//! // A time-out says nothing about what the platform did: look before anything is repeated.
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
mod posts;
mod publish_due;

pub use claim::{ClaimRequest, Claimed, ClaimedPosts, Recorded, Timing, Unreadable};
pub use delivery::{
    Delivery, DeliveryState, Doubt, DoubtPolicy, Finding, Lookalike, Looked, MOST_ATTEMPTS, Mark,
    Marker, OpenDelivery, Outcome, Ownership, Prepared, Settlement, UnknownDeliveryState,
    attribute, decide, decide_doubt,
};
pub use platform::{Platform, UnknownPlatform};
pub use post::{
    Changed, Metrics, Post, PostFilter, PostStatus, PublicAddress, PublishablePost, Resolution,
    TwitterDetails, UnknownPostStatus,
};
pub use posts::{ManagePosts, ManagePostsError};
pub use publish_due::{PublishDue, PublishDueError, Settled};
