//! The one-time link that makes the first admin.

use chrono::{DateTime, Duration, Utc};
use waggle_kernel::ids::UserId;

use crate::codes::code::SetupToken;

/// How long a set-up link is valid.
pub const SETUP_LINK_LIFE: Duration = Duration::hours(24);

/// A link that makes the first admin, once.
#[derive(Debug, Clone)]
pub struct SetupLink {
    pub token: SetupToken,
    pub expires_at: DateTime<Utc>,
}

/// How an attempt to store the first admin ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetUpEnded {
    /// The user was stored.
    Done(UserId),
    /// There is a user already.
    Closed,
    /// The token is unknown, or has expired.
    Refused,
}
