//! The answer of operations that have nothing else to say.

use poem_openapi::Object;

/// That it was done.
#[derive(Object)]
pub(super) struct Done {
    /// What was done, for people.
    pub(super) message: String,
}
