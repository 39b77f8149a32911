//! Settings, their changes and their secrets, as they are kept.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::revision::Revision;
use crate::vault::{KeyId, Sealed};

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

/// A change of one setting, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub id: i64,
    /// The changes that were made at once have the same revision.
    pub revision: Revision,
    /// The setting.
    pub key: String,
    /// How it came to that.
    pub action: Action,
    /// What was kept before, and since which revision.
    pub from: Option<(Kept, Revision)>,
    /// What was kept from then on; `None` for a secret and for nothing.
    pub to: Option<String>,
    /// Whether anything was kept from then on.
    pub is_set: bool,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
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
