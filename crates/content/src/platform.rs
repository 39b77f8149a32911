//! The platforms that a post can be published on.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A platform that a post is published on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Platform {
    /// X, formerly Twitter.
    X,
    /// The local timeline that is included in Waggle.
    Sandbox,
}

impl Platform {
    /// All platforms.
    pub const ALL: [Self; 2] = [Self::X, Self::Sandbox];

    /// The name used in the database and in the API.
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

/// The text is not the name of a [`Platform`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown platform '{0}': x and sandbox are known")]
pub struct UnknownPlatform(pub String);
