//! A stored source tweet.

use diesel::prelude::*;
use waggle_kernel::ids::SourceTweetId;
use waggle_twitter_n8n::{Engagement, NewSourceTweet, SourceTweet};

use crate::schema::source_tweets;
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = source_tweets)]
pub(super) struct Row {
    id: i64,
    tweet_id: String,
    url: String,
    content: String,
    likes: i64,
    retweets: i64,
    replies: i64,
    quotes: i64,
    views: i64,
    date: Time,
    date_raw: String,
    status: String,
    tweet_url: String,
    execution_id: String,
    source_url: String,
    received_from: String,
    unauthenticated: bool,
    processed_at: Time,
    refreshed_at: Option<Time>,
    is_processed: bool,
    leased_until: Option<Time>,
    offers: i64,
}

impl From<Row> for SourceTweet {
    fn from(row: Row) -> Self {
        Self {
            id: SourceTweetId::new(row.id),
            report: NewSourceTweet {
                tweet_id: row.tweet_id,
                url: row.url,
                tweet_url: row.tweet_url,
                content: row.content,
                engagement: Engagement {
                    likes: row.likes,
                    retweets: row.retweets,
                    replies: row.replies,
                    quotes: row.quotes,
                    views: row.views,
                },
                date: row.date.into(),
                date_raw: row.date_raw,
                status: row.status,
            },
            execution_id: row.execution_id,
            source_url: row.source_url,
            received_from: row.received_from,
            unauthenticated: row.unauthenticated,
            processed_at: row.processed_at.into(),
            refreshed_at: row.refreshed_at.map(Into::into),
            is_processed: row.is_processed,
            leased_until: row.leased_until.map(Into::into),
            offers: u32::try_from(row.offers).unwrap_or(u32::MAX),
        }
    }
}
