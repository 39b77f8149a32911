//! What X's answers mean for a post (<https://docs.x.com/x-api/fundamentals/response-codes-and-errors>).

use chrono::{DateTime, Duration, Utc};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use waggle_content::{Finding, Outcome};

/// The address of a post by its id alone.
const POST_URL: &str = "https://x.com/i/web/status/";
/// X's windows are a quarter of an hour; where it does not say when one ends, a whole one is waited for.
const WINDOW: Duration = Duration::minutes(15);

/// What the answer to `POST /2/tweets` means.
pub(super) fn of_post(
    status: StatusCode,
    headers: &HeaderMap,
    body: &Value,
    now: DateTime<Utc>,
) -> Outcome {
    let reason = reason(status, body);
    match status {
        StatusCode::OK | StatusCode::CREATED => match body["data"]["id"].as_str() {
            Some(id) if !id.is_empty() => {
                Outcome::Published { id: id.to_owned(), url: format!("{POST_URL}{id}") }
            }
            _ => Outcome::Unknown { reason: "X's answer has no id in it".to_owned() },
        },
        StatusCode::FORBIDDEN if says(body, "duplicate content") => Outcome::Duplicate { reason },
        StatusCode::FORBIDDEN if is_about_the_account(body) => Outcome::Channel { reason },
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED => Outcome::Channel { reason },
        StatusCode::TOO_MANY_REQUESTS if kind_ends(body, "usage-capped") => {
            Outcome::Channel { reason }
        }
        StatusCode::TOO_MANY_REQUESTS => Outcome::Wait { until: reset(headers, now), reason },
        // The request may have been taken before something behind it broke.
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Outcome::Unknown { reason }
        }
        status if status.is_redirection() => Outcome::Channel { reason },
        status if status.is_client_error() => Outcome::Refused { reason },
        _ => Outcome::Unknown { reason },
    }
}

/// What the answer to a read means: its body, or why there is no finding.
pub(super) fn of_look(status: StatusCode, body: Value) -> Result<Value, Finding> {
    let reason = reason(status, &body);
    match status {
        StatusCode::OK if body.is_object() => Ok(body),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PAYMENT_REQUIRED => {
            Err(Finding::CannotTell {
                reason: format!("X does not let its posts be read: {reason}"),
            })
        }
        _ => Err(Finding::TryLater { reason }),
    }
}

/// What the answer to the question whose account it is means, in words.
pub(super) fn of_check(
    status: StatusCode,
    headers: &HeaderMap,
    body: &Value,
) -> Result<String, String> {
    let reason = reason(status, body);
    let level = headers.get("x-access-level").and_then(|level| level.to_str().ok());
    match (status, body["data"]["username"].as_str()) {
        (StatusCode::OK, Some(_)) if level == Some("read") => Err(
            "the access token may only read: give the X app the permission to read and write, then \
             make a new access token"
                .to_owned(),
        ),
        (StatusCode::OK, Some(name)) => {
            let name: String = name.chars().filter(|c| !c.is_control()).take(50).collect();
            Ok(format!("X knows the account as @{name}"))
        }
        (StatusCode::UNAUTHORIZED, _) => Err(format!("X does not accept the credentials: {reason}")),
        (StatusCode::FORBIDDEN | StatusCode::PAYMENT_REQUIRED, _) => {
            Err(format!("X knows the credentials and does not let them in: {reason}"))
        }
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            Err(format!("X has had too many requests of this account; try again later: {reason}"))
        }
        (status, _) if status.is_server_error() => Err(format!("X is not well: {reason}")),
        _ => Err(format!("this is not how X answers: {reason}")),
    }
}

/// X's words, cut to what people read.
fn reason(status: StatusCode, body: &Value) -> String {
    let words = ["detail", "title", "error_description", "error"]
        .into_iter()
        .find_map(|key| body[key].as_str())
        .or_else(|| body["errors"][0]["message"].as_str())
        .unwrap_or_default();
    let words: String = words.chars().filter(|c| !c.is_control()).take(300).collect();
    if words.is_empty() {
        format!("X answered {}", status.as_u16())
    } else {
        format!("X answered {}: {words}", status.as_u16())
    }
}

fn says(body: &Value, words: &str) -> bool {
    body["detail"].as_str().is_some_and(|detail| detail.to_lowercase().contains(words))
        || body["errors"][0]["message"]
            .as_str()
            .is_some_and(|message| message.to_lowercase().contains(words))
}

fn kind_ends(body: &Value, end: &str) -> bool {
    body["type"].as_str().is_some_and(|kind| kind.ends_with(end))
}

/// Locked or suspended accounts, and apps that X does not serve: no post of theirs would fare better.
fn is_about_the_account(body: &Value) -> bool {
    ["client-forbidden", "not-enrolled", "unsupported-authentication"]
        .into_iter()
        .any(|end| kind_ends(body, end))
        || says(body, "suspended")
        || says(body, "not permitted to access this feature")
        || says(body, "temporarily locked")
        || body["errors"][0]["code"] == 326
        || matches!(
            body["reason"].as_str(),
            Some("client-not-enrolled" | "official-client-forbidden")
        )
}

/// When the present window ends, by `x-rate-limit-reset` in seconds since 1970.
fn reset(headers: &HeaderMap, now: DateTime<Utc>) -> DateTime<Utc> {
    ["x-user-limit-24hour", "x-app-limit-24hour", "x-rate-limit"]
        .into_iter()
        .filter(|window| {
            // A window that is not used up is not the one that refused.
            let left = number(headers, &format!("{window}-remaining"));
            left.is_none_or(|left| left == 0)
        })
        .find_map(|window| number(headers, &format!("{window}-reset")))
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .filter(|&reset| reset > now && reset < now + Duration::days(2))
        // A second more, as the window ends within that one.
        .map_or(now + WINDOW, |reset| reset + Duration::seconds(1))
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}
