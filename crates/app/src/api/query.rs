//! What the query and the headers of several operations have in common.

use chrono::{DateTime, Datelike as _, Utc};
use poem_openapi::Enum;
use waggle_kernel::ids::Version;
use waggle_kernel::{Direction, Limit, PageRequest, check_text};

use crate::http::Problem;

/// The longest text that a filter takes, in characters.
const MOST_TEXT: usize = 500;

/// Which way a list runs.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum Order {
    /// Smallest, oldest first.
    Asc,
    /// Largest, newest first.
    Desc,
}

impl Order {
    /// The way, newest first when nothing is said.
    pub(super) fn direction(order: Option<Self>) -> Direction {
        match order {
            Some(Self::Asc) => Direction::Ascending,
            Some(Self::Desc) | None => Direction::Descending,
        }
    }
}

/// The page that a query asks for.
///
/// # Errors
///
/// A [`Problem`] if the limit is not 1 to 200, or the cursor is none.
pub(super) fn page(limit: Option<u16>, cursor: Option<&str>) -> Result<PageRequest, Problem> {
    let limit = match limit {
        None => Limit::DEFAULT,
        Some(rows) => Limit::new(rows)
            .ok_or_else(|| Problem::invalid(format!("limit is 1 to {}", Limit::MOST)))?,
    };
    let after = cursor
        .map(|cursor| cursor.parse().map_err(|error| Problem::invalid(format!("cursor: {error}"))))
        .transpose()?;
    Ok(PageRequest { limit, after })
}

/// A text to filter by; an empty one filters nothing.
///
/// # Errors
///
/// A [`Problem`] if no database could look for it.
pub(super) fn text(name: &str, value: Option<String>) -> Result<Option<String>, Problem> {
    let value = value.filter(|value| !value.is_empty());
    if let Some(value) = &value {
        check_text(value, MOST_TEXT)
            .map_err(|problem| Problem::invalid(format!("{name} {problem}")))?;
    }
    Ok(value)
}

/// A time that both databases can keep: of the years 1 to 9999.
///
/// # Errors
///
/// A [`Problem`] if it is not.
pub(super) fn time(
    name: &str,
    value: Option<DateTime<Utc>>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    match value {
        Some(time) if !(1..=9999).contains(&time.year()) => {
            Err(Problem::invalid(format!("{name} is not within the years 1 to 9999")))
        }
        value => Ok(value),
    }
}

/// The version in an `If-Match` header: `3`, `"3"` or `W/"3"`; `*` is any.
///
/// # Errors
///
/// A [`Problem`] if it is none of these.
pub(crate) fn if_match(header: Option<&str>) -> Result<Option<Version>, Problem> {
    let Some(text) = header.map(str::trim).filter(|text| *text != "*") else { return Ok(None) };
    let number = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    number
        .parse()
        .map(|number| Some(Version::new(number)))
        .map_err(|_| Problem::invalid("If-Match has to be the version, a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_the_forms_that_clients_send() {
        for text in ["3", "\"3\"", "W/\"3\""] {
            assert_eq!(if_match(Some(text)).unwrap(), Some(Version::new(3)), "{text}");
        }
        assert_eq!(if_match(Some("*")).unwrap(), None);
        assert!(if_match(Some("three")).is_err());
    }
}
