//! People look at posts, cancel those that wait, and say how doubts ended.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::ids::PostId;
use waggle_kernel::{Actor, Clock, Forbidden, Page, PageRequest, PortError, Scope, check_text};

use crate::delivery::Delivery;
use crate::ports::PostRepository;
use crate::post::{Post, PostFilter, PostStatus};

/// What a person found out about a post in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It is public.
    Published {
        /// The platform's id of it.
        id: String,
        /// Its address.
        url: String,
    },
    /// It is not; it may be queued again.
    NotPublished,
}

/// Shows and settles posts.
pub struct ManagePosts {
    /// Where they are kept.
    pub posts: Arc<dyn PostRepository>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl ManagePosts {
    /// A page of those that `filter` means, newest first.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError`]: without the scope `read`, or the store cannot answer.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &PostFilter,
        page: PageRequest,
    ) -> Result<Page<Post>, ManagePostsError> {
        actor.require(Scope::Read)?;
        Ok(self.posts.list(filter, page).await?)
    }

    /// The post with this id.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError`]: without the scope `read`, or if there is none.
    pub async fn find(&self, actor: &Actor, id: PostId) -> Result<Post, ManagePostsError> {
        actor.require(Scope::Read)?;
        self.existing(id).await
    }

    /// Every attempt to deliver the post, first to last.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError`]: without the scope `read`, or if there is no such post.
    pub async fn deliveries(
        &self,
        actor: &Actor,
        id: PostId,
    ) -> Result<Vec<Delivery>, ManagePostsError> {
        actor.require(Scope::Read)?;
        self.existing(id).await?;
        Ok(self.posts.deliveries(id).await?)
    }

    /// Takes a scheduled post out of the queue.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError`]; [`ManagePostsError::Illegal`] unless it is scheduled.
    pub async fn cancel(&self, actor: &Actor, id: PostId) -> Result<Post, ManagePostsError> {
        actor.require(Scope::Publish)?;
        self.existing(id).await?;
        let cancelled = self.posts.cancel(id, &actor.to_string(), self.clock.now()).await?;
        let post = self.existing(id).await?;
        if cancelled { Ok(post) } else { Err(illegal(&post, "cancel", "scheduled")) }
    }

    /// Writes down what a person found out about a post in doubt.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError`]; [`ManagePostsError::Illegal`] unless it is unknown whether it went out.
    pub async fn resolve(
        &self,
        actor: &Actor,
        id: PostId,
        resolution: &Resolution,
    ) -> Result<Post, ManagePostsError> {
        actor.require(Scope::Publish)?;
        if let Resolution::Published { id, url } = resolution
            && (id.trim().is_empty()
                || check_text(id, 100).is_err()
                || check_text(url, 2_048).is_err())
        {
            return Err(ManagePostsError::NoPlatformId);
        }
        self.existing(id).await?;
        let now = self.clock.now();
        let resolved = self.posts.resolve(id, resolution, &actor.to_string(), now).await?;
        let post = self.existing(id).await?;
        if resolved { Ok(post) } else { Err(illegal(&post, "resolve", "unknown")) }
    }

    async fn existing(&self, id: PostId) -> Result<Post, ManagePostsError> {
        self.posts.find(id).await?.ok_or(ManagePostsError::NotFound)
    }
}

const fn illegal(post: &Post, action: &'static str, needed: &'static str) -> ManagePostsError {
    ManagePostsError::Illegal { status: post.status, action, needed }
}

/// Why that could not be done.
#[derive(Debug, Error)]
pub enum ManagePostsError {
    /// The actor may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such post.
    #[error("there is no such post")]
    NotFound,
    /// A published post has an id of 1 to 100 characters.
    #[error("platform_post_id is missing: a published post has an id of 1 to 100 characters")]
    NoPlatformId,
    /// Not from where the post stands.
    #[error("the post is {status}; only a post that is {needed} allows to {action} it")]
    Illegal {
        /// Where it stands.
        status: PostStatus,
        /// What was asked.
        action: &'static str,
        /// From where it is allowed.
        needed: &'static str,
    },
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}
