//! Ids as types, so that the id of one thing cannot be taken for that of another.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// The id with this number.
            #[must_use]
            pub const fn new(number: i64) -> Self {
                Self(number)
            }

            /// The number of the id, as paths and tables have it.
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
    /// An API token.
    TokenId,
    /// A person who may sign in.
    UserId,
    /// A person who is signed in, in one browser.
    SessionId,
    /// A passkey, as Waggle keeps it (not the id that the authenticator gave it).
    PasskeyId,
    /// A tweet of a monitored account, as Waggle keeps it (not the id that X gave it).
    SourceTweetId,
    /// A campaign batch, as Waggle keeps it (not the name that the workflow gave it).
    CampaignBatchId,
    /// A generated tweet, as Waggle keeps it.
    GeneratedTweetId,
    /// A post on its way to a platform.
    PostId,
    /// One attempt to bring a post to its platform.
    DeliveryId,
}

/// Counts the changes of one row; a change names the version that it was based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(i64);

impl Version {
    /// The version of something new.
    pub const FIRST: Self = Self(1);

    /// The version with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, as the wire and the tables have it.
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
