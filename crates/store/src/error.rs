//! What can go wrong in here, and how little of it the ports say.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use thiserror::Error;
use waggle_kernel::PortError;

use crate::room;

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
    /// There is next to no room left where the file of the database is.
    #[error("less than {} KiB are free on the disk of {path}", needed / 1024)]
    NoRoom {
        /// The file.
        path: String,
        /// How many bytes have to be free.
        needed: u64,
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

/// How many connections are asked whether they are alive before they are used, because one of the
/// pool was not: at most two rounds of it.
static CHECKS_DUE: AtomicU32 = AtomicU32::new(0);
const CHECKS: u32 = 16;

/// Whether the next connection has to be asked whether it is alive.
pub(crate) fn is_check_due() -> bool {
    let one_less = |due: u32| due.checked_sub(1);
    CHECKS_DUE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
}

/// A connection was closed by the server, and others may be.
pub(crate) fn connection_lost() {
    CHECKS_DUE.store(CHECKS, Ordering::Relaxed);
}

impl StoreError {
    /// Remembers what concerns later calls: that the disk is full, or that a connection was lost.
    pub(crate) fn note(&self) {
        if self.is_about_lost_connection() {
            connection_lost();
        }
        if self.is_about_room() {
            room::was_missing();
        }
    }

    /// Whether the database has no room to write.
    pub fn is_about_room(&self) -> bool {
        const FULL: &[&str] =
            &["database or disk is full", "No space left on device", "disk quota exceeded"];
        matches!(self, Self::NoRoom { .. }) || self.says(FULL)
    }

    /// Whether the database takes no writes at all: a replica, or a file without the right to write.
    pub fn is_about_read_only(&self) -> bool {
        use diesel::result::{DatabaseErrorKind::ReadOnlyTransaction, Error};
        matches!(self, Self::Query(Error::DatabaseError(ReadOnlyTransaction, _)))
            || self.says(&["attempt to write a readonly database"])
    }

    /// Whether the database's message has one of these words.
    fn says(&self, words: &[&str]) -> bool {
        let Self::Query(diesel::result::Error::DatabaseError(_, information)) = self else {
            return false;
        };
        words.iter().any(|words| information.message().contains(words))
    }

    /// The same as a port says it.
    pub(crate) fn during(self, doing: &'static str) -> PortError {
        self.note();
        if self.is_about_room() {
            PortError::full(doing, self)
        } else if self.is_about_read_only() {
            PortError::read_only(doing, self)
        } else if self.is_transient() {
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
        self.says(&["deadlock detected"])
    }

    /// Whether the server ended the session that the statement was for.
    pub(crate) fn is_about_lost_connection(&self) -> bool {
        use diesel::result::{DatabaseErrorKind, Error};
        const LOST: &[&str] = &["terminating connection", "connection closed"];
        let lost = |kind: &DatabaseErrorKind| {
            matches!(
                kind,
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand
            )
        };
        match self {
            // In a transaction that did not begin or whose connection is gone.
            Self::Query(Error::BrokenTransactionManager | Error::NotInTransaction) => true,
            Self::Query(Error::DatabaseError(kind, _)) => lost(kind) || self.says(LOST),
            _ => false,
        }
    }

    fn is_transient(&self) -> bool {
        use diesel::result::{DatabaseErrorKind::SerializationFailure, Error};
        match self {
            Self::Connection(_) | Self::Query(Error::DatabaseError(SerializationFailure, _)) => {
                true
            }
            _ => self.is_about_lost_connection() || self.is_deadlock() || self.says(OUTAGES),
        }
    }
}

/// What SQLite and PostgreSQL say while they cannot serve, and may be able to later.
const OUTAGES: &[&str] = &[
    "database is locked",
    "the database system is",
    "too many clients",
    "remaining connection slots",
    // A timeout of the statement or of a lock, a standby that catches up, an administrator.
    "canceling statement due to",
    "could not obtain lock",
];

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

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection as _;
    use diesel::{Connection as _, SqliteConnection};
    use waggle_kernel::PortErrorKind;

    use super::StoreError;

    #[test]
    fn what_postgres_cancels_may_be_tried_again() {
        use diesel::result::{DatabaseErrorKind, Error};
        for why in ["statement timeout", "lock timeout", "user request"] {
            let text = Box::new(format!("canceling statement due to {why}"));
            let error = Error::DatabaseError(DatabaseErrorKind::Unknown, text);

            let error = StoreError::from(error).during("writing");

            assert_eq!(error.kind(), PortErrorKind::Unavailable, "{why}");
        }
    }

    #[test]
    fn a_full_disk_is_called_a_full_disk() {
        let mut full = SqliteConnection::establish(":memory:").unwrap();
        full.batch_execute("PRAGMA max_page_count = 1").unwrap();

        let error = full.batch_execute("CREATE TABLE t (a TEXT)").unwrap_err();

        let error = StoreError::from(error).during("writing");
        assert_eq!(error.kind(), PortErrorKind::Full, "{error}");
    }
}
