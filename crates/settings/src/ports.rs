//! The ports of this domain.

use std::ffi::OsString;

use async_trait::async_trait;
use thiserror::Error;
use waggle_kernel::{Page, PageRequest, PortError};

use crate::registry::Values;
use crate::revision::Revision;
use crate::stored::{Change, NewChanges, Resealed, Stored, StoredSecret};
use crate::vault::MasterKeys;

/// Errors of saving a change.
#[derive(Debug, Error)]
pub enum SaveError {
    /// Another change was saved after the one that this is based on. Nothing is changed.
    #[error("the settings were changed by another process")]
    Stale,
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Stores settings and the history of their changes.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SettingRepository: Send + Sync {
    /// Loads all settings.
    async fn load(&self) -> Result<Stored, PortError>;

    /// Saves a change, its history and its events in one step and returns its revision, which is
    /// the one after `based_on`. If this fails, nothing is changed. Other processes learn about the
    /// change through [`SettingChanges`].
    ///
    /// # Errors
    ///
    /// [`SaveError::Stale`] if `based_on` is not the last revision.
    async fn save(&self, changes: &NewChanges) -> Result<Revision, SaveError>;

    /// The changes of one setting or of all settings, newest first.
    async fn history(
        &self,
        key: Option<String>,
        page: PageRequest,
    ) -> Result<Page<Change>, PortError>;

    /// The changes that were made together as `revision`; empty if there is no such revision.
    async fn changes(&self, revision: Revision) -> Result<Vec<Change>, PortError>;

    /// All sealed values, including those in the history, and the revision at which they were read.
    async fn secrets(&self) -> Result<(Revision, Vec<StoredSecret>), PortError>;

    /// Overwrites all secrets and removes the lost ones in one step, and returns the revision. If
    /// this fails, nothing is changed. The history gets an entry under [`crate::MASTER_KEY`] with
    /// the names of both keys, and one for each setting that is lost.
    ///
    /// # Errors
    ///
    /// [`SaveError::Stale`] if settings were changed after the secrets were read.
    async fn reseal(&self, resealed: &Resealed) -> Result<Revision, SaveError>;
}

/// Notifies this process of changes that other processes make.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SettingChanges: Send {
    /// Waits until the last revision differs from `known`. A change is noticed within two seconds
    /// if the store answers at once.
    async fn wait(&mut self, known: Revision) -> Result<(), PortError>;
}

/// Reacts to settings that took effect in this process, whether this process or another changed
/// them. `()` does nothing.
#[async_trait]
pub trait SettingsObserver: Send + Sync {
    /// Called after a change, with the values that are in effect now. The change is complete only
    /// when this returns.
    async fn took_effect(&self, values: &Values);
}

#[async_trait]
impl SettingsObserver for () {
    async fn took_effect(&self, _values: &Values) {}
}

/// The environment of the process.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Environment: Send + Sync {
    /// The value of the variable `name`, if it is set.
    fn variable(&self, name: &str) -> Option<OsString>;
}

/// Provides the master keys, from wherever the operator put them.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait MasterKeySource: Send + Sync {
    /// The current keys; empty if none was provided.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the keys cannot be read or are invalid.
    async fn keys(&self) -> Result<MasterKeys, PortError>;

    /// Adds `key` before the existing keys, and returns all keys.
    ///
    /// # Errors
    ///
    /// [`PortError`] if this process cannot write where the keys are stored.
    async fn add(&self, key: &crate::vault::MasterKey) -> Result<MasterKeys, PortError>;
}
