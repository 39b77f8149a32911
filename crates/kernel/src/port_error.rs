//! The opaque error of every port: its cause is for the log, not for the caller.

use std::error::Error as StdError;

use thiserror::Error;

/// The kind of a [`PortError`], which tells whether a retry can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortErrorKind {
    /// The service is busy or unreachable; the same call may succeed later.
    Unavailable,
    /// The storage is full; reads still work.
    Full,
    /// The storage is read-only; reads still work.
    ReadOnly,
    /// The call is a repetition of another one, and changed nothing.
    Repeated,
    /// The call failed, and a retry will not succeed.
    Broken,
}

/// A call to a port failed. The source is kept for the log.
#[derive(Debug, Error)]
#[error("{doing} failed")]
pub struct PortError {
    /// The operation, as a gerund: `saving a tweet`.
    doing: &'static str,
    kind: PortErrorKind,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
}

impl PortError {
    /// An error of kind [`PortErrorKind::Broken`]: `doing` failed because of `source`.
    pub fn broken(doing: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { doing, kind: PortErrorKind::Broken, source: source.into() }
    }

    /// An error of kind [`PortErrorKind::Unavailable`]: `doing` failed because of `source`.
    pub fn unavailable(
        doing: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { doing, kind: PortErrorKind::Unavailable, source: source.into() }
    }

    /// An error of kind [`PortErrorKind::Full`]: `doing` failed because the storage is full.
    pub fn full(doing: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { doing, kind: PortErrorKind::Full, source: source.into() }
    }

    /// An error of kind [`PortErrorKind::ReadOnly`]: `doing` needed to write to read-only storage.
    pub fn read_only(
        doing: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { doing, kind: PortErrorKind::ReadOnly, source: source.into() }
    }

    /// An error of kind [`PortErrorKind::Repeated`]: `doing` was a repetition.
    pub fn repeated(
        doing: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { doing, kind: PortErrorKind::Repeated, source: source.into() }
    }

    /// The kind of the failure, which tells whether a retry can succeed.
    #[must_use]
    pub const fn kind(&self) -> PortErrorKind {
        self.kind
    }
}
