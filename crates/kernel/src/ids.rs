//! Typed ids, so that the id of one kind of entity cannot be used for another, and row versions.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// Creates an id from its number.
            #[must_use]
            pub const fn new(number: i64) -> Self {
                Self(number)
            }

            /// The number, as used in URL paths and database tables.
            #[must_use]
            pub const fn number(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    )+};
}

ids! {
    /// The id of an API token.
    TokenId,
    /// The id of a user.
    UserId,
    /// The id of a session: one user, signed in with one browser.
    SessionId,
    /// Waggle's id of a passkey, not the id that the authenticator assigned.
    PasskeyId,
    /// Waggle's id of a source tweet (a tweet of a monitored account), not the id that X assigned.
    SourceTweetId,
    /// Waggle's id of a campaign batch, not the name that the workflow gave it.
    CampaignBatchId,
    /// Waggle's id of a generated tweet.
    GeneratedTweetId,
    /// The id of a post for a platform.
    PostId,
    /// The id of a delivery, which is one attempt to publish a post on its platform.
    DeliveryId,
}

/// The version of a row, which each change increments. A change states the version that it is based
/// on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(i64);

impl Version {
    /// The version of a new row.
    pub const FIRST: Self = Self(1);

    /// Creates a version from its number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, as used in the API and in database tables.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
