//! Text as platforms count and read it: lengths, links, mentions and hashtags with their positions,
//! splitting into parts, and escaping.
//!
//! This crate is pure and depends on no other crate of Waggle. The rules of X are those of its
//! public library `twitter-text`, with which a test compares them.
//!
//! ```
//! use waggle_text::{EntityKind, entities, split, weighted_length};
//!
//! let text = "Read https://example.com/a/long/path, @ada. #rust";
//!
//! assert_eq!(weighted_length(text), 41, "a URL counts 23");
//! let kinds: Vec<EntityKind> = entities(text).iter().map(|entity| entity.kind).collect();
//! assert_eq!(kinds, [EntityKind::Link, EntityKind::Mention, EntityKind::Hashtag]);
//!
//! let parts = split("One sentence. Another one.", |part| weighted_length(part) <= 15);
//! assert_eq!(parts.unwrap(), ["One sentence.", "Another one."]);
//! ```

mod entities;
mod little_text;
mod span;
mod split;
mod urls;
mod weighted_length;

pub use entities::{Entity, EntityKind, entities};
pub use little_text::little_text;
pub use span::Span;
pub use split::split;
pub use weighted_length::{MOST, graphemes, refused_character, utf16_length, weighted_length};
