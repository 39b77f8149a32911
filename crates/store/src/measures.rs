//! Figures for monitoring.

use chrono::{DateTime, Utc};

/// What waits in the database, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measures {
    /// When the next queued post is due.
    pub next_post: Option<DateTime<Utc>>,
    /// When the next waiting mail is due.
    pub next_mail: Option<DateTime<Utc>>,
    /// When the oldest event was written that is not in the chain yet.
    pub oldest_waiting_event: Option<DateTime<Utc>>,
    /// The position of the last event in the chain.
    pub last_event: i64,
    /// The number of posts whose outcome a person must find out.
    pub unknown_posts: i64,
}

/// What may be wrong, as the database shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symptoms {
    /// The number of emails that were given up and are kept for the operator.
    pub given_up_mails: i64,
    /// Why the newest of the emails that are tried again was not sent.
    pub mail_error: Option<String>,
    /// What the clock of the database shows; `None` if it has none of its own.
    pub clock: Option<DateTime<Utc>>,
}

/// The connections of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// The name of the pool.
    pub pool: &'static str,
    /// Those that are open.
    pub open: u32,
    /// Those of them that are not in use.
    pub idle: u32,
}
