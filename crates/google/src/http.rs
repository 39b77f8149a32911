//! HTTP requests to the issuer, without redirects, with a timeout and a maximum response size.

use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use reqwest::redirect::Policy;
use reqwest::{Client, Request, StatusCode};
use thiserror::Error;

/// The timeout of a request.
const PATIENCE: Duration = Duration::from_secs(5);
/// The maximum size of an answer, in bytes.
const MOST: usize = 1024 * 1024;

/// Why a request failed.
#[derive(Debug, Error)]
pub(crate) enum HttpError {
    /// The connection failed or timed out.
    #[error("the issuer did not answer")]
    Transport(#[from] reqwest::Error),
    /// A server error, or 429 (too many requests).
    #[error("the issuer answered with the status {0}")]
    Trouble(StatusCode),
    #[error("the issuer's answer is larger than {MOST} bytes")]
    TooLarge,
}

/// Creates a client that does not follow redirects, because they could send a secret elsewhere.
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
