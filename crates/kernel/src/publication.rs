//! The content of a post as its readers see it, and the hash that an approval is bound to.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::hex::hex;

/// Everything in a post that its readers see. An approval covers exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publication {
    /// The text, byte for byte.
    pub text: String,
    /// Content hashes of the media files, in order.
    pub media: Vec<String>,
    /// The platform's id of the post that this one replies to.
    pub reply_to: Option<String>,
    /// The platform's id of the post that this one quotes.
    pub quote_of: Option<String>,
}

impl Publication {
    /// Creates a publication that has only text.
    #[must_use]
    pub fn of_text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The SHA-256 over all fields. Each field is prefixed with its length, so different
    /// publications have different hashes.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        let mut hasher = Sha256::new();
        hasher.update(b"waggle publication 1");
        let mut field = |tag: u8, value: &str| {
            hasher.update([tag]);
            hasher.update(value.len().to_be_bytes());
            hasher.update(value.as_bytes());
        };
        field(b't', &self.text);
        for media in &self.media {
            field(b'm', media);
        }
        if let Some(target) = &self.reply_to {
            field(b'r', target);
        }
        if let Some(target) = &self.quote_of {
            field(b'q', target);
        }
        ContentHash(hasher.finalize().into())
    }
}

/// The SHA-256 of a [`Publication`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The bytes of the hash.
    #[must_use]
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ContentHash({self})")
    }
}

impl FromStr for ContentHash {
    type Err = InvalidContentHash;

    fn from_str(text: &str) -> Result<Self, InvalidContentHash> {
        if text.len() != 64 || !text.is_ascii() {
            return Err(InvalidContentHash);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or(InvalidContentHash)?;
        }
        Ok(Self(bytes))
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a content hash must have 64 hexadecimal digits")]
pub struct InvalidContentHash;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn publication() -> impl Strategy<Value = Publication> {
        let text = "[a-c]{0,3}";
        let id = proptest::option::of("[a-c]{0,2}");
        (text, proptest::collection::vec(text, 0..3), id.clone(), id).prop_map(
            |(text, media, reply_to, quote_of)| Publication { text, media, reply_to, quote_of },
        )
    }

    proptest! {
        #[test]
        fn only_equal_publications_have_the_same_hash(
            one in publication(),
            other in publication(),
        ) {
            prop_assert_eq!(one.hash() == other.hash(), one == other);
        }

        #[test]
        fn a_hash_round_trips_through_its_text(one in publication()) {
            prop_assert_eq!(one.hash().to_string().parse(), Ok(one.hash()));
        }
    }
}
