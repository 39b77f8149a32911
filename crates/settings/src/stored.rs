//! The stored form of settings, of their changes and of their secrets.

use std::fmt;

use chrono::{DateTime, Utc};
use waggle_kernel::{ActorRef, named_enum};

use crate::revision::Revision;
use crate::vault::{KeyId, Sealed};

/// The stored form of a value.
#[derive(Clone, PartialEq, Eq)]
pub enum Kept {
    /// Plain text. In the table of the Django application, secrets are plain text, too.
    Clear(String),
    Sealed(Sealed),
}

impl fmt::Debug for Kept {
    /// Omits the value, because even plain text may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clear(_) => formatter.write_str("Clear"),
            Self::Sealed(sealed) => sealed.fmt(formatter),
        }
    }
}

/// The stored form of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSetting {
    pub key: String,
    pub value: Kept,
    /// The revision of the change that set it.
    pub version: Revision,
    pub updated_at: DateTime<Utc>,
    /// Empty if unknown.
    pub updated_by: String,
}

/// All stored settings. They may be newer than the revision, but never older.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// The last revision.
    pub revision: Revision,
    /// The master key that seals secrets; `None` if none is in use.
    pub master_key: Option<KeyId>,
    /// Each key occurs once.
    pub settings: Vec<StoredSetting>,
}

/// A change of one or more settings, applied in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChanges {
    /// The last revision that was known when the change was planned.
    pub based_on: Revision,
    pub at: DateTime<Utc>,
    pub by: ActorRef,
    /// The master key that seals secrets from now on.
    pub master_key: Option<KeyId>,
    /// Each key occurs once.
    pub changes: Vec<NewChange>,
}

/// The change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChange {
    pub key: String,
    pub action: Action,
    /// The previous value and its version; `None` if the setting was not set.
    pub from: Option<(Kept, Revision)>,
    /// The new value; `None` if the setting is unset.
    pub to: Option<Kept>,
}

named_enum! {
    /// The kind of a change.
    pub enum Action: "action" {
        Set = "set",
        /// The setting was removed: the environment or the default applies again.
        Unset = "unset",
        /// An earlier change was undone.
        Undo = "undo",
        /// The value was imported from a file.
        Import = "import",
        /// A secret in plain text was sealed.
        Seal = "seal",
        /// The master key was rotated.
        RotateKey = "rotate_key",
    }
}

/// The stored form of a change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub id: i64,
    /// Changes that were made together have the same revision.
    pub revision: Revision,
    pub key: String,
    pub action: Action,
    /// The previous value and its version; `None` if there is none.
    pub from: Option<(Kept, Revision)>,
    /// The new value; `None` if it is a secret or the setting was unset.
    pub to: Option<String>,
    /// Whether the setting was set after the change.
    pub is_set: bool,
    pub at: DateTime<Utc>,
    pub by: String,
}

/// The key of the history entries about rotations of the master key.
pub const MASTER_KEY: &str = "master key";

/// Where a sealed value is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedAt {
    /// As the value of this setting.
    Setting(String),
    /// As the previous value in the change with this id.
    Change(i64),
}

/// A sealed value, with everything that is needed to reseal it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    pub at: SealedAt,
    /// The setting that it belongs to.
    pub key: String,
    /// The revision of the change that set it.
    pub version: Revision,
    pub sealed: Sealed,
}

/// All secrets, sealed with another master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// The last revision when the secrets were read.
    pub based_on: Revision,
    pub at: DateTime<Utc>,
    pub by: ActorRef,
    /// The previous master key; `None` if none was in use.
    pub from: Option<KeyId>,
    /// The new master key.
    pub to: KeyId,
    pub secrets: Vec<(SealedAt, Sealed)>,
    /// The values to remove, because no key decrypts them.
    pub lost: Vec<SealedAt>,
}
