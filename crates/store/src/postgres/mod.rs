//! PostgreSQL, spoken in pure Rust; what several replicas share.

mod tls;
mod url;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bb8::PooledConnection;
use diesel::QueryableByName;
use diesel::pg::Pg;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolableConnection as _, RecyclingMethod,
};
use diesel_async::{
    AsyncConnection, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _,
    TransactionManager as _,
};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{StoreError, connection_lost, is_check_due};
use crate::foreign::{self, Name};
use crate::pool::{ConnectErrors, get};

pub(crate) type Db = Pg;
pub(crate) type Conn = AsyncPgConnection;
type Manager = AsyncDieselConnectionManager<Conn>;
type Pool = bb8::Pool<Manager>;

// The same source as for SQLite, on this module's connection type.
#[expect(clippy::duplicate_mod, reason = "each database has its own instance of the repositories")]
#[path = "../repositories/mod.rs"]
pub(crate) mod repositories;

const CONNECTIONS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(5);
/// How many queries run at a time that may take long.
const LONG_READS: usize = 3;
/// How long such a query waits for its turn: less than a request may take.
const LONG_PATIENCE: Duration = Duration::from_secs(25);

/// The connections to one database.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    pool: Pool,
    errors: ConnectErrors,
    parameters: Arc<tls::Parameters>,
    long: Arc<Semaphore>,
}

impl Pools {
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let parameters = tls::Parameters::parse(url)?;
        suits(&parameters).await?;
        let mut config = ManagerConfig::<Conn>::default();
        // The driver soon knows when the server has closed a connection. Only after one was lost
        // are the others asked, which costs a round trip.
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
        Ok(Self { pool, errors, parameters, long })
    }

    /// A connection for a query that may take long. Few run at a time, so that they leave
    /// connections to the others; the rest wait.
    pub(crate) async fn read_long(&self) -> Result<LongRead, StoreError> {
        let permit = tokio::time::timeout(LONG_PATIENCE, Arc::clone(&self.long).acquire_owned());
        let busy = || StoreError::Connection("too many long queries are under way".into());
        let permit = permit.await.ok().and_then(Result::ok).ok_or_else(busy)?;
        Ok(LongRead { connection: self.read().await?, _permit: permit })
    }

    /// A connection of its own that is told of changes of settings.
    pub(crate) async fn listen(&self) -> Result<Listener, StoreError> {
        let connected = tls::Parameters::clone(&self.parameters).connect().await;
        let mut connection = connected.map_err(|error| StoreError::Connection(error.into()))?;
        connection.batch_execute("LISTEN waggle_settings").await?;
        Ok(Listener { connection })
    }

    /// A connection outside a transaction.
    pub(crate) async fn read(&self) -> Result<PooledConnection<'static, Manager>, StoreError> {
        get(&self.pool, &self.errors).await
    }

    /// A transaction; it is rolled back unless it is committed.
    pub(crate) async fn write(&self) -> Result<Transaction, StoreError> {
        let mut tries = 0;
        loop {
            let mut connection = get(&self.pool, &self.errors).await?;
            let begun =
                <Conn as AsyncConnection>::TransactionManager::begin_transaction(&mut *connection);
            let error = match begun.await {
                Ok(()) => return Ok(Transaction { connection }),
                Err(error) => StoreError::from(error),
            };
            // Nothing has begun, so nothing is repeated: the server has ended the session.
            if tries == CONNECTIONS || !(connection.is_broken() || error.is_about_lost_connection())
            {
                return Err(error);
            }
            connection_lost();
            tries += 1;
        }
    }

    /// A transaction that is not worth waiting for.
    pub(crate) async fn write_briefly(&self) -> Result<Transaction, StoreError> {
        self.write().await
    }

    /// A connection of its own to migrate with, whose statements may take as long as they need.
    pub(crate) async fn migrator(&self) -> Result<Conn, StoreError> {
        let connected = tls::Parameters::clone(&self.parameters).connect().await;
        connected.map_err(|error| StoreError::Connection(error.into()))
    }
}

/// A connection for a query that may take long.
pub(crate) struct LongRead {
    connection: PooledConnection<'static, Manager>,
    _permit: OwnedSemaphorePermit,
}

impl LongRead {
    pub(crate) fn connection(&mut self) -> &mut Conn {
        &mut self.connection
    }
}

/// Refuses what only seems to work: a database that cannot keep every text, one that is in use by
/// another program, and a pooler that gives
/// each transaction another session, so that prepared statements, locks and notifications get lost.
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
    // Tables and views; those of an extension belong to nobody.
    const TABLES: &str = "SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n \
         ON n.oid = c.relnamespace WHERE n.nspname = current_schema() \
         AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS (SELECT 1 FROM pg_depend d \
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";
    const POOLER: &str = "leads to a pooler in transaction mode, which loses what Waggle prepares, \
                          locks and listens to; use its session mode, or the server itself";

    let connect = || async {
        let connected = parameters.clone().connect().await;
        connected.map_err(|error| StoreError::Connection(error.into()))
    };
    let mut first = connect().await?;
    let asked = diesel::sql_query(QUESTION).get_result::<Session>(&mut first).await?;
    if !asked.encoding.eq_ignore_ascii_case("utf8") {
        return Err(StoreError::Url(format!(
            "leads to a database with the encoding {}; it has to be UTF8 (CREATE DATABASE waggle \
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
        let problem = "leads to another program's tables and none of Waggle's; Waggle needs a \
                       database of its own, or a schema of its own that is there \
                       (options=-c%20search_path%3Dname)";
        return Err(StoreError::Url(problem.to_owned()));
    }
    // Two sessions at a time have two backends, and each keeps its own.
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

/// A connection that is told of changes of settings.
pub(crate) struct Listener {
    connection: Conn,
}

impl Listener {
    /// Waits until something is told; `false` if nothing will be any more.
    pub(crate) async fn told(&mut self) -> bool {
        let mut stream = pin!(self.connection.notifications_stream());
        matches!(stream.next().await, Some(Ok(_)))
    }
}

/// A transaction that has begun.
pub(crate) struct Transaction {
    connection: PooledConnection<'static, Manager>,
}

impl Transaction {
    pub(crate) fn connection(&mut self) -> &mut Conn {
        &mut self.connection
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        Ok(<Conn as AsyncConnection>::TransactionManager::commit_transaction(&mut *self.connection)
            .await?)
    }
}

/// What the two databases do not share.
pub(crate) mod dialect {
    use crate::run_query::RunQueryDsl;
    use diesel::prelude::*;

    use super::{Conn, Pools};
    use crate::error::StoreError;
    use crate::locked_tweet::LockedTweet;
    use crate::schema::{
        campaign_batches, generated_tweets, limit_counters, mails, posts, setting_state,
        source_tweets, twitter_posts, users,
    };
    use crate::types::Time;

    /// As the partial index has it.
    pub(crate) const NOT_PROCESSED: &str = "NOT is_processed";

    /// The ids of source tweets that nobody has in hand, oldest first, and that no other transaction picks.
    pub(crate) async fn waiting_source_tweets(
        connection: &mut Conn,
        holder: &str,
        now: Time,
        most: i64,
    ) -> QueryResult<Vec<i64>> {
        source_tweets::table
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>(NOT_PROCESSED))
            .filter(
                source_tweets::lease.is_null().or(source_tweets::leased_until.le(now)).or(
                    source_tweets::lease
                        .eq(source_tweets::run_key.nullable())
                        .and(source_tweets::received_from.eq(holder)),
                ),
            )
            .order(source_tweets::id)
            .limit(most)
            .select(source_tweets::id)
            .for_update()
            .skip_locked()
            .load(connection)
            .await
    }

    /// The ids of posts that are due, oldest first, and that no other transaction picks.
    pub(crate) async fn due_posts(
        connection: &mut Conn,
        platforms: &[&str],
        now: Time,
        most: i64,
    ) -> QueryResult<Vec<i64>> {
        posts::table
            .filter(posts::due_at.le(now))
            .filter(posts::platform.eq_any(platforms))
            .order((posts::due_at, posts::id))
            .limit(most)
            .select(posts::id)
            .for_update()
            .skip_locked()
            .load(connection)
            .await
    }

    /// The ids of mails that are due, oldest first, and that no other transaction takes.
    pub(crate) async fn due_mails(
        connection: &mut Conn,
        now: Time,
        most: i64,
    ) -> QueryResult<Vec<i64>> {
        mails::table
            .filter(mails::due_at.le(now))
            .order((mails::due_at, mails::id))
            .limit(most)
            .select(mails::id)
            .for_update()
            .skip_locked()
            .load(connection)
            .await
    }

    /// The keys of counters whose time was over before `end` and that no other transaction holds.
    pub(crate) async fn counters_over(
        connection: &mut Conn,
        end: Time,
        most: i64,
    ) -> QueryResult<Vec<String>> {
        limit_counters::table
            .filter(limit_counters::window_ends_at.lt(end))
            .order(limit_counters::window_ends_at)
            .limit(most)
            .select(limit_counters::key)
            .for_update()
            .skip_locked()
            .load(connection)
            .await
    }

    /// The id of the batch with this name, which stays as it is until the transaction ends.
    pub(crate) async fn lock_batch(
        connection: &mut Conn,
        batch_id: &str,
    ) -> QueryResult<Option<i64>> {
        campaign_batches::table
            .filter(campaign_batches::batch_id.eq(batch_id))
            .select(campaign_batches::id)
            .for_update()
            .first(connection)
            .await
            .optional()
    }

    /// The batch with this id stays as it is until the transaction ends.
    pub(crate) async fn lock_batch_by_id(connection: &mut Conn, id: i64) -> QueryResult<()> {
        campaign_batches::table
            .find(id)
            .select(campaign_batches::id)
            .for_update()
            .first::<i64>(connection)
            .await
            .optional()
            .map(drop)
    }

    /// The generated tweet, which stays as it is until the transaction ends.
    pub(crate) async fn lock_tweet(
        connection: &mut Conn,
        id: i64,
    ) -> QueryResult<Option<LockedTweet>> {
        generated_tweets::table
            .find(id)
            .select(LockedTweet::as_select())
            .for_update()
            .first(connection)
            .await
            .optional()
    }

    /// The post stays as it is until the transaction ends. Its status.
    pub(crate) async fn lock_post(connection: &mut Conn, id: i64) -> QueryResult<Option<String>> {
        posts::table.find(id).select(posts::status).for_update().first(connection).await.optional()
    }

    /// The post of a generated tweet and its status, which stays as it is until the transaction ends.
    pub(crate) async fn lock_post_of_tweet(
        connection: &mut Conn,
        tweet: i64,
    ) -> QueryResult<Option<(i64, String)>> {
        let of_tweet = twitter_posts::table
            .filter(twitter_posts::generated_tweet_id.eq(tweet))
            .select(twitter_posts::post_id);
        posts::table
            .filter(posts::id.eq_any(of_tweet))
            .select((posts::id, posts::status))
            .for_update()
            .first(connection)
            .await
            .optional()
    }

    /// Nothing: what was written over is gone when PostgreSQL vacuums the table.
    #[expect(clippy::unused_async, reason = "on SQLite there is something to wait for")]
    pub(crate) async fn forget_old_pages(_pools: &Pools) -> Result<(), StoreError> {
        Ok(())
    }

    /// Tells other processes, when this transaction is committed, that a setting was changed.
    pub(crate) async fn tell_of_settings(connection: &mut Conn) -> QueryResult<()> {
        diesel::sql_query("NOTIFY waggle_settings").execute(connection).await.map(drop)
    }

    /// The password of a user, whether they are active, and the version. It stays as it is until the transaction ends.
    pub(crate) async fn lock_user(
        connection: &mut Conn,
        id: i64,
    ) -> QueryResult<Option<(String, bool, i64)>> {
        // As whoever writes to users does: so that nobody who locks the table comes in between this and the writing.
        diesel::sql_query("LOCK TABLE users IN ROW EXCLUSIVE MODE").execute(connection).await?;
        users::table
            .find(id)
            .select((users::password, users::is_active, users::version))
            .for_update()
            .first(connection)
            .await
            .optional()
    }

    /// The name of the master key in use, which nobody changes until the transaction ends.
    pub(crate) async fn master_key_in_use(connection: &mut Conn) -> QueryResult<Option<String>> {
        setting_state::table.select(setting_state::master_key).for_share().first(connection).await
    }

    /// Keeps other transactions from changing users until this one ends.
    pub(crate) async fn lock_users(connection: &mut Conn) -> QueryResult<()> {
        diesel::sql_query("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
            .execute(connection)
            .await
            .map(drop)
    }

    /// Keeps other transactions from making tokens until this one ends.
    pub(crate) async fn lock_tokens(connection: &mut Conn) -> QueryResult<()> {
        diesel::sql_query("LOCK TABLE api_tokens IN SHARE ROW EXCLUSIVE MODE")
            .execute(connection)
            .await
            .map(drop)
    }
}
