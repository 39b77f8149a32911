//! What this domain needs from outside.

use std::ffi::OsString;

use async_trait::async_trait;
use thiserror::Error;
use waggle_kernel::{Page, PageRequest, PortError};

use crate::revision::Revision;
use crate::stored::{Change, NewChanges, Resealed, Stored, StoredSecret};
use crate::vault::MasterKeys;

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
    /// under [`crate::MASTER_KEY`] with the names of both keys, and one for each setting that is lost.
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
