//! The routes of the HTTP server.

use std::sync::Arc;

use poem::{IntoEndpoint as _, Route, get};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::http::{API, CALLBACK, Contract, docs_page, document, fixed, health, limited, metrics};
use crate::use_cases::UseCases;
use crate::{api, console, http, n8n};

/// Serves all routes until `stop` is true, then finishes the requests in progress and returns.
pub(crate) async fn serve(listener: TcpListener, app: Arc<UseCases>, stop: watch::Receiver<bool>) {
    http::serve(listener, tree(), app, stop).await;
}

/// The document of the HTTP API.
pub(crate) fn api_document() -> Value {
    document(json_of(&service().spec()), json_of(n8n::DOCUMENT))
}

fn service() -> OpenApiService<impl OpenApi, ()> {
    OpenApiService::new(api::all(), "Waggle", env!("CARGO_PKG_VERSION"))
        .description(api::DESCRIPTION)
        .license(LicenseObject::new("MIT").url("https://opensource.org/license/mit"))
}

/// All routes of the server.
pub(crate) fn tree() -> Route {
    let (service, document) = (service(), api_document());
    let contract = Arc::new(Contract::of(&document));
    let document = fixed("application/json", document.to_string());
    let page = docs_page(&service.swagger_ui_html());
    // The n8n endpoints have paths outside of the native API.
    console::with_old_addresses(n8n::routes())
        .nest(API, limited(service.into_endpoint(), contract))
        .at("/openapi.json", get(document))
        .nest("/docs", page)
        .nest("/health", health())
        .at("/metrics", get(metrics))
        .at("/account", get(console::show_account))
        .at("/review", get(console::show_review))
        .at("/batches", get(console::show_batches))
        .at("/batches/:id", get(console::show_batch))
        .at("/tweets/:id", get(console::show_tweet))
        .at("/sources", get(console::show_sources))
        .at("/posts", get(console::show_posts))
        .at("/posts/:id", get(console::show_post))
        .at("/publishing", get(console::show_publishing))
        .at("/sandbox", get(console::show_sandbox))
        .at("/help", get(console::show_help))
        .at("/notifications", get(console::show_notifications))
        .at("/tokens", get(console::show_tokens))
        .at("/checks", get(console::show_checks))
        .at("/settings", get(console::show_settings))
        .at("/settings/history", get(console::show_settings_history))
        .at("/users", get(console::show_users))
        .at("/audit", get(console::show_audit))
        .at("/setup", get(console::show_setup))
        .at("/assets/:hash/:name", get(console::send_asset))
        .at("/", get(console::show_home))
        .at(CALLBACK, get(console::back_from_google))
        .at("/:first", console::show_missing)
        .at("/:first/*rest", console::show_missing)
}

/// Parses JSON that the framework or this program wrote. Invalid JSON gives null.
fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
