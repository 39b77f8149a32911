//! Whether the disk of the database has room.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::StoreError;

/// How many bytes have to be free: as much as a large request writes.
pub(crate) const NEEDED: u64 = 1 << 20;

/// Whether a large write has succeeded in this process, and none has failed for want of room since.
static IS_CERTAIN: AtomicBool = AtomicBool::new(false);

pub(crate) fn is_certain() -> bool {
    IS_CERTAIN.load(Ordering::Relaxed)
}

/// A large write has succeeded.
pub(crate) fn was_found() {
    IS_CERTAIN.store(true, Ordering::Relaxed);
}

/// A write failed for want of room.
pub(crate) fn was_missing() {
    IS_CERTAIN.store(false, Ordering::Relaxed);
}

/// Whether the disk of a file has `needed` free bytes. Where the system does not say, it has.
pub(crate) async fn is_left_at(file: PathBuf, needed: u64) -> Result<(), StoreError> {
    let is_too_little = move || {
        let disk = rustix::fs::statvfs(folder(&file)).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        (free < needed).then(|| StoreError::NoRoom { path: file.display().to_string(), needed })
    };
    // A disk across the network may take long to answer.
    tokio::task::spawn_blocking(is_too_little).await.ok().flatten().map_or(Ok(()), Err)
}

fn folder(file: &Path) -> &Path {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    #[tokio::test]
    async fn a_disk_has_less_room_than_there_can_be_and_more_than_none() {
        for file in ["waggle.db".into(), std::env::temp_dir().join("waggle.db")] {
            let file: PathBuf = file;
            assert!(super::is_left_at(file.clone(), 1).await.is_ok());

            let error = super::is_left_at(file, u64::MAX).await.unwrap_err();

            assert!(error.is_about_room(), "{error}");
        }
    }
}
