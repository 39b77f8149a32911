//! Interprets X's responses.
//!
//! See <https://docs.x.com/x-api/fundamentals/response-codes-and-errors>.

use chrono::{DateTime, Duration, Utc};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use waggle_content::{Finding, Outcome};

use super::time;

/// The URL of a post, to which its id is appended.
pub(super) const POST_URL: &str = "https://x.com/i/web/status/";
/// The length of X's rate limit windows: 15 minutes. If X does not say when a window ends, wait for
/// a whole one.
const WINDOW: Duration = Duration::minutes(15);

/// The outcome that a response to `POST /2/tweets` means.
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
            _ => Outcome::Unknown { reason: "X's response contains no post id".to_owned() },
        },
        StatusCode::FORBIDDEN if says(body, "duplicate content") => Outcome::Duplicate { reason },
        status if is_about_the_account(status, body) => Outcome::Channel { reason },
        StatusCode::TOO_MANY_REQUESTS => Outcome::Wait { until: reset(headers, now), reason },
        // X may have accepted the request before an error occurred.
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Outcome::Unknown { reason }
        }
        // X has this endpoint, so the configured base URL is not X's.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Outcome::Channel { reason },
        status if status.is_redirection() => Outcome::Channel { reason },
        status if status.is_client_error() => Outcome::Refused { reason },
        _ => Outcome::Unknown { reason },
    }
}

/// Checks that the response to a read is usable. Otherwise, returns the finding that follows from
/// it.
pub(super) fn of_look(status: StatusCode, body: &Value) -> Result<(), Finding> {
    let reason = reason(status, body);
    match status {
        StatusCode::OK if body.is_object() => Ok(()),
        // An app without read permission cannot be told apart from one whose plan does not include
        // reading.
        StatusCode::FORBIDDEN if !is_locked(body) => Err(Finding::CannotTell {
            reason: format!("X does not allow reading the posts of the account: {reason}"),
        }),
        status if is_about_the_account(status, body) => Err(Finding::Channel { reason }),
        _ => Err(Finding::TryLater { reason }),
    }
}

/// The posts of a timeline, if the response is complete. A complete response has a count and as
/// many posts, each with an id and a text. It has no errors about posts that X could not show, and
/// no further page.
pub(super) fn timeline(body: &Value) -> Result<Vec<&Value>, Finding> {
    let cannot_tell = |reason: String| Err(Finding::CannotTell { reason });
    if body["errors"].as_array().is_some_and(|errors| !errors.is_empty())
        || !(body["errors"].is_null() || body["errors"].is_array())
    {
        return cannot_tell(format!(
            "X's response contains errors: {}",
            reason(StatusCode::OK, body)
        ));
    }
    let Some(count) = body["meta"]["result_count"].as_u64() else {
        return cannot_tell("X's response has no result_count".to_owned());
    };
    let posts: Vec<&Value> = match &body["data"] {
        Value::Null => Vec::new(),
        Value::Array(posts) => posts.iter().collect(),
        _ => return cannot_tell("X's response has no list of posts".to_owned()),
    };
    if u64::try_from(posts.len()) != Ok(count) {
        return cannot_tell(format!(
            "X's response has {} posts, but its result_count is {count}",
            posts.len()
        ));
    }
    if posts.iter().any(|post| !post["id"].is_string() || !post["text"].is_string()) {
        return cannot_tell("X's response has a post without an id or text".to_owned());
    }
    if !body["meta"]["next_token"].is_null() {
        return cannot_tell(
            "too many posts were published since then to check them all".to_owned(),
        );
    }
    Ok(posts)
}

/// What the response to the request for the account means, described for people.
pub(super) fn of_check(
    status: StatusCode,
    headers: &HeaderMap,
    body: &Value,
) -> Result<String, String> {
    let reason = reason(status, body);
    let level = headers.get("x-access-level").and_then(|level| level.to_str().ok());
    match (status, body["data"]["username"].as_str()) {
        (StatusCode::OK, Some(_)) if level == Some("read") => {
            Err("the access token is read-only: give the X app read and write permissions, then \
                 create a new access token"
                .to_owned())
        }
        (StatusCode::OK, Some(name)) => {
            let name: String = name.chars().filter(|c| !c.is_control()).take(50).collect();
            Ok(format!("X accepted the credentials of @{name}"))
        }
        (StatusCode::UNAUTHORIZED, _) => {
            Err(format!("X does not accept the credentials: {reason}"))
        }
        (StatusCode::FORBIDDEN | StatusCode::PAYMENT_REQUIRED, _) => {
            Err(format!("X recognizes the credentials but denies access: {reason}"))
        }
        (StatusCode::TOO_MANY_REQUESTS, _) => Err(format!(
            "X received too many requests from this account; try again later: {reason}"
        )),
        (status, _) if status.is_server_error() => Err(format!("X has a server error: {reason}")),
        _ => Err(format!("the response does not look like one from X: {reason}")),
    }
}

/// X's message, shortened for people to read.
fn reason(status: StatusCode, body: &Value) -> String {
    let words = ["detail", "title", "error_description", "error"]
        .into_iter()
        .find_map(|key| body[key].as_str())
        .or_else(|| body["errors"][0]["message"].as_str())
        .unwrap_or_default();
    let words: String = words.chars().filter(|c| !c.is_control()).take(300).collect();
    if words.is_empty() {
        format!("X responded with {}", status.as_u16())
    } else {
        format!("X responded with {}: {words}", status.as_u16())
    }
}

/// All texts of a response that may describe a problem, in lower case.
fn words(body: &Value) -> impl Iterator<Item = String> {
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(body)
        .chain(errors)
        .flat_map(|part| {
            ["detail", "title", "message", "reason", "error_description"].map(|key| &part[key])
        })
        .filter_map(|text| text.as_str().map(str::to_lowercase))
}

fn says(body: &Value, part: &str) -> bool {
    words(body).any(|text| text.contains(part))
}

fn has_kind(body: &Value, kinds: &[&str]) -> bool {
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(body)
        .chain(errors)
        .filter_map(|part| part["type"].as_str())
        .any(|kind| kinds.iter().any(|end| kind.ends_with(end)))
}

fn has_code(body: &Value, codes: &[i64]) -> bool {
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(body)
        .chain(errors)
        .filter_map(|part| part["code"].as_i64())
        .any(|code| codes.contains(&code))
}

/// Whether the account is suspended or locked.
fn is_locked(body: &Value) -> bool {
    // 64: suspended; 231: a sign-in must be verified; 326: locked; 416: the app is suspended.
    has_code(body, &[64, 231, 326, 416])
        || ["suspended", "temporarily locked", "is locked"].iter().any(|part| says(body, part))
}

/// Whether the problem is with the credentials, the account, the app or its plan. Then any other
/// post would fail as well, and the owner must act.
fn is_about_the_account(status: StatusCode, body: &Value) -> bool {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED => true,
        StatusCode::TOO_MANY_REQUESTS => {
            has_kind(body, &["usage-capped"]) || says(body, "usage cap") || says(body, "monthly")
        }
        StatusCode::FORBIDDEN => {
            is_locked(body)
                || has_kind(
                    body,
                    &[
                        "client-forbidden",
                        "not-enrolled",
                        "oauth1-permissions",
                        "oauth2-permissions",
                        "unsupported-authentication",
                        "usage-capped",
                    ],
                )
                // 32, 89, 99, 135, 215: credentials; 87, 220, 261, 453: permissions of the app.
                || has_code(body, &[32, 87, 89, 99, 135, 215, 220, 261, 453])
                || [
                    "not permitted to access this feature",
                    "client-not-enrolled",
                    "official-client-forbidden",
                    "app permissions",
                    "cannot perform write actions",
                    "access level",
                    "when authenticating requests",
                ]
                .iter()
                .any(|part| says(body, part))
        }
        _ => false,
    }
}

/// When the current rate limit window ends. X reports this by its own clock, in seconds since 1970
/// (`x-rate-limit-reset`). The time that remains is computed from the `Date` header.
fn reset(headers: &HeaderMap, now: DateTime<Utc>) -> DateTime<Utc> {
    let theirs = time::of_answer(headers);
    ["x-user-limit-24hour", "x-app-limit-24hour", "x-rate-limit"]
        .into_iter()
        .filter(|window| {
            // A window with requests left is not the one that caused the refusal.
            let left = number(headers, &format!("{window}-remaining"));
            left.is_none_or(|left| left == 0)
        })
        .find_map(|window| number(headers, &format!("{window}-reset")))
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .zip(theirs)
        .map(|(reset, theirs)| reset - theirs)
        .filter(|&wait| wait >= Duration::zero() && wait < Duration::days(2))
        // Add a second, because both times are truncated to seconds.
        .map_or(now + WINDOW, |wait| now + wait + Duration::seconds(1))
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}
