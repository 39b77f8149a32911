//! Paths that several modules use.

/// The base path of the native API.
pub(crate) const API: &str = "/api/v1";

/// The path that Google redirects users to. It is that of the Django application, so that the
/// redirect URI that is registered at Google keeps working.
pub(crate) const CALLBACK: &str = "/accounts/google/login/callback/";
