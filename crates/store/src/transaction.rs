//! Transactions, which announce what they added to a queue once they are committed.
//!
//! In a call that is made once, there is one transaction for everything ([`Joint`]). It begins with
//! the first change. From then on, all changes are parts of it (savepoints), and all reads see
//! them. It is committed together with the answer.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bb8::PooledConnection;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, TransactionManager as _};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use super::connection::{Conn, Manager};
use crate::error::StoreError;
use crate::once::KeyedCall;
use crate::queues::{Queue, Queues};
use crate::run_query::RunQueryDsl;
use crate::schema::idempotency_keys;
use crate::types::Time;

type Connection = PooledConnection<'static, Manager>;
type Manages = <Conn as AsyncConnection>::TransactionManager;

/// A transaction that has begun. It is rolled back unless it is committed.
pub(crate) struct Transaction {
    held: Held,
    queues: Queues,
    filled: Vec<Queue>,
}

enum Held {
    Own(Box<Connection>),
    Part(Part),
}

impl Transaction {
    /// Wraps a connection on which a transaction has begun.
    pub(crate) fn new(connection: Connection, queues: &Queues) -> Self {
        Self { held: Held::Own(Box::new(connection)), queues: queues.clone(), filled: Vec::new() }
    }

    pub(crate) fn connection(&mut self) -> &mut Conn {
        match &mut self.held {
            Held::Own(connection) => connection,
            Held::Part(part) => &mut part.begun.connection,
        }
    }

    /// Wakes the worker of `queue` when the transaction is committed.
    pub(crate) fn fills(&mut self, queue: Queue) {
        self.filled.push(queue);
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let committed = Manages::commit_transaction(self.connection()).await;
        if let (Err(_), Held::Part(part)) = (&committed, &mut self.held) {
            part.begun.is_lost = true;
        }
        committed?;
        // Almost every change writes events.
        self.filled.push(Queue::Events);
        match self.held {
            Held::Own(_) => {
                for queue in self.filled {
                    self.queues.announce(queue);
                }
            }
            Held::Part(mut part) => {
                part.is_open = false;
                part.begun.filled.append(&mut self.filled);
            }
        }
        Ok(())
    }
}

/// A part of the transaction of a call.
struct Part {
    begun: OwnedMappedMutexGuard<Slot, Begun>,
    is_open: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        // The next user of the connection rolls the part back, because that takes a statement.
        self.begun.is_torn |= self.is_open;
    }
}

/// A connection that reads.
pub(crate) enum Reader {
    Own(Box<Connection>),
    Joint(OwnedMappedMutexGuard<Slot, Begun>),
}

impl Deref for Reader {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        match self {
            Self::Own(connection) => connection,
            Self::Joint(begun) => &begun.connection,
        }
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Conn {
        match self {
            Self::Own(connection) => connection,
            Self::Joint(begun) => &mut begun.connection,
        }
    }
}

tokio::task_local! {
    /// The transaction of the call that this task makes.
    static JOINT: Joint;
}

/// The one transaction of a call that is made once.
#[derive(Clone)]
pub(crate) struct Joint {
    slot: Arc<Mutex<Slot>>,
}

pub(crate) struct Slot {
    call: KeyedCall,
    now: Time,
    begun: Option<Begun>,
    /// Whether the key existed when the transaction began.
    was_made_before: bool,
}

pub(crate) struct Begun {
    connection: Connection,
    /// Whether a part must be rolled back before anything else.
    is_torn: bool,
    /// Whether the transaction may have been rolled back. Then nothing else may be done in it.
    is_lost: bool,
    filled: Vec<Queue>,
}

impl Begun {
    async fn mend(&mut self) -> Result<(), StoreError> {
        if mem::take(&mut self.is_torn) && !self.is_lost {
            let mended = Manages::rollback_transaction(&mut *self.connection).await;
            self.is_lost = mended.is_err();
        }
        if self.is_lost {
            return Err(StoreError::Connection("the transaction of the call was lost".into()));
        }
        Ok(())
    }
}

impl Joint {
    /// The transaction of a call that has not changed anything yet.
    pub(crate) fn new(call: KeyedCall, now: Time) -> Self {
        let slot = Slot { call, now, begun: None, was_made_before: false };
        Self { slot: Arc::new(Mutex::new(slot)) }
    }

    /// The one that the current task must join, if there is one.
    pub(crate) fn current() -> Option<Self> {
        JOINT.try_with(Clone::clone).ok()
    }

    /// Makes everything that `work` does a part of the transaction.
    pub(crate) async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        JOINT.scope(self.clone(), work).await
    }

    /// Begins the transaction with the key of the call, unless it has begun.
    async fn begun(
        &self,
        open: impl Future<Output = Result<Connection, StoreError>> + Send,
    ) -> Result<OwnedMappedMutexGuard<Slot, Begun>, StoreError> {
        let mut slot = Arc::clone(&self.slot).lock_owned().await;
        if slot.begun.is_none() {
            let mut connection = open.await?;
            let is_new = add_key(&mut connection, &slot.call, slot.now).await?;
            if !is_new {
                slot.was_made_before = true;
                Manages::rollback_transaction(&mut *connection).await?;
                return Err(StoreError::MadeBefore);
            }
            slot.begun =
                Some(Begun { connection, is_torn: false, is_lost: false, filled: Vec::new() });
        }
        let mut begun = OwnedMutexGuard::try_map(slot, |slot| slot.begun.as_mut())
            .map_err(|_| StoreError::MadeBefore)?;
        begun.mend().await?;
        Ok(begun)
    }

    /// Begins a part of the transaction. `open` begins the transaction itself.
    pub(crate) async fn write(
        &self,
        queues: &Queues,
        open: impl Future<Output = Result<Connection, StoreError>> + Send,
    ) -> Result<Transaction, StoreError> {
        let mut begun = self.begun(open).await?;
        Manages::begin_transaction(&mut *begun.connection).await?;
        Ok(Transaction {
            held: Held::Part(Part { begun, is_open: true }),
            queues: queues.clone(),
            filled: Vec::new(),
        })
    }

    /// The connection of the transaction, if it has begun.
    pub(crate) async fn read(&self) -> Result<Option<Reader>, StoreError> {
        let slot = Arc::clone(&self.slot).lock_owned().await;
        let Ok(mut begun) = OwnedMutexGuard::try_map(slot, |slot| slot.begun.as_mut()) else {
            return Ok(None);
        };
        begun.mend().await?;
        Ok(Some(Reader::Joint(begun)))
    }

    /// Whether the call had been made before, so that nothing was changed now.
    pub(crate) async fn was_made_before(&self) -> bool {
        self.slot.lock().await.was_made_before
    }

    /// Ends the transaction with a last part, and announces what the parts have added.
    pub(crate) async fn finish(
        &self,
        queues: &Queues,
        open: impl Future<Output = Result<Connection, StoreError>> + Send,
        last: impl AsyncFnOnce(&mut Conn) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        let mut begun = self.begun(open).await?;
        last(&mut begun.connection).await?;
        Manages::commit_transaction(&mut *begun.connection).await?;
        for queue in mem::take(&mut begun.filled) {
            queues.announce(queue);
        }
        drop(begun);
        self.slot.lock().await.begun = None;
        Ok(())
    }

    /// Whether anything was changed.
    pub(crate) async fn has_begun(&self) -> bool {
        self.slot.lock().await.begun.is_some()
    }
}

/// Adds the key of a call, without its answer. Returns whether it is new. If another transaction is
/// adding it, this waits for its end.
async fn add_key(connection: &mut Conn, call: &KeyedCall, now: Time) -> Result<bool, StoreError> {
    let fingerprint = match &*call.fingerprints {
        [first, ..] => &first[..],
        [] => &[],
    };
    let added = diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::caller.eq(&call.caller),
            idempotency_keys::key.eq(&call.key),
            idempotency_keys::fingerprint.eq(fingerprint),
            idempotency_keys::status.eq(0),
            idempotency_keys::content_type.eq(""),
            idempotency_keys::created_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(added > 0)
}
