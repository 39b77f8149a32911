//! People look through the source tweets and throw some away.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::ids::SourceTweetId;
use waggle_kernel::{Actor, Direction, Forbidden, Page, PageRequest, PortError, Scope};

use crate::ports::SourceTweetRepository;
use crate::source_tweet::{SourceTweet, SourceTweetFilter, SourceTweetSort, SourceTweetTotals};

/// Shows source tweets and removes them.
pub struct BrowseSourceTweets {
    /// Where they are kept.
    pub source_tweets: Arc<dyn SourceTweetRepository>,
}

impl BrowseSourceTweets {
    /// A page of those that `filter` means.
    ///
    /// # Errors
    ///
    /// [`SourceTweetsError::Forbidden`] without the scope `read`, [`SourceTweetsError::Port`].
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &SourceTweetFilter,
        sort: SourceTweetSort,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<SourceTweet>, SourceTweetsError> {
        actor.require(Scope::Read)?;
        Ok(self.source_tweets.list(filter, sort, direction, page).await?)
    }

    /// Sums over those that `filter` means.
    ///
    /// # Errors
    ///
    /// [`SourceTweetsError::Forbidden`] without the scope `read`, [`SourceTweetsError::Port`].
    pub async fn totals(
        &self,
        actor: &Actor,
        filter: &SourceTweetFilter,
    ) -> Result<SourceTweetTotals, SourceTweetsError> {
        actor.require(Scope::Read)?;
        Ok(self.source_tweets.totals(filter).await?)
    }

    /// The tweet with this id.
    ///
    /// # Errors
    ///
    /// [`SourceTweetsError`]: without the scope `read`, or if there is none.
    pub async fn find(
        &self,
        actor: &Actor,
        id: SourceTweetId,
    ) -> Result<SourceTweet, SourceTweetsError> {
        actor.require(Scope::Read)?;
        self.source_tweets.find(id).await?.ok_or(SourceTweetsError::NotFound)
    }

    /// Removes tweets for good and returns the X ids of those that were there.
    ///
    /// # Errors
    ///
    /// [`SourceTweetsError`]: without the scope `write`, or if none of them is there.
    pub async fn delete(
        &self,
        actor: &Actor,
        ids: &[SourceTweetId],
    ) -> Result<Vec<String>, SourceTweetsError> {
        actor.require(Scope::Write)?;
        let deleted = self.source_tweets.delete(ids).await?;
        if deleted.is_empty() { Err(SourceTweetsError::NotFound) } else { Ok(deleted) }
    }
}

/// Why that could not be done.
#[derive(Debug, Error)]
pub enum SourceTweetsError {
    /// The actor may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such tweet.
    #[error("there is no such source tweet")]
    NotFound,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}
