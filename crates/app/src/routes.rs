//! The tree of routes.

use std::sync::Arc;

use poem::endpoint::make_sync;
use poem::web::Redirect;
use poem::{IntoEndpoint as _, Route, get};
use poem_openapi::{LicenseObject, OpenApiService};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::http::{API, CALLBACK, Contract, docs_page, document, fixed, health, limited};
use crate::use_cases::UseCases;
use crate::{api, http, n8n, pages};

/// Serves every route until `stop` says so; then ends the requests that have begun and returns.
pub(crate) async fn serve(listener: TcpListener, app: Arc<UseCases>, stop: watch::Receiver<bool>) {
    http::serve(listener, tree(), app, stop).await;
}

fn tree() -> Route {
    let service = OpenApiService::new(api::all(), "Waggle", env!("CARGO_PKG_VERSION"))
        .description(api::DESCRIPTION)
        .license(LicenseObject::new("MIT").url("https://opensource.org/license/mit"));
    let document = document(json_of(&service.spec()), json_of(n8n::DOCUMENT));
    let contract = Arc::new(Contract::of(&document));
    let document = fixed("application/json", document.to_string());
    let page = docs_page(&service.swagger_ui_html());
    // The old addresses are at the root, too.
    n8n::routes()
        .nest(API, limited(service.into_endpoint(), contract))
        .at("/openapi.json", get(document))
        .nest("/docs", page)
        .nest("/health", health())
        .nest("/account", pages::routes())
        .at("/", get(make_sync(|_| Redirect::see_other("/account"))))
        .at(CALLBACK, get(pages::back_from_google))
}

/// What the framework or this program has written as JSON.
fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
