//! The worker that indexes texts for searches.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, warn};
use waggle_kernel::{PortError, error_chain};
use waggle_store::TextIndex;

/// The maximum number of tweets of each kind that are indexed together. On SQLite, other writes
/// wait that long: a few hundredths of a second.
const PORTION: u16 = 2_000;
/// How often the index is checked if nothing waits.
const POLL: Duration = Duration::from_secs(2);
/// The pause after an error.
const AFTER_ERROR: Duration = Duration::from_secs(30);

/// Indexes waiting texts until `stop` is true.
pub(crate) async fn run(index: TextIndex, mut stop: watch::Receiver<bool>) {
    if let Err(problem) = index.prepare().await {
        warn!(
            error = %error_chain(&problem),
            "searches read all texts, which is slow: the index of texts needs PostgreSQL's \
             extension pg_trgm; ask an administrator of the database to run CREATE EXTENSION \
             pg_trgm, and restart Waggle"
        );
        return;
    }
    while !*stop.borrow() {
        let begun = Instant::now();
        let indexed = index.index_waiting(PORTION).await;
        if let Err(problem) = &indexed {
            error!(error = %error_chain(problem), "texts cannot be indexed");
        }
        tokio::select! {
            () = tokio::time::sleep(pause(&indexed, begun.elapsed())) => {}
            _ = stop.changed() => {}
        }
    }
}

/// The pause after a portion. At most a quarter of the time is spent on the index, so that it
/// leaves room for calls.
fn pause(indexed: &Result<usize, PortError>, took: Duration) -> Duration {
    match indexed {
        Ok(0) => POLL,
        Ok(_) => took * 3,
        Err(_) => AFTER_ERROR,
    }
}
