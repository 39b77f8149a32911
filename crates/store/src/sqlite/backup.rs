//! Copies a database file while it is in use, and puts a copy in its place.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;

use super::files::{beside, make_private, remove};
use crate::error::StoreError;

#[derive(QueryableByName)]
struct Verdict {
    #[diesel(sql_type = Text, column_name = "quick_check")]
    text: String,
}

/// Writes the state of a database at one moment into a new file, which only its owner can read.
/// Readers and writers go on meanwhile. The file is complete once it has its name.
pub(crate) fn copy(database: &Path, copy: &Path) -> Result<(), StoreError> {
    let unusable =
        |problem, source| StoreError::File { path: copy.display().to_string(), problem, source };
    if copy.exists() {
        return Err(unusable("exists already, and is not overwritten", None));
    }
    // Each run has a file of its own.
    let partial = beside(copy, &format!(".partial-{}", std::process::id()));
    remove(&partial).map_err(|source| unusable("cannot be written", Some(source)))?;
    make_private(&partial)?;
    let written = write(database, &partial).and_then(|()| {
        let synced = File::open(&partial).and_then(|file| file.sync_all());
        // Unlike renaming, this fails if the file exists by now.
        let named = synced.and_then(|()| fs::hard_link(&partial, copy));
        let named = named.and_then(|()| sync_folder_of(copy));
        named.map_err(|source| unusable("cannot be written", Some(source)))
    });
    let _ = remove(&partial);
    written
}

fn write(database: &Path, copy: &Path) -> Result<(), StoreError> {
    let open = |path: &Path| {
        let opened = SqliteConnection::establish(&path.to_string_lossy());
        opened.map_err(|error| StoreError::Connection(error.into()))
    };
    let mut connection = open(database)?;
    connection.batch_execute("PRAGMA busy_timeout = 5000")?;
    diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(copy.to_string_lossy())
        .execute(&mut connection)?;
    if fs::metadata(copy).map_or(0, |copy| copy.len()) == 0 {
        return Err(StoreError::Connection("the copy is empty".into()));
    }
    let verdict: Verdict = diesel::sql_query("PRAGMA quick_check").get_result(&mut open(copy)?)?;
    if verdict.text == "ok" {
        Ok(())
    } else {
        Err(StoreError::Connection(format!("the copy is damaged: {}", verdict.text).into()))
    }
}

/// Puts a database file in the place of another one, which keeps its contents under another name.
/// Returns that name, if there was one. No process may use either file.
pub(crate) fn put_in_place(
    new: &Path,
    database: &Path,
    suffix: &str,
) -> Result<Option<PathBuf>, StoreError> {
    let failed = |source| StoreError::File {
        path: database.display().to_string(),
        problem: "cannot be replaced",
        source: Some(source),
    };
    let log = beside(new, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(failed(io::Error::other("the new file still has a write-ahead log")));
    }
    let kept = beside(database, suffix);
    let is_there = database.exists();
    if is_there {
        // With its latest changes in the file itself, the database is whole at each of the next
        // steps. A damaged one may not allow that; then its log is kept beside it.
        let _ = empty_log(database);
    }
    if is_there {
        // The file has both names until it is replaced, so there always is a database.
        fs::hard_link(database, &kept).map_err(failed)?;
    }
    for end in ["-wal", "-shm"] {
        let file = beside(database, end);
        if file.exists() {
            fs::rename(&file, beside(&kept, end)).map_err(failed)?;
        }
    }
    rename(new, database).map_err(failed)?;
    for end in ["-wal", "-shm", "-migrate.lock"] {
        remove(&beside(new, end)).map_err(failed)?;
    }
    Ok(is_there.then_some(kept))
}

/// Moves what is in the write-ahead log of a database into its file.
fn empty_log(database: &Path) -> Result<(), StoreError> {
    let opened = SqliteConnection::establish(&database.to_string_lossy());
    let mut connection = opened.map_err(|error| StoreError::Connection(error.into()))?;
    Ok(connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?)
}

/// Renames a file, so that it has the new name after a power cut, too.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// Makes the name of a file survive a power cut.
fn sync_folder_of(to: &Path) -> io::Result<()> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
