//! X's own clock, read from the `Date` headers of its responses (RFC 9110, section 6.6.1).
//!
//! A check compares times with those of X's posts. The local clock cannot be used for that: it may
//! be wrong, and it may be changed between the request and the check.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use reqwest::header::{DATE, HeaderMap};
use waggle_content::Marker;
use waggle_kernel::Clock;

/// How long a reading of X's clock is valid.
const GOOD_FOR: Duration = Duration::minutes(10);
/// How much the wall clock and the monotonic clock of this machine may diverge. A larger difference
/// means that the machine was suspended or its clock was changed.
const MOST_DRIFT: Duration = Duration::seconds(1);

#[derive(Clone, Copy)]
struct Reading {
    theirs: DateTime<Utc>,
    ours: DateTime<Utc>,
    at: Instant,
}

/// The latest reading of X's time.
pub(super) struct PlatformTime {
    clock: Arc<dyn Clock>,
    reading: Mutex<Option<Reading>>,
}

impl PlatformTime {
    pub(super) const fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, reading: Mutex::new(None) }
    }

    /// Reads X's time from a response.
    #[expect(clippy::disallowed_methods, reason = "how long ago an answer came is measured")]
    pub(super) fn read(&self, headers: &HeaderMap) {
        if let Some(theirs) = of_answer(headers) {
            let reading = Reading { theirs, ours: self.clock.now(), at: Instant::now() };
            *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        }
    }

    /// X's current time, never ahead of the actual time there; `None` if there is no reliable
    /// reading.
    pub(super) fn now(&self) -> Option<DateTime<Utc>> {
        let reading = (*self.reading.lock().unwrap_or_else(PoisonError::into_inner))?;
        let passed = Duration::from_std(reading.at.elapsed()).ok()?;
        let by_clock = self.clock.now() - reading.ours;
        let is_good = passed < GOOD_FOR && (by_clock - passed).abs() < MOST_DRIFT;
        is_good.then(|| reading.theirs + passed)
    }
}

/// X's time when it sent the response.
pub(super) fn of_answer(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.to_utc())
}

/// The marker for a time.
pub(super) fn marker(time: DateTime<Utc>) -> Marker {
    Marker(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// The time of a marker.
pub(super) fn of_marker(marker: &Marker) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(&marker.0).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use waggle_kernel::FixedClock;

    use super::*;

    struct Jumping(Mutex<DateTime<Utc>>);

    impl Clock for Jumping {
        fn now(&self) -> DateTime<Utc> {
            *self.0.lock().unwrap()
        }
    }

    fn answered(date: &str) -> HeaderMap {
        HeaderMap::from_iter([(DATE, date.parse().unwrap())])
    }

    #[test]
    fn a_reading_is_invalid_after_the_local_clock_was_changed() {
        let clock = Arc::new(Jumping(Mutex::new(FixedClock::noon().now())));
        let time = PlatformTime::new(clock.clone());
        assert_eq!(time.now(), None);

        time.read(&answered("Thu, 01 Jan 2026 11:58:00 GMT"));

        let now = time.now().unwrap();
        assert_eq!(now.to_rfc3339_opts(SecondsFormat::Secs, true), "2026-01-01T11:58:00Z");
        for seconds in [2, -2] {
            *clock.0.lock().unwrap() = FixedClock::noon().now() + Duration::seconds(seconds);
            assert_eq!(time.now(), None, "{seconds}");
        }
    }

    #[test]
    fn a_marker_round_trips() {
        let noon = FixedClock::noon().now();

        assert_eq!(of_marker(&marker(noon)), Some(noon));
        assert_eq!(of_marker(&Marker("17".into())), None);
    }
}
