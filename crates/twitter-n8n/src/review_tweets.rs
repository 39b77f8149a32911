//! The review of generated tweets by people: one by one, or many at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::{GeneratedTweetId, Version};
use waggle_kernel::{
    Actor, Clock, Direction, Forbidden, Page, PageRequest, PortError, Scope, TextProblem,
    check_text,
};

use crate::events::tweet_moved;
use crate::generated_tweet::{GeneratedTweet, MoveRefused, NewGeneratedTweet, TweetFilter};
use crate::history::{HistoryEntry, change_event};
use crate::place::Place;
use crate::ports::{GeneratedTweetRepository, ReviewedTweet, SaveError};
use crate::status::Action;

/// Lets people view and edit generated tweets, and decide about them.
pub struct ReviewTweets {
    pub tweets: Arc<dyn GeneratedTweetRepository>,
    pub clock: Arc<dyn Clock>,
}

/// A tweet that was not approved in a call for many, and why.
#[derive(Debug)]
pub struct Refused {
    pub id: GeneratedTweetId,
    pub reason: ReviewError,
}

/// The result of [`ReviewTweets::approve_many`].
#[derive(Debug)]
pub struct ReviewedMany {
    /// The tweets that are approved now.
    pub approved: Vec<GeneratedTweet>,
    /// The tweets that were not approved.
    pub refused: Vec<Refused>,
}

impl ReviewTweets {
    /// The maximum number of tweets in one call of [`Self::approve_many`].
    pub const MOST: usize = 200;
    /// The maximum length of the reason for a rejection, in characters.
    pub const MOST_REASON: usize = 2_000;

    /// A page of the tweets that match `filter`.
    ///
    /// # Errors
    ///
    /// [`ReviewError::Forbidden`] without the scope `read`.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &TweetFilter,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<GeneratedTweet>, ReviewError> {
        actor.require(Scope::Read)?;
        Ok(self.tweets.list(filter, direction, page).await?)
    }

    /// The tweet with this id.
    ///
    /// # Errors
    ///
    /// - [`ReviewError::Forbidden`] without the scope `read`.
    /// - [`ReviewError::NotFound`] if there is no such tweet.
    pub async fn find(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
    ) -> Result<GeneratedTweet, ReviewError> {
        actor.require(Scope::Read)?;
        self.existing(id).await
    }

    /// The tweets with these ids that exist, in any order.
    ///
    /// # Errors
    ///
    /// [`ReviewError::Forbidden`] without the scope `read`.
    pub async fn find_many(
        &self,
        actor: &Actor,
        ids: &[GeneratedTweetId],
    ) -> Result<Vec<GeneratedTweet>, ReviewError> {
        actor.require(Scope::Read)?;
        Ok(self.tweets.find_many(ids).await?)
    }

    /// The history of the tweet, newest first.
    ///
    /// # Errors
    ///
    /// - [`ReviewError::Forbidden`] without the scope `read`.
    /// - [`ReviewError::NotFound`] if there is no such tweet.
    pub async fn history(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        page: PageRequest,
    ) -> Result<Page<HistoryEntry>, ReviewError> {
        actor.require(Scope::Read)?;
        self.existing(id).await?;
        Ok(self.tweets.history(id, page).await?)
    }

    /// Changes the content. An approval is withdrawn, and a waiting post of the tweet leaves the
    /// queue.
    ///
    /// # Errors
    ///
    /// [`ReviewError`]; then nothing is changed.
    pub async fn edit(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
        content: Option<String>,
        engagement_hook: Option<String>,
    ) -> Result<GeneratedTweet, ReviewError> {
        actor.require(Scope::Write)?;
        if let Some(content) = &content {
            let of = |problem| ReviewError::Text { name: "content", problem };
            check_text(content, NewGeneratedTweet::MOST_CONTENT).map_err(of)?;
        }
        if let Some(hook) = &engagement_hook {
            let of = |problem| ReviewError::Text { name: "engagement_hook", problem };
            check_text(hook, NewGeneratedTweet::MOST_CONTENT).map_err(of)?;
        }
        let change = |tweet: GeneratedTweet, now| tweet.edit(content, engagement_hook, now);
        self.change(actor, id, expected, Action::Edit, change).await
    }

    /// Approves exactly the current content. Approving does not publish.
    ///
    /// # Errors
    ///
    /// [`ReviewError`]; then nothing is changed.
    pub async fn approve(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
    ) -> Result<GeneratedTweet, ReviewError> {
        actor.require(Scope::Approve)?;
        let change = |tweet: GeneratedTweet, now| tweet.approve(actor, now);
        self.change(actor, id, expected, Action::Approve, change).await
    }

    /// Rejects the tweet. The reason, if there is one, is kept in its history.
    ///
    /// # Errors
    ///
    /// [`ReviewError`]; then nothing is changed.
    pub async fn reject(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
        reason: Option<String>,
    ) -> Result<GeneratedTweet, ReviewError> {
        actor.require(Scope::Write)?;
        if let Some(reason) = &reason {
            let of = |problem| ReviewError::Text { name: "reason", problem };
            check_text(reason, Self::MOST_REASON).map_err(of)?;
        }
        let reason = reason.filter(|reason| !reason.trim().is_empty());
        let reject = GeneratedTweet::reject;
        self.change_noted(actor, id, expected, Action::Reject, reason, reject).await
    }

    /// Deletes the tweet. It can be restored.
    ///
    /// # Errors
    ///
    /// [`ReviewError`]; then nothing is changed.
    pub async fn delete(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
    ) -> Result<GeneratedTweet, ReviewError> {
        actor.require(Scope::Write)?;
        self.change(actor, id, expected, Action::Delete, GeneratedTweet::delete).await
    }

    /// Restores the tweet. It waits for a decision again.
    ///
    /// # Errors
    ///
    /// [`ReviewError`]; then nothing is changed.
    pub async fn restore(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
    ) -> Result<GeneratedTweet, ReviewError> {
        actor.require(Scope::Write)?;
        self.change(actor, id, expected, Action::Restore, GeneratedTweet::restore).await
    }

    /// Withdraws the approval. The tweet waits for a decision again, and a waiting post of it
    /// leaves the queue.
    ///
    /// # Errors
    ///
    /// [`ReviewError`]; then nothing is changed.
    pub async fn withdraw(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
    ) -> Result<GeneratedTweet, ReviewError> {
        actor.require(Scope::Approve)?;
        self.change(actor, id, expected, Action::Withdraw, GeneratedTweet::withdraw).await
    }

    /// Approves tweets, each at the version that the caller saw. A tweet that cannot be approved
    /// does not block the others.
    ///
    /// # Errors
    ///
    /// [`ReviewError`] if the whole call fails; [`ReviewError::TooMany`] for more than
    /// [`Self::MOST`] tweets.
    pub async fn approve_many(
        &self,
        actor: &Actor,
        seen: &[(GeneratedTweetId, Version)],
    ) -> Result<ReviewedMany, ReviewError> {
        actor.require(Scope::Approve)?;
        if seen.len() > Self::MOST {
            return Err(ReviewError::TooMany);
        }
        let versions: BTreeMap<GeneratedTweetId, Version> = seen.iter().copied().collect();
        let ids: Vec<GeneratedTweetId> = versions.keys().copied().collect();
        let mut found = self.tweets.find_many(&ids).await?;
        // All code that changes several tweets does so in the same order.
        found.sort_by_key(GeneratedTweet::id);
        let now = self.clock.now();
        let mut refused: Vec<Refused> = ids
            .iter()
            .filter(|&&id| found.iter().all(|tweet| tweet.id() != id))
            .map(|&id| Refused { id, reason: ReviewError::NotFound })
            .collect();
        let (by, mut changes) = (actor.reference(), Vec::new());
        for before in found {
            let id = before.id();
            if versions.get(&id) != Some(&before.version()) {
                let reason = ReviewError::Stale { current: Some(Box::new(before)) };
                refused.push(Refused { id, reason });
                continue;
            }
            match before.clone().approve(actor, now) {
                Ok(after) => {
                    let event = change_event(Action::Approve, &by, &before, &after, None);
                    changes.push(ReviewedTweet { tweet: after, event });
                }
                Err(reason) => refused.push(Refused { id, reason: reason.into() }),
            }
        }
        let saved = self.tweets.save(&changes).await?;
        let mut approved = Vec::with_capacity(changes.len());
        for (change, saved) in changes.into_iter().zip(saved) {
            match saved {
                Ok(version) => approved.push(change.tweet.saved_as(version)),
                Err(SaveError::Port(error)) => return Err(error.into()),
                Err(SaveError::Stale | SaveError::InFlight) => {
                    let reason = ReviewError::Stale { current: None };
                    refused.push(Refused { id: change.tweet.id(), reason });
                }
            }
        }
        Ok(ReviewedMany { approved, refused })
    }

    /// Moves the tweet to another place in the order of its batch. Neither its content nor its
    /// approval changes. Returns the tweet and where it was, unless the order did not change.
    ///
    /// # Errors
    ///
    /// - [`ReviewError::Forbidden`] without the scope `write`.
    /// - [`ReviewError::NotFound`] if there is no such tweet.
    /// - [`ReviewError::NotNeighbor`] if the place is next to no other tweet of the batch.
    pub async fn reorder(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        place: Place,
    ) -> Result<(GeneratedTweet, Option<Place>), ReviewError> {
        actor.require(Scope::Write)?;
        let mut found = self.tweets.find_many(&[id, place.neighbor()]).await?;
        let at = found.iter().position(|tweet| tweet.id() == id).ok_or(ReviewError::NotFound)?;
        let tweet = found.swap_remove(at);
        let batch = tweet.view().batch;
        if found.pop().is_none_or(|neighbor| neighbor.view().batch != batch) {
            return Err(ReviewError::NotNeighbor);
        }
        let event = tweet_moved(batch, id, place, &actor.reference(), self.clock.now());
        let former = self.tweets.reorder(&tweet, place, &event).await?;
        Ok((tweet, former))
    }

    async fn change<F>(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
        action: Action,
        change: F,
    ) -> Result<GeneratedTweet, ReviewError>
    where
        F: FnOnce(GeneratedTweet, DateTime<Utc>) -> Result<GeneratedTweet, MoveRefused> + Send,
    {
        self.change_noted(actor, id, expected, action, None, change).await
    }

    async fn change_noted<F>(
        &self,
        actor: &Actor,
        id: GeneratedTweetId,
        expected: Option<Version>,
        action: Action,
        note: Option<String>,
        change: F,
    ) -> Result<GeneratedTweet, ReviewError>
    where
        F: FnOnce(GeneratedTweet, DateTime<Utc>) -> Result<GeneratedTweet, MoveRefused> + Send,
    {
        let before = self.existing(id).await?;
        if expected.is_some_and(|expected| expected != before.version()) {
            return Err(ReviewError::Stale { current: Some(Box::new(before)) });
        }
        let after = change(before.clone(), self.clock.now())?;
        let event = change_event(action, &actor.reference(), &before, &after, note);
        let changes = [ReviewedTweet { tweet: after, event }];
        let saved = self.tweets.save(&changes).await?.pop().unwrap_or(Err(SaveError::Stale));
        let [ReviewedTweet { tweet, .. }] = changes;
        match saved {
            Ok(version) => Ok(tweet.saved_as(version)),
            Err(SaveError::InFlight) => Err(ReviewError::InFlight),
            Err(SaveError::Stale) => {
                let current = Some(Box::new(self.existing(id).await?));
                Err(ReviewError::Stale { current })
            }
            Err(SaveError::Port(error)) => Err(error.into()),
        }
    }

    async fn existing(&self, id: GeneratedTweetId) -> Result<GeneratedTweet, ReviewError> {
        self.tweets.find(id).await?.ok_or(ReviewError::NotFound)
    }
}

/// Errors of [`ReviewTweets`].
#[derive(Debug, Error)]
pub enum ReviewError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such generated tweet")]
    NotFound,
    /// A text cannot be stored.
    #[error("the {name} {problem}")]
    Text {
        /// The name of the field.
        name: &'static str,
        problem: TextProblem,
    },
    #[error(transparent)]
    Move(#[from] MoveRefused),
    /// The tweet has changed since the caller read it.
    #[error("the tweet has changed since you read it")]
    Stale {
        /// The current tweet, if it was loaded.
        current: Option<Box<GeneratedTweet>>,
    },
    /// A post of the tweet is being published, or may be public, so its content must not change.
    #[error(
        "the post of this tweet is being published, or it is unknown whether it is public; the \
         tweet cannot be changed until that is settled"
    )]
    InFlight,
    /// The other tweet does not exist, is in another batch, or is the tweet that is to be moved.
    #[error("a tweet is moved before or after another tweet of its batch")]
    NotNeighbor,
    #[error("at most {} tweets can be approved at once", ReviewTweets::MOST)]
    TooMany,
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use waggle_kernel::ids::CampaignBatchId;
    use waggle_kernel::{FixedClock, Scopes};

    use super::*;
    use crate::ports::MockGeneratedTweetRepository;

    fn waiting(id: i64, content: &str) -> GeneratedTweet {
        GeneratedTweet::received(
            GeneratedTweetId::new(id),
            CampaignBatchId::new(1),
            NewGeneratedTweet::new(format!("t-{id}"), content),
            FixedClock::noon().now(),
        )
    }

    fn review(tweets: MockGeneratedTweetRepository) -> ReviewTweets {
        ReviewTweets { tweets: Arc::new(tweets), clock: Arc::new(FixedClock::noon()) }
    }

    #[tokio::test]
    async fn approving_a_rejected_tweet_saves_nothing() {
        let rejected = waiting(1, "words").reject(FixedClock::noon().now()).unwrap();
        let mut tweets = MockGeneratedTweetRepository::new();
        tweets.expect_find().returning(move |_| Ok(Some(rejected.clone())));
        tweets.expect_save().never();

        let result = review(tweets).approve(&Actor::system(), GeneratedTweetId::new(1), None).await;

        assert!(matches!(result, Err(ReviewError::Move(_))), "{result:?}");
    }

    #[tokio::test]
    async fn a_change_based_on_an_old_version_is_refused_with_the_current_tweet() {
        let mut tweets = MockGeneratedTweetRepository::new();
        tweets.expect_find().returning(|_| Ok(Some(waiting(1, "words"))));
        tweets.expect_save().never();

        let result = review(tweets)
            .edit(
                &Actor::system(),
                GeneratedTweetId::new(1),
                Some(Version::new(9)),
                Some("x".into()),
                None,
            )
            .await;

        assert!(matches!(result, Err(ReviewError::Stale { current: Some(_) })), "{result:?}");
    }

    #[tokio::test]
    async fn the_write_scope_does_not_include_approving() {
        let mut tweets = MockGeneratedTweetRepository::new();
        tweets.expect_find().never();
        let editor = Actor::system().limited_to(Scopes::of(&[Scope::Write, Scope::Publish]));

        let result = review(tweets).approve(&editor, GeneratedTweetId::new(1), None).await;

        assert!(matches!(result, Err(ReviewError::Forbidden(_))), "{result:?}");
    }

    #[tokio::test]
    async fn a_tweet_is_moved_only_next_to_another_one_of_its_batch() {
        let elsewhere = GeneratedTweet::received(
            GeneratedTweetId::new(3),
            CampaignBatchId::new(2),
            NewGeneratedTweet::new("t-3", "words"),
            FixedClock::noon().now(),
        );
        let all = [waiting(1, "words"), waiting(2, "words"), elsewhere];
        let mut tweets = MockGeneratedTweetRepository::new();
        tweets.expect_find_many().returning(move |ids| {
            Ok(all.iter().filter(|tweet| ids.contains(&tweet.id())).cloned().collect())
        });
        let former = Place::After(GeneratedTweetId::new(1));
        tweets.expect_reorder().once().returning(move |_, _, _| Ok(Some(former)));
        let review = review(tweets);
        let reorder = async |tweet, place: fn(GeneratedTweetId) -> Place, neighbor| {
            let place = place(GeneratedTweetId::new(neighbor));
            review.reorder(&Actor::system(), GeneratedTweetId::new(tweet), place).await
        };

        let moved = reorder(2, Place::Before, 1).await;
        let refused = [
            reorder(1, Place::After, 1).await,
            reorder(1, Place::After, 3).await,
            reorder(1, Place::After, 9).await,
        ];
        let unknown = reorder(9, Place::After, 1).await;

        let (moved, was) = moved.unwrap();
        assert_eq!((moved.id().number(), was), (2, Some(former)));
        for refused in refused {
            assert!(matches!(refused, Err(ReviewError::NotNeighbor)), "{refused:?}");
        }
        assert!(matches!(unknown, Err(ReviewError::NotFound)), "{unknown:?}");
    }

    #[tokio::test]
    async fn a_tweet_that_cannot_be_approved_does_not_block_the_others() {
        let mut tweets = MockGeneratedTweetRepository::new();
        tweets.expect_find_many().returning(|_| {
            Ok(vec![
                waiting(1, "fine"),
                waiting(2, &"x".repeat(300)),
                waiting(3, "seen at another version"),
            ])
        });
        tweets
            .expect_save()
            .withf(|changes| changes.len() == 1)
            .returning(|_| Ok(vec![Ok(Version::new(2))]));
        let seen = [(1, 1), (2, 1), (3, 7), (4, 1)]
            .map(|(id, version)| (GeneratedTweetId::new(id), Version::new(version)));

        let result = review(tweets).approve_many(&Actor::system(), &seen).await.unwrap();

        let approved: Vec<i64> = result.approved.iter().map(|tweet| tweet.id().number()).collect();
        let refused: Vec<i64> = result.refused.iter().map(|refused| refused.id.number()).collect();
        assert_eq!(approved, [1]);
        assert_eq!(refused, [4, 2, 3]);
    }
}
