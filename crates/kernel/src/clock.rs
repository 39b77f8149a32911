//! The [`Clock`] port, and a fixed clock for tests.

use chrono::{DateTime, SubsecRound as _, Utc};

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// The current time in UTC, truncated to microseconds, which is the precision of both
    /// databases.
    fn now(&self) -> DateTime<Utc>;
}

/// Truncates `time` to microseconds.
#[must_use]
pub fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// A clock for tests that moves only when [`FixedClock::advance`] is called.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct FixedClock(std::sync::atomic::AtomicI64);

#[cfg(any(test, feature = "testing"))]
impl FixedClock {
    /// A clock set to noon UTC on 1 January 2026.
    #[must_use]
    pub fn noon() -> Self {
        Self(std::sync::atomic::AtomicI64::new(1_767_268_800_000_000))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: chrono::Duration) {
        let micros = by.num_microseconds().unwrap_or_default();
        self.0.fetch_add(micros, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(any(test, feature = "testing"))]
impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(std::sync::atomic::Ordering::SeqCst))
            .unwrap_or_default()
    }
}
