//! Pools of connections that say why there is none.

use std::sync::{Arc, Mutex, PoisonError};

use bb8::{ErrorSink, ManageConnection, Pool, PooledConnection, RunError};
use diesel_async::pooled_connection::PoolError;
use tokio::sync::Notify;
use waggle_kernel::error_chain;

use crate::error::StoreError;

/// Why the latest connection could not be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectErrors {
    latest: Arc<Mutex<Option<String>>>,
    failed: Arc<Notify>,
}

impl ConnectErrors {
    fn latest(&self) -> Option<String> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<E: std::error::Error + 'static> ErrorSink<E> for ConnectErrors {
    fn sink(&self, error: E) {
        let error: &(dyn std::error::Error + 'static) = &error;
        // A connection of the pool that was found dead is replaced: that none can be made is not said
        // by it.
        if let Some(PoolError::QueryError(_)) = error.downcast_ref() {
            return;
        }
        let text = error_chain(error);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        self.failed.notify_waiters();
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<E>> {
        Box::new(self.clone())
    }
}

/// A connection of the pool. While the pool has none at all and none can be made, the reason is the
/// answer at once: to wait would be of no use.
///
/// # Errors
///
/// [`StoreError::Connection`].
pub(crate) async fn get<M>(
    pool: &Pool<M>,
    errors: &ConnectErrors,
) -> Result<PooledConnection<'static, M>, StoreError>
where
    M: ManageConnection,
    M::Error: std::error::Error,
{
    let hopeless = async {
        loop {
            errors.failed.notified().await;
            if pool.state().connections == 0 {
                return;
            }
        }
    };
    let got = tokio::select! {
        got = pool.get_owned() => got,
        () = hopeless => Err(RunError::TimedOut),
    };
    got.map_err(|error| match error {
        RunError::TimedOut => {
            // Every caller that waits is told.
            let why = errors.latest().filter(|_| pool.state().connections == 0);
            let busy = || "all connections are in use".to_owned();
            StoreError::Connection(why.unwrap_or_else(busy).into())
        }
        RunError::User(error) => StoreError::Connection(error_chain(&error).into()),
    })
}
