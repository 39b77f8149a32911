//! Signs heads of the audit log with a key that is derived from the newest master key.

use std::sync::Arc;

use waggle_audit::ports::HeadSigner;
use waggle_kernel::PortError;
use waggle_settings::SettingsManager;
use waggle_system::SigningKey;

/// Uses the master keys of this process.
pub(crate) struct MasterHeadSigner {
    pub(crate) settings: Arc<SettingsManager>,
}

impl MasterHeadSigner {
    fn key(&self) -> Result<SigningKey, PortError> {
        SigningKey::from_seed(&self.settings.master_keys().derive("audit heads")?)
    }
}

impl HeadSigner for MasterHeadSigner {
    fn public_key(&self) -> Result<String, PortError> {
        Ok(self.key()?.public_key())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, PortError> {
        Ok(self.key()?.sign(text))
    }

    fn is_signature(&self, public_key: &str, text: &[u8], signature: &[u8]) -> bool {
        waggle_system::is_signature(public_key, text, signature)
    }
}
