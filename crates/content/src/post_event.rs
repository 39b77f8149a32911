//! The events of posts.

use chrono::{DateTime, Utc};
use waggle_kernel::ids::{PostId, Version};
use waggle_kernel::{ActorRef, NewEvent, ObjectRef, event_time};

use crate::post::PostStatus;

/// The kind of posts as objects of events.
pub const POST: &str = "post";

/// What events tell of a post: how it stands after the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostState {
    pub id: PostId,
    pub version: Version,
    pub platform: String,
    pub status: PostStatus,
    /// Whether the post waits for the owner of its account.
    pub is_held: bool,
    pub scheduled_time: Option<DateTime<Utc>>,
    /// The platform's id; empty if the post is not public.
    pub platform_post_id: String,
    /// Its address on the platform.
    pub url: String,
    /// Why it stands like this, if that is not obvious.
    pub reason: Option<String>,
}

impl PostState {
    /// The event of a new post.
    pub fn created(&self, by: &ActorRef, at: DateTime<Utc>) -> NewEvent {
        self.event("post.created", by, at)
    }

    /// The event of the change to this state; `None` while a worker is publishing the post, unless
    /// it waits for the owner of its account. The deliveries tell what happens then.
    pub fn reached(&self, by: &ActorRef, at: DateTime<Utc>) -> Option<NewEvent> {
        let kind = match self.status {
            PostStatus::Scheduled | PostStatus::Publishing if self.is_held => "post.held",
            PostStatus::Scheduled => "post.scheduled",
            PostStatus::Publishing => return None,
            PostStatus::Published => "post.published",
            PostStatus::Failed => "post.failed",
            PostStatus::Unknown => "post.unknown",
            PostStatus::Missed => "post.missed",
            PostStatus::Cancelled => "post.cancelled",
        };
        Some(self.event(kind, by, at))
    }

    fn event(&self, kind: &'static str, by: &ActorRef, at: DateTime<Utc>) -> NewEvent {
        let mut event = NewEvent::new(kind, ObjectRef::new(POST, &self.id), by, at)
            .with_version(self.version)
            .with("platform", self.platform.clone())
            .with("status", self.status.name());
        if let Some(time) = self.scheduled_time {
            event = event.with("scheduled_time", event_time(time));
        }
        if !self.platform_post_id.is_empty() {
            event = event.with("platform_post_id", self.platform_post_id.clone());
        }
        if !self.url.is_empty() {
            event = event.with("url", self.url.clone());
        }
        match &self.reason {
            // A reason may name the actor. The name is personal data, and is told apart.
            Some(reason) => event.with("reason", reason.replace(&by.shown, &by.key)),
            None => event,
        }
    }
}

#[cfg(test)]
mod tests {
    use waggle_kernel::{Actor, Clock as _, FixedClock};

    use super::*;

    #[test]
    fn each_status_but_publishing_has_an_event() {
        let state = |status| PostState {
            id: PostId::new(1),
            version: Version::FIRST,
            platform: "x".to_owned(),
            status,
            is_held: false,
            scheduled_time: None,
            platform_post_id: String::new(),
            url: String::new(),
            reason: None,
        };
        let (by, now) = (Actor::system().reference(), FixedClock::noon().now());

        let kinds: Vec<String> = PostStatus::ALL
            .into_iter()
            .filter_map(|status| Some(state(status).reached(&by, now)?.kind))
            .collect();

        assert_eq!(
            kinds,
            [
                "post.scheduled",
                "post.published",
                "post.failed",
                "post.unknown",
                "post.missed",
                "post.cancelled"
            ]
        );
    }
}
