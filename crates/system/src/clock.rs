//! The system clock.

use chrono::{DateTime, Utc};
use waggle_kernel::{Clock, to_micros};

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one clock of the machine")]
    fn now(&self) -> DateTime<Utc> {
        to_micros(Utc::now())
    }
}
