//! Codes and links that are mailed to verify an email address.

pub(crate) mod code;
pub(crate) mod mailed_codes;
