//! What became of the settings: who changed what, when, from which value to which; and taking it back.

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

/// A value in the history, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// Nothing was set.
    NotSet,
    /// This was.
    Value(Value),
    /// A secret was.
    Secret,
}

/// A change as it is shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownChange {
    /// The changes that were made at once have the same revision.
    pub revision: Revision,
    /// The setting; `master key` where another one was taken.
    pub key: String,
    /// How it came to that.
    pub action: Action,
    /// What was kept before.
    pub from: Past,
    /// What was kept from then on.
    pub to: Past,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
}

impl SettingsManager {
    /// The changes of one setting or of all, newest first.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] without the scope `admin`, [`SettingsError::Port`].
    pub async fn history(
        &self,
        actor: &Actor,
        key: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<ShownChange>, SettingsError> {
        actor.require(Scope::Admin)?;
        Ok(self.ports.repository.history(key.map(str::to_owned), page).await?.map(shown))
    }

    /// The changes that were made at once as `revision`.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] without the scope `admin`, [`SettingsError::Port`].
    pub async fn changes(
        &self,
        actor: &Actor,
        revision: Revision,
    ) -> Result<Vec<ShownChange>, SettingsError> {
        actor.require(Scope::Admin)?;
        let changes = self.ports.repository.changes(revision).await?;
        Ok(changes.into_iter().map(shown).collect())
    }

    /// Puts every setting that was changed as `revision` back to what it was before, and returns the revision of that.
    ///
    /// # Errors
    ///
    /// As for [`change`](Self::change), and:
    ///
    /// - [`SettingsError::NoSuchChange`] if there is none.
    /// - [`SettingsError::NotUndoable`] if one of the settings was changed since, or what was replaced is gone.
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
                reason: "everything is as it was before".to_owned(),
            }),
            Err(SettingsError::Stale { key, .. }) => Err(changed_since(revision, &key)),
            result => result,
        }
    }

    /// The wish that a setting be as it was before `change`.
    async fn before(&self, change: &Change) -> Result<Wish, SettingsError> {
        let refused = |reason: &str| SettingsError::NotUndoable {
            revision: change.revision,
            reason: reason.to_owned(),
        };
        match change.action {
            Action::RotateKey => return Err(refused("it took another master key")),
            Action::Seal => return Err(refused("it sealed secrets that were kept in the clear")),
            Action::Set | Action::Unset | Action::Undo | Action::Import => {}
        }
        let expected = if change.is_set {
            change.revision
        } else {
            // What is not set has no version: whether it was set in between, the history knows.
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
                    .map_err(|error| refused(&format!("what it replaced {error}")))?;
                Given::Text(text)
            }
        };
        Ok(Wish { key: change.key.clone(), value, expected: Some(expected) })
    }
}

fn changed_since(revision: Revision, key: &str) -> SettingsError {
    SettingsError::NotUndoable { revision, reason: format!("{key} was changed since") }
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
