//! What this domain needs from outside.

use std::ffi::OsString;
use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::{Page, PageRequest, PortError};

use crate::history::Change;
use crate::vault::{KeyId, MasterKeys, Sealed};

/// Counts the changes of all settings. It grows by one with each, and never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Revision(pub i64);

impl Revision {
    /// The one that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A value as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Kept {
    /// In the clear, as an older table has secrets, too.
    Clear(String),
    /// A secret.
    Sealed(Sealed),
}

impl fmt::Debug for Kept {
    /// Without the value, which may be a secret all the same.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clear(_) => formatter.write_str("Clear"),
            Self::Sealed(sealed) => sealed.fmt(formatter),
        }
    }
}

/// A setting as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSetting {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Kept,
    /// The change that set it.
    pub version: Revision,
    /// When that was.
    pub updated_at: DateTime<Utc>,
    /// Who that was; empty where it is not known.
    pub updated_by: String,
}

/// Everything that is kept. The settings may be newer than the revision, never older.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// The last change.
    pub revision: Revision,
    /// The master key that secrets are sealed with; `None` while there has been no secret.
    pub master_key: Option<KeyId>,
    /// The settings, by key.
    pub settings: Vec<StoredSetting>,
}

/// A change of one or more settings, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChanges {
    /// The last change that was known when this one was decided on.
    pub based_on: Revision,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// The master key that secrets are sealed with from now on.
    pub master_key: Option<KeyId>,
    /// What changes, each key once.
    pub changes: Vec<NewChange>,
}

/// How one setting changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChange {
    /// The setting.
    pub key: String,
    /// How it came to that.
    pub action: Action,
    /// What was kept before.
    pub from: Option<(Kept, Revision)>,
    /// What is kept from now on.
    pub to: Option<Kept>,
}

/// How a setting came to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Somebody set it.
    Set,
    /// Somebody removed it, back to the environment or the default.
    Unset,
    /// Somebody undid an earlier change.
    Undo,
    /// It came from a file.
    Import,
    /// A secret that was kept in the clear was sealed.
    Seal,
    /// Another master key was taken.
    RotateKey,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 6] =
        [Self::Set, Self::Unset, Self::Undo, Self::Import, Self::Seal, Self::RotateKey];

    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Unset => "unset",
            Self::Undo => "undo",
            Self::Import => "import",
            Self::Seal => "seal",
            Self::RotateKey => "rotate_key",
        }
    }
}

/// Why a change was not kept.
#[derive(Debug, Error)]
pub enum SaveError {
    /// There was another change since the one that it is based on; nothing is changed.
    #[error("the settings were changed by somebody else")]
    Stale,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The key under which the history has that another master key was taken.
pub const MASTER_KEY: &str = "master key";

/// Where a sealed value lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedAt {
    /// It is the value of this setting.
    Setting(String),
    /// It is what the change with this id replaced.
    Change(i64),
}

/// A sealed value with everything that is needed to seal it anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// Where it lies.
    pub at: SealedAt,
    /// The setting that it belongs to.
    pub key: String,
    /// The change that set it.
    pub version: Revision,
    /// The value.
    pub sealed: Sealed,
}

/// Every secret, sealed with another master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// The last change that was known when the secrets were read.
    pub based_on: Revision,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// The master key before.
    pub from: Option<KeyId>,
    /// The master key from now on.
    pub to: KeyId,
    /// The secrets.
    pub secrets: Vec<(SealedAt, Sealed)>,
    /// What is lost, because no key opens it: it is removed.
    pub lost: Vec<SealedAt>,
}

/// Keeps the values that people set, and what became of them.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SettingRepository: Send + Sync {
    /// Everything.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn load(&self) -> Result<Stored, PortError>;

    /// Keeps a change and its history in one step, and returns its revision: the one after `based_on`.
    /// Other processes learn of it through [`SettingChanges`].
    ///
    /// # Errors
    ///
    /// - [`SaveError::Stale`] if `based_on` is not the last revision; then nothing is changed.
    /// - [`SaveError::Port`] if the store cannot answer; then nothing is changed.
    async fn save(&self, changes: &NewChanges) -> Result<Revision, SaveError>;

    /// The changes of one setting or of all, newest first.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn history(
        &self,
        key: Option<String>,
        page: PageRequest,
    ) -> Result<Page<Change>, PortError>;

    /// The changes that were made at once as `revision`; none if there is no such revision.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn changes(&self, revision: Revision) -> Result<Vec<Change>, PortError>;

    /// Every sealed value, those of the history too, with the revision at which they were read.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn secrets(&self) -> Result<(Revision, Vec<StoredSecret>), PortError>;

    /// Writes every secret over and removes what is lost in one step, and returns the revision. The history has a line
    /// under [`MASTER_KEY`] with the names of both keys, and one for each setting that is lost.
    ///
    /// # Errors
    ///
    /// - [`SaveError::Stale`] if there was a change since the secrets were read; then nothing is changed.
    /// - [`SaveError::Port`] if the store cannot answer; then nothing is changed.
    async fn reseal(&self, resealed: &Resealed) -> Result<Revision, SaveError>;
}

/// Tells when another process changes a setting.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SettingChanges: Send {
    /// Waits until the last revision is not `known`. A change is seen within two seconds, where the store answers at once.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn wait(&mut self, known: Revision) -> Result<(), PortError>;
}

/// The environment of the process.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Environment: Send + Sync {
    /// The value of the variable `name`, if it is set.
    fn variable(&self, name: &str) -> Option<OsString>;
}

/// Gives the master keys, from wherever the operator put them.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait MasterKeySource: Send + Sync {
    /// The keys that there are now; none where nobody gave one.
    ///
    /// # Errors
    ///
    /// [`PortError`] if they cannot be read or make no sense.
    async fn keys(&self) -> Result<MasterKeys, PortError>;

    /// Puts `key` in front of the keys that there are, and returns all.
    ///
    /// # Errors
    ///
    /// [`PortError`] if they stand where this process cannot write.
    async fn add(&self, key: &crate::vault::MasterKey) -> Result<MasterKeys, PortError>;
}
