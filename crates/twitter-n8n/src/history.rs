//! The history of a generated tweet: who did what, and when.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use waggle_kernel::{Actor, Named, UnknownName};

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
    pub const ALL: [Self; 8] = [
        Self::Moved(Action::Edit),
        Self::Moved(Action::Approve),
        Self::Moved(Action::Reject),
        Self::Moved(Action::Delete),
        Self::Moved(Action::Restore),
        Self::Moved(Action::Publish),
        Self::Queued,
        Self::Cancelled,
    ];

    /// The name used in the database and in the API, an imperative.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Moved(action) => action.name(),
            Self::Queued => "queue",
            Self::Cancelled => "cancel",
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

/// A new history entry, written together with the change in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHistoryEntry {
    pub action: HistoryAction,
    /// Who did it, as displayed by [`Actor`].
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

impl NewHistoryEntry {
    /// Creates the entry for the action that changed `before` to `after`.
    pub fn of_move(
        action: Action,
        actor: &Actor,
        before: &GeneratedTweet,
        after: &GeneratedTweet,
    ) -> Self {
        let (old, new) = (&before.view().tweet.content, &after.view().tweet.content);
        let changed = old != new;
        Self {
            action: HistoryAction::Moved(action),
            actor: actor.to_string(),
            at: after.view().updated_at,
            from: before.status(),
            to: after.status(),
            content_before: changed.then(|| old.clone()),
            content_after: changed.then(|| new.clone()),
            note: after.approval().map(|approval| format!("sha256 {}", approval.hash)),
        }
    }
}

/// A stored history entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The id; later entries have larger ones.
    pub id: i64,
    pub entry: NewHistoryEntry,
}
