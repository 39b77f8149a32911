//! The texts that are searched with an index.

/// The tables of a kind of tweet whose text is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Texts {
    SourceTweets,
    GeneratedTweets,
}

impl Texts {
    pub(crate) const ALL: [Self; 2] = [Self::SourceTweets, Self::GeneratedTweets];

    /// The table with the column `content`.
    pub(crate) const fn tweets(self) -> &'static str {
        match self {
            Self::SourceTweets => "source_tweets",
            Self::GeneratedTweets => "generated_tweets",
        }
    }

    /// The table whose index finds the tweets.
    pub(crate) const fn search(self) -> &'static str {
        match self {
            Self::SourceTweets => "source_tweet_search",
            Self::GeneratedTweets => "generated_tweet_search",
        }
    }

    /// The table of the tweets that are not in the index yet.
    pub(crate) const fn waiting(self) -> &'static str {
        match self {
            Self::SourceTweets => "source_tweets_to_index",
            Self::GeneratedTweets => "generated_tweets_to_index",
        }
    }
}

/// A tweet that waits to be indexed.
#[derive(diesel::QueryableByName)]
pub(crate) struct Waiting {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    id: i64,
    /// The length of the text, in characters.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    length: i64,
}

/// The maximum length of the texts that are indexed in one transaction, in characters.
const MOST_TEXT: i64 = 500_000;

/// The first of the waiting tweets that are short enough to be indexed in one transaction; at least
/// one.
pub(crate) fn portion(waiting: &[Waiting]) -> Vec<i64> {
    let mut sum = 0_i64;
    let is_within = |tweet: &&Waiting| {
        let is_first = sum == 0;
        sum = sum.saturating_add(tweet.length.max(1));
        is_first || sum <= MOST_TEXT
    };
    waiting.iter().take_while(is_within).map(|tweet| tweet.id).collect()
}

#[cfg(test)]
mod tests {
    use super::{Waiting, portion};

    #[test]
    fn a_portion_is_limited_by_its_length_and_is_never_empty() {
        let of = |lengths: &[i64]| {
            let tweet = |(id, length): (i64, &i64)| Waiting { id, length: *length };
            portion(&(1..).zip(lengths).map(tweet).collect::<Vec<_>>())
        };

        assert_eq!(of(&[280, 0, 280]), [1, 2, 3]);
        assert_eq!(of(&[600_000, 280]), [1]);
        assert_eq!(of(&[300_000, 200_000, 1]), [1, 2]);
        assert!(of(&[]).is_empty());
    }
}
