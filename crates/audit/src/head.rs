//! Heads: signatures over the end of the chain, which vouch for everything before it.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use waggle_kernel::hex;

use crate::entry::Tip;

/// A signed end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Counts the heads, from 1, without gaps.
    pub number: i64,
    pub tip: Tip,
    pub signed_at: DateTime<Utc>,
    /// The public key in hexadecimal digits.
    pub key: String,
    pub signature: Vec<u8>,
}

impl Head {
    /// The text that is signed. It covers the signature of the head before it, so that no head can
    /// be taken out.
    pub fn text(&self, previous: Option<&Self>) -> String {
        let before = previous.map(|head| hex(&Sha256::digest(&head.signature))).unwrap_or_default();
        let (position, hash) = (self.tip.position, hex(&self.tip.hash));
        let (number, signed_at) = (self.number, self.signed_at.timestamp_micros());
        format!("waggle audit head 1\n{number}\n{before}\n{position}\n{hash}\n{signed_at}\n")
    }
}
