//! Reads the master keys from the environment, or from a file that is created at the first start.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use tracing::warn;
use waggle_kernel::PortError;
use waggle_settings::ports::MasterKeySource;
use waggle_settings::{MasterKey, MasterKeys};

use crate::private_file;

/// The maximum size of a file of master keys, in bytes.
const MOST: u64 = 64 * 1024;

/// The comment at the beginning of a new file of master keys.
const HEAD: &str = "\
# Waggle's master key: anybody who has it can read every secret in the database.
# Keep a copy away from the database. The newest key is the first.
";

/// Where the master keys are.
#[derive(Clone, Debug)]
pub enum MasterKeyPlace {
    /// In `WAGGLE_MASTER_KEY`.
    Environment(SecretString),
    /// In a file that the operator named. It must exist.
    Named(PathBuf),
    /// In a file in the data folder, which is created when it is needed.
    DataDir(PathBuf),
}

/// Errors of reading or adding master keys.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{place}: {source}")]
    Invalid { place: String, source: waggle_settings::InvalidMasterKey },
    #[error(
        "the master key comes from WAGGLE_MASTER_KEY, which this command cannot change: for every \
         server, put a new key (openssl rand -base64 32) and a comma in front of the old one, \
         restart the server, and then run this command again"
    )]
    InEnvironment,
}

impl MasterKeyPlace {
    fn read(&self) -> Result<MasterKeys, Failure> {
        let (text, place) = match self {
            Self::Environment(text) => (text.clone(), "WAGGLE_MASTER_KEY".to_owned()),
            Self::Named(path) => (read(path)?, path.display().to_string()),
            Self::DataDir(path) => match read(path) {
                Ok(text) => (text, path.display().to_string()),
                Err(Failure::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    return Ok(MasterKeys::default());
                }
                Err(failure) => return Err(failure),
            },
        };
        MasterKeys::parse(text.expose_secret()).map_err(|source| Failure::Invalid { place, source })
    }

    fn add(&self, key: &MasterKey) -> Result<MasterKeys, Failure> {
        let path = match self {
            Self::Environment(_) => return Err(Failure::InEnvironment),
            Self::Named(path) | Self::DataDir(path) => path,
        };
        put_in_front(path, key).map_err(|source| Failure::File { path: path.clone(), source })?;
        self.read()
    }
}

#[async_trait]
impl MasterKeySource for MasterKeyPlace {
    async fn keys(&self) -> Result<MasterKeys, PortError> {
        let place = self.clone();
        aside("reading the master key", move || place.read()).await
    }

    async fn add(&self, key: &MasterKey) -> Result<MasterKeys, PortError> {
        let (place, text) = (self.clone(), key.text());
        aside("storing a new master key", move || {
            let key = MasterKey::parse(text.expose_secret()).map_err(|source| {
                Failure::Invalid { place: "the new master key".to_owned(), source }
            })?;
            place.add(&key)
        })
        .await
    }
}

async fn aside(
    doing: &'static str,
    work: impl FnOnce() -> Result<MasterKeys, Failure> + Send + 'static,
) -> Result<MasterKeys, PortError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|failure| PortError::broken(doing, failure)),
        Err(error) => Err(PortError::broken(doing, error)),
    }
}

fn read(path: &Path) -> Result<SecretString, Failure> {
    let failed = |source| Failure::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    warn_if_open_to_others(path, &file);
    whole(&file).map(Into::into).map_err(failed)
}

#[cfg(unix)]
fn warn_if_open_to_others(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt as _;
    let is_open = file.metadata().is_ok_and(|data| data.permissions().mode() & 0o007 != 0);
    if is_open {
        warn!(
            file = %path.display(),
            "every user of this machine can read the master key; run chmod 600 on the file"
        );
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_others(_path: &Path, _file: &File) {}

/// Rewrites the file with `key` as its first key. After a crash there is either the old file or the
/// new one. If two processes do this at the same time, the file has both keys. The owner and the
/// permissions of the file stay the same.
fn put_in_front(path: &Path, key: &MasterKey) -> io::Result<()> {
    // A symbolic link stays a link.
    let path = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        other => other?,
    };
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let lock = private_file::options().truncate(false).open(beside(".lock"))?;
    lock.lock()?;
    let (text, before) = match File::open(&path) {
        Ok(file) => (whole(&file)?, Some(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (HEAD.to_owned(), None),
        Err(error) => return Err(error),
    };
    let (comments, keys) = split(&text);
    let newline = if comments.is_empty() || comments.ends_with('\n') { "" } else { "\n" };
    let new = beside(".new");
    let mut file = private_file::options().truncate(true).open(&new)?;
    if let Some(before) = before {
        keep_owner(&file, &before)?;
    }
    let text = format!("{comments}{newline}{}\n{keys}", key.text().expose_secret());
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The text of a file. It is an error if the file is too large, because a part of it would have
/// another meaning.
fn whole(file: &File) -> io::Result<String> {
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::other(format!("it is larger than {MOST} bytes")));
    }
    Ok(text)
}

/// Keeps the owner and the permissions, because a server that runs as another user than this
/// command must still be able to read the file.
#[cfg(unix)]
fn keep_owner(file: &File, before: &std::fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        std::os::unix::fs::fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    file.set_permissions(before.permissions())
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _before: &std::fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// The comments at the beginning, and the rest.
fn split(text: &str) -> (&str, &str) {
    let length =
        text.split_inclusive('\n').take_while(|line| line.starts_with('#')).map(str::len).sum();
    text.split_at_checked(length).unwrap_or(("", text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::parse(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("waggle-keys-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_new_key_comes_first_and_only_the_owner_can_read_the_file() {
        let path = folder("front").join("master.key");
        let place = MasterKeyPlace::DataDir(path.clone());
        assert!(place.read().unwrap().newest().is_none());

        place.add(&key(1)).unwrap();
        let keys = place.add(&key(2)).unwrap();

        assert_eq!(keys.ids(), [key(2).id().clone(), key(1).id().clone()]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with('#'));
    }

    #[test]
    fn a_named_file_must_exist() {
        let place = MasterKeyPlace::Named(folder("named").join("nothing.key"));

        let error = place.read().map(drop).unwrap_err().to_string();

        assert!(error.contains("nothing.key"), "{error}");
    }

    #[test]
    fn an_invalid_key_is_reported_without_its_text() {
        let path = folder("wrong").join("master.key");
        std::fs::write(&path, "correct horse battery staple\n").unwrap();

        let error = MasterKeyPlace::Named(path).read().map(drop).unwrap_err().to_string();

        assert!(error.contains("32 random bytes") && !error.contains("horse"), "{error}");
    }

    #[test]
    fn a_symbolic_link_stays_a_link_and_the_mode_is_kept() {
        let folder = folder("link");
        let (real, link) = (folder.join("real.key"), folder.join("link.key"));
        std::fs::write(&real, "# no line break at the end").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();

        let keys = MasterKeyPlace::Named(link.clone()).add(&key(1)).unwrap();

        assert_eq!(keys.ids(), [key(1).id().clone()]);
        assert!(link.is_symlink());
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_file_that_is_too_large_is_not_truncated() {
        let path = folder("large").join("master.key");
        std::fs::write(&path, "#".repeat(70_000)).unwrap();

        assert!(MasterKeyPlace::Named(path.clone()).add(&key(1)).is_err());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 70_000);
    }

    #[test]
    fn processes_that_add_keys_at_the_same_time_lose_none() {
        let place = MasterKeyPlace::DataDir(folder("race").join("master.key"));

        std::thread::scope(|scope| {
            for byte in 1..=8 {
                let place = &place;
                scope.spawn(move || place.add(&key(byte)).unwrap());
            }
        });

        assert_eq!(place.read().unwrap().ids().len(), 8);
    }
}
