//! The worker that appends events to the chain and signs its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info};
use waggle_kernel::{error_chain, hex};
use waggle_store::{Queue, Queues};

use crate::use_cases::UseCases;

/// How often the worker looks for events that other processes wrote.
const POLL: Duration = Duration::from_secs(1);
/// The pause after a step that left nothing, so that many events are appended together. On SQLite,
/// each step is a transaction of the single writer.
const PAUSE: Duration = Duration::from_millis(200);
/// The pause after an error.
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// How often the end of the chain is signed, if there are new events.
const SIGN: Duration = Duration::from_mins(1);

/// The maximum number of steps when the server stops.
const LAST: u32 = 20;

/// Appends and signs until `stop` is true, and once more then.
pub(crate) async fn run(app: Arc<UseCases>, queues: Queues, mut stop: watch::Receiver<bool>) {
    let mut next_head = Instant::now();
    while !*stop.borrow() {
        let begun = Instant::now();
        let more = app.chain.step().await;
        // At most a quarter of the time is spent here, so that there is room for calls.
        let pause = match &more {
            Ok(true) => begun.elapsed() * 3,
            Ok(false) => PAUSE,
            Err(_) => AFTER_ERROR,
        };
        let is_done = matches!(more, Ok(false));
        if let Err(problem) = more {
            error!(error = %error_chain(&problem), "events could not be appended to the chain");
        }
        if begun >= next_head {
            sign(&app).await;
            next_head = begun + SIGN;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        if is_done {
            tokio::select! {
                () = queues.filled(Queue::Events) => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
    }
    // Calls and other workers may still finish. What they write is appended at the next start.
    if let Err(problem) = app.chain.catch_up(LAST).await {
        error!(error = %error_chain(&problem), "events could not be appended to the chain");
    }
    sign(&app).await;
}

async fn sign(app: &UseCases) {
    match app.heads.sign().await {
        Ok(None) => {}
        // A copy of the log shows that the chain was cut off later, even if its heads were, too.
        Ok(Some(head)) => info!(
            position = head.tip.position,
            hash = hex(&head.tip.hash),
            key = head.key,
            signature = hex(&head.signature),
            "signed the end of the chain of events"
        ),
        Err(problem) => {
            error!(error = %error_chain(&problem), "the chain of events could not be signed");
        }
    }
}
