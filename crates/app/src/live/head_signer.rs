//! Signs heads of the audit log with keys that are derived from the master keys.

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
    /// The keys, newest first.
    fn keys(&self) -> Result<Vec<SigningKey>, PortError> {
        let seeds = self.settings.master_keys().derive("audit heads");
        seeds.iter().map(SigningKey::from_seed).collect()
    }
}

impl HeadSigner for MasterHeadSigner {
    fn public_keys(&self) -> Result<Vec<String>, PortError> {
        Ok(self.keys()?.iter().map(SigningKey::public_key).collect())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, PortError> {
        let newest = self.keys()?.into_iter().next();
        let newest =
            newest.ok_or_else(|| PortError::broken("signing", "there is no master key"))?;
        Ok(newest.sign(text))
    }

    fn is_signature(&self, public_key: &str, text: &[u8], signature: &[u8]) -> bool {
        waggle_system::is_signature(public_key, text, signature)
    }
}
