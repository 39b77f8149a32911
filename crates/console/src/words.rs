//! States and times as people read them.

use chrono::{DateTime, SecondsFormat, Utc};
use waggle_content::{Platform, Post, PostStatus};
use waggle_twitter_n8n::{Action, HistoryAction, Status};

use crate::shell::Shell;

/// A time, for people and for machines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(DateTime<Utc>);

impl From<DateTime<Utc>> for Moment {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

impl Moment {
    pub(crate) fn machine(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// What the clocks show in the time zone of the user.
    pub(crate) fn shown(self, shell: &Shell) -> String {
        shell.zone.local(self.0).format("%-d %b %Y, %H:%M").to_string()
    }

    pub(crate) fn utc(self) -> String {
        self.0.format("%-d %b %Y, %H:%M UTC").to_string()
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

/// The class of the mark of the status of a post.
pub(crate) const fn post_class(post: &Post) -> &'static str {
    match post.status {
        _ if post.is_held => "needed",
        PostStatus::Unknown | PostStatus::Missed | PostStatus::Failed => "needed",
        PostStatus::Scheduled | PostStatus::Publishing => "good",
        PostStatus::Published => "done",
        PostStatus::Cancelled => "off",
    }
}

/// A platform, as people call it.
pub(crate) const fn platform_name(platform: Platform) -> &'static str {
    match platform {
        Platform::X => "X",
        Platform::Sandbox => "sandbox",
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

/// Who acted, without the ID: `user:1:joe` is `joe`, and `token:3:n8n` is `token n8n`.
pub(crate) fn who(actor: &str) -> String {
    let mut parts = actor.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("user"), Some(_), Some(name)) => name.to_owned(),
        (Some("token"), Some(_), Some(name)) => format!("token {name}"),
        _ => actor.replacen(':', " ", 1),
    }
}

/// A text with parts in backticks, as pairs of a part and whether it is code.
pub(crate) fn with_code(text: &str) -> impl Iterator<Item = (&str, bool)> {
    text.split('`').zip([false, true].into_iter().cycle())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_shown_by_name() {
        let shown = ["user:1:joe", "token:3:a:b", "network:10.0.0.7", "network:::1", "system"];
        let expected = ["joe", "token a:b", "network 10.0.0.7", "network ::1", "system"];

        assert_eq!(shown.map(who), expected);
    }
}
