//! `receive-tweets`: a workflow hands in batches of generated tweets.

#![expect(
    clippy::indexing_slicing,
    reason = "reading JSON by a key gives null where there is none; it does not panic"
)]

use std::fmt::Write as _;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::Data;
use poem::{Body, Request, Response, handler};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use waggle_kernel::{Actor, ActorKind, Scope};
use waggle_twitter_n8n::{
    NewCampaignBatch, NewGeneratedTweet, ReceiveBatchError, Received, Status,
};

use super::check_duplicate_tweet::json_response;
use super::json as loose;
use crate::app::App;
use crate::http::{JsonBody, Problem, caller};

/// `POST /api/receive-tweets` and its three other addresses. Scope: `ingest`.
#[handler]
pub(super) async fn handle(request: &Request, body: Body, app: Data<&Arc<App>>) -> Response {
    match answer(request, body, app.0).await {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(refusal) => json_response(refusal.status, &refusal.body()),
    }
}

/// A refusal in the envelope of the workflow.
struct Refusal {
    status: StatusCode,
    campaign_batch: Value,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, campaign_batch: json!("unknown"), message: message.into() }
    }

    fn body(&self) -> Value {
        json!({
            "campaign_batch": self.campaign_batch,
            "message": self.message,
            "status": "error",
            "request_id": Problem::request_id(),
        })
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::new(problem.status(), problem.detail())
    }
}

/// A batch as it was read, with what was not quite right in it.
struct Read {
    echo: Value,
    batch: NewCampaignBatch,
    errors: Vec<Value>,
    warnings: Vec<String>,
}

async fn answer(request: &Request, body: Body, app: &App) -> Result<Value, Refusal> {
    let actor = caller(app, request, Scope::Ingest).await.map_err(Problem::from)?;
    let values = app.settings.values();
    let body = JsonBody::read(request, body, values.ingest_max_bytes.count())
        .await
        .map_err(|reason| Refusal::new(reason.status(), reason.to_string()))?;
    let batches =
        loose::aside(&body.0, |body| read(body, &actor, values.ingest_max_items.count()))?;
    let mut answers = Vec::new();
    let mut refusals = Vec::new();
    for (element, batch) in batches.into_iter().enumerate() {
        let stored = match batch {
            Ok(batch) => store(app, &actor, batch).await,
            Err(refusal) => Err(refusal),
        };
        match stored {
            Ok(answer) => answers.push(answer),
            // What is not the caller's fault has to be tried again, as a whole; what is stored stays known.
            Err(refusal) if refusal.status.is_server_error() => return Err(refusal),
            Err(refusal) => refusals.push((element, refusal)),
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
    let stored: u64 = answers.iter().filter_map(|answer| answer["stored_count"].as_u64()).sum();
    let mut answer = answers.first().cloned().unwrap_or_default();
    if !alone {
        let refused: Vec<Value> = refusals
            .iter()
            .map(|(element, refusal)| {
                json!({
                    "element": element,
                    "campaign_batch": refusal.campaign_batch,
                    "message": refusal.message,
                })
            })
            .collect();
        answer["message"] = json!(format!("Received {stored} tweets (saved to database)"));
        answer["stored_count"] = json!(stored);
        answer["batches"] = json!(answers);
        if !refused.is_empty() {
            answer["refused_batches"] = json!(refused);
        }
    }
    Ok(answer)
}

async fn store(app: &App, actor: &Actor, read: Read) -> Result<Value, Refusal> {
    let Read { echo, batch, errors, warnings } = read;
    let claimed = batch.batch_id.clone();
    let received = app.receive_batch.run(actor, batch).await.map_err(|error| {
        let invalid = matches!(error, ReceiveBatchError::Invalid(_));
        let refusal = Refusal::from(Problem::from(error));
        let status = if invalid { StatusCode::UNPROCESSABLE_ENTITY } else { refusal.status };
        Refusal { campaign_batch: echo.clone(), status, ..refusal }
    })?;
    let Received { id, batch_id, stored, known, processed_source_tweets } = received;
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
    let mut answer = json!({
        "campaign_batch": echo,
        "message": message,
        "status": "success",
        "batch_id": batch_id,
        "campaign_batch_id": id.number(),
        "stored_count": stored,
        "known_count": known,
        "error_count": errors.len(),
        "processed_source_tweets": processed_source_tweets,
    });
    if !errors.is_empty() {
        answer["errors"] = json!(errors);
    }
    if !warnings.is_empty() {
        answer["warnings"] = json!(warnings);
    }
    Ok(answer)
}

fn read(body: &[u8], actor: &Actor, most: usize) -> Result<Vec<Result<Read, Refusal>>, Refusal> {
    let (elements, _) = loose::elements(body, most)
        .map_err(|message| Refusal::new(StatusCode::BAD_REQUEST, message))?;
    let mut count = 0;
    elements
        .into_iter()
        .map(|element| {
            let batch = batch(element, actor, most);
            if let Ok(batch) = &batch {
                count += batch.batch.tweets.len() + batch.errors.len();
            }
            if count > most {
                let message = format!("there are more than {most} tweets");
                return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message));
            }
            Ok(batch)
        })
        .collect()
}

fn batch(element: &RawValue, actor: &Actor, most: usize) -> Result<Read, Refusal> {
    let unusable = |message: String| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message);
    let members = loose::members(element).map_err(unusable)?;
    if let Some(words) = loose::own_error(&members) {
        return Err(unusable(words));
    }
    let echo: Value = members
        .get("campaign_batch")
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or(Value::Null);
    let refuse = |message: String| Refusal {
        campaign_batch: if echo.is_null() { json!("unknown") } else { echo.clone() },
        ..unusable(message)
    };
    let mut envelope = Map::new();
    for (name, raw) in &members {
        if name != "tweets" {
            let value = serde_json::from_str(raw.get()).map_err(|error| {
                refuse(format!("{} cannot be read: {error}", loose::short(name)))
            })?;
            envelope.insert(name.clone(), value);
        }
    }
    let batch_id = loose::id_of(envelope.get("campaign_batch"))
        .map_err(|problem| refuse(format!("campaign_batch {problem}")))?;
    if batch_id.trim().is_empty() {
        let message = "campaign_batch is missing: the batch needs an id";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    }
    let mut warnings = Vec::new();
    let mut fields = Fields { of: &envelope, warnings: &mut warnings };
    let mut batch = NewCampaignBatch {
        batch_id,
        analysis_summary: summary(&envelope),
        brand_alignment_score: fields.score(),
        total_tweets: fields.count("tweet_count").map_err(refuse)?,
        ready_for_deployment: fields.count("ready_for_deployment").map_err(refuse)?,
        source_type: fields
            .text("source_type")
            .map_err(refuse)?
            .unwrap_or_else(|| "multi_agent_automation".to_owned()),
        title: fields
            .text("title")
            .map_err(refuse)?
            .unwrap_or_else(|| "Generated Content".to_owned()),
        description: fields.text("description").map_err(refuse)?.unwrap_or_default(),
        generated_at: fields.text("generated_at").map_err(refuse)?,
        execution_id: fields.text("execution_id").map_err(refuse)?,
        source_tweet_ids: source_ids(&envelope, most).map_err(refuse)?,
        tweets: Vec::new(),
        received_from: actor.to_string(),
        unauthenticated: matches!(actor.kind(), ActorKind::TrustedNetwork { .. }),
    };
    if has_nul(&batch.analysis_summary) {
        return Err(refuse("analysis_summary has a NUL character".to_owned()));
    }
    let raw_tweets = match members.get("tweets") {
        None => Vec::new(),
        Some(raw) if raw.get() == "null" => Vec::new(),
        Some(raw) => loose::list("tweets", raw).map_err(refuse)?,
    };
    let mut errors = Vec::new();
    for (index, raw) in raw_tweets.iter().enumerate() {
        match tweet(raw, index, &mut warnings) {
            Ok(tweet) => batch.tweets.push(tweet),
            Err((id, message)) => {
                errors.push(json!({ "index": index, "tweet_id": id, "message": message }));
            }
        }
    }
    if batch.tweets.is_empty()
        && let Some(first) = errors.first()
    {
        let first = first["message"].as_str().unwrap_or_default();
        return Err(refuse(format!("none of the tweets can be stored; the first: {first}")));
    }
    // A workflow that is wrong about everything is wrong about everything in the same way.
    warnings.truncate(100);
    Ok(Read { echo, batch, errors, warnings })
}

/// The members of an envelope, read one by one.
struct Fields<'a> {
    of: &'a Map<String, Value>,
    warnings: &'a mut Vec<String>,
}

impl Fields<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.of
            .get(name)
            .map_or(Ok(None), loose::text_of)
            .map(|text| text.filter(|text| !text.is_empty()))
            .map_err(|problem| format!("{name} {problem}"))
    }

    fn count(&self, name: &str) -> Result<i64, String> {
        loose::count_of(self.of.get(name)).map_err(|problem| format!("{name} {problem}"))
    }

    /// The score of the analysis: a number, also as text; anything else is kept in the analysis alone.
    fn score(&mut self) -> Option<f64> {
        let value = self.of.get("analysis_summary")?.get("brand_alignment_score")?;
        let score = match value {
            Value::Null => return None,
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let score = score.filter(|score: &f64| score.is_finite());
        if score.is_none() {
            self.warnings.push(
                "brand_alignment_score is not a number; it stands in analysis_summary alone"
                    .to_owned(),
            );
        }
        score
    }
}

fn summary(envelope: &Map<String, Value>) -> Value {
    envelope
        .get("analysis_summary")
        .filter(|value| !value.is_null())
        .cloned()
        .unwrap_or_else(|| json!({}))
}

fn source_ids(envelope: &Map<String, Value>, most: usize) -> Result<Vec<String>, String> {
    match envelope.get("source_tweet_ids") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(ids)) if ids.len() > most => {
            Err(format!("source_tweet_ids has more than {most} ids"))
        }
        Some(Value::Array(ids)) => ids
            .iter()
            .map(|id| {
                let id = loose::id_of(Some(id))?;
                loose::kept("it", id, 100)
            })
            .collect::<Result<_, _>>()
            .map_err(|problem| format!("an element of source_tweet_ids: {problem}")),
        Some(_) => Err("source_tweet_ids is not a list".to_owned()),
    }
}

/// A tweet of a batch, or its id and why it is not stored.
fn tweet(
    raw: &RawValue,
    index: usize,
    warnings: &mut Vec<String>,
) -> Result<NewGeneratedTweet, (Option<String>, String)> {
    let item = loose::object(raw).map_err(|message| (None, message))?;
    let id = loose::id_of(item.get("id")).map_err(|problem| (None, format!("id {problem}")))?;
    let named = Some(loose::short(&id)).filter(|id| !id.is_empty());
    let mut notes = Vec::new();
    let tweet = fields(&item, id.trim(), &mut notes).map_err(|message| (named, message))?;
    warnings.extend(notes.into_iter().map(|note| format!("tweet {}: {note}", index + 1)));
    Ok(tweet)
}

fn fields(
    item: &Map<String, Value>,
    id: &str,
    notes: &mut Vec<String>,
) -> Result<NewGeneratedTweet, String> {
    let text = |name: &'static str, most| {
        let text = item
            .get(name)
            .map_or(Ok(None), loose::text_of)
            .map_err(|problem| format!("{name} {problem}"))?;
        loose::kept(name, text.unwrap_or_default(), most)
    };
    let any = |name: &'static str| {
        let value = item.get(name).filter(|value| !value.is_null());
        let value = value.cloned().unwrap_or_else(|| json!([]));
        if has_nul(&value) { Err(format!("{name} has a NUL character")) } else { Ok(value) }
    };
    if id.is_empty() {
        notes.push("it had no id and is given one".to_owned());
    }
    let tweet_id = loose::kept("id", id.to_owned(), 100)?;
    let content = match item.get("content") {
        Some(Value::String(content)) => {
            loose::kept("content", content.clone(), NewGeneratedTweet::MOST_CONTENT)?
        }
        None | Some(Value::Null) => return Err("content is missing".to_owned()),
        Some(_) => return Err("content is not a text".to_owned()),
    };
    let claimed_character_count = match item.get("character_count") {
        None | Some(Value::Null) => None,
        value => loose::count_of(value)
            .inspect_err(|problem| notes.push(format!("character_count {problem}")))
            .ok(),
    };
    let claimed_ready = loose::flag_of(item.get("ready_for_deployment"))
        .inspect_err(|problem| notes.push(format!("ready_for_deployment {problem}")))
        .unwrap_or_default();
    let is_edited = loose::flag_of(item.get("is_edited")).unwrap_or_default().unwrap_or(false);
    if let Some(Value::String(status)) = item.get("status")
        && !matches!(status.parse(), Ok(Status::BrandAligned | Status::Draft))
    {
        notes.push(format!(
            "its status '{}' is not taken over; only people approve and reject",
            loose::short(status)
        ));
    }
    let kind = text("type", 50)?;
    Ok(NewGeneratedTweet {
        claimed_id: tweet_id.clone(),
        tweet_id,
        kind: if kind.is_empty() { "generated".to_owned() } else { kind },
        content,
        claimed_character_count,
        claimed_ready,
        engagement_hook: text("engagement_hook", NewGeneratedTweet::MOST_CONTENT)?,
        coophive_elements: any("coophive_elements")?,
        discord_voice_patterns: any("discord_voice_patterns")?,
        theme_connection: text("theme_connection", NewGeneratedTweet::MOST_CONTENT)?,
        is_edited,
    })
}

/// Whether a text anywhere in `value` has a NUL character, which PostgreSQL cannot keep.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
        }
        _ => false,
    }
}
