//! Limits on bodies, which are checked before anything parses them: size, type, depth and parts.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use hyper::body::Bytes;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Body, Endpoint, EndpointExt as _, Request, Response};

use super::Problem;
use super::access::{Access, access};
use super::caller::let_in;
use super::client::client_address;
use super::contract::Contract;
use super::idempotency;
use super::json::depth;
use super::problem::NOT_JSON;
use super::shares::{Part, Shares};
use crate::use_cases::UseCases;

/// The maximum time for a body to arrive. It is less than the deadline of the response.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of a body that is too large is read and discarded, in bytes.
const MOST_DISCARDED: usize = 64 * 1024 * 1024;
/// The maximum size of a body at an operation that needs no credentials, in bytes.
const MOST_OPEN: usize = 16 * 1024;
/// The maximum nesting depth of lists and objects.
const MOST_DEPTH: usize = 64;
/// The maximum number of texts, numbers, lists and members in a body of the native API.
const MOST_PARTS: usize = 20_000;

/// Why a body is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyRefused {
    #[error("the body is larger than {most} bytes")]
    TooLarge { most: usize },
    #[error("this network address sends too much data at the same time; try again later")]
    TooMuch,
    /// Its content type is not JSON.
    #[error("{NOT_JSON}")]
    NotJson,
    #[error("the body is incomplete")]
    CutOff,
    #[error("the body did not arrive within {} seconds", PATIENCE.as_secs())]
    TooSlow,
    #[error("the body has more than {MOST_PARTS} values")]
    TooManyParts,
    #[error("the body has lists or objects that are nested more than {MOST_DEPTH} deep")]
    TooDeep,
}

impl BodyRefused {
    /// The HTTP status of the error.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMuch => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::CutOff => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooDeep | Self::TooManyParts => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// The bytes of a JSON body that is within the limits.
pub(crate) struct JsonBody {
    pub(crate) bytes: Vec<u8>,
    /// Counts the bytes while they are processed.
    pub(crate) share: Part,
}

impl JsonBody {
    /// Reads a body of at most `most` bytes, and checks its depth and its number of parts.
    pub(crate) async fn read(
        app: &UseCases,
        request: &Request,
        body: Body,
        most: usize,
    ) -> Result<Self, BodyRefused> {
        let body = Self::read_loosely(app, request, body, most).await?;
        within_bounds(&body.bytes)?;
        Ok(body)
    }

    /// Reads a body of at most `most` bytes. The caller must check the limits of its content.
    pub(crate) async fn read_loosely(
        app: &UseCases,
        request: &Request,
        body: Body,
        most: usize,
    ) -> Result<Self, BodyRefused> {
        if announced(request) > most {
            return Err(too_large(body, most, waits(request)).await);
        }
        if !is_json(request) {
            return Err(BodyRefused::NotJson);
        }
        let mut share = share_of(app, request)?;
        let bytes = bounded(body, most, announced(request), &mut share).await?;
        Ok(Self { bytes, share })
    }
}

/// Checks depth and parts before parsing, because a value takes much more memory than its text.
fn within_bounds(json: &[u8]) -> Result<(), BodyRefused> {
    if depth(json) > MOST_DEPTH {
        return Err(BodyRefused::TooDeep);
    }
    let parts = json.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
    if parts > MOST_PARTS { Err(BodyRefused::TooManyParts) } else { Ok(()) }
}

/// Wraps the native API. A caller without access gets an error before the body is read, and bodies
/// are limited. Parameters and body are checked against the API document before the endpoint is
/// called.
pub(crate) fn limited<E: Endpoint + 'static>(
    endpoint: E,
    contract: Arc<Contract>,
) -> impl Endpoint<Output = Response> {
    endpoint.around(move |next, mut request| {
        let contract = Arc::clone(&contract);
        async move {
            let refuse = |reason: BodyRefused| Problem::new(reason.status(), reason.to_string());
            let app = request.data::<Arc<UseCases>>().ok_or_else(Problem::internal)?;
            let app = Arc::clone(app);
            let_in(&app, &mut request).await.map_err(Problem::from)?;
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let query = request.uri().query().unwrap_or_default();
            contract.check_parameters(&method, &path, query).map_err(Problem::from)?;
            check_version(request.headers())?;
            let is_open = access(request.method(), request.uri().path()) == Some(Access::Open);
            let most =
                if is_open { MOST_OPEN } else { app.settings.values().api_max_bytes.count() };
            if announced(&request) > most {
                let at_once = is_open || waits(&request);
                return Err(refuse(too_large(request.take_body(), most, at_once).await).into());
            }
            let length = announced(&request);
            let mut share = share_of(&app, &request).map_err(refuse)?;
            let body = request.take_body();
            let mut bytes = bounded(body, most, length, &mut share).await.map_err(refuse)?;
            within_bounds(&bytes).map_err(refuse)?;
            // The body of a GET has no meaning (RFC 9110, section 9.3.1), so it is ignored.
            let is_read = matches!(method, Method::GET | Method::HEAD);
            if bytes.iter().all(u8::is_ascii_whitespace) && !is_read {
                // An action without a body needs no content type.
                bytes = b"{}".to_vec();
                request.headers_mut().remove(header::CONTENT_TYPE);
            }
            if is_json(&request) || bytes == b"{}" {
                // Some clients send the header twice.
                let json = HeaderValue::from_static("application/json");
                request.headers_mut().insert(header::CONTENT_TYPE, json);
                if !is_read {
                    contract.check_body(&method, &path, &bytes).map_err(Problem::from)?;
                }
            } else if !is_read {
                return Err(refuse(BodyRefused::NotJson).into());
            }
            request.extensions_mut().insert(Arc::new(share));
            idempotency::once(&app, next, request, bytes).await
        }
    })
}

/// Rejects a version that cannot be read. It must not count as missing, because then the change
/// would be made whatever the current version is.
fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    let mut versions = headers.get_all(header::IF_MATCH).iter();
    let is_text = versions.next().is_none_or(|version| version.to_str().is_ok());
    if is_text && versions.next().is_none() {
        return Ok(());
    }
    let detail = "If-Match must be the version, a number, and must be sent only once";
    Err(Problem::new(StatusCode::BAD_REQUEST, detail))
}

fn announced(request: &Request) -> usize {
    request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse().ok())
        .unwrap_or_default()
}

fn is_json(request: &Request) -> bool {
    let is_json = |named: &str| {
        let name = named.split(';').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("application/json")
    };
    let mut types = request.headers().get_all(header::CONTENT_TYPE).iter().peekable();
    types.peek().is_some()
        && types.all(|named| named.to_str().is_ok_and(|named| named.split(',').all(is_json)))
}

/// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
/// Then it does not send a body that is rejected.
fn waits(request: &Request) -> bool {
    request.headers().contains_key(header::EXPECT)
}

/// The share of the client's network address, to which the body of a request is added.
fn share_of(app: &UseCases, request: &Request) -> Result<Part, BodyRefused> {
    let address = client_address(&app.settings.values(), request);
    // Without the counts there would be no limit.
    let shares = request.data::<Shares>().ok_or(BodyRefused::TooMuch)?;
    Ok(shares.body(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
}

async fn bounded(
    body: Body,
    most: usize,
    length: usize,
    share: &mut Part,
) -> Result<Vec<u8>, BodyRefused> {
    tokio::time::timeout(PATIENCE, whole(body, most, length, share))
        .await
        .unwrap_or(Err(BodyRefused::TooSlow))
}

async fn whole(
    body: Body,
    most: usize,
    length: usize,
    share: &mut Part,
) -> Result<Vec<u8>, BodyRefused> {
    /// The byte order mark of UTF-8, which some editors and programs write first.
    const MARK: &[u8] = b"\xEF\xBB\xBF";

    let mut stream = body.into_bytes_stream();
    // Memory is reserved as data arrives, not for the announced length at once.
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| BodyRefused::CutOff)?;
        if bytes.len() + chunk.len() > most {
            discard(stream).await;
            return Err(BodyRefused::TooLarge { most });
        }
        if !share.hold(chunk.len()) {
            return Err(BodyRefused::TooMuch);
        }
        if bytes.capacity() < bytes.len() + chunk.len() {
            let wanted = (bytes.len() * 2).max(chunk.len()).min(most);
            let exact = if length > bytes.len() { length.min(wanted * 4) } else { wanted };
            bytes.reserve_exact((exact - bytes.len()).max(chunk.len()));
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    Ok(bytes)
}

/// The error of a body whose announced length is too large. Unless `at_once` is true, the body is
/// read and discarded first.
async fn too_large(body: Body, most: usize, at_once: bool) -> BodyRefused {
    if !at_once {
        discard(body.into_bytes_stream()).await;
    }
    BodyRefused::TooLarge { most }
}

/// Reads and discards the rest of a body, up to a limit. A client that is still sending when the
/// connection is closed sees a broken connection instead of the error response.
async fn discard<E>(mut rest: impl Stream<Item = Result<Bytes, E>> + Unpin) {
    let mut read = 0;
    while let Some(Ok(chunk)) = rest.next().await {
        read += chunk.len();
        if read > MOST_DISCARDED {
            break;
        }
    }
}
