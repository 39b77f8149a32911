//! The HTTP side: connections, what surrounds every request, and the tree of routes.

mod access;
mod around;
mod body;
mod caller;
mod client;
mod contract;
mod docs_page;
mod document;
mod head_deadline;
mod health;
mod json;
mod pace;
mod problem;
mod refused;
mod request_id;
mod server;
mod shares;
mod visitor;

use std::sync::Arc;

use poem::endpoint::make_sync;
use poem::web::Redirect;
use poem::{Endpoint, EndpointExt as _, IntoEndpoint as _, Response, get};
use poem_openapi::{LicenseObject, OpenApiService};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use self::around::{is_allowed_host, is_public_host};
pub(crate) use self::body::JsonBody;
pub(crate) use self::caller::{Caller, caller};
pub(crate) use self::client::{client, client_address};
use self::contract::Contract;
use self::docs_page::fixed;
use self::document::{API, document};
pub(crate) use self::json::{depth, not_json};
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
        .license(LicenseObject::new("MIT").url("https://opensource.org/license/mit"));
    let document = document(json_of(&service.spec()), json_of(n8n::DOCUMENT));
    let contract = Arc::new(Contract::of(&document));
    let document = fixed("application/json", document.to_string());
    let page = docs_page::routes(&service.swagger_ui_html());
    // The old addresses are at the root, too.
    n8n::routes()
        .nest(API, body::limited(service.into_endpoint(), contract))
        .at("/openapi.json", get(document))
        .nest("/docs", page)
        .nest("/health", health::routes())
        .nest("/account", pages::routes())
        .at("/", get(make_sync(|_| Redirect::see_other("/account"))))
        .at(CALLBACK, get(pages::back_from_google))
        .around(around::every_request)
        .data(app)
        .map_to_response()
}

/// What the framework or this program has written as JSON.
fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
