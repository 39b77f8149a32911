//! The worker that brings due posts to their platforms, in the same process as the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use waggle_content::ports::LedgerError;
use waggle_content::{Claimed, PublishDueError, Settlement};

use crate::app::App;
use crate::http::chain;

/// Delivers what is due until `stop` says so; then ends what has begun and returns.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    loop {
        while running.try_join_next().is_some() {}
        let values = app.settings.values();
        let at_once = values.publish_at_once.count();
        let free = at_once.saturating_sub(running.len());
        let mut claimed_any = false;
        if free > 0 && !*stop.borrow() {
            match app.publish_due.claim(u16::try_from(free).unwrap_or(1)).await {
                Ok(claimed) => {
                    claimed_any = !claimed.is_empty();
                    for post in claimed {
                        running.spawn(deliver(Arc::clone(&app), post));
                    }
                }
                Err(problem) => error!(error = %chain(&problem), "the queue cannot be read"),
            }
        }
        if *stop.borrow() {
            break;
        }
        if claimed_any && running.len() < at_once {
            continue;
        }
        tokio::select! {
            () = app.wake.notified() => {}
            Some(_) = running.join_next() => {}
            // Another replica may have filled the queue.
            () = tokio::time::sleep(Duration::from_secs_f64(values.publish_poll.number())) => {}
            _ = stop.changed() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

async fn deliver(app: Arc<App>, claimed: Claimed) {
    let post = claimed.post.id.number();
    let platform = claimed.post.platform.name();
    match app.publish_due.deliver(&claimed).await {
        Ok(settled) => match settled.settlement {
            Settlement::Published { id, .. } => {
                info!(post.id = post, platform, platform_id = %id, "a post was published");
            }
            Settlement::Retry { at, reason, .. } => {
                warn!(post.id = post, platform, again_at = %at, reason, "a post did not go out yet");
            }
            Settlement::Look { again_at, reason, .. } => {
                warn!(post.id = post, platform, %again_at, reason, "a post is in doubt");
            }
            Settlement::Failed { reason } => {
                error!(post.id = post, platform, reason, "a post failed");
            }
            Settlement::Ask { reason } => {
                error!(
                    post.id = post,
                    platform, reason, "a person has to say whether a post went out"
                );
            }
        },
        Err(PublishDueError::Ledger(LedgerError::NotHeld)) => {
            warn!(post.id = post, platform, "a post went on to another hand");
        }
        Err(problem) => {
            error!(post.id = post, platform, error = %chain(&problem), "a delivery was not written down");
        }
    }
}
