//! Workflows take unprocessed source tweets in hand, under a lease that ends by itself.
//!
//! ```text
//! unprocessed ──claim──▶ leased ──acknowledge──▶ processed
//!      ▲                    │
//!      └── release / the lease runs out ──┘
//! ```

use std::sync::Arc;

use chrono::Duration;
use thiserror::Error;
use waggle_kernel::ids::SourceTweetId;
use waggle_kernel::{Actor, Clock, Entropy, Forbidden, PortError, Scope, hex};

use crate::lease::{Lease, LeaseOutcome};
use crate::ports::SourceTweetRepository;
use crate::source_tweet::SourceTweet;

/// What a claim gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedTweets {
    /// The lease.
    pub lease: Lease,
    /// The tweets under it, oldest first; there may be none.
    pub tweets: Vec<SourceTweet>,
}

/// Hands out unprocessed source tweets.
pub struct WorkQueue {
    /// Where they are kept.
    pub source_tweets: Arc<dyn SourceTweetRepository>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Makes the names of leases.
    pub entropy: Arc<dyn Entropy>,
}

impl WorkQueue {
    /// The most tweets that one claim gives.
    pub const MOST: u16 = 200;

    /// Takes up to `most` tweets in hand for `seconds`.
    ///
    /// # Errors
    ///
    /// [`WorkQueueError`]; then nothing is taken.
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
        let lease = Lease { name, until, holder: actor.to_string() };
        let tweets = self.source_tweets.lease(&lease, most, now).await?;
        Ok(LeasedTweets { lease, tweets })
    }

    /// Ends work on `ids`, or on all that the lease holds where that is `None`; returns how many tweets.
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
        let ended = self.source_tweets.end_lease(lease, ids, outcome, now).await?;
        if ended == 0 { Err(WorkQueueError::NotHeld) } else { Ok(ended) }
    }
}

/// A claim that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidLease {
    /// The number of tweets.
    #[error("limit is 1 to {}", WorkQueue::MOST)]
    Limit,
    /// The time.
    #[error("lease_seconds is 1 to 86400")]
    Seconds,
}

/// Why that could not be done.
#[derive(Debug, Error)]
pub enum WorkQueueError {
    /// The actor may not ingest.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The claim makes no sense.
    #[error(transparent)]
    Invalid(#[from] InvalidLease),
    /// The lease ran out and its tweets went on, or it never held them.
    #[error("the lease holds none of these tweets; it may have run out")]
    NotHeld,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}
