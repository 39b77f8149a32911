//! API tokens.

pub(crate) mod manage_tokens;
pub(crate) mod token;
