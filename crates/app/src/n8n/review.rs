//! The endpoints of the old review and source-tweet pages, which require an API token in Waggle.

use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::{Data, Path, Query};
use poem::{Body, IntoResponse as _, Request, Response, handler};
use serde::Deserialize;
use serde_json::{Value, json};
use waggle_kernel::ids::{GeneratedTweetId, SourceTweetId};
use waggle_kernel::{Actor, Direction, Scope, check_text};
use waggle_twitter_n8n::{PublishTime, SourceTweetFilter, SourceTweetSort, SourceTweetsError};

use super::check_duplicate_tweet::json_response;
use crate::api::{Format, SourceTweetPages, export, if_match};
use crate::http::{JsonBody, Problem, caller, not_json};
use crate::use_cases::UseCases;

/// The maximum number of tweets in a bulk deletion.
const MOST_IDS: usize = 1_000;

/// Makes a response in the form that the old pages expect.
fn answered(result: Result<Value, Problem>) -> Response {
    match result {
        Ok(body) => json_response(StatusCode::OK, &body),
        Err(problem) => {
            let body = json!({
                "success": false,
                "error": problem.detail(),
                "message": problem.detail(),
                "request_id": Problem::request_id(),
            });
            json_response(problem.status(), &body)
        }
    }
}

async fn actor(app: &UseCases, request: &Request, scope: Scope) -> Result<Actor, Problem> {
    Ok(caller(app, request, scope).await?)
}

/// Parses an id. An id that is not a number does not exist.
fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::not_found("there is no such tweet"))
}

/// `GET /twitter/api/tweet-details/{id}/`. Scope: `read`.
#[handler]
pub(super) async fn tweet_details(
    request: &Request,
    id: Path<String>,
    app: Data<&Arc<UseCases>>,
) -> Response {
    let result = async {
        let actor = actor(app.0, request, Scope::Read).await?;
        let tweet = app.source_tweets.find(&actor, SourceTweetId::new(number(&id)?)).await?;
        let report = tweet.report;
        let engagement = report.engagement;
        Ok(json!({
            "success": true,
            "tweet": {
                "id": tweet.id.number(),
                "tweet_id": report.tweet_id,
                "content": report.content,
                "url": report.url,
                "tweet_url": report.tweet_url,
                "likes": engagement.likes,
                "retweets": engagement.retweets,
                "replies": engagement.replies,
                "quotes": engagement.quotes,
                "views": engagement.views,
                "date": report.date.to_rfc3339(),
                "status": report.status,
                "execution_id": tweet.execution_id,
                "source_url": tweet.source_url,
                "is_processed": tweet.is_processed,
                "processed_at": tweet.processed_at.to_rfc3339(),
            },
        }))
    };
    answered(result.await)
}

/// `DELETE /twitter/api/delete-tweet/{id}/`. Scope: `write`.
#[handler]
pub(super) async fn delete_tweet(
    request: &Request,
    id: Path<String>,
    app: Data<&Arc<UseCases>>,
) -> Response {
    let result = async {
        let actor = actor(app.0, request, Scope::Write).await?;
        let deleted = app.source_tweets.delete(&actor, &[SourceTweetId::new(number(&id)?)]).await?;
        let message = format!("Tweet {} deleted successfully", deleted.join(", "));
        Ok(json!({ "success": true, "message": message }))
    };
    answered(result.await)
}

/// `DELETE` or `POST /twitter/api/bulk-delete-tweets/`. Scope: `write`.
#[handler]
pub(super) async fn bulk_delete_tweets(
    request: &Request,
    body: Body,
    app: Data<&Arc<UseCases>>,
) -> Response {
    let result = async {
        let actor = actor(app.0, request, Scope::Write).await?;
        let body = json_body(&app, request, body).await?;
        let ids = match body.get("tweet_ids") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(ids)) => ids
                .iter()
                .map(|id| match id {
                    Value::Number(number) => number.as_i64(),
                    Value::String(text) => text.trim().parse().ok(),
                    _ => None,
                })
                .collect::<Option<Vec<i64>>>()
                .ok_or_else(|| Problem::invalid("an element of tweet_ids is not a number"))?,
            Some(_) => return Err(Problem::invalid("tweet_ids is not a list")),
        };
        if ids.is_empty() {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "No tweet IDs provided"));
        }
        if ids.len() > MOST_IDS {
            return Err(Problem::invalid(format!("tweet_ids has more than {MOST_IDS} ids")));
        }
        let ids: Vec<SourceTweetId> = ids.into_iter().map(SourceTweetId::new).collect();
        let deleted =
            app.source_tweets.delete(&actor, &ids).await.map_err(|error| match error {
                SourceTweetsError::NotFound => {
                    Problem::not_found("No tweets found with the provided IDs")
                }
                other => other.into(),
            })?;
        let count = deleted.len();
        Ok(json!({
            "success": true,
            "message": format!("Successfully deleted {count} tweets"),
            "deleted_count": count,
        }))
    };
    answered(result.await)
}

/// `POST /twitter/api/save-generated-tweet/{id}/`. Scope: `write`.
#[handler]
pub(super) async fn save_generated_tweet(
    request: &Request,
    id: Path<String>,
    body: Body,
    app: Data<&Arc<UseCases>>,
) -> Response {
    let result = async {
        let actor = actor(app.0, request, Scope::Write).await?;
        let body = json_body(&app, request, body).await?;
        let text = |name: &str| match body.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Problem::invalid(format!("{name} is not a string"))),
        };
        let (content, hook) = (text("content")?, text("engagement_hook")?);
        if content.is_none() && hook.is_none() {
            let detail = "there is nothing to change: send content or engagement_hook";
            return Err(Problem::invalid(detail));
        }
        let version = if_match(request.header("if-match"))?;
        let id = GeneratedTweetId::new(number(&id)?);
        let tweet = app.review.edit(&actor, id, version, content, hook).await?;
        Ok(json!({
            "success": true,
            "message": "Tweet saved successfully",
            "character_count": tweet.character_count(),
            "version": tweet.version().number(),
        }))
    };
    answered(result.await)
}

/// `POST /twitter/api/approve-generated-tweet/{id}/`. Scope: `approve`.
#[handler]
pub(super) async fn approve_generated_tweet(
    request: &Request,
    id: Path<String>,
    app: Data<&Arc<UseCases>>,
) -> Response {
    let result = async {
        let actor = actor(app.0, request, Scope::Approve).await?;
        let version = if_match(request.header("if-match"))?;
        app.review.approve(&actor, GeneratedTweetId::new(number(&id)?), version).await?;
        Ok(json!({ "success": true, "message": "Tweet approved successfully" }))
    };
    answered(result.await)
}

/// `POST /twitter/api/reject-generated-tweet/{id}/`. Scope: `write`.
#[handler]
pub(super) async fn reject_generated_tweet(
    request: &Request,
    id: Path<String>,
    app: Data<&Arc<UseCases>>,
) -> Response {
    let result = async {
        let actor = actor(app.0, request, Scope::Write).await?;
        let version = if_match(request.header("if-match"))?;
        app.review.reject(&actor, GeneratedTweetId::new(number(&id)?), version, None).await?;
        Ok(json!({ "success": true, "message": "Tweet rejected successfully" }))
    };
    answered(result.await)
}

/// `DELETE /twitter/api/delete-generated-tweet/{id}/`. The tweet can be restored. Scope: `write`.
#[handler]
pub(super) async fn delete_generated_tweet(
    request: &Request,
    id: Path<String>,
    app: Data<&Arc<UseCases>>,
) -> Response {
    let result = async {
        let actor = actor(app.0, request, Scope::Write).await?;
        let version = if_match(request.header("if-match"))?;
        app.review.delete(&actor, GeneratedTweetId::new(number(&id)?), version).await?;
        Ok(json!({ "success": true, "message": "Tweet deleted successfully" }))
    };
    answered(result.await)
}

/// `POST /twitter/api/post-tweet-to-x/{id}/`: queues an approved tweet. Scope: `publish`.
#[handler]
pub(super) async fn post_tweet_to_x(
    request: &Request,
    id: Path<String>,
    app: Data<&Arc<UseCases>>,
) -> Response {
    let result = async {
        let actor = actor(app.0, request, Scope::Publish).await?;
        let id = GeneratedTweetId::new(number(&id)?);
        // The old clients do not send a version, so they publish the tweet in its current state.
        let version = match if_match(request.header("if-match"))? {
            Some(version) => version,
            None => app.review.find(&Actor::system(), id).await?.version(),
        };
        let queued =
            app.publish_tweet.run(&actor, id, Some(version), None, PublishTime::Now).await?;
        // The message names the actual platform, which is X only if an X account is connected.
        Ok(json!({
            "success": true,
            "message": format!("Tweet queued for {}", queued.platform),
            "platform": queued.platform,
            "post_id": queued.id.number(),
        }))
    };
    answered(result.await)
}

/// The query parameters of the old export.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ExportQuery {
    execution_id: Option<String>,
}

/// `GET /twitter/sourcetweet/export/`: CSV, newest first. Scope: `read`.
#[handler]
pub(super) async fn export_source_tweets(
    request: &Request,
    query: Query<ExportQuery>,
    app: Data<&Arc<UseCases>>,
) -> Response {
    let result = async {
        let actor = actor(app.0, request, Scope::Read).await?;
        let execution_id = query.0.execution_id.filter(|id| !id.is_empty());
        if let Some(id) = &execution_id {
            check_text(id, 255)
                .map_err(|problem| Problem::invalid(format!("execution_id {problem}")))?;
        }
        let filter = SourceTweetFilter { execution_id, ..SourceTweetFilter::default() };
        let (sort, way) = (SourceTweetSort::Date, Direction::Descending);
        let app = Arc::clone(app.0);
        let pages = SourceTweetPages { app, actor, filter, sort, direction: way };
        export(pages, Format::Csv).await
    };
    match result.await {
        Ok(export) => export.into_response(),
        Err(problem) => answered(Err(problem)),
    }
}

async fn json_body(
    app: &UseCases,
    request: &Request,
    body: Body,
) -> Result<serde_json::Map<String, Value>, Problem> {
    let body = JsonBody::read(app, request, body, app.settings.values().api_max_bytes.count())
        .await
        .map_err(|reason| Problem::new(reason.status(), reason.to_string()))?;
    match serde_json::from_slice(&body.bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(Problem::invalid("the body is not a JSON object")),
        Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, not_json(&body.bytes, &error))),
    }
}
