//! Heads: signatures over the end of the chain, which vouch for everything before it.

use chrono::{DateTime, Utc};
use waggle_kernel::hex;

use crate::entry::Tip;

/// A signed end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub tip: Tip,
    pub signed_at: DateTime<Utc>,
    /// The public key in hexadecimal digits.
    pub key: String,
    pub signature: Vec<u8>,
}

impl Head {
    /// The text that is signed.
    pub fn text(tip: Tip, signed_at: DateTime<Utc>) -> String {
        let (position, hash) = (tip.position, hex(&tip.hash));
        format!("waggle audit head 1\n{position}\n{hash}\n{}\n", signed_at.timestamp_micros())
    }
}
