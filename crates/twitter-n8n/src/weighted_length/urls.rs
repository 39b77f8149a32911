//! Finds the URLs in a text by the rules of X's public `twitter-text` library.
//!
//! A URL is found with or without its protocol (`http`, `https`). Without a protocol, only an ASCII
//! (or accented Latin) domain counts. In both cases, the domain must end with an existing top-level
//! domain.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

/// The maximum length of the slug of a `t.co` link.
const MOST_SLUG: usize = 40;
/// The maximum length of a DNS label, in its ASCII form.
const MOST_LABEL: usize = 63;
/// The maximum length of a DNS name. The search for the end of a domain stops there.
const MOST_NAME: usize = 253;
/// The maximum length of a top-level domain, in characters.
const MOST_TOP_LEVEL: usize = 24;

/// The top-level domains that are not ASCII, in their Unicode form.
static NON_ASCII_TOP_LEVEL: LazyLock<HashSet<String>> = LazyLock::new(|| {
    tld::TLD
        .iter()
        .filter(|name| name.starts_with("xn--"))
        .map(|name| idna::domain_to_unicode(name).0)
        .collect()
});

/// The byte ranges of the URLs in `text`, in order and without overlaps.
pub(super) fn urls(text: &str) -> Vec<Range<usize>> {
    // Without a dot there is no URL, so the search can be skipped.
    if !text.contains('.') {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut before = None;
    let mut position = 0;
    while let Some(c) = text.get(position..).and_then(|rest| rest.chars().next()) {
        if may_precede(before)
            && let Some(end) = url_at(text, position, before)
        {
            found.push(position..end);
            before = text.get(..end).and_then(|taken| taken.chars().next_back());
            position = end;
            continue;
        }
        before = Some(c);
        position += c.len_utf8();
    }
    found
}

fn may_precede(before: Option<char>) -> bool {
    before.is_none_or(|c| {
        !c.is_ascii_alphanumeric()
            && !matches!(c, '@' | '＠' | '$' | '#' | '＃' | '\u{FFFE}' | '\u{FEFF}' | '\u{FFFF}')
    })
}

fn url_at(text: &str, start: usize, before: Option<char>) -> Option<usize> {
    let rest = text.get(start..)?;
    let domain_end = if let Some(protocol) = protocol(rest) {
        let domain = domain(rest.get(protocol..)?, is_domain_char)?;
        let host = rest.get(protocol..protocol + domain)?;
        if host.eq_ignore_ascii_case("t.co") {
            return short_link(rest, protocol + domain).map(|end| start + end);
        }
        protocol + domain
    } else {
        if matches!(before, Some('-' | '_' | '.' | '/')) {
            return None;
        }
        domain(rest, is_latin_domain_char)?
    };
    let mut end = domain_end;
    end += port(rest.get(end..)?);
    end += path(rest.get(end..)?);
    end += query(rest.get(end..)?);
    Some(start + end)
}

fn protocol(text: &str) -> Option<usize> {
    ["https://", "http://"].into_iter().map(str::len).find(|&length| {
        text.get(..length).is_some_and(|head| {
            head.eq_ignore_ascii_case("https://") || head.eq_ignore_ascii_case("http://")
        })
    })
}

/// The length of the longest domain at the start of `text` whose characters are `allowed`.
fn domain(text: &str, allowed: fn(char) -> bool) -> Option<usize> {
    let run_end = text
        .char_indices()
        .take(MOST_NAME)
        .take_while(|&(_, c)| allowed(c) || matches!(c, '-' | '_' | '.'))
        .last()
        .map_or(0, |(at, c)| at + c.len_utf8());
    let run = text.get(..run_end)?;
    let dots: Vec<usize> = run.match_indices('.').map(|(at, _)| at).collect();
    dots.into_iter().rev().find_map(|dot| {
        let labels = run.get(..dot)?;
        if !labels_are_valid(labels, allowed) {
            return None;
        }
        let tail = text.get(dot + 1..)?;
        let ends: Vec<usize> = tail
            .char_indices()
            .take(MOST_TOP_LEVEL)
            .take_while(|&(_, c)| c.is_alphanumeric() || c == '-' || is_combining(c))
            .map(|(at, c)| at + c.len_utf8())
            .collect();
        ends.into_iter().rev().find_map(|end| {
            let top_level = tail.get(..end)?;
            let next = tail.get(end..)?.chars().next();
            let goes_on = next.is_some_and(|c| c.is_ascii_alphanumeric() || "@+-".contains(c));
            let whole = text.get(..dot + 1 + end)?;
            (!goes_on && is_top_level(top_level) && resolves(whole)).then_some(dot + 1 + end)
        })
    })
}

fn labels_are_valid(labels: &str, allowed: fn(char) -> bool) -> bool {
    let mut labels = labels.split('.').rev();
    let fits = |label: &str, inner: &[char]| {
        let mut chars = label.chars();
        chars.next().is_some_and(allowed)
            && chars.next_back().is_none_or(allowed)
            && chars.all(|c| allowed(c) || inner.contains(&c))
    };
    labels.next().is_some_and(|name| fits(name, &['-']))
        && labels.all(|subdomain| fits(subdomain, &['-', '_']))
}

fn is_domain_char(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !c.is_ascii_punctuation()
        && !matches!(
            c,
            '\u{FFFE}' | '\u{FEFF}' | '\u{FFFF}'
                | '\u{202A}'..='\u{202E}'
                | '\u{061C}'
                | '\u{200E}'
                | '\u{200F}'
                | '\u{2066}'..='\u{2069}'
        )
}

fn is_latin_domain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || is_latin_accent(c)
}

fn is_latin_accent(c: char) -> bool {
    matches!(
        c,
        '\u{C0}'..='\u{D6}'
            | '\u{D8}'..='\u{F6}'
            | '\u{F8}'..='\u{24F}'
            | '\u{1E00}'..='\u{1EFF}'
    )
}

fn is_combining(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036F}' | '\u{0900}'..='\u{0DFF}')
}

fn is_top_level(label: &str) -> bool {
    if label.is_ascii() {
        return tld::exist_case_insensitive(label);
    }
    NON_ASCII_TOP_LEVEL.contains(label)
}

/// Whether the domain is valid in DNS: it has an ASCII form, and no label of it is too long.
fn resolves(domain: &str) -> bool {
    idna::domain_to_ascii(domain)
        .is_ok_and(|ascii| ascii.split('.').all(|label| label.len() <= MOST_LABEL))
}

fn port(text: &str) -> usize {
    let digits = text
        .strip_prefix(':')
        .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    if digits == 0 { 0 } else { 1 + digits }
}

fn path(text: &str) -> usize {
    if !text.starts_with('/') {
        return 0;
    }
    let mut end = 1;
    let mut last = 1;
    while let Some(c) = text.get(end..).and_then(|rest| rest.chars().next()) {
        if c == '(' {
            let Some(group) = text.get(end..).and_then(balanced) else { break };
            end += group;
            last = end;
            continue;
        }
        if !is_path_char(c) {
            break;
        }
        end += c.len_utf8();
        if is_letter(c) || c.is_ascii_digit() || "+-=_#/".contains(c) {
            last = end;
        }
    }
    last
}

/// The length of a parenthesized part of a path, which may contain one more level of parentheses.
fn balanced(text: &str) -> Option<usize> {
    let mut depth = 0_u8;
    for (at, c) in text.char_indices() {
        match c {
            '(' if depth < 2 => depth += 1,
            ')' if depth == 1 => return Some(at + 1),
            ')' => depth = depth.checked_sub(1)?,
            c if is_path_char(c) => {}
            _ => return None,
        }
    }
    None
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || is_latin_accent(c) || matches!(c, '\u{0400}'..='\u{04FF}')
}

fn is_path_char(c: char) -> bool {
    is_letter(c) || c.is_ascii_digit() || "!*';:=+,.$/%#[]-–_~@|&".contains(c)
}

fn query(text: &str) -> usize {
    let Some(rest) = text.strip_prefix('?') else { return 0 };
    rest.char_indices()
        .take_while(|&(_, c)| c.is_ascii_alphanumeric() || "!?*'@();:&=+$/%#[]-_.,~|".contains(c))
        .filter(|&(_, c)| c.is_ascii_alphanumeric() || "-_&=#/".contains(c))
        .last()
        .map_or(0, |(at, c)| 1 + at + c.len_utf8())
}

/// The end of a `t.co` link: its slug has only letters and digits, and a query may follow.
fn short_link(text: &str, domain_end: usize) -> Option<usize> {
    let slug = text
        .get(domain_end..)?
        .strip_prefix('/')
        .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_alphanumeric).count());
    if slug > MOST_SLUG {
        return None;
    }
    let end = if slug == 0 {
        domain_end + path(text.get(domain_end..)?).min(1)
    } else {
        domain_end + 1 + slug
    };
    Some(end + query(text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        urls(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn urls_end_where_x_ends_them() {
        let cases: [(&str, &[&str]); 20] = [
            ("text http://foobar.com/#", &["http://foobar.com/#"]),
            (
                "see http://en.example.org/wiki/Primer_(film)",
                &["http://en.example.org/wiki/Primer_(film)"],
            ),
            ("(http://example.com", &["http://example.com"]),
            ("http://example.com/path..........", &["http://example.com/path"]),
            ("http://example.com/,,,,,", &["http://example.com/"]),
            ("http://example.com:3000 x", &["http://example.com:3000"]),
            ("go to http://example.com?#foo text", &["http://example.com?#foo"]),
            ("foo.com foo.co.jp foo.comm", &["foo.com", "foo.co.jp"]),
            ("これは。example.com/path中国語t.co/abcde한국", &["example.com/path", "t.co/abcde"]),
            ("http://example.comだよね.comtest/hogehoge", &["http://example.com"]),
            ("it's http://t.co/pbY2NfTZ's site", &["http://t.co/pbY2NfTZ"]),
            ("http://t.co/FNkPfmii- it", &["http://t.co/FNkPfmii"]),
            ("mail name.al-lastname@foo.com", &[]),
            ("#test.com @test.com $test.com", &[]),
            ("http://-lead.example.com http://trail-.example.com", &[]),
            ("http://under_score.com", &[]),
            ("http://sub_domain-dash.example.com", &["http://sub_domain-dash.example.com"]),
            ("http://domain.com-that-goes-on", &[]),
            ("example.comてすとですexample.みんなです", &["example.com", "example.みんな"]),
            ("long.test.tar.bz2 http://no-tld", &[]),
        ];

        for (text, expected) in cases {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_label_that_is_too_long_for_dns_is_not_a_url() {
        assert_eq!(found(&format!("{}.com", "a".repeat(64))), Vec::<&str>::new());
        assert_eq!(found(&format!("{}.com", "a".repeat(63))).len(), 1);
    }

    #[test]
    fn a_slug_that_is_too_long_for_x_is_not_a_url() {
        assert_eq!(found(&format!("http://t.co/{}", "a".repeat(41))), Vec::<&str>::new());
        assert_eq!(found(&format!("http://t.co/{}", "a".repeat(40))).len(), 1);
    }
}
