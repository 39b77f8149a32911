//! Reads the batches that workflows send to `receive-tweets`.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use waggle_twitter_n8n::{
    NewCampaignBatch, NewGeneratedTweet, NewSourceTweet, RunsToEnd, Sender, Status,
};

use super::json as loose;
use super::json::{Members, Parts};
use super::note::{Note, Notes};

/// The sender of a call, and the run that its header names.
pub(super) struct Origin {
    /// The run that `X-Execution-ID` names. It is used if the body names none.
    pub(super) header: Option<String>,
    pub(super) sender: Sender,
}

impl Origin {
    /// The run with this name. Without a name, all open runs of this caller.
    pub(super) fn runs(&self, named: Option<String>) -> RunsToEnd {
        named.map_or_else(|| RunsToEnd::OfSender(self.sender.clone()), RunsToEnd::Named)
    }
}

/// An element of a call, after reading.
pub(super) enum Element {
    /// A batch, with its errors and warnings.
    Batch(Box<Read>),
    /// The run is over and has no batch. Contains the name of the run, if it has one.
    Done(Option<String>),
    /// The workflow reported that it failed. `words` is the message of the response.
    Failed { run: Option<String>, words: String },
    /// Only this element is refused.
    Refused(Refused),
}

pub(super) struct Read {
    pub(super) echo: Value,
    pub(super) batch: NewCampaignBatch,
    pub(super) errors: Notes,
    pub(super) warnings: Notes,
}

/// Why an element or a call cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Malformed,
    Invalid,
}

/// An element or a call that cannot be used.
pub(super) struct Refused {
    pub(super) reason: Reason,
    /// The name of the batch, as the workflow sent it.
    pub(super) echo: Box<Value>,
    pub(super) message: String,
    /// The tweets that could not be read.
    pub(super) errors: Vec<Note>,
}

impl Refused {
    fn new(reason: Reason, message: String) -> Self {
        Self { reason, echo: Box::new(json!("unknown")), message, errors: Vec::new() }
    }
}

/// Reads the elements of a body.
///
/// # Errors
///
/// [`Refused`] if the call as a whole cannot be used.
pub(super) fn read(body: &[u8], origin: &Origin, most: usize) -> Result<Vec<Element>, Refused> {
    let elements =
        loose::elements(body, most).map_err(|message| Refused::new(Reason::Malformed, message))?;
    let mut reader = Reader { origin, most, left: most, parts: Parts::of(body) };
    elements.into_iter().enumerate().map(|(place, raw)| reader.element(place, raw)).collect()
}

/// The members of a batch that are read.
const BATCH: &[&str] = &[
    "campaign_batch",
    "analysis_summary",
    "tweet_count",
    "ready_for_deployment",
    "source_type",
    "title",
    "description",
    "generated_at",
    "execution_id",
    "source_tweet_ids",
    "tweets",
    "done",
    "error",
    "message",
];

/// The members of a tweet that are read.
const TWEET: &[&str] = &[
    "id",
    "type",
    "content",
    "character_count",
    "engagement_hook",
    "coophive_elements",
    "discord_voice_patterns",
    "theme_connection",
    "ready_for_deployment",
    "status",
    "is_edited",
];

/// Reads the elements of one call within its limits.
struct Reader<'a> {
    origin: &'a Origin,
    most: usize,
    /// How many more tweets the call may contain.
    left: usize,
    parts: Parts,
}

impl Reader<'_> {
    /// Reads an element. If only this element is invalid, returns [`Element::Refused`]. An `Err`
    /// refuses the whole call.
    fn element(&mut self, place: usize, raw: &RawValue) -> Result<Element, Refused> {
        let unusable = |message| Refused::new(Reason::Invalid, message);
        let members = match Members::of(raw, BATCH) {
            Ok(members) => members,
            Err(message) => return Ok(Element::Refused(unusable(message))),
        };
        let mut warnings = Notes::default();
        let named = members.name("execution_id", 255);
        // An `execution_id` that is present but names no run must not end other runs.
        let no_name = || {
            let found = members.get("execution_id").map(|raw| loose::short(raw.get()));
            let found = found.filter(|found| !matches!(named, Ok(Some(_))) && found != "\"\"");
            found.filter(|_| self.origin.header.is_none()).map(|found| {
                format!("execution_id is {found}, which does not name a run, so no run was ended")
            })
        };
        let run = named.clone().ok().flatten().or_else(|| self.origin.header.clone());
        if let Some(words) = loose::own_error(&members) {
            let unnamed = no_name().map(|why| unusable(format!("{words}; {why}")));
            return Ok(unnamed.map_or(Element::Failed { run, words }, Element::Refused));
        }
        let is_done = matches!(loose::flag_of(members.get("done")), Ok(Some(true)));
        if is_done && members.get("campaign_batch").is_none() {
            let unnamed = no_name().map(unusable);
            return Ok(unnamed.map_or(Element::Done(run), Element::Refused));
        }
        let has_unreadable_names = named.is_err() && run.is_none();
        if let Err(problem) = named {
            warnings.push(Note {
                element: place,
                index: None,
                tweet_id: None,
                message: format!("{problem}; it does not name a run"),
            });
        }
        self.batch(place, &members, (run, has_unreadable_names), warnings)
    }

    fn batch(
        &mut self,
        element: usize,
        members: &Members<'_>,
        run: (Option<String>, bool),
        mut warnings: Notes,
    ) -> Result<Element, Refused> {
        let echo = members.get("campaign_batch").filter(|raw| raw.get().len() <= 1_000);
        let echo = echo.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let echo: Value = echo.unwrap_or(json!("unknown"));
        let refuse = |reason, message: String| {
            let refused = Refused::new(reason, message);
            Ok(Element::Refused(Refused { echo: Box::new(echo.clone()), ..refused }))
        };
        let batch_id = match loose::id_of(members.get("campaign_batch")) {
            Ok(id) if loose::is_missing(&id) => {
                let found = loose::short(&id);
                let message = format!(
                    "campaign_batch is missing: the batch needs an id{}",
                    if found.is_empty() { String::new() } else { format!(", not '{found}'") }
                );
                return refuse(Reason::Malformed, message);
            }
            Ok(id) => id,
            Err(problem) => {
                let message = format!("campaign_batch {problem}");
                return refuse(Reason::Invalid, message);
            }
        };
        let raw_tweets = match members.get("tweets").map(|raw| loose::items(raw, self.left)) {
            None => Vec::new(),
            Some(Ok(tweets)) => tweets,
            Some(Err(loose::BadList::TooMany(_))) => {
                let message = format!("there are more than {} tweets", self.most);
                return Err(Refused::new(Reason::Invalid, message));
            }
            Some(Err(other)) => {
                let message = other.of("tweets", "items");
                return refuse(Reason::Invalid, message);
            }
        };
        self.left -= raw_tweets.len();
        let mut batch = self.envelope(element, members, batch_id, run, &mut warnings);
        let mut errors = Notes::default();
        let mut seen = Seen::default();
        for (index, raw) in raw_tweets.iter().enumerate() {
            let note = |tweet_id: &Option<String>, message: String| Note {
                element,
                index: Some(index),
                tweet_id: tweet_id.clone(),
                message,
            };
            let mut notes = Vec::new();
            match self.tweet(raw, &mut notes) {
                Ok(tweet) => {
                    let id = Some(tweet.claimed_id.clone()).filter(|id| !id.is_empty());
                    notes.extend(seen.note(index, &tweet));
                    for message in notes {
                        warnings.push(note(&id, message));
                    }
                    batch.tweets.push(tweet);
                }
                Err((id, message)) => errors.push(note(&id, message)),
            }
        }
        if batch.tweets.is_empty()
            && let Some(first) = errors.first()
        {
            let message = format!("none of the tweets can be stored; the first error: {first}");
            let refused = Refused::new(Reason::Invalid, message);
            let errors = errors.shown();
            return Ok(Element::Refused(Refused { echo: Box::new(echo), errors, ..refused }));
        }
        Ok(Element::Batch(Box::new(Read { echo, batch, errors, warnings })))
    }

    /// Reads everything of a batch except its tweets. An invalid value only causes a warning; it
    /// does not affect the tweets.
    fn envelope(
        &mut self,
        element: usize,
        members: &Members<'_>,
        batch_id: String,
        (execution_id, is_run_unreadable): (Option<String>, bool),
        warnings: &mut Notes,
    ) -> NewCampaignBatch {
        let mut warn = |message: String| {
            warnings.push(Note { element, index: None, tweet_id: None, message });
        };
        let summary = members.get("analysis_summary").map(|raw| self.parts.value(raw));
        let analysis_summary = summary.unwrap_or_else(|| Ok(json!({}))).unwrap_or_else(|why| {
            warn(format!("analysis_summary {why}; it was not stored"));
            json!({})
        });
        let brand_alignment_score = score(&analysis_summary).unwrap_or_else(|()| {
            warn(
                "brand_alignment_score is not a number; it was stored only in analysis_summary"
                    .to_owned(),
            );
            None
        });
        let mut count = |name: &str| {
            let count = loose::count_of(members.get(name));
            let count = count.and_then(|count| {
                if count < 0 { Err(format!("is {count}, which is negative")) } else { Ok(count) }
            });
            count.unwrap_or_else(|why| {
                warn(format!("{name} {why}; it was stored as 0"));
                0
            })
        };
        let (total_tweets, ready_for_deployment) =
            (count("tweet_count"), count("ready_for_deployment"));
        let mut text = |name: &'static str, most: usize| {
            let text = members.text(name).and_then(|text| {
                let Some(text) = text else { return Ok(None) };
                if text.contains('\0') {
                    return Err(format!("{name} contains a NUL character"));
                }
                if text.chars().nth(most).is_some() {
                    let cut: String = text.chars().take(most).collect();
                    warn(format!("{name} is longer than {most} characters and was truncated"));
                    return Ok(Some(cut));
                }
                Ok(Some(text))
            });
            text.unwrap_or_else(|why| {
                warn(format!("{why}; it was not stored"));
                None
            })
        };
        let source_type = text("source_type", 50).filter(|text| !loose::is_missing(text));
        let title = text("title", NewCampaignBatch::MOST_TITLE);
        let description = text("description", NewCampaignBatch::MOST_DESCRIPTION);
        let generated_at = text("generated_at", 100);
        let (source_tweet_ids, are_ids_readable) = source_ids(members, self.most, &mut warn);
        NewCampaignBatch {
            batch_id,
            analysis_summary,
            brand_alignment_score,
            total_tweets,
            ready_for_deployment,
            source_type: source_type.unwrap_or_else(|| "multi_agent_automation".to_owned()),
            title: title.unwrap_or_else(|| "Generated Content".to_owned()),
            description: description.unwrap_or_default(),
            generated_at,
            execution_id,
            source_tweet_ids,
            has_unreadable_names: is_run_unreadable || !are_ids_readable,
            tweets: Vec::new(),
            sender: self.origin.sender.clone(),
        }
    }

    /// Reads a tweet of a batch. The error contains its id, if it could be read, and why it is not
    /// stored.
    fn tweet(
        &mut self,
        raw: &RawValue,
        notes: &mut Vec<String>,
    ) -> Result<NewGeneratedTweet, (Option<String>, String)> {
        let item = Members::of(raw, TWEET).map_err(|message| (None, message))?;
        let id = loose::id_of(item.get("id")).map_err(|problem| (None, format!("id {problem}")))?;
        let id = if loose::is_missing(&id) { "" } else { id.trim() };
        let named = Some(loose::short(id)).filter(|id| !id.is_empty());
        self.fields(&item, id, notes).map_err(|message| (named, message))
    }

    fn fields(
        &mut self,
        item: &Members<'_>,
        id: &str,
        notes: &mut Vec<String>,
    ) -> Result<NewGeneratedTweet, String> {
        if id.is_empty() {
            notes.push("it had no id and was given one".to_owned());
        }
        let tweet_id = loose::kept("id", id.to_owned(), 100)?;
        let content = match item.get("content") {
            Some(raw) if raw.get().starts_with('"') => loose::kept(
                "content",
                loose::text_of(raw).map_err(|why| format!("content {why}"))?.unwrap_or_default(),
                NewGeneratedTweet::MOST_CONTENT,
            )?,
            None => return Err("content is missing".to_owned()),
            Some(_) => return Err("content is not a string".to_owned()),
        };
        let claimed_character_count = match item.get("character_count") {
            None => None,
            raw => loose::count_of(raw)
                .inspect_err(|problem| notes.push(format!("character_count {problem}")))
                .ok(),
        };
        let claimed_ready = loose::flag_of(item.get("ready_for_deployment"))
            .inspect_err(|problem| notes.push(format!("ready_for_deployment {problem}")))
            .unwrap_or_default();
        let is_edited = loose::flag_of(item.get("is_edited")).unwrap_or_default().unwrap_or(false);
        if let Ok(Some(status)) = item.text("status")
            && !matches!(status.parse(), Ok(Status::BrandAligned | Status::Draft))
        {
            notes.push(format!(
                "its status '{}' was ignored; only people approve and reject tweets",
                loose::short(&status)
            ));
        }
        // If another field cannot be stored, the tweet is stored without it.
        let mut text = |name: &'static str, most| {
            let text = item.text(name).map(Option::unwrap_or_default);
            text.and_then(|text| loose::kept(name, text, most)).unwrap_or_else(|problem| {
                notes.push(format!("{problem}; it was not stored"));
                String::new()
            })
        };
        let kind = text("type", 50);
        let engagement_hook = text("engagement_hook", NewGeneratedTweet::MOST_CONTENT);
        let theme_connection = text("theme_connection", NewGeneratedTweet::MOST_CONTENT);
        let mut any = |name: &'static str| match item.get(name).map(|raw| self.parts.value(raw)) {
            None => json!([]),
            Some(Ok(value)) => value,
            Some(Err(problem)) => {
                notes.push(format!("{name} {problem}; it was not stored"));
                json!([])
            }
        };
        Ok(NewGeneratedTweet {
            claimed_id: tweet_id.clone(),
            tweet_id,
            kind: if loose::is_missing(&kind) { "generated".to_owned() } else { kind },
            content,
            claimed_character_count,
            claimed_ready,
            engagement_hook,
            coophive_elements: any("coophive_elements"),
            discord_voice_patterns: any("discord_voice_patterns"),
            theme_connection,
            is_edited,
        })
    }
}

/// The earlier tweets of a batch, to find tweets with the same content or the same id.
#[derive(Default)]
struct Seen {
    fingerprints: HashMap<String, usize>,
    ids: HashMap<String, usize>,
}

impl Seen {
    /// The warning for a tweet that occurs twice, or that has the id of another tweet.
    fn note(&mut self, index: usize, tweet: &NewGeneratedTweet) -> Option<String> {
        if let Some(first) = self.fingerprints.get(&tweet.fingerprint()) {
            return Some(format!(
                "it is the same as the tweet at index {first} and was stored only once"
            ));
        }
        self.fingerprints.insert(tweet.fingerprint(), index);
        if tweet.claimed_id.is_empty() {
            return None;
        }
        if let Some(first) = self.ids.get(&tweet.claimed_id) {
            return Some(format!(
                "it has the id of the tweet at index {first} and was given its own id"
            ));
        }
        self.ids.insert(tweet.claimed_id.clone(), index);
        None
    }
}

/// The score of the analysis: a number, or a string that contains one. `Ok(None)` if it is missing,
/// and `Err` if it is anything else.
fn score(summary: &Value) -> Result<Option<f64>, ()> {
    let score = match &summary["brand_alignment_score"] {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    score.filter(|score: &f64| score.is_finite()).map(Some).ok_or(())
}

/// The ids of the source tweets that a batch names, and whether all of them could be read. An id
/// that cannot be read is left out with a warning.
fn source_ids(
    members: &Members<'_>,
    most: usize,
    warn: &mut impl FnMut(String),
) -> (Vec<String>, bool) {
    let Some(raw) = members.get("source_tweet_ids") else { return (Vec::new(), true) };
    let items = match loose::items(raw, most) {
        Ok(items) => items,
        Err(problem) => {
            warn(format!(
                "{}; the source tweets were not linked",
                problem.of("source_tweet_ids", "ids")
            ));
            return (Vec::new(), false);
        }
    };
    let mut ids = Vec::with_capacity(items.len());
    let mut are_readable = true;
    for (index, raw) in items.into_iter().enumerate() {
        let id = loose::id_of(Some(raw))
            .and_then(|id| NewSourceTweet::id(&id).map_err(|problem| problem.to_string()));
        match id {
            Ok(id) => ids.push(id),
            Err(problem) => {
                are_readable = false;
                warn(format!("source_tweet_ids[{index}]: {problem}"));
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    (ids, are_readable)
}
