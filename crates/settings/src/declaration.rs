//! The declaration of a setting: everything that is known about it, except its value.

use crate::kind::{Canonical, Kind};

/// The groups of settings, in display order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Submitting source tweets and batches.
    Ingest,
    Http,
    /// The publishing worker.
    Publishing,
    X,
    Sandbox,
    Mail,
    /// Signing in with Google.
    Google,
    /// Sessions, and limits on sign-in and requests.
    Sessions,
    /// Who can sign in, and who is notified.
    Access,
    /// Settings of the Django application that have no effect in Waggle.
    Legacy,
    /// Custom settings of operators.
    Custom,
}

impl Group {
    /// All groups, in display order.
    pub const ALL: [Self; 11] = [
        Self::Ingest,
        Self::Http,
        Self::Publishing,
        Self::X,
        Self::Sandbox,
        Self::Mail,
        Self::Google,
        Self::Sessions,
        Self::Access,
        Self::Legacy,
        Self::Custom,
    ];

    /// The name used in the API and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Http => "http",
            Self::Publishing => "publishing",
            Self::X => "x",
            Self::Sandbox => "sandbox",
            Self::Mail => "mail",
            Self::Google => "google",
            Self::Sessions => "sessions",
            Self::Access => "access",
            Self::Legacy => "legacy",
            Self::Custom => "custom",
        }
    }

    /// The title shown to people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ingest => "Handing in",
            Self::Http => "The HTTP server",
            Self::Publishing => "The worker that publishes",
            Self::X => "X",
            Self::Sandbox => "The sandbox",
            Self::Mail => "Mail",
            Self::Google => "Signing in with Google",
            Self::Sessions => "Sessions, and limits at the door",
            Self::Access => "Who is let in, and who is told",
            Self::Legacy => "Known from the Django application, without effect",
            Self::Custom => "Kept for operators",
        }
    }

    /// The group of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
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
