//! What can go wrong in here, and how little of it the ports say.

use std::future::Future;

use thiserror::Error;
use waggle_kernel::PortError;

/// A failure of the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No connection was free in time, or none could be made.
    #[error("no connection to the database")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database refused a statement.
    #[error("the database refused a statement")]
    Query(#[from] diesel::result::Error),
    /// A row makes no sense.
    #[error("the column {column} has a value that makes no sense")]
    Row {
        /// Table and column.
        column: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The schema could not be brought up to date.
    #[error("the migrations failed")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database URL makes no sense.
    #[error("the database URL {0}")]
    Url(String),
    /// A file could not be used.
    #[error("{path} {problem}")]
    File {
        /// Which.
        path: String,
        /// What is wrong.
        problem: &'static str,
        /// Why.
        #[source]
        source: Option<std::io::Error>,
    },
}

impl StoreError {
    /// The same as a port says it.
    pub(crate) fn during(self, doing: &'static str) -> PortError {
        if self.is_transient() {
            PortError::unavailable(doing, self)
        } else {
            PortError::broken(doing, self)
        }
    }

    /// Whether the transaction shall be tried again after `tries`: PostgreSQL ended it for another one's sake.
    pub(crate) fn is_worth_another_try(&self, tries: u8) -> bool {
        const MOST: u8 = 5;
        tries < MOST && self.is_deadlock()
    }

    fn is_deadlock(&self) -> bool {
        use diesel::result::Error;
        matches!(self, Self::Query(Error::DatabaseError(_, information))
            if information.message().contains("deadlock detected"))
    }

    fn is_transient(&self) -> bool {
        use diesel::result::{DatabaseErrorKind, Error};
        match self {
            Self::Connection(_) => true,
            Self::Query(Error::DatabaseError(kind, information)) => {
                matches!(
                    kind,
                    DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::ClosedConnection
                ) || information.message().contains("database is locked")
                    || information.message().contains("database or disk is full")
                    || self.is_deadlock()
            }
            _ => false,
        }
    }
}

/// Does `work` and says what was being done if it fails.
pub(crate) async fn during<T>(
    doing: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, PortError> {
    work.await.map_err(|error| error.during(doing))
}

/// Says which column a value was read from.
pub(crate) fn column<E>(column: &'static str) -> impl FnOnce(E) -> StoreError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| StoreError::Row { column, source: error.into() }
}

/// Whether the failure is that a unique value was there already.
pub(crate) fn is_unique_violation(error: &diesel::result::Error) -> bool {
    use diesel::result::{DatabaseErrorKind, Error};
    matches!(error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

/// Whether a statement failed because what it refers to is not there.
pub(crate) fn is_reference_violation(error: &diesel::result::Error) -> bool {
    use diesel::result::{DatabaseErrorKind, Error};
    matches!(error, Error::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _))
}
