//! The query of a page's address: filters and the place in the list.

use std::str::FromStr;

use poem::Request;
use waggle_console::Links;
use waggle_kernel::{Cursor, Limit, PageRequest};

use crate::http::Problem;

/// What the address of a list asks for. What is not understood is left out, and named.
pub(super) struct Query {
    path: String,
    pairs: Vec<(String, String)>,
    /// The parts that were not understood.
    pub(super) ignored: Vec<String>,
}

/// The longest value of a filter, in bytes.
const MOST: usize = 2_048;

impl Query {
    pub(super) fn of(request: &Request) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes())
            .filter(|(_, value)| !value.is_empty() && value.len() <= MOST)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Self { path: request.uri().path().to_owned(), pairs, ignored: Vec::new() }
    }

    /// The text of a filter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The value of a filter.
    pub(super) fn value<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.leave_out(name);
        }
        value
    }

    /// Leaves out a filter, if there is one of this name, and names it.
    pub(super) fn leave_out(&mut self, name: &str) {
        let left = self.pairs.extract_if(.., |(found, _)| found == name);
        self.ignored.extend(left.map(|(name, value)| format!("{name}={value}")));
    }

    /// The page of the list.
    ///
    /// # Errors
    ///
    /// [`Problem`] if the cursor is invalid: a page of another place would mislead.
    pub(super) fn page(&self) -> Result<PageRequest, Problem> {
        let after = self.text("cursor").map(str::parse).transpose();
        let after = after.map_err(|error| Problem::invalid(format!("cursor: {error}")))?;
        Ok(PageRequest { limit: Limit::DEFAULT, after })
    }

    /// The links to other pages of the list, with the same filters.
    pub(super) fn links(&self, next: Option<Cursor>) -> Links {
        let at = |cursor: Option<Cursor>| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(self.pairs.iter().filter(|(name, _)| name != "cursor"));
            if let Some(cursor) = cursor {
                query.append_pair("cursor", &cursor.to_string());
            }
            let query = query.finish();
            if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
        };
        Links {
            here: at(self.page().ok().and_then(|page| page.after)),
            first: self.text("cursor").map(|_| at(None)),
            next: next.map(|cursor| at(Some(cursor))),
        }
    }
}
