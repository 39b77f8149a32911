//! The values in effect at one moment: for each setting the database, then the environment, then
//! the default.
//!
//! A blank text counts as no value, wherever it occurs. An invalid text is a [`Problem`]. It does
//! not take effect, and neither does the next source: the value that was in effect before stays.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use thiserror::Error;

use crate::custom;
use crate::declaration::{Declaration, Source};
use crate::kind::Canonical;
use crate::registry::{ALL, RULES, Values};
use crate::revision::Revision;
use crate::vault::KeyId;

/// A reason why a value does not take effect. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// A value in the database, in the environment or among the defaults is invalid.
    #[error("{key} {reason} (in the {})", from.name())]
    Value {
        key: String,
        /// The source of the value.
        from: Source,
        reason: String,
    },
    /// A submitted value is invalid.
    #[error("{key} {reason}")]
    Given { key: String, reason: String },
    /// Values of several settings are not valid together.
    #[error("{text}")]
    Rule {
        /// The settings that the rule is about.
        keys: [&'static str; 2],
        /// The rule, as shown to people.
        text: &'static str,
    },
    /// This process does not hold the master key in use.
    #[error(
        "the secrets in the database are sealed with the master key {id}, which was not provided"
    )]
    MasterKey { id: KeyId },
}

impl Problem {
    /// Whether the problem is about the setting `key`.
    pub fn is_about(&self, key: &str) -> bool {
        match self {
            Self::Value { key: of, .. } | Self::Given { key: of, .. } => of == key,
            Self::Rule { keys, .. } => keys.contains(&key),
            Self::MasterKey { .. } => false,
        }
    }
}

/// The environment variable of each setting; `None` if its value is not UTF-8.
pub(crate) type Variables = HashMap<&'static str, Option<String>>;

/// A setting in the database, decrypted if it was sealed.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) key: String,
    pub(crate) text: Result<SecretString, String>,
    pub(crate) version: Revision,
    pub(crate) updated_at: Option<DateTime<Utc>>,
    pub(crate) updated_by: String,
}

/// A value that is in effect because it is set in the database or in the environment.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) text: SecretString,
    pub(crate) json: Value,
    pub(crate) source: Source,
    pub(crate) version: Revision,
    pub(crate) updated_at: Option<DateTime<Utc>>,
    pub(crate) updated_by: Option<String>,
}

/// The values in effect at one moment.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) values: Arc<Values>,
    pub(crate) entries: HashMap<&'static str, Entry>,
    pub(crate) custom: BTreeMap<String, Entry>,
    pub(crate) problems: Vec<Problem>,
    /// Keys in the database that are not declared.
    pub(crate) unknown: Vec<String>,
}

impl Snapshot {
    /// The values in effect with these settings of the database and this environment. A setting
    /// whose value is invalid keeps the value that it had `before`.
    ///
    /// # Errors
    ///
    /// A [`Problem`] if a default is invalid.
    pub(crate) fn build(
        opened: &[Opened],
        environment: &Variables,
        before: Option<&Self>,
    ) -> Result<Self, Problem> {
        let mut problems = Vec::new();
        let mut entries = HashMap::new();
        let stored: HashMap<&str, &Opened> =
            opened.iter().map(|opened| (opened.key.as_str(), opened)).collect();
        for declaration in ALL {
            let of_database = of_database(declaration, stored.get(declaration.key).copied());
            let of_environment = of_environment(declaration, environment);
            // A value in the environment is checked even if the database overrides it, because it
            // may take effect later.
            let shadowed =
                of_environment.as_ref().err().filter(|_| matches!(of_database, Ok(Some(_))));
            problems.extend(shadowed.cloned());
            match of_database.transpose().or_else(|| of_environment.transpose()) {
                None => {}
                Some(Ok(entry)) => {
                    entries.insert(declaration.key, entry);
                }
                Some(Err(problem)) => {
                    problems.push(problem);
                    keep(&mut entries, declaration.key, before);
                }
            }
        }
        let mut values = read(&entries)?;
        for rule in RULES {
            if !(rule.holds)(&values) {
                problems.push(Problem::Rule { keys: rule.keys, text: rule.text });
                for key in rule.keys {
                    keep(&mut entries, key, before);
                }
                values = read(&entries)?;
            }
        }
        let (custom, unknown) = undeclared(opened);
        Ok(Self { values: Arc::new(values), entries, custom, problems, unknown })
    }

    /// The value of a key, if it is set in the database or in the environment.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key).or_else(|| self.custom.get(key))
    }
}

/// Keeps the previous value of a setting.
fn keep(entries: &mut HashMap<&'static str, Entry>, key: &'static str, before: Option<&Snapshot>) {
    match before.and_then(|before| before.entries.get(key)) {
        Some(entry) => entries.insert(key, entry.clone()),
        None => entries.remove(key),
    };
}

fn read(entries: &HashMap<&'static str, Entry>) -> Result<Values, Problem> {
    Values::read(|key| entries.get(key).map(|entry| entry.text.expose_secret())).map_err(
        |(key, reason)| Problem::Value { key: key.to_owned(), from: Source::Default, reason },
    )
}

fn of_database(
    declaration: &Declaration,
    opened: Option<&Opened>,
) -> Result<Option<Entry>, Problem> {
    let problem = |reason: String| Problem::Value {
        key: declaration.key.to_owned(),
        from: Source::Database,
        reason,
    };
    let Some(opened) = opened else { return Ok(None) };
    let text = opened.text.as_ref().map_err(|reason| problem(reason.clone()))?;
    let Some(text) = present(text.expose_secret()) else { return Ok(None) };
    let canonical = (declaration.read)(text).map_err(problem)?;
    Ok(Some(Entry::stored(canonical, opened)))
}

fn of_environment(
    declaration: &Declaration,
    environment: &Variables,
) -> Result<Option<Entry>, Problem> {
    let problem = |reason: String| Problem::Value {
        key: declaration.key.to_owned(),
        from: Source::Environment,
        reason,
    };
    let text = match environment.get(declaration.key) {
        None => None,
        Some(None) => return Err(problem("is not UTF-8".to_owned())),
        Some(Some(text)) => present(text),
    };
    let Some(text) = text else { return Ok(None) };
    let canonical = (declaration.read)(text).map_err(problem)?;
    Ok(Some(Entry {
        text: canonical.text.into(),
        json: canonical.json,
        source: Source::Environment,
        version: Revision::default(),
        updated_at: None,
        updated_by: None,
    }))
}

impl Entry {
    fn stored(canonical: Canonical, opened: &Opened) -> Self {
        Self {
            text: canonical.text.into(),
            json: canonical.json,
            source: Source::Database,
            version: opened.version,
            updated_at: opened.updated_at,
            updated_by: Some(opened.updated_by.clone()),
        }
    }
}

fn undeclared(opened: &[Opened]) -> (BTreeMap<String, Entry>, Vec<String>) {
    let mut custom = BTreeMap::new();
    let mut unknown = Vec::new();
    for opened in opened {
        if ALL.iter().any(|declaration| declaration.key == opened.key) {
            continue;
        }
        let text = opened.text.as_ref().ok().and_then(|text| present(text.expose_secret()));
        match text.map(custom::canonical) {
            Some(Ok(canonical)) if custom::is_custom(&opened.key) => {
                custom.insert(opened.key.clone(), Entry::stored(canonical, opened));
            }
            _ => unknown.push(opened.key.clone()),
        }
    }
    (custom, unknown)
}

/// The text, or `None` if it is blank.
pub(crate) fn present(text: &str) -> Option<&str> {
    (!text.trim().is_empty()).then_some(text)
}
