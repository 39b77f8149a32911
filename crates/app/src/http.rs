//! The HTTP layer: connections, authentication, bodies, errors, and what applies to every request.

mod access;
mod addresses;
mod around;
mod body;
mod caller;
mod client;
mod compress;
mod contract;
mod docs_page;
mod document;
mod failure;
mod head_deadline;
mod health;
mod idempotency;
mod json;
mod pace;
mod problem;
mod refused;
mod request_id;
mod scrape;
mod server;
mod shares;
mod still_allowed;
mod visitor;

use std::sync::Arc;

use poem::{Endpoint, EndpointExt as _, Response, Route};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use self::access::is_page_path;
#[cfg(test)]
pub(crate) use self::access::{fits, operations, pages};
pub(crate) use self::addresses::{API, CALLBACK};
pub(crate) use self::around::{is_allowed_host, is_public_host};
pub(crate) use self::body::{JsonBody, limited};
pub(crate) use self::caller::{Caller, caller, enrolling_viewer, viewer};
pub(crate) use self::client::{client, client_address};
pub(crate) use self::compress::FixedFile;
#[cfg(test)]
pub(crate) use self::compress::kept_files;
pub(crate) use self::contract::Contract;
pub(crate) use self::docs_page::{fixed, routes as docs_page};
pub(crate) use self::document::document;
pub(crate) use self::failure::Failure;
pub(crate) use self::health::routes as health;
pub(crate) use self::json::{depth, not_json};

use self::pace::Pace;
pub(crate) use self::problem::Problem;
pub(crate) use self::refused::CallerRefused;

pub(crate) use self::scrape::metrics;
pub(crate) use self::shares::Shares;
pub(crate) use self::still_allowed::StillAllowed;
pub(crate) use self::visitor::{GOOGLE_COOKIE, SESSION_COOKIE, SignedIn};
use crate::use_cases::UseCases;

/// The routes, with what surrounds each request.
pub(crate) fn framed(
    routes: Route,
    app: Arc<UseCases>,
    shares: &Shares,
) -> impl Endpoint<Output = Response> + 'static {
    routes
        .around(around::every_request)
        .data(app)
        .data(Arc::new(Pace::default()))
        .data(shares.clone())
        .map_to_response()
}

/// Accepts connections until `stop` is true, then finishes the requests in progress and returns.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Route,
    app: Arc<UseCases>,
    stop: watch::Receiver<bool>,
) {
    let (settings, shares) = (Arc::clone(&app.settings), Shares::default());
    let endpoint = framed(routes, app, &shares);
    let values = move || settings.values();
    server::run(listener, Arc::new(endpoint), shares, values, stop).await;
}
