//! Values are set, unset, checked and put back: all of a change or nothing of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::{Host, Url};
use waggle_kernel::{Actor, ActorKind, Scope};

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

/// How often a change is tried again because other processes were faster.
const TRIES: usize = 50;

/// What somebody wants a setting to be.
pub struct Wish {
    /// The setting.
    pub key: String,
    /// The value; a blank one is none.
    pub value: Given,
    /// The version that the wish is based on: 0 where the setting was not set. `None` is any.
    pub expected: Option<Revision>,
}

/// A value as it was handed in.
#[derive(Clone)]
pub enum Given {
    /// A text, from a command line or a form.
    Text(SecretString),
    /// JSON, from a program.
    Json(Value),
    /// Nothing: back to the environment or the default.
    Nothing,
}

impl Wish {
    /// The wish that `key` be `value`, whatever it is now.
    pub fn new(key: impl Into<String>, value: Given) -> Self {
        Self { key: key.into(), value, expected: None }
    }
}

/// A wish that was read.
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
    /// Sets the value of one setting from JSON; `null` and a blank text unset it. Returns its version.
    ///
    /// # Errors
    ///
    /// As for [`change`](Self::change).
    pub async fn set_setting(
        &self,
        actor: &Actor,
        key: &str,
        value: Value,
    ) -> Result<Revision, SettingsError> {
        self.change(actor, &[Wish::new(key, Given::Json(value))], Action::Set).await
    }

    /// Makes the wishes come true, all at once, and returns the last revision. What is as wished already is
    /// not changed. This process sees the change when this returns.
    ///
    /// # Errors
    ///
    /// [`SettingsError`]; then nothing is changed:
    ///
    /// - [`Forbidden`](SettingsError::Forbidden) without the scope `admin`.
    /// - [`Unknown`](SettingsError::Unknown), [`Twice`](SettingsError::Twice) for keys, and
    ///   [`TooMany`](SettingsError::TooMany) of one's own.
    /// - [`Invalid`](SettingsError::Invalid) with everything that makes no sense.
    /// - [`Receiver`](SettingsError::Receiver) if a secret would be sent to a new place by someone who may not know it.
    /// - [`Stale`](SettingsError::Stale) if a setting is not at the version expected; [`Busy`](SettingsError::Busy).
    /// - [`NoMasterKey`](SettingsError::NoMasterKey) if there is a secret to be sealed and the key is not held.
    /// - [`Port`](SettingsError::Port) if the store cannot answer.
    pub async fn change(
        &self,
        actor: &Actor,
        wishes: &[Wish],
        action: Action,
    ) -> Result<Revision, SettingsError> {
        actor.require(Scope::Admin)?;
        let _turn = self.turn.lock().await;
        for _ in 0..TRIES {
            let state = self.state();
            let targets = read(wishes)?;
            self.check(&state, actor, &targets, action)?;
            let Some(changes) = self.plan(&state, actor, &targets, action).await? else {
                return Ok(state.stored.revision);
            };
            match self.ports.repository.save(&changes).await {
                Ok(revision) => {
                    self.take_over(&state, &changes, revision).await?;
                    return Ok(revision);
                }
                Err(SaveError::Stale) => self.reload().await?,
                Err(SaveError::Port(error)) => return Err(error.into()),
            }
        }
        Err(SettingsError::Busy)
    }

    /// The values that would be in effect with the wishes, which are not made true.
    ///
    /// # Errors
    ///
    /// As for [`change`](Self::change).
    pub fn try_on(&self, actor: &Actor, wishes: &[Wish]) -> Result<Arc<Values>, SettingsError> {
        actor.require(Scope::Admin)?;
        let candidate = self.check(&self.state(), actor, &read(wishes)?, Action::Set)?;
        Ok(candidate.values)
    }

    /// Seals the secrets that are kept in the clear, as those of an older table are, and returns how many.
    ///
    /// # Errors
    ///
    /// As for [`change`](Self::change).
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
            // Somebody was faster, and what is set now is sealed, or is in the clear again and seen the next time.
            Err(SettingsError::Stale { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// What would be in effect, if nothing speaks against it.
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
            // What nobody declared can be removed, so that leftovers do not stay for ever.
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
        // What was wrong before is no reason against mending something else.
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
        if !matches!(actor.kind(), ActorKind::System) {
            receivers(state, &candidate, targets, action)?;
        }
        Ok(candidate)
    }

    /// The change that makes the wishes come true; `None` if they are.
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
                // What an older table has in the clear is not written down in the clear a second time.
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
            by: actor.to_string(),
            master_key,
            changes,
        }))
    }

    /// Seals a secret; the key is looked up for the first.
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

    /// Brings into effect what was saved on top of `state`.
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
                    updated_by: saved.by.clone(),
                });
            }
        }
        let held = saved.master_key.as_ref().is_none_or(|id| state.keys.find(id).is_some());
        let keys =
            if held { Arc::clone(&state.keys) } else { Arc::new(self.ports.keys.keys().await?) };
        self.install(stored, keys, None)
    }
}

/// Whether a setting is as wished.
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

/// Whoever may not know a secret must not have it sent to a place of his own choice: where such a place was set, a secret
/// that goes there has to be typed in the same change as the place, and again when another one comes to light.
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
    // What undo puts back was not typed by the one who asks for it.
    let is_typed = |key: &str| {
        action == Action::Set && target(key).is_some_and(|target| target.canonical.is_some())
    };
    // A secret that this process cannot open may open in another.
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

/// From afar nobody has Waggle call an address without a name. (A name may lead to any address.)
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
        reason: "has to be https:// and a name with a dot in it, unless it is set on this machine"
            .to_owned(),
    }]))
}

pub(crate) fn unknown(key: &str) -> SettingsError {
    SettingsError::Unknown { key: key.chars().take(100).collect() }
}

/// Reads every wish, and says of all that make no sense why.
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
            kind => Err(format!("has to be of the kind {}, not a list or an object", kind.name())),
        },
    }
}
