//! Leases of source tweets.

use chrono::{DateTime, Utc};

/// The right to work on some source tweets for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its name, which nobody can guess.
    pub name: String,
    /// When it runs out.
    pub until: DateTime<Utc>,
    /// Who holds it, as [`waggle_kernel::Actor`] shows it.
    pub holder: String,
}

/// How work on a source tweet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// It is worked through.
    Processed,
    /// It is free for others.
    Released,
}
