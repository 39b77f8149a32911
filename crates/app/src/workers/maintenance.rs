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
/// The longest pause while there is more to do.
const LONGEST: Duration = Duration::from_secs(10);
/// The pause before the next attempt to create the index.
const WITHOUT_INDEX: Duration = Duration::from_mins(1);

/// Maintains the index and the totals until `stop` is true.
pub(crate) async fn run(maintenance: Maintenance, mut stop: watch::Receiver<bool>) {
    let mut has_index = false;
    let mut attempts = 0_u32;
    let mut next_attempt = Instant::now();
    while !*stop.borrow() {
        let begun = Instant::now();
        let more = portion(&maintenance, has_index).await;
        let pause = pause(&more, begun.elapsed());
        if let Err(problem) = more {
            error!(error = %error_chain(&problem), "texts or totals could not be maintained");
        }
        if !has_index && Instant::now() >= next_attempt {
            has_index = tokio::select! {
                prepared = maintenance.prepare_index() => is_prepared(&prepared, attempts),
                _ = stop.wait_for(|stop| *stop) => return,
            };
            attempts = attempts.saturating_add(1);
            next_attempt = Instant::now() + WITHOUT_INDEX;
            if has_index {
                continue;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Whether the index exists. Warns once if it does not.
fn is_prepared(prepared: &Result<(), PortError>, attempts: u32) -> bool {
    if let (Err(problem), 0) = (prepared, attempts) {
        warn!(
            error = %error_chain(problem),
            "the index of texts could not be created, so searches read all texts, which is slow; \
             Waggle tries again every minute. If PostgreSQL's extension pg_trgm is missing, ask an \
             administrator of the database to run CREATE EXTENSION pg_trgm"
        );
    }
    prepared.is_ok()
}

/// Does a part of the work, and returns whether there is more. An error in one part does not keep
/// the other from being done.
async fn portion(maintenance: &Maintenance, has_index: bool) -> Result<bool, PortError> {
    let more_changes = maintenance.add_up(CHANGES).await;
    let more_texts = if has_index { maintenance.index_texts(TWEETS).await } else { Ok(false) };
    Ok(more_changes? | more_texts?)
}

/// The pause after a portion. At most a quarter of the time is spent on maintenance, so that it
/// leaves room for calls.
fn pause(more: &Result<bool, PortError>, took: Duration) -> Duration {
    match more {
        Ok(true) => (took * 3).min(LONGEST),
        Ok(false) => POLL,
        Err(_) => AFTER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use waggle_kernel::{Clock as _, FixedClock};
    use waggle_store::{Mode, Store};
    use waggle_twitter_n8n::TweetFilter;
    use waggle_twitter_n8n::testing::{batch, tweets_of};

    use super::*;

    #[test]
    fn the_worker_pauses_longer_than_it_works() {
        let took = Duration::from_millis(40);

        assert_eq!(pause(&Ok(true), took), took * 3);
        assert_eq!(pause(&Ok(true), Duration::from_mins(5)), LONGEST);
        assert_eq!(pause(&Ok(false), took), POLL);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn waiting_texts_are_indexed_until_the_worker_is_stopped() {
        let folder = std::env::temp_dir().join(format!("waggle-texts-{}", std::process::id()));
        let path = folder.join("waggle.db");
        let store = Store::open(&format!("sqlite://{}", path.display())).await.unwrap();
        store.migrate(Mode::Run).await.unwrap();
        let ports = store.ports();
        let made = batch("b", &[("t-1", "grey heron")]);
        ports.batches.receive(&made, FixedClock::noon().now()).await.unwrap();
        let (stop, stopped) = watch::channel(false);

        let worker = tokio::spawn(run(store.maintenance(), stopped));

        let reader = rusqlite::Connection::open(&path).unwrap();
        let waiting = || -> i64 {
            let sql = "SELECT COUNT(*) FROM generated_tweets_to_index";
            reader.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let indexed = async {
            while waiting() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), indexed).await.unwrap();
        let filter = TweetFilter { search: Some("HERON".to_owned()), ..TweetFilter::default() };
        assert_eq!(tweets_of(&*ports.tweets, &filter).await.len(), 1);
        stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(20), worker).await.unwrap().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
