//! Time, as something to be asked for.

use chrono::{DateTime, SubsecRound as _, Utc};

/// The clock.
pub trait Clock: Send + Sync {
    /// The present moment in UTC, to the microsecond, which is what both databases keep.
    fn now(&self) -> DateTime<Utc>;
}

/// Cuts `time` to the microsecond.
#[must_use]
pub fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one clock of the machine")]
    fn now(&self) -> DateTime<Utc> {
        to_micros(Utc::now())
    }
}

/// A clock that stands still until it is moved.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct FixedClock(std::sync::atomic::AtomicI64);

#[cfg(any(test, feature = "testing"))]
impl FixedClock {
    /// Noon of 1 January 2026.
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
