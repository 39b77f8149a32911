//! Signing in, and the sessions of signed-in users.

pub(crate) mod manage_sessions;
pub(crate) mod session;
pub(crate) mod sign_in;
