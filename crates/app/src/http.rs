//! The HTTP side: connections, what surrounds every request, and the tree of routes.

mod access;
mod around;
mod body;
mod caller;
mod client;
mod head_deadline;
mod health;
mod pace;
mod problem;
mod server;
mod shares;
mod visitor;

use std::sync::Arc;

use hyper::body::Bytes;
use poem::endpoint::make_sync;
use poem::web::Redirect;
use poem::{Endpoint, EndpointExt as _, IntoEndpoint as _, Response, get};
use poem_openapi::OpenApiService;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::around::request_id;
pub(crate) use self::body::{JsonBody, depth};
pub(crate) use self::caller::{Caller, caller};
pub(crate) use self::client::{client, client_address};
pub(crate) use self::pace::Pace;
pub(crate) use self::problem::Problem;
pub(crate) use self::shares::Shares;
pub(crate) use self::visitor::{GOOGLE_COOKIE, SESSION_COOKIE, SignedIn};
use crate::app::App;
use crate::live_google::CALLBACK;
use crate::{api, n8n, pages};

/// Takes connections until `stop` says so; then ends the requests that have begun and returns.
pub(crate) async fn serve(listener: TcpListener, app: Arc<App>, stop: watch::Receiver<bool>) {
    let (settings, shares) = (Arc::clone(&app.settings), app.shares.clone());
    let values = move || settings.values();
    server::run(listener, Arc::new(endpoint(app)), shares, values, stop).await;
}

/// Every route, with what surrounds it.
fn endpoint(app: Arc<App>) -> impl Endpoint<Output = Response> {
    let service = OpenApiService::new(api::all(), "Waggle", env!("CARGO_PKG_VERSION"))
        .description(api::DESCRIPTION)
        .server("/api/v1");
    let document = fixed("application/json", service.spec());
    let page = fixed("text/html; charset=utf-8", service.swagger_ui_html());
    // The old addresses are at the root, too.
    n8n::routes()
        .nest("/api/v1", body::limited(service.into_endpoint()))
        .at("/openapi.json", get(document))
        .at("/docs", get(page))
        .nest("/health", health::routes())
        .nest("/account", pages::routes())
        .at("/", get(make_sync(|_| Redirect::see_other("/account"))))
        .at(CALLBACK, get(pages::back_from_google))
        .around(around::every_request)
        .data(app)
        .map_to_response()
}

/// An answer that is always the same, kept once however many read it.
fn fixed(content_type: &'static str, text: String) -> impl Endpoint<Output = Response> {
    let bytes = Bytes::from(text);
    make_sync(move |_| Response::builder().content_type(content_type).body(bytes.clone()))
}
