//! All parts wired together.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use thiserror::Error;
use tokio::sync::Notify;
use waggle_accounts::AccountPolicy;
use waggle_content::{ManagePosts, Platform, PublishDue};
use waggle_kernel::{Actor, Clock, Entropy, SystemClock};
use waggle_settings::ports::Environment;
use waggle_settings::{Problem, SettingsError, SettingsManager, SettingsPorts};
use waggle_store::Store;
use waggle_twitter_n8n::{
    BrowseSourceTweets, CheckDuplicates, EndRun, ManageBatches, PublishTweet, ReceiveBatch,
    ReviewTweets, WorkQueue,
};

use crate::config::Config;
use crate::connections::{LiveConnections, Maker};
use crate::entropy::SystemEntropy;
use crate::people::People;
use crate::policy;

/// The use cases, on their real ports.
pub(crate) struct App {
    pub(crate) people: People,
    pub(crate) settings: Arc<SettingsManager>,
    pub(crate) check_duplicates: CheckDuplicates,
    pub(crate) receive_batch: ReceiveBatch,
    pub(crate) end_run: EndRun,
    pub(crate) source_tweets: BrowseSourceTweets,
    pub(crate) work_queue: WorkQueue,
    pub(crate) batches: ManageBatches,
    pub(crate) review: ReviewTweets,
    pub(crate) publish_tweet: PublishTweet,
    pub(crate) posts: ManagePosts,
    pub(crate) publish_due: PublishDue,
    pub(crate) connections: Arc<LiveConnections>,
    /// The database, to ask whether it answers.
    pub(crate) store: Store,
    /// Tells the worker that something is due now.
    pub(crate) wake: Notify,
    /// Tells the mail worker that there is something to send.
    pub(crate) post: Notify,
    /// Set when the process is about to end: then it is not ready for more.
    pub(crate) draining: AtomicBool,
}

/// Why the parts could not be wired.
#[derive(Debug, Error)]
pub(crate) enum WiringError {
    /// The settings cannot be read or changed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Values make no sense.
    #[error("{}. 'waggle settings check' says more, 'waggle settings set' and 'unset' mend it", list(.0))]
    Problems(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The variables of the process.
struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

/// The settings, on their real ports.
///
/// # Errors
///
/// [`SettingsError`] if they cannot be read.
pub(crate) async fn settings(
    store: &Store,
    config: &Config,
) -> Result<SettingsManager, SettingsError> {
    let ports = SettingsPorts {
        repository: store.ports().settings,
        keys: Arc::new(config.master_key.clone()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    SettingsManager::open(ports, &ProcessEnvironment).await
}

impl App {
    /// What the settings say about people now.
    pub(crate) fn policy(&self) -> AccountPolicy {
        policy::of(&self.settings.values())
    }

    /// Wires all parts to `store`.
    ///
    /// # Errors
    ///
    /// [`WiringError`] if a setting makes no sense, or a secret does not open.
    pub(crate) async fn new(store: &Store, config: &Config) -> Result<Self, WiringError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let ports = store.ports();
        let settings = Arc::new(settings(store, config).await?);
        let problems = settings.problems();
        if !problems.is_empty() {
            return Err(WiringError::Problems(problems));
        }
        settings.settle_master_key(&Actor::system()).await?;
        settings.seal_clear_secrets(&Actor::system()).await?;
        let connections = Arc::new(LiveConnections::new(
            Arc::clone(&settings),
            Maker {
                sandbox_folder: config.data_dir.join("sandbox"),
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
            },
        ));
        let people = People::new(store, &settings, config.data_dir.join("outbox"));
        Ok(Self {
            people,
            settings,
            check_duplicates: CheckDuplicates {
                source_tweets: ports.source_tweets.clone(),
                clock: clock.clone(),
            },
            end_run: EndRun { source_tweets: ports.source_tweets.clone(), clock: clock.clone() },
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
            publish_due: PublishDue {
                ledger: ports.ledger,
                connections: connections.clone(),
                clock,
            },
            connections,
            store: store.clone(),
            wake: Notify::new(),
            post: Notify::new(),
            draining: AtomicBool::new(false),
        })
    }

    /// Where a post goes when nothing is said: to X if it is connected, otherwise to the sandbox.
    pub(crate) fn default_platform(&self) -> Platform {
        if self.connections.is_connected(Platform::X) { Platform::X } else { Platform::Sandbox }
    }
}
