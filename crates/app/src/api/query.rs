//! The query parameters and headers that several operations share.

use chrono::{DateTime, Datelike as _, Utc};
use poem_openapi::Enum;
use waggle_kernel::ids::Version;
use waggle_kernel::{Direction, Limit, PageRequest, check_text};

use crate::http::Problem;

/// The maximum length of a text filter, in characters.
const MOST_TEXT: usize = 500;

/// The sort order of a list.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum Order {
    /// Smallest or oldest first.
    Asc,
    /// Largest or newest first.
    Desc,
}

impl Order {
    /// The direction; descending by default.
    pub(super) fn direction(order: Option<Self>) -> Direction {
        match order {
            Some(Self::Asc) => Direction::Ascending,
            Some(Self::Desc) | None => Direction::Descending,
        }
    }
}

/// The page that the query parameters select.
///
/// # Errors
///
/// [`Problem`] if the limit is not between 1 and 200, or the cursor is invalid.
pub(super) fn page(limit: Option<u16>, cursor: Option<&str>) -> Result<PageRequest, Problem> {
    let limit = match limit {
        None => Limit::DEFAULT,
        Some(rows) => Limit::new(rows).ok_or_else(|| {
            Problem::invalid(format!("limit must be between 1 and {}", Limit::MOST))
        })?,
    };
    let after = cursor
        .map(|cursor| cursor.parse().map_err(|error| Problem::invalid(format!("cursor: {error}"))))
        .transpose()?;
    Ok(PageRequest { limit, after })
}

/// A text to filter by. An empty text means no filter.
///
/// # Errors
///
/// [`Problem`] if the text is longer than [`MOST_TEXT`] or contains a NUL character.
pub(super) fn text(name: &str, value: Option<String>) -> Result<Option<String>, Problem> {
    let value = value.filter(|value| !value.is_empty());
    if let Some(value) = &value {
        check_text(value, MOST_TEXT)
            .map_err(|problem| Problem::invalid(format!("{name} {problem}")))?;
    }
    Ok(value)
}

/// A time that both databases can store: in the years 1 to 9999.
///
/// # Errors
///
/// [`Problem`] if the time is not within these years.
pub(super) fn time(
    name: &str,
    value: Option<DateTime<Utc>>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    match value {
        Some(time) if !(1..=9999).contains(&time.year()) => {
            Err(Problem::invalid(format!("{name} must be within the years 1 to 9999")))
        }
        value => Ok(value),
    }
}

/// The version in an `If-Match` header: `3`, `"3"` or `W/"3"`. `*` matches any version.
///
/// # Errors
///
/// [`Problem`] if the header has any other form.
pub(crate) fn if_match(header: Option<&str>) -> Result<Option<Version>, Problem> {
    let Some(text) = header.map(str::trim).filter(|text| *text != "*") else { return Ok(None) };
    let number = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    number
        .parse()
        .map(|number| Some(Version::new(number)))
        .map_err(|_| Problem::invalid("If-Match must be the version, a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_parsed_in_all_forms_that_clients_send() {
        for text in ["3", "\"3\"", "W/\"3\""] {
            assert_eq!(if_match(Some(text)).unwrap(), Some(Version::new(3)), "{text}");
        }
        assert_eq!(if_match(Some("*")).unwrap(), None);
        assert!(if_match(Some("three")).is_err());
    }
}
