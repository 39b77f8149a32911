//! Addresses that several parts know.

/// Where the native API is.
pub(crate) const API: &str = "/api/v1";

/// The path that Google sends people back to. It is that of the Django application, so that what is
/// registered at Google keeps working.
pub(crate) const CALLBACK: &str = "/accounts/google/login/callback/";
