//! All repositories of Waggle, on Diesel, for SQLite and PostgreSQL.
//!
//! Every query is written once, in `repositories/`, which is compiled once for each database on that
//! database's connection type; what the two do not share stands in the `dialect` of `sqlite/` and
//! `postgres/`. A port method is one transaction. SQL is in this crate alone.
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

mod databases;
mod error;
mod foreign;
mod insert_many;
mod locked_tweet;
mod migrations;
mod one_of;
mod pool;
mod postgres;
mod room;
mod run_query;
mod schema;
mod setting_changes;
mod sqlite;
mod types;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use waggle_accounts::ports::{
    AuthEventRepository, GoogleAccounts, Limits, MailQueue, PasskeyRepository,
    SecondFactorRepository, SessionRepository, TokenRepository, UserRepository,
    VerificationRepository,
};
use waggle_content::ports::{Ledger, PostRepository};
use waggle_settings::ports::{SettingChanges, SettingRepository};
use waggle_twitter_n8n::ports::{
    CampaignBatchRepository, GeneratedTweetRepository, PostQueue, SourceTweetRepository,
};

use self::databases::Databases;
pub use self::error::StoreError;
pub use self::migrations::{MigrationStatus, Mode};
pub use self::sqlite::FileLock;

/// A database that Waggle's data is in.
#[derive(Clone, Debug)]
pub struct Store {
    databases: Databases,
}

/// Every storage port, implemented by the same database.
#[derive(Clone)]
pub struct Ports {
    /// API tokens.
    pub tokens: Arc<dyn TokenRepository>,
    /// People.
    pub users: Arc<dyn UserRepository>,
    /// People who are signed in.
    pub sessions: Arc<dyn SessionRepository>,
    /// What happened at the door.
    pub auth_events: Arc<dyn AuthEventRepository>,
    /// How often something was done.
    pub limits: Arc<dyn Limits>,
    /// Codes that were mailed.
    pub verifications: Arc<dyn VerificationRepository>,
    /// Mails that wait.
    pub mails: Arc<dyn MailQueue>,
    /// Google accounts.
    pub google: Arc<dyn GoogleAccounts>,
    /// Second factors.
    pub second_factors: Arc<dyn SecondFactorRepository>,
    /// Passkeys.
    pub passkeys: Arc<dyn PasskeyRepository>,
    /// Settings.
    pub settings: Arc<dyn SettingRepository>,
    /// Source tweets.
    pub source_tweets: Arc<dyn SourceTweetRepository>,
    /// Campaign batches.
    pub batches: Arc<dyn CampaignBatchRepository>,
    /// Generated tweets.
    pub tweets: Arc<dyn GeneratedTweetRepository>,
    /// The way from approved tweets to posts.
    pub queue: Arc<dyn PostQueue>,
    /// The ledger of publishing.
    pub ledger: Arc<dyn Ledger>,
    /// Posts.
    pub posts: Arc<dyn PostRepository>,
}

impl Ports {
    fn of<R>(repositories: R) -> Self
    where
        R: TokenRepository
            + UserRepository
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
            + 'static,
    {
        let repositories = Arc::new(repositories);
        Self {
            tokens: repositories.clone(),
            users: repositories.clone(),
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
            posts: repositories,
        }
    }
}

impl Store {
    /// Opens `sqlite://path`, making the file where it is missing, or `postgresql://...`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is neither, or the database cannot be reached. Nothing else is tried then.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let databases = if let Some(path) = url.strip_prefix("sqlite://") {
            let path = sqlite_path(path)?;
            Databases::Sqlite { pools: sqlite::Pools::open(&path).await?, path }
        } else if url.starts_with("postgresql://") || url.starts_with("postgres://") {
            Databases::Postgres { pools: postgres::Pools::open(url).await? }
        } else {
            // The URL may have a password in it, so it is not repeated.
            let expected = "begins neither with sqlite:// nor with postgresql://";
            return Err(StoreError::Url(expected.to_owned()));
        };
        Ok(Self { databases })
    }

    /// Opens a database that has Waggle's data in it; none is made.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is none, and for what [`Store::open`] fails with.
    pub async fn open_existing(url: &str) -> Result<Self, StoreError> {
        let missing = || {
            let problem = "names a database without Waggle's data: `waggle serve` or `waggle \
                           migrate` makes one, and WAGGLE_DATA_DIR or WAGGLE_DATABASE_URL says \
                           where it is";
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

    /// Every step of the schema and whether it is applied.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot answer.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        migrations::status(&self.databases).await
    }

    /// The same for a URL. No file is made where there is none.
    ///
    /// # Errors
    ///
    /// For what [`Store::open`] fails with.
    pub async fn migration_status_at(url: &str) -> Result<Vec<MigrationStatus>, StoreError> {
        if is_file_missing(url) {
            return migrations::none_applied();
        }
        Self::open(url).await?.migration_status().await
    }

    /// Brings the schema up to date and returns the names of the steps that were missing. Processes that
    /// do this at the same moment wait for one another.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a step fails; then that step is not applied.
    pub async fn migrate(&self, mode: Mode) -> Result<Vec<String>, StoreError> {
        migrations::migrate(&self.databases, mode).await
    }

    /// Holds the database for a server, until the lock is dropped: a SQLite file has one server. PostgreSQL
    /// has many, and no lock. The work of an earlier server that is dead for certain goes on at once.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if another server holds it.
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

    /// Every storage port.
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

    /// Whether the database answers, and has room for more.
    ///
    /// # Errors
    ///
    /// [`StoreError`], which says what is the matter.
    pub async fn check(&self) -> Result<(), StoreError> {
        match &self.databases {
            Databases::Sqlite { pools, path } => {
                sqlite::has_room(path.clone(), room::NEEDED).await?;
                sqlite::repositories::check(pools).await
            }
            Databases::Postgres { pools } => postgres::repositories::check(pools).await,
        }
    }

    /// Tells when another process changes a setting.
    pub fn setting_changes(&self) -> Box<dyn SettingChanges> {
        Box::new(setting_changes::Watch::new(self.databases.clone()))
    }

    /// The name of the database's kind, for people.
    pub const fn kind(&self) -> &'static str {
        match self.databases {
            Databases::Sqlite { .. } => "SQLite",
            Databases::Postgres { .. } => "PostgreSQL",
        }
    }
}

fn is_file_missing(url: &str) -> bool {
    url.strip_prefix("sqlite://").is_some_and(|path| !Path::new(path).exists())
}

fn sqlite_path(path: &str) -> Result<PathBuf, StoreError> {
    if path.is_empty() || path.contains(['?', '#']) {
        let expected = "names no file; expected is sqlite://path/to/waggle.db";
        return Err(StoreError::Url(expected.to_owned()));
    }
    let path = Path::new(path);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| StoreError::File {
            path: folder.display().to_string(),
            problem: "cannot be made",
            source: Some(source),
        })?;
    }
    Ok(path.to_owned())
}
