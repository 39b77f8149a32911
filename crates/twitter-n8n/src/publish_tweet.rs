//! An approved tweet is queued for publishing, now or at a time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::{GeneratedTweetId, Version};
use waggle_kernel::{Actor, Clock, ContentHash, Forbidden, PortError, Scope, to_micros};

use crate::ports::{GeneratedTweetRepository, PostQueue};
use crate::queued_post::{QueueRefused, QueueRequest, QueuedPost};
use crate::status::{Action, Status};

/// Queues approved tweets.
pub struct PublishTweet {
    /// Where tweets are kept.
    pub tweets: Arc<dyn GeneratedTweetRepository>,
    /// Where posts go.
    pub queue: Arc<dyn PostQueue>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl PublishTweet {
    /// How long ago the time may be that a post is due at, in minutes: clocks differ.
    pub const MOST_MINUTES_AGO: i64 = 5;
    /// How far ahead a post may be due, in days.
    pub const MOST_DAYS_AHEAD: i64 = 366;

    /// Queues the tweet for `platform`, due `at` that time or at once, if it still has the version
    /// `expected` that the caller saw. A post that waits already is moved to that platform and
    /// time.
    ///
    /// # Errors
    ///
    /// [`PublishTweetError`]; then nothing is queued.
    pub async fn run(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
        platform: &str,
        at: Option<DateTime<Utc>>,
    ) -> Result<QueuedPost, PublishTweetError> {
        actor.require(Scope::Publish)?;
        let now = self.clock.now();
        // As the store keeps it: a call that is repeated has to be known again.
        let at = at.map(to_micros);
        if at.is_some_and(|at| at < now - chrono::Duration::minutes(Self::MOST_MINUTES_AGO)) {
            return Err(PublishTweetError::Past);
        }
        if at.is_some_and(|at| at > now + chrono::Duration::days(Self::MOST_DAYS_AHEAD)) {
            return Err(PublishTweetError::TooFarAhead);
        }
        let tweet = self.tweets.find(id).await?.ok_or(PublishTweetError::NotFound)?;
        let status = tweet.status();
        if status == Status::Posted && expected.is_some_and(|seen| seen != tweet.version()) {
            return Err(QueueRefused::Stale.into());
        }
        let approval = tweet
            .approval()
            .filter(|_| status.after(Action::Publish).is_some())
            .cloned()
            .ok_or(PublishTweetError::NotApproved { status })?;
        let hash = tweet.publication().hash();
        if approval.hash != hash {
            return Err(PublishTweetError::ContentChanged { approved: approval.hash, found: hash });
        }
        let request = QueueRequest {
            tweet: id,
            platform: platform.to_owned(),
            at,
            expected,
            approval,
            actor: actor.to_string(),
            now,
        };
        Ok(self.queue.queue(&request).await?)
    }
}

/// Why that could not be done.
#[derive(Debug, Error)]
pub enum PublishTweetError {
    /// The actor may not publish.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such tweet.
    #[error("there is no such generated tweet")]
    NotFound,
    /// Nobody released it.
    #[error("the tweet is {status}; only an approved tweet can be published")]
    NotApproved {
        /// Where it stands.
        status: Status,
    },
    /// The words are not those that were approved; only a change behind Waggle's back does this.
    #[error("the content differs from what was approved: {found} instead of {approved}")]
    ContentChanged {
        /// The hash of the approval.
        approved: ContentHash,
        /// The hash of the content.
        found: ContentHash,
    },
    /// Whoever names a time that is over has made a slip.
    #[error("the time is over by more than {} minutes", PublishTweet::MOST_MINUTES_AGO)]
    Past,
    /// Nobody plans that far.
    #[error("the time is more than {} days ahead", PublishTweet::MOST_DAYS_AHEAD)]
    TooFarAhead,
    /// The queue refused it.
    #[error(transparent)]
    Refused(#[from] QueueRefused),
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use waggle_kernel::ids::{CampaignBatchId, PostId};
    use waggle_kernel::{FixedClock, Scopes};

    use super::*;
    use crate::generated_tweet::{GeneratedTweet, NewGeneratedTweet, StoredTweet};
    use crate::ports::{MockGeneratedTweetRepository, MockPostQueue};

    fn approved() -> GeneratedTweet {
        let now = FixedClock::noon().now();
        GeneratedTweet::received(
            GeneratedTweetId::new(1),
            CampaignBatchId::new(1),
            NewGeneratedTweet::new("t-1", "words"),
            now,
        )
        .approve(&Actor::system(), now)
        .unwrap()
    }

    async fn publish(
        tweet: GeneratedTweet,
        actor: &Actor,
    ) -> Result<QueuedPost, PublishTweetError> {
        let mut tweets = MockGeneratedTweetRepository::new();
        tweets.expect_find().returning(move |_| Ok(Some(tweet.clone())));
        let mut queue = MockPostQueue::new();
        queue
            .expect_queue()
            .returning(|_| Ok(QueuedPost { id: PostId::new(7), was_queued: false }));
        let publish = PublishTweet {
            tweets: Arc::new(tweets),
            queue: Arc::new(queue),
            clock: Arc::new(FixedClock::noon()),
        };
        publish.run(actor, GeneratedTweetId::new(1), None, "sandbox", None).await
    }

    #[tokio::test]
    async fn an_approved_tweet_is_queued() {
        let queued = publish(approved(), &Actor::system()).await.unwrap();

        assert_eq!(queued.id, PostId::new(7));
    }

    #[tokio::test]
    async fn a_rejected_tweet_is_not_queued() {
        let rejected = approved().reject(FixedClock::noon().now()).unwrap();

        let result = publish(rejected, &Actor::system()).await;

        assert!(
            matches!(result, Err(PublishTweetError::NotApproved { status: Status::Rejected })),
            "{result:?}"
        );
    }

    #[tokio::test]
    async fn words_that_changed_behind_the_approval_are_not_queued() {
        let mut stored: StoredTweet = approved().view().clone();
        stored.tweet.content = "other words".into();

        let result = publish(GeneratedTweet::stored(stored), &Actor::system()).await;

        assert!(matches!(result, Err(PublishTweetError::ContentChanged { .. })), "{result:?}");
    }

    #[tokio::test]
    async fn the_right_to_approve_is_not_the_right_to_publish() {
        let approver = Actor::system().limited_to(Scopes::of(&[Scope::Approve, Scope::Write]));

        let result = publish(approved(), &approver).await;

        assert!(matches!(result, Err(PublishTweetError::Forbidden(_))), "{result:?}");
    }
}
