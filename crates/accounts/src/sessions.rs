//! Signing in, and the sessions of those who did.

pub(crate) mod manage_sessions;
pub(crate) mod session;
pub(crate) mod sign_in;
