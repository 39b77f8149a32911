//! The position of a part of a text, in the two units that platforms use.

use std::ops::Range;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Bytes of UTF-8, as Bluesky counts.
    pub utf8: Range<usize>,
    /// Code units of UTF-16, as X, Farcaster clients and JavaScript count.
    pub utf16: Range<usize>,
}

impl Span {
    /// The spans of ranges of bytes, which must be in order, without overlaps, and at boundaries of
    /// characters. Reads the text once.
    pub(crate) fn of(text: &str, ranges: impl IntoIterator<Item = Range<usize>>) -> Vec<Self> {
        let (mut bytes, mut units) = (0, 0);
        let mut units_at = |at: usize| {
            units += text.get(bytes..at).unwrap_or_default().encode_utf16().count();
            bytes = at;
            units
        };
        let span = |utf8: Range<usize>| {
            let utf16 = units_at(utf8.start)..units_at(utf8.end);
            Self { utf8, utf16 }
        };
        ranges.into_iter().map(span).collect()
    }
}
