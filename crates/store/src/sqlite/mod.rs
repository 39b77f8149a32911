//! The SQLite backend: one writer, several readers, and one process for each file.

pub(crate) mod backup;
mod connection;
mod count_order;
mod disk;
pub(crate) mod files;
mod runtime;
pub(crate) mod text_index;
pub(crate) mod totals;

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use bb8::PooledConnection;
use chrono::{DateTime, Utc};
use diesel::connection::{AnsiTransactionManager, SimpleConnection as _};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use diesel_async::pooled_connection::{ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, TransactionManager as _};
use futures_util::FutureExt as _;
use waggle_content::{DeliveryState, PostStatus};

use self::connection::Manager;
pub(crate) use self::connection::{Conn, Db};
pub(crate) use self::disk::has_room;
use self::files::make_private;
use self::runtime::OnWorker;
pub(crate) use self::transaction::{Joint, Reader, Transaction};
use crate::error::StoreError;
use crate::foreign::{self, Name};
use crate::measures::Connections;
use crate::pool::{ConnectErrors, connections, get};
use crate::queues::Queues;
use crate::schema::{deliveries, posts};
use crate::types::Time;

type Pool = bb8::Pool<Manager>;

// The same source as for PostgreSQL, compiled with the connection type of this module.
#[expect(clippy::duplicate_mod, reason = "each database has its own instance of the repositories")]
#[path = "../repositories/mod.rs"]
pub(crate) mod repositories;
#[expect(clippy::duplicate_mod, reason = "each database has its own connection type")]
#[path = "../transaction.rs"]
mod transaction;

const READERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(5);
/// The maximum number of long queries that run at the same time.
const LONG_READERS: u32 = 2;
/// How long such a query waits for its turn. This is less than a request may take.
const LONG_PATIENCE: Duration = Duration::from_secs(25);
/// The free space in bytes that SQLite needs to open a file at all: enough for the index of its
/// write-ahead log, with a margin.
const LEAST_ROOM: u64 = 64 * 1024;
/// How long to wait for a write that may be skipped.
const BRIEFLY: Duration = Duration::from_millis(50);

/// The connections to one file.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    writer: Pool,
    readers: Pool,
    /// For long queries. They run on separate threads, a few at the same time.
    long_readers: Pool,
    errors: ConnectErrors,
    pub(crate) queues: Queues,
}

impl Pools {
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let opened = Self::open_file(path).await;
        if opened.is_err() {
            // On a full disk, SQLite reports only an I/O error.
            has_room(path.to_owned(), LEAST_ROOM).await?;
        }
        opened
    }

    async fn open_file(path: &Path) -> Result<Self, StoreError> {
        make_private(path)?;
        let file = path.to_owned();
        let asked = tokio::task::spawn_blocking(move || is_foreign(&file));
        if asked.await.map_err(|error| StoreError::Connection(error.into()))?? {
            return Err(StoreError::File {
                path: path.display().to_string(),
                problem: "contains another program's tables and none of Waggle's; use a separate \
                          file",
                source: None,
            });
        }
        let errors = ConnectErrors::default();
        let aside = OnWorker { inline: false };
        let writer = pool(path, 1, WRITER_PRAGMAS, aside, PATIENCE, &errors);
        // The first connection creates the file and enables the write-ahead log.
        drop(get(&writer, &errors).await?);
        let inline = OnWorker { inline: true };
        let readers = pool(path, READERS, READER_PRAGMAS, inline, PATIENCE, &errors);
        let long_readers = pool(path, LONG_READERS, READER_PRAGMAS, aside, LONG_PATIENCE, &errors);
        Ok(Self { writer, readers, long_readers, errors, queues: Queues::default() })
    }

    /// A connection for a long query. It runs on a separate thread. Only a few run at the same
    /// time, and the rest wait.
    pub(crate) async fn read_long(&self) -> Result<LongRead, StoreError> {
        Ok(LongRead { connection: get(&self.long_readers, &self.errors).await? })
    }

    /// Begins a transaction that is not worth waiting for. Fails if another transaction is running,
    /// in this program or another.
    pub(crate) async fn write_briefly(&self) -> Result<Transaction, StoreError> {
        let busy = || StoreError::Connection("another transaction is running".into());
        let writer = tokio::time::timeout(BRIEFLY, get(&self.writer, &self.errors));
        let mut connection = writer.await.map_err(|_| busy())??;
        connection
            .spawn_blocking(|connection| {
                connection.batch_execute("PRAGMA busy_timeout = 0")?;
                let begun =
                    AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE");
                connection.batch_execute("PRAGMA busy_timeout = 5000")?;
                begun
            })
            .await?;
        Ok(Transaction::new(connection, &self.queues))
    }

    /// The connections of each pool.
    pub(crate) fn connections(&self) -> Vec<Connections> {
        vec![
            connections("writer", &self.writer),
            connections("readers", &self.readers),
            connections("long_readers", &self.long_readers),
        ]
    }

    /// A connection that can only read.
    pub(crate) async fn read(&self) -> Result<Reader, StoreError> {
        if let Some(joint) = Joint::current()
            && let Some(reader) = Box::pin(joint.read()).await?
        {
            return Ok(reader);
        }
        Ok(Reader::Own(Box::new(get(&self.readers, &self.errors).await?)))
    }

    /// Begins a transaction, which is rolled back unless it is committed.
    pub(crate) async fn write(&self) -> Result<Transaction, StoreError> {
        match Joint::current() {
            Some(joint) => Box::pin(joint.write(&self.queues, self.begin())).await,
            None => Ok(Transaction::new(self.begin().await?, &self.queues)),
        }
    }

    /// A connection on which a transaction has begun.
    pub(crate) async fn begin(&self) -> Result<PooledConnection<'static, Manager>, StoreError> {
        let mut connection = get(&self.writer, &self.errors).await?;
        // A deferred transaction that changes from reading to writing fails at once while another
        // one writes.
        connection
            .spawn_blocking(|connection| {
                AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")
            })
            .await?;
        Ok(connection)
    }

    /// The writer's connection, for migrations.
    pub(crate) async fn migrator(&self) -> Result<PooledConnection<'static, Manager>, StoreError> {
        get(&self.writer, &self.errors).await
    }
}

/// A connection for a long query.
pub(crate) struct LongRead {
    connection: PooledConnection<'static, Manager>,
}

impl LongRead {
    pub(crate) fn connection(&mut self) -> &mut Conn {
        &mut self.connection
    }

    /// Makes all following queries read the same state of the database. If this is dropped before
    /// [`end_snapshot`](Self::end_snapshot), the pool closes the connection.
    pub(crate) async fn begin_snapshot(&mut self) -> QueryResult<()> {
        <Conn as AsyncConnection>::TransactionManager::begin_transaction(&mut *self.connection)
            .await
    }

    pub(crate) async fn end_snapshot(mut self) -> QueryResult<()> {
        <Conn as AsyncConnection>::TransactionManager::commit_transaction(&mut *self.connection)
            .await
    }
}

/// Whether the file belongs to another program. The file is not changed.
fn is_foreign(path: &Path) -> Result<bool, StoreError> {
    let opened = SqliteConnection::establish(&path.to_string_lossy());
    let mut connection = opened.map_err(|error| StoreError::Connection(error.into()))?;
    connection.batch_execute("PRAGMA busy_timeout = 5000")?;
    let tables = diesel::sql_query(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') \
         AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
    );
    let tables: Vec<Name> = tables.load(&mut connection)?;
    let steps: Vec<Name> = if foreign::has_record(&tables) {
        diesel::sql_query(foreign::STEPS).load(&mut connection)?
    } else {
        Vec::new()
    };
    Ok(foreign::is_foreign(&tables, &steps))
}

/// Ends the leases of a process that is certainly dead, so that its work continues at once. A
/// delivery with an unknown outcome still waits until it is due to be reconciled.
pub(crate) async fn end_all_leases(pools: &Pools, now: DateTime<Utc>) -> Result<(), StoreError> {
    let now = Time::from(now);
    let mut transaction = pools.write().await?;
    let unknown = deliveries::table
        .filter(deliveries::state.eq(DeliveryState::Unknown.name()))
        .select(deliveries::post_id);
    let query = diesel::update(posts::table)
        .filter(posts::due_at.gt(now))
        .filter(posts::status.eq(PostStatus::Publishing.name()))
        .filter(posts::id.ne_all(unknown))
        .set(posts::due_at.eq(now));
    diesel_async::RunQueryDsl::execute(query, transaction.connection()).await?;
    transaction.commit().await
}

/// A checkpoint writes each page once, however often it was changed since the last one: with many
/// rows, pages of indexes in random order. So there are 8,000 pages (32 MB) between two instead of
/// 1,000.
const WRITER_PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
                              PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                              PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; \
                              PRAGMA secure_delete = FAST; PRAGMA wal_autocheckpoint = 8000;";
const READER_PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; \
                              PRAGMA temp_store = MEMORY; PRAGMA query_only = ON;";

fn pool(
    path: &Path,
    size: u32,
    pragmas: &'static str,
    runtime: OnWorker,
    patience: Duration,
    errors: &ConnectErrors,
) -> Pool {
    let mut config = ManagerConfig::<Conn>::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |url| {
        let opened = SqliteConnection::establish(url).and_then(|mut connection| {
            connection
                .batch_execute(pragmas)
                .map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(Conn::with_runtime(connection, runtime))
        });
        std::future::ready(opened).boxed()
    });
    bb8::Pool::builder()
        .max_size(size)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_on_check_out(false)
        .retry_connection(false)
        .connection_timeout(patience)
        .error_sink(Box::new(errors.clone()))
        .build_unchecked(Manager::new_with_config(path.to_string_lossy(), config))
}

/// The differences between the two databases.
pub(crate) mod dialect {

    use diesel::prelude::*;
    use diesel_async::SimpleAsyncConnection as _;

    pub(crate) use super::count_order::{next_by_count, with_at_least};
    pub(crate) use super::text_index::may_contain;
    use super::{Conn, Pools};
    use crate::error::StoreError;
    use crate::new_batch::NewBatch;

    /// The clock of the database, which is that of this machine.
    pub(crate) const CLOCK: Option<&str> = None;
    /// Random bytes: 32.
    pub(crate) const RANDOM: &str = "randomblob(32) AS random";
    /// A new name for the course of events: 16 random hexadecimal digits.
    pub(crate) const NEW_EPOCH: &str = "lower(hex(randomblob(8)))";

    /// The posts that wait for the owner of their account, in the words of the partial index.
    pub(crate) const HELD: &str = "posts.is_held = 1";

    /// Whether a batch and its tweets can be stored in one statement: an INSERT cannot be a part of
    /// another statement.
    pub(crate) const STORES_AT_ONCE: bool = false;
    /// The maximum number of source tweets of such a batch.
    pub(crate) const MOST_SOURCES: i64 = 0;

    /// Does nothing, see [`STORES_AT_ONCE`].
    #[expect(clippy::unused_async, reason = "on PostgreSQL there is something to wait for")]
    pub(crate) async fn store_at_once<B, T, E, O>(
        _connection: &mut Conn,
        _new: NewBatch<B, T, E, O>,
    ) -> QueryResult<Option<(i64, i64, i64)>> {
        Ok(None)
    }

    /// Does nothing to a query: the single writer makes locks unnecessary.
    macro_rules! unlocked {
        ($query:expr) => {
            $query
        };
    }
    pub(crate) use unlocked as locked;
    pub(crate) use unlocked as share_locked;
    pub(crate) use unlocked as skip_locked;

    /// Whether a column is one of `numbers`. They are one value of the statement, because the
    /// number of values is limited.
    macro_rules! among {
        ($table:ident :: $column:ident, $numbers:expr) => {
            diesel::dsl::sql::<diesel::sql_types::Bool>(concat!(
                stringify!($table),
                ".",
                stringify!($column),
                " IN (SELECT value FROM json_each("
            ))
            .bind::<diesel::sql_types::Text, _>(serde_json::Value::from($numbers).to_string())
            .sql("))")
        };
    }
    pub(crate) use among;

    /// Checkpoints the write-ahead log, so that overwritten pages leave it. While a reader uses the
    /// log, later checkpoints do. In the database file, the pages are overwritten
    /// (`secure_delete`).
    pub(crate) async fn forget_old_pages(pools: &Pools) -> Result<(), StoreError> {
        let mut writer = pools.migrator().await?;
        Ok(writer.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").await?)
    }

    /// Does nothing: SQLite cannot notify other processes, so they poll.
    #[expect(clippy::unused_async, reason = "on PostgreSQL there is something to wait for")]
    pub(crate) async fn tell_of_settings(_connection: &mut Conn) -> QueryResult<()> {
        Ok(())
    }

    /// Does nothing: the single writer makes locks unnecessary.
    #[expect(clippy::unused_async, reason = "on PostgreSQL there is something to wait for")]
    pub(crate) async fn enter_users(_connection: &mut Conn) -> QueryResult<()> {
        Ok(())
    }

    /// Does nothing: the single writer makes locks unnecessary.
    #[expect(clippy::unused_async, reason = "on PostgreSQL there is something to wait for")]
    pub(crate) async fn lock_users(_connection: &mut Conn) -> QueryResult<()> {
        Ok(())
    }

    /// Does nothing: the single writer makes locks unnecessary.
    #[expect(clippy::unused_async, reason = "on PostgreSQL there is something to wait for")]
    pub(crate) async fn lock_tokens(_connection: &mut Conn) -> QueryResult<()> {
        Ok(())
    }
}

/// A lock on a file for this process, held until it is dropped.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Locks the database file at `path` for a server. A second server is rejected.
    pub(crate) fn of_server(path: &Path) -> Result<Self, StoreError> {
        let file = lock_file(path, "server")?;
        file.try_lock().map_err(|_| StoreError::File {
            path: path.display().to_string(),
            problem: "is in use by another Waggle server; a SQLite file can have only one server",
            source: None,
        })?;
        Ok(Self { _file: file })
    }

    /// Locks the database file at `path` for a migration. Waits while another process holds this
    /// lock.
    pub(crate) fn of_migrator(path: &Path) -> Result<Self, StoreError> {
        let file = lock_file(path, "migrate")?;
        file.lock().map_err(|source| StoreError::File {
            path: path.display().to_string(),
            problem: "cannot be locked",
            source: Some(source),
        })?;
        Ok(Self { _file: file })
    }
}

fn lock_file(database: &Path, purpose: &str) -> Result<File, StoreError> {
    let path = files::beside(database, &format!("-{purpose}.lock"));
    OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|source| {
        StoreError::File {
            path: path.display().to_string(),
            problem: "cannot be opened",
            source: Some(source),
        }
    })
}

#[cfg(test)]
mod tests {
    use diesel_async::SimpleAsyncConnection as _;

    use crate::databases::Databases;
    use crate::{Mode, Store, room};

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_disk_where_only_small_writes_fit_is_called_full() {
        let folder = std::env::temp_dir().join(format!("waggle-room-{}", std::process::id()));
        let store = Store::open(&format!("sqlite://{}/waggle.db", folder.display())).await.unwrap();
        store.migrate(Mode::Run).await.unwrap();
        let Databases::Sqlite { pools, .. } = &store.databases else { unreachable!() };
        let mut writer = pools.migrator().await.unwrap();
        writer.batch_execute("PRAGMA max_page_count = 1").await.unwrap();
        drop(writer);
        room::was_missing();
        let mut small = pools.write().await.unwrap();
        small
            .connection()
            .batch_execute("UPDATE setting_state SET revision = revision")
            .await
            .unwrap();
        small.commit().await.unwrap();

        let error = store.check().await.unwrap_err();

        assert!(error.is_about_room(), "{error}");
        // That connection was closed, and its page limit is gone.
        store.check().await.unwrap();
        assert!(room::is_certain());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
