//! Tells the own post on a timeline: X gives texts back changed, with its own links in them.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;
use waggle_content::Finding;

/// Looks for what `request` said in the answer to a read of the own timeline.
pub(super) fn find(request: &Value, timeline: &Value) -> Finding {
    let posts = timeline["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found: Vec<&str> = posts
        .iter()
        .filter(|post| is_same(request, post))
        .filter_map(|post| post["id"].as_str())
        .collect();
    match found.as_slice() {
        [id] => {
            Finding::Found { id: (*id).to_owned(), url: format!("https://x.com/i/web/status/{id}") }
        }
        [] if timeline["meta"]["next_token"].is_string() => {
            Finding::CannotTell { reason: "more was posted since than one look shows".to_owned() }
        }
        // X turns a link to a post into a quote of it and shows the text without the link, now and then.
        [] if has_status_link(request["text"].as_str().unwrap_or_default()) => {
            let reason =
                "the text has a link to a post, which X may show in another form".to_owned();
            Finding::CannotTell { reason }
        }
        [] => Finding::Absent,
        _ => Finding::CannotTell {
            reason: format!("{} posts of the same text are there", found.len()),
        },
    }
}

fn is_same(request: &Value, post: &Value) -> bool {
    let text = request["text"].as_str().unwrap_or_default();
    let shown = post["text"].as_str().unwrap_or_default();
    let quoted = target(post, "quoted");
    // A link to a post at the end of a text makes a quote of it.
    let is_quote_asked_for = quoted == request["quote_tweet_id"].as_str()
        || quoted.is_some_and(|id| has_status_link(text) && text.contains(id));
    [true, false].into_iter().any(|keep| same_text(text) == same_text(&expanded(shown, post, keep)))
        && target(post, "replied_to") == request["reply"]["in_reply_to_tweet_id"].as_str()
        && is_quote_asked_for
}

fn has_status_link(text: &str) -> bool {
    text.contains("/status/")
}

/// The text with X's links replaced by what they stand for; `keep` says whether a link to a post at the end was
/// in the text that was sent.
fn expanded(shown: &str, post: &Value, keep: bool) -> String {
    let mut text = shown.to_owned();
    let links = post["entities"]["urls"].as_array().map(Vec::as_slice).unwrap_or_default();
    for link in links {
        let (Some(short), Some(long)) = (link["url"].as_str(), link["expanded_url"].as_str())
        else {
            continue;
        };
        // The link to an attached file or a quoted post was not in the text that was sent.
        let is_shown_as_quote = !keep && has_status_link(long) && text.ends_with(short);
        let attached = link["media_key"].is_string() || is_shown_as_quote;
        text = text.replacen(short, if attached { "" } else { long }, 1);
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Texts that differ in normalisation, white space at the ends, or the form of bare links are the same.
fn same_text(text: &str) -> String {
    text.nfc()
        .collect::<String>()
        .split_whitespace()
        .map(|word| {
            let word = word
                .strip_prefix("https://")
                .or_else(|| word.strip_prefix("http://"))
                .unwrap_or(word);
            word.strip_suffix('/').unwrap_or(word)
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// The post that this one refers to in this way, under either of X's names for it.
fn target<'a>(post: &'a Value, kind: &str) -> Option<&'a str> {
    ["referenced_tweets", "referenced_posts"]
        .into_iter()
        .filter_map(|name| post[name].as_array())
        .flatten()
        .find(|reference| reference["type"] == kind)
        .and_then(|reference| reference["id"].as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn timeline(posts: &Value) -> Value {
        json!({ "data": posts, "meta": { "result_count": 1 } })
    }

    #[test]
    fn a_post_is_known_again_behind_x_links_and_escapes() {
        let request = json!({ "text": "Q&A at https://example.com/talk <today>" });
        let posts = json!([{
            "id": "7",
            "text": "Q&amp;A at https://t.co/abc &lt;today&gt;",
            "entities": { "urls": [
                { "url": "https://t.co/abc", "expanded_url": "https://example.com/talk" }
            ] },
        }]);

        let finding = find(&request, &timeline(&posts));

        assert!(matches!(finding, Finding::Found { ref id, .. } if id == "7"), "{finding:?}");
    }

    #[test]
    fn the_same_words_in_answer_to_another_post_are_another_post() {
        let request = json!({ "text": "Yes", "reply": { "in_reply_to_tweet_id": "1" } });
        let reply = |name: &str, id: &str| {
            let mut post = json!({ "id": "7", "text": "Yes" });
            post[name] = json!([{ "type": "replied_to", "id": id }]);
            json!([post])
        };

        for name in ["referenced_tweets", "referenced_posts"] {
            let other = find(&request, &timeline(&reply(name, "2")));
            let same = find(&request, &timeline(&reply(name, "1")));

            assert_eq!(other, Finding::Absent);
            assert!(matches!(same, Finding::Found { .. }), "{same:?}");
        }
    }

    #[test]
    fn a_link_to_a_post_that_became_a_quote_is_known_again() {
        let request = json!({ "text": "Look https://x.com/a/status/1" });
        let links = json!({ "urls": [
            { "url": "https://t.co/x", "expanded_url": "https://x.com/a/status/1" }
        ] });
        let quoted = json!([{ "type": "quoted", "id": "1" }]);
        let kept = json!([{ "id": "7", "text": "Look https://t.co/x", "entities": links,
                            "referenced_tweets": quoted }]);
        let dropped = json!([{ "id": "7", "text": "Look", "referenced_tweets": quoted }]);

        assert!(matches!(find(&request, &timeline(&kept)), Finding::Found { .. }));
        // In a form that nobody foresaw it is for a person, and never sent again.
        let finding = find(&request, &timeline(&dropped));
        assert!(matches!(finding, Finding::CannotTell { .. }), "{finding:?}");
    }

    #[test]
    fn two_of_the_same_are_for_a_person() {
        let request = json!({ "text": "Yes" });
        let posts = json!([{ "id": "7", "text": "Yes" }, { "id": "8", "text": "Yes" }]);

        let finding = find(&request, &timeline(&posts));

        assert!(matches!(finding, Finding::CannotTell { .. }), "{finding:?}");
    }

    #[test]
    fn an_absence_on_a_page_that_goes_on_proves_nothing() {
        let request = json!({ "text": "Yes" });
        let page = json!({ "data": [{ "id": "7", "text": "No" }], "meta": { "next_token": "n" } });

        assert!(matches!(find(&request, &page), Finding::CannotTell { .. }));
        assert_eq!(find(&request, &json!({ "meta": { "result_count": 0 } })), Finding::Absent);
    }
}
