//! A transaction, which announces what it added to a queue once it is committed.

use bb8::PooledConnection;
use diesel_async::{AsyncConnection, TransactionManager as _};

use super::connection::{Conn, Manager};
use crate::error::StoreError;
use crate::queues::{Queue, Queues};

/// A transaction that has begun. It is rolled back unless it is committed.
pub(crate) struct Transaction {
    connection: PooledConnection<'static, Manager>,
    queues: Queues,
    filled: Vec<Queue>,
}

impl Transaction {
    /// Wraps a connection on which a transaction has begun.
    pub(crate) fn new(connection: PooledConnection<'static, Manager>, queues: &Queues) -> Self {
        Self { connection, queues: queues.clone(), filled: Vec::new() }
    }

    pub(crate) fn connection(&mut self) -> &mut Conn {
        &mut self.connection
    }

    /// Wakes the worker of `queue` when the transaction is committed.
    pub(crate) fn fills(&mut self, queue: Queue) {
        self.filled.push(queue);
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        <Conn as AsyncConnection>::TransactionManager::commit_transaction(&mut *self.connection)
            .await?;
        for queue in self.filled {
            self.queues.announce(queue);
        }
        // Almost every change writes events.
        self.queues.announce(Queue::Events);
        Ok(())
    }
}
