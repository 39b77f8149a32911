//! The response of operations that return no other data.

use poem_openapi::Object;

/// The operation was completed.
#[derive(Object)]
pub(super) struct Done {
    /// A description of what was done, for people.
    pub(super) message: String,
}
