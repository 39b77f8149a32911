//! A post with its deliveries, and what the user may do about it.

use serde_json::json;
use waggle_content::{Delivery, Post, PostStatus};
use waggle_kernel::Scopes;
use waggle_kernel::ids::GeneratedTweetId;
use waggle_twitter_n8n::GeneratedTweet;

use crate::control::Control;
use crate::ops::RESOLVE;
use crate::post_line::{PostLine, cancel, followed, publish};
use crate::words::Moment;

/// An attempt to publish a post.
pub(crate) struct Attempt {
    pub(crate) number: u32,
    pub(crate) state: &'static str,
    pub(crate) channel: String,
    pub(crate) started: Moment,
    pub(crate) settled: Option<Moment>,
    pub(crate) looks: u32,
    pub(crate) error: String,
    /// The request as JSON.
    pub(crate) request: String,
}

impl From<&Delivery> for Attempt {
    fn from(delivery: &Delivery) -> Self {
        Self {
            number: delivery.attempt,
            state: delivery.state.name(),
            channel: delivery.prepared.channel.clone(),
            started: delivery.started_at.into(),
            settled: delivery.settled_at.map(Into::into),
            looks: delivery.looks,
            error: delivery.error.clone().unwrap_or_default(),
            request: delivery.prepared.request.to_string(),
        }
    }
}

/// A public copy of a post.
pub(crate) struct Copy {
    pub(crate) id: String,
    pub(crate) url: Option<String>,
    /// Keeps this copy as the post, if the user must choose and may.
    pub(crate) keep: Option<Control>,
}

/// A post as pages show it.
pub(crate) struct PostCard {
    pub(crate) line: PostLine,
    pub(crate) content: String,
    pub(crate) tweet: Option<i64>,
    pub(crate) scheduled: Option<Moment>,
    /// Whether a person must say whether the post is public.
    pub(crate) is_unknown: bool,
    /// All public copies, if they are not only the post itself.
    pub(crate) copies: Vec<Copy>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) controls: Vec<Control>,
    /// Records where the post is, by a form with the address.
    pub(crate) found: Option<Control>,
}

impl PostCard {
    /// The card of a post. `tweet` is the tweet that it was made from.
    pub(crate) fn new(
        post: &Post,
        tweet: Option<&GeneratedTweet>,
        deliveries: &[Delivery],
        scopes: Scopes,
    ) -> Self {
        let (id, is_unknown) = (post.id.number(), post.status == PostStatus::Unknown);
        let resolve = |label: &'static str| {
            let control = Control::new(&RESOLVE, id, post.version, label, scopes);
            control.filter(|_| is_unknown)
        };
        let public = format!("Post {id} is recorded as published");
        let copies = post.public.iter().filter(|_| is_unknown || post.public.len() > 1);
        let copies = copies.map(|copy| Copy {
            id: copy.platform_post_id.clone(),
            url: followed(post.platform, &copy.url),
            keep: resolve("Keep this one").map(|control| {
                let chosen = json!({
                    "published": true, "platform_post_id": copy.platform_post_id, "url": copy.url,
                });
                control.body(chosen).done(public.clone())
            }),
        });
        let absent = resolve("It is not there").filter(|_| post.public.is_empty());
        let absent = absent.map(|control| {
            let done = format!("Post {id} is recorded as not published; it can be published again");
            control.body(json!({ "published": false })).done(done)
        });
        let again = tweet.filter(|_| post.status.can_be_queued_again());
        let controls = [
            again.and_then(|tweet| publish(tweet, Some(post), scopes)),
            cancel(post, scopes),
            absent,
        ];
        let of_post = deliveries.iter().filter(|delivery| delivery.post == post.id);
        Self {
            line: PostLine::new(post),
            content: post.content.clone(),
            tweet: post
                .twitter
                .as_ref()
                .and_then(|details| details.generated_tweet)
                .map(GeneratedTweetId::number),
            scheduled: post.scheduled_time.map(Into::into),
            is_unknown,
            copies: copies.collect(),
            attempts: of_post.map(Into::into).collect(),
            controls: controls.into_iter().flatten().collect(),
            found: resolve("It is there")
                .filter(|_| post.public.is_empty())
                .map(|control| control.body(json!({ "published": true })).done(public)),
        }
    }
}
