//! Parses the two formats in which workflows write the time of a tweet.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use thiserror::Error;
use waggle_kernel::to_micros;

/// Parses ISO 8601 (`2025-08-14T14:30:31Z`; without an offset, the time is UTC) or X's own format
/// (`Thu Aug 14 14:30:31 +0000 2025`).
///
/// # Errors
///
/// [`UnreadableDate`] for any other text, and for years before 1970 or from 2200 on.
pub fn parse_tweet_date(text: &str) -> Result<DateTime<Utc>, UnreadableDate> {
    let text = text.trim();
    let is_iso = text.starts_with(|c: char| c.is_ascii_digit());
    let parsed = if is_iso { iso(text) } else { of_x(text) }.ok_or(UnreadableDate)?;
    let years = parsed.timestamp() >= 0 && parsed.timestamp() < 7_258_118_400;
    if years { Ok(to_micros(parsed)) } else { Err(UnreadableDate) }
}

fn iso(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z"] {
        if let Ok(time) = DateTime::parse_from_str(text, form) {
            return Some(time.to_utc());
        }
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
            return Some(time.and_utc());
        }
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|t| t.and_utc())
}

fn of_x(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(text, "%a %b %d %H:%M:%S %z %Y").ok().map(|time| time.to_utc())
}

/// The text is not a date in one of the two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "is not a valid date; expected a date such as '2025-08-14T14:30:31Z' or 'Thu Aug 14 \
     14:30:31 +0000 2025'"
)]
pub struct UnreadableDate;

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_formats_are_parsed_on_every_day_of_the_week() {
        let monday = parse_tweet_date("2025-08-11T10:00:00Z").unwrap();
        for day in 0..7 {
            let time = monday + Duration::days(day);

            let of_x = time.format("%a %b %d %H:%M:%S %z %Y").to_string();

            assert_eq!(parse_tweet_date(&of_x), Ok(time), "{of_x}");
            assert_eq!(parse_tweet_date(&time.to_rfc3339()), Ok(time));
        }
    }

    #[test]
    fn a_time_without_an_offset_is_utc() {
        let expected = parse_tweet_date("2025-08-14T14:30:31Z");

        for text in ["2025-08-14T14:30:31", "2025-08-14 14:30:31", "2025-08-14T16:30:31+0200"] {
            assert_eq!(parse_tweet_date(text), expected, "{text}");
        }
    }

    #[test]
    fn an_invalid_date_is_an_error() {
        for text in [
            "",
            "yesterday",
            "2025-13-40",
            "Thu Aug 14",
            "Mon Aug 14 14:30:31 +0000 2025",
            "9999-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_tweet_date(text), Err(UnreadableDate), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = parse_tweet_date(&text);
        }
    }
}
