//! `check-duplicate-tweet`: a workflow reports tweets and goes on with those that are new.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use poem::http::{HeaderValue, StatusCode};
use poem::web::Data;
use poem::{Body, Request, Response, handler};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use waggle_kernel::{Actor, ActorKind, Scope};
use waggle_twitter_n8n::{
    CheckDuplicatesError, Engagement, InvalidSourceTweet, NewSourceTweet, Run, RunKey, Verdict,
};

use super::json as loose;
use crate::app::App;
use crate::http::{JsonBody, Problem, caller};

/// `POST /api/check-duplicate-tweet` and its three other addresses. Scope: `ingest`.
#[handler]
pub(super) async fn handle(request: &Request, body: Body, app: Data<&Arc<App>>) -> Response {
    let mut response = match answer(request, body, app.0).await {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(refusal) => refusal.response(),
    };
    // The service that the workflow was written for echoed this header.
    if let Some(id) = request.header("x-execution-id").and_then(|id| HeaderValue::from_str(id).ok())
    {
        response.headers_mut().insert("x-execution-id", id);
    }
    response
}

/// A refusal in the envelope of the workflow.
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn unusable(message: impl Into<String>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, message: message.into() }
    }

    fn unreadable(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    fn response(&self) -> Response {
        let body = json!({
            "status": "error",
            "message": self.message,
            "data": null,
            "request_id": Problem::request_id(),
        });
        json_response(self.status, &body)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { status: problem.status(), message: problem.detail().to_owned() }
    }
}

pub(super) fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = Response::builder().status(status).content_type("application/json");
    if status == StatusCode::UNAUTHORIZED {
        response = response.header("www-authenticate", "Bearer");
    }
    // Values that were read from JSON can be written as JSON.
    response.body(serde_json::to_vec(body).unwrap_or_default())
}

/// One envelope of tweets, read as far as it goes.
struct Report {
    run: Run,
    items: Vec<Item>,
}

/// The envelopes of a body, each with its place in the list that the body is.
type Reports = Vec<(usize, Report)>;

/// An item as it came, and what was read of it.
struct Item {
    raw: Box<RawValue>,
    tweet: Result<NewSourceTweet, BadItem>,
}

/// An item that is not stored.
struct BadItem {
    tweet_id: Option<String>,
    message: String,
}

#[derive(Serialize)]
struct Answer {
    data: Found,
    debug_info: DebugInfo,
    /// The items that were not stored, and why. Not there when all were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ItemError>,
    message: String,
    status: &'static str,
    summary: Summary,
}

#[derive(Serialize)]
struct Found {
    duplicate_ids: Vec<String>,
    execution_id: String,
    new_tweets: Vec<Box<RawValue>>,
    source_url: String,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the workflow knows them by these names")]
struct DebugInfo {
    error_count: usize,
    processed_count: usize,
    saved_count: usize,
    /// How many of the new tweets an earlier try of this run had stored.
    replayed_count: usize,
}

#[derive(Serialize)]
struct ItemError {
    /// The element of the list that the body is, from 0.
    element: usize,
    /// The item in it, from 0.
    index: usize,
    tweet_id: Option<String>,
    message: String,
}

#[derive(Serialize)]
struct Summary {
    duplicates_found: usize,
    execution_id_duplicates: usize,
    new_tweets_found: usize,
    saved_to_database: usize,
    total_processed: usize,
    tweet_id_duplicates: usize,
}

async fn answer(request: &Request, body: Body, app: &App) -> Result<Answer, Refusal> {
    let actor = caller(app, request, Scope::Ingest).await.map_err(Problem::from)?;
    let values = app.settings.values();
    let body = JsonBody::read(request, body, values.ingest_max_bytes.count())
        .await
        .map_err(|reason| Refusal { status: reason.status(), message: reason.to_string() })?;
    let header = request.header("x-execution-id").map(str::trim).filter(|id| !id.is_empty());
    let (reports, errors) =
        loose::aside(&body.0, |body| read(body, header, &actor, values.ingest_max_items.count()))?;
    if reports.is_empty() {
        let message = errors.first().map_or("there is nothing in the body", |error| &error.message);
        return Err(Refusal::unusable(message));
    }
    decide(app, &actor, reports, errors).await
}

/// The envelopes of a body. A list may have good ones and bad ones; one that stands alone has to be good.
fn read(
    body: &[u8],
    header: Option<&str>,
    actor: &Actor,
    most: usize,
) -> Result<(Reports, Vec<ItemError>), Refusal> {
    let (elements, _) = loose::elements(body, most).map_err(Refusal::unreadable)?;
    let mut reports = Vec::new();
    let mut errors = Vec::new();
    let mut count = 0;
    for (index, element) in elements.into_iter().enumerate() {
        match report(element, header, body, actor) {
            Ok(report) => {
                count += report.items.len();
                if count > most {
                    return Err(Refusal::unusable(format!("there are more than {most} tweets")));
                }
                reports.push((index, report));
            }
            Err(message) => {
                errors.push(ItemError { element: index, index: 0, tweet_id: None, message });
            }
        }
    }
    Ok((reports, errors))
}

fn report(
    element: &RawValue,
    header: Option<&str>,
    body: &[u8],
    actor: &Actor,
) -> Result<Report, String> {
    let envelope = loose::members(element)?;
    if let Some(words) = loose::own_error(&envelope) {
        return Err(words);
    }
    let member = |name: &str| envelope.get(name).copied();
    // twitterapi.io's own answer has its tweets under `data`, or at the top.
    let inner = member("data").and_then(|data| loose::members(data).ok());
    let nested = inner.as_ref().and_then(|data| data.get("tweets").copied());
    let tweets = nested.or(member("tweets")).ok_or_else(|| {
        "tweets is missing; expected is {\"execution_id\", \"source_url\", \"tweets\": [...]}"
            .to_owned()
    })?;
    let named = |name: &'static str, most| -> Result<Option<String>, String> {
        let text = loose::text(member(name)).map_err(|problem| format!("{name} {problem}"))?;
        let text = text.filter(|text| !text.trim().is_empty());
        text.map(|text| loose::kept(name, text, most)).transpose()
    };
    let given = named("execution_id", 255)?.or(header.map(|id| id.chars().take(255).collect()));
    let word = named("msg", 200)?.or(named("status", 200)?);
    let is_foreign = nested.is_some() || member("msg").is_some();
    let execution_id = match (&given, is_foreign) {
        (Some(id), _) => id.clone(),
        (None, true) => format!("exec_{}", word.as_deref().unwrap_or("unknown")),
        (None, false) => "unknown".to_owned(),
    };
    let default_source = if nested.is_some() { "api_detailed" } else { "unknown" };
    let source_url = named("source_url", 255)?.unwrap_or_else(|| default_source.to_owned());
    let key = match given {
        Some(id) => RunKey::Execution(id),
        // Whoever does not name his runs is known by what he sends.
        None => RunKey::Body { hash: hash(body) },
    };
    let items = loose::list("tweets", tweets)?
        .into_iter()
        .map(|raw| Item { tweet: item(&raw), raw })
        .collect();
    let unauthenticated = matches!(actor.kind(), ActorKind::TrustedNetwork { .. });
    let received_from = actor.to_string();
    let run = Run { key, execution_id, source_url, received_from, unauthenticated };
    Ok(Report { run, items })
}

/// The SHA-256 of a body, in hexadecimal.
fn hash(body: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(body) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The keys of one of the two dialects that workflows write tweets in.
struct Dialect {
    id: &'static str,
    content: &'static str,
    likes: &'static str,
    retweets: &'static str,
    replies: &'static str,
    quotes: &'static str,
    views: &'static str,
    url: &'static str,
    tweet_url: &'static str,
    date: &'static str,
    status: Option<&'static str>,
}

const SIMPLE: Dialect = Dialect {
    id: "Tweet ID",
    content: "Content",
    likes: "Likes",
    retweets: "Retweets",
    replies: "Replies",
    quotes: "Quotes",
    views: "Views",
    url: "URL",
    tweet_url: "Tweet",
    date: "Date",
    status: Some("Status"),
};

/// As twitterapi.io writes them.
const DETAILED: Dialect = Dialect {
    id: "id",
    content: "text",
    likes: "likeCount",
    retweets: "retweetCount",
    replies: "replyCount",
    quotes: "quoteCount",
    views: "viewCount",
    url: "url",
    tweet_url: "twitterUrl",
    date: "createdAt",
    status: None,
};

fn item(raw: &RawValue) -> Result<NewSourceTweet, BadItem> {
    let item = loose::object(raw).map_err(|message| BadItem { tweet_id: None, message })?;
    let dialect = if item.contains_key(SIMPLE.id) { &SIMPLE } else { &DETAILED };
    let tweet_id =
        loose::id_of(item.get(dialect.id)).map_err(|problem| format!("{} {problem}", dialect.id));
    let known_id = tweet_id.as_ref().ok().filter(|id| !id.trim().is_empty());
    let known_id = known_id.map(|id| loose::short(id));
    tweet_id
        .and_then(|id| match &known_id {
            Some(_) => tweet(&item, dialect, id),
            None => Err(InvalidSourceTweet::NoId.to_string()),
        })
        .map_err(|message| BadItem { tweet_id: known_id, message })
}

fn tweet(
    item: &Map<String, Value>,
    dialect: &Dialect,
    tweet_id: String,
) -> Result<NewSourceTweet, String> {
    let text = |name: &str| {
        item.get(name)
            .map_or(Ok(None), loose::text_of)
            .map(Option::unwrap_or_default)
            .map_err(|problem| format!("{name} {problem}"))
    };
    let count =
        |name: &str| loose::count_of(item.get(name)).map_err(|problem| format!("{name} {problem}"));
    let engagement = Engagement {
        likes: count(dialect.likes)?,
        retweets: count(dialect.retweets)?,
        replies: count(dialect.replies)?,
        quotes: count(dialect.quotes)?,
        views: count(dialect.views)?,
    };
    let date = match item.get(dialect.date) {
        None | Some(Value::Null) => {
            return Err(format!("{} is missing; a tweet has a date", dialect.date));
        }
        Some(Value::String(date)) => date.clone(),
        Some(_) => return Err(format!("{} is not a text", dialect.date)),
    };
    let status = dialect.status.map(text).transpose()?.filter(|status| !status.is_empty());
    NewSourceTweet::new(
        tweet_id,
        text(dialect.url)?,
        text(dialect.tweet_url)?,
        text(dialect.content)?,
        engagement,
        date,
        status.unwrap_or_else(|| "success".to_owned()),
    )
    .map_err(|problem| problem.to_string())
}

/// Runs the use case once for each run, and puts the verdicts back into the order of the items.
async fn decide(
    app: &App,
    actor: &Actor,
    reports: Reports,
    mut errors: Vec<ItemError>,
) -> Result<Answer, Refusal> {
    let first = reports.first().map(|(_, report)| report.run.clone());
    let mut runs: Vec<(Run, Vec<NewSourceTweet>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    // For each good item: the item as it came, its id, the run it belongs to and its place in that run.
    let mut items: Vec<(Box<RawValue>, String, usize, usize)> = Vec::new();
    let mut total = 0;
    for (element, report) in reports {
        let place = *places.entry(report.run.key.stored()).or_insert_with(|| {
            runs.push((report.run.clone(), Vec::new()));
            runs.len() - 1
        });
        for (index, item) in report.items.into_iter().enumerate() {
            total += 1;
            match (item.tweet, runs.get_mut(place)) {
                (Ok(tweet), Some((_, tweets))) => {
                    items.push((item.raw, tweet.tweet_id.clone(), place, tweets.len()));
                    tweets.push(tweet);
                }
                (Err(BadItem { tweet_id, message }), _) => {
                    errors.push(ItemError { element, index, tweet_id, message });
                }
                (Ok(_), None) => {}
            }
        }
    }
    let mut verdicts = Vec::with_capacity(runs.len());
    for (run, tweets) in &runs {
        let of_run =
            app.check_duplicates.run(actor, run, tweets).await.map_err(|error| match error {
                CheckDuplicatesError::Forbidden(error) => Problem::from(error),
                CheckDuplicatesError::Port(error) => Problem::from(error),
            })?;
        verdicts.push(of_run);
    }
    let mut new_tweets = Vec::new();
    let mut duplicate_ids = Vec::new();
    let mut stored = 0;
    for (raw, tweet_id, run, place) in items {
        match verdicts.get(run).and_then(|verdicts| verdicts.get(place)) {
            Some(Verdict::New { stored: now }) => {
                stored += usize::from(*now);
                new_tweets.push(raw);
            }
            _ => duplicate_ids.push(tweet_id),
        }
    }
    let (execution_id, source_url) =
        first.map(|run| (run.execution_id, run.source_url)).unwrap_or_default();
    let (new, duplicates) = (new_tweets.len(), duplicate_ids.len());
    Ok(Answer {
        message: message(new, duplicates, errors.len()),
        status: "success",
        debug_info: DebugInfo {
            error_count: errors.len(),
            processed_count: total,
            saved_count: new,
            replayed_count: new - stored,
        },
        errors,
        data: Found { duplicate_ids, execution_id, new_tweets, source_url },
        summary: Summary {
            duplicates_found: duplicates,
            execution_id_duplicates: 0,
            new_tweets_found: new,
            saved_to_database: new,
            total_processed: total,
            tweet_id_duplicates: duplicates,
        },
    })
}

fn message(new: usize, duplicates: usize, errors: usize) -> String {
    let mut text = if duplicates == 0 && errors == 0 {
        format!("✅ Success: All {new} tweets are new and have been saved to database")
    } else {
        format!("✅ Success: {new} new tweets saved, {duplicates} duplicates found")
    };
    if errors > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, ", {errors} could not be read (see errors)");
    }
    text
}
