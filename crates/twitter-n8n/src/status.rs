//! The statuses of a generated tweet, and the table of the transitions between them.
//!
//! ```text
//!                 ┌─────────── edit ──────────┐
//!                 ▼                           │
//! Brand Aligned ──edit──▶ Draft ──approve──▶ Approved ──publish──▶ Posted
//!       │                   │                   │
//!       └──────┬── reject / delete ─────────────┘
//!              ▼
//!     Rejected, Deleted ──restore──▶ Brand Aligned, or Draft if a person edited the tweet
//! ```

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The status of a generated tweet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Unchanged since the workflow submitted it.
    BrandAligned,
    /// Edited by a person.
    Draft,
    /// Approved with exactly its current content.
    Approved,
    Posted,
    Rejected,
    /// Deleted by a person. It can be restored.
    Deleted,
}

impl Status {
    /// All statuses, in display order.
    pub const ALL: [Self; 6] = [
        Self::BrandAligned,
        Self::Draft,
        Self::Approved,
        Self::Posted,
        Self::Rejected,
        Self::Deleted,
    ];

    /// The name used in the database, in the API, and for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BrandAligned => "Brand Aligned",
            Self::Draft => "Draft",
            Self::Approved => "Approved",
            Self::Posted => "Posted",
            Self::Rejected => "Rejected",
            Self::Deleted => "Deleted",
        }
    }

    /// The status after `action`, or `None` if the action is not allowed. This is the complete
    /// table.
    ///
    /// A restored tweet is [`Status::BrandAligned`] here. Only the tweet itself knows whether it
    /// was edited.
    pub const fn after(self, action: Action) -> Option<Self> {
        match (self, action) {
            (Self::BrandAligned | Self::Draft | Self::Approved, Action::Edit) => Some(Self::Draft),
            (Self::BrandAligned | Self::Draft, Action::Approve) => Some(Self::Approved),
            (Self::BrandAligned | Self::Draft | Self::Approved, Action::Reject) => {
                Some(Self::Rejected)
            }
            (
                Self::BrandAligned | Self::Draft | Self::Approved | Self::Rejected,
                Action::Delete,
            ) => Some(Self::Deleted),
            (Self::Rejected | Self::Deleted, Action::Restore) => Some(Self::BrandAligned),
            (Self::Approved, Action::Publish) => Some(Self::Posted),
            _ => None,
        }
    }

    /// The actions that this status allows.
    pub fn allowed(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |&action| self.after(action).is_some())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    /// Parses a name, ignoring case, because older data contains `approved` as well as `Approved`.
    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// The text is not the name of a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "unknown status '{0}': Brand Aligned, Draft, Approved, Posted, Rejected and Deleted are known"
)]
pub struct UnknownStatus(pub String);

/// An action on a generated tweet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Change the content.
    Edit,
    /// Approve exactly the current content for publishing.
    Approve,
    Reject,
    Delete,
    /// Restore a rejected or deleted tweet.
    Restore,
    /// Record that the tweet was published. Only the publisher does this.
    Publish,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 6] =
        [Self::Edit, Self::Approve, Self::Reject, Self::Delete, Self::Restore, Self::Publish];

    /// The name used in the API, an imperative.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::Publish => "publish",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table again: rows are statuses, columns are actions, and `None` is refused.
    const TABLE: [(Status, [Option<Status>; 6]); 6] = {
        use Status::{Approved, BrandAligned, Deleted, Draft, Posted, Rejected};
        [
            // The columns are edit, approve, reject, delete, restore and publish.
            (
                BrandAligned,
                [Some(Draft), Some(Approved), Some(Rejected), Some(Deleted), None, None],
            ),
            (Draft, [Some(Draft), Some(Approved), Some(Rejected), Some(Deleted), None, None]),
            (Approved, [Some(Draft), None, Some(Rejected), Some(Deleted), None, Some(Posted)]),
            (Posted, [None, None, None, None, None, None]),
            (Rejected, [None, None, None, Some(Deleted), Some(BrandAligned), None]),
            (Deleted, [None, None, None, None, Some(BrandAligned), None]),
        ]
    };

    #[test]
    fn every_transition_matches_the_table() {
        for (status, row) in TABLE {
            for (action, expected) in Action::ALL.into_iter().zip(row) {
                assert_eq!(status.after(action), expected, "{status} {action}");
            }
        }
    }

    #[test]
    fn only_approved_tweets_can_be_published() {
        for status in Status::ALL {
            assert_eq!(
                status.after(Action::Publish).is_some(),
                status == Status::Approved,
                "{status}"
            );
        }
    }

    #[test]
    fn names_are_parsed_in_any_case() {
        for status in Status::ALL {
            assert_eq!(status.name().parse(), Ok(status));
            assert_eq!(status.name().to_lowercase().parse(), Ok(status));
        }
        assert!("Gone".parse::<Status>().is_err());
    }
}
