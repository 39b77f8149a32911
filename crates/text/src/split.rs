//! Splits a long text into parts, as for a thread.

use std::collections::BTreeSet;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::entities::entities;

/// Splits `text` into parts that all fit, in as few steps as possible: each part is the longest one
/// that ends with a paragraph or a sentence, otherwise with a word, otherwise with a character as
/// people see it. Links, mentions and tags stay whole unless one alone does not fit. Whitespace at
/// the ends of parts is removed.
///
/// All parts fit. They are the longest ones if `fits` is true for each beginning of a text that
/// fits; X's weighted length is nearly so. Returns `None` if not even a single character fits.
pub fn split(text: &str, fits: impl Fn(&str) -> bool) -> Option<Vec<&str>> {
    let text = text.trim();
    let cuts = Cuts::of(text);
    let mut parts = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let end = if fits(rest.trim_end()) {
            text.len()
        } else {
            let fits_until =
                |end: usize| text.get(start..end).is_some_and(|part| fits(part.trim_end()));
            cuts.last_that(start, fits_until)?
        };
        parts.push(text.get(start..end)?.trim_end());
        let rest = text.get(end..)?;
        start = end + (rest.len() - rest.trim_start().len());
    }
    Some(parts)
}

/// Where a text can be cut, best places first. All are positions of bytes, in order.
struct Cuts {
    sentences: Vec<usize>,
    words: Vec<usize>,
    graphemes: Vec<usize>,
    /// Inside of entities, too.
    anywhere: Vec<usize>,
}

impl Cuts {
    fn of(text: &str) -> Self {
        let inside: BTreeSet<usize> =
            entities(text).into_iter().flat_map(|entity| entity.span.utf8.skip(1)).collect();
        let lines = text.match_indices('\n').map(|(at, _)| at + 1);
        let sentences = text.split_sentence_bound_indices().map(|(at, _)| at).chain(lines);
        let is_free = |at: &usize| !inside.contains(at);
        let mut sentences: Vec<usize> = sentences.filter(is_free).collect();
        sentences.sort_unstable();
        let words = text.split_word_bound_indices().map(|(at, _)| at).filter(is_free);
        let words = words.filter(|&at| is_between_words(text, at)).collect();
        let anywhere: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).collect();
        let graphemes = anywhere.iter().copied().filter(is_free).collect();
        Self { sentences, words, graphemes, anywhere }
    }

    /// The last cut after `start` for which `fits`, of the best kind that has one.
    fn last_that(&self, start: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
        [&self.sentences, &self.words, &self.graphemes, &self.anywhere].into_iter().find_map(
            |cuts| {
                let after = cuts.get(cuts.partition_point(|&at| at <= start)..)?;
                let fitting = after.partition_point(|&at| fits(at));
                fitting.checked_sub(1).and_then(|last| after.get(last)).copied()
            },
        )
    }
}

/// Whether `at` is next to whitespace, or between two characters of a script without spaces.
fn is_between_words(text: &str, at: usize) -> bool {
    let (Some(before), Some(after)) = (text.get(..at), text.get(at..)) else { return false };
    match (before.chars().next_back(), after.chars().next()) {
        (Some(before), Some(after)) => {
            before.is_whitespace()
                || after.is_whitespace()
                || (before.is_alphanumeric()
                    && after.is_alphanumeric()
                    && !before.is_ascii()
                    && !after.is_ascii())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{graphemes, weighted_length};

    fn by(most: usize) -> impl Fn(&str) -> bool {
        move |part| graphemes(part) <= most
    }

    #[test]
    fn sentences_are_kept_whole_where_they_fit() {
        let text = "First one. Second one! Third?\n\nA new paragraph.";

        assert_eq!(
            split(text, by(30)).unwrap(),
            ["First one. Second one! Third?", "A new paragraph."]
        );
        assert_eq!(
            split(text, by(22)).unwrap(),
            ["First one. Second one!", "Third?", "A new paragraph."]
        );
    }

    #[test]
    fn a_long_sentence_is_cut_between_words() {
        assert_eq!(split("one two three four", by(9)).unwrap(), ["one two", "three", "four"]);
        assert_eq!(split("これは長い文です", by(4)).unwrap().concat(), "これは長い文です");
    }

    #[test]
    fn a_link_is_not_cut() {
        let text = "word word word https://example.com/path-to/page.html";

        let parts = split(text, |part| weighted_length(part) <= 30).unwrap();

        assert_eq!(parts, ["word word word", "https://example.com/path-to/page.html"]);
        let parts =
            split("aaaaaaaaaa(https://example.com/path)", |part| weighted_length(part) <= 30);
        assert_eq!(parts.unwrap(), ["aaaaaaaaaa(", "https://example.com/path)"]);
    }

    #[test]
    fn a_word_that_does_not_fit_is_cut_between_characters() {
        assert_eq!(split("abcdef", by(4)).unwrap(), ["abcd", "ef"]);
        assert_eq!(split("👨‍👩‍👧‍👦👨‍👩‍👧‍👦", by(1)).unwrap(), ["👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"]);
        assert_eq!(split("a", by(0)), None);
        assert_eq!(split(" \n ", by(0)), Some(vec![]));
    }

    proptest! {
        #[test]
        fn all_parts_fit_and_no_word_is_lost(
            text in "[a-z.!? \n日本é@#:/]{0,200}",
            most in 1_usize..40,
        ) {
            let parts = split(&text, by(most)).unwrap();

            prop_assert!(parts.iter().all(|part| graphemes(part) <= most && !part.is_empty()));
            let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(without_spaces(&parts.concat()), without_spaces(&text));
        }
    }
}
