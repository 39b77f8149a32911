//! A setting: its name, its type, and how a text becomes a value of it.

/// One setting, declared in [`crate::registry`].
pub struct Setting<T: 'static> {
    /// The key in the database and in the environment.
    pub name: &'static str,
    /// What it does, for people.
    pub description: &'static str,
    /// The value when nothing is set; `None` where there is none.
    pub default: Option<&'static str>,
    /// Whether the value is a secret: then it is neither shown nor taken from the command line.
    pub secret: bool,
    /// Reads a value.
    pub parse: fn(&str) -> Result<T, String>,
}

/// A setting without its type.
#[derive(Clone, Copy)]
pub struct Declaration {
    /// The key in the database and in the environment.
    pub name: &'static str,
    /// What it does, for people.
    pub description: &'static str,
    /// The value when nothing is set.
    pub default: Option<&'static str>,
    /// Whether the value is a secret.
    pub secret: bool,
    /// Says why a text is no value of it.
    pub check: fn(&str) -> Result<(), String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An operator set it.
    Database,
    /// The environment has it.
    Environment,
    /// Nobody said anything.
    Default,
}

impl Source {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Environment => "environment",
            Self::Default => "default",
        }
    }
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value; `None` if nothing is set and there is no default.
    pub value: Option<T>,
    /// Where it comes from.
    pub source: Source,
}
