//! The settings of this process: the values in effect, which are held in memory and kept current.

use std::sync::{Arc, PoisonError, RwLock};

use futures_util::lock::Mutex;
use secrecy::SecretString;
use serde_json::Value;
use waggle_kernel::{Actor, Clock, Entropy};

use crate::declaration::Declaration;
use crate::error::SettingsError;
use crate::ports::{Environment, MasterKeySource, SaveError, SettingRepository, SettingsObserver};
use crate::registry::{self, Values};
use crate::revision::Revision;
use crate::snapshot::{Entry, Opened, Problem, Snapshot, Variables};
use crate::stored::{Kept, NewChanges, Stored, StoredSetting};
use crate::vault::{KeyId, MasterKey, MasterKeys, Place};

/// The ports that the settings use.
#[derive(Clone)]
pub struct SettingsPorts {
    pub repository: Arc<dyn SettingRepository>,
    pub keys: Arc<dyn MasterKeySource>,
    pub clock: Arc<dyn Clock>,
    /// Generates nonces and keys.
    pub entropy: Arc<dyn Entropy>,
    pub observer: Arc<dyn SettingsObserver>,
}

/// Looks up and changes settings. The values in effect are held in memory, so reading them needs no
/// query.
pub struct SettingsManager {
    pub(crate) ports: SettingsPorts,
    pub(crate) environment: Variables,
    /// Serializes the changes of this process, because each would make the others stale.
    pub(crate) turn: Mutex<()>,
    state: RwLock<Arc<State>>,
}

/// The stored settings, and the values that are in effect because of them.
pub(crate) struct State {
    /// The number of the state; every new state of this process increases it.
    generation: u64,
    pub(crate) stored: Stored,
    pub(crate) opened: Vec<Opened>,
    pub(crate) snapshot: Snapshot,
    pub(crate) keys: Arc<MasterKeys>,
}

impl SettingsManager {
    /// Reads the environment once, and loads the stored settings. Invalid values have no effect and
    /// are listed in [`problems`](Self::problems).
    ///
    /// # Errors
    ///
    /// [`SettingsError::Invalid`] if a default is invalid.
    pub async fn open(
        ports: SettingsPorts,
        environment: &dyn Environment,
    ) -> Result<Self, SettingsError> {
        let environment = registry::ALL
            .iter()
            .filter_map(|declaration| {
                let text = environment.variable(declaration.environment)?;
                Some((declaration.key, text.into_string().ok()))
            })
            .collect();
        let stored = ports.repository.load().await?;
        let keys = Arc::new(ports.keys.keys().await?);
        let state = State::new(stored, keys, &environment, None)?;
        Ok(Self { ports, environment, turn: Mutex::new(()), state: RwLock::new(Arc::new(state)) })
    }

    /// The values in effect.
    pub fn values(&self) -> Arc<Values> {
        Arc::clone(&self.state().snapshot.values)
    }

    /// The master keys that this process holds, newest first.
    pub fn master_keys(&self) -> Arc<MasterKeys> {
        Arc::clone(&self.state().keys)
    }

    /// The last revision that this process knows.
    pub fn revision(&self) -> Revision {
        self.state().stored.revision
    }

    /// The problems that keep values from taking effect. Do not start a server while there are any.
    pub fn problems(&self) -> Vec<Problem> {
        self.state().snapshot.problems.clone()
    }

    /// Keys in the database that are not declared. They have no effect.
    pub fn unknown(&self) -> Vec<String> {
        self.state().snapshot.unknown.clone()
    }

    /// The value of the setting `key` as JSON, or `default` if it has none.
    ///
    /// # Errors
    ///
    /// - [`SettingsError::Unknown`] if there is no such setting.
    /// - [`SettingsError::Secret`] if it is a secret. Secrets are available only through
    ///   [`values`](Self::values).
    pub fn get_setting(&self, key: &str, default: Value) -> Result<Value, SettingsError> {
        let state = self.state();
        let of_registry = match registry::find(key) {
            Some(declaration) if declaration.is_secret() => {
                return Err(SettingsError::Secret { key: key.to_owned() });
            }
            Some(declaration) => declaration.default_json(),
            None if crate::custom::is_custom(key) => Value::Null,
            None => return Err(SettingsError::Unknown { key: key.to_owned() }),
        };
        let found = state.snapshot.entry(key).map_or(of_registry, |entry| entry.json.clone());
        Ok(if found.is_null() { default } else { found })
    }

    /// Loads the stored settings again, because another process may have changed them.
    ///
    /// If they cannot be loaded, everything stays in effect as it was. If master keys are needed
    /// and cannot be read, an error is returned as well. In that case all other changes take
    /// effect, and secrets that cannot be decrypted stay as they were.
    pub async fn reload(&self) -> Result<(), SettingsError> {
        let before = self.revision();
        let result = self.read_again().await;
        if self.revision() != before {
            self.ports.observer.took_effect(&self.values()).await;
        }
        result
    }

    async fn read_again(&self) -> Result<(), SettingsError> {
        let seen = self.state().generation;
        let stored = self.ports.repository.load().await?;
        let state = self.state();
        let is_held = |id: &KeyId| state.keys.find(id).is_some();
        let is_open = |setting: &StoredSetting| match &setting.value {
            Kept::Sealed(sealed) => is_held(&sealed.key),
            Kept::Clear(_) => true,
        };
        let held = stored.master_key.as_ref().is_none_or(is_held);
        if held && stored.settings.iter().all(is_open) {
            return self.install(stored, Arc::clone(&state.keys), Some(seen));
        }
        // If the keys cannot be read now, all other changes still take effect. Secrets that cannot
        // be decrypted stay as they were.
        match self.ports.keys.keys().await {
            Ok(keys) => self.install(stored, Arc::new(keys), Some(seen)),
            Err(error) => {
                self.install(stored, Arc::clone(&state.keys), Some(seen))?;
                Err(error.into())
            }
        }
    }

    /// Chooses the master key if none is in use, as on a first start: the newest provided key, or a
    /// new one. From then on, every process needs this key.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Port`] if a new key cannot be stored.
    pub async fn settle_master_key(&self, actor: &Actor) -> Result<(), SettingsError> {
        let _turn = self.turn.lock().await;
        loop {
            let state = self.state();
            if state.stored.master_key.is_some() {
                return Ok(());
            }
            let sealer = Sealer::of(&state, &self.ports).await?;
            let settled = NewChanges {
                based_on: state.stored.revision,
                at: self.ports.clock.now(),
                by: actor.reference(),
                master_key: Some(sealer.id.clone()),
                changes: Vec::new(),
            };
            match self.ports.repository.save(&settled).await {
                Ok(_) => {
                    let stored = self.ports.repository.load().await?;
                    return self.install(stored, sealer.keys, None);
                }
                Err(SaveError::Stale) => self.reload().await?,
                Err(SaveError::Port(error)) => return Err(error.into()),
            }
        }
    }

    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts `stored` into effect unless a newer revision already is. An older revision is accepted
    /// only if no other state took effect since it was requested, at the generation `seen`. In that
    /// case, a backup was restored.
    pub(crate) fn install(
        &self,
        stored: Stored,
        keys: Arc<MasterKeys>,
        seen: Option<u64>,
    ) -> Result<(), SettingsError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if stored.revision >= state.stored.revision || seen == Some(state.generation) {
            let next = State::new(stored, keys, &self.environment, Some(&state))?;
            *state = Arc::new(next);
        }
        Ok(())
    }
}

impl State {
    fn new(
        stored: Stored,
        keys: Arc<MasterKeys>,
        environment: &Variables,
        before: Option<&Self>,
    ) -> Result<Self, SettingsError> {
        let opened: Vec<Opened> =
            stored.settings.iter().map(|setting| open(setting, &keys)).collect();
        let mut snapshot =
            Snapshot::build(&opened, environment, before.map(|before| &before.snapshot))?;
        if let Some(id) = stored.master_key.as_ref().filter(|id| keys.find(id).is_none()) {
            snapshot.problems.push(Problem::MasterKey { id: id.clone() });
        }
        let generation = before.map_or(0, |before| before.generation + 1);
        Ok(Self { generation, stored, opened, snapshot, keys })
    }

    pub(crate) fn stored(&self, key: &str) -> Option<&StoredSetting> {
        self.stored.settings.iter().find(|setting| setting.key == key)
    }

    pub(crate) fn opened(&self, key: &str) -> Option<&SecretString> {
        self.opened.iter().find(|opened| opened.key == key)?.text.as_ref().ok()
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.snapshot.entry(key)
    }
}

fn open(setting: &StoredSetting, keys: &MasterKeys) -> Opened {
    let is_secret = registry::find(&setting.key).is_some_and(Declaration::is_secret);
    let text = match &setting.value {
        Kept::Clear(text) => Ok(text.clone().into()),
        Kept::Sealed(_) if !is_secret => Err("is sealed, although it is not a secret".to_owned()),
        Kept::Sealed(sealed) => {
            let place = Place { key: &setting.key, version: setting.version };
            keys.open(sealed, place).map_err(|error| error.to_string())
        }
    };
    Opened {
        key: setting.key.clone(),
        text,
        version: setting.version,
        updated_at: Some(setting.updated_at),
        updated_by: setting.updated_by.clone(),
    }
}

/// The master key that seals secrets; created if there is none.
pub(crate) struct Sealer {
    pub(crate) keys: Arc<MasterKeys>,
    id: KeyId,
}

impl Sealer {
    /// The key that the database names. If it names none: the newest key, or a new one if this
    /// process holds none.
    ///
    /// # Errors
    ///
    /// [`SettingsError::NoMasterKey`] if this process does not hold the key in use.
    pub(crate) async fn of(state: &State, ports: &SettingsPorts) -> Result<Self, SettingsError> {
        if let Some(id) = state.stored.master_key.clone() {
            if state.keys.find(&id).is_some() {
                return Ok(Self { keys: Arc::clone(&state.keys), id });
            }
            let keys = Arc::new(ports.keys.keys().await?);
            if keys.find(&id).is_none() {
                return Err(SettingsError::NoMasterKey { id });
            }
            return Ok(Self { keys, id });
        }
        if let Some(key) = state.keys.newest() {
            return Ok(Self { id: key.id().clone(), keys: Arc::clone(&state.keys) });
        }
        let key = MasterKey::generate(&*ports.entropy)?;
        let keys = Arc::new(ports.keys.add(&key).await?);
        Ok(Self { id: key.id().clone(), keys })
    }

    pub(crate) fn key(&self) -> Result<&MasterKey, SettingsError> {
        self.keys.find(&self.id).ok_or_else(|| SettingsError::NoMasterKey { id: self.id.clone() })
    }
}

impl From<Problem> for SettingsError {
    fn from(problem: Problem) -> Self {
        Self::Invalid(vec![problem])
    }
}
