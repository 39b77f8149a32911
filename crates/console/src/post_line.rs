//! The post of a tweet: how it stands, and the controls that queue and cancel it.

use serde_json::json;
use waggle_content::{Platform, Post, PostStatus};
use waggle_kernel::Scopes;
use waggle_kernel::ids::GeneratedTweetId;
use waggle_twitter_n8n::{GeneratedTweet, Status};

use crate::control::{Control, GRACE_SECONDS};
use crate::ops::{CANCEL, PUBLISH};
use crate::words::{Moment, platform_name, post_class};

/// How the post of a tweet stands.
pub(crate) struct PostLine {
    pub(crate) id: i64,
    pub(crate) status: &'static str,
    pub(crate) class: &'static str,
    pub(crate) platform: &'static str,
    /// Whether a person must say whether it is public.
    pub(crate) is_unknown: bool,
    /// When it was published, or else when it is due.
    pub(crate) at: Option<Moment>,
    /// Its address, if it is one that can be followed.
    pub(crate) url: Option<String>,
    /// The last error; empty if it does not matter any more.
    pub(crate) reason: String,
}

impl PostLine {
    pub(crate) fn new(post: &Post) -> Self {
        let is_published = post.status == PostStatus::Published;
        let at = if is_published { post.published_time } else { post.due_at };
        Self {
            id: post.id.number(),
            status: if post.is_held { "waits for its account" } else { post.status.name() },
            class: post_class(post),
            platform: platform_name(post.platform),
            is_unknown: post.status == PostStatus::Unknown,
            at: at.map(Into::into),
            url: followed(post.platform, &post.url),
            reason: post.last_error.clone().filter(|_| !is_published).unwrap_or_default(),
        }
    }
}

/// The address of a post that a link may have: of a page of this server, or one of the web.
pub(crate) fn followed(platform: Platform, url: &str) -> Option<String> {
    let is_ours = platform == Platform::Sandbox && url.starts_with('/') && !url.starts_with("//");
    web_address(url).or_else(|| is_ours.then(|| url.to_owned()))
}

/// An address of the web, which a link may have.
pub(crate) fn web_address(url: &str) -> Option<String> {
    (url.starts_with("https://") || url.starts_with("http://")).then(|| url.to_owned())
}

/// Publishes an approved tweet, unless its post may be public.
pub(crate) fn publish(
    tweet: &GeneratedTweet,
    post: Option<&Post>,
    scopes: Scopes,
) -> Option<Control> {
    let is_open = post.is_none_or(|post| {
        post.status == PostStatus::Scheduled || post.status.can_be_queued_again()
    });
    if tweet.status() != Status::Approved || !is_open {
        return None;
    }
    let (id, name) = (tweet.id().number(), &tweet.view().tweet.tweet_id);
    let label = if post.is_some_and(|post| post.status.can_be_queued_again()) {
        "Publish again"
    } else {
        "Publish now"
    };
    let control = Control::new(&PUBLISH, id, tweet.version(), label, scopes)?;
    let done = format!("{name} goes out in {GRACE_SECONDS} seconds");
    let control = control.key("p").body(json!({ "in_seconds": GRACE_SECONDS })).done(done);
    // A post that waited for another time must not be lost by an undo.
    let is_moved = post.is_some_and(|post| post.status == PostStatus::Scheduled);
    let undo = (!is_moved).then(|| CANCEL.path.to_owned());
    Some(match undo {
        Some(path) => control.undone_by(&CANCEL, path, scopes),
        None => control,
    })
}

/// Takes a post out of the queue.
pub(crate) fn cancel(post: &Post, scopes: Scopes) -> Option<Control> {
    let is_queued = post.status == PostStatus::Scheduled;
    let control = Control::new(&CANCEL, post.id.number(), post.version, "Cancel post", scopes);
    let done = format!("Post {} was cancelled", post.id);
    control.filter(|_| is_queued).map(|control| control.key("c").done(done))
}

/// Whether a post was made from a tweet.
pub(crate) fn is_of(post: &Post, tweet: GeneratedTweetId) -> bool {
    post.twitter.as_ref().is_some_and(|details| details.generated_tweet == Some(tweet))
}
