//! The use case for people: view posts, cancel scheduled posts and resolve unknown outcomes.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::ids::{GeneratedTweetId, PostId, Version};
use waggle_kernel::{
    Actor, Clock, Forbidden, Limit, Page, PageRequest, PortError, Scope, check_text,
};

use crate::delivery::Delivery;
use crate::platform::Platform;
use crate::ports::PostRepository;
use crate::post::{Backlog, Changed, Post, PostFilter, PostStatus, Resolution};

/// Lets people view, cancel and resolve posts.
pub struct ManagePosts {
    pub posts: Arc<dyn PostRepository>,
    pub clock: Arc<dyn Clock>,
}

/// The result of [`ManagePosts::cancel_many`].
#[derive(Debug, Default)]
pub struct CancelledMany {
    pub cancelled: Vec<Post>,
    /// The posts that were not cancelled, each with the reason.
    pub refused: Vec<(PostId, ManagePostsError)>,
}

impl ManagePosts {
    /// The maximum number of posts in one call of [`Self::cancel_many`].
    pub const MOST: usize = 200;

    /// A page of the posts that match `filter`, newest first.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError::Forbidden`] without the scope `read`.
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
    /// - [`ManagePostsError::Forbidden`] without the scope `read`.
    /// - [`ManagePostsError::NotFound`] if there is no such post.
    pub async fn find(&self, actor: &Actor, id: PostId) -> Result<Post, ManagePostsError> {
        actor.require(Scope::Read)?;
        self.existing(id).await
    }

    /// All deliveries of the post, from first to last.
    ///
    /// # Errors
    ///
    /// - [`ManagePostsError::Forbidden`] without the scope `read`.
    /// - [`ManagePostsError::NotFound`] if there is no such post.
    pub async fn deliveries(
        &self,
        actor: &Actor,
        id: PostId,
    ) -> Result<Vec<Delivery>, ManagePostsError> {
        actor.require(Scope::Read)?;
        self.existing(id).await?;
        Ok(self.posts.deliveries(&[id]).await?)
    }

    /// All deliveries of several posts, from first to last. Posts that do not exist have none.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError::Forbidden`] without the scope `read`.
    pub async fn deliveries_of(
        &self,
        actor: &Actor,
        ids: &[PostId],
    ) -> Result<Vec<Delivery>, ManagePostsError> {
        actor.require(Scope::Read)?;
        Ok(self.posts.deliveries(ids).await?)
    }

    /// The posts made from these generated tweets, in any order.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError::Forbidden`] without the scope `read`.
    pub async fn of_tweets(
        &self,
        actor: &Actor,
        tweets: &[GeneratedTweetId],
    ) -> Result<Vec<Post>, ManagePostsError> {
        actor.require(Scope::Read)?;
        Ok(self.posts.of_tweets(tweets).await?)
    }

    /// The queued posts that are processed next, at most `most` of them, without those that wait
    /// for the owner of their account.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError::Forbidden`] without the scope `read`.
    pub async fn upcoming(
        &self,
        actor: &Actor,
        most: Limit,
    ) -> Result<Vec<Post>, ManagePostsError> {
        actor.require(Scope::Read)?;
        Ok(self.posts.upcoming(most).await?)
    }

    /// The number of posts in each state.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError::Forbidden`] without the scope `read`.
    pub async fn backlog(&self, actor: &Actor) -> Result<Backlog, ManagePostsError> {
        actor.require(Scope::Read)?;
        Ok(self.posts.backlog().await?)
    }

    /// Whether a person must decide about a post, or the owner of an account must act.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError::Forbidden`] without the scope `read`.
    pub async fn needs_person(&self, actor: &Actor) -> Result<bool, ManagePostsError> {
        actor.require(Scope::Read)?;
        Ok(self.posts.needs_person().await?)
    }

    /// Removes a scheduled post from the queue, if it still has the version `expected` that the
    /// caller saw.
    ///
    /// # Errors
    ///
    /// - [`ManagePostsError::Forbidden`] without the scope `publish`.
    /// - [`ManagePostsError::NotFound`] if there is no such post.
    /// - [`ManagePostsError::Stale`] if the post has another version than `expected`.
    /// - [`ManagePostsError::Illegal`] unless the post is scheduled.
    pub async fn cancel(
        &self,
        actor: &Actor,
        id: PostId,
        expected: Option<Version>,
    ) -> Result<Post, ManagePostsError> {
        actor.require(Scope::Publish)?;
        self.existing(id).await?;
        let now = self.clock.now();
        let changed = self.posts.cancel(id, expected, &actor.reference(), now).await?;
        self.changed(id, changed, "cancel", "scheduled").await
    }

    /// Removes scheduled posts from the queue, each at the version that the caller saw. A post that
    /// cannot be cancelled does not block the others, unless the store fails.
    ///
    /// # Errors
    ///
    /// [`ManagePostsError`] if the whole call fails; [`ManagePostsError::TooMany`] for more than
    /// [`Self::MOST`] posts.
    pub async fn cancel_many(
        &self,
        actor: &Actor,
        seen: &[(PostId, Version)],
    ) -> Result<CancelledMany, ManagePostsError> {
        actor.require(Scope::Publish)?;
        if seen.len() > Self::MOST {
            return Err(ManagePostsError::TooMany);
        }
        let versions: BTreeMap<PostId, Version> = seen.iter().copied().collect();
        let mut many = CancelledMany::default();
        let mut is_failed = false;
        for (id, version) in versions {
            // A store that failed is not asked again for each of the others.
            if is_failed {
                many.refused.push((id, ManagePostsError::NotTried));
                continue;
            }
            match self.cancel(actor, id, Some(version)).await {
                Ok(post) => many.cancelled.push(post),
                Err(reason @ ManagePostsError::Port(_)) if many.cancelled.is_empty() => {
                    return Err(reason);
                }
                Err(reason) => {
                    is_failed = matches!(reason, ManagePostsError::Port(_));
                    many.refused.push((id, reason));
                }
            }
        }
        Ok(many)
    }

    /// Records what a person found out about a post whose outcome is unknown, if it still has the
    /// version `expected` that the caller saw. If the resolution has the URL of the post but no
    /// platform's id, the id is taken from the URL.
    ///
    /// # Errors
    ///
    /// - [`ManagePostsError::Forbidden`] without the scope `publish`.
    /// - [`ManagePostsError::NotFound`] if there is no such post.
    /// - [`ManagePostsError::NotItsUrl`] if the URL contains no id.
    /// - [`ManagePostsError::NoPlatformId`] if the platform's id cannot be one.
    /// - [`ManagePostsError::IsPublic`] if the resolution says that a public post is not published.
    /// - [`ManagePostsError::Taken`] if the platform's id belongs to another post.
    /// - [`ManagePostsError::Stale`] if the post has another version than `expected`.
    /// - [`ManagePostsError::Illegal`] unless the outcome is unknown.
    pub async fn resolve(
        &self,
        actor: &Actor,
        id: PostId,
        expected: Option<Version>,
        mut resolution: Resolution,
    ) -> Result<Post, ManagePostsError> {
        actor.require(Scope::Publish)?;
        let post = self.existing(id).await?;
        if let Resolution::Published { id, url } = &mut resolution {
            if id.is_empty() && !url.is_empty() {
                let found = post.platform.id_in(url).ok_or(ManagePostsError::NotItsUrl)?;
                found.clone_into(id);
                // The sandbox is a part of this server, whatever the address said.
                if post.platform == Platform::Sandbox {
                    *url = format!("/sandbox#{id}");
                }
            }
            if !is_platform_id(id) || check_text(url, 2_048).is_err() {
                return Err(ManagePostsError::NoPlatformId);
            }
        }
        if resolution == Resolution::NotPublished && !post.public.is_empty() {
            return Err(ManagePostsError::IsPublic { id: post.platform_post_id });
        }
        let now = self.clock.now();
        let by = actor.reference();
        let changed = self.posts.resolve(id, expected, &resolution, &by, now).await?;
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

/// Whether `id` can be the id of a post on a platform: 1 to 100 visible ASCII characters, so that
/// two spellings cannot mean the same post.
fn is_platform_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Errors of [`ManagePosts`].
#[derive(Debug, Error)]
pub enum ManagePostsError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such post")]
    NotFound,
    /// The id of a published post must be 1 to 100 visible ASCII characters.
    #[error(
        "send url, the address of the post, or platform_post_id as the platform shows it: without \
         spaces, with at most 100 characters"
    )]
    NoPlatformId,
    /// The URL of a published post was given without its id, and does not contain it.
    #[error(
        "url is not the address of a post on this platform, such as \
         https://x.com/name/status/123 on X, or /sandbox#sandbox-123 in the sandbox"
    )]
    NotItsUrl,
    /// The post is known to be public, so it cannot be resolved as not published.
    #[error("the post is public as {id}; resolve it as published, with the id to keep")]
    IsPublic {
        /// The platform's id of the post.
        id: String,
    },
    #[error("at most {} posts can be cancelled at once", ManagePosts::MOST)]
    TooMany,
    /// The store failed for another post of the call.
    #[error("it was not tried, because another one failed")]
    NotTried,
    #[error("this platform_post_id belongs to post {other}")]
    Taken {
        /// The post that the id belongs to.
        other: PostId,
    },
    /// The post has changed since the caller read it.
    #[error("the post has changed since you read it; read it again")]
    Stale {
        /// The post as it is now.
        current: Box<Post>,
    },
    /// The status of the post does not allow the action.
    #[error("cannot {action} the post: its status is {status}, not {needed}")]
    Illegal {
        status: PostStatus,
        action: &'static str,
        /// The status that the action requires.
        needed: &'static str,
    },
    #[error(transparent)]
    Port(#[from] PortError),
}
