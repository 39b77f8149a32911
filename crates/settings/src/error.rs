//! Errors of the settings.

use thiserror::Error;
use waggle_kernel::{Forbidden, PortError};

use crate::revision::Revision;
use crate::snapshot::Problem;
use crate::vault::{KeyId, SealedError};

/// Errors of reading and changing settings. When one is returned, nothing is changed.
#[derive(Debug, Error)]
pub enum SettingsError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(
        "there is no setting '{key}'; keys of custom settings begin with '{}'",
        crate::custom::PREFIX
    )]
    Unknown { key: String },
    /// The setting is a secret, which [`get_setting`](crate::SettingsManager::get_setting) does not
    /// return.
    #[error("{key} is a secret")]
    Secret { key: String },
    /// A change lists the same key twice.
    #[error("{key} is listed twice")]
    Twice { key: String },
    /// One or more values are invalid.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
    /// Existing secrets would be sent to a new destination.
    #[error(
        "{key} determines where {} is sent: set the secret again in the same change, or unset it \
         first",
        secrets.join(" and ")
    )]
    Receiver {
        /// The setting that names the destination.
        key: &'static str,
        /// The secrets that would be sent there.
        secrets: Vec<&'static str>,
    },
    /// There are too many custom settings.
    #[error(
        "there are already {most} settings under '{}', which is the maximum",
        crate::custom::PREFIX
    )]
    TooMany {
        /// The maximum number of custom settings.
        most: usize,
    },
    /// The setting was changed after the expected version.
    #[error("{key} has been changed: its version is now {}", current.0)]
    Stale {
        key: String,
        /// The current version; 0 if the setting is not set.
        current: Revision,
    },
    /// In every try, another change was saved first.
    #[error("other changes to the settings are in progress; try again")]
    Busy,
    #[error("there is no change {}", .0.0)]
    NoSuchChange(Revision),
    #[error("change {} cannot be undone: {reason}", revision.0)]
    NotUndoable { revision: Revision, reason: String },
    /// Secrets cannot be sealed, because this process does not hold the master key in use.
    #[error("secrets are sealed with the master key {id}, which was not provided")]
    NoMasterKey {
        /// The name of the master key in use.
        id: KeyId,
    },
    /// A secret cannot be decrypted, so it cannot be sealed with another key.
    #[error("{key} {source}")]
    NotOpened { key: String, source: SealedError },
    #[error(transparent)]
    Port(#[from] PortError),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
