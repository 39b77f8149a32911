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

/// The id of a tweet.
#[derive(diesel::QueryableByName)]
pub(crate) struct Id {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub(crate) id: i64,
}

/// The ids, unless they are more than `most`.
pub(crate) fn at_most(most: i64, rows: Vec<Id>) -> Option<Vec<i64>> {
    let are_few = i64::try_from(rows.len()).is_ok_and(|number| number <= most);
    are_few.then(|| rows.into_iter().map(|row| row.id).collect())
}
