//! Runs SQLite's blocking calls from async code.

use std::error::Error;

use diesel_async::sync_connection_wrapper::SpawnBlocking;
use futures_util::future::{BoxFuture, ready};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs a call on the thread that makes it. Moving it to another thread costs more than most
/// queries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnWorker {
    /// Whether the other tasks of the thread may wait. Only for calls that take microseconds.
    pub(crate) inline: bool,
}

impl SpawnBlocking for OnWorker {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        let can_step_aside = Handle::try_current()
            .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        let result =
            if self.inline || !can_step_aside { task() } else { tokio::task::block_in_place(task) };
        Box::pin(ready(Ok(result)))
    }

    fn get_runtime() -> Self {
        Self { inline: false }
    }
}
