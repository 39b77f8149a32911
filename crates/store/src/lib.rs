//! The repositories of Waggle, built on Diesel, for SQLite and PostgreSQL.
//!
//! Every query is written once, in `repositories/`. That module is compiled once for each database,
//! with the connection type of that database. The differences between the databases are in the
//! `dialect` modules of `sqlite/` and `postgres/`. Each method of a port is one transaction. Only
//! this crate contains SQL.
//!
//! ```no_run
//! # async fn example() -> Result<(), waggle_store::StoreError> {
//! use waggle_store::{Mode, Store};
//!
//! let store = Store::open("sqlite://data/waggle.db").await?;
//! store.migrate(Mode::Run).await?;
//! let ports = store.ports();
//! # drop(ports); Ok(()) }
//! ```

mod counts;
mod databases;
mod day_totals;
mod error;
mod foreign;
mod ids;
mod insert_many;
mod locked_tweet;
mod maintenance;
mod measures;
mod migrations;
mod new_batch;
mod once;
mod one_of;
mod pool;
mod postgres;
mod queues;
mod restored;
mod room;
mod run_query;
mod schema;
mod setting_changes;
mod sqlite;
mod texts;
mod types;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use waggle_accounts::ports::{
    AuthEventRepository, GoogleAccounts, MailQueue, PasskeyRepository, SecondFactorRepository,
    SessionRepository, SetupRepository, TokenRepository, UserRepository, VerificationRepository,
};
use waggle_audit::ports::EventLog;
use waggle_content::ports::{Ledger, PostRepository};
use waggle_kernel::{ActorRef, Limits, PortError};
use waggle_notifications::ports::NotificationRepository;
use waggle_settings::ports::{SettingChanges, SettingRepository};
use waggle_twitter_n8n::ports::{
    CampaignBatchRepository, GeneratedTweetRepository, PostQueue, SourceTweetRepository,
};

use self::databases::Databases;
pub use self::error::StoreError;
pub use self::maintenance::Maintenance;
pub use self::measures::{Connections, Measures, Symptoms};
pub use self::migrations::{MigrationStatus, Mode};
pub use self::once::{KeyedCall, Once, StoredAnswer};
pub use self::queues::{Queue, Queues};
pub use self::restored::{Restored, RestoredPost};
pub use self::sqlite::FileLock;

/// A database with Waggle's data.
#[derive(Clone, Debug)]
pub struct Store {
    databases: Databases,
}

/// All storage ports, implemented by the same database.
#[derive(Clone)]
pub struct Ports {
    pub tokens: Arc<dyn TokenRepository>,
    pub users: Arc<dyn UserRepository>,
    /// The link that makes the first admin.
    pub setup: Arc<dyn SetupRepository>,
    pub sessions: Arc<dyn SessionRepository>,
    /// The audit log of authentication.
    pub auth_events: Arc<dyn AuthEventRepository>,
    /// Rate limit counters.
    pub limits: Arc<dyn Limits>,
    /// Verification codes that were mailed.
    pub verifications: Arc<dyn VerificationRepository>,
    /// Mails that wait to be sent.
    pub mails: Arc<dyn MailQueue>,
    /// Google accounts that are linked to users.
    pub google: Arc<dyn GoogleAccounts>,
    pub second_factors: Arc<dyn SecondFactorRepository>,
    pub passkeys: Arc<dyn PasskeyRepository>,
    pub settings: Arc<dyn SettingRepository>,
    pub source_tweets: Arc<dyn SourceTweetRepository>,
    pub batches: Arc<dyn CampaignBatchRepository>,
    pub tweets: Arc<dyn GeneratedTweetRepository>,
    /// Turns approved tweets into posts.
    pub queue: Arc<dyn PostQueue>,
    /// Leases of posts, and attempts to publish them.
    pub ledger: Arc<dyn Ledger>,
    pub posts: Arc<dyn PostRepository>,
    /// The chain of all events.
    pub events: Arc<dyn EventLog>,
    pub notifications: Arc<dyn NotificationRepository>,
}

impl Ports {
    fn of<R>(repositories: R) -> Self
    where
        R: TokenRepository
            + UserRepository
            + SetupRepository
            + SessionRepository
            + AuthEventRepository
            + Limits
            + VerificationRepository
            + MailQueue
            + GoogleAccounts
            + SecondFactorRepository
            + PasskeyRepository
            + SettingRepository
            + SourceTweetRepository
            + CampaignBatchRepository
            + GeneratedTweetRepository
            + PostQueue
            + Ledger
            + PostRepository
            + EventLog
            + NotificationRepository
            + 'static,
    {
        let repositories = Arc::new(repositories);
        Self {
            tokens: repositories.clone(),
            users: repositories.clone(),
            setup: repositories.clone(),
            sessions: repositories.clone(),
            auth_events: repositories.clone(),
            limits: repositories.clone(),
            verifications: repositories.clone(),
            mails: repositories.clone(),
            google: repositories.clone(),
            second_factors: repositories.clone(),
            passkeys: repositories.clone(),
            settings: repositories.clone(),
            source_tweets: repositories.clone(),
            batches: repositories.clone(),
            tweets: repositories.clone(),
            queue: repositories.clone(),
            ledger: repositories.clone(),
            posts: repositories.clone(),
            events: repositories.clone(),
            notifications: repositories,
        }
    }
}

impl Store {
    /// Opens `sqlite://path`, creating the file if it does not exist, or `postgresql://...`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is neither, or the database cannot be reached. There is no
    /// fallback.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let databases = if let Some(path) = url.strip_prefix("sqlite://") {
            let path = sqlite_path(path)?;
            Databases::Sqlite { pools: sqlite::Pools::open(&path).await?, path }
        } else if url.starts_with("postgresql://") || url.starts_with("postgres://") {
            Databases::Postgres { pools: postgres::Pools::open(url).await? }
        } else {
            // The URL may have a password in it, so it is not repeated.
            let expected = "must begin with sqlite:// or postgresql://";
            return Err(StoreError::Url(expected.to_owned()));
        };
        Ok(Self { databases })
    }

    /// Opens a database that already contains Waggle's data. Does not create one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is no such database, and the errors of [`Store::open`].
    pub async fn open_existing(url: &str) -> Result<Self, StoreError> {
        let missing = || {
            let problem = "names a database without Waggle's data: run `waggle serve` or `waggle \
                           migrate` to create it, or set WAGGLE_DATA_DIR or WAGGLE_DATABASE_URL \
                           to its location";
            StoreError::Url(problem.to_owned())
        };
        if is_file_missing(url) {
            return Err(missing());
        }
        let store = Self::open(url).await?;
        if store.migration_status().await?.iter().all(|step| !step.applied) {
            return Err(missing());
        }
        Ok(store)
    }

    /// The queues that this process's workers wait for.
    #[must_use]
    pub fn queues(&self) -> Queues {
        match &self.databases {
            Databases::Sqlite { pools, .. } => pools.queues.clone(),
            Databases::Postgres { pools } => pools.queues.clone(),
        }
    }

    /// All migrations, and whether each is applied.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        migrations::status(&self.databases).await
    }

    /// The same as [`migration_status`](Self::migration_status), for a URL. Does not create a
    /// missing file.
    ///
    /// # Errors
    ///
    /// The errors of [`Store::open`].
    pub async fn migration_status_at(url: &str) -> Result<Vec<MigrationStatus>, StoreError> {
        if is_file_missing(url) {
            return migrations::none_applied();
        }
        Self::open(url).await?.migration_status().await
    }

    /// Applies the missing migrations and returns their names. Processes that migrate at the same
    /// time wait for each other.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a migration fails. That migration is not applied then.
    pub async fn migrate(&self, mode: Mode) -> Result<Vec<String>, StoreError> {
        migrations::migrate(&self.databases, mode).await
    }

    /// Locks the database for a server until the lock is dropped, because a SQLite file can have
    /// only one server. Work that an earlier, dead server had leased continues at once. PostgreSQL
    /// allows several servers, so there is no lock.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if another server holds the lock.
    pub async fn lock_for_server(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Option<FileLock>, StoreError> {
        match &self.databases {
            Databases::Sqlite { path, pools } => {
                let lock = FileLock::of_server(path)?;
                sqlite::end_all_leases(pools, now).await?;
                Ok(Some(lock))
            }
            Databases::Postgres { .. } => Ok(None),
        }
    }

    /// Copies the SQLite database at `database` into a new file, while it is in use. The copy is
    /// the state at one moment.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is no such database, `copy` exists, or it cannot be written. Then
    /// there is no copy.
    pub async fn back_up(database: &Path, copy: &Path) -> Result<(), StoreError> {
        if !database.exists() {
            return Err(missing(database));
        }
        let (database, copy) = (database.to_owned(), copy.to_owned());
        blocking(move || sqlite::backup::copy(&database, &copy)).await
    }

    /// Puts a copy of an SQLite database in the place of `database`, after
    /// [`after_restore`](Self::after_restore). Returns what that changed, and the new name of the
    /// file that was there before.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a server uses the database, or the copy is not one of Waggle or is
    /// damaged. Then nothing is replaced.
    pub async fn restore(
        database: &Path,
        copy: &Path,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<(Restored, Option<PathBuf>), StoreError> {
        if !copy.exists() {
            return Err(missing(copy));
        }
        // Behind a link, the database itself is replaced.
        let database = &std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
        let _lock = FileLock::of_server(database)?;
        let draft = sqlite::files::beside(database, ".restoring");
        if [database, &draft].into_iter().any(|file| is_same_file(copy, file)) {
            return Err(StoreError::File {
                path: copy.display().to_string(),
                problem: "is not a separate file; move the backup to another name",
                source: None,
            });
        }
        for end in ["", "-wal", "-shm"] {
            let left = sqlite::files::beside(&draft, end);
            sqlite::files::remove(&left).map_err(|source| StoreError::File {
                path: left.display().to_string(),
                problem: "was left by an earlier attempt, and cannot be removed",
                source: Some(source),
            })?;
        }
        let (from, to) = (copy.to_owned(), draft.clone());
        blocking(move || sqlite::backup::copy(&from, &to)).await?;
        let restored = Self::restore_draft(&draft, copy, by, now).await;
        if restored.is_err() {
            let _ = sqlite::files::remove(&draft);
        }
        let (restored, database) = (restored?, database.to_owned());
        let suffix = now.format(".before-restore-%Y%m%dT%H%M%S%.6fZ").to_string();
        let kept = blocking(move || sqlite::backup::put_in_place(&draft, &database, &suffix));
        Ok((restored, kept.await?))
    }

    async fn restore_draft(
        draft: &Path,
        copy: &Path,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Restored, StoreError> {
        let store = Self::open(&format!("sqlite://{}", draft.display())).await?;
        if store.migration_status().await?.iter().all(|step| !step.applied) {
            return Err(StoreError::File {
                path: copy.display().to_string(),
                problem: "is not a database of Waggle",
                source: None,
            });
        }
        store.migrate(Mode::Run).await?;
        let restored = store.after_restore(by, now).await?;
        if let Databases::Sqlite { pools, .. } = &store.databases {
            sqlite::dialect::forget_old_pages(pools).await?;
        }
        Ok(restored)
    }

    /// Makes sure that nothing goes out by itself after a backup was restored: queued posts wait
    /// for a person, and waiting mails and codes are removed. All sessions end, and streams of
    /// changes begin again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if storage fails. Then nothing is changed.
    pub async fn after_restore(
        &self,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Restored, StoreError> {
        match &self.databases {
            Databases::Sqlite { pools, .. } => {
                let repositories = sqlite::repositories::Repositories::new(pools.clone());
                repositories.after_restore(by, now).await
            }
            Databases::Postgres { pools } => {
                let repositories = postgres::repositories::Repositories::new(pools.clone());
                repositories.after_restore(by, now).await
            }
        }
    }

    /// All storage ports.
    pub fn ports(&self) -> Ports {
        match &self.databases {
            Databases::Sqlite { pools, .. } => {
                Ports::of(sqlite::repositories::Repositories::new(pools.clone()))
            }
            Databases::Postgres { pools } => {
                Ports::of(postgres::repositories::Repositories::new(pools.clone()))
            }
        }
    }

    /// Checks that the database answers and has free space.
    ///
    /// # Errors
    ///
    /// [`StoreError`], which says what is wrong.
    pub async fn check(&self) -> Result<(), StoreError> {
        match &self.databases {
            Databases::Sqlite { pools, path } => {
                sqlite::has_room(path.clone(), room::NEEDED).await?;
                sqlite::repositories::check(pools).await
            }
            Databases::Postgres { pools } => postgres::repositories::check(pools).await,
        }
    }

    /// Makes a call, unless it was made before with the same key. Everything that `work` changes,
    /// the key, and what `answer` returns are one transaction. So if the process dies, either all
    /// of it is stored or nothing. Calls with the same key at the same time wait for each other.
    ///
    /// If `answer` returns `None`, the call can be made again with the key. What `work` changed
    /// stays.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails. Then nothing is changed.
    pub async fn once<T: Send>(
        &self,
        call: &KeyedCall,
        now: DateTime<Utc>,
        work: impl Future<Output = T> + Send,
        answer: impl FnOnce(&T) -> Option<StoredAnswer> + Send,
    ) -> Result<Once<T>, PortError> {
        let once = match &self.databases {
            Databases::Sqlite { pools, .. } => {
                let repositories = sqlite::repositories::Repositories::new(pools.clone());
                repositories.once(call, now, work, answer).await
            }
            Databases::Postgres { pools } => {
                let repositories = postgres::repositories::Repositories::new(pools.clone());
                repositories.once(call, now, work, answer).await
            }
        };
        once.map_err(|error| error.during("making a call once"))
    }

    /// What may be wrong, as the database shows it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if storage fails.
    pub async fn symptoms(&self) -> Result<Symptoms, StoreError> {
        match &self.databases {
            Databases::Sqlite { pools, .. } => {
                sqlite::repositories::Repositories::new(pools.clone()).symptoms().await
            }
            Databases::Postgres { pools } => {
                postgres::repositories::Repositories::new(pools.clone()).symptoms().await
            }
        }
    }

    /// What waits in the database, for monitoring.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if storage fails.
    pub async fn measures(&self) -> Result<Measures, StoreError> {
        match &self.databases {
            Databases::Sqlite { pools, .. } => {
                sqlite::repositories::Repositories::new(pools.clone()).measures().await
            }
            Databases::Postgres { pools } => {
                postgres::repositories::Repositories::new(pools.clone()).measures().await
            }
        }
    }

    /// The connections of each pool of this process.
    #[must_use]
    pub fn connections(&self) -> Vec<Connections> {
        match &self.databases {
            Databases::Sqlite { pools, .. } => pools.connections(),
            Databases::Postgres { pools } => pools.connections(),
        }
    }

    /// What a worker does in the background.
    #[must_use]
    pub fn maintenance(&self) -> Maintenance {
        Maintenance::new(self.databases.clone())
    }

    /// Notifies of changes that other processes make to settings.
    pub fn setting_changes(&self) -> Box<dyn SettingChanges> {
        Box::new(setting_changes::Watch::new(self.databases.clone()))
    }

    /// The name of the database system, as shown to people.
    pub const fn kind(&self) -> &'static str {
        match self.databases {
            Databases::Sqlite { .. } => "SQLite",
            Databases::Postgres { .. } => "PostgreSQL",
        }
    }
}

/// Whether both paths lead to one file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let of = |path: &Path| std::fs::canonicalize(path).ok();
    of(one).is_some_and(|one| of(other) == Some(one))
}

fn missing(path: &Path) -> StoreError {
    StoreError::File { path: path.display().to_string(), problem: "does not exist", source: None }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Connection(error.into()))?
}

fn is_file_missing(url: &str) -> bool {
    url.strip_prefix("sqlite://").is_some_and(|path| !Path::new(path).exists())
}

fn sqlite_path(path: &str) -> Result<PathBuf, StoreError> {
    if path.is_empty() || path.contains(['?', '#']) {
        let expected = "does not name a file; use the form sqlite://path/to/waggle.db";
        return Err(StoreError::Url(expected.to_owned()));
    }
    let path = Path::new(path);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| StoreError::File {
            path: folder.display().to_string(),
            problem: "cannot be created",
            source: Some(source),
        })?;
    }
    Ok(path.to_owned())
}
