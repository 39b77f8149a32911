//! The query of a page's address: filters and the place in the list.

use std::str::FromStr;

use chrono::{DateTime, Datelike as _, NaiveDateTime, Utc};
use poem::Request;
use waggle_console::Links;
use waggle_kernel::{Cursor, Limit, PageRequest, Zone, check_text};

use crate::http::Problem;

/// What the address of a list asks for. What is not understood is left out, and named.
pub(super) struct Query {
    path: String,
    pairs: Vec<(String, String)>,
    /// The parts that were left out, each with the reason.
    pub(super) ignored: Vec<String>,
}

/// The longest value of a filter, in characters.
const MOST: usize = 500;

impl Query {
    pub(super) fn of(request: &Request) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let given = url::form_urlencoded::parse(query.as_bytes());
        let (pairs, long): (Vec<_>, Vec<_>) = given
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .partition(|(_, value)| check_text(value, MOST).is_ok());
        let ignored =
            long.into_iter().map(|(name, _)| format!("{name}: longer than {MOST} characters"));
        let ignored = ignored.collect();
        Self { path: request.uri().path().to_owned(), pairs, ignored }
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
            self.leave_out(name, "not understood");
        }
        value
    }

    /// Leaves out a filter, if there is one of this name, and tells why.
    pub(super) fn leave_out(&mut self, name: &str, why: &str) {
        let left = self.pairs.extract_if(.., |(found, _)| found == name);
        self.ignored.extend(left.map(|(name, value)| format!("{name}={value}: {why}")));
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

    /// The address of the first page of the list with these filters, and one more.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        self.address(&[(name, value)])
    }

    /// The address of the list with these filters and others.
    fn address(&self, more: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        // Totals are counted once, not again on each page.
        let is_kept = |(name, _): &&(String, String)| name != "cursor" && name != "totals";
        query.extend_pairs(self.pairs.iter().filter(is_kept));
        query.extend_pairs(more);
        let query = query.finish();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    /// A time that was entered in this zone.
    pub(super) fn minute(&mut self, name: &str, zone: Zone) -> Option<DateTime<Utc>> {
        self.value(name).map(|Minute(local)| zone.utc(local))
    }

    /// The links to other pages of the list, with the same filters.
    pub(super) fn links(&self, next: Option<Cursor>) -> Links {
        let here = self.text("cursor");
        let at = |cursor: &str| self.address(&[("cursor", cursor)]);
        Links {
            here: here.map_or_else(|| self.address(&[]), at),
            first: here.map(|_| self.address(&[])),
            next: next.map(|cursor| at(&cursor.to_string())),
        }
    }
}

/// A time as browsers send it, in the time zone of the user.
struct Minute(NaiveDateTime);

impl FromStr for Minute {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
        let read = |form: &&str| NaiveDateTime::parse_from_str(text, form).ok();
        let time = forms.iter().find_map(read);
        // The years that both databases can store.
        time.filter(|time| (1..=9_999).contains(&time.year())).map(Self).ok_or(())
    }
}
