//! What a call for many objects did not do.

use poem_openapi::Object;

use crate::http::Problem;

/// An object that a call for many objects did not change.
#[derive(Object)]
#[oai(rename = "Refused")]
pub(super) struct RefusedView {
    id: i64,
    reason: String,
}

impl RefusedView {
    /// The objects that were refused, each with the reason. What failed in the server is logged.
    pub(super) fn all<E: Into<Problem>>(refused: impl Iterator<Item = (i64, E)>) -> Vec<Self> {
        let of = |(id, reason): (i64, E)| Self { id, reason: reason.into().detail().to_owned() };
        refused.map(of).collect()
    }
}
