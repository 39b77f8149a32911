//! The loop that processes a queue in the database.
//!
//! Each iteration claims as many items as there is room for, and processes each one in its own
//! task. The loop then waits for an announcement, for an item to finish, or for the poll interval,
//! because other processes also fill the queue. While claims fail, the wait gets longer each time,
//! up to a maximum.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::error;
use waggle_kernel::{PortError, error_chain};

use super::supervisor::{drain, ended, panicked};

/// The maximum pause between two failed claims.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A queue, and how its items are processed.
#[async_trait]
pub(crate) trait QueueWork: Send + Sync + 'static {
    type Item: Send + 'static;

    /// The name of the worker in the log.
    const NAME: &'static str;

    /// How many items may be processed at the same time, at the moment.
    fn at_once(&self) -> usize;

    /// How often the queue is read if nothing is announced.
    fn poll_interval(&self) -> Duration;

    /// Waits until this process adds an item to the queue.
    async fn announced(&self);

    /// Leases up to `most` items that are due.
    async fn claim(&self, most: u16) -> Result<Vec<Self::Item>, PortError>;

    /// Processes an item to its end, and logs the outcome.
    async fn process(&self, item: Self::Item);
}

/// Processes the queue until `stop` is true, then waits until the items in progress are finished.
pub(crate) async fn run<W: QueueWork>(work: Arc<W>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    let mut failures = 0;
    while !*stop.borrow() {
        while let Some(result) = running.try_join_next() {
            ended(W::NAME, result);
        }
        let free = work.at_once().saturating_sub(running.len());
        let claimed = if free > 0 { claim(&*work, free).await } else { Some(Vec::new()) };
        let is_failing = claimed.is_none();
        failures = if is_failing { failures + 1 } else { 0 };
        let items = claimed.unwrap_or_default();
        let goes_on = !items.is_empty() && items.len() < free;
        for item in items {
            let work = Arc::clone(&work);
            running.spawn(async move { work.process(item).await });
        }
        if goes_on {
            continue;
        }
        let poll = work.poll_interval();
        let announced = async {
            if is_failing {
                tokio::time::sleep(poll).await;
            }
            work.announced().await;
        };
        tokio::select! {
            // Without a free place, too: there may be more places now.
            () = announced => {}
            Some(result) = running.join_next(), if !is_failing => ended(W::NAME, result),
            () = tokio::time::sleep(pause(poll, failures)) => {}
            _ = stop.changed() => {}
        }
    }
    drain(W::NAME, &mut running).await;
}

/// Claims items. Logs a failure and returns `None`.
async fn claim<W: QueueWork>(work: &W, free: usize) -> Option<Vec<W::Item>> {
    let most = u16::try_from(free).unwrap_or(u16::MAX);
    match AssertUnwindSafe(work.claim(most)).catch_unwind().await {
        Ok(Ok(items)) => Some(items),
        Ok(Err(problem)) => {
            error!(worker = W::NAME, error = %error_chain(&problem), "the queue cannot be read");
            None
        }
        Err(_) => {
            panicked(W::NAME);
            None
        }
    }
}

/// The pause before the next claim: after the first failure the poll interval, then twice as long
/// after each.
fn pause(poll: Duration, failures: u32) -> Duration {
    let doubled = poll.saturating_mul(1 << failures.saturating_sub(1).min(10));
    if failures == 0 { poll } else { doubled.min(LONGEST_PAUSE.max(poll)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::{Notify, Semaphore};
    use tokio::time::Instant;

    use super::*;

    /// The result of one claim in a test.
    enum Claim {
        Items(Vec<u32>),
        Failure,
        Panic,
    }

    /// Returns the claims of a test in order. After that, the queue is empty.
    struct Script {
        claims: Mutex<std::vec::IntoIter<Claim>>,
        asked: Mutex<Vec<(u16, Duration)>>,
        begun: Instant,
        at_once: AtomicUsize,
        announced: Notify,
        processed: Mutex<Vec<u32>>,
        /// Each item needs a permit to be processed.
        permits: Semaphore,
    }

    #[async_trait]
    impl QueueWork for Script {
        type Item = u32;

        const NAME: &'static str = "test";

        fn at_once(&self) -> usize {
            self.at_once.load(Ordering::SeqCst)
        }

        fn poll_interval(&self) -> Duration {
            Duration::from_secs(2)
        }

        async fn announced(&self) {
            self.announced.notified().await;
        }

        async fn claim(&self, most: u16) -> Result<Vec<u32>, PortError> {
            self.asked.lock().unwrap().push((most, self.begun.elapsed()));
            let next = self.claims.lock().unwrap().next();
            match next {
                Some(Claim::Items(items)) => Ok(items),
                Some(Claim::Failure) => Err(PortError::unavailable("claiming", "no connection")),
                Some(Claim::Panic) => panic!("a bug"),
                None => Ok(Vec::new()),
            }
        }

        async fn process(&self, item: u32) {
            self.permits.acquire().await.unwrap().forget();
            assert_ne!(item, 13, "a bug");
            self.processed.lock().unwrap().push(item);
        }
    }

    struct Bench {
        script: Arc<Script>,
        stop: watch::Sender<bool>,
        worker: tokio::task::JoinHandle<()>,
    }

    impl Bench {
        fn new(claims: Vec<Claim>, permits: usize) -> Self {
            let script = Arc::new(Script {
                claims: Mutex::new(claims.into_iter()),
                asked: Mutex::default(),
                begun: Instant::now(),
                at_once: AtomicUsize::new(2),
                announced: Notify::new(),
                processed: Mutex::default(),
                permits: Semaphore::new(permits),
            });
            let (stop, stopped) = watch::channel(false);
            let worker = tokio::spawn(run(Arc::clone(&script), stopped));
            Self { script, stop, worker }
        }

        /// Waits for `seconds`, and returns when the queue has been read, in seconds since the
        /// start.
        async fn reads(&self, seconds: u64) -> Vec<u64> {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            self.script.asked.lock().unwrap().iter().map(|(_, at)| at.as_secs()).collect()
        }

        fn processed(&self) -> Vec<u32> {
            self.script.processed.lock().unwrap().clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_items_are_claimed_than_there_is_room_for() {
        let bench = Bench::new(vec![Claim::Items(vec![1, 2]), Claim::Items(vec![3])], 1);

        bench.reads(1).await;
        bench.script.permits.add_permits(2);
        bench.reads(1).await;

        let asked: Vec<u16> =
            bench.script.asked.lock().unwrap().iter().map(|(most, _)| *most).collect();
        assert_eq!(asked[..2], [2, 1]);
        assert_eq!(bench.processed(), [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_queue_is_read_again_after_the_poll_interval_or_an_announcement() {
        let bench = Bench::new(vec![], 0);
        assert_eq!(bench.reads(3).await, [0, 2]);

        bench.script.announced.notify_one();

        assert_eq!(bench.reads(1).await, [0, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn failed_claims_are_retried_at_growing_intervals_until_one_succeeds() {
        let claims = vec![
            Claim::Failure,
            Claim::Panic,
            Claim::Failure,
            Claim::Failure,
            Claim::Failure,
            Claim::Items(vec![7]),
        ];
        let bench = Bench::new(claims, 1);

        let reads = bench.reads(61).await;

        assert_eq!(reads[..6], [0, 2, 6, 14, 30, 60]);
        assert_eq!(bench.processed(), [7]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_announcement_ends_the_pause_after_a_failure() {
        let claims = vec![Claim::Failure, Claim::Failure, Claim::Failure, Claim::Items(vec![7])];
        let bench = Bench::new(claims, 1);
        assert_eq!(bench.reads(9).await, [0, 2, 6]);

        bench.script.announced.notify_one();
        bench.reads(1).await;

        assert_eq!(bench.processed(), [7]);
    }

    #[tokio::test(start_paused = true)]
    async fn more_places_are_used_at_once_when_they_are_announced() {
        let bench = Bench::new(vec![Claim::Items(vec![1, 2]), Claim::Items(vec![3])], 0);
        // After the poll interval, the loop has seen that no place is free.
        bench.reads(3).await;

        bench.script.at_once.store(3, Ordering::SeqCst);
        bench.script.announced.notify_one();
        tokio::time::sleep(Duration::from_millis(100)).await;

        let asked: Vec<u16> =
            bench.script.asked.lock().unwrap().iter().map(|(most, _)| *most).collect();
        assert_eq!(asked, [2, 1], "before the next poll");
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_that_panics_does_not_stop_the_others() {
        let bench = Bench::new(vec![Claim::Items(vec![13, 1]), Claim::Items(vec![2])], 3);

        bench.reads(1).await;

        assert_eq!(bench.processed(), [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn items_in_progress_are_finished_before_the_worker_stops() {
        let bench = Bench::new(vec![Claim::Items(vec![1, 2])], 0);
        bench.reads(1).await;

        bench.stop.send(true).unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(!bench.worker.is_finished());
        bench.script.permits.add_permits(2);
        bench.worker.await.unwrap();

        assert_eq!(bench.script.processed.lock().unwrap().len(), 2);
        assert_eq!(bench.script.asked.lock().unwrap().len(), 1, "nothing new was claimed");
    }
}
