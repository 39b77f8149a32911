//! Shows settings to people: all values except those of secrets.

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

/// The minimum length of a secret whose last four characters are shown. The remaining characters
/// are still too many to guess.
const LONG_ENOUGH: usize = 16;

/// A setting as it is shown to people.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub key: String,
    /// `None` for a setting that is not declared, such as a custom setting.
    pub declaration: Option<&'static Declaration>,
    /// Whether there is a value, including the default.
    pub is_set: bool,
    /// `null` if there is no value, and for a secret.
    pub value: Value,
    /// The last four characters of a secret that has at least 16 characters.
    pub last4: Option<String>,
    pub source: Source,
    /// The revision of the change that set it; 0 if it was not set. An update is based on this
    /// version.
    pub version: Revision,
    /// When it was set in the database.
    pub updated_at: Option<DateTime<Utc>>,
    /// Who set it in the database.
    pub updated_by: Option<String>,
}

impl Shown {
    /// An undeclared setting that no longer exists.
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

    /// The group of the setting.
    pub fn group(&self) -> Group {
        self.declaration.map_or(Group::Custom, |declaration| declaration.group)
    }

    /// Whether the value is a secret.
    pub fn is_secret(&self) -> bool {
        self.declaration.is_some_and(Declaration::is_secret)
    }
}

impl PartialEq for Declaration {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// The settings that people set, for use in another installation. Secrets are not exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The values by key.
    pub settings: Map<String, Value>,
    /// The keys of the secrets that are set.
    pub secrets: Vec<String>,
}

impl SettingsManager {
    /// All settings, or those of one group, in the order of the registry, followed by custom
    /// settings.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] if the actor lacks the scope `admin`.
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
    /// - [`SettingsError::Forbidden`] if the actor lacks the scope `admin`.
    /// - [`SettingsError::Unknown`] if there is no such setting.
    pub fn show(&self, actor: &Actor, key: &str) -> Result<Shown, SettingsError> {
        actor.require(Scope::Admin)?;
        let declaration = registry::find(key);
        if declaration.is_none() && !custom::is_custom(key) {
            return Err(unknown(key));
        }
        Ok(shown(&self.state(), key, declaration))
    }

    /// Exports the settings that people set, without the values of secrets.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] if the actor lacks the scope `admin`.
    pub fn export(&self, actor: &Actor) -> Result<Export, SettingsError> {
        let set =
            self.list(actor, None)?.into_iter().filter(|shown| shown.source == Source::Database);
        let (secrets, clear): (Vec<_>, Vec<_>) = set.partition(Shown::is_secret);
        Ok(Export {
            settings: clear.into_iter().map(|shown| (shown.key, shown.value)).collect(),
            secrets: secrets.into_iter().map(|shown| shown.key).collect(),
        })
    }

    /// The settings that have no value, except booleans and legacy settings.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] if the actor lacks the scope `admin`.
    pub fn missing(&self, actor: &Actor) -> Result<Vec<Shown>, SettingsError> {
        let mut all = self.list(actor, None)?;
        all.retain(|shown| {
            let kind = shown.declaration.map(|declaration| declaration.kind);
            // An unset boolean has a meaning of its own.
            !shown.is_set && shown.group() != Group::Legacy && !matches!(kind, Some(Kind::Boolean))
        });
        Ok(all)
    }
}

fn shown(state: &State, key: &str, declaration: Option<&'static Declaration>) -> Shown {
    let default = declaration.map_or(Value::Null, Declaration::default_json);
    let Some(entry) = state.entry(key) else {
        // A stored value that is not in effect can still be overwritten, so its version is shown.
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
