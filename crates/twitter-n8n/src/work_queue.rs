//! The work queue: workflows claim unprocessed source tweets under a lease that expires.
//!
//! ```text
//! unprocessed ──claim──▶ leased ──acknowledge──▶ processed
//!      ▲                    │
//!      └── release / lease expires
//! ```

use std::sync::Arc;

use chrono::Duration;
use thiserror::Error;
use waggle_kernel::ids::SourceTweetId;
use waggle_kernel::{Actor, Clock, Entropy, Forbidden, PortError, Scope, hex};

use crate::lease::{Lease, LeaseOutcome};
use crate::ports::SourceTweetRepository;
use crate::source_tweet::SourceTweet;

/// The result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedTweets {
    pub lease: Lease,
    /// The leased tweets, oldest first; may be empty.
    pub tweets: Vec<SourceTweet>,
}

/// Leases unprocessed source tweets to workflows.
pub struct WorkQueue {
    pub source_tweets: Arc<dyn SourceTweetRepository>,
    pub clock: Arc<dyn Clock>,
    /// Generates the names of leases.
    pub entropy: Arc<dyn Entropy>,
}

impl WorkQueue {
    /// The maximum number of tweets in one claim.
    pub const MOST: u16 = 200;

    /// Leases up to `most` tweets for `seconds`.
    ///
    /// # Errors
    ///
    /// [`WorkQueueError`]; then nothing is leased.
    pub async fn claim(
        &self,
        actor: &Actor,
        most: u16,
        seconds: u32,
    ) -> Result<LeasedTweets, WorkQueueError> {
        actor.require(Scope::Ingest)?;
        if most == 0 || most > Self::MOST {
            return Err(InvalidLease::Limit.into());
        }
        if !(1..=86_400).contains(&seconds) {
            return Err(InvalidLease::Seconds.into());
        }
        let now = self.clock.now();
        let name = hex(&self.entropy.bytes()?).chars().take(32).collect();
        let until = now + Duration::seconds(i64::from(seconds));
        let lease = Lease { name, until, holder: actor.reference() };
        let tweets = self.source_tweets.lease(&lease, most, now).await?;
        Ok(LeasedTweets { lease, tweets })
    }

    /// Ends the lease for `ids`, or for all its tweets if that is `None`. Returns the number of
    /// tweets.
    ///
    /// # Errors
    ///
    /// [`WorkQueueError`]; [`WorkQueueError::NotHeld`] if the lease holds none of them.
    pub async fn end(
        &self,
        actor: &Actor,
        lease: &str,
        ids: Option<Vec<SourceTweetId>>,
        outcome: LeaseOutcome,
    ) -> Result<u64, WorkQueueError> {
        actor.require(Scope::Ingest)?;
        let now = self.clock.now();
        let ended =
            self.source_tweets.end_lease(lease, ids, outcome, &actor.reference(), now).await?;
        if ended == 0 { Err(WorkQueueError::NotHeld) } else { Ok(ended) }
    }
}

/// Why a claim is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidLease {
    /// The number of tweets is out of range.
    #[error("limit must be between 1 and {}", WorkQueue::MOST)]
    Limit,
    /// The duration is out of range.
    #[error("lease_seconds must be between 1 and 86400")]
    Seconds,
}

/// Errors of [`WorkQueue`].
#[derive(Debug, Error)]
pub enum WorkQueueError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Invalid(#[from] InvalidLease),
    /// The lease expired and its tweets were leased again, or it never held them.
    #[error("the lease holds none of these tweets; it may have expired")]
    NotHeld,
    #[error(transparent)]
    Port(#[from] PortError),
}
