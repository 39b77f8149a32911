//! The history of a generated tweet: who did what, and when.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use waggle_kernel::ids::GeneratedTweetId;
use waggle_kernel::{ActorRef, Event, Named, NewEvent, ObjectRef, UnknownName};

use crate::generated_tweet::GeneratedTweet;
use crate::status::{Action, Status};

/// What was done to a generated tweet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistoryAction {
    /// A person or the publisher changed the tweet with this action.
    Moved(Action),
    /// The tweet was queued for publishing.
    Queued,
    /// The tweet was removed from the queue.
    Cancelled,
}

impl HistoryAction {
    /// All actions.
    pub const ALL: [Self; 9] = [
        Self::Moved(Action::Edit),
        Self::Moved(Action::Approve),
        Self::Moved(Action::Withdraw),
        Self::Moved(Action::Reject),
        Self::Moved(Action::Delete),
        Self::Moved(Action::Restore),
        Self::Moved(Action::Publish),
        Self::Queued,
        Self::Cancelled,
    ];

    /// The name used in the API, an imperative.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Moved(action) => action.name(),
            Self::Queued => "queue",
            Self::Cancelled => "cancel",
        }
    }

    /// The kind of the event.
    pub const fn event_kind(self) -> &'static str {
        match self {
            Self::Moved(Action::Edit) => "tweet.edited",
            Self::Moved(Action::Approve) => "tweet.approved",
            Self::Moved(Action::Withdraw) => "tweet.withdrawn",
            Self::Moved(Action::Reject) => "tweet.rejected",
            Self::Moved(Action::Delete) => "tweet.archived",
            Self::Moved(Action::Restore) => "tweet.restored",
            Self::Moved(Action::Publish) => "tweet.posted",
            Self::Queued => "tweet.queued",
            Self::Cancelled => "tweet.unqueued",
        }
    }
}

impl fmt::Display for HistoryAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Named for HistoryAction {
    const KIND: &'static str = "action";
    const VALUES: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.name()
    }
}

impl FromStr for HistoryAction {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::from_name(text)
    }
}

/// The kind of generated tweets as objects of events.
pub const GENERATED_TWEET: &str = "generated_tweet";

/// The event of an action on a tweet, with its status before and after. Its history shows `note`.
pub fn tweet_event(
    action: HistoryAction,
    tweet: GeneratedTweetId,
    by: &ActorRef,
    at: DateTime<Utc>,
    (from, to): (Status, Status),
    note: Option<String>,
) -> NewEvent {
    let object = ObjectRef::new(GENERATED_TWEET, &tweet);
    let mut event = NewEvent::new(action.event_kind(), object, by, at)
        .with("from", from.name())
        .with("to", to.name());
    if let Some(note) = note {
        // A note may name people.
        event.personal.insert("note".to_owned(), note.into());
    }
    event
}

/// The event of an action that changed `before` to `after`.
pub fn change_event(
    action: Action,
    by: &ActorRef,
    before: &GeneratedTweet,
    after: &GeneratedTweet,
    note: Option<String>,
) -> NewEvent {
    let hash = after.approval().map(|approval| format!("sha256 {}", approval.hash));
    let statuses = (before.status(), after.status());
    let (action, at) = (HistoryAction::Moved(action), after.view().updated_at);
    tweet_event(action, after.id(), by, at, statuses, note.or(hash))
        .with_version(before.version().next())
        // The event of the batch names its tweets like this.
        .with("batch", after.view().batch.number())
        .with("tweet_id", after.view().tweet.tweet_id.clone())
        .with_difference(before.state(), &after.state())
}

/// An entry in the history of a tweet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The position of the event; later entries have larger ones.
    pub id: i64,
    pub action: HistoryAction,
    /// Who did it, as displayed by [`waggle_kernel::Actor`].
    pub actor: String,
    pub at: DateTime<Utc>,
    /// The status before the change.
    pub from: Status,
    /// The status after the change.
    pub to: Status,
    /// The content before the change, if it changed.
    pub content_before: Option<String>,
    /// The content after the change, if it changed.
    pub content_after: Option<String>,
    /// Additional information, such as the reason for a rejection or the hash that was approved.
    pub note: Option<String>,
}

impl TryFrom<Event> for HistoryEntry {
    type Error = UnknownName;

    fn try_from(event: Event) -> Result<Self, UnknownName> {
        let text = |path: &[&str]| {
            let (first, rest) = path.split_first()?;
            let found =
                rest.iter().try_fold(event.change.get(*first)?, |value, name| value.get(name));
            found.and_then(Value::as_str).map(str::to_owned)
        };
        let status = |name| text(&[name]).unwrap_or_default().parse::<Status>();
        let is_kind = |action: &HistoryAction| action.event_kind() == event.kind;
        let known = HistoryAction::ALL.into_iter().find(is_kind);
        let action = known.map_or_else(|| event.kind.parse(), Ok)?;
        let personal = event.personal.as_ref();
        let note = personal.and_then(|personal| personal.get("note")?.as_str()).map(str::to_owned);
        Ok(Self {
            id: event.position,
            action,
            actor: event.shown_actor().to_owned(),
            at: event.at,
            from: status("from")?,
            to: status("to")?,
            content_before: text(&["before", "content"]),
            content_after: text(&["after", "content"]),
            note,
        })
    }
}
