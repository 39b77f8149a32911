//! The statuses of a generated tweet, and the table of the transitions between them.
//!
//! ```text
//!                 ┌──── edit / withdraw ──────┐
//!                 ▼                           │
//! Brand Aligned ──edit──▶ Draft ──approve──▶ Approved ──publish──▶ Posted
//!       │                   │                   │
//!       └──────┬── reject / delete ─────────────┘
//!              ▼
//!     Rejected, Deleted ──restore──▶ Brand Aligned, or Draft if a person edited the tweet
//!
//! A withdrawn approval leads back to Brand Aligned if nobody edited the tweet.
//! ```

use waggle_kernel::named_enum;

named_enum! {
    /// The status of a generated tweet.
    pub enum Status: "status" (ignores_case) {
        /// Unchanged since the workflow submitted it.
        BrandAligned = "Brand Aligned",
        /// Edited by a person.
        Draft = "Draft",
        /// Approved with exactly its current content.
        Approved = "Approved",
        Posted = "Posted",
        Rejected = "Rejected",
        /// Deleted by a person. It can be restored.
        Deleted = "Deleted",
    }
}

impl Status {
    /// The status after `action`, or `None` if the action is not allowed. This is the complete
    /// table.
    ///
    /// A tweet that was restored, or whose approval was withdrawn, is [`Status::BrandAligned`]
    /// here. Only the tweet itself knows whether it was edited.
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
            (Self::Approved, Action::Withdraw)
            | (Self::Rejected | Self::Deleted, Action::Restore) => Some(Self::BrandAligned),
            (Self::Approved, Action::Publish) => Some(Self::Posted),
            _ => None,
        }
    }

    /// Whether a tweet with this status waits for a decision.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::BrandAligned | Self::Draft)
    }

    /// The actions that this status allows.
    pub fn allowed(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |&action| self.after(action).is_some())
    }
}

named_enum! {
    /// An action on a generated tweet.
    pub enum Action: "action" {
        /// Change the content.
        Edit = "edit",
        /// Approve exactly the current content for publishing.
        Approve = "approve",
        /// Withdraw the approval.
        Withdraw = "withdraw",
        Reject = "reject",
        Delete = "delete",
        /// Restore a rejected or deleted tweet.
        Restore = "restore",
        /// Record that the tweet was published. Only the publisher does this.
        Publish = "publish",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table again: rows are statuses, columns are actions, and `None` is refused.
    const TABLE: [(Status, [Option<Status>; 7]); 6] = {
        use Status::{Approved, BrandAligned, Deleted, Draft, Posted, Rejected};
        [
            // The columns are edit, approve, withdraw, reject, delete, restore and publish.
            (
                BrandAligned,
                [Some(Draft), Some(Approved), None, Some(Rejected), Some(Deleted), None, None],
            ),
            (Draft, [Some(Draft), Some(Approved), None, Some(Rejected), Some(Deleted), None, None]),
            (
                Approved,
                [
                    Some(Draft),
                    None,
                    Some(BrandAligned),
                    Some(Rejected),
                    Some(Deleted),
                    None,
                    Some(Posted),
                ],
            ),
            (Posted, [None, None, None, None, None, None, None]),
            (Rejected, [None, None, None, None, Some(Deleted), Some(BrandAligned), None]),
            (Deleted, [None, None, None, None, None, Some(BrandAligned), None]),
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
