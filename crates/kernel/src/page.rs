//! Pages of a list, by keyset: a cursor names the last row seen, so that pages cost the same however deep.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use thiserror::Error;

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest, oldest first.
    Ascending,
    /// Largest, newest first.
    Descending,
}

/// How many rows a page has: 1 to 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The most that a page has.
    pub const MOST: u16 = 200;
    /// What a page has when nothing is said.
    pub const DEFAULT: Self = Self(50);

    /// The limit of `rows`, or `None` unless that is 1 to 200.
    #[must_use]
    pub const fn new(rows: u16) -> Option<Self> {
        if rows >= 1 && rows <= Self::MOST { Some(Self(rows)) } else { None }
    }

    /// How many rows.
    #[must_use]
    pub const fn rows(self) -> u16 {
        self.0
    }
}

/// Where a page begins: behind the row with this sort value and this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// What the list is sorted by, as a number (a time in microseconds, a count).
    pub sort_value: i64,
    /// The id of the row, which settles ties.
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

/// The text is not a cursor that an earlier page gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the cursor is not one that an earlier page gave")]
pub struct InvalidCursor;

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// How many rows at the most.
    pub limit: Limit,
    /// Behind which row; `None` is the first page.
    pub after: Option<Cursor>,
}

impl PageRequest {
    /// The first page with `limit` rows.
    #[must_use]
    pub const fn first(limit: Limit) -> Self {
        Self { limit, after: None }
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page of `rows`, of which one more than `limit` was asked for to see whether the list goes on.
    #[must_use]
    pub fn from_one_more(mut rows: Vec<T>, limit: Limit, cursor: impl Fn(&T) -> Cursor) -> Self {
        let goes_on = rows.len() > usize::from(limit.rows());
        rows.truncate(usize::from(limit.rows()));
        let next = if goes_on { rows.last().map(cursor) } else { None };
        Self { items: rows, next }
    }

    /// The same page with every row changed by `change`.
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
        fn a_cursor_is_read_back(sort_value: i64, id: i64) {
            let cursor = Cursor { sort_value, id };

            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn no_text_makes_the_cursor_panic(text in ".*") {
            let _ = text.parse::<Cursor>();
        }
    }

    #[test]
    fn a_page_goes_on_only_if_there_is_one_row_more() {
        let limit = Limit::new(2).unwrap();
        let cursor = |id: &i64| Cursor { sort_value: 0, id: *id };

        let full = Page::from_one_more(vec![1, 2], limit, cursor);
        let more = Page::from_one_more(vec![1, 2, 3], limit, cursor);

        assert_eq!(full, Page { items: vec![1, 2], next: None });
        assert_eq!(more, Page { items: vec![1, 2], next: Some(Cursor { sort_value: 0, id: 2 }) });
    }
}
