//! Health checks: whether the process is alive, and whether it is ready for requests.

use std::sync::Arc;
use std::time::Duration;

use poem::http::StatusCode;
use poem::web::Data;
use poem::{Response, Route, get, handler};
use serde_json::json;
use tracing::warn;
use waggle_kernel::error_chain;

use crate::use_cases::UseCases;

/// The maximum time for the database to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// `/health/live` and `/health/ready`, which need no credentials.
pub(crate) fn routes() -> Route {
    Route::new().at("/live", get(live)).at("/ready", get(ready))
}

#[handler]
fn live() -> Response {
    answer(StatusCode::OK, "live")
}

#[handler]
async fn ready(app: Data<&Arc<UseCases>>) -> Response {
    if *app.draining.borrow() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    match tokio::time::timeout(PATIENCE, app.store.check()).await {
        Ok(Ok(())) => answer(StatusCode::OK, "ready"),
        Ok(Err(problem)) => {
            let error = error_chain(&problem);
            warn!(error, "not ready");
            let text = if problem.is_about_room() {
                "the disk of the database is full"
            } else {
                "the database does not answer"
            };
            answer(StatusCode::SERVICE_UNAVAILABLE, text)
        }
        Err(_) => answer(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer in time"),
    }
}

fn answer(status: StatusCode, text: &str) -> Response {
    Response::builder()
        .status(status)
        .content_type("application/json")
        .body(json!({ "status": text }).to_string())
}
