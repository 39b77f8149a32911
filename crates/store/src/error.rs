//! Errors of the store, and how much of them the ports reveal.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use thiserror::Error;
use waggle_kernel::PortError;

use crate::room;

/// Errors of the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No connection was available in time, or none could be opened.
    #[error("no connection to the database")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database rejected a statement")]
    Query(#[from] diesel::result::Error),
    /// A row contains an invalid value.
    #[error("the column {column} contains an invalid value")]
    Row {
        /// The table and the column.
        column: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Almost no space is left on the disk of the database file.
    #[error("less than {} KiB are free on the disk of {path}", needed / 1024)]
    NoRoom {
        path: String,
        /// The required free space, in bytes.
        needed: u64,
    },
    /// The call was made before, so nothing was changed.
    #[error("the call was made before with this Idempotency-Key")]
    MadeBefore,
    #[error("the migrations failed")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database URL {0}")]
    Url(String),
    #[error("{path} {problem}")]
    File {
        path: String,
        problem: &'static str,
        #[source]
        source: Option<std::io::Error>,
    },
}

/// The number of connections that must still be checked before they are used, because one in the
/// pool was closed: at most two rounds of the pool.
static CHECKS_DUE: AtomicU32 = AtomicU32::new(0);
const CHECKS: u32 = 16;

/// Whether the next connection must be checked before it is used.
pub(crate) fn is_check_due() -> bool {
    let one_less = |due: u32| due.checked_sub(1);
    CHECKS_DUE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
}

/// Records that the server closed a connection, so others may be closed, too.
pub(crate) fn connection_lost() {
    CHECKS_DUE.store(CHECKS, Ordering::Relaxed);
}

impl StoreError {
    /// Records what affects later calls: a full disk, or a lost connection.
    pub(crate) fn note(&self) {
        if self.is_about_lost_connection() {
            connection_lost();
        }
        if self.is_about_room() {
            room::was_missing();
        }
    }

    /// Whether the database has no space to write.
    pub fn is_about_room(&self) -> bool {
        const FULL: &[&str] =
            &["database or disk is full", "No space left on device", "disk quota exceeded"];
        matches!(self, Self::NoRoom { .. }) || self.says(FULL)
    }

    /// Whether the database rejects all writes, because it is a replica or the file is not
    /// writable.
    pub fn is_about_read_only(&self) -> bool {
        use diesel::result::{DatabaseErrorKind::ReadOnlyTransaction, Error};
        matches!(self, Self::Query(Error::DatabaseError(ReadOnlyTransaction, _)))
            || self.says(&["attempt to write a readonly database"])
    }

    /// Whether the message of the database contains one of these texts.
    fn says(&self, words: &[&str]) -> bool {
        let Self::Query(diesel::result::Error::DatabaseError(_, information)) = self else {
            return false;
        };
        words.iter().any(|words| information.message().contains(words))
    }

    /// Converts the error to the error of a port, where `doing` names the operation.
    pub(crate) fn during(self, doing: &'static str) -> PortError {
        self.note();
        if matches!(self, Self::MadeBefore) {
            PortError::repeated(doing, self)
        } else if self.is_about_room() {
            PortError::full(doing, self)
        } else if self.is_about_read_only() {
            PortError::read_only(doing, self)
        } else if self.is_transient() {
            PortError::unavailable(doing, self)
        } else {
            PortError::broken(doing, self)
        }
    }

    /// Whether to retry the transaction after `tries` tries, because PostgreSQL aborted it in favor
    /// of another.
    pub(crate) fn is_worth_another_try(&self, tries: u8) -> bool {
        const MOST: u8 = 5;
        tries < MOST && self.is_deadlock()
    }

    fn is_deadlock(&self) -> bool {
        self.says(&["deadlock detected"])
    }

    /// Whether the server ended the session of the statement.
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
            // The transaction did not begin, or its connection is gone.
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

/// What SQLite and PostgreSQL report when they cannot serve now, but may be able to later.
const OUTAGES: &[&str] = &[
    "database is locked",
    "the database system is",
    "too many clients",
    "remaining connection slots",
    // A timeout of the statement or of a lock, a conflict with recovery on a standby, or an
    // administrator.
    "canceling statement due to",
    "could not obtain lock",
];

/// Runs `work`, and names the operation in the error if it fails.
pub(crate) async fn during<T>(
    doing: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, PortError> {
    work.await.map_err(|error| error.during(doing))
}

/// Adds the name of the column to the error of reading its value.
pub(crate) fn column<E>(column: &'static str) -> impl FnOnce(E) -> StoreError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| StoreError::Row { column, source: error.into() }
}

/// Whether a statement failed because a unique value already exists.
pub(crate) fn is_unique_violation(error: &diesel::result::Error) -> bool {
    use diesel::result::{DatabaseErrorKind, Error};
    matches!(error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

/// Whether a statement failed because it refers to a row that does not exist.
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
    fn statements_that_postgres_cancels_can_be_retried() {
        use diesel::result::{DatabaseErrorKind, Error};
        for why in ["statement timeout", "lock timeout", "user request"] {
            let text = Box::new(format!("canceling statement due to {why}"));
            let error = Error::DatabaseError(DatabaseErrorKind::Unknown, text);

            let error = StoreError::from(error).during("writing");

            assert_eq!(error.kind(), PortErrorKind::Unavailable, "{why}");
        }
    }

    #[test]
    fn a_full_disk_is_reported_as_full() {
        let mut full = SqliteConnection::establish(":memory:").unwrap();
        full.batch_execute("PRAGMA max_page_count = 1").unwrap();

        let error = full.batch_execute("CREATE TABLE t (a TEXT)").unwrap_err();

        let error = StoreError::from(error).during("writing");
        assert_eq!(error.kind(), PortErrorKind::Full, "{error}");
    }
}
