//! Opens the database for a command.

use std::path::Path;

use waggle_store::{Mode, Store};

use super::output::Failure;
use crate::config::Config;

/// Opens the database, and creates it if it does not exist.
pub(super) async fn open(config: &Config) -> Result<Store, Failure> {
    make_data_dir(&config.data_dir)?;
    Ok(Store::open(&config.database_url).await?)
}

/// Opens an existing database and applies missing migrations. It never creates a database, so that
/// a command in the wrong folder does not.
pub(super) async fn open_existing(config: &Config) -> Result<Store, Failure> {
    bring_up_to_date(Store::open_existing(&config.database_url).await?).await
}

/// Opens the database, creates it if it does not exist, and applies missing migrations.
pub(super) async fn open_current(config: &Config) -> Result<Store, Failure> {
    bring_up_to_date(open(config).await?).await
}

async fn bring_up_to_date(store: Store) -> Result<Store, Failure> {
    let applied = store.migrate(Mode::Run).await?;
    if !applied.is_empty() {
        tracing::info!(
            steps = ?applied,
            database = store.kind(),
            "the migrations of the database were applied"
        );
    }
    Ok(store)
}

/// Creates the data folder, which only its owner can access.
pub(super) fn make_data_dir(path: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|error| format!("cannot create {}: {error}", path.display()).into())
}
