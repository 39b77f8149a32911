//! `receive-tweets`: a workflow hands in batches of generated tweets, or says that its run is over.

#![expect(
    clippy::indexing_slicing,
    reason = "reading JSON by a key gives null where there is none; it does not panic"
)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::Data;
use poem::{Body, Request, Response, handler};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use waggle_kernel::{Actor, ActorKind, Scope};
use waggle_twitter_n8n::{
    EndedRuns, LeaseOutcome, NewCampaignBatch, NewGeneratedTweet, NewSourceTweet,
    ReceiveBatchError, Received, RunsToEnd, Status,
};

use super::check_duplicate_tweet::json_response;
use super::json as loose;
use super::json::{Members, Parts};
use super::note::{Note, Notes};
use crate::http::{JsonBody, Problem, caller, client_address};
use crate::use_cases::UseCases;

/// `POST /api/receive-tweets` and its three other addresses. Scope: `ingest`.
#[handler]
pub(super) async fn handle(request: &Request, body: Body, app: Data<&Arc<UseCases>>) -> Response {
    match answer(request, body, app.0).await {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(refusal) => json_response(refusal.status, &refusal.body()),
    }
}

/// A refusal in the envelope of the workflow.
struct Refusal {
    status: StatusCode,
    campaign_batch: Box<Value>,
    message: String,
    /// The tweets that could not be read.
    errors: Vec<Note>,
    /// How many source tweets a workflow that failed has given back.
    released: Option<u32>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let (campaign_batch, message) = (Box::new(json!("unknown")), message.into());
        Self { status, campaign_batch, message, errors: Vec::new(), released: None }
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "campaign_batch": self.campaign_batch,
            "message": self.message,
            "status": "error",
            "request_id": Problem::request_id(),
        });
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        if let Some(released) = self.released {
            body["released_source_tweets"] = json!(released);
        }
        body
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::new(problem.status(), problem.detail())
    }
}

/// Who hands something in.
struct Origin {
    /// The run that `X-Execution-ID` names, where the body names none.
    header: Option<String>,
    received_from: String,
    address: String,
    unauthenticated: bool,
}

impl Origin {
    /// The run with this name, or all that this caller has open.
    fn runs(&self, named: Option<String>) -> RunsToEnd {
        named.map_or_else(
            || RunsToEnd::OfCaller {
                received_from: self.received_from.clone(),
                address: self.address.clone(),
                unauthenticated: self.unauthenticated,
            },
            RunsToEnd::Named,
        )
    }
}

/// An element of a call, as it was read.
enum Element {
    /// A batch, with what was not quite right in it.
    Batch(Box<Read>),
    /// The run is over, and there is no batch.
    Done(Option<String>),
    /// The workflow failed, in its own words.
    Failed { run: Option<String>, words: String },
    /// It cannot be used.
    Refused(Refusal),
}

struct Read {
    echo: Value,
    batch: NewCampaignBatch,
    errors: Notes,
    warnings: Notes,
}

async fn answer(request: &Request, body: Body, app: &UseCases) -> Result<Value, Refusal> {
    let actor = caller(app, request, Scope::Ingest).await.map_err(Problem::from)?;
    let values = app.settings.values();
    let most = values.ingest_max_bytes.count();
    let whole_body = JsonBody::read_loosely(app, request, body, most).await;
    let JsonBody { bytes, share: _share } =
        whole_body.map_err(|reason| Refusal::new(reason.status(), reason.to_string()))?;
    let bad = |message| Refusal::new(StatusCode::BAD_REQUEST, message);
    let body = loose::decoded(bytes).map_err(bad)?;
    let header = request.header("x-execution-id").map(str::trim);
    let origin = Origin {
        header: header.filter(|id| !loose::is_missing(id)).map(|id| id.chars().take(255).collect()),
        received_from: actor.to_string(),
        address: client_address(&values, request).map(|ip| ip.to_string()).unwrap_or_default(),
        unauthenticated: matches!(actor.kind(), ActorKind::TrustedNetwork { .. }),
    };
    let (most, size) = (values.ingest_max_items.count(), body.len());
    let elements = loose::aside(|| read(&body, &origin, most), size)?;
    drop(body);
    let mut answers = Vec::new();
    let mut refusals = Vec::new();
    for (place, element) in elements.into_iter().enumerate() {
        let answered = match element {
            Element::Batch(batch) => store(app, &actor, place, *batch).await,
            Element::Done(run) => done(app, &actor, place, origin.runs(run)).await,
            Element::Failed { run, words } => {
                Err(failed(app, &actor, origin.runs(run), words).await)
            }
            Element::Refused(refusal) => Err(refusal),
        };
        match answered {
            Ok(answer) => answers.push(answer),
            // What is not the caller's fault has to be tried again, as a whole; what is stored
            // stays known.
            Err(refusal) if refusal.status.is_server_error() => return Err(refusal),
            Err(refusal) => refusals.push((place, refusal)),
        }
    }
    whole(&answers, refusals)
}

/// One answer for all batches, in the form of the first.
fn whole(answers: &[Value], refusals: Vec<(usize, Refusal)>) -> Result<Value, Refusal> {
    if answers.is_empty() {
        let nothing = || Refusal::new(StatusCode::BAD_REQUEST, "there is no batch in the body");
        return Err(refusals.into_iter().next().map_or_else(nothing, |(_, refusal)| refusal));
    }
    let alone = answers.len() == 1 && refusals.is_empty();
    let sum = |name: &str| -> u64 { answers.iter().filter_map(|one| one[name].as_u64()).sum() };
    let mut answer = answers.first().cloned().unwrap_or_default();
    if !alone {
        let refused: Vec<Value> = refusals
            .iter()
            .map(|(element, refusal)| {
                let mut refused = refusal.body();
                refused["element"] = json!(element);
                refused
            })
            .collect();
        let stored = sum("stored_count");
        let mut message = format!("Received {stored} tweets (saved to database)");
        if let Some((element, refusal)) = refusals.first() {
            // Writing to a String cannot fail.
            let _ = write!(
                message,
                "; {} of {} batches were refused (see refused_batches), the first at {element}: {}",
                refusals.len(),
                refusals.len() + answers.len(),
                refusal.message
            );
        }
        answer["message"] = json!(message);
        for name in ["stored_count", "known_count", "error_count", "processed_source_tweets"] {
            answer[name] = json!(sum(name));
        }
        answer["batches"] = json!(answers);
        if !refused.is_empty() {
            answer["refused_batches"] = json!(refused);
        }
    }
    Ok(answer)
}

async fn store(
    app: &UseCases,
    actor: &Actor,
    element: usize,
    read: Read,
) -> Result<Value, Refusal> {
    let Read { echo, batch, errors, mut warnings } = read;
    let (claimed, run) = (batch.batch_id.clone(), batch.execution_id.clone());
    let received = app.receive_batch.run(actor, batch).await.map_err(|error| {
        let invalid = matches!(error, ReceiveBatchError::Invalid(_));
        let refusal = Refusal::from(Problem::from(error));
        let status = if invalid { StatusCode::UNPROCESSABLE_ENTITY } else { refusal.status };
        Refusal { campaign_batch: Box::new(echo.clone()), status, ..refusal }
    })?;
    let Received { id, batch_id, stored, known, processed_source_tweets, .. } = received;
    let mut message = format!("Received {stored} tweets (saved to database)");
    if batch_id != claimed {
        // Writing to a String cannot fail.
        let _ = write!(
            message,
            "; the id {} was taken by other content, so they are stored as {batch_id}",
            loose::short(&claimed)
        );
    } else if stored == 0 && known > 0 {
        message.push_str("; all of them were received before");
    }
    if errors.count() > 0 {
        let _ = write!(message, "; {} could not be read (see errors)", errors.count());
    }
    let mut warn = |message: String| {
        warnings.push(Note { element, index: None, tweet_id: None, message });
    };
    if received.is_run_unknown {
        let run = loose::short(run.as_deref().unwrap_or_default());
        warn(format!("execution_id '{run}' is no run that reported tweets; it ends none"));
    }
    if received.unknown_source_tweets > 0 {
        let unknown = received.unknown_source_tweets;
        warn(format!("{unknown} of the source_tweet_ids are not known; they are not linked"));
    }
    if received.ended_runs > 1 {
        let runs = received.ended_runs;
        warn(format!(
            "the batch names no run, so it ended all {runs} open runs of this caller; send \
             execution_id to end one alone"
        ));
    }
    let mut answer = json!({
        "campaign_batch": echo,
        "message": message,
        "status": "success",
        "batch_id": batch_id,
        "campaign_batch_id": id.number(),
        "stored_count": stored,
        "known_count": known,
        "error_count": errors.count(),
        "warning_count": warnings.count(),
        "processed_source_tweets": processed_source_tweets,
    });
    let (errors, warnings) = (errors.shown(), warnings.shown());
    if !errors.is_empty() {
        answer["errors"] = json!(errors);
    }
    if !warnings.is_empty() {
        answer["warnings"] = json!(warnings);
    }
    Ok(answer)
}

/// The run rightly made no batch: its source tweets are processed.
async fn done(
    app: &UseCases,
    actor: &Actor,
    element: usize,
    runs: RunsToEnd,
) -> Result<Value, Refusal> {
    let ended = app.end_run.run(actor, &runs, LeaseOutcome::Processed).await;
    let EndedRuns { runs: ended_runs, tweets } = ended.map_err(Problem::from)?;
    let is_named = matches!(runs, RunsToEnd::Named(_));
    let message = match (is_named, ended_runs) {
        (_, 1) => format!("The run is done; {tweets} source tweets are processed"),
        (_, 0) => "There is no such open run; nothing was ended".to_owned(),
        (_, many) => format!("{many} runs are done; {tweets} source tweets are processed"),
    };
    let mut answer = json!({
        "campaign_batch": null,
        "message": message,
        "status": "success",
        "stored_count": 0,
        "known_count": 0,
        "error_count": 0,
        "processed_source_tweets": tweets,
    });
    if !is_named && ended_runs > 1 {
        let message = "no run was named, so all open runs of this caller are done".to_owned();
        let note = Note { element, index: None, tweet_id: None, message };
        answer["warnings"] = json!([note]);
    }
    Ok(answer)
}

/// The run failed: its source tweets are free for the next one.
async fn failed(app: &UseCases, actor: &Actor, runs: RunsToEnd, words: String) -> Refusal {
    match app.end_run.run(actor, &runs, LeaseOutcome::Released).await {
        Ok(EndedRuns { tweets, .. }) => Refusal {
            released: Some(tweets),
            ..Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, words)
        },
        Err(error) => Problem::from(error).into(),
    }
}

fn read(body: &[u8], origin: &Origin, most: usize) -> Result<Vec<Element>, Refusal> {
    let elements = loose::elements(body, most)
        .map_err(|message| Refusal::new(StatusCode::BAD_REQUEST, message))?;
    let mut reader = Reader { origin, most, left: most, parts: Parts::of(body) };
    elements.into_iter().enumerate().map(|(place, raw)| reader.element(place, raw)).collect()
}

/// The members of a batch that count.
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

/// The members of a tweet that count.
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

/// Reads the elements of one call within its bounds.
struct Reader<'a> {
    origin: &'a Origin,
    most: usize,
    /// How many tweets there may still be.
    left: usize,
    parts: Parts,
}

impl Reader<'_> {
    /// The outer error is about the whole call.
    fn element(&mut self, place: usize, raw: &RawValue) -> Result<Element, Refusal> {
        let unusable = |message| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message);
        let members = match Members::of(raw, BATCH) {
            Ok(members) => members,
            Err(message) => return Ok(Element::Refused(unusable(message))),
        };
        let mut warnings = Notes::default();
        let named = members.name("execution_id", 255);
        // What is there and names nothing must not end the runs of others.
        let no_name = || {
            let found = members.get("execution_id").map(|raw| loose::short(raw.get()));
            let found = found.filter(|found| !matches!(named, Ok(Some(_))) && found != "\"\"");
            found.filter(|_| self.origin.header.is_none()).map(|found| {
                format!("execution_id is {found}, which names no run, so none was ended")
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
                message: format!("{problem}; it names no run"),
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
    ) -> Result<Element, Refusal> {
        let echo = members.get("campaign_batch").filter(|raw| raw.get().len() <= 1_000);
        let echo = echo.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let echo: Value = echo.unwrap_or(json!("unknown"));
        let refuse = |status, message: String| {
            let refusal = Refusal::new(status, message);
            Ok(Element::Refused(Refusal { campaign_batch: Box::new(echo.clone()), ..refusal }))
        };
        let batch_id = match loose::id_of(members.get("campaign_batch")) {
            Ok(id) if loose::is_missing(&id) => {
                let found = loose::short(&id);
                let message = format!(
                    "campaign_batch is missing: the batch needs an id{}",
                    if found.is_empty() { String::new() } else { format!(", and not '{found}'") }
                );
                return refuse(StatusCode::BAD_REQUEST, message);
            }
            Ok(id) => id,
            Err(problem) => {
                let message = format!("campaign_batch {problem}");
                return refuse(StatusCode::UNPROCESSABLE_ENTITY, message);
            }
        };
        let raw_tweets = match members.get("tweets").map(|raw| loose::items(raw, self.left)) {
            None => Vec::new(),
            Some(Ok(tweets)) => tweets,
            Some(Err(loose::BadList::TooMany(_))) => {
                let message = format!("there are more than {} tweets", self.most);
                return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message));
            }
            Some(Err(other)) => {
                let message = other.of("tweets", "items");
                return refuse(StatusCode::UNPROCESSABLE_ENTITY, message);
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
            let message = format!("none of the tweets can be stored; the first: {first}");
            let refusal = Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message);
            let errors = errors.shown();
            return Ok(Element::Refused(Refusal {
                campaign_batch: Box::new(echo),
                errors,
                ..refusal
            }));
        }
        Ok(Element::Batch(Box::new(Read { echo, batch, errors, warnings })))
    }

    /// Everything of a batch but its tweets. What is wrong with it costs that, and not the tweets.
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
            warn(format!("analysis_summary {why}; it is not kept"));
            json!({})
        });
        let brand_alignment_score = score(&analysis_summary).unwrap_or_else(|()| {
            warn(
                "brand_alignment_score is not a number; it is kept in analysis_summary".to_owned(),
            );
            None
        });
        let mut count = |name: &str| {
            let count = loose::count_of(members.get(name));
            let count = count
                .and_then(|count| if count < 0 { Err(format!("is {count}")) } else { Ok(count) });
            count.unwrap_or_else(|why| {
                warn(format!("{name} {why}; it counts as 0"));
                0
            })
        };
        let (total_tweets, ready_for_deployment) =
            (count("tweet_count"), count("ready_for_deployment"));
        let mut text = |name: &'static str, most: usize| {
            let text = members.text(name).and_then(|text| {
                let Some(text) = text else { return Ok(None) };
                if text.contains('\0') {
                    return Err(format!("{name} has a NUL character"));
                }
                if text.chars().nth(most).is_some() {
                    let cut: String = text.chars().take(most).collect();
                    warn(format!("{name} is longer than {most} characters and was cut"));
                    return Ok(Some(cut));
                }
                Ok(Some(text))
            });
            text.unwrap_or_else(|why| {
                warn(format!("{why}; it is not kept"));
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
            received_from: self.origin.received_from.clone(),
            address: self.origin.address.clone(),
            unauthenticated: self.origin.unauthenticated,
        }
    }

    /// A tweet of a batch, or its id and why it is not stored.
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
            notes.push("it had no id and is given one".to_owned());
        }
        let tweet_id = loose::kept("id", id.to_owned(), 100)?;
        let content = match item.get("content") {
            Some(raw) if raw.get().starts_with('"') => loose::kept(
                "content",
                loose::text_of(raw)?.unwrap_or_default(),
                NewGeneratedTweet::MOST_CONTENT,
            )?,
            None => return Err("content is missing".to_owned()),
            Some(_) => return Err("content is not a text".to_owned()),
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
                "its status '{}' is not taken over; only people approve and reject",
                loose::short(&status)
            ));
        }
        // What stands beside the words costs itself alone if it cannot be kept.
        let mut text = |name: &'static str, most| {
            let text = item.text(name).map(Option::unwrap_or_default);
            text.and_then(|text| loose::kept(name, text, most)).unwrap_or_else(|problem| {
                notes.push(format!("{problem}; it is not kept"));
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
                notes.push(format!("{name} {problem}; it is not kept"));
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

/// The tweets of a batch that came before, to tell what becomes of one that is like them.
#[derive(Default)]
struct Seen {
    fingerprints: HashMap<String, usize>,
    ids: HashMap<String, usize>,
}

impl Seen {
    /// What the sender has to know of a tweet that stands there twice, or bears the id of another.
    fn note(&mut self, index: usize, tweet: &NewGeneratedTweet) -> Option<String> {
        if let Some(first) = self.fingerprints.get(&tweet.fingerprint()) {
            return Some(format!("it is the same as the tweet at {first}, and is stored once"));
        }
        self.fingerprints.insert(tweet.fingerprint(), index);
        if tweet.claimed_id.is_empty() {
            return None;
        }
        if let Some(first) = self.ids.get(&tweet.claimed_id) {
            return Some(format!("it has the id of the tweet at {first}, and is given its own"));
        }
        self.ids.insert(tweet.claimed_id.clone(), index);
        None
    }
}

/// The score of the analysis: a number, also as text. `Err` if it is something else.
fn score(summary: &Value) -> Result<Option<f64>, ()> {
    let score = match &summary["brand_alignment_score"] {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    score.filter(|score: &f64| score.is_finite()).map(Some).ok_or(())
}

/// The ids of the source tweets that a batch names, and whether all of them could be read; one that
/// could not costs itself alone.
fn source_ids(
    members: &Members<'_>,
    most: usize,
    warn: &mut impl FnMut(String),
) -> (Vec<String>, bool) {
    let Some(raw) = members.get("source_tweet_ids") else { return (Vec::new(), true) };
    let items = match loose::items(raw, most) {
        Ok(items) => items,
        Err(problem) => {
            warn(format!("{}; they are not linked", problem.of("source_tweet_ids", "ids")));
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
                warn(format!("source_tweet_ids at {index}: {problem}"));
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    (ids, are_readable)
}

impl From<ReceiveBatchError> for Problem {
    fn from(error: ReceiveBatchError) -> Self {
        match error {
            ReceiveBatchError::Forbidden(error) => error.into(),
            ReceiveBatchError::Invalid(error) => Self::invalid(error.to_string()),
            ReceiveBatchError::Port(error) => error.into(),
        }
    }
}
