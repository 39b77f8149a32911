//! Tells a workflow which of the tweets that it reports are new to it.

use std::collections::HashSet;
use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::{Actor, Clock, Forbidden, PortError, Scope};

use crate::ports::SourceTweetRepository;
use crate::source_tweet::{NewSourceTweet, OfferPolicy, Run, Sighting};

/// What a run is told about a tweet that it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// New to this run, and stored by this call.
    New,
    /// New to this run, as an earlier attempt of the same run was told.
    Replayed,
    /// New to this run, because no earlier run made a batch from it.
    OfferedAgain,
    /// Known from another run, or reported twice by this one.
    Duplicate,
}

/// Distinguishes new tweets from known ones, and stores them.
pub struct CheckDuplicates {
    pub source_tweets: Arc<dyn SourceTweetRepository>,
    pub clock: Arc<dyn Clock>,
}

impl CheckDuplicates {
    /// Returns a verdict for each of `tweets`, in order.
    ///
    /// Tweets that are new to the run are leased to it. If the run submits no batch made from them
    /// in time, the next run is told that they are new. If the same run reports the same tweets
    /// again, it gets the same verdicts, so a repeated call loses nothing.
    ///
    /// # Errors
    ///
    /// [`CheckDuplicatesError`]; then nothing is stored.
    pub async fn run(
        &self,
        actor: &Actor,
        run: &Run,
        tweets: &[NewSourceTweet],
        offers: OfferPolicy,
    ) -> Result<Vec<Verdict>, CheckDuplicatesError> {
        actor.require(Scope::Ingest)?;
        let mut seen = HashSet::with_capacity(tweets.len());
        let first: Vec<bool> =
            tweets.iter().map(|tweet| seen.insert(tweet.tweet_id.as_str())).collect();
        let sightings = if seen.len() == tweets.len() {
            self.source_tweets.record(run, tweets, offers, self.clock.now()).await?
        } else {
            let once: Vec<NewSourceTweet> = tweets
                .iter()
                .zip(&first)
                .filter(|&(_, &first)| first)
                .map(|(tweet, _)| tweet.clone())
                .collect();
            self.source_tweets.record(run, &once, offers, self.clock.now()).await?
        };
        let mut sightings = sightings.into_iter();
        Ok(first
            .into_iter()
            .map(|first| if first { sightings.next() } else { None })
            .map(|sighting| match sighting {
                Some(Sighting::Stored) => Verdict::New,
                Some(Sighting::BroughtBefore) => Verdict::Replayed,
                Some(Sighting::OfferedAgain) => Verdict::OfferedAgain,
                Some(Sighting::Known) | None => Verdict::Duplicate,
            })
            .collect())
    }
}

/// Errors of [`CheckDuplicates`].
#[derive(Debug, Error)]
pub enum CheckDuplicatesError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use waggle_kernel::{FixedClock, Scopes};

    use super::*;
    use crate::ports::MockSourceTweetRepository;
    use crate::sender::Sender;
    use crate::source_tweet::{Engagement, RunKey};

    fn tweet(id: &str) -> NewSourceTweet {
        NewSourceTweet::new(
            id,
            String::new(),
            String::new(),
            "words".into(),
            Engagement::default(),
            "2025-08-14T14:30:31Z".into(),
            "success".into(),
        )
        .unwrap()
    }

    fn run() -> Run {
        Run {
            key: RunKey::Execution("exec_1".into()),
            execution_id: "exec_1".into(),
            source_url: "unknown".into(),
            sender: Sender::of(&Actor::system(), None),
        }
    }

    const OFFERS: OfferPolicy = OfferPolicy { lease: chrono::Duration::hours(1), most: 2 };

    fn check(source_tweets: MockSourceTweetRepository) -> CheckDuplicates {
        CheckDuplicates {
            source_tweets: Arc::new(source_tweets),
            clock: Arc::new(FixedClock::noon()),
        }
    }

    #[tokio::test]
    async fn a_tweet_that_is_reported_twice_is_new_once() {
        let mut source_tweets = MockSourceTweetRepository::new();
        source_tweets
            .expect_record()
            .withf(|_, tweets, _, _| tweets.len() == 2)
            .returning(|_, _, _, _| Ok(vec![Sighting::Stored, Sighting::Known]));

        let verdicts = check(source_tweets)
            .run(&Actor::system(), &run(), &[tweet("1"), tweet("1"), tweet("2")], OFFERS)
            .await
            .unwrap();

        assert_eq!(verdicts, [Verdict::New, Verdict::Duplicate, Verdict::Duplicate]);
    }

    #[tokio::test]
    async fn a_repeated_run_gets_its_tweets_again() {
        let mut source_tweets = MockSourceTweetRepository::new();
        source_tweets.expect_record().returning(|_, _, _, _| Ok(vec![Sighting::BroughtBefore]));

        let verdicts = check(source_tweets)
            .run(&Actor::system(), &run(), &[tweet("1")], OFFERS)
            .await
            .unwrap();

        assert_eq!(verdicts, [Verdict::Replayed]);
    }

    #[tokio::test]
    async fn an_actor_without_the_scope_stores_nothing() {
        let mut source_tweets = MockSourceTweetRepository::new();
        source_tweets.expect_record().never();
        let reader = Actor::system().limited_to(Scopes::of(&[Scope::Read]));

        let result = check(source_tweets).run(&reader, &run(), &[tweet("1")], OFFERS).await;

        assert!(matches!(result, Err(CheckDuplicatesError::Forbidden(_))), "{result:?}");
    }
}
