//! Recognizes a post on the account's timeline, although X may show its text in another spelling.
//!
//! X replaces links with its own, escapes `&`, `<` and `>`, writes host names in punycode and paths
//! with percent encoding, normalizes Unicode, and may truncate a long text. A post is *exact* if it
//! shows what was sent in one of these spellings. It is *similar* if the two differ only in links,
//! white space and punctuation, which is where X rewrites. Then it is unknown whether it is the
//! post that was sent, and it is never treated as absent.

use std::collections::HashMap;

use chrono::Duration;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;
use url::Url;
use waggle_content::{Finding, Lookalike};

/// Looks for the post of `request` among `posts`, the posts of the account's timeline. X has had
/// `after` to show it.
pub(super) fn find(request: &Value, posts: &[&Value], after: Duration) -> Finding {
    let alike: Vec<Lookalike> = posts
        .iter()
        .filter_map(|post| {
            let likeness = likeness(request, post)?;
            let id = post["id"].as_str()?.to_owned();
            let url = format!("{}{id}", super::answers::POST_URL);
            Some(Lookalike { id, url, is_exact: likeness == Likeness::Exact })
        })
        .collect();
    if !alike.is_empty() {
        return Finding::Alike { posts: alike, after };
    }
    // X sometimes turns a link to a post into a quote of it and shows the text without the link.
    if request["text"].as_str().is_some_and(has_status_link) {
        let reason =
            "the text contains a link to a post, which X may show in a different form".to_owned();
        return Finding::CannotTell { reason };
    }
    Finding::Absent { after }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    Similar,
    Exact,
}

/// How alike the sent and the shown post are; `None` if they are certainly different posts.
fn likeness(request: &Value, post: &Value) -> Option<Likeness> {
    let text = request["text"].as_str().unwrap_or_default();
    let sent = visible(text);
    let reply = same_target(
        request["reply"]["in_reply_to_tweet_id"].as_str(),
        target(post, "replied_to"),
        |_| None,
    )?;
    let quote =
        same_target(request["quote_tweet_id"].as_str(), target(post, "quoted"), |quoted| {
            // X makes a quote from a link to a post at the end of a text. A short link may lead to
            // one.
            if has_status_link(&sent) && sent.contains(quoted) {
                Some(Likeness::Exact)
            } else {
                sent.split(' ').any(is_link).then_some(Likeness::Similar)
            }
        })?;
    // X may interpret an escape that was sent (`&lt;`) as the character or literally.
    let as_character = canonical(text);
    let of_text = |keep| {
        let shown = Shown::of(post, keep);
        let as_letters = shown.likeness(&sent);
        let decoded = || shown.likeness(&as_character).map(|_| Likeness::Similar);
        as_letters.or_else(decoded)
    };
    let text = [true, false].into_iter().filter_map(of_text).max()?;
    Some(text.min(reply).min(quote))
}

/// How alike two references to another post are. `unasked` rates a reference that is shown but was
/// not requested.
fn same_target(
    asked: Option<&str>,
    shown: Option<&str>,
    unasked: impl FnOnce(&str) -> Option<Likeness>,
) -> Option<Likeness> {
    match (asked, shown) {
        (None, None) => Some(Likeness::Exact),
        (Some(asked), Some(shown)) => (asked == shown).then_some(Likeness::Exact),
        // X omits the reference if the other post no longer exists.
        (Some(_), None) => Some(Likeness::Similar),
        (None, Some(shown)) => unasked(shown),
    }
}

/// The post that `post` refers to in the way of `kind`, under either of X's names for the field.
fn target<'a>(post: &'a Value, kind: &str) -> Option<&'a str> {
    ["referenced_tweets", "referenced_posts"]
        .into_iter()
        .filter_map(|name| post[name].as_array())
        .flatten()
        .find(|reference| reference["type"] == kind)
        .and_then(|reference| reference["id"].as_str())
}

fn has_status_link(text: &str) -> bool {
    text.contains("/status/")
}

/// A part of a text that X shows.
enum Part {
    Char(char),
    /// A link that X inserted, with its target if X reports it.
    Link(Option<String>),
}

/// A text as X shows it.
struct Shown {
    parts: Vec<Part>,
    is_cut_off: bool,
}

/// Characters of a private use plane, which replace X's links while a text is made canonical.
const PLACEHOLDERS: std::ops::Range<u32> = 0xF_0000..0xF_1000;

impl Shown {
    /// The text of `post`. `keep` says whether links to attached files and quoted posts at its end
    /// were part of the text that was sent.
    fn of(post: &Value, keep: bool) -> Self {
        let mut text = post["text"].as_str().unwrap_or_default().to_owned();
        let mut links: HashMap<char, Option<String>> = HashMap::new();
        let mut placeholders = PLACEHOLDERS.filter_map(char::from_u32);
        let entities = post["entities"]["urls"].as_array().map(Vec::as_slice).unwrap_or_default();
        for entity in entities {
            let Some(short) = entity["url"].as_str().filter(|short| !short.is_empty()) else {
                continue;
            };
            let long = entity["expanded_url"].as_str();
            let is_attached = entity["media_key"].is_string()
                || (long.is_some_and(has_status_link) && text.trim_end().ends_with(short));
            let Some(placeholder) = placeholders.next() else { break };
            if is_attached && !keep {
                text = text.replacen(short, "", 1);
            } else {
                text = text.replacen(short, placeholder.encode_utf8(&mut [0; 4]), 1);
                links.insert(placeholder, long.map(unescaped));
            }
        }
        let mut words: Vec<String> = Vec::new();
        for word in canonical(&text).split(' ') {
            match placeholders.next() {
                // A link that X inserted without reporting its target.
                Some(placeholder) if word.contains("://t.co/") => {
                    links.insert(placeholder, None);
                    words.push(placeholder.to_string());
                }
                _ => words.push(word.to_owned()),
            }
        }
        let text = words.join(" ");
        let is_cut_off = text.ends_with('…');
        let parts =
            text.chars().map(|c| links.remove(&c).map_or(Part::Char(c), Part::Link)).collect();
        Self { parts, is_cut_off }
    }

    fn likeness(&self, sent: &str) -> Option<Likeness> {
        let text: Vec<char> = sent.chars().collect();
        let expanded = self.expanded();
        if self.matches(&text, Some(same_link))
            || links_canonical(sent) == links_canonical(&expanded)
        {
            return Some(Likeness::Exact);
        }
        let (sent_bones, shown_bones) = (skeleton(sent), skeleton(&expanded));
        let is_similar = self.matches(&text, None)
            || (!sent_bones.is_empty() && sent_bones == shown_bones)
            || (self.is_cut_off
                && !shown_bones.is_empty()
                && sent_bones.starts_with(shown_bones.trim_end_matches('…')));
        is_similar.then_some(Likeness::Similar)
    }

    /// The text with X's links replaced by their targets.
    fn expanded(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Char(c) => text.push(*c),
                Part::Link(Some(long)) => text.push_str(long),
                Part::Link(None) => text.push_str("https://t.co/"),
            }
        }
        text
    }

    /// Whether `sent` is this text with some non-empty part without white space in place of each
    /// link. If `is_link` is given, that part must match the target of the link.
    fn matches(&self, sent: &[char], is_link: Option<fn(&str, &str) -> bool>) -> bool {
        // `reach[at]` says whether the parts visited so far, which are the last ones, match
        // `sent[at..]`.
        let mut reach = vec![false; sent.len() + 1];
        if let Some(end) = reach.last_mut() {
            *end = true;
        }
        for part in self.parts.iter().rev() {
            let mut before = vec![false; sent.len() + 1];
            match part {
                Part::Char(c) => {
                    for (at, own) in sent.iter().enumerate() {
                        if own == c && reach.get(at + 1) == Some(&true) {
                            mark(&mut before, at);
                        }
                    }
                }
                Part::Link(long) => {
                    for at in 0..sent.len() {
                        let mut word = String::new();
                        for (end, own) in sent.iter().enumerate().skip(at) {
                            if own.is_whitespace() {
                                break;
                            }
                            word.push(*own);
                            let fits = reach.get(end + 1) == Some(&true)
                                && is_link.is_none_or(|is_link| {
                                    long.as_ref().is_some_and(|long| is_link(&word, long))
                                });
                            if fits {
                                mark(&mut before, at);
                                break;
                            }
                        }
                    }
                }
            }
            reach = before;
        }
        reach.first() == Some(&true)
    }
}

fn mark(reach: &mut [bool], at: usize) {
    if let Some(place) = reach.get_mut(at) {
        *place = true;
    }
}

/// The text without escapes, in Unicode NFC, with single spaces and without invisible characters.
fn canonical(text: &str) -> String {
    visible(&unescaped(text))
}

/// The text in Unicode NFC, with single spaces and without invisible characters.
fn visible(text: &str) -> String {
    let visible: String = text.nfc().filter(|&c| c.is_whitespace() || !is_invisible(c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

/// Whether a character is invisible, so that X may drop it: control characters, zero-width
/// characters, direction marks and variation selectors.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200C}' | '\u{200E}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE0E}'..='\u{FE0F}'
            | '\u{FEFF}')
}

/// Whether a word may be a link: it has a scheme, or a dot between two alphanumeric characters.
fn is_link(word: &str) -> bool {
    word.contains("://")
        || word.char_indices().any(|(at, c)| {
            let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            c == '.'
                && is_part(word.get(..at).and_then(|before| before.chars().next_back()))
                && is_part(word.get(at + 1..).and_then(|after| after.chars().next()))
        })
}

fn same_link(one: &str, other: &str) -> bool {
    canonical_link(one) == canonical_link(other)
}

/// The canonical spelling of a link: no scheme, the host in punycode, nothing percent-encoded, and
/// no slash or dot at the end.
fn canonical_link(link: &str) -> String {
    let link = unescaped(link);
    let link = link.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    let with_scheme = if link.contains("://") { link.to_owned() } else { format!("http://{link}") };
    let Ok(url) = Url::parse(&with_scheme) else { return link.to_lowercase() };
    let decoded =
        |text: &str| percent_decode_str(text).decode_utf8_lossy().nfc().collect::<String>();
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_lowercase();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = decoded(url.path());
    let query = url.query().map(|query| format!("?{}", decoded(query))).unwrap_or_default();
    let fragment = url.fragment().map(|part| format!("#{}", decoded(part))).unwrap_or_default();
    format!("{host}{port}{}{query}{fragment}", path.trim_end_matches('/'))
}

/// The text with every possible link in its canonical spelling.
fn links_canonical(text: &str) -> String {
    let word = |word: &str| if is_link(word) { canonical_link(word) } else { word.to_owned() };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The text in lower case and Unicode NFKC, without links, white space, ASCII punctuation and
/// invisible characters.
fn skeleton(text: &str) -> String {
    text.split(' ')
        .filter(|word| !is_link(word))
        .flat_map(|word| word.nfkc().flat_map(char::to_lowercase))
        .filter(|c| !c.is_ascii_punctuation() && !c.is_whitespace() && !is_invisible(*c))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after() -> Duration {
        Duration::seconds(30)
    }

    fn look(request: &Value, posts: &Value) -> Finding {
        let posts: Vec<&Value> = posts.as_array().unwrap().iter().collect();
        find(request, &posts, after())
    }

    /// Whether the only post on the timeline is exactly what was sent; `None` if it is certainly
    /// another post.
    fn is_exact(request: &Value, post: &Value) -> Option<bool> {
        match look(request, &json!([post])) {
            Finding::Alike { posts, .. } => Some(posts[0].is_exact),
            Finding::Absent { .. } => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_post_is_recognized_despite_links_and_escapes_of_x() {
        let request = json!({ "text": "Q&A at https://example.com/talk <today>" });
        let post = json!({
            "id": "7",
            "text": "Q&amp;A at https://t.co/abc &lt;today&gt;",
            "entities": { "urls": [
                { "url": "https://t.co/abc", "expanded_url": "https://example.com/talk" }
            ] },
        });

        assert_eq!(is_exact(&request, &post), Some(true));
    }

    #[test]
    fn a_post_with_an_escape_in_its_text_is_never_absent() {
        for (sent, shown, exact) in [
            (
                "In HTML write &amp; for an ampersand",
                "In HTML write &amp;amp; for an ampersand",
                true,
            ),
            ("write &lt;b&gt; there", "write &amp;lt;b&amp;gt; there", true),
            // X may have interpreted it as the character.
            ("In HTML write &amp; for it", "In HTML write &amp; for it", false),
            ("write &lt;b&gt; there", "write &lt;b&gt; there", false),
            ("&lt;", "&lt;", false),
            ("&lt;", "&amp;lt;", true),
        ] {
            let request = json!({ "text": sent });
            let post = json!({ "id": "7", "text": shown });

            assert_eq!(is_exact(&request, &post), Some(exact), "{sent} as {shown}");
        }
    }

    #[test]
    fn a_link_is_recognized_in_the_spelling_of_x() {
        for (sent, shown) in [
            ("bücher.example", "http://xn--bcher-kva.example"),
            ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
            ("https://example.com/ünï", "https://example.com/%C3%BCn%C3%AF"),
            ("https://example.com/%c3%bc", "https://example.com/%C3%BC"),
            ("https://example.com/?a=1&b=2", "https://example.com/?a=1&amp;b=2"),
            ("https://example.com./a", "https://example.com/a"),
            ("Example.COM", "http://example.com/"),
            ("https://example.com:443/a", "https://example.com/a"),
        ] {
            let request = json!({ "text": format!("Read {sent} now") });
            let entity = json!({
                "id": "7", "text": "Read https://t.co/abc now",
                "entities": { "urls": [{ "url": "https://t.co/abc", "expanded_url": shown }] },
            });
            let plain = json!({ "id": "7", "text": format!("Read {shown} now") });

            assert_eq!(is_exact(&request, &entity), Some(true), "{sent}");
            assert_eq!(is_exact(&request, &plain), Some(true), "{sent}");
        }
    }

    #[test]
    fn a_link_without_white_space_around_it_is_recognized() {
        let request = json!({ "text": "見て(https://example.com/ü)。" });
        let post = json!({
            "id": "7", "text": "見て(https://t.co/abc)。",
            "entities": { "urls": [
                { "url": "https://t.co/abc", "expanded_url": "https://example.com/%C3%BC" }
            ] },
        });

        assert_eq!(is_exact(&request, &post), Some(true));
    }

    #[test]
    fn a_difference_that_x_may_have_made_is_never_an_absence() {
        let link =
            |long: &str| json!({ "urls": [{ "url": "https://t.co/a", "expanded_url": long }] });
        for (sent, post) in [
            // Another link: X may have resolved it, or added a parameter.
            (
                "Read https://sho.rt/x",
                json!({ "text": "Read https://t.co/a",
                "entities": link("https://example.com/long") }),
            ),
            // A link whose target is not reported.
            ("Read https://sho.rt/x", json!({ "text": "Read https://t.co/a" })),
            // A link that is not shown at all.
            ("Read https://sho.rt/x", json!({ "text": "Read" })),
            ("Hello... world!", json!({ "text": "Hello… world" })),
            ("A long text that X cuts off somewhere", json!({ "text": "A long text that X…" })),
        ] {
            let mut post = post;
            post["id"] = json!("7");

            assert_eq!(is_exact(&json!({ "text": sent }), &post), Some(false), "{sent}");
        }
    }

    #[test]
    fn a_different_text_is_another_post() {
        let request = json!({ "text": "Read https://example.com/a" });
        for text in ["Write https://example.com/a", "Read it", "", "https://example.com/a"] {
            assert_eq!(is_exact(&request, &json!({ "id": "7", "text": text })), None, "{text}");
        }
    }

    #[test]
    fn invisible_characters_and_normal_forms_make_no_difference() {
        let request = json!({ "text": "Cafe\u{301}\u{200B}  au\u{A0}lait\r\n" });

        assert_eq!(
            is_exact(&request, &json!({ "id": "7", "text": "Caf\u{e9} au lait" })),
            Some(true)
        );
    }

    #[test]
    fn the_same_text_in_reply_to_another_post_is_another_post() {
        let request = json!({ "text": "Yes", "reply": { "in_reply_to_tweet_id": "1" } });
        let reply = |name: &str, id: &str| {
            let mut post = json!({ "id": "7", "text": "Yes" });
            post[name] = json!([{ "type": "replied_to", "id": id }]);
            post
        };

        for name in ["referenced_tweets", "referenced_posts"] {
            assert_eq!(is_exact(&request, &reply(name, "2")), None);
            assert_eq!(is_exact(&request, &reply(name, "1")), Some(true));
        }
        // X omits the reference if the other post no longer exists.
        assert_eq!(is_exact(&request, &json!({ "id": "7", "text": "Yes" })), Some(false));
    }

    #[test]
    fn a_link_to_a_post_that_became_a_quote_is_recognized() {
        let request = json!({ "text": "Look https://x.com/a/status/1" });
        let links = json!({ "urls": [
            { "url": "https://t.co/x", "expanded_url": "https://x.com/a/status/1" }
        ] });
        let quoted = json!([{ "type": "quoted", "id": "1" }]);
        let kept = json!({ "id": "7", "text": "Look https://t.co/x", "entities": links,
                           "referenced_tweets": quoted });
        let dropped = json!({ "id": "7", "text": "Look", "referenced_tweets": quoted });

        assert_eq!(is_exact(&request, &kept), Some(true));
        // In any other form, it is left to a person and never resent.
        assert_eq!(is_exact(&request, &dropped), Some(false));
        let unforeseen = look(&request, &json!([{ "id": "7", "text": "See there" }]));
        assert!(matches!(unforeseen, Finding::CannotTell { .. }), "{unforeseen:?}");
    }

    #[test]
    fn an_attached_file_makes_no_difference() {
        let post = json!({
            "id": "7", "text": "Look https://t.co/x",
            "entities": { "urls": [
                { "url": "https://t.co/x", "expanded_url": "https://x.com/a/status/7/photo/1",
                  "media_key": "3_7" }
            ] },
        });

        assert_eq!(is_exact(&json!({ "text": "Look" }), &post), Some(true));
    }

    #[test]
    fn on_an_empty_timeline_the_post_is_absent() {
        let finding = look(&json!({ "text": "Yes" }), &json!([]));

        assert_eq!(finding, Finding::Absent { after: after() });
    }

    proptest::proptest! {
        #[test]
        fn a_text_that_is_shown_as_it_was_sent_is_found(text in "\\PC{1,80}") {
            let canonical = canonical(&text);
            proptest::prop_assume!(!canonical.is_empty() && !has_status_link(&text));

            let found = is_exact(&json!({ "text": text }), &json!({ "id": "7", "text": text }));

            proptest::prop_assert!(found.is_some(), "{canonical}");
        }
    }
}
