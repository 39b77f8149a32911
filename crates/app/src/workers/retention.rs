//! The worker that removes events that are too old.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::error;
use waggle_kernel::error_chain;

use crate::use_cases::UseCases;

/// How often the worker looks for old events.
const POLL: Duration = Duration::from_mins(1);
/// The longest pause while there is more to do.
const LONGEST: Duration = Duration::from_secs(10);

/// Removes old events until `stop` is true.
pub(crate) async fn run(app: Arc<UseCases>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let begun = Instant::now();
        let more = app.old_events.step().await;
        // At most a quarter of the time is spent here, so that there is room for calls.
        let pause = match more {
            Ok(true) => (begun.elapsed() * 3).min(LONGEST),
            Ok(false) => POLL,
            Err(problem) => {
                error!(error = %error_chain(&problem), "old events could not be removed");
                POLL
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
}
