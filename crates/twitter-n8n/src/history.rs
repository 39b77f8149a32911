//! Who did what to a generated tweet, and when.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use waggle_kernel::Actor;

use crate::generated_tweet::GeneratedTweet;
use crate::status::{Action, Status, UnknownStatus};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistoryAction {
    /// A person or the publisher moved it.
    Moved(Action),
    /// It was put in the queue for publishing.
    Queued,
    /// It was taken out of the queue.
    Cancelled,
}

impl HistoryAction {
    /// Every action.
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

    /// The name in the database and on the wire, an imperative.
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

impl FromStr for HistoryAction {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|action| action.name() == text)
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// An entry to be written beside a change, in the same step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHistoryEntry {
    /// What was done.
    pub action: HistoryAction,
    /// Who did it, as [`Actor`] shows it.
    pub actor: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Where the tweet stood before.
    pub from: Status,
    /// Where it stands now.
    pub to: Status,
    /// The words before, where they were changed.
    pub content_before: Option<String>,
    /// The words after, where they were changed.
    pub content_after: Option<String>,
    /// What else is worth knowing.
    pub note: Option<String>,
}

impl NewHistoryEntry {
    /// The entry for the move from `before` to `after`.
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

/// An entry of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its number; later entries have larger ones.
    pub id: i64,
    /// What it says.
    pub entry: NewHistoryEntry,
}
