//! The connections to platforms that the current settings define.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret as _;
use tracing::error;
use waggle_content::ports::{Connected, Connections, Publisher};
use waggle_content::{Platform, ReconcilePolicy, Timing};
use waggle_kernel::{Clock, Entropy};
use waggle_platforms::{Fault, OAuth1, Sandbox, X, XCredentials};
use waggle_settings::{ApiUrl, ReconcileSeconds, Secret, SettingsManager, Values};
use waggle_twitter_n8n::NoDestination;
use waggle_twitter_n8n::ports::Destinations;

/// Recreates the publishers when a setting that they depend on changes.
pub(crate) struct LiveConnections {
    settings: Arc<SettingsManager>,
    maker: Maker,
    current: Mutex<Option<Current>>,
}

/// Creates publishers.
#[derive(Clone)]
pub(crate) struct Maker {
    /// The folder of the sandbox's timeline.
    pub(crate) sandbox_folder: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

#[derive(Clone)]
struct Current {
    values: Arc<Values>,
    connected: Arc<Connected>,
    sandbox: Arc<Sandbox>,
    x: Option<(XValues, Arc<X>)>,
}

/// The settings that the X publisher depends on.
#[derive(Clone, PartialEq)]
struct XValues {
    url: ApiUrl,
    key: Option<Secret>,
    secret: Option<Secret>,
    token: Option<Secret>,
    token_secret: Option<Secret>,
    bearer: Option<Secret>,
    reconcile: ReconcileSeconds,
    request: chrono::Duration,
}

impl XValues {
    fn of(values: &Values) -> Self {
        Self {
            url: values.twitter_api_url.clone(),
            key: values.twitter_api_key.clone(),
            secret: values.twitter_api_secret.clone(),
            token: values.twitter_access_token.clone(),
            token_secret: values.twitter_access_token_secret.clone(),
            bearer: values.twitter_oauth2_token.clone(),
            reconcile: values.twitter_reconcile,
            request: values.publish_request.duration(),
        }
    }

    /// The credentials: OAuth 1.0a if all four of its values are set, otherwise the bearer token.
    /// `None` if neither is set.
    fn credentials(&self) -> Option<XCredentials> {
        match (&self.key, &self.secret, &self.token, &self.token_secret, &self.bearer) {
            (Some(key), Some(secret), Some(token), Some(token_secret), _) => {
                Some(XCredentials::OAuth1(OAuth1 {
                    consumer_key: key.text().expose_secret().to_owned(),
                    consumer_secret: secret.text().clone(),
                    token: token.text().expose_secret().to_owned(),
                    token_secret: token_secret.text().clone(),
                }))
            }
            (_, _, _, _, Some(bearer)) => Some(XCredentials::OAuth2(bearer.text().clone())),
            _ => None,
        }
    }
}

impl Maker {
    /// The X publisher that `values` define; `None` if they have no credentials.
    ///
    /// # Errors
    ///
    /// [`reqwest::Error`] if the HTTP client cannot be created.
    pub(crate) fn x(&self, values: &Values) -> Result<Option<X>, reqwest::Error> {
        self.x_of(&XValues::of(values))
    }

    fn x_of(&self, values: &XValues) -> Result<Option<X>, reqwest::Error> {
        let Some(credentials) = values.credentials() else { return Ok(None) };
        let timeout = values.request.to_std().unwrap_or_default();
        let reconcile = ReconcilePolicy {
            first_look_after: values.reconcile.first_look_after,
            second_look_after: values.reconcile.second_look_after,
            resend_within: values.reconcile.resend_within,
        };
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        X::new(values.url.url().clone(), credentials, timeout, reconcile, clock, entropy).map(Some)
    }

    fn connect(&self, values: Arc<Values>, before: Option<&Current>) -> Current {
        let timing = Timing {
            lease: values.publish_lease.duration(),
            request: values.publish_request.duration(),
            missed_after: values.publish_missed_after.duration(),
        };
        let faults =
            values.sandbox_faults.0.iter().filter_map(|name| name.as_str().parse::<Fault>().ok());
        let is_same_sandbox = before.is_some_and(|before| {
            before.values.sandbox_faults == values.sandbox_faults
                && before.values.publish_request == values.publish_request
        });
        let sandbox = before.filter(|_| is_same_sandbox).map_or_else(
            || {
                Arc::new(Sandbox::new(
                    &self.sandbox_folder,
                    faults.collect(),
                    timing.request,
                    Arc::clone(&self.clock),
                ))
            },
            |before| Arc::clone(&before.sandbox),
        );
        let x = self.x_again(XValues::of(&values), before);
        let mut publishers: Vec<Arc<dyn Publisher>> = vec![sandbox.clone()];
        publishers.extend(x.iter().map(|(_, x)| Arc::clone(x) as Arc<dyn Publisher>));
        Current { values, connected: Arc::new(Connected { publishers, timing }), sandbox, x }
    }

    /// Keeps the X publisher if its settings have not changed, because it has open connections and
    /// knows its account.
    fn x_again(&self, values: XValues, before: Option<&Current>) -> Option<(XValues, Arc<X>)> {
        let same = before
            .and_then(|before| before.x.as_ref())
            .filter(|(values_before, _)| *values_before == values);
        if let Some(same) = same {
            return Some(same.clone());
        }
        match self.x_of(&values) {
            Ok(x) => Some((values, Arc::new(x?))),
            Err(problem) => {
                error!(error = %problem, "X is not connected: no HTTP client could be made");
                None
            }
        }
    }
}

impl LiveConnections {
    pub(crate) fn new(settings: Arc<SettingsManager>, maker: Maker) -> Self {
        Self { settings, maker, current: Mutex::new(None) }
    }

    pub(crate) const fn maker(&self) -> &Maker {
        &self.maker
    }

    /// The current sandbox.
    pub(crate) fn sandbox(&self) -> Arc<Sandbox> {
        self.current().sandbox
    }

    /// Whether posts can be published to `platform`.
    pub(crate) fn is_connected(&self, platform: Platform) -> bool {
        self.current().connected.publisher(platform).is_some()
    }

    fn current(&self) -> Current {
        let values = self.settings.values();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(current) if Arc::ptr_eq(&current.values, &values) => current.clone(),
            before => {
                let made = self.maker.connect(values, before.as_ref());
                *current = Some(made.clone());
                made
            }
        }
    }
}

impl Destinations for LiveConnections {
    fn choose(&self, wanted: Option<String>) -> Result<String, NoDestination> {
        let connected = self.current().connected;
        let platform = match wanted {
            None => connected.default_platform(),
            Some(name) => name
                .parse::<Platform>()
                .map_err(|error| NoDestination::Unknown(error.to_string()))?,
        };
        let name = platform.name().to_owned();
        match connected.publisher(platform) {
            Some(_) => Ok(name),
            None => Err(NoDestination::NotConnected(name)),
        }
    }
}

impl Connections for LiveConnections {
    fn now(&self) -> Arc<Connected> {
        self.current().connected
    }
}

#[cfg(test)]
mod tests {
    use waggle_settings::FaultName;

    use super::*;

    #[test]
    fn the_sandbox_supports_every_fault_that_can_be_set() {
        for name in FaultName::ALL {
            assert!(name.parse::<Fault>().is_ok(), "{name}");
        }
    }
}
