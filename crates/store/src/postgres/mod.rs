//! The PostgreSQL backend: a pure Rust driver, for a database that several replicas can share.

mod connection;
mod new_batch;
pub(crate) mod text_index;
mod tls;
pub(crate) mod totals;
mod url;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bb8::PooledConnection;
use diesel::QueryableByName;
use diesel_async::pooled_connection::{ManagerConfig, PoolableConnection as _, RecyclingMethod};
use diesel_async::{
    AsyncConnection, RunQueryDsl as _, SimpleAsyncConnection as _, TransactionManager as _,
};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::connection::Manager;
pub(crate) use self::connection::{Conn, Db};
pub(crate) use self::transaction::{Joint, Reader, Transaction};
use crate::error::{StoreError, connection_lost, is_check_due};
use crate::foreign::{self, Name};
use crate::measures::Connections;
use crate::pool::{ConnectErrors, connections, get};
use crate::queues::Queues;

type Pool = bb8::Pool<Manager>;

// The same source as for SQLite, compiled with the connection type of this module.
#[expect(clippy::duplicate_mod, reason = "each database has its own instance of the repositories")]
#[path = "../repositories/mod.rs"]
pub(crate) mod repositories;
#[expect(clippy::duplicate_mod, reason = "each database has its own connection type")]
#[path = "../transaction.rs"]
mod transaction;

const CONNECTIONS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(5);
/// The maximum number of long queries that run at the same time.
const LONG_READS: usize = 3;
/// How long such a query waits for its turn. This is less than a request may take.
const LONG_PATIENCE: Duration = Duration::from_secs(25);

/// The connections to one database.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    pool: Pool,
    errors: ConnectErrors,
    pub(crate) queues: Queues,
    parameters: Arc<tls::Parameters>,
    long: Arc<Semaphore>,
}

impl Pools {
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let parameters = tls::Parameters::parse(url)?;
        suits(&parameters).await?;
        let mut config = ManagerConfig::<Conn>::default();
        // The driver soon notices when the server has closed a connection. Checking the other
        // connections costs a round trip, so they are checked only after one was lost.
        config.recycling_method = RecyclingMethod::CustomFunction(Box::new(|connection| {
            async {
                if connection.is_broken() {
                    connection_lost();
                    return Err(diesel::result::Error::BrokenTransactionManager);
                }
                if is_check_due() { connection.batch_execute("SELECT 1").await } else { Ok(()) }
            }
            .boxed()
        }));
        let of_pool = parameters.clone();
        config.custom_setup = Box::new(move |_| of_pool.clone().connect_bounded());
        let errors = ConnectErrors::default();
        let pool = bb8::Pool::builder()
            .max_size(CONNECTIONS)
            .test_on_check_out(true)
            .retry_connection(false)
            .connection_timeout(PATIENCE)
            .error_sink(Box::new(errors.clone()))
            .build_unchecked(Manager::new_with_config(String::new(), config));
        let (parameters, long) = (Arc::new(parameters), Arc::new(Semaphore::new(LONG_READS)));
        Ok(Self { pool, errors, queues: Queues::default(), parameters, long })
    }

    /// The connections of the pool.
    pub(crate) fn connections(&self) -> Vec<Connections> {
        vec![connections("all", &self.pool)]
    }

    /// A connection for a long query. Only a few run at the same time, which leaves connections for
    /// other queries. The rest wait.
    pub(crate) async fn read_long(&self) -> Result<LongRead, StoreError> {
        let permit = tokio::time::timeout(LONG_PATIENCE, Arc::clone(&self.long).acquire_owned());
        let busy = || StoreError::Connection("too many long queries are running".into());
        let permit = permit.await.ok().and_then(Result::ok).ok_or_else(busy)?;
        Ok(LongRead { connection: self.read().await?, _permit: permit })
    }

    /// A dedicated connection that receives notifications about changes of settings.
    pub(crate) async fn listen(&self) -> Result<Listener, StoreError> {
        let connected = tls::Parameters::clone(&self.parameters).connect().await;
        let mut connection = connected.map_err(|error| StoreError::Connection(error.into()))?;
        connection.batch_execute("LISTEN waggle_settings").await?;
        Ok(Listener { connection })
    }

    /// A connection outside a transaction.
    pub(crate) async fn read(&self) -> Result<Reader, StoreError> {
        if let Some(joint) = Joint::current()
            && let Some(reader) = Box::pin(joint.read()).await?
        {
            return Ok(reader);
        }
        Ok(Reader::Own(Box::new(get(&self.pool, &self.errors).await?)))
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
        let mut tries = 0;
        loop {
            let mut connection = get(&self.pool, &self.errors).await?;
            let begun =
                <Conn as AsyncConnection>::TransactionManager::begin_transaction(&mut *connection);
            let error = match begun.await {
                Ok(()) => return Ok(connection),
                Err(error) => StoreError::from(error),
            };
            // The server ended the session before the transaction began, so a retry repeats
            // nothing.
            if tries == CONNECTIONS || !(connection.is_broken() || error.is_about_lost_connection())
            {
                return Err(error);
            }
            connection_lost();
            tries += 1;
        }
    }

    /// Begins a transaction that is not worth waiting for.
    pub(crate) async fn write_briefly(&self) -> Result<Transaction, StoreError> {
        self.write().await
    }

    /// A dedicated connection for migrations, whose statements may take as long as they need.
    pub(crate) async fn migrator(&self) -> Result<Conn, StoreError> {
        let connected = tls::Parameters::clone(&self.parameters).connect().await;
        connected.map_err(|error| StoreError::Connection(error.into()))
    }
}

/// A connection for a long query.
pub(crate) struct LongRead {
    connection: Reader,
    _permit: OwnedSemaphorePermit,
}

impl LongRead {
    pub(crate) fn connection(&mut self) -> &mut Conn {
        &mut self.connection
    }

    /// Does nothing: what a later statement of a list does not find any more is left out, and what
    /// is new is on the next load.
    #[expect(clippy::unused_async, reason = "on SQLite there is something to wait for")]
    pub(crate) async fn begin_snapshot(&mut self) -> diesel::QueryResult<()> {
        Ok(())
    }

    #[expect(clippy::unused_async, reason = "on SQLite there is something to wait for")]
    pub(crate) async fn end_snapshot(self) -> diesel::QueryResult<()> {
        Ok(())
    }
}

/// Rejects a database that only seems to work: one that cannot store every text, one that belongs
/// to another program, or a pooler that gives each transaction another session. Such a pooler loses
/// prepared statements, locks and notifications.
async fn suits(parameters: &tls::Parameters) -> Result<(), StoreError> {
    #[derive(QueryableByName)]
    struct Session {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        backend: i32,
        #[diesel(sql_type = diesel::sql_types::Text)]
        encoding: String,
    }
    const QUESTION: &str = "SELECT pg_backend_pid() AS backend, \
                            current_setting('server_encoding') AS encoding";
    // Tables and views, except those of extensions.
    const TABLES: &str = "SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n \
                          ON n.oid = c.relnamespace WHERE n.nspname = current_schema() \
                          AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS \
                          (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
                          AND d.objid = c.oid AND d.deptype = 'e')";
    const POOLER: &str = "leads to a connection pooler in transaction mode, which loses prepared \
                          statements, locks and notifications; use its session mode, or connect \
                          to the server directly";

    let connect = || async {
        let connected = parameters.clone().connect().await;
        connected.map_err(|error| StoreError::Connection(error.into()))
    };
    let mut first = connect().await?;
    let asked = diesel::sql_query(QUESTION).get_result::<Session>(&mut first).await?;
    if !asked.encoding.eq_ignore_ascii_case("utf8") {
        return Err(StoreError::Url(format!(
            "leads to a database with the encoding {}; it must be UTF8 (CREATE DATABASE waggle \
             ENCODING 'UTF8' TEMPLATE template0)",
            asked.encoding
        )));
    }
    let tables: Vec<Name> = diesel::sql_query(TABLES).load(&mut first).await?;
    let steps: Vec<Name> = if foreign::has_record(&tables) {
        diesel::sql_query(foreign::STEPS).load(&mut first).await?
    } else {
        Vec::new()
    };
    if foreign::is_foreign(&tables, &steps) {
        let problem = "leads to a database with another program's tables and none of Waggle's; \
                       use a separate database, or a separate schema that already exists \
                       (options=-c%20search_path%3Dname)";
        return Err(StoreError::Url(problem.to_owned()));
    }
    // Two simultaneous sessions have different backends, and each session keeps its own.
    let mut second = connect().await?;
    second.batch_execute("BEGIN").await?;
    let other = diesel::sql_query(QUESTION).get_result::<Session>(&mut second).await;
    let again = tokio::time::timeout(
        PATIENCE,
        diesel::sql_query(QUESTION).get_result::<Session>(&mut first),
    );
    let is_pooled = match (other, again.await) {
        (Ok(other), Ok(Ok(again))) => {
            other.backend == asked.backend || again.backend != asked.backend
        }
        _ => true,
    };
    if is_pooled { Err(StoreError::Url(POOLER.to_owned())) } else { Ok(()) }
}

/// A connection that receives notifications about changes of settings.
pub(crate) struct Listener {
    connection: Conn,
}

impl Listener {
    /// Waits for a notification. Returns `false` if no more can arrive.
    pub(crate) async fn told(&mut self) -> bool {
        let mut stream = pin!(self.connection.notifications_stream());
        matches!(stream.next().await, Some(Ok(_)))
    }
}

/// The differences between the two databases.
pub(crate) mod dialect {
    use diesel::prelude::*;
    use waggle_kernel::{Cursor, Direction};

    pub(crate) use super::new_batch::{MOST_SOURCES, store_at_once};
    pub(crate) use super::text_index::may_contain;
    use super::{Conn, Pools};
    use crate::counts::Count;
    use crate::error::StoreError;
    use crate::run_query::RunQueryDsl;

    /// The clock of the database.
    pub(crate) const CLOCK: Option<&str> = Some("clock_timestamp()");
    /// Random bytes: 32, of which 244 bits are random.
    pub(crate) const RANDOM: &str =
        "uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) AS random";
    /// A new name for the course of events: 16 random hexadecimal digits.
    pub(crate) const NEW_EPOCH: &str = "left(replace(gen_random_uuid()::text, '-', ''), 16)";

    /// The posts that wait for the owner of their account, in the words of the partial index.
    pub(crate) const HELD: &str = "posts.is_held";

    /// Whether a batch and its tweets can be stored in one statement.
    pub(crate) const STORES_AT_ONCE: bool = true;

    /// Locks the rows of a query until the transaction ends.
    macro_rules! locked {
        ($query:expr) => {
            $query.for_update()
        };
    }
    /// Locks the rows of a query that no other transaction has locked, and skips the others.
    macro_rules! skip_locked {
        ($query:expr) => {
            $query.for_update().skip_locked()
        };
    }
    /// Keeps other transactions from changing the rows of a query. They can lock them the same way.
    macro_rules! share_locked {
        ($query:expr) => {
            $query.for_share()
        };
    }
    pub(crate) use {locked, share_locked, skip_locked};

    /// Whether a column is one of `numbers`.
    macro_rules! among {
        ($table:ident :: $column:ident, $numbers:expr) => {
            $table::$column.eq_any($numbers.to_vec())
        };
    }
    pub(crate) use among;

    /// `None`: an index has the order of each count.
    #[expect(clippy::unused_async, reason = "on SQLite there is something to wait for")]
    pub(crate) async fn next_by_count(
        _connection: &mut Conn,
        _count: Count,
        _direction: Direction,
        _after: Option<Cursor>,
        _most: i64,
    ) -> QueryResult<Option<Vec<(i64, i64)>>> {
        Ok(None)
    }

    /// `None`: the planner estimates from statistics how many tweets match.
    #[expect(clippy::unused_async, reason = "on SQLite there is something to wait for")]
    pub(crate) async fn with_at_least(
        _connection: &mut Conn,
        _count: Count,
        _least: i64,
        _most: i64,
    ) -> QueryResult<Option<Vec<i64>>> {
        Ok(None)
    }

    /// Does nothing: overwritten values are gone when PostgreSQL vacuums the table.
    #[expect(clippy::unused_async, reason = "on SQLite there is something to wait for")]
    pub(crate) async fn forget_old_pages(_pools: &Pools) -> Result<(), StoreError> {
        Ok(())
    }

    /// Notifies other processes that a setting was changed, when this transaction is committed.
    pub(crate) async fn tell_of_settings(connection: &mut Conn) -> QueryResult<()> {
        diesel::sql_query("NOTIFY waggle_settings").execute(connection).await.map(drop)
    }

    /// Takes the same table lock as a write to `users`, so that no transaction can lock the table
    /// between this and the write.
    pub(crate) async fn enter_users(connection: &mut Conn) -> QueryResult<()> {
        diesel::sql_query("LOCK TABLE users IN ROW EXCLUSIVE MODE")
            .execute(connection)
            .await
            .map(drop)
    }

    /// Prevents other transactions from changing users until this one ends.
    pub(crate) async fn lock_users(connection: &mut Conn) -> QueryResult<()> {
        diesel::sql_query("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
            .execute(connection)
            .await
            .map(drop)
    }

    /// Prevents other transactions from creating tokens until this one ends.
    pub(crate) async fn lock_tokens(connection: &mut Conn) -> QueryResult<()> {
        diesel::sql_query("LOCK TABLE api_tokens IN SHARE ROW EXCLUSIVE MODE")
            .execute(connection)
            .await
            .map(drop)
    }
}
