//! Another master key is taken while everything runs.
//!
//! ```text
//! the new key stands in front of the old one ──▶ every secret is sealed anew, in one step ──▶ the old key may go
//! ```
//!
//! Each process opens what it finds with the key that sealed it, so that nothing is lost wherever this stops.

use std::collections::BTreeSet;
use std::sync::Arc;

use waggle_kernel::{Actor, Scope};

use crate::error::SettingsError;
use crate::manager::SettingsManager;
use crate::ports::SaveError;
use crate::revision::Revision;
use crate::stored::Resealed;
use crate::vault::{KeyId, MasterKey, Place, seal};

/// How often it is tried again because settings are changed at the same time.
const TRIES: usize = 50;

/// What becomes of a secret that no key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Nothing is changed until its key is given.
    Refuse,
    /// It is removed: its key is lost.
    Discard,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key before, if secrets were sealed with one.
    pub from: Option<KeyId>,
    /// The key from now on.
    pub to: KeyId,
    /// How many secrets were sealed anew, those of the history too.
    pub secrets: usize,
    /// The settings of which something was removed because no key opens it.
    pub lost: Vec<String>,
    /// The revision of the change.
    pub revision: Revision,
}

impl SettingsManager {
    /// Seals every secret with the newest master key, where that is not the one in use; otherwise makes a new one.
    ///
    /// # Errors
    ///
    /// - [`SettingsError::Forbidden`] without the scope `admin`.
    /// - [`SettingsError::NotOpened`] if a secret does not open and is not to be discarded; then nothing is changed.
    /// - [`SettingsError::Busy`], [`SettingsError::Port`]; then nothing is changed, save that a new key
    ///   may stand in front of the old ones, which the next try takes.
    pub async fn rotate_key(
        &self,
        actor: &Actor,
        unreadable: Unreadable,
    ) -> Result<Rotated, SettingsError> {
        actor.require(Scope::Admin)?;
        let _turn = self.turn.lock().await;
        self.reload().await?;
        let target = self.next_key().await?;
        for _ in 0..TRIES {
            self.reload().await?;
            let in_use = self.state().stored.master_key.clone();
            let (based_on, stored) = self.ports.repository.secrets().await?;
            // After the secrets: whoever sealed one had put its key there before.
            let keys = Arc::new(self.ports.keys.keys().await?);
            let Some(newest) = keys.find(&target) else {
                return Err(SettingsError::NoMasterKey { id: target });
            };
            let mut secrets = Vec::with_capacity(stored.len());
            let mut lost = Vec::new();
            for secret in stored {
                let place = Place { key: &secret.key, version: secret.version };
                match keys.open(&secret.sealed, place) {
                    Ok(text) => {
                        secrets
                            .push((secret.at, seal(newest, &text, place, &*self.ports.entropy)?));
                    }
                    Err(_) if unreadable == Unreadable::Discard => {
                        lost.push((secret.at, secret.key));
                    }
                    Err(source) => {
                        return Err(SettingsError::NotOpened { key: secret.key, source });
                    }
                }
            }
            let (lost, lost_keys): (Vec<_>, BTreeSet<_>) = lost.into_iter().unzip();
            let resealed = Resealed {
                based_on,
                at: self.ports.clock.now(),
                by: actor.to_string(),
                from: in_use.clone(),
                to: newest.id().clone(),
                secrets,
                lost,
            };
            match self.ports.repository.reseal(&resealed).await {
                Ok(revision) => {
                    let secrets = resealed.secrets.len();
                    let stored = self.ports.repository.load().await?;
                    self.install(stored, Arc::clone(&keys), None)?;
                    return Ok(Rotated {
                        from: in_use,
                        to: resealed.to,
                        secrets,
                        lost: lost_keys.into_iter().collect(),
                        revision,
                    });
                }
                Err(SaveError::Stale) => {}
                Err(SaveError::Port(error)) => return Err(error.into()),
            }
        }
        Err(SettingsError::Busy)
    }

    /// The key to take: the newest that is given, if it is not in use; otherwise a new one.
    async fn next_key(&self) -> Result<KeyId, SettingsError> {
        let in_use = self.state().stored.master_key.clone();
        let keys = self.ports.keys.keys().await?;
        let is_waiting = |key: &&MasterKey| in_use.as_ref().is_some_and(|id| id != key.id());
        if let Some(waiting) = keys.newest().filter(is_waiting) {
            return Ok(waiting.id().clone());
        }
        let key = MasterKey::generate(&*self.ports.entropy)?;
        self.ports.keys.add(&key).await?;
        Ok(key.id().clone())
    }
}
