//! Finds the URLs in a text by the rules of X's public `twitter-text` library.
//!
//! A URL is found with or without its protocol (`http`, `https`). Without a protocol, only a domain
//! in Latin letters counts. In both cases, the domain must end with an existing top-level domain.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

/// The maximum length of the slug of a `t.co` link.
const MOST_SLUG: usize = 40;
/// The maximum length of a URL.
const MOST_URL: usize = 4_096;
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
///
/// This is the search of X's library: at each position, it first takes a character as the one
/// before a URL. Where a URL is found but does not count, the search goes on after it.
pub(crate) fn urls(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Without a dot there is no URL, so the search can be skipped.
    if !text.contains('.') {
        return found;
    }
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let next = at + c.len_utf8();
        let after =
            may_precede(c).then(|| Match::at(text, next)).flatten().map(|url| (Some(c), url));
        let first = || (at == 0).then(|| Match::at(text, 0)).flatten().map(|url| (None, url));
        at = match after.or_else(first) {
            Some((before, url)) => {
                url.add_to(&mut found, text, before);
                url.end
            }
            None => next,
        };
    }
    found
}

fn may_precede(c: char) -> bool {
    !c.is_ascii_alphanumeric()
        && !matches!(c, '@' | '＠' | '$' | '#' | '＃' | '\u{FFFE}' | '\u{FEFF}' | '\u{FFFF}')
}

/// What looks like a URL. All positions are in the whole text.
struct Match {
    has_protocol: bool,
    start: usize,
    domain: Range<usize>,
    has_path: bool,
    end: usize,
}

impl Match {
    fn at(text: &str, start: usize) -> Option<Self> {
        let protocol = protocol(text.get(start..)?);
        let from = start + protocol.unwrap_or_default();
        let domain = from..from + domain(text.get(from..)?)?;
        let mut end = domain.end;
        end += port(text.get(end..)?);
        let path = path(text.get(end..)?);
        end += path;
        end += query(text.get(end..)?);
        Some(Self { has_protocol: protocol.is_some(), start, domain, has_path: path > 0, end })
    }

    /// Adds the URLs that count to `found`. Without a protocol, these are the parts of the domain
    /// that are domains in Latin letters.
    fn add_to(&self, found: &mut Vec<Range<usize>>, text: &str, before: Option<char>) {
        let Some(domain) = text.get(self.domain.clone()) else { return };
        if self.end - self.start > MOST_URL || !has_valid_labels(domain) {
            return;
        }
        if self.has_protocol {
            let url = text.get(self.start..self.end).unwrap_or_default();
            match short_link(url, self.domain.end - self.start) {
                None => found.push(self.start..self.end),
                Some((slug, end)) if slug <= MOST_SLUG => found.push(self.start..self.start + end),
                Some(_) => {}
            }
            return;
        }
        if matches!(before, Some('-' | '_' | '.' | '/')) {
            return;
        }
        let parts = latin_domains(domain);
        let last = parts.len().saturating_sub(1);
        found.extend(parts.into_iter().enumerate().map(|(index, part)| {
            let (start, end) = (self.domain.start + part.start, self.domain.start + part.end);
            start..if index == last && self.has_path { self.end } else { end }
        }));
    }
}

fn protocol(text: &str) -> Option<usize> {
    ["https://", "http://"].into_iter().map(str::len).find(|&length| {
        text.get(..length).is_some_and(|head| {
            head.eq_ignore_ascii_case("https://") || head.eq_ignore_ascii_case("http://")
        })
    })
}

/// The length of the longest domain at the start of `text`.
fn domain(text: &str) -> Option<usize> {
    let run_end = text
        .char_indices()
        .take(MOST_NAME)
        .take_while(|&(_, c)| is_domain_char(c) || matches!(c, '-' | '_' | '.'))
        .last()
        .map_or(0, |(at, c)| at + c.len_utf8());
    let run = text.get(..run_end)?;
    run.rmatch_indices('.').find_map(|(dot, _)| {
        let is_valid = labels_are_valid(run.get(..dot)?);
        let end = is_valid.then(|| top_level(text.get(dot + 1..)?)).flatten()?;
        Some(dot + 1 + end)
    })
}

/// The parts of `domain` that are domains in Latin letters, by their bytes.
fn latin_domains(domain: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = domain.get(at..).filter(|rest| !rest.is_empty()) {
        let is_of_label = |c: char| c.is_ascii_alphanumeric() || c == '-' || is_latin_accent(c);
        let run = rest.find(|c| c != '.' && !is_of_label(c)).unwrap_or(rest.len());
        // Labels are not empty, so the domain ends at the latest before two dots.
        let run = rest.find("..").map_or(run, |dots| run.min(dots + 1));
        let dots = rest.get(..run).unwrap_or_default().rmatch_indices('.');
        let starts_with_label = !rest.starts_with('.');
        let end = dots
            .filter(|_| starts_with_label)
            .find_map(|(dot, _)| Some(dot + 1 + top_level(rest.get(dot + 1..)?)?));
        match end {
            Some(end) => {
                found.push(at..at + end);
                at += end;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    found
}

/// The length of the top-level domain at the start of `text`, where nothing follows that would make
/// it part of a longer word.
fn top_level(text: &str) -> Option<usize> {
    let ends: Vec<usize> = text
        .char_indices()
        .take(MOST_TOP_LEVEL)
        .take_while(|&(_, c)| c.is_alphanumeric() || c == '-' || is_combining(c))
        .map(|(at, c)| at + c.len_utf8())
        .collect();
    ends.into_iter().rev().find(|&end| {
        let next = text.get(end..).and_then(|rest| rest.chars().next());
        let goes_on = next.is_some_and(|c| c.is_ascii_alphanumeric() || "@+-".contains(c));
        !goes_on && text.get(..end).is_some_and(is_top_level)
    })
}

fn labels_are_valid(labels: &str) -> bool {
    let mut labels = labels.split('.').rev();
    let fits = |label: &str, inner: &[char]| {
        let mut chars = label.chars();
        chars.next().is_some_and(is_domain_char)
            && chars.next_back().is_none_or(is_domain_char)
            && chars.all(|c| is_domain_char(c) || inner.contains(&c))
    };
    labels.next().is_some_and(|name| fits(name, &['-']))
        && labels.all(|subdomain| fits(subdomain, &['-', '_']))
}

fn is_domain_char(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && (!c.is_ascii_punctuation() || matches!(c, '"' | '`'))
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

/// The letters with accents that X counts as Latin.
pub(crate) fn is_latin_accent(c: char) -> bool {
    matches!(
        c,
        '\u{C0}'..='\u{D6}'
            | '\u{D8}'..='\u{F6}'
            | '\u{F8}'..='\u{24F}'
            | '\u{253}' | '\u{254}' | '\u{256}' | '\u{257}' | '\u{259}' | '\u{25B}' | '\u{263}'
            | '\u{268}' | '\u{26F}' | '\u{272}' | '\u{289}' | '\u{28B}' | '\u{2BB}'
            | '\u{300}'..='\u{36F}'
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

/// Whether no label of the domain is too long for DNS, in its ASCII form.
fn has_valid_labels(domain: &str) -> bool {
    domain.split('.').all(|label| {
        let length = if label.is_ascii() {
            Some(label.len())
        } else {
            idna::punycode::encode_str(label).map(|code| "xn--".len() + code.len())
        };
        length.is_some_and(|length| (1..=MOST_LABEL).contains(&length))
    })
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
            // An empty pair of parentheses is none.
            ')' if depth == 1 => return (at > 1).then_some(at + 1),
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

/// The length of the slug and the end of a `t.co` link: the slug has only letters and digits, and a
/// query may follow. `None` if the URL is not such a link.
fn short_link(url: &str, domain_end: usize) -> Option<(usize, usize)> {
    let host = url.get(..domain_end)?.rsplit('/').next()?;
    let slug = url.get(domain_end..)?.strip_prefix('/')?;
    let slug = slug.bytes().take_while(u8::is_ascii_alphanumeric).count();
    if slug == 0 || !host.eq_ignore_ascii_case("t.co") {
        return None;
    }
    let end = domain_end + 1 + slug;
    Some((slug, end + query(url.get(end..)?)))
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
