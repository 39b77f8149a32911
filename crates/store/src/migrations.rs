//! Migrates the schema, in one process at a time.

use std::time::Duration;

use diesel::migration::{
    Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion,
};
use diesel_async::{AsyncMigrationHarness, RunQueryDsl as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::databases::Databases;
use crate::error::StoreError;
use crate::{postgres, sqlite};

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The key of the advisory lock: any number that no other program uses.
const LOCK: i64 = 0x77_61_67_67_6c_65;

/// A migration, and whether it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The number and name of the migration.
    pub name: String,
    /// Whether it was run, or recorded as run.
    pub applied: bool,
}

/// What to do with migrations that are not recorded as run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Run,
    /// Record them as run, for a schema that already exists.
    Fake,
}

/// The answer to a yes-or-no query.
#[derive(diesel::QueryableByName)]
struct Reply {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    is_so: bool,
}

/// Runs or records the missing migrations and returns their names, oldest first.
pub(crate) async fn migrate(databases: &Databases, mode: Mode) -> Result<Vec<String>, StoreError> {
    match databases {
        Databases::Sqlite { pools, path } => {
            let path = path.clone();
            let _lock = blocking(move || sqlite::FileLock::of_migrator(&path)).await?;
            let connection = pools.migrator().await?;
            blocking(move || pending(AsyncMigrationHarness::new(connection), SQLITE, mode)).await
        }
        Databases::Postgres { pools } => {
            let mut guard = pools.migrator().await?;
            lock(&mut guard).await?;
            let connection = pools.migrator().await?;
            let result =
                blocking(move || pending(AsyncMigrationHarness::new(connection), POSTGRES, mode))
                    .await;
            diesel::sql_query("SELECT pg_advisory_unlock($1)")
                .bind::<diesel::sql_types::BigInt, _>(LOCK)
                .execute(&mut guard)
                .await?;
            result
        }
    }
}

/// All migrations, for a database that does not exist.
pub(crate) fn none_applied() -> Result<Vec<MigrationStatus>, StoreError> {
    compare::<diesel::sqlite::Sqlite>(&SQLITE, &[])
}

/// All migrations, and whether each is recorded.
pub(crate) async fn status(databases: &Databases) -> Result<Vec<MigrationStatus>, StoreError> {
    match databases {
        Databases::Sqlite { pools, .. } => {
            let mut connection = pools.migrator().await?;
            let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master \
                       WHERE name = '__diesel_schema_migrations') AS is_so";
            let Reply { is_so } = diesel::sql_query(sql).get_result(&mut connection).await?;
            blocking(move || statuses(AsyncMigrationHarness::new(connection), &SQLITE, is_so)).await
        }
        Databases::Postgres { pools } => {
            let mut connection = pools.migrator().await?;
            let sql = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS is_so";
            let Reply { is_so } = diesel::sql_query(sql).get_result(&mut connection).await?;
            blocking(move || statuses(AsyncMigrationHarness::new(connection), &POSTGRES, is_so))
                .await
        }
    }
}

/// Takes the lock that replicas share. The lock is polled, because a session that waits for a lock
/// inside the server would block an index that is built concurrently.
async fn lock(connection: &mut postgres::Conn) -> Result<(), StoreError> {
    loop {
        let Reply { is_so: taken } = diesel::sql_query("SELECT pg_try_advisory_lock($1) AS is_so")
            .bind::<diesel::sql_types::BigInt, _>(LOCK)
            .get_result(connection)
            .await?;
        if taken {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Migration(error.into()))?
}

fn pending<DB, H>(
    mut harness: H,
    source: EmbeddedMigrations,
    mode: Mode,
) -> Result<Vec<String>, StoreError>
where
    DB: diesel::backend::Backend + 'static,
    H: MigrationHarness<DB>,
{
    let known: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(StoreError::Migration)?;
    let applied = harness.applied_migrations().map_err(StoreError::Migration)?;
    let is_known =
        |step: &MigrationVersion<'_>| known.iter().any(|one| one.name().version() == *step);
    if let Some(unknown) = applied.iter().find(|step| !is_known(step)) {
        let text = format!(
            "the database has the migration {unknown}, which this version of Waggle does not \
             know: a newer version has upgraded the database. Use that version, or restore an \
             earlier backup"
        );
        return Err(StoreError::Migration(text.into()));
    }
    let run = match mode {
        Mode::Run => harness.run_pending_migrations(source),
        Mode::Fake => harness.run_pending_migrations(Faked(source)),
    };
    let versions = run.map_err(StoreError::Migration)?;
    Ok(versions.into_iter().map(|version| version.to_string()).collect())
}

/// The status of all migrations. If there is no table of applied migrations, none is created,
/// because the database may belong to another program.
fn statuses<DB, H>(
    mut harness: H,
    source: &EmbeddedMigrations,
    is_recorded: bool,
) -> Result<Vec<MigrationStatus>, StoreError>
where
    DB: diesel::backend::Backend,
    H: MigrationHarness<DB>,
{
    let applied = if is_recorded {
        harness.applied_migrations().map_err(StoreError::Migration)?
    } else {
        Vec::new()
    };
    compare::<DB>(source, &applied)
}

fn compare<DB: diesel::backend::Backend>(
    source: &EmbeddedMigrations,
    applied: &[MigrationVersion<'_>],
) -> Result<Vec<MigrationStatus>, StoreError> {
    let known: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(StoreError::Migration)?;
    Ok(known
        .into_iter()
        .map(|migration| MigrationStatus {
            name: migration.name().to_string(),
            applied: applied.contains(&migration.name().version()),
        })
        .collect())
}

/// The same migrations, but none of them does anything.
struct Faked(EmbeddedMigrations);

impl<DB: diesel::backend::Backend + 'static> MigrationSource<DB> for Faked {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<DB>>>> {
        let real: Vec<Box<dyn Migration<DB>>> = self.0.migrations()?;
        Ok(real
            .into_iter()
            .map(|step| Box::new(FakedStep(step)) as Box<dyn Migration<DB>>)
            .collect())
    }
}

struct FakedStep<DB: diesel::backend::Backend>(Box<dyn Migration<DB>>);

impl<DB: diesel::backend::Backend> Migration<DB> for FakedStep<DB> {
    fn run(
        &self,
        _: &mut dyn diesel::connection::BoxableConnection<DB>,
    ) -> diesel::migration::Result<()> {
        Ok(())
    }

    fn revert(
        &self,
        _: &mut dyn diesel::connection::BoxableConnection<DB>,
    ) -> diesel::migration::Result<()> {
        Ok(())
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        self.0.metadata()
    }

    fn name(&self) -> &dyn MigrationName {
        self.0.name()
    }
}
