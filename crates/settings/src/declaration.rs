//! The declaration of a setting: everything that is known about it, except its value.

use waggle_kernel::named_enum;

use crate::kind::{Canonical, Kind};

named_enum! {
    /// The groups of settings, in display order.
    pub enum Group: "group" {
        /// Submitting source tweets and batches.
        Ingest = "ingest",
        Http = "http",
        /// The publishing worker.
        Publishing = "publishing",
        X = "x",
        Sandbox = "sandbox",
        Mail = "mail",
        /// Signing in with Google.
        Google = "google",
        /// Sessions, and limits on sign-in and requests.
        Sessions = "sessions",
        /// Who can sign in, and who is notified.
        Access = "access",
        /// Settings of the Django application that have no effect in Waggle.
        Legacy = "legacy",
        /// Custom settings of operators.
        Custom = "custom",
    }
}

impl Group {
    /// The title shown to people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ingest => "Submitting content",
            Self::Http => "HTTP server",
            Self::Publishing => "Publishing worker",
            Self::X => "X",
            Self::Sandbox => "Sandbox",
            Self::Mail => "Mail",
            Self::Google => "Google sign-in",
            Self::Sessions => "Sessions and request limits",
            Self::Access => "Access and notifications",
            Self::Legacy => "Django settings without effect",
            Self::Custom => "Custom settings",
        }
    }
}

/// A setting as the registry declares it.
#[derive(Clone, Copy)]
pub struct Declaration {
    /// The key used in the database, in the API and on the command line.
    pub key: &'static str,
    /// The name of the environment variable.
    pub environment: &'static str,
    pub group: Group,
    /// What the setting does, as shown to people.
    pub description: &'static str,
    pub kind: Kind,
    /// The text of the default value; `None` if there is none.
    pub default: Option<&'static str>,
    /// The secrets that are sent to the destination that this setting names.
    pub receives: &'static [&'static str],
    /// Parses a text and returns the value in its canonical form.
    pub(crate) read: fn(&str) -> Result<Canonical, String>,
}

impl Declaration {
    /// Whether its value is a secret.
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    /// The default value as clients see it; `null` if there is none.
    pub fn default_json(&self) -> serde_json::Value {
        self.default
            .and_then(|text| (self.read)(text).ok())
            .map_or(serde_json::Value::Null, |canonical| canonical.json)
    }
}

impl std::fmt::Debug for Declaration {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.key)
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Database,
    Environment,
    Default,
}

impl Source {
    /// The name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Environment => "environment",
            Self::Default => "default",
        }
    }
}
