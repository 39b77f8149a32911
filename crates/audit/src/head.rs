//! Heads: signatures over the end of the chain, which vouch for everything before it.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use waggle_kernel::hex;

use crate::entry::{Hash, Tip};

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

/// Names a head in what is signed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadRef {
    pub number: i64,
    /// The SHA-256 of its signature.
    pub hash: Hash,
}

impl HeadRef {
    /// Stands before the first head.
    pub const NONE: Self = Self { number: 0, hash: [0; 32] };

    /// The hash in hexadecimal digits; empty before the first head.
    pub(crate) fn hex(&self) -> String {
        if self.number == 0 { String::new() } else { hex(&self.hash) }
    }
}

impl From<&Head> for HeadRef {
    fn from(head: &Head) -> Self {
        Self { number: head.number, hash: Sha256::digest(&head.signature).into() }
    }
}

impl Head {
    /// The text that is signed. It covers the signature of the head before it, so that no head can
    /// be taken out.
    pub fn text(&self, previous: HeadRef) -> String {
        let before = previous.hex();
        let (position, hash) = (self.tip.position, hex(&self.tip.hash));
        let (number, signed_at) = (self.number, self.signed_at.timestamp_micros());
        format!("waggle audit head 1\n{number}\n{before}\n{position}\n{hash}\n{signed_at}\n")
    }
}
