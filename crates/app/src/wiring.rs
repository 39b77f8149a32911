//! Wires the use cases to their real ports.

pub(crate) mod people;

use std::ffi::OsString;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;
use waggle_accounts::ports::PasswordHasher;
use waggle_audit::ports::HeadSigner;
use waggle_audit::{
    BrowseEvents, ExtendChain, FollowChanges, RedactEvents, RemoveOldEvents, SignHeads,
};
use waggle_content::{ManagePosts, PublishDue};
use waggle_kernel::{Actor, Clock, Entropy};
use waggle_notifications::{ManageNotifications, TellPeople};
use waggle_settings::ports::{Environment, SettingsObserver};
use waggle_settings::{Problem, SettingsError, SettingsManager, SettingsPorts};
use waggle_store::Store;
use waggle_system::{Hashing, SystemClock, SystemEntropy};
use waggle_twitter_n8n::{
    BrowseSourceTweets, CheckDuplicates, EndRun, ManageBatches, PublishTweet, ReceiveBatch,
    ReviewTweets, WorkQueue,
};

use crate::config::Config;
use crate::live::changes::NewChanges;
use crate::live::connections::{LiveConnections, Maker};
use crate::live::effects::Effects;
use crate::live::head_signer::MasterHeadSigner;
use crate::live::super_admins::SuperAdmins;
use crate::metrics::Metrics;
use crate::use_cases::UseCases;

/// Errors of wiring the use cases.
#[derive(Debug, Error)]
pub(crate) enum WiringError {
    /// The settings cannot be read or changed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The metrics of the process cannot be registered.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// Values of settings are invalid.
    #[error(
        "{}. Run 'waggle settings check' for details; fix it with 'waggle settings set' or 'unset'",
        list(.0)
    )]
    Problems(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The environment variables of the process.
struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

/// Opens the settings, wired to their real ports.
pub(crate) async fn settings(
    store: &Store,
    config: &Config,
    observer: Arc<dyn SettingsObserver>,
) -> Result<SettingsManager, SettingsError> {
    let ports = SettingsPorts {
        repository: store.ports().settings,
        keys: Arc::new(config.master_key.clone()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        observer,
    };
    SettingsManager::open(ports, &ProcessEnvironment).await
}

/// Wires all use cases to `store`.
///
/// # Errors
///
/// [`WiringError`] if a setting is invalid, or a secret cannot be decrypted.
pub(crate) async fn use_cases(store: &Store, config: &Config) -> Result<UseCases, WiringError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let hasher: Arc<dyn PasswordHasher> = Arc::new(Hashing::new(Arc::clone(&entropy)));
    let ports = store.ports();
    let users = people::users(store, Arc::clone(&hasher));
    let super_admins = Arc::new(SuperAdmins { users });
    let effects = Effects { super_admins: Arc::clone(&super_admins), queues: store.queues() };
    let settings = Arc::new(settings(store, config, Arc::new(effects)).await?);
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
    let signer: Arc<dyn HeadSigner> =
        Arc::new(MasterHeadSigner { settings: Arc::clone(&settings) });
    let people = people::people(store, &settings, hasher, config.data_dir.join("outbox"));
    Ok(UseCases {
        people,
        settings: Arc::clone(&settings),
        check_duplicates: CheckDuplicates {
            source_tweets: ports.source_tweets.clone(),
            clock: clock.clone(),
        },
        end_run: EndRun { source_tweets: ports.source_tweets.clone(), clock: clock.clone() },
        receive_batch: ReceiveBatch { batches: ports.batches.clone(), clock: clock.clone() },
        source_tweets: BrowseSourceTweets {
            source_tweets: ports.source_tweets.clone(),
            clock: clock.clone(),
        },
        work_queue: WorkQueue { source_tweets: ports.source_tweets, clock: clock.clone(), entropy },
        batches: ManageBatches { batches: ports.batches, clock: clock.clone() },
        review: ReviewTweets { tweets: ports.tweets.clone(), clock: clock.clone() },
        publish_tweet: PublishTweet {
            tweets: ports.tweets,
            queue: ports.queue,
            destinations: connections.clone(),
            clock: clock.clone(),
        },
        posts: ManagePosts { posts: ports.posts, clock: clock.clone() },
        publish_due: PublishDue {
            ledger: ports.ledger,
            connections: connections.clone(),
            clock: clock.clone(),
        },
        heads: SignHeads::new(ports.events.clone(), Arc::clone(&signer), clock.clone()),
        old_events: RemoveOldEvents::new(
            ports.events.clone(),
            signer,
            clock.clone(),
            config.events_keep_days,
        ),
        notifications: ManageNotifications {
            notifications: ports.notifications.clone(),
            clock: clock.clone(),
        },
        tell_people: TellPeople { notifications: ports.notifications, clock: clock.clone() },
        redact_events: RedactEvents { log: ports.events.clone(), clock },
        chain: ExtendChain { log: ports.events.clone() },
        changes: FollowChanges { log: ports.events.clone() },
        new_changes: NewChanges::default(),
        events: BrowseEvents { log: ports.events },
        metrics: Metrics::new()?,
        super_admins,
        connections,
        master_key: config.master_key.clone(),
        store: store.clone(),
        draining: watch::Sender::new(false),
    })
}
