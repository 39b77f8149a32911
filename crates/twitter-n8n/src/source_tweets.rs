//! Lets people browse and delete source tweets.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::ids::SourceTweetId;
use waggle_kernel::{Actor, Clock, Direction, Forbidden, Page, PageRequest, PortError, Scope};

use crate::ports::SourceTweetRepository;
use crate::source_tweet::{SourceTweet, SourceTweetFilter, SourceTweetSort, SourceTweetTotals};

/// Lets people view and delete source tweets.
pub struct BrowseSourceTweets {
    pub source_tweets: Arc<dyn SourceTweetRepository>,
    pub clock: Arc<dyn Clock>,
}

impl BrowseSourceTweets {
    /// A page of the tweets that match `filter`.
    ///
    /// # Errors
    ///
    /// [`SourceTweetsError::Forbidden`] without the scope `read`.
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

    /// Totals over the tweets that match `filter`.
    ///
    /// # Errors
    ///
    /// [`SourceTweetsError::Forbidden`] without the scope `read`.
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
    /// - [`SourceTweetsError::Forbidden`] without the scope `read`.
    /// - [`SourceTweetsError::NotFound`] if there is no such tweet.
    pub async fn find(
        &self,
        actor: &Actor,
        id: SourceTweetId,
    ) -> Result<SourceTweet, SourceTweetsError> {
        actor.require(Scope::Read)?;
        self.source_tweets.find(id).await?.ok_or(SourceTweetsError::NotFound)
    }

    /// Deletes tweets permanently, and returns the X ids of those that existed.
    ///
    /// # Errors
    ///
    /// - [`SourceTweetsError::Forbidden`] without the scope `write`.
    /// - [`SourceTweetsError::NotFound`] if none of them exists.
    pub async fn delete(
        &self,
        actor: &Actor,
        ids: &[SourceTweetId],
    ) -> Result<Vec<String>, SourceTweetsError> {
        actor.require(Scope::Write)?;
        let deleted = self.source_tweets.delete(ids, &actor.reference(), self.clock.now()).await?;
        if deleted.is_empty() { Err(SourceTweetsError::NotFound) } else { Ok(deleted) }
    }
}

/// Errors of [`BrowseSourceTweets`].
#[derive(Debug, Error)]
pub enum SourceTweetsError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such source tweet")]
    NotFound,
    #[error(transparent)]
    Port(#[from] PortError),
}
