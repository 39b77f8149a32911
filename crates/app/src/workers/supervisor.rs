//! Keeps the tasks of a server running: a task that panics is logged, counted, and restarted.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::error;

/// The pause before a task is restarted after a panic.
const REST: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_secs(1) };

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Logs and counts a panic.
pub(super) fn panicked(task: &str) {
    let panics = PANICS.fetch_add(1, Ordering::Relaxed) + 1;
    error!(task, panics, "a task panicked because of a bug");
}

/// Runs the task that `start` creates until it ends. After a panic, the task is restarted, unless
/// `stop` is true.
pub(crate) async fn supervise<F: Future<Output = ()>>(
    task: &'static str,
    mut stop: watch::Receiver<bool>,
    mut start: impl FnMut() -> F,
) {
    while AssertUnwindSafe(async { start().await }).catch_unwind().await.is_err() {
        panicked(task);
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Logs and counts a panic if a task ended with one.
pub(super) fn ended(task: &str, result: Result<(), JoinError>) {
    if result.is_err_and(|error| error.is_panic()) {
        panicked(task);
    }
}

/// Waits until all tasks have ended.
pub(super) async fn drain(task: &str, running: &mut JoinSet<()>) {
    while let Some(result) = running.join_next().await {
        ended(task, result);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_restarted() {
        static STARTS: AtomicU32 = AtomicU32::new(0);
        let (_sender, stop) = watch::channel(false);

        supervise("test", stop, || async {
            assert!(STARTS.fetch_add(1, Ordering::SeqCst) >= 2, "a bug");
        })
        .await;

        assert_eq!(STARTS.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_panic_of_a_task_is_counted() {
        let before = PANICS.load(Ordering::Relaxed);
        let mut running = JoinSet::new();
        running.spawn(async { panic!("a bug") });
        running.spawn(async {});

        drain("test", &mut running).await;

        assert!(PANICS.load(Ordering::Relaxed) > before);
    }
}
