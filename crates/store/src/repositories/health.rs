//! Checks that the database answers and that it has space for requests.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use diesel::prelude::*;
use tokio::sync::Mutex;

use super::{Pools, settings_revision};
use crate::error::StoreError;
use crate::room;
use crate::run_query::RunQueryDsl;
use crate::schema::setting_state;

static PROBE: Mutex<()> = Mutex::const_new(());

/// Runs a small query. If it is not certain that there is free space, also runs a large write and
/// rolls it back, because a small write fits even on a full disk.
pub(crate) async fn check(pools: &Pools) -> Result<(), StoreError> {
    settings_revision(pools).await?;
    if room::is_certain() {
        return Ok(());
    }
    // Only one large write runs at a time, however many checks are requested.
    let _one = PROBE.lock().await;
    if room::is_certain() {
        return Ok(());
    }
    match write_much(pools).await {
        Ok(()) => {
            room::was_found();
            Ok(())
        }
        Err(error) if error.is_about_room() => Err(error),
        // Another transaction is running, or nothing can be written at all. The next check tries
        // again.
        Err(_) => Ok(()),
    }
}

/// Writes as much as a large request does. The transaction is never committed.
async fn write_much(pools: &Pools) -> Result<(), StoreError> {
    // Text that a database cannot compress much.
    let word = |number: u64| {
        let mut hasher = DefaultHasher::new();
        number.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    };
    let words: String = (0..room::NEEDED / 16).map(word).collect();
    let mut transaction = pools.write_briefly().await?;
    diesel::update(setting_state::table)
        .set(setting_state::master_key.eq(Some(words)))
        .execute(transaction.connection())
        .await?;
    Ok(())
}
