//! The worker that empties the queue of mails.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use waggle_accounts::{Delivered, MailFailure, QueuedMail};
use waggle_kernel::error_chain;

use crate::app::App;
use crate::supervisor;

/// How often the queue is looked at when nothing wakes the worker.
const POLL: Duration = Duration::from_secs(2);
/// How many mails are under way at a time.
const AT_ONCE: u16 = 8;

/// Empties the queue until `stop` says so; then ends what has begun and returns. A mail that takes
/// long keeps one place and not the others.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    while !*stop.borrow() {
        let free = usize::from(AT_ONCE).saturating_sub(running.len());
        let found = if free > 0 { claim(&app, &mut running, free).await } else { 0 };
        if found > 0 {
            continue;
        }
        tokio::select! {
            Some(result) = running.join_next() => supervisor::ended("mail", result),
            () = app.post.notified(), if free > 0 => {}
            // Another process may have filled the queue.
            () = tokio::time::sleep(POLL), if free > 0 => {}
            _ = stop.changed() => {}
        }
    }
    supervisor::drain("mail", &mut running).await;
}

/// Begins with up to `most` mails that are due, and returns how many.
async fn claim(app: &Arc<App>, running: &mut JoinSet<()>, most: usize) -> usize {
    let most = u16::try_from(most).unwrap_or(AT_ONCE);
    match app.people.deliver_mail.claim(most).await {
        Ok(claimed) => {
            for (id, reason) in claimed.unreadable {
                error!(mail.id = id, reason, "a mail cannot be read and is given up");
            }
            let found = claimed.mails.len();
            for mail in claimed.mails {
                running.spawn(deliver(Arc::clone(app), mail));
            }
            found
        }
        Err(problem) => {
            let error = error_chain(&problem);
            error!(error, "the queue of mails cannot be read");
            0
        }
    }
}

async fn deliver(app: Arc<App>, mail: QueuedMail) {
    let (id, letter) = (mail.id, mail.letter.name());
    match app.people.deliver_mail.deliver(&mail).await {
        Ok(Delivered::Sent) => info!(mail.id = id, letter, "a mail went out"),
        Ok(Delivered::Later { at, why }) => {
            let error = error_chain(&why);
            let is_unknown = matches!(why, MailFailure::Unknown(_));
            warn!(mail.id = id, letter, again_at = %at, is_unknown, error, "a mail did not go out yet");
        }
        Ok(Delivered::GivenUp { why }) => {
            let error = error_chain(&why);
            error!(mail.id = id, letter, error, "a mail did not go out and is given up");
        }
        Err(problem) => {
            let error = error_chain(&problem);
            error!(mail.id = id, letter, error, "the end of a mail was not recorded");
        }
    }
}
