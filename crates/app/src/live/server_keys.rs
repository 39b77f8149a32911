//! The master keys as accounts use them: to recognize codes, and to seal secrets.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use waggle_kernel::{Entropy, Mark, PortError, SealedSecret, ServerKeys};
use waggle_settings::{KeyId, Sealed, SettingsError, SettingsManager};

/// Uses the master keys of this process.
pub(crate) struct MasterServerKeys {
    pub(crate) settings: Arc<SettingsManager>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

#[async_trait]
impl ServerKeys for MasterServerKeys {
    fn mark(&self, secret: &SecretString) -> Result<Mark, PortError> {
        let (key, hash) = self.settings.master_keys().mark(secret)?;
        Ok(Mark { key: key.0, hash })
    }

    fn is_marked(&self, secret: &SecretString, mark: &Mark) -> bool {
        self.settings.master_keys().is_marked(secret, &KeyId(mark.key.clone()), &mark.hash)
    }

    fn seal(&self, place: &str, secret: &SecretString) -> Result<SealedSecret, PortError> {
        let sealed = self.settings.master_keys().seal_for(secret, place, &*self.entropy)?;
        Ok(SealedSecret { key: sealed.key.0, bytes: sealed.bytes })
    }

    async fn open(&self, place: &str, sealed: &SealedSecret) -> Result<SecretString, PortError> {
        let sealed = Sealed { key: KeyId(sealed.key.clone()), bytes: sealed.bytes.clone() };
        // Another process may have just added a new key.
        if self.settings.master_keys().find(&sealed.key).is_none() {
            let reloaded = self.settings.reload().await;
            reloaded.map_err(|error| match error {
                SettingsError::Port(error) => error,
                error => PortError::broken("reloading the master keys", error),
            })?;
        }
        let opened = self.settings.master_keys().open_for(&sealed, place);
        opened.map_err(|error| PortError::broken("opening a sealed secret", error))
    }
}
