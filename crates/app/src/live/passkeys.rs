//! Passkeys for the current `PUBLIC_URL`.

use std::sync::Arc;

use serde_json::Value;
use waggle_accounts::ports::{Asked, NewCredential, PasskeyError, PasskeyVerifier, Proof};
use waggle_accounts::{Passkey, User};
use waggle_passkeys::RelyingParty;
use waggle_settings::{SettingsManager, Values};

/// Uses the `PUBLIC_URL` of the moment in each step: when an authenticator is asked, and when it
/// answers.
pub(crate) struct LivePasskeys {
    pub(crate) settings: Arc<SettingsManager>,
}

/// Waggle as a relying party of WebAuthn.
///
/// # Errors
///
/// [`PasskeyError::NotSetUp`] if `PUBLIC_URL` is not set, or browsers do not support passkeys for
/// it.
pub(crate) fn relying_party(values: &Values) -> Result<RelyingParty, PasskeyError> {
    let home = values.public_url.as_ref().ok_or(PasskeyError::NotSetUp)?;
    RelyingParty::at(home.url()).ok_or(PasskeyError::NotSetUp)
}

impl LivePasskeys {
    fn present(&self) -> Result<RelyingParty, PasskeyError> {
        relying_party(&self.settings.values())
    }
}

impl PasskeyVerifier for LivePasskeys {
    fn begin_registering(&self, user: &User, present: &[Passkey]) -> Result<Asked, PasskeyError> {
        self.present()?.begin_registering(user, present)
    }

    fn finish_registering(
        &self,
        user: &User,
        state: &[u8],
        answer: &Value,
    ) -> Result<NewCredential, PasskeyError> {
        self.present()?.finish_registering(user, state, answer)
    }

    fn begin_proving(&self, present: &[Passkey]) -> Result<Asked, PasskeyError> {
        self.present()?.begin_proving(present)
    }

    fn finish_proving(
        &self,
        user: &User,
        present: &[Passkey],
        state: &[u8],
        answer: &Value,
    ) -> Result<Proof, PasskeyError> {
        self.present()?.finish_proving(user, present, state, answer)
    }
}
