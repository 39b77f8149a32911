//! Whether the process lives, and whether it is ready for more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use poem::http::StatusCode;
use poem::web::Data;
use poem::{Response, Route, get, handler};
use serde_json::json;

use crate::app::App;

/// `/health/live` and `/health/ready`, for anybody.
pub(super) fn routes() -> Route {
    Route::new().at("/live", get(live)).at("/ready", get(ready))
}

#[handler]
fn live() -> Response {
    answer(StatusCode::OK, "live")
}

#[handler]
async fn ready(app: Data<&Arc<App>>) -> Response {
    if app.draining.load(Ordering::SeqCst) {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    match app.publish_due.ledger.next_due().await {
        Ok(_) => answer(StatusCode::OK, "ready"),
        Err(_) => answer(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"),
    }
}

fn answer(status: StatusCode, text: &str) -> Response {
    Response::builder()
        .status(status)
        .content_type("application/json")
        .body(json!({ "status": text }).to_string())
}
