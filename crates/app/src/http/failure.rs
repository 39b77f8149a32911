//! The error type of API operations. It names the statuses of an operation, in addition to those
//! that every operation can respond with.

use poem::http::{Method, StatusCode};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::Type as _;
use serde_json::{Map, Value, json};

use super::access::Access;
use super::problem::{CONTENT_TYPE, Problem, ProblemView};

/// A [`Problem`] with one of the statuses that are listed, or one that [`of_frame`] lists.
///
/// The API document shows exactly these. `0` means no status.
#[derive(Debug)]
pub(crate) struct Failure<const A: u16 = 0, const B: u16 = 0, const C: u16 = 0>(Problem);

/// Statuses of use cases and parsing that any operation can have: bad input, a missing right, a
/// failure.
const ANYWHERE: [u16; 5] = [400, 403, 422, 500, 503];

impl<const A: u16, const B: u16, const C: u16, E: Into<Problem>> From<E> for Failure<A, B, C> {
    fn from(error: E) -> Self {
        let problem = error.into();
        let status = problem.status().as_u16();
        debug_assert!(
            ANYWHERE.contains(&status) || [A, B, C, 429].contains(&status),
            "{problem} is not among the statuses that the operation lists"
        );
        Self(problem)
    }
}

impl<const A: u16, const B: u16, const C: u16> From<Failure<A, B, C>> for poem::Error {
    fn from(failure: Failure<A, B, C>) -> Self {
        failure.0.into()
    }
}

impl<const A: u16, const B: u16, const C: u16> ApiResponse for Failure<A, B, C> {
    fn meta() -> MetaResponses {
        let listed = [A, B, C].into_iter().filter(|status| *status != 0);
        let responses = listed.map(|status| MetaResponse {
            description: meaning(status),
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: CONTENT_TYPE,
                schema: MetaSchemaRef::Reference(ProblemView::name().into_owned()),
            }],
            headers: vec![],
        });
        MetaResponses { responses: responses.collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemView::register(registry);
    }
}

/// The error responses that follow from what applies to every request: who may call the operation,
/// whether it has parameters or a body, and the limits of all requests.
pub(super) fn of_frame(
    method: &Method,
    access: Option<Access>,
    takes_values: bool,
) -> impl Iterator<Item = (String, Value)> {
    let has_body = !matches!(*method, Method::GET | Method::HEAD);
    let needs_credential = access != Some(Access::Open);
    let statuses = [
        (400, true),
        (401, needs_credential),
        (403, true),
        (408, true),
        (413, true),
        (415, true),
        (421, true),
        (422, takes_values || has_body),
        (429, true),
        (500, true),
        (503, true),
    ];
    let applying = statuses.into_iter().filter(|(_, applies)| *applies);
    applying.map(|(status, _)| (status.to_string(), reference(status)))
}

/// The reference to the response of all operations with an error status.
pub(super) fn reference(status: u16) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", response_name(status)) })
}

/// The responses of the API document that [`reference()`] leads to.
pub(super) fn responses() -> Map<String, Value> {
    const ALL: [u16; 14] = [400, 401, 403, 404, 408, 409, 413, 415, 421, 422, 428, 429, 500, 503];
    let schema = format!("#/components/schemas/{}", ProblemView::name());
    let response = |status| {
        let content = json!({ CONTENT_TYPE: { "schema": { "$ref": schema } } });
        let response = json!({ "description": meaning(status), "content": content });
        (response_name(status), response)
    };
    ALL.into_iter().map(response).collect()
}

/// The canonical reason of the status, in one word.
fn response_name(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.unwrap_or("Error").split(' ').collect()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is malformed.",
        401 => "Credentials are missing, wrong or expired.",
        403 => "The caller is not allowed to do this.",
        404 => "Not found.",
        408 => "The body did not arrive in time.",
        409 => "The request conflicts with the current state.",
        413 => "The body is too large.",
        415 => "The body is not JSON, or is encoded.",
        421 => "The request is for a host name that Waggle does not serve.",
        422 => "A value is invalid.",
        428 => "The header If-Match, with the version that was reviewed, is missing.",
        429 => "Too many requests; the header Retry-After says when to try again.",
        503 => "Waggle or its database is busy or unavailable; try again later.",
        _ => "An internal error, which the log describes under the request id.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_status_has_a_response() {
        for (status, reference) in of_frame(&Method::POST, None, true) {
            let name = reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            assert!(responses().contains_key(name), "{status} {name}");
        }
    }

    #[test]
    fn a_status_that_an_operation_does_not_list_is_a_bug() {
        let conflict = || Problem::conflict("changed meanwhile");

        assert_eq!(Failure::<404, 409>::from(conflict()).0.status(), StatusCode::CONFLICT);
        let unlisted = std::panic::catch_unwind(|| Failure::<404>::from(conflict()).0.status());
        assert!(unlisted.is_err());
    }
}
