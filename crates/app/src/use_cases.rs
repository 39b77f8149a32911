//! The use cases that endpoints and workers call.

use std::sync::Arc;

use tokio::sync::watch;
use waggle_accounts::{
    AccountPolicy, ChangeAddress, DeliverMail, GoogleSignIn, ManageUsers, Passkeys, Register,
    ResetPassword, SecondFactor, Sessions, SetUp, SignIn, Tokens, User,
};
use waggle_audit::{
    BrowseEvents, ExtendChain, FollowChanges, RedactEvents, RemoveOldEvents, SignHeads,
};
use waggle_content::{ManagePosts, PublishDue};
use waggle_kernel::Zone;
use waggle_notifications::{ManageNotifications, TellPeople};
use waggle_settings::SettingsManager;
use waggle_store::Store;
use waggle_system::MasterKeyPlace;
use waggle_twitter_n8n::{
    BrowseSourceTweets, CheckDuplicates, EndRun, ManageBatches, PublishTweet, ReceiveBatch,
    ReviewTweets, WorkQueue,
};

use crate::live::changes::NewChanges;
use crate::live::connections::LiveConnections;
use crate::live::policy;
use crate::live::super_admins::SuperAdmins;
use crate::metrics::Metrics;

/// The use cases, wired to their real ports.
pub(crate) struct UseCases {
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
    pub(crate) super_admins: Arc<SuperAdmins>,
    pub(crate) connections: Arc<LiveConnections>,
    pub(crate) chain: ExtendChain,
    pub(crate) heads: SignHeads,
    pub(crate) events: BrowseEvents,
    pub(crate) redact_events: RedactEvents,
    pub(crate) old_events: RemoveOldEvents,
    pub(crate) changes: FollowChanges,
    pub(crate) new_changes: NewChanges,
    pub(crate) notifications: ManageNotifications,
    pub(crate) tell_people: TellPeople,
    pub(crate) metrics: Metrics,
    /// Where the master key is.
    pub(crate) master_key: MasterKeyPlace,
    /// The database, whose health is checked.
    pub(crate) store: Store,
    /// True when the process is about to end: it is no longer ready for requests, and open streams
    /// end.
    pub(crate) draining: watch::Sender<bool>,
}

/// The use cases of accounts, wired to their real ports.
pub(crate) struct People {
    pub(crate) tokens: Tokens,
    pub(crate) sign_in: SignIn,
    pub(crate) sessions: Sessions,
    pub(crate) users: ManageUsers,
    pub(crate) set_up: SetUp,
    pub(crate) register: Register,
    pub(crate) reset_password: ResetPassword,
    pub(crate) change_address: ChangeAddress,
    pub(crate) google: GoogleSignIn,
    pub(crate) deliver_mail: DeliverMail,
    pub(crate) second_factor: Arc<SecondFactor>,
    pub(crate) passkeys: Passkeys,
}

impl UseCases {
    /// The account policy of the current settings.
    pub(crate) fn policy(&self) -> AccountPolicy {
        policy::of(&self.settings.values())
    }

    /// The time zone of people who have not chosen one.
    pub(crate) fn default_zone(&self) -> Zone {
        self.settings.values().time_zone
    }

    /// The time zone of a user.
    pub(crate) fn zone_of(&self, user: &User) -> Zone {
        user.time_zone.unwrap_or_else(|| self.default_zone())
    }
}
