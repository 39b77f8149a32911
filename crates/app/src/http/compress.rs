//! Compresses pages and their files for clients that accept it. Answers of the API are not
//! compressed: where a secret and a text of somebody else are compressed together, the length tells
//! of the secret (BREACH). Pages have no secrets.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use poem::http::{HeaderValue, header};
use poem::{Request, Response};

use super::Problem;

/// The smallest body that is compressed, in bytes. Smaller ones fit into one packet anyway.
const LEAST: usize = 1_024;
/// The largest body that is compressed on a thread of the runtime, in bytes. It takes about 2 ms.
const MOST_AT_ONCE: usize = 128 << 10;
/// From 1, fast, to 9, small. Each step above costs more time than it saves on the way.
const LEVEL: u32 = 4;

/// Whether the client of a request accepts gzip (RFC 9110, section 12.5.3).
pub(super) fn accepts_gzip(request: &Request) -> bool {
    let headers = request.headers().get_all(header::ACCEPT_ENCODING).iter();
    let values = headers.filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(is_gzip)
}

/// Whether an element of `Accept-Encoding` accepts gzip.
fn is_gzip(element: &str) -> bool {
    let mut parts = element.split(';').map(str::trim);
    let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let weight = weight.map(str::parse::<f32>);
    is_named && weight.is_none_or(|weight| weight.is_ok_and(|weight| weight > 0.0))
}

/// Whether a body of this type is compressed.
fn is_page_or_file(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    matches!(kind, "text/html" | "text/css" | "text/javascript" | "image/svg+xml")
}

/// The name of a file that never changes while the process runs. A response with this extension is
/// compressed once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FixedFile(pub(crate) &'static str);

/// The fixed files, compressed, by their names. A path can be written in many ways, so that kept by
/// their paths, they could fill the memory.
static FILES: LazyLock<Mutex<HashMap<&'static str, Bytes>>> = LazyLock::new(Mutex::default);

/// Compresses the body of a page or of a file of pages, if the client accepts it.
pub(super) async fn compressed(mut response: Response, path: &str, is_accepted: bool) -> Response {
    // The page about the API is large, seldom loaded, and open to everybody.
    if !is_page_or_file(&response) || path.starts_with("/docs") {
        return response;
    }
    let vary = HeaderValue::from_static("Accept-Encoding");
    response.headers_mut().append(header::VARY, vary);
    if !is_accepted {
        return response;
    }
    let file = response.extensions().get::<FixedFile>().copied();
    let known = file.and_then(|FixedFile(name)| files().get(name).cloned());
    let packed = if let Some(known) = known {
        known
    } else {
        let Ok(body) = response.take_body().into_bytes().await else {
            return poem::IntoResponse::into_response(Problem::internal());
        };
        let Some(packed) = packed(&body).await else {
            response.set_body(body);
            return response;
        };
        if let Some(FixedFile(name)) = file {
            files().insert(name, packed.clone());
        }
        packed
    };
    let gzip = HeaderValue::from_static("gzip");
    response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.set_body(packed);
    response
}

/// A body, compressed; `None` if it stays as it is.
async fn packed(body: &Bytes) -> Option<Bytes> {
    let packed = match body.len() {
        0..LEAST => return None,
        LEAST..=MOST_AT_ONCE => pack(body),
        _ => {
            let body = body.clone();
            tokio::task::spawn_blocking(move || pack(&body)).await.ok()?
        }
    };
    packed.ok().map(Bytes::from)
}

/// The names of the files that are kept.
#[cfg(test)]
pub(crate) fn kept_files() -> Vec<&'static str> {
    files().keys().copied().collect()
}

fn files() -> MutexGuard<'static, HashMap<&'static str, Bytes>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pack(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(LEVEL));
    encoder.write_all(body)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn page(kind: &str, length: usize) -> Response {
        Response::builder().content_type(kind).body("<p>honey</p>".repeat(length))
    }

    #[test]
    fn gzip_is_used_if_it_is_accepted() {
        for accepted in ["gzip", " GZIP ", "gzip;q=0.1", "gzip; q=1"] {
            assert!(is_gzip(accepted), "{accepted}");
        }
        for refused in ["", "br", "gzip;q=0", "gzip;Q=0", "gzip;q=0.0", "gzip;q=x", "x-gzip", "*"] {
            assert!(!is_gzip(refused), "{refused}");
        }
        let request = Request::builder().header("accept-encoding", "br, gzip;q=0.8").finish();
        assert!(accepts_gzip(&request));
        assert!(!accepts_gzip(&Request::builder().finish()));
    }

    #[tokio::test]
    async fn a_page_is_the_same_after_unpacking() {
        let response = compressed(page("text/html; charset=utf-8", 1_000), "/", true).await;

        assert_eq!(response.headers()["content-encoding"], "gzip");
        assert_eq!(response.headers()["vary"], "Accept-Encoding");
        let packed = response.into_body().into_vec().await.unwrap();
        assert!(packed.len() < 300, "{}", packed.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "<p>honey</p>".repeat(1_000));
    }

    #[tokio::test]
    async fn what_is_small_secret_or_not_accepted_stays_as_it_is() {
        for (response, is_accepted) in [
            (page("text/html", 3), true),
            (page("text/html", 1_000), false),
            (page("application/json", 1_000), true),
            (page("text/event-stream", 1_000), true),
        ] {
            let response = compressed(response, "/", is_accepted).await;
            assert!(!response.headers().contains_key("content-encoding"));
            let text = response.into_body().into_string().await.unwrap();
            assert!(text.ends_with("<p>honey</p>"));
        }
    }
}
