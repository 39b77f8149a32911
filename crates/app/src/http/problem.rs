//! One form of errors: `application/problem+json` (RFC 9457), without internals, with the id of the request.

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

/// What is said of a body that is not announced as JSON.
pub(super) const NOT_JSON: &str =
    "the body has to be JSON, announced as 'Content-Type: application/json'";
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong, for the caller.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {detail}")]
pub(crate) struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    /// Members that only this kind of problem has.
    more: Map<String, Value>,
    /// After how many seconds it may be tried again.
    retry_after: Option<u32>,
    /// How often something may be done that was done too often.
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
    /// A problem with a status and a reason for people.
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), more: Map::new(), retry_after: None, limit: None }
    }

    /// Something that the caller sent makes no sense.
    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// It does not fit the present state.
    pub(crate) fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// It would be done to something that the caller has not seen (RFC 6585, section 3).
    pub(crate) fn needs_version(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PRECONDITION_REQUIRED, detail)
    }

    /// It was done too often, and may be done again later.
    pub(crate) fn too_often(detail: String, exhausted: &Exhausted) -> Self {
        let left = (exhausted.until - SystemClock.now()).num_seconds() + 1;
        let seconds = u32::try_from(left).unwrap_or(1);
        let limit = Some(exhausted.budget.most);
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        Self { retry_after: Some(seconds), limit, ..problem }
    }

    /// Something broke, and the log knows what.
    pub(crate) fn internal() -> Self {
        let detail = "something went wrong inside; the log has more under the request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// Adds a member.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// The status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason for people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The id of the request.
    pub(crate) fn request_id() -> String {
        request_id()
    }

    /// A problem that the framework found: no such route, a body that cannot be read.
    pub(super) fn of_framework(error: &poem::Error) -> Self {
        let status = error.status();
        if status.is_server_error() {
            error!(request.id = %request_id(), %error, "a request failed");
            return Self::internal();
        }
        let detail = match status {
            StatusCode::NOT_FOUND => "there is nothing at this address".to_owned(),
            StatusCode::METHOD_NOT_ALLOWED => "this address does not take this method".to_owned(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => NOT_JSON.to_owned(),
            // The contract has checked both before; the framework's words name our types.
            _ if error.is::<ParseParamError>() || error.is::<ParsePathError>() => {
                "a parameter is not of the form that the API document gives".to_owned()
            }
            _ if error.is::<ParseRequestPayloadError>() => {
                "the body is not of the form that the API document gives".to_owned()
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
        // It is answered here and nowhere else, so it is logged here.
        error!(request.id = %request_id(), error = %error_chain(&problem), "a request failed");
        match problem.kind() {
            PortErrorKind::Broken => Self::internal(),
            PortErrorKind::Full => {
                let detail = "the disk of the database is full; what was sent is not stored";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            PortErrorKind::ReadOnly => {
                let detail = "the database takes no writes; what was sent is not stored";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            PortErrorKind::Unavailable => {
                let detail = "the database is busy or away; try again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        }
    }
}
