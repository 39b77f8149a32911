//! What is known of a setting without its value.

use crate::kind::{Canonical, Kind};

/// What settings are for, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Handing in.
    Ingest,
    /// The HTTP server.
    Http,
    /// The worker that publishes.
    Publishing,
    /// X.
    X,
    /// The sandbox.
    Sandbox,
    /// Mail.
    Mail,
    /// Signing in with Google.
    Google,
    /// Sessions and limits at the door.
    Sessions,
    /// Who is let in, and who is told.
    Access,
    /// What an older system knew and Waggle has no use for.
    Legacy,
    /// What operators keep for themselves.
    Custom,
}

impl Group {
    /// Every group.
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

    /// The name on the wire and on the command line.
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

    /// The title for people.
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
    /// The key in the database, in the API and on the command line.
    pub key: &'static str,
    /// The variable of the environment.
    pub environment: &'static str,
    /// What it is for.
    pub group: Group,
    /// What it does, for people.
    pub description: &'static str,
    /// What kind of value it takes.
    pub kind: Kind,
    /// The text of the value when nothing is set; `None` where there is none.
    pub default: Option<&'static str>,
    /// The secrets that are sent to the place that this setting names.
    pub receives: &'static [&'static str],
    /// Reads a text and writes it the one way in which it is kept.
    pub(crate) read: fn(&str) -> Result<Canonical, String>,
}

impl Declaration {
    /// Whether its value is a secret.
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    /// The value when nothing is set, as clients see it.
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
    /// Somebody set it.
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
