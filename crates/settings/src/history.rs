//! The history of settings: who changed which value, when, and how to undo it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use waggle_kernel::{Actor, Limit, Page, PageRequest, Scope};

use crate::change::{Given, Wish};
use crate::custom;
use crate::declaration::Declaration;
use crate::error::SettingsError;
use crate::manager::SettingsManager;
use crate::registry;
use crate::revision::Revision;
use crate::stored::{Action, Change, Kept};
use crate::vault::Place;

/// A value in the history, as it is shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    NotSet,
    Value(Value),
    /// A secret, whose value is not shown.
    Secret,
}

/// A change as it is shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownChange {
    /// Changes that were made together have the same revision.
    pub revision: Revision,
    /// The key of the setting; `master key` if the master key was rotated.
    pub key: String,
    pub action: Action,
    /// The previous value.
    pub from: Past,
    /// The new value.
    pub to: Past,
    pub at: DateTime<Utc>,
    pub by: String,
}

impl SettingsManager {
    /// The changes of one setting or of all settings, newest first.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] if the actor lacks the scope `admin`.
    pub async fn history(
        &self,
        actor: &Actor,
        key: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<ShownChange>, SettingsError> {
        actor.require(Scope::Admin)?;
        Ok(self.ports.repository.history(key.map(str::to_owned), page).await?.map(shown))
    }

    /// The changes that were made together as `revision`.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] if the actor lacks the scope `admin`.
    pub async fn changes(
        &self,
        actor: &Actor,
        revision: Revision,
    ) -> Result<Vec<ShownChange>, SettingsError> {
        actor.require(Scope::Admin)?;
        let changes = self.ports.repository.changes(revision).await?;
        Ok(changes.into_iter().map(shown).collect())
    }

    /// Restores the previous value of every setting that was changed as `revision`, and returns the
    /// revision of that change.
    ///
    /// # Errors
    ///
    /// The errors of [`change`](Self::change), and:
    ///
    /// - [`SettingsError::NoSuchChange`] if there is no such revision.
    /// - [`SettingsError::NotUndoable`] if one of the settings was changed since, or if the
    ///   replaced value is gone.
    pub async fn undo(&self, actor: &Actor, revision: Revision) -> Result<Revision, SettingsError> {
        actor.require(Scope::Admin)?;
        let changes = self.ports.repository.changes(revision).await?;
        if changes.is_empty() {
            return Err(SettingsError::NoSuchChange(revision));
        }
        self.reload().await?;
        let mut wishes = Vec::with_capacity(changes.len());
        for change in &changes {
            wishes.push(self.before(change).await?);
        }
        let before = self.revision();
        match self.change(actor, &wishes, Action::Undo).await {
            Ok(done) if done <= before => Err(SettingsError::NotUndoable {
                revision,
                reason: "all settings already have their previous values".to_owned(),
            }),
            Err(SettingsError::Stale { key, .. }) => Err(changed_since(revision, &key)),
            result => result,
        }
    }

    /// The wish that restores the value before `change`.
    async fn before(&self, change: &Change) -> Result<Wish, SettingsError> {
        let refused = |reason: &str| SettingsError::NotUndoable {
            revision: change.revision,
            reason: reason.to_owned(),
        };
        match change.action {
            Action::RotateKey => return Err(refused("it rotated the master key")),
            Action::Seal => {
                return Err(refused("it sealed secrets that were stored in plain text"));
            }
            Action::Set | Action::Unset | Action::Undo | Action::Import => {}
        }
        let expected = if change.is_set {
            change.revision
        } else {
            // An unset setting has no version, so the history tells whether it was set in between.
            let newest = PageRequest::first(Limit::new(1).unwrap_or(Limit::DEFAULT));
            let page = self.ports.repository.history(Some(change.key.clone()), newest).await?;
            if page.items.first().is_some_and(|last| last.revision != change.revision) {
                return Err(changed_since(change.revision, &change.key));
            }
            Revision(0)
        };
        let value = match &change.from {
            None => Given::Nothing,
            Some((Kept::Clear(text), _)) => Given::Text(text.clone().into()),
            Some((Kept::Sealed(sealed), version)) => {
                let keys = self.ports.keys.keys().await?;
                let place = Place { key: &change.key, version: *version };
                let text = keys
                    .open(sealed, place)
                    .map_err(|error| refused(&format!("the replaced value {error}")))?;
                Given::Text(text)
            }
        };
        Ok(Wish { key: change.key.clone(), value, expected: Some(expected) })
    }
}

fn changed_since(revision: Revision, key: &str) -> SettingsError {
    SettingsError::NotUndoable { revision, reason: format!("{key} has been changed since") }
}

fn shown(change: Change) -> ShownChange {
    let declaration = registry::find(&change.key);
    let is_secret = declaration.is_some_and(Declaration::is_secret);
    let past = |text: Option<&str>, is_set: bool| match text {
        _ if !is_set => Past::NotSet,
        _ if is_secret => Past::Secret,
        Some(text) => Past::Value(json(declaration, text)),
        None => Past::Secret,
    };
    let from = match &change.from {
        None => Past::NotSet,
        Some((Kept::Sealed(_), _)) => Past::Secret,
        Some((Kept::Clear(text), _)) => past(Some(text), true),
    };
    ShownChange {
        from,
        to: past(change.to.as_deref(), change.is_set),
        revision: change.revision,
        key: change.key,
        action: change.action,
        at: change.at,
        by: change.by,
    }
}

fn json(declaration: Option<&Declaration>, text: &str) -> Value {
    match declaration {
        Some(declaration) => (declaration.read)(text)
            .map_or_else(|_| Value::String(text.to_owned()), |canonical| canonical.json),
        None => custom::decode(text),
    }
}
