//! What applies to every request: an id, a deadline, headers, one error format, one log line.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use poem::http::uri::Authority;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use poem::{Endpoint, IntoResponse as _, Request, Response};
use tracing::{error, info};
use waggle_settings::Values;

use super::Problem;
use super::access::{page_names, pattern};
use super::addresses::API;
use super::client::client_address;
use super::compress::{accepts_gzip, compressed};
use super::pace::{Pace, most_calls};
use super::request_id::{REQUEST_ID, new_id, request_id};
use crate::use_cases::UseCases;

/// The maximum time until the response to a request begins.
const DEADLINE: Duration = Duration::from_secs(30);

/// Calls the routes, with all that applies to every request.
pub(super) async fn every_request<E>(next: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint + 'static,
{
    let id = new_id();
    REQUEST_ID.scope(id.clone(), answered(next, request, id)).await
}

#[expect(clippy::disallowed_methods, reason = "a duration is measured")]
async fn answered<E: Endpoint + 'static>(
    next: Arc<E>,
    request: Request,
    id: String,
) -> poem::Result<Response> {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let app = request.data::<Arc<UseCases>>().cloned();
    let is_gzip_accepted = accepts_gzip(&request);
    let problem =
        too_fast(&request).or_else(|| refused(&request)).or_else(|| misaddressed(&request));
    let mut response = if let Some(problem) = problem {
        problem.into_response()
    } else {
        let response = within_deadline(next, request).await;
        compressed(response, &path, is_gzip_accepted).await
    };
    let status = response.status();
    set_headers(response.headers_mut(), &id, &path);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let soon = HeaderValue::from_static("5");
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(soon);
    }
    let took = begun.elapsed();
    if let Some(app) = app {
        app.metrics.request(known(&method), &route(&method, &path), status.as_u16(), took);
    }
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let path = shortened(&path);
    info!(request.id = %id, %method, path, status = status.as_u16(), took_ms, "request");
    Ok(response)
}

/// The name of a method, of which there are few.
fn known(method: &Method) -> &'static str {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    METHODS.into_iter().find(|known| method == known).unwrap_or("other")
}

/// What a path is counted as, so that there are few of them: the pattern of an operation of the
/// native API, the name of an n8n endpoint, or the first segment.
fn route(method: &Method, path: &str) -> String {
    const N8N: [&str; 2] = ["check-duplicate-tweet", "receive-tweets"];
    const OTHERS: [&str; 8] =
        ["health", "metrics", "docs", "openapi.json", "account", "accounts", "twitter", "assets"];
    if let Some(rest) = path.strip_prefix(API) {
        return pattern(method, rest).map_or("other".into(), |pattern| format!("{API}{pattern}"));
    }
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let n8n = N8N.into_iter().find(|name| segments.clone().any(|segment| segment == *name));
    let first = segments.next();
    let other = OTHERS.into_iter().chain(page_names()).find(|name| first == Some(*name));
    n8n.or(other).map_or("other".into(), |name| format!("/{name}"))
}

/// The beginning of a path, so that log lines are bounded.
fn shortened(path: &str) -> &str {
    const MOST: usize = 256;
    &path[..path.floor_char_boundary(MOST)]
}

/// The error of a request that no route accepts.
fn refused(request: &Request) -> Option<Problem> {
    let headers = request.headers();
    let uri = request.uri();
    if uri.path().contains("%00") || uri.query().is_some_and(|query| query.contains("%00")) {
        let detail = "the URL contains a NUL character, which is not allowed";
        return Some(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    let needs_host = request.version() == Version::HTTP_11 && uri.authority().is_none();
    if hosts > 1 || (needs_host && hosts == 0) {
        let detail = "a request must have exactly one Host header (RFC 9112, section 3.2)";
        return Some(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        let detail = "encoded bodies are not accepted; send the body without an encoding";
        return Some(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe && headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        let detail = "this request was sent by a page of another site";
        return Some(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    None
}

/// The error of a request over the rate limit of its address. Health checks are not limited.
fn too_fast(request: &Request) -> Option<Problem> {
    let app = request.data::<Arc<UseCases>>()?;
    if request.uri().path().starts_with("/health/") {
        return None;
    }
    let values = app.settings.values();
    let most = most_calls(&values);
    let address = client_address(&values, request)?;
    request.data::<Arc<Pace>>()?.call_from(address, most).err().map(Into::into)
}

/// The error of a request for a host name that is not allowed. Anyone can point a name of their own
/// at this server. Health checks may use any name.
fn misaddressed(request: &Request) -> Option<Problem> {
    let app = request.data::<Arc<UseCases>>()?;
    if request.uri().path().starts_with("/health/") {
        return None;
    }
    (!is_allowed_host(&app.settings.values(), request)).then(|| {
        let detail = "Waggle does not serve this host name; ALLOWED_HOSTS lists the allowed ones";
        Problem::new(StatusCode::MISDIRECTED_REQUEST, detail)
    })
}

/// Whether the host name of a request is one of `ALLOWED_HOSTS`, or that list is empty.
pub(crate) fn is_allowed_host(values: &Values, request: &Request) -> bool {
    let hosts = &values.allowed_hosts.0;
    let is_one = |name: String| hosts.iter().any(|host| host.is_called(&name));
    hosts.is_empty() || host_of(request).is_some_and(is_one)
}

/// Whether the host name of a request is that of `PUBLIC_URL`, or `PUBLIC_URL` is not set.
pub(crate) fn is_public_host(values: &Values, request: &Request) -> bool {
    let public = values.public_url.as_ref().and_then(|url| url.url().host_str());
    public.is_none_or(|public| host_of(request).is_some_and(|host| host == public))
}

fn host_of(request: &Request) -> Option<String> {
    let named = request.header("host").or_else(|| request.uri().authority().map(Authority::as_str));
    let name = named.and_then(|named| named.parse::<Authority>().ok())?;
    Some(name.host().trim_end_matches('.').to_ascii_lowercase())
}

/// Calls the routes in a separate task. A client that disconnects does not stop it, so whatever was
/// counted is also recorded.
async fn within_deadline<E: Endpoint + 'static>(next: Arc<E>, request: Request) -> Response {
    let id = request_id();
    let work = async move {
        match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(Ok(output)) => output.into_response(),
            // These errors define their own response.
            Ok(Err(error)) if error.is_from_response() || error.is::<Problem>() => {
                error.into_response()
            }
            Ok(Err(error)) => Problem::of_framework(&error).into_response(),
            Err(_) => {
                error!(request.id = %request_id(), "a request panicked because of a bug");
                Problem::internal().into_response()
            }
        }
    };
    let running = tokio::spawn(REQUEST_ID.scope(id, work));
    let stop = running.abort_handle();
    match tokio::time::timeout(DEADLINE, running).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Problem::internal().into_response(),
        Err(_) => {
            stop.abort();
            let detail = "the request took too long; try again later";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
        }
    }
}

fn set_headers(headers: &mut HeaderMap, id: &str, path: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-request-id", id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Assets say how long they may be kept.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let is_page = |page: &str| {
        path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_html = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let is_older = is_page("/docs");
    let policy = if is_html && !is_older {
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types waggle"
    } else if is_older {
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
         connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    } else {
        "default-src 'none'; frame-ancestors 'none'"
    };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_few_routes() {
        let get = |path| route(&Method::GET, path);

        assert_eq!(get("/api/v1/posts/7"), "/api/v1/posts/:id");
        assert_eq!(get("/api/v1/events/export"), "/api/v1/events/export");
        assert_eq!(get("/twitter/api/receive-tweets/"), "/receive-tweets");
        assert_eq!(get("/health/ready"), "/health");
        assert_eq!(get("/account"), "/account");
        for unknown in ["/api/v1/made-up", "/made-up/7", "/", "", "//health-x"] {
            assert_eq!(get(unknown), "other", "{unknown}");
        }
        let made_up = Method::from_bytes(b"MADE-UP").unwrap();
        assert_eq!((known(&made_up), known(&Method::PATCH)), ("other", "PATCH"));
    }
}
