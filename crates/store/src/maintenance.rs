//! What a worker does so that calls do not have to: it indexes texts and adds up totals.

use waggle_kernel::PortError;

use crate::databases::Databases;
use crate::error::{StoreError, during};
use crate::texts::{Texts, Waiting, portion};
use crate::{postgres, sqlite};

/// Indexes the texts of tweets, so that searches do not read all texts, and adds up totals of
/// source tweets.
///
/// Writing the index takes longer than writing the tweets, and transactions would wait for each
/// other to change the same totals. So both are done later, in portions. Searches and totals also
/// read what is not in the index or the totals yet.
#[derive(Clone, Debug)]
pub struct Maintenance {
    databases: Databases,
}

impl Maintenance {
    pub(crate) const fn new(databases: Databases) -> Self {
        Self { databases }
    }

    /// Creates the index of texts if it does not exist. If many texts are stored without an index,
    /// this takes minutes, and edits and deletions of tweets wait.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails, or if PostgreSQL's extension `pg_trgm` is missing and this
    /// role may not create it. Without the index, searches read all texts.
    pub async fn prepare_index(&self) -> Result<(), PortError> {
        during("creating the index of texts", async {
            match &self.databases {
                // The migration has created it.
                Databases::Sqlite { .. } => Ok(()),
                Databases::Postgres { pools } => {
                    Ok(postgres::text_index::prepare(&mut pools.migrator().await?).await?)
                }
            }
        })
        .await
    }

    /// Indexes some of the waiting texts: up to `most` tweets of each kind, fewer if the texts are
    /// long. Returns whether more may be waiting. Several processes can do this at the same time.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails.
    pub async fn index_texts(&self, most: u16) -> Result<bool, PortError> {
        during("indexing texts", async {
            let mut are_more = false;
            for texts in Texts::ALL {
                are_more |= match &self.databases {
                    Databases::Sqlite { pools, .. } => index_sqlite(pools, texts, most).await?,
                    Databases::Postgres { pools } => index_postgres(pools, texts, most).await?,
                };
            }
            Ok(are_more)
        })
        .await
    }

    /// Adds up to `most` changes to the totals. Returns whether more may be waiting. Several
    /// processes can do this at the same time.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails.
    pub async fn add_up(&self, most: u16) -> Result<bool, PortError> {
        during("adding up totals", async {
            let added = match &self.databases {
                Databases::Sqlite { pools, .. } => add_up_sqlite(pools, most).await?,
                Databases::Postgres { pools } => {
                    postgres::totals::add_up(&mut *pools.read().await?, most).await?
                }
            };
            Ok(added >= usize::from(most))
        })
        .await
    }
}

async fn add_up_sqlite(pools: &sqlite::Pools, most: u16) -> Result<usize, StoreError> {
    let last = sqlite::totals::last_change(&mut *pools.read().await?, most).await?;
    let Some(last) = last else { return Ok(0) };
    let mut transaction = pools.write().await?;
    let added = sqlite::totals::add_up(transaction.connection(), last).await?;
    transaction.commit().await?;
    Ok(added)
}

/// Whether more tweets may be waiting than those of a portion.
fn are_more(waiting: &[Waiting], portion: &[i64], most: u16) -> bool {
    portion.len() < waiting.len() || waiting.len() >= usize::from(most)
}

async fn index_sqlite(pools: &sqlite::Pools, texts: Texts, most: u16) -> Result<bool, StoreError> {
    // The single writer is not needed to find out what is waiting. A tweet that is changed, deleted
    // or indexed in between is not indexed twice.
    let waiting = sqlite::text_index::waiting(&mut *pools.read().await?, texts, most).await?;
    let portion = portion(&waiting);
    if !portion.is_empty() {
        let mut transaction = pools.write().await?;
        sqlite::text_index::index(transaction.connection(), texts, &portion).await?;
        transaction.commit().await?;
    }
    Ok(are_more(&waiting, &portion, most))
}

async fn index_postgres(
    pools: &postgres::Pools,
    texts: Texts,
    most: u16,
) -> Result<bool, StoreError> {
    let mut transaction = pools.write().await?;
    let connection = transaction.connection();
    let waiting = postgres::text_index::waiting(connection, texts, most).await?;
    let portion = portion(&waiting);
    postgres::text_index::index(connection, texts, &portion).await?;
    transaction.commit().await?;
    Ok(are_more(&waiting, &portion, most))
}
