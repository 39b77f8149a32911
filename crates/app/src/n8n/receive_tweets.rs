//! `receive-tweets`: a workflow submits batches of generated tweets, or ends its run.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON with a missing key returns null and does not panic"
)]

use std::fmt::Write as _;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::Data;
use poem::{Body, Request, Response, handler};
use serde_json::{Value, json};
use waggle_kernel::{Actor, Scope};
use waggle_twitter_n8n::{EndedRuns, LeaseOutcome, ReceiveBatchError, Received, RunsToEnd, Sender};

use super::batch_reader::{Element, Origin, Read, Reason, Refused, read};
use super::check_duplicate_tweet::json_response;
use super::json as loose;
use super::note::Note;
use crate::http::{JsonBody, Problem, caller, client_address};
use crate::use_cases::UseCases;

/// Handles `POST /api/receive-tweets` and its three other addresses. Scope: `ingest`.
#[handler]
pub(super) async fn handle(request: &Request, body: Body, app: Data<&Arc<UseCases>>) -> Response {
    match answer(request, body, app.0).await {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(refusal) => json_response(refusal.status, &refusal.body()),
    }
}

/// An error response in the form that the workflow expects.
struct Refusal {
    status: StatusCode,
    campaign_batch: Box<Value>,
    message: String,
    /// The tweets that could not be read.
    errors: Vec<Note>,
    /// How many source tweets were released, if the workflow reported that it failed.
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

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let status = match refused.reason {
            Reason::Malformed => StatusCode::BAD_REQUEST,
            Reason::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self {
            campaign_batch: refused.echo,
            errors: refused.errors,
            ..Self::new(status, refused.message)
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::new(problem.status(), problem.detail())
    }
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
        sender: Sender::of(&actor, client_address(&values, request)),
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
            Element::Refused(refused) => Err(refused.into()),
        };
        match answered {
            Ok(answer) => answers.push(answer),
            // After a server error, the caller must repeat the whole call. The batches that are
            // already stored are then recognized.
            Err(refusal) if refusal.status.is_server_error() => return Err(refusal),
            Err(refusal) => refusals.push((place, refusal)),
        }
    }
    whole(&answers, refusals)
}

/// Combines the answers for all elements into one, in the form of the first. If all elements were
/// refused, returns the first error.
fn whole(answers: &[Value], refusals: Vec<(usize, Refusal)>) -> Result<Value, Refusal> {
    if answers.is_empty() {
        let nothing = || Refusal::new(StatusCode::BAD_REQUEST, "the body contains no batch");
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
    app.metrics.generated_tweets(stored, known);
    let mut message = format!("Received {stored} tweets (saved to database)");
    if batch_id != claimed {
        // Writing to a String cannot fail.
        let _ = write!(
            message,
            "; the id {} is already used for other content, so they are stored as {batch_id}",
            loose::short(&claimed)
        );
    } else if stored == 0 && known > 0 {
        message.push_str("; all tweets of the batch were already stored");
    }
    if errors.count() > 0 {
        let _ = write!(message, "; {} could not be read (see errors)", errors.count());
    }
    let mut warn = |message: String| {
        warnings.push(Note { element, index: None, tweet_id: None, message });
    };
    if received.is_run_unknown {
        let run = loose::short(run.as_deref().unwrap_or_default());
        warn(format!("execution_id '{run}' is not a run that reported tweets; no run was ended"));
    }
    if received.unknown_source_tweets > 0 {
        let unknown = received.unknown_source_tweets;
        warn(format!("{unknown} of the source_tweet_ids are unknown and were not linked"));
    }
    if received.ended_runs > 1 {
        let runs = received.ended_runs;
        warn(format!(
            "the batch names no run, so it ended all {runs} open runs of this caller; send \
             execution_id to end only one"
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

/// Ends the runs of a workflow that had nothing to draft. Their source tweets count as processed.
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
        (_, 1) => format!("The run is done; {tweets} source tweets were marked as processed"),
        (_, 0) => "There is no such open run; no run was ended".to_owned(),
        (_, many) => {
            format!("{many} runs are done; {tweets} source tweets were marked as processed")
        }
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
        let message = "the call names no run, so it ended all open runs of this caller".to_owned();
        let note = Note { element, index: None, tweet_id: None, message };
        answer["warnings"] = json!([note]);
    }
    Ok(answer)
}

/// Ends the runs of a workflow that failed. Their source tweets are available to the next run.
async fn failed(app: &UseCases, actor: &Actor, runs: RunsToEnd, words: String) -> Refusal {
    match app.end_run.run(actor, &runs, LeaseOutcome::Released).await {
        Ok(EndedRuns { tweets, .. }) => Refusal {
            released: Some(tweets),
            ..Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, words)
        },
        Err(error) => Problem::from(error).into(),
    }
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
