//! People look at posts, cancel those that wait, and resolve unknown outcomes.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::ids::{PostId, Version};
use waggle_kernel::{Actor, Clock, Forbidden, Page, PageRequest, PortError, Scope, check_text};

use crate::delivery::Delivery;
use crate::ports::PostRepository;
use crate::post::{Changed, Post, PostFilter, PostStatus, Resolution};

/// Shows and settles posts.
pub struct ManagePosts {
    /// Where they are kept.
    pub posts: Arc<dyn PostRepository>,
    /// The clock.
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

    /// Takes a scheduled post out of the queue, if it still has the version `expected` that the
    /// caller saw.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError`]; [`ManagePostsError::Illegal`] unless it is scheduled.
    pub async fn cancel(
        &self,
        actor: &Actor,
        id: PostId,
        expected: Option<Version>,
    ) -> Result<Post, ManagePostsError> {
        actor.require(Scope::Publish)?;
        self.existing(id).await?;
        let now = self.clock.now();
        let changed = self.posts.cancel(id, expected, &actor.to_string(), now).await?;
        self.changed(id, changed, "cancel", "scheduled").await
    }

    /// Records what a person found out about a post whose outcome is unknown, if it still has the
    /// version `expected` that the caller saw.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError`]; [`ManagePostsError::Illegal`] unless it is unknown whether it went out.
    pub async fn resolve(
        &self,
        actor: &Actor,
        id: PostId,
        expected: Option<Version>,
        resolution: &Resolution,
    ) -> Result<Post, ManagePostsError> {
        actor.require(Scope::Publish)?;
        if let Resolution::Published { id, url } = resolution
            && (!is_platform_id(id) || check_text(url, 2_048).is_err())
        {
            return Err(ManagePostsError::NoPlatformId);
        }
        let post = self.existing(id).await?;
        if *resolution == Resolution::NotPublished && !post.public.is_empty() {
            return Err(ManagePostsError::IsPublic { id: post.platform_post_id });
        }
        let now = self.clock.now();
        let actor = actor.to_string();
        let changed = self.posts.resolve(id, expected, resolution, &actor, now).await?;
        self.changed(id, changed, "resolve", "unknown").await
    }

    async fn changed(
        &self,
        id: PostId,
        changed: Changed,
        action: &'static str,
        needed: &'static str,
    ) -> Result<Post, ManagePostsError> {
        let post = self.existing(id).await?;
        match changed {
            Changed::Done => Ok(post),
            Changed::NotAllowed => {
                Err(ManagePostsError::Illegal { status: post.status, action, needed })
            }
            Changed::Stale => Err(ManagePostsError::Stale { current: Box::new(post) }),
            Changed::Taken(other) => Err(ManagePostsError::Taken { other }),
        }
    }

    async fn existing(&self, id: PostId) -> Result<Post, ManagePostsError> {
        self.posts.find(id).await?.ok_or(ManagePostsError::NotFound)
    }
}

/// Whether this can be the id of a post on a platform: visible ASCII, so that no two spellings stand
/// for one post.
fn is_platform_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
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
    /// The id of a published post is 1 to 100 visible ASCII characters.
    #[error(
        "platform_post_id is not an id of a post: send it as the platform shows it, without blanks, \
         at most 100 characters"
    )]
    NoPlatformId,
    /// It is public, so nobody can say that it is not.
    #[error("the post is public as {id}; say which of its ids counts")]
    IsPublic {
        /// The platform's id of it.
        id: String,
    },
    /// The id is another post's.
    #[error("this platform_post_id belongs to post {other}")]
    Taken {
        /// That post.
        other: PostId,
    },
    /// Somebody else changed it in between.
    #[error("the post was changed in between; read it again")]
    Stale {
        /// As it is now.
        current: Box<Post>,
    },
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
