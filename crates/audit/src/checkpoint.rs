//! Checkpoints: the signed end of the events that were removed because of their age.

use chrono::{DateTime, Utc};
use waggle_kernel::hex;

use crate::entry::Tip;
use crate::head::HeadRef;

/// The beginning of a chain whose oldest events were removed. The signature shows that Waggle
/// removed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last event that was removed.
    pub tip: Tip,
    /// The last head that was removed.
    pub head: HeadRef,
    pub signed_at: DateTime<Utc>,
    /// The public key in hexadecimal digits.
    pub key: String,
    pub signature: Vec<u8>,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let (position, hash) = (self.tip.position, hex(&self.tip.hash));
        let (number, head) = (self.head.number, self.head.hex());
        let signed_at = self.signed_at.timestamp_micros();
        format!("waggle audit checkpoint 1\n{position}\n{hash}\n{number}\n{head}\n{signed_at}\n")
    }
}
