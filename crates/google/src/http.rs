//! Requests to the issuer: to where they are sent and nowhere else, for a short time, and with answers that have a bound.

use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use reqwest::redirect::Policy;
use reqwest::{Client, Request, StatusCode};
use thiserror::Error;

/// How long the issuer may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
const MOST: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum HttpError {
    /// The connection, or the time.
    #[error("the issuer did not answer")]
    Transport(#[from] reqwest::Error),
    /// The issuer has trouble of its own, and says so.
    #[error("the issuer answered with the status {0}")]
    Trouble(StatusCode),
    /// The answer has no end.
    #[error("the issuer's answer is larger than {MOST} bytes")]
    TooLarge,
}

/// A client that follows nobody: a redirect could lead a secret elsewhere.
///
/// # Errors
///
/// [`reqwest::Error`] if TLS cannot be set up.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    Client::builder().redirect(Policy::none()).timeout(PATIENCE).build()
}

pub(crate) async fn call(client: Client, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let mut answer = client.execute(Request::try_from(request)?).await?;
    let status = answer.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(HttpError::Trouble(status));
    }
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = status;
    *response.headers_mut() = answer.headers().clone();
    let body = response.body_mut();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MOST {
            return Err(HttpError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(response)
}
