//! The worker that indexes texts for searches and adds up totals.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, warn};
use waggle_kernel::{PortError, error_chain};
use waggle_store::Maintenance;

/// The maximum number of tweets of each kind that are indexed together. On SQLite, other writes
/// wait that long: a few hundredths of a second.
const TWEETS: u16 = 2_000;
/// The maximum number of changes that are added to the totals together.
const CHANGES: u16 = 5_000;
/// The pause if nothing waits.
const POLL: Duration = Duration::from_secs(2);
/// The pause after an error.
const AFTER_ERROR: Duration = Duration::from_secs(30);
/// The pause before the next attempt to create the index.
const WITHOUT_INDEX: Duration = Duration::from_mins(10);

/// Maintains the index and the totals until `stop` is true.
pub(crate) async fn run(maintenance: Maintenance, mut stop: watch::Receiver<bool>) {
    let mut has_index = false;
    let mut next_attempt = Instant::now();
    while !*stop.borrow() {
        let begun = Instant::now();
        if !has_index && begun >= next_attempt {
            has_index = prepare(&maintenance).await;
            next_attempt = begun + WITHOUT_INDEX;
        }
        let more = portion(&maintenance, has_index).await;
        let pause = pause(&more, begun.elapsed());
        if let Err(problem) = more {
            error!(error = %error_chain(&problem), "texts or totals could not be maintained");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Creates the index if it does not exist, and returns whether it does.
async fn prepare(maintenance: &Maintenance) -> bool {
    let prepared = maintenance.prepare_index().await;
    if let Err(problem) = &prepared {
        warn!(
            error = %error_chain(problem),
            "the index of texts could not be created, so searches read all texts, which is slow; \
             if PostgreSQL's extension pg_trgm is missing, ask an administrator of the database to \
             run CREATE EXTENSION pg_trgm"
        );
    }
    prepared.is_ok()
}

/// Does a part of the work, and returns whether there is more.
async fn portion(maintenance: &Maintenance, has_index: bool) -> Result<bool, PortError> {
    let more_changes = maintenance.add_up(CHANGES).await?;
    let more_texts = has_index && maintenance.index_texts(TWEETS).await?;
    Ok(more_changes || more_texts)
}

/// The pause after a portion. At most a quarter of the time is spent on maintenance, so that it
/// leaves room for calls.
fn pause(more: &Result<bool, PortError>, took: Duration) -> Duration {
    match more {
        Ok(true) => took * 3,
        Ok(false) => POLL,
        Err(_) => AFTER_ERROR,
    }
}
