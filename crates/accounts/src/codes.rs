//! Codes and links that are mailed, to show that an address is somebody's.

pub(crate) mod code;
pub(crate) mod mailed_codes;
