//! Signing in with Google.

pub(crate) mod identity;
pub(crate) mod return_to;
pub(crate) mod sign_in_with_google;
