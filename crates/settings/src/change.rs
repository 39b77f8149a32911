//! Changes of settings: each change is applied completely or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::{Host, Url};
use waggle_kernel::{Actor, Scope};

use crate::custom;
use crate::declaration::Declaration;
use crate::declaration::Source;
use crate::error::SettingsError;
use crate::kind::{Canonical, Kind};
use crate::manager::{Sealer, SettingsManager, State};
use crate::ports::SaveError;
use crate::registry::{self, Values};
use crate::revision::Revision;
use crate::snapshot::{Opened, Problem, Snapshot, present};
use crate::stored::{Action, Kept, NewChange, NewChanges, StoredSetting};
use crate::vault::{Place, seal};

/// How often a change is tried again because another process saved a change first.
const TRIES: usize = 50;

/// The requested value of a setting.
pub struct Wish {
    pub key: String,
    /// A blank value unsets the setting.
    pub value: Given,
    /// The version that the request is based on: 0 if the setting was not set. `None` accepts any
    /// version.
    pub expected: Option<Revision>,
}

/// A submitted value.
#[derive(Clone)]
pub enum Given {
    /// A text, from a command line or a form.
    Text(SecretString),
    /// JSON, from a program.
    Json(Value),
    /// No value: the environment or the default applies again.
    Nothing,
}

impl Wish {
    /// Requests that `key` be set to `value`, whatever its version is now.
    pub fn new(key: impl Into<String>, value: Given) -> Self {
        Self { key: key.into(), value, expected: None }
    }
}

/// A wish with its parsed value.
struct Target<'a> {
    wish: &'a Wish,
    declaration: Option<&'static Declaration>,
    canonical: Option<Canonical>,
}

impl Target<'_> {
    fn is_secret(&self) -> bool {
        self.declaration.is_some_and(Declaration::is_secret)
    }
}

impl SettingsManager {
    /// Sets one setting from JSON and returns the last revision, like [`change`](Self::change).
    /// `null` and a blank text unset the setting.
    ///
    /// # Errors
    ///
    /// The errors of [`change`](Self::change).
    pub async fn set_setting(
        &self,
        actor: &Actor,
        key: &str,
        value: Value,
    ) -> Result<Revision, SettingsError> {
        self.change(actor, &[Wish::new(key, Given::Json(value))], Action::Set).await
    }

    /// Applies all wishes in one step and returns the last revision. A setting that already has the
    /// requested value is not changed. This process sees the change when the call returns.
    ///
    /// # Errors
    ///
    /// Nothing is changed if one of these errors is returned:
    ///
    /// - [`Forbidden`](SettingsError::Forbidden) if the actor lacks the scope `admin`.
    /// - [`Unknown`](SettingsError::Unknown) if there is no setting with a key, and
    ///   [`Twice`](SettingsError::Twice) if a key is listed twice.
    /// - [`TooMany`](SettingsError::TooMany) if there would be too many custom settings.
    /// - [`Invalid`](SettingsError::Invalid) with all problems, if values are invalid.
    /// - [`Receiver`](SettingsError::Receiver) if an actor who may not know a secret would cause it
    ///   to be sent to a new destination.
    /// - [`Stale`](SettingsError::Stale) if a setting does not have the expected version.
    /// - [`Busy`](SettingsError::Busy) if another change was saved first in every try.
    /// - [`NoMasterKey`](SettingsError::NoMasterKey) if a secret must be sealed and this process
    ///   does not hold the master key in use.
    pub async fn change(
        &self,
        actor: &Actor,
        wishes: &[Wish],
        action: Action,
    ) -> Result<Revision, SettingsError> {
        let changed = self.change_if_other(actor, wishes, action).await?;
        Ok(changed.unwrap_or_else(|| self.revision()))
    }

    /// The same, but returns `None` if all settings already have these values, so that nothing was
    /// changed.
    ///
    /// # Errors
    ///
    /// The errors of [`change`](Self::change).
    pub async fn change_if_other(
        &self,
        actor: &Actor,
        wishes: &[Wish],
        action: Action,
    ) -> Result<Option<Revision>, SettingsError> {
        actor.require(Scope::Admin)?;
        let revision = self.change_in_turn(actor, wishes, action).await?;
        self.ports.observer.took_effect(&self.values()).await;
        Ok(revision)
    }

    async fn change_in_turn(
        &self,
        actor: &Actor,
        wishes: &[Wish],
        action: Action,
    ) -> Result<Option<Revision>, SettingsError> {
        let _turn = self.turn.lock().await;
        for _ in 0..TRIES {
            let state = self.state();
            let targets = read(wishes)?;
            self.check(&state, actor, &targets, action)?;
            let Some(changes) = self.plan(&state, actor, &targets, action).await? else {
                return Ok(None);
            };
            match self.ports.repository.save(&changes).await {
                Ok(revision) => {
                    self.take_over(&state, &changes, revision).await?;
                    return Ok(Some(revision));
                }
                Err(SaveError::Stale) => self.reload().await?,
                Err(SaveError::Port(error)) => return Err(error.into()),
            }
        }
        Err(SettingsError::Busy)
    }

    /// The values that would be in effect with the wishes, which are not applied.
    ///
    /// # Errors
    ///
    /// The errors of [`change`](Self::change).
    pub fn try_on(&self, actor: &Actor, wishes: &[Wish]) -> Result<Arc<Values>, SettingsError> {
        actor.require(Scope::Admin)?;
        let candidate = self.check(&self.state(), actor, &read(wishes)?, Action::Set)?;
        Ok(candidate.values)
    }

    /// Seals the secrets that are stored in plain text, as in the table of the Django application,
    /// and returns how many.
    ///
    /// # Errors
    ///
    /// The errors of [`change`](Self::change).
    pub async fn seal_clear_secrets(&self, actor: &Actor) -> Result<usize, SettingsError> {
        let state = self.state();
        let is_clear_secret = |setting: &&StoredSetting| {
            matches!(&setting.value, Kept::Clear(text) if present(text).is_some())
                && registry::find(&setting.key).is_some_and(Declaration::is_secret)
        };
        let wishes: Vec<Wish> = state
            .stored
            .settings
            .iter()
            .filter(is_clear_secret)
            .filter_map(|setting| {
                Some(Wish {
                    key: setting.key.clone(),
                    value: Given::Text(state.opened(&setting.key)?.clone()),
                    expected: Some(setting.version),
                })
            })
            .collect();
        if wishes.is_empty() {
            return Ok(0);
        }
        match self.change(actor, &wishes, Action::Seal).await {
            Ok(_) => Ok(wishes.len()),
            // Another process changed a secret first. Its value is sealed now, or it is in plain
            // text again and the next call seals it.
            Err(SettingsError::Stale { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Checks the wishes and returns the values that would be in effect.
    fn check(
        &self,
        state: &State,
        actor: &Actor,
        targets: &[Target<'_>],
        action: Action,
    ) -> Result<Snapshot, SettingsError> {
        for target in targets {
            let stored = state.stored(&target.wish.key);
            let is_known = target.declaration.is_some() || custom::is_custom(&target.wish.key);
            // An undeclared setting can be removed, so that leftovers do not stay forever.
            if !is_known && (stored.is_none() || target.canonical.is_some()) {
                return Err(unknown(&target.wish.key));
            }
            let current = stored.map_or(Revision(0), |set| set.version);
            if target.wish.expected.is_some_and(|expected| expected != current) {
                return Err(SettingsError::Stale { key: target.wish.key.clone(), current });
            }
        }
        let mut opened: Vec<Opened> = state.opened.clone();
        opened.retain(|opened| targets.iter().all(|target| target.wish.key != opened.key));
        opened.extend(targets.iter().filter_map(|target| {
            let canonical = target.canonical.as_ref()?;
            Some(Opened {
                key: target.wish.key.clone(),
                text: Ok(canonical.text.clone().into()),
                version: Revision::default(),
                updated_at: None,
                updated_by: String::new(),
            })
        }));
        let candidate = Snapshot::build(&opened, &self.environment, Some(&state.snapshot))?;
        // A problem that existed before does not prevent fixing something else.
        let is_new = |problem: &&Problem| {
            let is_touched = targets.iter().any(|target| problem.is_about(&target.wish.key));
            is_touched || !state.snapshot.problems.contains(problem)
        };
        let new: Vec<Problem> = candidate.problems.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            return Err(SettingsError::Invalid(new));
        }
        let most = custom::MOST_SETTINGS;
        if candidate.custom.len() > most && candidate.custom.len() > state.snapshot.custom.len() {
            return Err(SettingsError::TooMany { most });
        }
        if !actor.is_on_host() {
            receivers(state, &candidate, targets, action)?;
        }
        Ok(candidate)
    }

    /// The change to save; `None` if every setting already has the requested value.
    async fn plan(
        &self,
        state: &State,
        actor: &Actor,
        targets: &[Target<'_>],
        action: Action,
    ) -> Result<Option<NewChanges>, SettingsError> {
        let version = state.stored.revision.next();
        let mut changes = Vec::new();
        let mut sealer = None;
        for target in targets {
            let key = target.wish.key.as_str();
            if is_so(state, target) {
                continue;
            }
            let to = match &target.canonical {
                None => None,
                Some(canonical) if target.is_secret() => {
                    let place = Place { key, version };
                    Some(self.sealed(state, &mut sealer, &canonical.text, place).await?)
                }
                Some(canonical) => Some(Kept::Clear(canonical.text.clone())),
            };
            let from = match state.stored(key) {
                None => None,
                // A secret in plain text is not copied to the history in plain text.
                Some(StoredSetting { value: Kept::Clear(text), version, .. })
                    if target.is_secret() =>
                {
                    let place = Place { key, version: *version };
                    Some((self.sealed(state, &mut sealer, text, place).await?, *version))
                }
                Some(stored) => Some((stored.value.clone(), stored.version)),
            };
            changes.push(NewChange {
                key: key.to_owned(),
                action: match (action, &to) {
                    (Action::Set, None) => Action::Unset,
                    (action, _) => action,
                },
                from,
                to,
            });
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let master_key = match &sealer {
            Some(sealer) => Some(sealer.key()?.id().clone()),
            None => state.stored.master_key.clone(),
        };
        Ok(Some(NewChanges {
            based_on: state.stored.revision,
            at: self.ports.clock.now(),
            by: actor.reference(),
            master_key,
            changes,
        }))
    }

    /// Seals a secret. The key is looked up for the first one.
    async fn sealed(
        &self,
        state: &State,
        sealer: &mut Option<Sealer>,
        secret: &str,
        place: Place<'_>,
    ) -> Result<Kept, SettingsError> {
        let sealer = match sealer {
            Some(sealer) => sealer,
            None => sealer.insert(Sealer::of(state, &self.ports).await?),
        };
        let secret = SecretString::from(secret);
        Ok(Kept::Sealed(seal(sealer.key()?, &secret, place, &*self.ports.entropy)?))
    }

    /// Applies to this process what was saved on top of `state`.
    async fn take_over(
        &self,
        state: &State,
        saved: &NewChanges,
        revision: Revision,
    ) -> Result<(), SettingsError> {
        let mut stored = state.stored.clone();
        stored.revision = revision;
        stored.master_key.clone_from(&saved.master_key);
        for change in &saved.changes {
            stored.settings.retain(|setting| setting.key != change.key);
            if let Some(value) = &change.to {
                stored.settings.push(StoredSetting {
                    key: change.key.clone(),
                    value: value.clone(),
                    version: revision,
                    updated_at: saved.at,
                    updated_by: saved.by.shown.clone(),
                });
            }
        }
        let held = saved.master_key.as_ref().is_none_or(|id| state.keys.find(id).is_some());
        let keys =
            if held { Arc::clone(&state.keys) } else { Arc::new(self.ports.keys.keys().await?) };
        self.install(stored, keys, None)
    }
}

/// Whether a setting has the requested value and is stored as it should be: sealed if it is a
/// secret, in plain text if not.
fn is_so(state: &State, target: &Target<'_>) -> bool {
    let stored = state.stored(&target.wish.key);
    match (&target.canonical, stored) {
        (None, None) => true,
        (Some(canonical), Some(stored)) => {
            let is_sealed = matches!(stored.value, Kept::Sealed(_));
            is_sealed == target.is_secret()
                && state
                    .opened(&target.wish.key)
                    .is_some_and(|text| text.expose_secret() == canonical.text)
        }
        _ => false,
    }
}

/// Prevents an actor who may not know a secret from having it sent to a destination of their
/// choice. If the destination was set in the database, a secret that is sent there must be set in
/// the same change as the destination. The same applies to a change that puts another value of the
/// secret into effect.
fn receivers(
    state: &State,
    candidate: &Snapshot,
    targets: &[Target<'_>],
    action: Action,
) -> Result<(), SettingsError> {
    let text = |snapshot: &Snapshot, key: &str| {
        snapshot.entries.get(key).map(|entry| entry.text.expose_secret().to_owned())
    };
    let changes = |key: &str| text(&state.snapshot, key) != text(candidate, key);
    let target = |key: &str| targets.iter().find(|target| target.wish.key == key);
    // The actor who undoes a change did not enter the restored value.
    let is_typed = |key: &str| {
        action == Action::Set && target(key).is_some_and(|target| target.canonical.is_some())
    };
    // Another process may be able to decrypt a secret that this one cannot.
    let is_kept = |key: &str| state.stored(key).is_some() && target(key).is_none();
    for place in registry::ALL.iter().filter(|declared| !declared.receives.is_empty()) {
        let in_effect = candidate.entries.get(place.key);
        let Some(set) = in_effect.filter(|entry| entry.source == Source::Database) else {
            continue;
        };
        if changes(place.key) && matches!(place.kind, Kind::Url) {
            public(place, set.text.expose_secret())?;
        }
        let is_sent = |key: &&&'static str| {
            let key: &'static str = key;
            let is_there = candidate.entries.contains_key(key) || is_kept(key);
            is_there && (changes(place.key) || changes(key)) && !is_typed(key)
        };
        let secrets: Vec<&'static str> = place.receives.iter().filter(is_sent).copied().collect();
        if !secrets.is_empty() {
            return Err(SettingsError::Receiver { key: place.key, secrets });
        }
    }
    Ok(())
}

/// Requires a URL with `https://` and a host name with a dot. Without this check, a remote admin
/// could make Waggle call an address that has no name. (A name can still resolve to any address.)
fn public(place: &Declaration, text: &str) -> Result<(), SettingsError> {
    let url = Url::parse(text).ok();
    let is_public = url.as_ref().is_some_and(|url| {
        let is_named = matches!(url.host(), Some(Host::Domain(name))
            if name.contains('.') && !name.ends_with('.') && !name.starts_with("localhost."));
        url.scheme() == "https" && is_named
    });
    if is_public {
        return Ok(());
    }
    Err(SettingsError::Invalid(vec![Problem::Given {
        key: place.key.to_owned(),
        reason: "must be an https:// URL whose host name contains a dot, unless you set it on the \
                 machine that Waggle runs on"
            .to_owned(),
    }]))
}

pub(crate) fn unknown(key: &str) -> SettingsError {
    SettingsError::Unknown { key: key.chars().take(100).collect() }
}

/// Parses all wishes, and reports every invalid one.
fn read(wishes: &[Wish]) -> Result<Vec<Target<'_>>, SettingsError> {
    let mut seen = BTreeSet::new();
    let mut targets = Vec::with_capacity(wishes.len());
    let mut problems = Vec::new();
    for wish in wishes {
        let declaration = registry::find(&wish.key);
        if !seen.insert(wish.key.as_str()) {
            return Err(SettingsError::Twice { key: wish.key.clone() });
        }
        match canonical(declaration, &wish.value) {
            Ok(canonical) => targets.push(Target { wish, declaration, canonical }),
            Err(reason) => problems.push(Problem::Given { key: wish.key.clone(), reason }),
        }
    }
    if problems.is_empty() { Ok(targets) } else { Err(SettingsError::Invalid(problems)) }
}

fn canonical(
    declaration: Option<&Declaration>,
    given: &Given,
) -> Result<Option<Canonical>, String> {
    let read = |text: &str| {
        present(text)
            .map(|text| match declaration {
                Some(declaration) => (declaration.read)(text),
                None => custom::canonical(text),
            })
            .transpose()
    };
    match (declaration, given) {
        (_, Given::Nothing | Given::Json(Value::Null)) => Ok(None),
        (_, Given::Text(text)) => read(text.expose_secret()),
        (None, Given::Json(Value::String(text))) if text.trim().is_empty() => Ok(None),
        (None, Given::Json(value)) => read(&custom::encode(value)),
        (Some(_), Given::Json(Value::String(text))) => read(text),
        (Some(_), Given::Json(value @ (Value::Bool(_) | Value::Number(_)))) => {
            read(&value.to_string())
        }
        (Some(declaration), Given::Json(value)) => match declaration.kind {
            Kind::List { .. } | Kind::Json { .. } => read(&value.to_string()),
            kind => Err(format!("must be of the kind {}, not a list or an object", kind.name())),
        },
    }
}
