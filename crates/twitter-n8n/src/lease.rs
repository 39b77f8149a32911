//! Leases of source tweets.

use chrono::{DateTime, Utc};
use waggle_kernel::ActorRef;

/// The exclusive right to work on some source tweets until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The name of the lease, which cannot be guessed.
    pub name: String,
    /// When the lease expires.
    pub until: DateTime<Utc>,
    /// Who holds the lease.
    pub holder: ActorRef,
}

/// How the work on a source tweet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The tweet is processed.
    Processed,
    /// The tweet is free for others.
    Released,
}
