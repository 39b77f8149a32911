//! How often something may be done.

use chrono::{DateTime, Duration, Utc};

/// Something that may be done so often in so long a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What is counted: `login:account:joe@example.com`.
    pub key: String,
    /// How often.
    pub most: u32,
    /// In how long a time, from the first.
    pub window: Duration,
}

/// A budget that is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// Which.
    pub budget: Budget,
    /// When it will be whole again.
    pub until: DateTime<Utc>,
    /// How often something was refused since it was used up, this time included.
    pub refusals: u32,
}
