//! `/metrics`, in the text format of Prometheus.

use std::sync::Arc;
use std::time::Duration;

use poem::web::Data;
use poem::{Request, Response, handler};
use waggle_kernel::Clock as _;
use waggle_system::SystemClock;

use super::Problem;
use super::caller::may_read_metrics;
use crate::metrics::{CONTENT_TYPE, Now};
use crate::use_cases::UseCases;

/// The maximum time for the database to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// For API tokens with the scope `read`, and for trusted networks.
#[handler]
pub(crate) async fn metrics(
    request: &Request,
    app: Data<&Arc<UseCases>>,
) -> Result<Response, Problem> {
    may_read_metrics(app.0, request).await?;
    let measures = tokio::time::timeout(PATIENCE, app.store.measures()).await;
    let now = Now {
        at: SystemClock.now(),
        measures: measures.ok().and_then(Result::ok),
        connections: app.store.connections(),
        streams: app.new_changes.streams(),
        database: app.store.kind(),
    };
    let text = app.metrics.text(&now).map_err(|_| Problem::internal())?;
    Ok(Response::builder().content_type(CONTENT_TYPE).body(text))
}
