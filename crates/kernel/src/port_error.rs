//! The one opaque error of every port: what failed is for the log, not for the caller.

use std::error::Error as StdError;

use thiserror::Error;

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortErrorKind {
    /// The counterpart is busy or away; the same call may succeed later.
    Unavailable,
    /// It has no room to write; reading goes on.
    Full,
    /// It takes no writes; reading goes on.
    ReadOnly,
    /// It broke; trying again is no help.
    Broken,
}

/// What stands behind a port could not answer. Its source is kept for the log.
#[derive(Debug, Error)]
#[error("{doing} failed")]
pub struct PortError {
    /// What was being done, as a gerund: `saving a tweet`.
    doing: &'static str,
    kind: PortErrorKind,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
}

impl PortError {
    /// `doing` broke because of `source`.
    pub fn broken(doing: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { doing, kind: PortErrorKind::Broken, source: source.into() }
    }

    /// `doing` could not be done just now because of `source`.
    pub fn unavailable(
        doing: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { doing, kind: PortErrorKind::Unavailable, source: source.into() }
    }

    /// `doing` found no room to write.
    pub fn full(doing: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { doing, kind: PortErrorKind::Full, source: source.into() }
    }

    /// `doing` needed to write where only reading is possible.
    pub fn read_only(
        doing: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { doing, kind: PortErrorKind::ReadOnly, source: source.into() }
    }

    /// Whether to try again.
    #[must_use]
    pub const fn kind(&self) -> PortErrorKind {
        self.kind
    }
}
