//! The addresses that the pages had in the Django application lead to the pages that replace them.

use poem::endpoint::make_sync;
use poem::http::{StatusCode, header};
use poem::{Endpoint, Request, Response, Route, get};

/// The old addresses without their final slash, and where they lead.
const MOVED: [(&str, &str); 8] = [
    ("/twitter/generate-tweets", "/batches"),
    ("/twitter/sourcetweet", "/sources"),
    ("/twitter/scraped-tweets", "/sources"),
    ("/accounts/login", "/account"),
    ("/accounts/logout", "/account"),
    ("/accounts/register", "/account#register"),
    ("/accounts/password/reset", "/account#reset"),
    ("/accounts/profile", "/account"),
];

/// The routes with the old addresses.
pub(crate) fn with_old_addresses(mut routes: Route) -> Route {
    for (old, new) in MOVED {
        for slash in ["", "/"] {
            routes = routes.at(format!("{old}{slash}"), get(make_sync(move |_| found(new))));
        }
    }
    for slash in ["", "/"] {
        routes = routes.at(format!("/twitter/review/:batch{slash}"), get(to_batch()));
    }
    routes
}

/// Leads to the batches whose name contains that in the path: the old path has the workflow's name
/// of the batch, not its ID.
fn to_batch() -> impl Endpoint<Output = Response> {
    make_sync(|request: Request| {
        let name = request.path_params::<String>().unwrap_or_default();
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        found(&format!("/batches?search={name}"))
    })
}

fn found(place: &str) -> Response {
    Response::builder().status(StatusCode::FOUND).header(header::LOCATION, place).finish()
}
