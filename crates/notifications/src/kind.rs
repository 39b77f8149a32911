//! The kinds of matters that people are told of.

use waggle_kernel::{Scope, Scopes, named_enum};

named_enum! {
    /// The kind of a matter.
    pub enum Kind: "kind of notification" {
        /// A batch of generated tweets arrived or was restored. It is settled when no tweet of the
        /// batch waits for a decision, or the batch is archived.
        BatchArrived = "batch_arrived",
        /// A generated tweet waits for a decision again, because it was edited or restored, or its
        /// approval was withdrawn. It is settled by the decision.
        DecisionRequested = "decision_requested",
        /// A post failed. It is settled when the post has another status.
        PostFailed = "post_failed",
        /// Whether a post is public is unknown. It is settled when the post has another status.
        PostUnknown = "post_unknown",
        /// A post missed its time. It is settled when the post has another status.
        PostMissed = "post_missed",
        /// Posts are held until somebody mends their account on the platform. It is settled when no
        /// post of the platform is held.
        PostsHeld = "posts_held",
        /// The last lease of source tweets expired, and no run processed them. It is settled when
        /// they were all offered again, released, processed or deleted.
        SourceTweetsLapsed = "source_tweets_lapsed",
    }
}

impl Kind {
    /// Whether people with these scopes are told of it: those who can settle the matter.
    #[must_use]
    pub const fn is_for(self, scopes: Scopes) -> bool {
        scopes.grant(match self {
            Self::BatchArrived | Self::DecisionRequested => Scope::Approve,
            Self::PostFailed | Self::PostUnknown | Self::PostMissed => Scope::Publish,
            Self::PostsHeld => Scope::Admin,
            Self::SourceTweetsLapsed => Scope::Ingest,
        })
    }

    /// The kinds that people with these scopes are told of.
    pub fn all_for(scopes: Scopes) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |kind| kind.is_for(scopes))
    }

    /// Whether an open matter of this kind can grow, so that people are told of it again.
    #[must_use]
    pub const fn can_grow(self) -> bool {
        matches!(self, Self::SourceTweetsLapsed)
    }

    /// What the kind is about, as the beginning of a sentence.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::BatchArrived => "A batch arrived",
            Self::DecisionRequested => "A tweet waits for a decision again",
            Self::PostFailed => "A post failed",
            Self::PostUnknown => "Whether a post is public is unknown",
            Self::PostMissed => "A post missed its time",
            Self::PostsHeld => "Posts wait for the owner of their account",
            Self::SourceTweetsLapsed => "Source tweets lapsed",
        }
    }
}
