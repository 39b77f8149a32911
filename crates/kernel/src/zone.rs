//! Time zones: what the clocks at a place show.

use std::fmt;
use std::str::FromStr;

use chrono::offset::LocalResult;
use chrono::{DateTime, Duration, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use thiserror::Error;

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// There is no time zone with this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a time zone must have its name in the IANA database, such as 'Europe/Berlin' or 'UTC'")]
pub struct UnknownZone;

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        name.parse().map(Self).map_err(|_| UnknownZone)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

/// An hour of the day, from 0 to 23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hour(u8);

impl Hour {
    /// Eight in the morning.
    pub const EIGHT: Self = Self(8);

    /// The hour with this number; `None` if it is greater than 23.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < 24 { Some(Self(number)) } else { None }
    }

    /// The number of the hour.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl Zone {
    pub const UTC: Self = Self(Tz::UTC);

    /// The name in the IANA database.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// All zones, by name.
    pub fn all() -> impl Iterator<Item = Self> {
        chrono_tz::TZ_VARIANTS.into_iter().map(Self)
    }

    /// What the clocks show at `time`.
    #[must_use]
    pub fn local(self, time: DateTime<Utc>) -> NaiveDateTime {
        time.with_timezone(&self.0).naive_local()
    }

    /// The first time after `time` at which the clocks show this hour. On a day on which they skip
    /// it, it is as much later as they skip. On a day on which they show it twice, it is the first
    /// time.
    #[must_use]
    pub fn next(self, hour: Hour, time: DateTime<Utc>) -> DateTime<Utc> {
        let today = self.local(time).date();
        let at = NaiveTime::MIN + Duration::hours(i64::from(hour.number()));
        let days = today.iter_days().take(3).map(|day| self.utc(day.and_time(at)));
        let later = time + Duration::days(1);
        days.into_iter().find(|found| *found > time).unwrap_or(later)
    }

    /// The moment at which the clocks show `local`. If they skip it, as much later as they skip. If
    /// they show it twice, the first time.
    #[must_use]
    pub fn utc(self, local: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&local) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.to_utc(),
            LocalResult::None => {
                let day = Duration::days(1);
                let before = self.0.from_local_datetime(&(local - day)).earliest();
                before.map_or_else(|| local.and_utc(), |time| time.to_utc() + day)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn next(name: &str, hour: u8, after: &str) -> String {
        zone(name).next(Hour::new(hour).unwrap(), time(after)).to_rfc3339()
    }

    #[test]
    fn zones_have_their_names_in_the_database() {
        assert_eq!(zone("Europe/Berlin").to_string(), "Europe/Berlin");
        for name in ["", "Berlin", "europe/berlin", "+02:00", "Mars/Olympus", "Europe/Berlin "] {
            assert_eq!(name.parse::<Zone>(), Err(UnknownZone), "{name}");
        }
        assert!(Zone::all().count() > 400);
    }

    #[test]
    fn an_hour_comes_each_day() {
        let berlin = |after| next("Europe/Berlin", 8, after);
        assert_eq!(berlin("2026-11-26T06:59:59Z"), "2026-11-26T07:00:00+00:00");
        assert_eq!(berlin("2026-11-26T07:00:00Z"), "2026-11-27T07:00:00+00:00");
        assert_eq!(berlin("2026-07-26T12:00:00Z"), "2026-07-27T06:00:00+00:00");
        assert_eq!(next("Asia/Kathmandu", 0, "2026-11-26T18:15:00Z"), "2026-11-27T18:15:00+00:00");
        assert_eq!(next("Pacific/Kiritimati", 23, "2026-11-26T00:00:00Z"), {
            "2026-11-26T09:00:00+00:00"
        });
    }

    #[test]
    fn an_hour_that_clocks_skip_comes_when_they_show_the_next() {
        // From 02:00 to 03:00 on 29 March 2026, and from 00:00 to 01:00 on 6 September 2026.
        let berlin = next("Europe/Berlin", 2, "2026-03-28T12:00:00Z");
        assert_eq!(berlin, "2026-03-29T01:00:00+00:00");
        let santiago = next("America/Santiago", 0, "2026-09-05T12:00:00Z");
        assert_eq!(santiago, "2026-09-06T04:00:00+00:00");
        // Samoa skipped the whole of 30 December 2011.
        let apia = next("Pacific/Apia", 8, "2011-12-29T18:00:00Z");
        assert_eq!(apia, "2011-12-30T18:00:00+00:00");
    }

    #[test]
    fn an_hour_that_clocks_show_twice_comes_once() {
        let first = next("Europe/Berlin", 2, "2026-10-24T12:00:00Z");
        assert_eq!(first, "2026-10-25T00:00:00+00:00");
        assert_eq!(next("Europe/Berlin", 2, &first), "2026-10-26T01:00:00+00:00");
    }

    proptest! {
        #[test]
        fn the_next_hour_is_within_two_days(
            index in 0_usize..400,
            hour in 0_u8..24,
            seconds in 0_i64..4_102_444_800,
        ) {
            let zone = Zone::all().nth(index).unwrap();
            let now = DateTime::from_timestamp(seconds, 0).unwrap();

            let next = zone.next(Hour::new(hour).unwrap(), now);

            prop_assert!(next > now && next - now <= Duration::hours(50), "{zone} {now} {next}");
        }
    }
}
