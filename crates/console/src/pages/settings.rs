//! Settings: their values by group, and their history.

use std::collections::BTreeSet;

use askama::Template;
use serde_json::{Value, json};
use waggle_kernel::ids::Version;
use waggle_settings::{Group, Kind, Past, Shown, ShownChange, Source};

use crate::control::Control;
use crate::links::Links;
use crate::ops::{SET, TEST_SETTINGS, UNDO_SETTINGS, UNSET};
use crate::shell::Shell;
use crate::words::Moment;

/// How a value is entered.
#[derive(PartialEq)]
enum Field {
    Text,
    /// A text of several lines.
    Area,
    /// Yes or no.
    Choice,
    Secret,
}

/// A setting as pages show it.
struct SettingCard {
    key: String,
    description: &'static str,
    field: Field,
    kind: &'static str,
    /// The value, as it can be entered; empty for a secret.
    value: String,
    /// The last characters of a secret, if they may be shown.
    last4: String,
    is_set: bool,
    source: &'static str,
    environment: &'static str,
    changed: Option<(Moment, String)>,
    set: Option<Control>,
    unset: Option<Control>,
}

impl SettingCard {
    fn new(shown: &Shown, shell: &Shell) -> Self {
        let kind = shown.declaration.map(|declared| &declared.kind);
        let field = match kind {
            Some(Kind::Boolean) => Field::Choice,
            Some(Kind::Secret) => Field::Secret,
            Some(Kind::Json { .. }) | None => Field::Area,
            _ => Field::Text,
        };
        let version = Version::new(shown.version.0);
        let control = |op, label, done: &str| {
            let done = format!("{} {done}", shown.key);
            let control = Control::new(op, &shown.key, version, label, shell.scopes);
            control.map(|control| {
                control.done(done).undone_by(&UNDO_SETTINGS, undo_of_answer(), shell.scopes)
            })
        };
        let is_stored = shown.source == Source::Database;
        let changed = shown.updated_at.zip(shown.updated_by.clone());
        Self {
            key: shown.key.clone(),
            description: shown.declaration.map_or("", |declared| declared.description),
            field,
            kind: kind.map_or("json", |kind| kind.name()),
            value: if shown.is_secret() { String::new() } else { as_text(&shown.value) },
            last4: shown.last4.clone().unwrap_or_default(),
            is_set: shown.is_set,
            source: shown.source.name(),
            environment: shown.declaration.map_or("", |declared| declared.environment),
            changed: changed.map(|(at, by)| (at.into(), by)),
            set: control(&SET, "Save", "is changed"),
            unset: control(&UNSET, "Reset", "is reset").filter(|_| is_stored),
        }
    }
}

/// The path that undoes the change that an answer tells of.
fn undo_of_answer() -> String {
    UNDO_SETTINGS.path.replace("{revision}", "{change}")
}

/// A value as people enter it.
fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// The page `/settings`: one group.
#[derive(Template)]
#[template(path = "pages/settings.html")]
pub struct SettingsPage {
    shell: Shell,
    groups: Vec<(&'static str, &'static str)>,
    group: &'static str,
    title: &'static str,
    ignored: Vec<String>,
    settings: Vec<SettingCard>,
    /// Tests the group with the real service, if it can be tested.
    test: Option<Control>,
}

impl SettingsPage {
    /// The page of the settings of a group.
    pub fn new(shell: Shell, group: Group, ignored: Vec<String>, settings: &[Shown]) -> Self {
        let is_testable = matches!(group, Group::X | Group::Mail | Group::Google);
        let test = Control::new(&TEST_SETTINGS, group.name(), None, "Test", shell.scopes);
        Self {
            groups: Group::ALL.map(|group| (group.name(), group.title())).into(),
            group: group.name(),
            title: group.title(),
            ignored,
            settings: settings.iter().map(|shown| SettingCard::new(shown, &shell)).collect(),
            test: test.filter(|_| is_testable).map(|control| control.body(json!({}))),
            shell,
        }
    }
}

/// A change as pages show it.
struct Change {
    revision: i64,
    key: String,
    action: &'static str,
    from: String,
    to: String,
    at: Moment,
    by: String,
    undo: Option<Control>,
}

fn past(past: &Past) -> String {
    match past {
        Past::NotSet => "not set".to_owned(),
        Past::Secret => "a secret".to_owned(),
        Past::Value(value) => as_text(value),
    }
}

/// The page `/settings/history`, newest first.
#[derive(Template)]
#[template(path = "pages/settings_history.html")]
pub struct SettingsHistoryPage {
    shell: Shell,
    key: String,
    changes: Vec<Change>,
    links: Links,
}

impl SettingsHistoryPage {
    /// The page of these changes: of one setting, or of all.
    pub fn new(shell: Shell, key: Option<&str>, changes: &[ShownChange], links: Links) -> Self {
        // A setting that was changed since is not undone.
        let mut newer = BTreeSet::new();
        let mut change = |change: &ShownChange| {
            let number = change.revision.0;
            let undo = Control::new(&UNDO_SETTINGS, number, None, "Undo", shell.scopes);
            let undo = undo.filter(|_| newer.insert(change.key.clone()));
            Change {
                revision: number,
                key: change.key.clone(),
                action: change.action.name(),
                from: past(&change.from),
                to: past(&change.to),
                at: change.at.into(),
                by: change.by.clone(),
                undo: undo.map(|control| control.done(format!("Change {number} is undone"))),
            }
        };
        let changes = changes.iter().map(&mut change).collect();
        Self { key: key.unwrap_or_default().to_owned(), changes, links, shell }
    }
}
