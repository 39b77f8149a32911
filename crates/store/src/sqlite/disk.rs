//! Checks the free space on the disk of a file.

use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// Checks that the disk of a file has `needed` free bytes. If the system does not report the free
/// space, the check succeeds.
pub(crate) async fn has_room(file: PathBuf, needed: u64) -> Result<(), StoreError> {
    let is_too_little = move || {
        let disk = rustix::fs::statvfs(folder(&file)).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        (free < needed).then(|| StoreError::NoRoom { path: file.display().to_string(), needed })
    };
    // A network disk may take long to answer.
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
    async fn a_disk_has_more_than_no_space_and_less_than_the_maximum() {
        for file in ["waggle.db".into(), std::env::temp_dir().join("waggle.db")] {
            let file: PathBuf = file;
            assert!(super::has_room(file.clone(), 1).await.is_ok());

            let error = super::has_room(file, u64::MAX).await.unwrap_err();

            assert!(error.is_about_room(), "{error}");
        }
    }
}
