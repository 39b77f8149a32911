//! Rotation of the master key, while servers are running.
//!
//! ```text
//! add the new key before the old one
//!   ──▶ reseal every secret in one step
//!   ──▶ remove the old key
//! ```
//!
//! Each process decrypts a value with the key that sealed it, so nothing is lost if a rotation
//! stops at any point.

use std::collections::BTreeSet;
use std::sync::Arc;

use waggle_kernel::{Actor, Scope};

use crate::error::SettingsError;
use crate::manager::SettingsManager;
use crate::ports::SaveError;
use crate::revision::Revision;
use crate::stored::Resealed;
use crate::vault::{KeyId, MasterKey, Place, seal};

/// How often a rotation is tried again because settings were changed at the same time.
const TRIES: usize = 50;

/// What to do with a secret that no key decrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Change nothing until its key is provided.
    Refuse,
    /// Remove it, because its key is lost.
    Discard,
}

/// The result of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The previous key; `None` if no key was in use.
    pub from: Option<KeyId>,
    pub to: KeyId,
    /// The number of resealed secrets, including those in the history.
    pub secrets: usize,
    /// The settings that lost a value, because no key decrypts it.
    pub lost: Vec<String>,
    pub revision: Revision,
}

impl SettingsManager {
    /// Reseals every secret with the newest master key if that is not the one in use. Otherwise,
    /// generates a new key and uses that.
    ///
    /// # Errors
    ///
    /// - [`SettingsError::Forbidden`] if the actor lacks the scope `admin`.
    /// - [`SettingsError::NotOpened`] if a secret cannot be decrypted and `unreadable` is
    ///   [`Unreadable::Refuse`]. Nothing is changed then.
    /// - [`SettingsError::Busy`] if another change was saved first in every try.
    ///
    /// With [`SettingsError::Busy`] and [`SettingsError::Port`], no setting is changed, but a new
    /// key may have been added before the old ones. The next rotation uses that key.
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
            // The keys are read after the secrets, because a process stores a key before it seals
            // with it.
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
                by: actor.reference(),
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

    /// The key to rotate to: the newest key if it is not in use, otherwise a new one.
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
