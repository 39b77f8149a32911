//! The counts that source tweets are sorted and filtered by.

/// A column of `source_tweets` with an index of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    Likes,
    Retweets,
    Views,
    TotalEngagement,
}

impl Count {
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Likes => "likes",
            Self::Retweets => "retweets",
            Self::Views => "views",
            Self::TotalEngagement => "total_engagement",
        }
    }
}
