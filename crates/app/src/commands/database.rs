//! The database that a command works with.

use std::path::Path;

use waggle_store::{Mode, Store};

use super::output::Failure;
use crate::config::Config;

/// Opens the database.
pub(super) async fn open(config: &Config) -> Result<Store, Failure> {
    make_data_dir(&config.data_dir)?;
    Ok(Store::open(&config.database_url).await?)
}

/// Opens the database that is there, and brings it up to date. A command in the wrong folder makes
/// none.
pub(super) async fn open_existing(config: &Config) -> Result<Store, Failure> {
    bring_up_to_date(Store::open_existing(&config.database_url).await?).await
}

/// Opens the database, making it where it is missing, and brings it up to date.
pub(super) async fn open_current(config: &Config) -> Result<Store, Failure> {
    bring_up_to_date(open(config).await?).await
}

async fn bring_up_to_date(store: Store) -> Result<Store, Failure> {
    let applied = store.migrate(Mode::Run).await?;
    if !applied.is_empty() {
        tracing::info!(steps = ?applied, database = store.kind(), "the database was brought up to date");
    }
    Ok(store)
}

/// What is in there is for the owner alone.
pub(super) fn make_data_dir(path: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| format!("cannot make {}: {error}", path.display()).into())
}
