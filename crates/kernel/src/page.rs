//! Keyset pagination of lists.
//!
//! A cursor identifies the last row seen, so a page costs the same however deep it is.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use thiserror::Error;

/// The sort direction of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest or oldest first.
    Ascending,
    /// Largest or newest first.
    Descending,
}

/// The maximum number of rows on a page, from 1 to 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The largest limit.
    pub const MOST: u16 = 200;
    /// The limit of a request that does not specify one.
    pub const DEFAULT: Self = Self(50);

    /// Creates a limit of `rows`, or returns `None` unless `rows` is between 1 and 200.
    #[must_use]
    pub const fn new(rows: u16) -> Option<Self> {
        if rows >= 1 && rows <= Self::MOST { Some(Self(rows)) } else { None }
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(self) -> u16 {
        self.0
    }
}

/// The position where a page starts: after the row with this sort value and this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The value that the list is sorted by, as a number (a time in microseconds, or a count).
    pub sort_value: i64,
    /// The id of the row, or another unique number of it, which breaks ties.
    pub id: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(32);
        write!(text, "{:016x}{:016x}", self.sort_value, self.id)?;
        formatter.write_str(&text)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (sort_value, id) = text
            .is_ascii()
            .then(|| text.split_at_checked(16))
            .flatten()
            .filter(|(_, id)| id.len() == 16)
            .ok_or(InvalidCursor)?;
        let number = |digits: &str| {
            u64::from_str_radix(digits, 16).map(u64::cast_signed).map_err(|_| InvalidCursor)
        };
        Ok(Self { sort_value: number(sort_value)?, id: number(id)? })
    }
}

/// The text is not a cursor that was returned with an earlier page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the cursor is invalid; use the one that was returned with an earlier page")]
pub struct InvalidCursor;

/// A request for one page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    pub limit: Limit,
    /// The page starts after this row. `None` requests the first page.
    pub after: Option<Cursor>,
}

impl PageRequest {
    /// Requests the first page, with at most `limit` rows.
    #[must_use]
    pub const fn first(limit: Limit) -> Self {
        Self { limit, after: None }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Builds a page from `rows`. Query one row more than `limit`: the extra row shows that another
    /// page follows, and is dropped.
    #[must_use]
    pub fn from_one_more(mut rows: Vec<T>, limit: Limit, cursor: impl Fn(&T) -> Cursor) -> Self {
        let goes_on = rows.len() > usize::from(limit.rows());
        rows.truncate(usize::from(limit.rows()));
        let next = if goes_on { rows.last().map(cursor) } else { None };
        Self { items: rows, next }
    }

    /// Applies `change` to every row.
    #[must_use]
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_round_trips_through_its_text(sort_value: i64, id: i64) {
            let cursor = Cursor { sort_value, id };

            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn parsing_a_cursor_never_panics(text in ".*") {
            let _ = text.parse::<Cursor>();
        }
    }

    #[test]
    fn a_page_has_a_next_page_only_if_there_is_an_extra_row() {
        let limit = Limit::new(2).unwrap();
        let cursor = |id: &i64| Cursor { sort_value: 0, id: *id };

        let full = Page::from_one_more(vec![1, 2], limit, cursor);
        let more = Page::from_one_more(vec![1, 2, 3], limit, cursor);

        assert_eq!(full, Page { items: vec![1, 2], next: None });
        assert_eq!(more, Page { items: vec![1, 2], next: Some(Cursor { sort_value: 0, id: 2 }) });
    }
}
