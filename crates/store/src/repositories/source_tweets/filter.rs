//! The filter of source tweets as conditions of a query.

use diesel::prelude::*;
use waggle_twitter_n8n::SourceTweetFilter;

use super::super::{Db, containing, lower};
use crate::schema::{campaign_batch_sources, source_tweets};
use crate::types::Time;

pub(super) type Boxed<'a> = source_tweets::BoxedQuery<'a, Db>;

pub(super) fn filtered<'a>(filter: &SourceTweetFilter) -> Boxed<'a> {
    let mut query = source_tweets::table.into_boxed::<Db>();
    if let Some(part) = &filter.search {
        query =
            query.filter(lower(source_tweets::content).like(lower(containing(part))).escape('\\'));
    }
    if let Some(prefix) = &filter.tweet_id {
        // A range instead of LIKE, so that the unique index is used.
        query = query.filter(source_tweets::tweet_id.ge(prefix.clone()));
        if let Some(end) = after_prefix(prefix) {
            query = query.filter(source_tweets::tweet_id.lt(end));
        }
    }
    if let Some(execution) = &filter.execution_id {
        query = query.filter(source_tweets::execution_id.eq(execution.clone()));
    }
    if let Some(from) = filter.date_from {
        query = query.filter(source_tweets::date.ge(Time::from(from)));
    }
    if let Some(before) = filter.date_before {
        query = query.filter(source_tweets::date.lt(Time::from(before)));
    }
    if let Some(status) = &filter.status {
        query = query.filter(source_tweets::status.eq(status.clone()));
    }
    if let Some(least) = filter.min_likes {
        query = query.filter(source_tweets::likes.ge(least));
    }
    if let Some(least) = filter.min_retweets {
        query = query.filter(source_tweets::retweets.ge(least));
    }
    if let Some(least) = filter.min_views {
        query = query.filter(source_tweets::views.ge(least));
    }
    if let Some(processed) = filter.is_processed {
        query = query.filter(source_tweets::is_processed.eq(processed));
    }
    if let Some(batch) = filter.batch {
        let of_batch = campaign_batch_sources::table
            .filter(campaign_batch_sources::campaign_batch_id.eq(batch.number()))
            .select(campaign_batch_sources::source_tweet_id);
        query = query.filter(source_tweets::id.eq_any(of_batch));
    }
    if let Some(lapsed) = filter.lapsed {
        let is_lapsed = || {
            source_tweets::lease
                .is_not_null()
                .and(source_tweets::leased_until.le(Time::from(lapsed.now)).assume_not_null())
                .and(source_tweets::offers.ge(i64::from(lapsed.offers)))
                .and(source_tweets::is_processed.eq(false))
        };
        query = if lapsed.is {
            query.filter(is_lapsed())
        } else {
            query.filter(diesel::dsl::not(is_lapsed()).or(source_tweets::lease.is_null()))
        };
    }
    query
}

/// The first text after all texts that begin with `prefix`, if there is one.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = char::from_u32(u32::from(last) + 1)
            .or_else(|| (last == '\u{D7FF}').then_some('\u{E000}'));
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_after_all_texts_with_the_prefix() {
        assert_eq!(after_prefix("123"), Some("124".into()));
        assert_eq!(after_prefix("1\u{D7FF}"), Some("1\u{E000}".into()));
        assert_eq!(after_prefix("1\u{10FFFF}"), Some("2".into()));
        assert_eq!(after_prefix(""), None);
    }
}
