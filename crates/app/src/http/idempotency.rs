//! `Idempotency-Key`: a caller repeats a call with the same key, and it is made once. (The IETF
//! draft `draft-ietf-httpapi-idempotency-key-header`)

use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode};
use poem::{Endpoint, Request, Response};
use secrecy::ExposeSecret as _;
use sha2::Sha256;
use waggle_kernel::{Actor, Clock as _};
use waggle_store::{KeyedCall, Once, StoredAnswer};
use waggle_system::SystemClock;

use super::Problem;
use super::access::fits;
use crate::use_cases::UseCases;

/// The maximum length of a key, in bytes.
pub(super) const MOST_KEY: usize = 255;

/// The operations that create something, and whether the answer has a secret.
const CREATING: [(&str, bool); 5] = [
    ("/users", false),
    ("/tokens", true),
    ("/source-tweets/claim", false),
    ("/generated-tweets/:id/publish", false),
    ("/generated-tweets/publish-many", false),
];

/// Whether the operation creates something.
pub(super) fn is_creating(method: &Method, path: &str) -> bool {
    creating(method, path).is_some()
}

fn creating(method: &Method, path: &str) -> Option<&'static (&'static str, bool)> {
    CREATING.iter().find(|(pattern, _)| method == Method::POST && fits(pattern, path))
}

/// A complete response.
struct Whole {
    response: Response,
    body: Vec<u8>,
}

impl Whole {
    fn into_response(self) -> Response {
        let (parts, _) = self.response.into_parts();
        Response::from_parts(parts, self.body.into())
    }

    /// What a repetition gets; `None` if the call failed, so that it can be repeated.
    fn answer(&self, has_secret: bool) -> Option<StoredAnswer> {
        self.response.status().is_success().then(|| StoredAnswer {
            status: self.response.status().as_u16(),
            content_type: self.response.content_type().unwrap_or_default().to_owned(),
            body: (!has_secret).then(|| self.body.clone()),
        })
    }
}

/// Calls the endpoint with a body, once for each key if the operation creates something.
pub(super) async fn once<E: Endpoint>(
    app: &UseCases,
    next: Arc<E>,
    mut request: Request,
    body: Vec<u8>,
) -> poem::Result<Response> {
    let call = async |request| next.call(request).await.map(poem::IntoResponse::into_response);
    let creating = creating(request.method(), request.uri().path());
    let key = key(request.headers())?;
    let actor = request.extensions().get::<Actor>().map(|actor| actor.reference().key);
    let (Some((_, has_secret)), Some(key), Some(caller)) = (creating, key, actor) else {
        request.set_body(body);
        return call(request).await;
    };
    let keyed = KeyedCall { caller, key, fingerprints: fingerprints(app, &request, &body)? };
    request.set_body(body);
    let work = async {
        let mut response = call(request).await?;
        let body = response.take_body().into_vec().await.map_err(|_| Problem::internal())?;
        Ok::<_, poem::Error>(Whole { response, body })
    };
    let answer = |made: &poem::Result<Whole>| made.as_ref().ok()?.answer(*has_secret);
    let once = app.store.once(&keyed, SystemClock.now(), work, answer).await;
    match once.map_err(Problem::from)? {
        Once::Made(made) => Ok(made?.into_response()),
        Once::MadeBefore(StoredAnswer { status, content_type, body: Some(body) }) => {
            Ok(Response::builder()
                .status(StatusCode::from_u16(status).unwrap_or(StatusCode::OK))
                .content_type(&content_type)
                .header("idempotency-replayed", "true")
                .body(body))
        }
        Once::MadeBefore(_) => Err(Problem::new(
            StatusCode::CONFLICT,
            "the call with this Idempotency-Key was made before; its answer has a secret, which is \
             shown once",
        )
        .into()),
        Once::OtherCall => {
            Err(Problem::invalid("this Idempotency-Key was used for another call").into())
        }
    }
}

/// The key in the header, if there is one.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let text = |key: &HeaderValue| {
        let key = key.to_str().ok().map(str::trim)?;
        (1..=MOST_KEY).contains(&key.len()).then(|| key.to_owned())
    };
    match (text(key), keys.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Idempotency-Key must be 1 to 255 characters of ASCII, and must be sent only once",
        )),
    }
}

/// Hashes of the operation, of the version that the call is based on, and of the body, one with
/// each master key. Without the key, nobody can find out what the body was, such as a password in
/// it.
fn fingerprints(app: &UseCases, request: &Request, body: &[u8]) -> Result<Vec<[u8; 32]>, Problem> {
    let keys = app.settings.master_keys().derive("idempotency keys");
    if keys.is_empty() {
        return Err(Problem::internal());
    }
    let hashes = keys.iter().map(|key| fingerprint(key.expose_secret(), request, body));
    Ok(hashes.collect())
}

fn fingerprint(key: &[u8; 32], request: &Request, body: &[u8]) -> [u8; 32] {
    let version = request.header("if-match").unwrap_or_default();
    let uri = request.uri();
    let parts = [uri.path(), uri.query().unwrap_or_default(), version].map(str::as_bytes);
    // The key of HMAC is a block, filled up with zeros.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut hash = <Hmac<Sha256> as hmac::KeyInit>::new(&block.into());
    for part in parts.into_iter().chain([body]) {
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::operations;

    #[test]
    fn each_creating_operation_exists() {
        for (pattern, _) in CREATING {
            let is_one =
                |(method, path): (&Method, &str)| *method == Method::POST && path == pattern;
            assert!(operations().any(is_one), "{pattern}");
        }
    }

    #[test]
    fn each_part_of_a_call_and_the_secret_count() {
        let of = |key: u8, path: &str, version: &str, body: &[u8]| {
            let request = Request::builder().uri_str(path).header("if-match", version).finish();
            fingerprint(&[key; 32], &request, body)
        };
        let one = of(1, "/users?a=b", "1", b"{}");

        assert_eq!(of(1, "/users?a=b", "1", b"{}"), one);
        for other in [
            of(2, "/users?a=b", "1", b"{}"),
            of(1, "/users", "1", b"{}"),
            of(1, "/tokens?a=b", "1", b"{}"),
            of(1, "/users?a=b", "2", b"{}"),
            of(1, "/users?a=b", "1", b"{ }"),
            of(1, "/users?a=b", "1{", b"}"),
        ] {
            assert_ne!(other, one);
        }
    }

    #[test]
    fn a_key_has_a_bound_and_is_sent_once() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers
                    .append("idempotency-key", HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            key(&headers).map_err(|problem| problem.status().as_u16())
        };
        let (longest, too_long) = ("k".repeat(MOST_KEY), "k".repeat(MOST_KEY + 1));

        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[" 8e03978e-40d5 "]), Ok(Some("8e03978e-40d5".to_owned())));
        assert_eq!(of(&[&longest]), Ok(Some(longest.clone())));
        for bad in [&["", ""][..], &[" "], &["a", "b"], &[&too_long], &["é"]] {
            assert_eq!(of(bad), Err(400), "{bad:?}");
        }
    }
}
