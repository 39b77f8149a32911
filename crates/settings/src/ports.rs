//! What this domain needs from outside.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waggle_kernel::PortError;

/// Keeps the values that operators set.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SettingRepository: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn get(&self, key: &str) -> Result<Option<String>, PortError>;

    /// Keeps `value` for `key`, over an older one; `None` removes it.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then nothing is changed.
    async fn set(
        &self,
        key: &str,
        value: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<(), PortError>;
}

/// The environment of the process.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Environment: Send + Sync {
    /// The value of the variable `name`, if it is set.
    fn variable(&self, name: &str) -> Option<String>;
}
