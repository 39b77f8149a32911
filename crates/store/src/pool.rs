//! Connection pools that report why no connection is available.

use std::sync::{Arc, Mutex, PoisonError};

use bb8::{ErrorSink, ManageConnection, Pool, PooledConnection, RunError};
use diesel_async::pooled_connection::PoolError;
use tokio::sync::Notify;
use waggle_kernel::error_chain;

use crate::error::StoreError;
use crate::measures::Connections;

/// The reason why the latest connection could not be opened.
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
        // This error means that a connection in the pool was found dead and is replaced. It does
        // not mean that no connection can be opened.
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

/// How many connections a pool has.
pub(crate) fn connections<M: ManageConnection>(name: &'static str, pool: &Pool<M>) -> Connections {
    let state = pool.state();
    Connections { pool: name, open: state.connections, idle: state.idle_connections }
}

/// Takes a connection from the pool. If the pool is empty and no connection can be opened, returns
/// the reason at once, because waiting would be useless.
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
            // All waiting callers get the reason.
            let why = errors.latest().filter(|_| pool.state().connections == 0);
            let busy = || "all connections are in use".to_owned();
            StoreError::Connection(why.unwrap_or_else(busy).into())
        }
        RunError::User(error) => StoreError::Connection(error_chain(&error).into()),
    })
}
