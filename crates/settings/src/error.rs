//! Why something could not be done with the settings.

use thiserror::Error;
use waggle_kernel::{Forbidden, PortError};

use crate::revision::Revision;
use crate::snapshot::Problem;
use crate::vault::{KeyId, SealedError};

/// Why that could not be done; then nothing is changed.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The actor may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such setting.
    #[error("there is no setting '{key}'; keys of your own begin with '{}'", crate::custom::PREFIX)]
    Unknown {
        /// The key.
        key: String,
    },
    /// A secret is not read this way.
    #[error("{key} is a secret")]
    Secret {
        /// The setting.
        key: String,
    },
    /// A key is there twice.
    #[error("{key} is there twice")]
    Twice {
        /// The setting.
        key: String,
    },
    /// Values make no sense.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
    /// Secrets that are kept would go to a new place.
    #[error(
        "{key} says where {} is sent: give it anew in the same change, or unset it before",
        secrets.join(" and ")
    )]
    Receiver {
        /// The setting that names the place.
        key: &'static str,
        /// The secrets that would be sent there.
        secrets: Vec<&'static str>,
    },
    /// There are too many settings of operators' own.
    #[error(
        "there are {most} settings under '{}' already, which is the most",
        crate::custom::PREFIX
    )]
    TooMany {
        /// The most that there may be.
        most: usize,
    },
    /// The setting was changed since.
    #[error("{key} was changed since: it is at version {}", current.0)]
    Stale {
        /// The setting.
        key: String,
        /// Its version now; 0 where it is not set.
        current: Revision,
    },
    /// So many others change settings that this change found no gap.
    #[error("others are changing the settings at the same time; try again")]
    Busy,
    /// There is no such change.
    #[error("there is no change {}", .0.0)]
    NoSuchChange(Revision),
    /// A change cannot be taken back.
    #[error("the change {} cannot be undone: {reason}", revision.0)]
    NotUndoable {
        /// The change.
        revision: Revision,
        /// Why.
        reason: String,
    },
    /// Secrets cannot be sealed.
    #[error("secrets are sealed with the master key {id}, which is not among those given")]
    NoMasterKey {
        /// The key that is in use.
        id: KeyId,
    },
    /// A secret does not open, so that it cannot be sealed anew.
    #[error("{key} {source}")]
    NotOpened {
        /// The setting.
        key: String,
        /// Why.
        source: SealedError,
    },
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
