//! Queues an approved tweet for publishing, now or at a scheduled time.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use thiserror::Error;
use waggle_kernel::ids::{GeneratedTweetId, Version};
use waggle_kernel::{Actor, Clock, ContentHash, Forbidden, PortError, Scope, to_micros};

use crate::ports::{Destinations, GeneratedTweetRepository, PostQueue};
use crate::queued_post::{NoDestination, QueueRefused, QueueRequest, QueuedPost};
use crate::status::{Action, Status};

/// When a tweet is to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishTime {
    Now,
    /// After this time, by Waggle's clock. Until then, it can be cancelled.
    After(Duration),
    At(DateTime<Utc>),
}

/// Queues approved tweets for publishing.
pub struct PublishTweet {
    pub tweets: Arc<dyn GeneratedTweetRepository>,
    pub queue: Arc<dyn PostQueue>,
    /// The platforms that tweets can be published on.
    pub destinations: Arc<dyn Destinations>,
    pub clock: Arc<dyn Clock>,
}

impl PublishTweet {
    /// How far in the past the requested time may be, in minutes. Clocks differ.
    pub const MOST_MINUTES_AGO: i64 = 5;
    /// How far in the future the requested time may be, in days.
    pub const MOST_DAYS_AHEAD: i64 = 366;

    /// The maximum number of tweets in one call of [`Self::run_many`].
    pub const MOST: usize = 200;

    /// Queues the tweet for `platform`, due at `when`, if it still has the version `expected` that
    /// the caller saw. A waiting post of the tweet is moved to that
    /// platform and time.
    ///
    /// # Errors
    ///
    /// [`PublishTweetError`]; then nothing is queued.
    pub async fn run(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
        platform: Option<String>,
        when: PublishTime,
    ) -> Result<QueuedPost, PublishTweetError> {
        let plan = self.plan(actor, platform, when)?;
        self.queue(actor, id, expected, &plan).await
    }

    /// Queues tweets for one platform and time, each once, at the version that the caller saw. A
    /// tweet that cannot be queued does not block the others, unless the store fails.
    ///
    /// # Errors
    ///
    /// [`PublishTweetError`] if the whole call fails; then nothing is queued.
    pub async fn run_many(
        &self,
        actor: &Actor,
        seen: &[(GeneratedTweetId, Version)],
        platform: Option<String>,
        when: PublishTime,
    ) -> Result<QueuedMany, PublishTweetError> {
        let plan = self.plan(actor, platform, when)?;
        if seen.len() > Self::MOST {
            return Err(PublishTweetError::TooMany);
        }
        let versions: BTreeMap<GeneratedTweetId, Version> = seen.iter().copied().collect();
        let mut many = QueuedMany::default();
        let mut is_failed = false;
        for (id, version) in versions {
            // A store that failed is not asked again for each of the others.
            if is_failed {
                many.refused.push((id, PublishTweetError::NotTried));
                continue;
            }
            match self.queue(actor, id, Some(version), &plan).await {
                Ok(post) => many.queued.push(post),
                Err(reason) if reason.is_of_store() && many.queued.is_empty() => {
                    return Err(reason);
                }
                Err(reason) => {
                    is_failed = reason.is_of_store();
                    many.refused.push((id, reason));
                }
            }
        }
        Ok(many)
    }

    /// Where and when a call publishes.
    fn plan(
        &self,
        actor: &Actor,
        platform: Option<String>,
        when: PublishTime,
    ) -> Result<Plan, PublishTweetError> {
        actor.require(Scope::Publish)?;
        let platform = self.destinations.choose(platform)?;
        let (at, now) = self.times(when)?;
        if at.is_some_and(|at| at < now - Duration::minutes(Self::MOST_MINUTES_AGO)) {
            return Err(PublishTweetError::Past);
        }
        if at.is_some_and(|at| at > now + Duration::days(Self::MOST_DAYS_AHEAD)) {
            return Err(PublishTweetError::TooFarAhead);
        }
        Ok(Plan { platform, when })
    }

    /// When a tweet is due that is queued now, and the present time.
    fn times(
        &self,
        when: PublishTime,
    ) -> Result<(Option<DateTime<Utc>>, DateTime<Utc>), PublishTweetError> {
        let now = self.clock.now();
        let at = match when {
            PublishTime::Now => None,
            PublishTime::After(wait) => {
                let end = now.checked_add_signed(wait);
                Some(end.ok_or(PublishTweetError::TooFarAhead)?)
            }
            PublishTime::At(time) => Some(time),
        };
        // Use the precision of the store, so that a repeated call is recognized.
        Ok((at.map(to_micros), now))
    }

    async fn queue(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
        plan: &Plan,
    ) -> Result<QueuedPost, PublishTweetError> {
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
        // A wait begins when the tweet is queued, not when the call did.
        let (at, now) = self.times(plan.when)?;
        let request = QueueRequest {
            tweet: id,
            platform: plan.platform.clone(),
            at,
            expected,
            approval,
            by: actor.reference(),
            now,
        };
        Ok(self.queue.queue(&request).await?)
    }
}

/// Where and when a call publishes.
struct Plan {
    platform: String,
    when: PublishTime,
}

/// The result of [`PublishTweet::run_many`].
#[derive(Debug, Default)]
pub struct QueuedMany {
    pub queued: Vec<QueuedPost>,
    /// The tweets that were not queued, each with the reason.
    pub refused: Vec<(GeneratedTweetId, PublishTweetError)>,
}

/// Errors of [`PublishTweet`].
#[derive(Debug, Error)]
pub enum PublishTweetError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such generated tweet")]
    NotFound,
    /// The tweet is not approved.
    #[error("the tweet is {status}; only an approved tweet can be published")]
    NotApproved { status: Status },
    /// The content is not the approved one. Only a change made outside of Waggle can cause this.
    #[error("the content differs from what was approved: {found} instead of {approved}")]
    ContentChanged {
        /// The hash of the approval.
        approved: ContentHash,
        /// The hash of the content.
        found: ContentHash,
    },
    /// The requested time is too far in the past, which is probably a mistake.
    #[error("the time is more than {} minutes in the past", PublishTweet::MOST_MINUTES_AGO)]
    Past,
    /// The requested time is too far in the future.
    #[error("the time is more than {} days in the future", PublishTweet::MOST_DAYS_AHEAD)]
    TooFarAhead,
    #[error("at most {} tweets can be published at once", PublishTweet::MOST)]
    TooMany,
    /// The store failed for another tweet of the call.
    #[error("it was not tried, because another one failed")]
    NotTried,
    #[error(transparent)]
    NoDestination(#[from] NoDestination),
    #[error(transparent)]
    Refused(#[from] QueueRefused),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl PublishTweetError {
    /// Whether the store failed.
    const fn is_of_store(&self) -> bool {
        matches!(self, Self::Port(_) | Self::Refused(QueueRefused::Port(_)))
    }
}

#[cfg(test)]
mod tests {
    use waggle_kernel::ids::{CampaignBatchId, PostId};
    use waggle_kernel::{FixedClock, Scopes};

    use super::*;
    use crate::generated_tweet::{GeneratedTweet, NewGeneratedTweet, StoredTweet};
    use crate::ports::{MockDestinations, MockGeneratedTweetRepository, MockPostQueue};

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
        publish_to(None, PublishTime::Now, tweet, actor).await
    }

    async fn publish_to(
        platform: Option<String>,
        when: PublishTime,
        tweet: GeneratedTweet,
        actor: &Actor,
    ) -> Result<QueuedPost, PublishTweetError> {
        let mut tweets = MockGeneratedTweetRepository::new();
        tweets.expect_find().returning(move |_| Ok(Some(tweet.clone())));
        let mut queue = MockPostQueue::new();
        queue.expect_queue().returning(|request| {
            let seconds = request.at.map_or(0, |at| (at - request.now).num_seconds());
            assert!([0, 10].contains(&seconds), "{seconds}");
            let platform = request.platform.clone();
            Ok(QueuedPost { id: PostId::new(7), platform, was_queued: false })
        });
        let mut destinations = MockDestinations::new();
        destinations.expect_choose().returning(|wanted| match wanted {
            Some(name) => Err(NoDestination::NotConnected(name)),
            None => Ok("sandbox".into()),
        });
        let publish = PublishTweet {
            tweets: Arc::new(tweets),
            queue: Arc::new(queue),
            destinations: Arc::new(destinations),
            clock: Arc::new(FixedClock::noon()),
        };
        publish.run(actor, GeneratedTweetId::new(1), None, platform, when).await
    }

    #[tokio::test]
    async fn an_approved_tweet_is_queued() {
        let queued = publish(approved(), &Actor::system()).await.unwrap();

        assert_eq!((queued.id, &*queued.platform), (PostId::new(7), "sandbox"));
    }

    #[tokio::test]
    async fn a_wait_is_counted_by_the_clock_and_is_bounded() {
        let after = |wait| async move {
            publish_to(None, PublishTime::After(wait), approved(), &Actor::system()).await
        };

        assert!(after(Duration::seconds(10)).await.is_ok());
        let result = after(Duration::MAX).await;
        assert!(matches!(result, Err(PublishTweetError::TooFarAhead)), "{result:?}");
    }

    #[tokio::test]
    async fn a_tweet_is_not_queued_for_a_platform_that_is_not_connected() {
        let result =
            publish_to(Some("x".into()), PublishTime::Now, approved(), &Actor::system()).await;

        assert!(
            matches!(result, Err(PublishTweetError::NoDestination(NoDestination::NotConnected(_)))),
            "{result:?}"
        );
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
    async fn content_that_changed_after_the_approval_is_not_queued() {
        let mut stored: StoredTweet = approved().view().clone();
        stored.tweet.content = "other words".into();

        let result = publish(GeneratedTweet::stored(stored), &Actor::system()).await;

        assert!(matches!(result, Err(PublishTweetError::ContentChanged { .. })), "{result:?}");
    }

    #[tokio::test]
    async fn many_tweets_are_queued_for_one_time() {
        let mut tweets = MockGeneratedTweetRepository::new();
        tweets.expect_find().returning(|id| Ok((id.number() < 3).then(approved)));
        let mut queue = MockPostQueue::new();
        let due = FixedClock::noon().now() + Duration::seconds(10);
        queue.expect_queue().times(2).returning(move |request| {
            assert_eq!((request.at, request.expected), (Some(due), Some(Version::new(2))));
            let id = PostId::new(request.tweet.number());
            Ok(QueuedPost { id, platform: request.platform.clone(), was_queued: false })
        });
        let mut destinations = MockDestinations::new();
        destinations.expect_choose().returning(|_| Ok("sandbox".into()));
        let publish = PublishTweet {
            tweets: Arc::new(tweets),
            queue: Arc::new(queue),
            destinations: Arc::new(destinations),
            clock: Arc::new(FixedClock::noon()),
        };
        let seen = [1, 3, 2, 1].map(|id| (GeneratedTweetId::new(id), Version::new(2)));
        let when = PublishTime::After(Duration::seconds(10));
        let system = Actor::system();

        let many = publish.run_many(&system, &seen, None, when).await.unwrap();
        let all = vec![seen[0]; PublishTweet::MOST + 1];
        let too_many = publish.run_many(&system, &all, None, when).await;

        let queued: Vec<i64> = many.queued.iter().map(|post| post.id.number()).collect();
        assert_eq!(queued, [1, 2]);
        assert!(
            matches!(&many.refused[..], [(id, PublishTweetError::NotFound)] if id.number() == 3),
            "{many:?}"
        );
        assert!(matches!(too_many, Err(PublishTweetError::TooMany)), "{too_many:?}");
    }

    #[tokio::test]
    async fn the_approve_scope_does_not_include_publishing() {
        let approver = Actor::system().limited_to(Scopes::of(&[Scope::Approve, Scope::Write]));

        let result = publish(approved(), &approver).await;

        assert!(matches!(result, Err(PublishTweetError::Forbidden(_))), "{result:?}");
    }
}
