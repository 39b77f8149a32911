//! Reads from events which matters were opened, and which may be settled.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use waggle_kernel::Event;

use crate::kind::Kind;

/// The kinds of objects whose events open or settle matters.
pub const OBJECT_KINDS: [&str; 5] =
    ["campaign_batch", "generated_tweet", "post", "source_tweets", "run"];

/// The maximum length of a summary, in characters.
const MOST_SUMMARY: usize = 300;

/// Something that needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matter {
    pub kind: Kind,
    /// The object among those of its kind: the id of a batch, tweet or post, the name of a
    /// platform, or empty for source tweets.
    pub object: String,
    /// The batch that the matter is about or that its tweet belongs to.
    pub batch: Option<i64>,
    /// What happened, in a sentence without its full stop, up to 300 characters.
    pub summary: String,
}

/// A matter that an event opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub matter: Matter,
    /// Who caused it, such as `user:3`. That person is not told.
    pub actor: String,
    pub at: DateTime<Utc>,
}

/// What some events mean: which matters they opened and ended, and of which objects other matters
/// may be settled. Whether these are, only the present state of the objects tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// In the order of the events. Those that a later event ended are left out.
    pub opened: Vec<Opened>,
    /// Matters that ended, also if they are opened again: by kind, and by their objects.
    pub ended: BTreeMap<Kind, BTreeSet<String>>,
    /// The ids of posts that changed.
    pub posts: BTreeSet<i64>,
    /// The ids of generated tweets that changed.
    pub tweets: BTreeSet<i64>,
    /// The ids of batches that changed, or whose tweets did.
    pub batches: BTreeSet<i64>,
    /// The ids of batches that changed themselves, so that matters of all their tweets may be
    /// settled.
    pub whole_batches: BTreeSet<i64>,
    /// Whether source tweets changed.
    pub has_source_tweets: bool,
}

impl Step {
    /// Reads events, in their order.
    pub fn of(events: &[Event]) -> Self {
        let mut step = Self::default();
        for event in events {
            step.touch(event);
            for kind in ended_by(event) {
                step.end(*kind, &event.object_id);
            }
            // The account works again.
            if event.kind == "post.published"
                && let Some(platform) = text(event, "platform")
            {
                step.end(Kind::PostsHeld, platform);
            }
            if let Some(matter) = opened_by(event) {
                step.opened.push(Opened { matter, actor: event.actor.clone(), at: event.at });
            }
        }
        step
    }

    /// Whether the events concern nobody.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn touch(&mut self, event: &Event) {
        let id = event.object_id.parse::<i64>().ok();
        match event.object_kind.as_str() {
            "campaign_batch" => {
                self.batches.extend(id);
                self.whole_batches.extend(id);
                // A batch ends the leases of the run that made it.
                self.has_source_tweets |= event.kind == "batch.received";
            }
            "generated_tweet" => {
                self.tweets.extend(id);
                self.batches.extend(number(event, "batch"));
            }
            "post" => self.posts.extend(id),
            "source_tweets" | "run" => self.has_source_tweets = true,
            _ => {}
        }
    }

    fn end(&mut self, kind: Kind, object: &str) {
        self.opened.retain(|opened| {
            let matter = &opened.matter;
            !(matter.kind == kind && matter.object == object)
        });
        self.ended.entry(kind).or_default().insert(object.to_owned());
    }
}

/// The kinds of matters of its object that an event ended.
fn ended_by(event: &Event) -> &'static [Kind] {
    use Kind::{BatchArrived, DecisionRequested, PostFailed, PostMissed, PostUnknown};
    match event.kind.as_str() {
        "batch.archived" => &[BatchArrived],
        "tweet.approved" | "tweet.rejected" | "tweet.archived" | "tweet.posted" => {
            &[DecisionRequested]
        }
        "post.failed" => &[PostMissed, PostUnknown],
        "post.unknown" => &[PostFailed, PostMissed],
        "post.missed" => &[PostFailed, PostUnknown],
        "post.scheduled" | "post.held" | "post.published" | "post.cancelled" => {
            &[PostFailed, PostMissed, PostUnknown]
        }
        _ => &[],
    }
}

fn text<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    event.change.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn number(event: &Event, name: &str) -> Option<i64> {
    event.change.get(name)?.as_i64()
}

/// The number of items of a list in the event.
fn count(event: &Event, name: &str) -> usize {
    event.change.get(name).and_then(Value::as_array).map_or(0, Vec::len)
}

/// A number of things, such as `1 tweet` or `3 tweets`.
fn of_these(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// The matter that an event opened.
fn opened_by(event: &Event) -> Option<Matter> {
    let id = event.object_id.as_str();
    let of_batch = |summary| {
        let batch = id.parse().ok();
        Some(Matter { kind: Kind::BatchArrived, object: id.to_owned(), batch, summary })
    };
    let of_tweet = |what: &str| {
        let name = text(event, "tweet_id").unwrap_or(id);
        let (kind, batch) = (Kind::DecisionRequested, number(event, "batch"));
        Some(Matter { kind, object: id.to_owned(), batch, summary: format!("{name} {what}") })
    };
    let on = match text(event, "platform") {
        Some("x") => " on X".to_owned(),
        Some("sandbox") => " in the sandbox".to_owned(),
        Some(platform) => format!(" on {platform}"),
        None => String::new(),
    };
    // A reason that names the actor would show an ID.
    let reason = text(event, "reason").filter(|reason| !reason.contains(&event.actor));
    let because = reason.map(|reason| format!(": {}", reason.trim_end_matches('.')));
    let because = because.unwrap_or_default();
    let of_post =
        |kind, summary| Some(Matter { kind, object: id.to_owned(), batch: None, summary });
    let matter = match event.kind.as_str() {
        "batch.received" => {
            let name = text(event, "batch_id").unwrap_or(id);
            let title = text(event, "title").map(|title| format!(" ({title})"));
            let tweets = of_these(count(event, "tweets"), "tweet");
            of_batch(format!("The batch {name}{} arrived with {tweets}", title.unwrap_or_default()))
        }
        "batch.restored" => {
            let name = text(event, "batch_id").unwrap_or(id);
            of_batch(format!("The batch {name} was restored"))
        }
        "tweet.edited" => of_tweet("was edited and waits for a decision"),
        "tweet.withdrawn" => of_tweet("waits for a decision: its approval was withdrawn"),
        "tweet.restored" => of_tweet("was restored and waits for a decision"),
        "post.failed" => of_post(Kind::PostFailed, format!("Post {id}{on} failed{because}")),
        "post.unknown" => of_post(
            Kind::PostUnknown,
            format!("Whether post {id}{on} is public is unknown{because}"),
        ),
        "post.missed" => {
            of_post(Kind::PostMissed, format!("Post {id}{on} missed its time{because}"))
        }
        "post.held" => Some(Matter {
            kind: Kind::PostsHeld,
            object: text(event, "platform").unwrap_or_default().to_owned(),
            batch: None,
            summary: format!("Posts{on} wait for the owner of the account{because}"),
        }),
        "source_tweets.lapsed" => Some(Matter {
            kind: Kind::SourceTweetsLapsed,
            object: String::new(),
            batch: None,
            summary: "Source tweets lapsed: no run processed them in time".to_owned(),
        }),
        _ => None,
    };
    matter.map(|matter| Matter { summary: within_bounds(&matter.summary), ..matter })
}

/// A text in one line of bounded length.
fn within_bounds(text: &str) -> String {
    let is_long = text.chars().count() > MOST_SUMMARY;
    let kept = if is_long { MOST_SUMMARY - 1 } else { MOST_SUMMARY };
    let one_line = text.chars().take(kept).map(|c| if c.is_control() { ' ' } else { c });
    one_line.chain(is_long.then_some('…')).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};
    use waggle_kernel::{Clock as _, FixedClock};

    use super::*;

    fn event(kind: &str, object: (&str, &str), change: &Value) -> Event {
        Event {
            position: 1,
            kind: kind.to_owned(),
            object_kind: object.0.to_owned(),
            object_id: object.1.to_owned(),
            version: None,
            actor: "user:3".to_owned(),
            user: None,
            request_id: String::new(),
            at: FixedClock::noon().now(),
            change: change.as_object().cloned().unwrap_or_default(),
            personal: Some(Map::new()),
        }
    }

    fn matters(events: &[Event]) -> Vec<(Kind, String, Option<i64>, String)> {
        let opened = Step::of(events).opened.into_iter();
        opened.map(|o| (o.matter.kind, o.matter.object, o.matter.batch, o.matter.summary)).collect()
    }

    #[test]
    fn events_open_matters() {
        let batch = json!({ "title": "Idle \nGPUs", "batch_id": "b1", "tweets": [{}, {}] });
        let tweet = json!({ "tweet_id": "tweet-3", "batch": 7 });
        let post = json!({ "platform": "x", "reason": "403 Forbidden" });
        let opened = matters(&[
            event("batch.received", ("campaign_batch", "7"), &batch),
            event("tweet.edited", ("generated_tweet", "31"), &tweet),
            event("tweet.approved", ("generated_tweet", "32"), &tweet),
            event("post.failed", ("post", "5"), &post),
            event("post.created", ("post", "9"), &post),
            event("post.held", ("post", "6"), &json!({ "platform": "sandbox" })),
            event("source_tweets.lapsed", ("source_tweets", ""), &json!({ "tweet_ids": ["1"] })),
        ]);

        let wanted = [
            (Kind::BatchArrived, "7", Some(7), "The batch b1 (Idle  GPUs) arrived with 2 tweets"),
            (Kind::DecisionRequested, "31", Some(7), "tweet-3 was edited and waits for a decision"),
            (Kind::PostFailed, "5", None, "Post 5 on X failed: 403 Forbidden"),
            (
                Kind::PostsHeld,
                "sandbox",
                None,
                "Posts in the sandbox wait for the owner of the account",
            ),
            (
                Kind::SourceTweetsLapsed,
                "",
                None,
                "Source tweets lapsed: no run processed them in time",
            ),
        ];
        let owned = |(kind, object, batch, summary): (_, &str, _, &str)| {
            (kind, object.to_owned(), batch, summary.to_owned())
        };
        assert_eq!(opened, wanted.map(owned));
    }

    #[test]
    fn events_tell_whose_matters_may_be_settled() {
        let step = Step::of(&[
            event("tweet.approved", ("generated_tweet", "31"), &json!({ "batch": 7 })),
            event("batch.archived", ("campaign_batch", "8"), &json!({})),
            event("post.published", ("post", "5"), &json!({ "platform": "x" })),
            event("source_tweets.reported", ("run", "exec-1"), &json!({})),
            event("settings.changed", ("settings", "PUBLIC_URL"), &json!({})),
        ]);

        assert_eq!(step.opened, []);
        assert_eq!(step.tweets, BTreeSet::from([31]));
        assert_eq!(step.whole_batches, BTreeSet::from([8]));
        assert_eq!(step.batches, BTreeSet::from([7, 8]));
        assert_eq!(step.posts, BTreeSet::from([5]));
        assert!(step.has_source_tweets);
    }

    #[test]
    fn a_matter_that_ended_and_came_back_is_another_one() {
        let of = |kind, reason| event(kind, ("post", "5"), &json!({ "reason": reason }));
        let step = Step::of(&[
            of("post.failed", "one"),
            of("post.scheduled", "again"),
            of("post.failed", "two."),
        ]);

        let opened: Vec<&str> = step.opened.iter().map(|o| o.matter.summary.as_str()).collect();
        assert_eq!(opened, ["Post 5 failed: two"]);
        assert!(step.ended[&Kind::PostFailed].contains("5"));
        // The same state twice is one matter.
        let step = Step::of(&[of("post.unknown", "one"), of("post.unknown", "two")]);
        assert!(step.opened.len() == 2 && !step.ended.contains_key(&Kind::PostUnknown));
    }

    #[test]
    fn a_reason_that_names_the_actor_is_left_out() {
        let reason = json!({ "reason": "user:3 reported that it was not published" });
        let opened = matters(&[event("post.failed", ("post", "5"), &reason)]);

        assert_eq!(opened[0].3, "Post 5 failed");
    }

    #[test]
    fn a_long_summary_is_cut() {
        let change = json!({ "title": "é".repeat(1_000), "tweets": [] });
        let opened = matters(&[event("batch.received", ("campaign_batch", "7"), &change)]);

        assert_eq!(opened[0].3.chars().count(), 300);
        assert!(opened[0].3.ends_with("éé…"));
    }
}
