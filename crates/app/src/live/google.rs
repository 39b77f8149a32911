//! Google sign-in with the current settings.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use url::Url;
use waggle_accounts::ports::IdentityProvider;
use waggle_accounts::{GoogleProfile, IdentityError, SignInSecrets};
use waggle_google::{Google, Registration};
use waggle_kernel::Clock;
use waggle_settings::{Secret, SettingsManager, Values};

/// The settings that the Google client depends on.
#[derive(Clone, PartialEq)]
struct GoogleValues {
    issuer: Url,
    client_id: String,
    client_secret: Secret,
    redirect: Url,
}

impl GoogleValues {
    /// `None` if one of them is not set.
    fn of(values: &Values, callback: &str) -> Option<Self> {
        let home = values.public_url.as_ref()?.url();
        Some(Self {
            issuer: values.google_oauth_issuer.url().clone(),
            client_id: values.google_oauth_client_id.as_ref()?.0.clone(),
            client_secret: values.google_oauth_client_secret.clone()?,
            redirect: home.join(callback).ok()?,
        })
    }

    fn registration(&self) -> Registration {
        Registration {
            issuer: self.issuer.as_str().to_owned(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.text().clone(),
            redirect: self.redirect.clone(),
        }
    }
}

/// Fetches the endpoints and keys of the issuer in `values`, to check that this works.
pub(crate) async fn check(
    values: &Values,
    callback: &str,
    clock: Arc<dyn Clock>,
) -> Result<(), IdentityError> {
    let values = GoogleValues::of(values, callback).ok_or(IdentityError::NotSetUp)?;
    Google::new(values.registration(), clock)?.check().await
}

/// Uses the settings of the moment in each step: when a user is sent to Google, and when the user
/// comes back.
pub(crate) struct LiveGoogle {
    settings: Arc<SettingsManager>,
    /// The path that Google redirects users to.
    callback: &'static str,
    clock: Arc<dyn Clock>,
    current: Mutex<Option<(GoogleValues, Arc<Google>)>>,
}

impl LiveGoogle {
    pub(crate) fn new(
        settings: Arc<SettingsManager>,
        callback: &'static str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { settings, callback, clock, current: Mutex::new(None) }
    }

    fn google(&self) -> Result<Arc<Google>, IdentityError> {
        let values = GoogleValues::of(&self.settings.values(), self.callback)
            .ok_or(IdentityError::NotSetUp)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, google)) = current.as_ref()
            && *known == values
        {
            return Ok(Arc::clone(google));
        }
        let google = Arc::new(Google::new(values.registration(), Arc::clone(&self.clock))?);
        *current = Some((values, Arc::clone(&google)));
        Ok(google)
    }
}

#[async_trait]
impl IdentityProvider for LiveGoogle {
    async fn address(
        &self,
        secrets: &SignInSecrets,
        domain: Option<String>,
    ) -> Result<Url, IdentityError> {
        self.google()?.address(secrets, domain).await
    }

    async fn profile(
        &self,
        code: &str,
        secrets: &SignInSecrets,
    ) -> Result<GoogleProfile, IdentityError> {
        self.google()?.profile(code, secrets).await
    }
}
