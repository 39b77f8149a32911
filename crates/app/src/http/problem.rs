//! The error format: `application/problem+json` (RFC 9457), with the request id, without internals.

use std::borrow::Cow;

use poem::error::ResponseError;
use poem::http::{StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::Object;
use poem_openapi::error::{ParseParamError, ParsePathError, ParseRequestPayloadError};
use serde_json::{Map, Value, json};
use tracing::error;
use waggle_kernel::{Clock as _, Exhausted, Forbidden, PortError, PortErrorKind, error_chain};
use waggle_system::SystemClock;

use super::pace::TooFast;
use super::request_id::request_id;

/// The error message for a body whose content type is not JSON.
pub(super) const NOT_JSON: &str =
    "the body must be JSON, with the header 'Content-Type: application/json'";
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// An error as the caller sees it.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {detail}")]
pub(crate) struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    /// Additional members of this kind of problem.
    more: Map<String, Value>,
    /// The number of seconds after which the caller may try again.
    retry_after: Option<u32>,
    /// The limit that was exceeded.
    limit: Option<u32>,
}

/// What went wrong (RFC 9457).
#[derive(Object)]
#[oai(rename = "Problem")]
pub(super) struct ProblemView {
    /// The status, as text.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What went wrong, for people.
    detail: String,
    /// The same as `detail`, for clients that look for it under this name.
    message: String,
    /// The id of the request, which the log has too.
    request_id: String,
}

impl Problem {
    /// A problem with a status and a message.
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), more: Map::new(), retry_after: None, limit: None }
    }

    /// 422: something that the caller sent is invalid.
    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 404: the resource does not exist.
    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: the request conflicts with the current state.
    pub(crate) fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 428: the request lacks the version that the caller has seen (RFC 6585, section 3).
    pub(crate) fn needs_version(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PRECONDITION_REQUIRED, detail)
    }

    /// 429: a limit is exhausted; the caller may try again later.
    pub(crate) fn too_often(detail: String, exhausted: &Exhausted) -> Self {
        let left = (exhausted.until - SystemClock.now()).num_seconds() + 1;
        let seconds = u32::try_from(left).unwrap_or(1);
        let limit = Some(exhausted.budget.most);
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        Self { retry_after: Some(seconds), limit, ..problem }
    }

    /// 500: an internal error, which the log describes.
    pub(crate) fn internal() -> Self {
        let detail = "an internal error occurred; the log describes it under the request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// Adds a member to the response body.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The id of the current request.
    pub(crate) fn request_id() -> String {
        request_id()
    }

    /// A problem that the framework found, such as an unknown route or an unreadable body.
    pub(super) fn of_framework(error: &poem::Error) -> Self {
        let status = error.status();
        if status.is_server_error() {
            error!(request.id = %request_id(), %error, "a request failed");
            return Self::internal();
        }
        let detail = match status {
            StatusCode::NOT_FOUND => "there is no such path".to_owned(),
            StatusCode::METHOD_NOT_ALLOWED => "this path does not accept this method".to_owned(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => NOT_JSON.to_owned(),
            // The contract has already checked both. The framework's message names internal types.
            _ if error.is::<ParseParamError>() || error.is::<ParsePathError>() => {
                "a parameter does not match the API document".to_owned()
            }
            _ if error.is::<ParseRequestPayloadError>() => {
                "the body does not match the API document".to_owned()
            }
            _ => status.canonical_reason().unwrap_or("the request cannot be read").to_owned(),
        };
        Self::new(status, detail)
    }
}

impl From<TooFast> for Problem {
    fn from(error: TooFast) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string());
        Self { retry_after: Some(error.seconds), limit: Some(error.most), ..problem }
    }
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn as_response(&self) -> Response {
        let mut body = json!({
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "message": self.detail,
            "request_id": request_id(),
        });
        if let Value::Object(body) = &mut body {
            body.extend(self.more.clone());
        }
        let mut response = Response::builder().status(self.status).content_type(CONTENT_TYPE);
        if self.status == StatusCode::UNAUTHORIZED {
            response = response.header(header::WWW_AUTHENTICATE, "Bearer");
        }
        let is_busy = self.status == StatusCode::SERVICE_UNAVAILABLE;
        if let Some(seconds) = self.retry_after.or(is_busy.then_some(5)) {
            let seconds = seconds.max(1).to_string();
            if let Some(limit) = self.limit {
                response = response
                    .header("ratelimit-limit", limit.to_string())
                    .header("ratelimit-remaining", "0")
                    .header("ratelimit-reset", &seconds);
            }
            response = response.header(header::RETRY_AFTER, seconds);
        }
        response.body(body.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.as_response()
    }
}

impl From<Forbidden> for Problem {
    fn from(error: Forbidden) -> Self {
        Self::new(StatusCode::FORBIDDEN, error.to_string())
    }
}

impl From<PortError> for Problem {
    fn from(problem: PortError) -> Self {
        if problem.kind() == PortErrorKind::Repeated {
            // The caller gets the answer to the other call instead.
            let detail = "the same call was made at the same time; try again";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        }
        // An error is logged once, where it is answered.
        error!(request.id = %request_id(), error = %error_chain(&problem), "a request failed");
        match problem.kind() {
            PortErrorKind::Broken | PortErrorKind::Repeated => Self::internal(),
            PortErrorKind::Full => {
                let detail = "the disk of the database is full; the request was not stored";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            PortErrorKind::ReadOnly => {
                let detail = "the database accepts no writes; the request was not stored";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            PortErrorKind::Unavailable => {
                let detail = "the database is busy or unavailable; try again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        }
    }
}
