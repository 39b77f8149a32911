//! The length of a text as platforms count it. On X: weighted characters, 23 for a URL, 2 for an
//! emoji.
//!
//! The rules of X are those of its public `twitter-text` configuration, version 3
//! (<https://docs.x.com/fundamentals/counting-characters>). The text is normalized to NFC. A URL
//! counts 23, no matter how long it is. An emoji sequence counts 2. Other code points count 1 if
//! they belong to an alphabetic script or are common punctuation, and 2 otherwise.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::urls::urls;

/// The maximum length of a post by an ordinary account.
pub const MOST: u32 = 280;

/// The length of a URL, because X replaces it with a `t.co` link of that length.
const URL: u32 = 23;
/// The length of an emoji sequence.
const EMOJI: u32 = 2;
/// The code points that count 1: Latin, Greek, Cyrillic and other alphabetic blocks, and common
/// punctuation.
const LIGHT: [std::ops::RangeInclusive<u32>; 4] = [0..=4351, 8192..=8205, 8208..=8223, 8242..=8247];

/// The length of `text` as X counts it.
pub fn weighted_length(text: &str) -> u32 {
    let text: Cow<'_, str> =
        if text.is_ascii() { text.into() } else { text.nfc().collect::<String>().into() };
    let mut length = 0_u32;
    let mut rest = 0;
    for url in urls(&text) {
        length = length
            .saturating_add(plain_length(text.get(rest..url.start).unwrap_or_default()))
            .saturating_add(URL);
        rest = url.end;
    }
    length.saturating_add(plain_length(text.get(rest..).unwrap_or_default()))
}

/// The length of `text` in graphemes, the characters that people see. Bluesky counts these.
pub fn graphemes(text: &str) -> usize {
    text.graphemes(true).count()
}

/// The length of `text` in code units of UTF-16. LinkedIn counts these.
pub fn utf16_length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The first character of `text` that X refuses in a post, if there is one.
pub fn refused_character(text: &str) -> Option<char> {
    text.chars().find(|c| matches!(c, '\0' | '\u{FFFE}' | '\u{FEFF}' | '\u{FFFF}'))
}

fn plain_length(text: &str) -> u32 {
    if text.is_ascii() {
        return u32::try_from(text.len()).unwrap_or(u32::MAX);
    }
    text.graphemes(true).map(grapheme_length).fold(0, u32::saturating_add)
}

fn grapheme_length(grapheme: &str) -> u32 {
    let mut length = 0_u32;
    let mut rest = grapheme;
    // One iteration is nearly always enough. A cluster that is not a known emoji may start with
    // one.
    while let Some(first) = rest.chars().next() {
        let taken = if rest.is_ascii() { None } else { leading_emoji(rest) };
        let (weight, bytes) = match taken {
            Some(bytes) => (EMOJI, bytes),
            None => (weight(first), first.len_utf8()),
        };
        length = length.saturating_add(weight);
        rest = rest.get(bytes..).unwrap_or_default();
    }
    length
}

/// The length in bytes of the longest emoji at the start of `cluster`. A cluster is usually a few
/// code points. Only the first 16 are considered, which is more than any emoji has.
fn leading_emoji(cluster: &str) -> Option<usize> {
    let mut ends: Vec<usize> =
        cluster.char_indices().take(16).map(|(start, c)| start + c.len_utf8()).collect();
    while let Some(end) = ends.pop() {
        let candidate = cluster.get(..end)?;
        // X treats these two as text unless a variation selector requests the emoji.
        if emojis::get(candidate).is_some() && !matches!(candidate, "©" | "®") {
            return Some(end);
        }
    }
    None
}

fn weight(c: char) -> u32 {
    if LIGHT.iter().any(|range| range.contains(&u32::from(c))) { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_match_the_public_documentation() {
        let cases = [
            ("", 0),
            ("Hi http://test.co", 26),
            ("http://test.co", 23),
            ("a\u{301}", 1),
            ("故人西辞黄鹤楼，", 16),
            ("😷👾😡🔥💩", 10),
            ("H🐱☺👨‍👩‍👧‍👦", 7),
            ("🙋🏽👨‍🎤", 4),
            ("1⃣", 2),
            ("Unicode 10.0 emoji: 🤪; 🧕; 🧕🏾; 🏴󠁧󠁢󠁥󠁮󠁧󠁿", 34),
            ("ABC\u{202a}\u{ffff}ABC\u{fffe}", 12),
            ("\u{2066}\u{202a}http://foobar.پاکستان/\u{202c}\u{2069}", 31),
            ("“quoted” — dash", 15),
            ("wait…", 6),
            ("5 €", 4),
            ("© and ® and ™", 14),
            ("©\u{fe0f}", 2),
            ("שּׁ", 3),
        ];

        for (text, length) in cases {
            assert_eq!(weighted_length(text), length, "{text:?}");
        }
    }

    #[test]
    fn family_emoji_count_two_each() {
        assert_eq!(weighted_length(&"👨‍👩‍👧‍👦".repeat(140)), 280);
    }

    #[test]
    fn a_bare_domain_is_a_url_and_a_host_without_a_top_level_domain_is_not() {
        for url in ["example.com", "main.rs", "foo.co", "https://example.com/a/very/long/path?x=1"]
        {
            assert_eq!(weighted_length(url), 23, "{url}");
        }
        for text in ["a.b", "http://localhost:3000", "ftp://localhost", "192.168.0.1"] {
            assert_eq!(weighted_length(text) as usize, text.len(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn counting_never_panics(text in ".{0,200}") {
            weighted_length(&text);
        }

        #[test]
        fn the_lengths_of_separate_words_add_up(one in "[a-z]{1,9}", other in "[あ-ん]{1,9}") {
            let together = weighted_length(&format!("{one} {other}"));

            prop_assert_eq!(together, weighted_length(&one) + 1 + weighted_length(&other));
        }

        #[test]
        fn a_url_counts_23_whatever_its_path(path in "[a-z0-9/]{0,60}") {
            prop_assert_eq!(weighted_length(&format!("https://example.com/{path}")), 23);
        }
    }
}
