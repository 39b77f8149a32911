//! All parts wired together.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use secrecy::SecretString;
use thiserror::Error;
use tokio::sync::Notify;
use waggle_accounts::Tokens;
use waggle_content::ports::Publisher;
use waggle_content::{ManagePosts, Platform, PublishDue, Timing};
use waggle_kernel::{Clock, Entropy, SystemClock};
use waggle_platforms::{Fault, OAuth1, Sandbox, UnknownFault, X, XCredentials};
use waggle_settings::ports::Environment;
use waggle_settings::{InvalidValue, Setting, Settings, SettingsError, registry};
use waggle_store::Store;
use waggle_twitter_n8n::{
    BrowseSourceTweets, CheckDuplicates, ManageBatches, PublishTweet, ReceiveBatch, ReviewTweets,
    WorkQueue,
};

use crate::entropy::SystemEntropy;

/// The use cases, on their real ports.
pub(crate) struct App {
    pub(crate) tokens: Tokens,
    pub(crate) settings: Settings,
    pub(crate) check_duplicates: CheckDuplicates,
    pub(crate) receive_batch: ReceiveBatch,
    pub(crate) source_tweets: BrowseSourceTweets,
    pub(crate) work_queue: WorkQueue,
    pub(crate) batches: ManageBatches,
    pub(crate) review: ReviewTweets,
    pub(crate) publish_tweet: PublishTweet,
    pub(crate) posts: ManagePosts,
    pub(crate) publish_due: PublishDue,
    pub(crate) sandbox: Arc<Sandbox>,
    /// Tells the worker that something is due now.
    pub(crate) wake: Notify,
    /// Set when the process is about to end: then it is not ready for more.
    pub(crate) draining: AtomicBool,
}

/// Why the parts could not be wired.
#[derive(Debug, Error)]
pub(crate) enum WiringError {
    /// A setting could not be read.
    #[error(transparent)]
    Setting(#[from] SettingsError),
    /// Values of the environment make no sense.
    #[error("{}", list(.0))]
    Environment(Vec<InvalidValue>),
    /// A fault of the sandbox is none.
    #[error("SANDBOX_FAULTS: {0}")]
    Fault(#[from] UnknownFault),
    /// The lease would run out while a request is under way.
    #[error("PUBLISH_LEASE_SECONDS has to be at least twice PUBLISH_REQUEST_SECONDS")]
    ShortLease,
    /// There is no HTTP client.
    #[error("no HTTP client could be made")]
    Http(#[source] reqwest::Error),
}

fn list(invalid: &[InvalidValue]) -> String {
    invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The variables of the process.
struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// The settings, on their real ports.
pub(crate) fn settings(store: &Store) -> Settings {
    Settings {
        repository: store.ports().settings,
        environment: Arc::new(ProcessEnvironment),
        clock: Arc::new(SystemClock),
    }
}

/// The tokens, on their real ports.
pub(crate) fn tokens(store: &Store) -> Tokens {
    Tokens {
        tokens: store.ports().tokens,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

impl App {
    /// Wires all parts to `store`.
    ///
    /// # Errors
    ///
    /// [`WiringError`] if a setting makes no sense.
    pub(crate) async fn new(store: &Store, data_dir: &Path) -> Result<Self, WiringError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let ports = store.ports();
        let settings = settings(store);
        let invalid = settings.invalid_in_environment();
        if !invalid.is_empty() {
            return Err(WiringError::Environment(invalid));
        }
        let timing = timing(&settings).await?;
        let faults = text(&settings, &registry::SANDBOX_FAULTS).await?.unwrap_or_default();
        let faults = Fault::parse_list(&faults)?;
        let folder = data_dir.join("sandbox");
        let sandbox = Arc::new(Sandbox::new(&folder, faults, timing.request, clock.clone()));
        let mut publishers: Vec<Arc<dyn Publisher>> = vec![sandbox.clone()];
        if let Some(x) = x(&settings, timing, &clock, &entropy).await? {
            publishers.push(Arc::new(x));
        }
        Ok(Self {
            tokens: tokens(store),
            settings,
            check_duplicates: CheckDuplicates {
                source_tweets: ports.source_tweets.clone(),
                clock: clock.clone(),
            },
            receive_batch: ReceiveBatch { batches: ports.batches.clone(), clock: clock.clone() },
            source_tweets: BrowseSourceTweets { source_tweets: ports.source_tweets.clone() },
            work_queue: WorkQueue {
                source_tweets: ports.source_tweets,
                clock: clock.clone(),
                entropy,
            },
            batches: ManageBatches { batches: ports.batches, clock: clock.clone() },
            review: ReviewTweets { tweets: ports.tweets.clone(), clock: clock.clone() },
            publish_tweet: PublishTweet {
                tweets: ports.tweets,
                queue: ports.queue,
                clock: clock.clone(),
            },
            posts: ManagePosts { posts: ports.posts, clock: clock.clone() },
            publish_due: PublishDue { ledger: ports.ledger, publishers, clock, timing },
            sandbox,
            wake: Notify::new(),
            draining: AtomicBool::new(false),
        })
    }

    /// Whether posts can go to `platform`.
    pub(crate) fn is_connected(&self, platform: Platform) -> bool {
        self.publish_due.publishers.iter().any(|publisher| publisher.platform() == platform)
    }

    /// Where a post goes when nothing is said: to X if it is connected, otherwise to the sandbox.
    pub(crate) fn default_platform(&self) -> Platform {
        if self.is_connected(Platform::X) { Platform::X } else { Platform::Sandbox }
    }
}

async fn text(
    settings: &Settings,
    setting: &Setting<String>,
) -> Result<Option<String>, SettingsError> {
    Ok(settings.get(setting).await?.value)
}

async fn timing(settings: &Settings) -> Result<Timing, WiringError> {
    let seconds = async |setting| {
        let found = settings.get(setting).await?.value;
        Ok::<_, SettingsError>(found.map(|value: waggle_settings::WholeSeconds| value.duration()))
    };
    let default = chrono::Duration::zero();
    let timing = Timing {
        lease: seconds(&registry::PUBLISH_LEASE_SECONDS).await?.unwrap_or(default),
        request: seconds(&registry::PUBLISH_REQUEST_SECONDS).await?.unwrap_or(default),
        missed_after: seconds(&registry::PUBLISH_MISSED_AFTER_SECONDS).await?.unwrap_or(default),
    };
    if timing.lease < timing.request * 2 { Err(WiringError::ShortLease) } else { Ok(timing) }
}

/// X, if an account is connected.
async fn x(
    settings: &Settings,
    timing: Timing,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Option<X>, WiringError> {
    let consumer_key = text(settings, &registry::TWITTER_API_KEY).await?;
    let token = text(settings, &registry::TWITTER_ACCESS_TOKEN).await?;
    let consumer_secret = settings.get(&registry::TWITTER_API_SECRET).await?.value;
    let token_secret = settings.get(&registry::TWITTER_ACCESS_TOKEN_SECRET).await?.value;
    let bearer: Option<SecretString> = settings.get(&registry::TWITTER_OAUTH2_TOKEN).await?.value;
    let credentials = match (consumer_key, consumer_secret, token, token_secret) {
        (Some(consumer_key), Some(consumer_secret), Some(token), Some(token_secret)) => {
            XCredentials::OAuth1(OAuth1 { consumer_key, consumer_secret, token, token_secret })
        }
        _ => match bearer {
            Some(bearer) => XCredentials::OAuth2(bearer),
            None => return Ok(None),
        },
    };
    let Some(base) = settings.get(&registry::TWITTER_API_URL).await?.value else { return Ok(None) };
    let timeout = timing.request.to_std().unwrap_or_default();
    X::new(base, credentials, timeout, clock.clone(), entropy.clone())
        .map(Some)
        .map_err(WiringError::Http)
}
