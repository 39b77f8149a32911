//! Posts: a list of them, and one of them with its deliveries.

use askama::Template;
use waggle_content::{Delivery, Platform, Post, PostFilter, PostStatus};
use waggle_kernel::ids::GeneratedTweetId;
use waggle_twitter_n8n::GeneratedTweet;

use crate::links::Links;
use crate::post_card::PostCard;
use crate::shell::Shell;
use crate::words::platform_name;

/// Posts with what their cards show: their deliveries, and the tweets that they were made from, as
/// far as they were read.
#[derive(Debug, Clone, Copy, Default)]
pub struct PostsWith<'a> {
    pub posts: &'a [Post],
    pub deliveries: &'a [Delivery],
    pub tweets: &'a [GeneratedTweet],
}

impl PostsWith<'_> {
    pub(super) fn cards(&self, shell: &Shell) -> Vec<PostCard> {
        let tweet = |id: GeneratedTweetId| self.tweets.iter().find(|tweet| tweet.id() == id);
        let card = |post: &Post| {
            let of = post.twitter.as_ref().and_then(|details| details.generated_tweet);
            PostCard::new(post, of.and_then(tweet), self.deliveries, shell.scopes)
        };
        self.posts.iter().map(card).collect()
    }
}

/// The filters that are chosen; empty if none is.
struct Chosen {
    status: &'static str,
    platform: &'static str,
}

impl Chosen {
    const fn is_any(&self) -> bool {
        !self.status.is_empty() || !self.platform.is_empty()
    }
}

/// The page `/posts`, newest first.
#[derive(Template)]
#[template(path = "pages/posts.html")]
pub struct PostsPage {
    shell: Shell,
    statuses: Vec<&'static str>,
    platforms: Vec<(&'static str, &'static str)>,
    chosen: Chosen,
    /// The parts of the address that were not understood.
    ignored: Vec<String>,
    posts: Vec<PostCard>,
    links: Links,
}

impl PostsPage {
    /// The page of the posts that match `filter`.
    pub fn new(
        shell: Shell,
        filter: &PostFilter,
        ignored: Vec<String>,
        posts: PostsWith<'_>,
        links: Links,
    ) -> Self {
        let chosen = Chosen {
            status: filter.status.map_or("", PostStatus::name),
            platform: filter.platform.map_or("", Platform::name),
        };
        let platforms = Platform::ALL.map(|platform| (platform.name(), platform_name(platform)));
        let statuses = PostStatus::ALL.map(PostStatus::name);
        let posts = posts.cards(&shell);
        let (statuses, platforms) = (statuses.into(), platforms.into());
        Self { shell, statuses, platforms, chosen, ignored, posts, links }
    }
}

/// The page `/posts/{id}`.
#[derive(Template)]
#[template(path = "pages/post.html")]
pub struct PostPage {
    shell: Shell,
    post: PostCard,
}

impl PostPage {
    /// The page of a post with its deliveries, and the tweet that it was made from.
    pub fn new(
        shell: Shell,
        post: &Post,
        deliveries: &[Delivery],
        tweet: Option<&GeneratedTweet>,
    ) -> Self {
        let post = PostCard::new(post, tweet, deliveries, shell.scopes);
        Self { shell, post }
    }
}
