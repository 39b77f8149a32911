//! The index of texts, which a worker keeps up to date.

use waggle_kernel::PortError;

use crate::databases::Databases;
use crate::error::{StoreError, during};
use crate::texts::Texts;
use crate::{postgres, sqlite};

/// Indexes the texts of tweets, so that searches do not read all texts.
///
/// Writing the index takes longer than writing the tweets, so it is done later, in portions.
/// Searches read the texts that are not in the index yet.
#[derive(Clone, Debug)]
pub struct TextIndex {
    databases: Databases,
}

impl TextIndex {
    pub(crate) const fn new(databases: Databases) -> Self {
        Self { databases }
    }

    /// Creates the index if it does not exist.
    ///
    /// # Errors
    ///
    /// [`PortError`] if PostgreSQL's extension `pg_trgm` is missing and this role may not create
    /// it. In that case, searches read all texts.
    pub async fn prepare(&self) -> Result<(), PortError> {
        during("creating the index of texts", async {
            match &self.databases {
                // The migration has created it.
                Databases::Sqlite { .. } => Ok(()),
                Databases::Postgres { pools } => {
                    Ok(postgres::text_index::prepare(&mut *pools.read().await?).await?)
                }
            }
        })
        .await
    }

    /// Indexes up to `most` waiting tweets of each kind, and returns how many they were. Several
    /// processes can do this at the same time.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails.
    pub async fn index_waiting(&self, most: u16) -> Result<usize, PortError> {
        during("indexing texts", async {
            let mut indexed = 0;
            for texts in Texts::ALL {
                indexed += match &self.databases {
                    Databases::Sqlite { pools, .. } => index_sqlite(pools, texts, most).await?,
                    Databases::Postgres { pools } => index_postgres(pools, texts, most).await?,
                };
            }
            Ok(indexed)
        })
        .await
    }
}

async fn index_sqlite(pools: &sqlite::Pools, texts: Texts, most: u16) -> Result<usize, StoreError> {
    // The single writer is not needed to find out that nothing is waiting.
    if !sqlite::text_index::is_any_waiting(&mut *pools.read().await?, texts).await? {
        return Ok(0);
    }
    let mut transaction = pools.write().await?;
    let indexed = sqlite::text_index::index_waiting(transaction.connection(), texts, most).await?;
    transaction.commit().await?;
    Ok(indexed)
}

async fn index_postgres(
    pools: &postgres::Pools,
    texts: Texts,
    most: u16,
) -> Result<usize, StoreError> {
    let mut transaction = pools.write().await?;
    let indexed =
        postgres::text_index::index_waiting(transaction.connection(), texts, most).await?;
    transaction.commit().await?;
    Ok(indexed)
}
