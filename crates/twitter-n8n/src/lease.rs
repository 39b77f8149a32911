//! Leases of source tweets.

use chrono::{DateTime, Utc};

/// The exclusive right to work on some source tweets until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The name of the lease, which cannot be guessed.
    pub name: String,
    /// When the lease expires.
    pub until: DateTime<Utc>,
    /// Who holds the lease, as displayed by [`waggle_kernel::Actor`].
    pub holder: String,
}

/// How the work on a source tweet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The tweet is processed.
    Processed,
    /// The tweet is free for others.
    Released,
}
