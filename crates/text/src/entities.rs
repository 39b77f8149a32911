//! The links, mentions, hashtags and cashtags of a text, by the rules of X.

use std::ops::Range;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::span::Span;
use crate::urls::{is_latin_accent, urls};

/// The maximum length of the name in a mention, in characters.
const MOST_NAME: usize = 20;
/// The maximum length of the name of a list after a mention, in characters.
const MOST_LIST: usize = 25;
/// The maximum number of letters of a cashtag, before an optional suffix.
const MOST_SYMBOL: usize = 6;
/// The maximum number of letters of the suffix of a cashtag, as in `$BRK.A`.
const MOST_SUFFIX: usize = 2;

/// The kind of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// A URL, with or without its protocol.
    Link,
    /// `@name`, or `@name/list`.
    Mention,
    /// `#word`.
    Hashtag,
    /// `$SYMBOL`.
    Cashtag,
}

/// A part of a text that is more than words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Where it is, with its sign (`@`, `#`, `$`).
    pub span: Span,
}

/// The entities of `text`, in order. Of two that overlap, the first one counts.
pub fn entities(text: &str) -> Vec<Entity> {
    let links = urls(text).into_iter().map(|range| (EntityKind::Link, range));
    let mut found: Vec<(EntityKind, Range<usize>)> = links.collect();
    // X's library takes the character before a mention, too, so none begins where one has ended.
    let mut mention_end = 0;
    for (at, sign) in text.char_indices() {
        let (before, after) = (text.get(..at), text.get(at + sign.len_utf8()..));
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let tag = match sign {
            '@' | '＠' if at > 0 && at == mention_end => continue,
            '@' | '＠' => {
                let mention = mention(before, after);
                if let Some(mention) = &mention {
                    mention_end = at + sign.len_utf8() + mention.length;
                }
                let counts = mention.filter(|mention| !mention.goes_on);
                (EntityKind::Mention, counts.map(|mention| mention.length))
            }
            '#' | '＃' => (EntityKind::Hashtag, hashtag(before, after)),
            '$' => (EntityKind::Cashtag, cashtag(before, after)),
            _ => continue,
        };
        if let (kind, Some(length)) = tag {
            found.push((kind, at..at + sign.len_utf8() + length));
        }
    }
    found.sort_by_key(|(kind, range)| (range.start, *kind));
    let mut end = 0;
    found.retain(|(_, range)| {
        let is_free = range.start >= end;
        end = if is_free { range.end } else { end };
        is_free
    });
    let spans = Span::of(text, found.iter().map(|(_, range)| range.clone()));
    found.into_iter().zip(spans).map(|((kind, _), span)| Entity { kind, span }).collect()
}

/// What looks like a mention.
struct Mention {
    /// The length of the name, in bytes, with that of a list if one follows.
    length: usize,
    /// Whether something follows because of which it does not count.
    goes_on: bool,
}

fn mention(before: &str, after: &str) -> Option<Mention> {
    let is_before = |c: char| !c.is_ascii_alphanumeric() && !"_!#$%&*@＠".contains(c);
    let may_begin = before.chars().next_back().is_none_or(is_before) || ends_with_rt(before);
    let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let name = after.chars().take(MOST_NAME).take_while(is_name).count();
    let length = name + list(after.get(name..)?);
    let rest = after.get(length..)?;
    let goes_on = rest.starts_with("://")
        || rest.chars().next().is_some_and(|c| matches!(c, '@' | '＠') || is_latin_accent(c));
    (may_begin && name > 0).then_some(Mention { length, goes_on })
}

/// The length of the name of a list, with the slash before it.
fn list(text: &str) -> usize {
    let Some(name) =
        text.strip_prefix('/').filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
    else {
        return 0;
    };
    let is_of_list = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    1 + name.bytes().take(MOST_LIST).take_while(is_of_list).count()
}

/// Whether the text ends with the word `RT`, directly before a mention.
fn ends_with_rt(text: &str) -> bool {
    let Some((rest, rt)) = text.len().checked_sub(2).and_then(|at| text.split_at_checked(at))
    else {
        return false;
    };
    rt.eq_ignore_ascii_case("rt")
        && rest
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '+' | '~' | '.' | '-'))
}

/// The length of the word of a hashtag, in bytes.
fn hashtag(before: &str, after: &str) -> Option<usize> {
    let may_begin = before
        .chars()
        .next_back()
        .is_none_or(|c| matches!(c, '\u{FE0E}' | '\u{FE0F}') || !(is_of_hashtag(c) || c == '&'));
    if !may_begin || after.starts_with(['\u{FE0F}', '\u{20E3}']) {
        return None;
    }
    let end = after.find(|c| !is_of_hashtag(c)).unwrap_or(after.len());
    let (word, rest) = after.split_at_checked(end)?;
    let goes_on = rest.starts_with(['#', '＃']) || rest.starts_with("://");
    (word.contains(is_letter_or_mark) && !goes_on).then_some(end)
}

fn is_letter_or_mark(c: char) -> bool {
    matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark)
}

fn is_of_hashtag(c: char) -> bool {
    is_letter_or_mark(c)
        || c.general_category() == GeneralCategory::DecimalNumber
        || matches!(
            c,
            '_' | '\u{200C}'
                | '\u{200D}'
                | '\u{A67E}'
                | '\u{05BE}'
                | '\u{05F3}'
                | '\u{05F4}'
                | '\u{FF5E}'
                | '\u{301C}'
                | '\u{309B}'
                | '\u{309C}'
                | '\u{30A0}'
                | '\u{30FB}'
                | '\u{3003}'
                | '\u{0F0B}'
                | '\u{0F0C}'
                | '\u{00B7}'
        )
}

/// The length of the symbol of a cashtag, in bytes.
fn cashtag(before: &str, after: &str) -> Option<usize> {
    if !before.chars().next_back().is_none_or(char::is_whitespace) {
        return None;
    }
    let letters = |text: &str, most: usize| {
        text.bytes().take(most + 1).take_while(u8::is_ascii_alphabetic).count()
    };
    let ends = |at: usize| {
        let next = after.get(at..).and_then(|rest| rest.chars().next());
        next.is_none_or(|c| c.is_whitespace() || (c.is_ascii_punctuation() && c != '"' && c != '`'))
    };
    let symbol = letters(after, MOST_SYMBOL);
    if !(1..=MOST_SYMBOL).contains(&symbol) {
        return None;
    }
    let suffix = after.get(symbol..).and_then(|rest| rest.strip_prefix(['.', '_']));
    let suffix = suffix.map_or(0, |rest| letters(rest, MOST_SUFFIX));
    let whole = symbol + 1 + suffix;
    if (1..=MOST_SUFFIX).contains(&suffix) && ends(whole) {
        return Some(whole);
    }
    // An underscore after the symbol belongs to punctuation.
    ends(symbol).then_some(symbol)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<(EntityKind, &str)> {
        entities(text).into_iter().map(|entity| (entity.kind, &text[entity.span.utf8])).collect()
    }

    #[test]
    fn positions_are_given_in_bytes_and_in_utf_16() {
        let text = "👋 @ada: see http://例え.jp and #日本";

        let spans: Vec<Span> = entities(text).into_iter().map(|entity| entity.span).collect();

        assert_eq!(spans[0], Span { utf8: 5..9, utf16: 3..7 });
        assert_eq!(spans[1], Span { utf8: 15..31, utf16: 13..25 });
        assert_eq!(spans[2], Span { utf8: 36..43, utf16: 30..33 });
    }

    #[test]
    fn a_link_is_not_also_a_hashtag_or_a_mention() {
        use EntityKind::{Hashtag, Link, Mention};

        assert_eq!(found("http://example.com/#top"), [(Link, "http://example.com/#top")]);
        assert_eq!(found("https://example.com/@ada"), [(Link, "https://example.com/@ada")]);
        assert_eq!(found("@ada example.com #rust").len(), 3);
        assert_eq!(found("#example.com"), [(Hashtag, "#example")]);
        assert_eq!(found("@example.com"), [(Mention, "@example")]);
    }

    #[test]
    fn an_email_address_is_not_a_mention_and_a_number_is_not_a_hashtag() {
        for text in
            ["ada@example.com", "we are #1", "a&#39;b", "C#sharp", "$5", "US$AAPL", "@", "#"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,100}") {
            entities(&text);
        }

        #[test]
        fn entities_are_in_order_and_do_not_overlap(text in "[ a@#$.:/é日]{0,40}") {
            let spans: Vec<Span> = entities(&text).into_iter().map(|entity| entity.span).collect();

            for pair in spans.windows(2) {
                prop_assert!(pair[0].utf8.end <= pair[1].utf8.start);
                prop_assert!(pair[0].utf16.end <= pair[1].utf16.start);
            }
        }
    }
}
