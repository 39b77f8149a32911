//! The platforms that a post can be meant for.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Where a post goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Platform {
    /// X, formerly Twitter.
    X,
    /// The local timeline that comes with Waggle.
    Sandbox,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 2] = [Self::X, Self::Sandbox];

    /// The name in the database and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::Sandbox => "sandbox",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Platform {
    type Err = UnknownPlatform;

    fn from_str(text: &str) -> Result<Self, UnknownPlatform> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.name() == text)
            .ok_or_else(|| UnknownPlatform(text.to_owned()))
    }
}

/// The text names no [`Platform`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown platform '{0}': x and sandbox are known")]
pub struct UnknownPlatform(pub String);
