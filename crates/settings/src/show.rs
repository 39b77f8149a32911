//! Settings as people see them: every value but the secret ones.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use waggle_kernel::{Actor, Scope};

use crate::change::unknown;
use crate::custom;
use crate::declaration::{Declaration, Group, Source};
use crate::error::SettingsError;
use crate::kind::Kind;
use crate::manager::{SettingsManager, State};
use crate::registry;
use crate::revision::Revision;

/// From how many characters on the last four of a secret are shown: the others are still too many to guess.
const LONG_ENOUGH: usize = 16;

/// A setting as it is shown to people.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its key.
    pub key: String,
    /// How it is declared; `None` for an operator's own.
    pub declaration: Option<&'static Declaration>,
    /// Whether there is a value, be it the default.
    pub is_set: bool,
    /// The value; `null` where there is none, and for a secret.
    pub value: Value,
    /// The last four characters of a secret that is long enough.
    pub last4: Option<String>,
    /// Where the value comes from.
    pub source: Source,
    /// Which change set it; 0 where none did. What an update is based on.
    pub version: Revision,
    /// When it was set, where somebody did.
    pub updated_at: Option<DateTime<Utc>>,
    /// Who set it, where somebody did.
    pub updated_by: Option<String>,
}

impl Shown {
    /// A setting that nobody declared and that is not there any more.
    pub const fn gone(key: String) -> Self {
        Self {
            key,
            declaration: None,
            is_set: false,
            value: Value::Null,
            last4: None,
            source: Source::Default,
            version: Revision(0),
            updated_at: None,
            updated_by: None,
        }
    }

    /// What it is for.
    pub fn group(&self) -> Group {
        self.declaration.map_or(Group::Custom, |declaration| declaration.group)
    }

    /// Whether its value is a secret.
    pub fn is_secret(&self) -> bool {
        self.declaration.is_some_and(Declaration::is_secret)
    }
}

impl PartialEq for Declaration {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// What people set, to be carried elsewhere. Secrets stay where they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The values.
    pub settings: Map<String, Value>,
    /// The secrets that are set, without their values.
    pub secrets: Vec<String>,
}

impl SettingsManager {
    /// Every setting, or those of one group, in the order of the registry; then operators' own.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] without the scope `admin`.
    pub fn list(&self, actor: &Actor, group: Option<Group>) -> Result<Vec<Shown>, SettingsError> {
        actor.require(Scope::Admin)?;
        let state = self.state();
        let declared =
            registry::ALL.iter().map(|declared| shown(&state, declared.key, Some(declared)));
        let custom = state.snapshot.custom.keys().map(|key| shown(&state, key, None));
        Ok(declared
            .chain(custom)
            .filter(|shown| group.is_none_or(|group| shown.group() == group))
            .collect())
    }

    /// One setting.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] without the scope `admin`, [`SettingsError::Unknown`].
    pub fn show(&self, actor: &Actor, key: &str) -> Result<Shown, SettingsError> {
        actor.require(Scope::Admin)?;
        let declaration = registry::find(key);
        if declaration.is_none() && !custom::is_custom(key) {
            return Err(unknown(key));
        }
        Ok(shown(&self.state(), key, declaration))
    }

    /// What people set, without secrets.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] without the scope `admin`.
    pub fn export(&self, actor: &Actor) -> Result<Export, SettingsError> {
        let set =
            self.list(actor, None)?.into_iter().filter(|shown| shown.source == Source::Database);
        let (secrets, clear): (Vec<_>, Vec<_>) = set.partition(Shown::is_secret);
        Ok(Export {
            settings: clear.into_iter().map(|shown| (shown.key, shown.value)).collect(),
            secrets: secrets.into_iter().map(|shown| shown.key).collect(),
        })
    }

    /// The settings without a value that something waits for.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] without the scope `admin`.
    pub fn missing(&self, actor: &Actor) -> Result<Vec<Shown>, SettingsError> {
        let mut all = self.list(actor, None)?;
        all.retain(|shown| {
            let kind = shown.declaration.map(|declaration| declaration.kind);
            // A switch that is not set has a meaning of its own.
            !shown.is_set && shown.group() != Group::Legacy && !matches!(kind, Some(Kind::Boolean))
        });
        Ok(all)
    }
}

fn shown(state: &State, key: &str, declaration: Option<&'static Declaration>) -> Shown {
    let default = declaration.map_or(Value::Null, Declaration::default_json);
    let Some(entry) = state.entry(key) else {
        // A value that does not come into effect is still there to be written over.
        let stored = state.stored(key);
        return Shown {
            key: key.to_owned(),
            declaration,
            is_set: !default.is_null(),
            value: default,
            last4: None,
            source: Source::Default,
            version: stored.map_or(Revision(0), |stored| stored.version),
            updated_at: stored.map(|stored| stored.updated_at),
            updated_by: stored.map(|stored| stored.updated_by.clone()),
        };
    };
    let is_secret = declaration.is_some_and(Declaration::is_secret);
    let last4 = is_secret.then(|| last4(entry.text.expose_secret())).flatten();
    Shown {
        key: key.to_owned(),
        declaration,
        is_set: true,
        value: entry.json.clone(),
        last4,
        source: entry.source,
        version: entry.version,
        updated_at: entry.updated_at,
        updated_by: entry.updated_by.clone(),
    }
}

fn last4(secret: &str) -> Option<String> {
    let count = secret.chars().count();
    (count >= LONG_ENOUGH).then(|| secret.chars().skip(count - 4).collect())
}
