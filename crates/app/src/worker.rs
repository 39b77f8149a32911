//! The worker that brings due posts to their platforms, in the same process as the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use waggle_content::ports::{Connected, Connections as _, LedgerError};
use waggle_content::{Claimed, PublishDueError, Recorded, Settlement};
use waggle_kernel::error_chain;

use crate::app::App;
use crate::supervisor;

/// Delivers what is due until `stop` says so; then ends what has begun and returns.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    let mut connected: Option<Arc<Connected>> = None;
    loop {
        while let Some(result) = running.try_join_next() {
            supervisor::ended("delivery", result);
        }
        let values = app.settings.values();
        let at_once = values.publish_at_once.count();
        let free = at_once.saturating_sub(running.len());
        let mut claimed_any = false;
        if free > 0 && !*stop.borrow() {
            release_held(&app, &mut connected).await;
            match app.publish_due.claim(u16::try_from(free).unwrap_or(1)).await {
                Ok(claimed) => {
                    claimed_any = !claimed.posts.is_empty();
                    for post in claimed.unreadable {
                        let (post, reason) = (post.post.number(), post.reason);
                        error!(post.id = post, reason, "a post cannot be read and left the queue");
                    }
                    for post in claimed.posts {
                        running.spawn(deliver(Arc::clone(&app), post));
                    }
                }
                Err(problem) => {
                    error!(error = %error_chain(&problem), "the queue cannot be read");
                }
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
            Some(result) = running.join_next() => supervisor::ended("delivery", result),
            // Another replica may have filled the queue.
            () = tokio::time::sleep(Duration::from_secs_f64(values.publish_poll.number())) => {}
            _ = stop.changed() => {}
        }
    }
    supervisor::drain("delivery", &mut running).await;
}

/// Makes due what waits for the owner of an account whose credentials have changed since the last
/// time, or since this process was started.
async fn release_held(app: &App, before: &mut Option<Arc<Connected>>) {
    let now = app.connections.now();
    if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, &now)) {
        return;
    }
    for publisher in &now.publishers {
        let is_known = before
            .iter()
            .any(|before| before.publishers.iter().any(|known| Arc::ptr_eq(known, publisher)));
        if is_known {
            continue;
        }
        let platform = publisher.platform();
        match app.publish_due.release_held(platform).await {
            Ok(0) => {}
            Ok(posts) => info!(posts, %platform, "the account changed: posts that waited are due"),
            Err(problem) => {
                // It is tried again at the next turn.
                error!(error = %error_chain(&problem), "posts that wait cannot be released");
                return;
            }
        }
    }
    *before = Some(now);
}

async fn deliver(app: Arc<App>, claimed: Claimed) {
    let post = claimed.post.id.number();
    let platform = claimed.post.platform.name();
    let settled = match app.publish_due.deliver(&claimed).await {
        Ok(settled) => settled,
        Err(PublishDueError::Ledger(LedgerError::NotHeld)) => {
            warn!(post.id = post, platform, "another worker has taken over a post");
            return;
        }
        Err(problem) => {
            let error = error_chain(&problem);
            error!(post.id = post, platform, error, "the end of a delivery was not recorded");
            return;
        }
    };
    match settled.recorded {
        Recorded::AsDecided => {}
        Recorded::PublicBefore { id } => {
            error!(
                post.id = post,
                platform,
                platform_id = id,
                "an attempt that was taken for lost is public"
            );
            return;
        }
        Recorded::PublicTwice { ids } => {
            let ids = ids.join(" ");
            error!(post.id = post, platform, platform_ids = ids, "a post is public more than once");
            return;
        }
        Recorded::IdTaken { id, by } => {
            error!(
                post.id = post,
                platform,
                platform_id = id,
                holder.id = by.number(),
                "the platform's id of a post belongs to another post"
            );
            return;
        }
    }
    match settled.settlement {
        Settlement::Published { id, .. } => {
            info!(post.id = post, platform, platform_id = %id, "a post was published");
        }
        Settlement::Retry { at, reason, .. } => {
            warn!(post.id = post, platform, again_at = %at, reason, "a post did not go out yet");
        }
        Settlement::Held { at, reason } => {
            warn!(post.id = post, platform, again_at = %at, reason, "a post waits for its account");
        }
        Settlement::Look { again_at, reason, .. } => {
            warn!(post.id = post, platform, %again_at, reason, "the outcome of a post is unknown");
        }
        Settlement::Failed { reason, .. } => {
            error!(post.id = post, platform, reason, "a post failed");
        }
        Settlement::Missed { reason } => {
            error!(post.id = post, platform, reason, "a post was missed");
        }
        Settlement::Ask { reason } => {
            error!(post.id = post, platform, reason, "a person has to resolve a post");
        }
    }
}
