//! `check-duplicate-tweet`: a workflow reports tweets and continues with those that are new.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use poem::http::{HeaderValue, StatusCode};
use poem::web::Data;
use poem::{Body, Request, Response, handler};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use waggle_kernel::{Actor, Scope, hex};
use waggle_twitter_n8n::{
    CheckDuplicatesError, Engagement, NewSourceTweet, OfferPolicy, Run, RunKey, Sender, Verdict,
};

use super::json as loose;
use super::json::Members;
use super::note::{Note, Notes};
use crate::http::{JsonBody, Problem, caller, client_address};
use crate::use_cases::UseCases;

/// Handles `POST /api/check-duplicate-tweet` and its three other addresses. Scope: `ingest`.
#[handler]
pub(super) async fn handle(request: &Request, body: Body, app: Data<&Arc<UseCases>>) -> Response {
    let mut response = match answer(request, body, app.0).await {
        Ok(response) => response,
        Err(refusal) => refusal.response(),
    };
    // The service that the workflow was written for echoed this header.
    if let Some(id) = request.header("x-execution-id").and_then(|id| HeaderValue::from_str(id).ok())
    {
        response.headers_mut().insert("x-execution-id", id);
    }
    response
}

/// An error response in the form that the workflow expects.
struct Refusal {
    status: StatusCode,
    message: String,
    errors: Vec<Note>,
}

impl Refusal {
    fn unusable(message: impl Into<String>) -> Self {
        let (status, message) = (StatusCode::UNPROCESSABLE_ENTITY, message.into());
        Self { status, message, errors: Vec::new() }
    }

    fn unreadable(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, ..Self::unusable(message) }
    }

    fn response(&self) -> Response {
        let mut body = json!({
            "status": "error",
            "message": self.message,
            "data": null,
            "request_id": Problem::request_id(),
        });
        if !self.errors.is_empty()
            && let Some(body) = body.as_object_mut()
        {
            body.insert("errors".to_owned(), json!(self.errors));
        }
        json_response(self.status, &body)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (status, message) = (problem.status(), problem.detail().to_owned());
        Self { status, message, errors: Vec::new() }
    }
}

pub(super) fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = Response::builder().status(status).content_type("application/json");
    if status == StatusCode::UNAUTHORIZED {
        response = response.header("www-authenticate", "Bearer");
    }
    // Values that were read from JSON can be serialized.
    response.body(serde_json::to_vec(body).unwrap_or_default())
}

/// One element of the body, with the items that could be read.
struct Report<'a> {
    /// Its position in the body, counted from 0.
    element: usize,
    run: Run,
    items: Vec<Item<'a>>,
}

/// An item as the workflow sent it, and the tweet that was read from it.
struct Item<'a> {
    raw: &'a RawValue,
    tweet: NewSourceTweet,
}

#[derive(Serialize)]
struct Answer<'a> {
    data: Found<'a>,
    debug_info: DebugInfo,
    /// What was not stored, and why. Omitted if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Note>,
    /// The values that were not accepted, and why. Omitted if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Note>,
    message: String,
    status: &'static str,
    summary: Summary,
}

#[derive(Serialize)]
struct Found<'a> {
    duplicate_ids: Vec<String>,
    execution_id: String,
    new_tweets: Vec<&'a RawValue>,
    source_url: String,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the workflow knows them by these names")]
struct DebugInfo {
    error_count: usize,
    warning_count: usize,
    processed_count: usize,
    saved_count: usize,
    /// How many of the new tweets an earlier call of the same run had received.
    replayed_count: usize,
}

#[derive(Serialize)]
struct Summary {
    duplicates_found: usize,
    execution_id_duplicates: usize,
    new_tweets_found: usize,
    /// How many of the new tweets an earlier run had received and not used.
    offered_again: usize,
    saved_to_database: usize,
    total_processed: usize,
    tweet_id_duplicates: usize,
}

async fn answer(request: &Request, body: Body, app: &UseCases) -> Result<Response, Refusal> {
    let actor = caller(app, request, Scope::Ingest).await.map_err(Problem::from)?;
    let values = app.settings.values();
    let most = values.ingest_max_bytes.count();
    let whole_body = JsonBody::read_loosely(app, request, body, most).await;
    let JsonBody { bytes, share: _share } = whole_body.map_err(|reason| Refusal {
        status: reason.status(),
        ..Refusal::unusable(reason.to_string())
    })?;
    let body = loose::decoded(bytes).map_err(Refusal::unreadable)?;
    let header = request.header("x-execution-id").map(str::trim);
    let origin = Origin {
        header: header.filter(|id| !loose::is_missing(id)),
        sender: Sender::of(&actor, client_address(&values, request)),
    };
    let (most, size) = (values.ingest_max_items.count(), body.len());
    let read = loose::aside(|| read(&body, &origin, most), size)?;
    if read.reports.iter().all(|report| report.items.is_empty())
        && let Some(first) = read.errors.first()
    {
        let message = if read.total == 0 {
            first.to_owned()
        } else {
            format!("none of the tweets can be stored; the first error: {first}")
        };
        return Err(Refusal { errors: read.errors.shown(), ..Refusal::unusable(message) });
    }
    let offers = OfferPolicy {
        lease: values.source_tweet_lease.duration(),
        most: u32::try_from(values.source_tweet_offers.count()).unwrap_or(u32::MAX),
    };
    decide(app, &actor, read, offers).await
}

/// The sender of a call, and the run that its `X-Execution-ID` header names.
struct Origin<'a> {
    header: Option<&'a str>,
    sender: Sender,
}

/// The result of reading a body.
#[derive(Default)]
struct Read<'a> {
    reports: Vec<Report<'a>>,
    errors: Notes,
    warnings: Notes,
    /// The number of items, including those that could not be read.
    total: usize,
}

/// Reads the elements of a body. A list may contain both valid and invalid elements. An element
/// that is not in a list must be valid.
fn read<'a>(body: &'a [u8], origin: &Origin<'_>, most: usize) -> Result<Read<'a>, Refusal> {
    let elements = loose::elements(body, most).map_err(Refusal::unreadable)?;
    let mut read = Read::default();
    for (element, raw) in elements.into_iter().enumerate() {
        let left = most - read.total;
        match report(element, raw, body, origin, left, &mut read) {
            Ok(report) => read.reports.push(report),
            Err(BadReport::Unusable(message)) => {
                read.errors.push(Note { element, index: None, tweet_id: None, message });
            }
            Err(BadReport::TooMany) => {
                return Err(Refusal::unusable(format!("there are more than {most} tweets")));
            }
        }
    }
    Ok(read)
}

/// Why an element is rejected.
enum BadReport {
    Unusable(String),
    TooMany,
}

/// The members of an element that are read.
const ENVELOPE: &[&str] =
    &["execution_id", "source_url", "tweets", "data", "msg", "status", "error", "message"];

fn report<'a>(
    element: usize,
    raw: &'a RawValue,
    body: &[u8],
    origin: &Origin<'_>,
    most: usize,
    read: &mut Read<'a>,
) -> Result<Report<'a>, BadReport> {
    let envelope = Members::of(raw, ENVELOPE).map_err(BadReport::Unusable)?;
    if let Some(words) = loose::own_error(&envelope) {
        return Err(BadReport::Unusable(words));
    }
    // A response of twitterapi.io contains its tweets under `data` or at the top level. A workflow
    // may add tweets to either.
    let inner = envelope.get("data").and_then(|data| Members::of(data, ENVELOPE).ok());
    let nested = inner.as_ref().and_then(|data| data.get("tweets"));
    let mut items = Vec::new();
    let mut is_any = false;
    for tweets in [nested, envelope.get("tweets")].into_iter().flatten() {
        is_any = true;
        let more = loose::items(tweets, most - items.len());
        items.extend(more.map_err(|error| match error {
            loose::BadList::TooMany(_) => BadReport::TooMany,
            other => BadReport::Unusable(other.of("tweets", "items")),
        })?);
    }
    if !is_any {
        let expected = "{\"execution_id\", \"source_url\", \"tweets\": [...]}";
        return Err(BadReport::Unusable(format!("tweets is missing; expected {expected}")));
    }
    let warn = |message: String| Note { element, index: None, tweet_id: None, message };
    let mut named = |name: &'static str, most| match envelope.name(name, most) {
        Ok(text) => text,
        Err(message) => {
            read.warnings.push(warn(format!("{message}; it was treated as missing")));
            None
        }
    };
    let given =
        named("execution_id", 255).or(origin.header.map(|id| id.chars().take(255).collect()));
    let word = named("msg", 200).or_else(|| named("status", 200));
    let default_source = if nested.is_some() { "api_detailed" } else { "unknown" };
    let source_url = named("source_url", 255).unwrap_or_else(|| default_source.to_owned());
    let is_foreign = nested.is_some() || envelope.get("msg").is_some();
    let execution_id = match (&given, is_foreign) {
        (Some(id), _) => id.clone(),
        (None, true) => format!("exec_{}", word.as_deref().unwrap_or("unknown")),
        (None, false) => "unknown".to_owned(),
    };
    let key = match given {
        Some(id) => RunKey::Execution(id),
        // A run without a name is identified by its body.
        None => RunKey::Body { hash: hash(body) },
    };
    let run = Run { key, execution_id, source_url, sender: origin.sender.clone() };
    let mut good = Vec::new();
    for (index, raw) in items.into_iter().enumerate() {
        read.total += 1;
        let note = |tweet_id: &Option<String>, message: String| Note {
            element,
            index: Some(index),
            tweet_id: tweet_id.clone(),
            message,
        };
        let mut warnings = Vec::new();
        match item(raw, &mut warnings) {
            Ok(tweet) => {
                let id = Some(tweet.tweet_id.clone());
                for message in warnings {
                    read.warnings.push(note(&id, message));
                }
                good.push(Item { raw, tweet });
            }
            Err(BadItem { tweet_id, message }) => read.errors.push(note(&tweet_id, message)),
        }
    }
    Ok(Report { element, run, items: good })
}

/// The SHA-256 of a body, in hexadecimal.
fn hash(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// The keys of one of the two dialects in which workflows write tweets. If there are several keys
/// for a value, the first one with a value is used.
struct Dialect {
    id: &'static [&'static str],
    content: &'static [&'static str],
    likes: &'static str,
    retweets: &'static str,
    replies: &'static str,
    quotes: &'static str,
    views: &'static str,
    url: &'static str,
    tweet_url: &'static str,
    date: &'static [&'static str],
    status: Option<&'static str>,
}

const SIMPLE: Dialect = Dialect {
    id: &["id_str", "Tweet ID"],
    content: &["Content", "full_text", "text"],
    likes: "Likes",
    retweets: "Retweets",
    replies: "Replies",
    quotes: "Quotes",
    views: "Views",
    url: "URL",
    tweet_url: "Tweet",
    date: &["Date"],
    status: Some("Status"),
};

/// The dialect of twitterapi.io, and of X itself.
const DETAILED: Dialect = Dialect {
    id: &["id_str", "id"],
    content: &["full_text", "text"],
    likes: "likeCount",
    retweets: "retweetCount",
    replies: "replyCount",
    quotes: "quoteCount",
    views: "viewCount",
    url: "url",
    tweet_url: "twitterUrl",
    date: &["createdAt", "created_at"],
    status: None,
};

/// The members of an item that are read, in either dialect.
const ITEM: &[&str] = &[
    "Tweet ID",
    "Content",
    "Likes",
    "Retweets",
    "Replies",
    "Quotes",
    "Views",
    "URL",
    "Tweet",
    "Date",
    "Status",
    "id",
    "id_str",
    "text",
    "full_text",
    "likeCount",
    "retweetCount",
    "replyCount",
    "quoteCount",
    "viewCount",
    "url",
    "twitterUrl",
    "createdAt",
    "created_at",
];

/// An item that is not stored, and why.
struct BadItem {
    tweet_id: Option<String>,
    message: String,
}

fn item(raw: &RawValue, warnings: &mut Vec<String>) -> Result<NewSourceTweet, BadItem> {
    let bad = |tweet_id: Option<String>, message: String| BadItem { tweet_id, message };
    let item = Members::of(raw, ITEM).map_err(|message| bad(None, message))?;
    let dialect = if item.has("Tweet ID") { &SIMPLE } else { &DETAILED };
    let id = text_id(&item, dialect).map_err(|message| bad(None, message))?;
    let id = NewSourceTweet::id(&id).map_err(|problem| {
        bad(Some(loose::short(&id)).filter(|id| !id.is_empty()), problem.to_string())
    })?;
    tweet(&item, dialect, &id, warnings).map_err(|message| bad(Some(id), message))
}

/// The id as text. `id_str` takes precedence, because it exists for JavaScript, which rounds large
/// numbers.
fn text_id(item: &Members<'_>, dialect: &Dialect) -> Result<String, String> {
    let named = |name: &&'static str| item.get(name).map(|raw| (*name, raw));
    let Some((name, raw)) = dialect.id.iter().find_map(named) else {
        return Ok(String::new());
    };
    loose::id_of(Some(raw)).map_err(|problem| format!("{name} {problem}"))
}

fn tweet(
    item: &Members<'_>,
    dialect: &Dialect,
    tweet_id: &str,
    warnings: &mut Vec<String>,
) -> Result<NewSourceTweet, String> {
    let text = |name: &str| item.text(name).map(Option::unwrap_or_default);
    // If a count cannot be read, the tweet is stored with 0.
    let mut count = |name: &str| {
        let count = loose::count_of(item.get(name)).and_then(|count| {
            let is_possible = (0..=NewSourceTweet::MOST_COUNT).contains(&count);
            let range =
                || format!("is {count}, which is not between 0 and {}", NewSourceTweet::MOST_COUNT);
            if is_possible { Ok(count) } else { Err(range()) }
        });
        count.unwrap_or_else(|problem| {
            warnings.push(format!("{name} {problem}; it was stored as 0"));
            0
        })
    };
    let engagement = Engagement {
        likes: count(dialect.likes),
        retweets: count(dialect.retweets),
        replies: count(dialect.replies),
        quotes: count(dialect.quotes),
        views: count(dialect.views),
    };
    let mut content = String::new();
    for name in dialect.content {
        content = text(name)?;
        if !content.trim().is_empty() {
            break;
        }
    }
    let named = dialect.date.first().copied().unwrap_or_default();
    let date = match item.first_of(dialect.date) {
        None => return Err(format!("{named} is missing; every tweet must have a date")),
        Some(raw) if raw.get().starts_with('"') => {
            let text = loose::text_of(raw).map_err(|why| format!("{named} {why}"))?;
            text.unwrap_or_default()
        }
        Some(_) => return Err(format!("{named} is not a string")),
    };
    let status = dialect.status.map(text).transpose()?.filter(|status| !loose::is_missing(status));
    NewSourceTweet::new(
        tweet_id,
        text(dialect.url)?,
        text(dialect.tweet_url)?,
        content,
        engagement,
        date,
        status.unwrap_or_else(|| "success".to_owned()),
    )
    .map_err(|problem| problem.to_string())
}

/// Runs the use case once for each run, and returns the results in the order of the items.
async fn decide(
    app: &UseCases,
    actor: &Actor,
    read: Read<'_>,
    offers: OfferPolicy,
) -> Result<Response, Refusal> {
    let Read { reports, errors, warnings, total } = read;
    let (execution_id, source_url) = reports
        .iter()
        .min_by_key(|report| report.element)
        .map(|report| (report.run.execution_id.clone(), report.run.source_url.clone()))
        .unwrap_or_default();
    let mut runs: Vec<(Run, Vec<NewSourceTweet>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    // For each valid item: its JSON as the workflow sent it, the position of its run in `runs`, and
    // its position in that run.
    let mut items: Vec<(&RawValue, usize, usize)> = Vec::new();
    for report in reports {
        let place = *places.entry(report.run.key.stored()).or_insert_with(|| {
            runs.push((report.run, Vec::new()));
            runs.len() - 1
        });
        if let Some((_, tweets)) = runs.get_mut(place) {
            for item in report.items {
                items.push((item.raw, place, tweets.len()));
                tweets.push(item.tweet);
            }
        }
    }
    let mut verdicts = Vec::with_capacity(runs.len());
    for (run, tweets) in &runs {
        let of_run = app.check_duplicates.run(actor, run, tweets, offers).await;
        verdicts.push(of_run.map_err(|error| match error {
            CheckDuplicatesError::Forbidden(error) => Problem::from(error),
            CheckDuplicatesError::Port(error) => Problem::from(error),
        })?);
    }
    let mut new_tweets = Vec::new();
    let mut duplicate_ids = Vec::new();
    let (mut replayed, mut offered_again) = (0, 0);
    for (raw, run, place) in items {
        let verdict = verdicts.get(run).and_then(|verdicts| verdicts.get(place));
        match verdict.unwrap_or(&Verdict::Duplicate) {
            Verdict::Duplicate => {
                let tweet = runs.get(run).and_then(|(_, tweets)| tweets.get(place));
                duplicate_ids.extend(tweet.map(|tweet| tweet.tweet_id.clone()));
                continue;
            }
            Verdict::New => {}
            Verdict::Replayed => replayed += 1,
            Verdict::OfferedAgain => offered_again += 1,
        }
        new_tweets.push(raw);
    }
    let (new, duplicates) = (new_tweets.len(), duplicate_ids.len());
    app.metrics.source_tweets(new, duplicates);
    let answer = Answer {
        message: message(new, duplicates, errors.count()),
        status: "success",
        debug_info: DebugInfo {
            error_count: errors.count(),
            warning_count: warnings.count(),
            processed_count: total,
            saved_count: new,
            replayed_count: replayed,
        },
        errors: errors.shown(),
        warnings: warnings.shown(),
        data: Found { duplicate_ids, execution_id, new_tweets, source_url },
        summary: Summary {
            duplicates_found: duplicates,
            execution_id_duplicates: 0,
            new_tweets_found: new,
            offered_again,
            saved_to_database: new,
            total_processed: total,
            tweet_id_duplicates: duplicates,
        },
    };
    Ok(json_response(StatusCode::OK, &answer))
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
