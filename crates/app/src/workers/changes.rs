//! The worker that considers new events: it tells people of what needs them, and open streams of
//! everything.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, warn};
use waggle_kernel::{PortError, error_chain};
use waggle_store::{Queue, Queues};

use crate::use_cases::UseCases;

/// How often the worker looks for events that other processes appended, and for emails that are
/// due.
const POLL: Duration = Duration::from_secs(1);
/// The pause after an error.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// Tells people and streams until `stop` is true. People first, so that a page that hears of an
/// event finds the notification of it.
pub(crate) async fn run(app: Arc<UseCases>, queues: Queues, mut stop: watch::Receiver<bool>) {
    let mut last = None;
    while !*stop.borrow() {
        let begun = Instant::now();
        let more = tell(&app).await;
        // At most a quarter of the time is spent here, so that there is room for calls.
        let pause = match &more {
            Ok(_) => begun.elapsed() * 3,
            Err(_) => AFTER_ERROR,
        };
        if let Err(problem) = &more {
            error!(error = %error_chain(problem), "people could not be told of new events");
        }
        if let Err(problem) = app.new_changes.send(&app.changes, &mut last).await {
            warn!(error = %error_chain(&problem), "streams could not be told of new events");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        if !matches!(more, Ok(true)) {
            tokio::select! {
                () = queues.filled(Queue::Changes) => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
    }
}

/// Considers some events and queues the emails that are due, even if the former fails. Returns
/// whether there are more events.
async fn tell(app: &UseCases) -> Result<bool, PortError> {
    let more = app.tell_people.step(app.default_zone()).await;
    app.tell_people.queue_mails().await?;
    more
}
