//! The connections to a database, of either kind.

use std::path::PathBuf;

use crate::{postgres, sqlite};

/// The connections to SQLite or to PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) enum Databases {
    Sqlite { pools: sqlite::Pools, path: PathBuf },
    Postgres { pools: postgres::Pools },
}
