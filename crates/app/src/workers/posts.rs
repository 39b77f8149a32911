//! The worker that publishes the posts that are due.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tracing::{error, info, warn};
use waggle_content::ports::{Connected, Connections as _, LedgerError};
use waggle_content::{Claimed, PublishDueError, Recorded, Settled, Settlement};
use waggle_kernel::{PortError, error_chain};
use waggle_store::{Queue, Queues};

use super::queue_worker::QueueWork;
use crate::use_cases::UseCases;

/// Publishes due posts.
pub(crate) struct Posts {
    app: Arc<UseCases>,
    queues: Queues,
    /// The connections at the last claim.
    connected: Mutex<Option<Arc<Connected>>>,
}

impl Posts {
    pub(crate) const fn new(app: Arc<UseCases>, queues: Queues) -> Self {
        Self { app, queues, connected: Mutex::new(None) }
    }

    /// Makes held posts due if the credentials of their account have changed since the last call.
    /// At the first call, all accounts count as changed.
    async fn release_held(&self) {
        let now = self.app.connections.now();
        let before = self.connected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, &now)) {
            return;
        }
        for publisher in &now.publishers {
            let is_known = before
                .iter()
                .any(|before| before.publishers.iter().any(|known| Arc::ptr_eq(known, publisher)));
            if is_known {
                continue;
            }
            let platform = publisher.platform();
            match self.app.publish_due.release_held(platform).await {
                Ok(0) => {}
                Ok(posts) => {
                    info!(posts, %platform, "the account changed: its held posts are due now");
                }
                Err(problem) => {
                    // The next claim tries again.
                    error!(error = %error_chain(&problem), "held posts cannot be released");
                    return;
                }
            }
        }
        *self.connected.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}

#[async_trait]
impl QueueWork for Posts {
    type Item = Claimed;

    const NAME: &'static str = "posts";

    fn at_once(&self) -> usize {
        self.app.settings.values().publish_at_once.count()
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_secs_f64(self.app.settings.values().publish_poll.number())
    }

    async fn announced(&self) {
        self.queues.filled(Queue::Posts).await;
    }

    async fn claim(&self, most: u16) -> Result<Vec<Claimed>, PortError> {
        self.release_held().await;
        let claimed = self.app.publish_due.claim(most).await?;
        for post in claimed.unreadable {
            let (post, reason) = (post.post.number(), post.reason);
            error!(post.id = post, reason, "a post cannot be read and was removed from the queue");
        }
        Ok(claimed.posts)
    }

    async fn process(&self, claimed: Claimed) {
        let post = claimed.post.id.number();
        let platform = claimed.post.platform.name();
        let settled = match self.app.publish_due.deliver(&claimed).await {
            Ok(settled) => settled,
            Err(PublishDueError::Ledger(LedgerError::NotHeld)) => {
                warn!(post.id = post, platform, "another worker has taken over a post");
                return;
            }
            Err(problem) => {
                let error = error_chain(&problem);
                error!(
                    post.id = post,
                    platform, error, "the outcome of a delivery could not be recorded"
                );
                return;
            }
        };
        self.app.metrics.delivery(platform, outcome(&settled));
        match settled.recorded {
            Recorded::AsDecided => {}
            Recorded::PublicBefore { id } => {
                error!(
                    post.id = post,
                    platform,
                    platform_id = id,
                    "an attempt that was considered lost was published"
                );
                return;
            }
            Recorded::PublicTwice { ids } => {
                let ids = ids.join(" ");
                error!(
                    post.id = post,
                    platform,
                    platform_ids = ids,
                    "a post was published more than once"
                );
                return;
            }
            Recorded::IdTaken { id, by } => {
                error!(
                    post.id = post,
                    platform,
                    platform_id = id,
                    holder.id = by.number(),
                    "the platform returned an id for a post that belongs to another post"
                );
                return;
            }
        }
        match settled.settlement {
            Settlement::Published { id, .. } => {
                info!(post.id = post, platform, platform_id = %id, "a post was published");
            }
            Settlement::Retry { at, reason, .. } => {
                warn!(
                    post.id = post,
                    platform,
                    again_at = %at,
                    reason,
                    "a post could not be published and will be retried"
                );
            }
            Settlement::Held { at, reason } => {
                warn!(
                    post.id = post,
                    platform,
                    again_at = %at,
                    reason,
                    "a post is held because of its account"
                );
            }
            Settlement::Look { again_at, reason, .. } => {
                warn!(
                    post.id = post,
                    platform,
                    %again_at,
                    reason,
                    "the outcome of a post is unknown"
                );
            }
            Settlement::Failed { reason, .. } => {
                error!(post.id = post, platform, reason, "a post failed");
            }
            Settlement::Missed { reason } => {
                error!(post.id = post, platform, reason, "a post was missed");
            }
            Settlement::Ask { reason } => {
                error!(post.id = post, platform, reason, "a person must resolve a post");
            }
        }
    }
}

/// The name of an outcome, by which it is counted.
const fn outcome(settled: &Settled) -> &'static str {
    match settled.recorded {
        Recorded::AsDecided => {}
        Recorded::PublicBefore { .. } => return "published_before",
        Recorded::PublicTwice { .. } => return "published_twice",
        Recorded::IdTaken { .. } => return "id_taken",
    }
    match settled.settlement {
        Settlement::Published { .. } => "published",
        Settlement::Retry { .. } => "retry",
        Settlement::Held { .. } => "held",
        Settlement::Look { .. } | Settlement::Ask { .. } => "unknown",
        Settlement::Failed { .. } => "failed",
        Settlement::Missed { .. } => "missed",
    }
}
