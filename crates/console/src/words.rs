//! States and times as people read them.

use chrono::{DateTime, SecondsFormat, Utc};
use waggle_twitter_n8n::Action;
use waggle_twitter_n8n::{HistoryAction, Status};

/// A time, for people and for machines.
pub(crate) struct Moment {
    pub(crate) machine: String,
    pub(crate) people: String,
}

impl From<DateTime<Utc>> for Moment {
    fn from(time: DateTime<Utc>) -> Self {
        Self {
            machine: time.to_rfc3339_opts(SecondsFormat::Secs, true),
            people: time.format("%-d %b %Y, %H:%M UTC").to_string(),
        }
    }
}

/// The class of the mark of a status. The mark has the name of the status, too.
pub(crate) const fn class(status: Status) -> &'static str {
    match status {
        Status::BrandAligned | Status::Draft => "waits",
        Status::Approved => "good",
        Status::Posted => "done",
        Status::Rejected | Status::Deleted => "off",
    }
}

/// What somebody did, in the past tense.
pub(crate) const fn past(action: HistoryAction) -> &'static str {
    match action {
        HistoryAction::Moved(Action::Edit) => "edited",
        HistoryAction::Moved(Action::Approve) => "approved",
        HistoryAction::Moved(Action::Withdraw) => "withdrew the approval",
        HistoryAction::Moved(Action::Reject) => "rejected",
        HistoryAction::Moved(Action::Delete) => "deleted",
        HistoryAction::Moved(Action::Restore) => "restored",
        HistoryAction::Moved(Action::Publish) => "published",
        HistoryAction::Queued => "queued for publishing",
        HistoryAction::Cancelled => "took out of the queue",
    }
}
