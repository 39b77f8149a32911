//! The worker that tells open streams of new events.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;
use waggle_kernel::error_chain;
use waggle_store::{Queue, Queues};

use crate::use_cases::UseCases;

/// How often the worker looks for events that other processes appended.
const POLL: Duration = Duration::from_secs(1);

/// Sends new changes until `stop` is true.
pub(crate) async fn run(app: Arc<UseCases>, queues: Queues, mut stop: watch::Receiver<bool>) {
    let mut last = None;
    while !*stop.borrow() {
        if let Err(problem) = app.new_changes.send(&app.changes, &mut last).await {
            warn!(error = %error_chain(&problem), "streams could not be told of new events");
        }
        tokio::select! {
            () = queues.filled(Queue::Changes) => {}
            () = tokio::time::sleep(POLL) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
}
