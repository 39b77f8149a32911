//! Lists source tweets, and adds them up.
//!
//! A list is read in one of two ways. If an index finds that only a few tweets match, those are
//! sorted. Otherwise the tweets are read in the order of the list until the page is full, which is
//! usually soon, because many match. A search by date reads the first tweets of the list before
//! that, because a common text is found soonest there.

use diesel::dsl::sql;
use diesel::prelude::*;
use waggle_kernel::{Cursor, Direction, PageRequest};
use waggle_twitter_n8n::{SourceTweetFilter, SourceTweetSort, SourceTweetTotals};

use super::super::search::{FEW, FIRST, few_candidates};
use super::super::{Conn, columns, cursor_time, dialect, keyset, one_more};
use super::filter::{Boxed, filtered};
use super::row::Row;
use crate::counts::Count;
use crate::day_totals::{DayTotals, Totals};
use crate::run_query::RunQueryDsl;
use crate::schema::{campaign_batch_sources, source_tweets};
use crate::texts::Texts;
use crate::types::Time;

/// One tweet more than the page has.
pub(super) async fn page(
    connection: &mut Conn,
    filter: &SourceTweetFilter,
    sort: SourceTweetSort,
    direction: Direction,
    page: PageRequest,
) -> QueryResult<Vec<Row>> {
    if let Some(rows) = first_ones(connection, filter, sort, direction, page).await? {
        return Ok(rows);
    }
    let mut few = candidates(connection, filter).await?;
    if let Some(count) = count(sort)
        && few.is_none()
    {
        match merged(connection, filter, count, sort, direction, page).await? {
            Merged::Page(rows) => return Ok(rows),
            Merged::Sort(matching) => few = matching,
        }
    }
    sorted(narrowed(filter, few.as_deref()), sort, direction, page.after)
        .limit(one_more(page.limit))
        .select(columns::<Row>())
        .load(connection)
        .await
}

/// The page of a search by date, if the first tweets of the list fill it.
async fn first_ones(
    connection: &mut Conn,
    filter: &SourceTweetFilter,
    sort: SourceTweetSort,
    direction: Direction,
    page: PageRequest,
) -> QueryResult<Option<Vec<Row>>> {
    // The tweets of one run or batch and those with a prefix of an id are few, and have an index.
    let is_selective =
        filter.execution_id.is_some() || filter.tweet_id.is_some() || filter.batch.is_some();
    if filter.search.is_none() || is_selective || sort != SourceTweetSort::Date {
        return Ok(None);
    }
    let first: Vec<i64> = sorted(filtered(&dates(filter)), sort, direction, page.after)
        .limit(FIRST)
        .select(source_tweets::id)
        .load(connection)
        .await?;
    let rows: Vec<Row> = sorted(narrowed(filter, Some(&first)), sort, direction, page.after)
        .limit(one_more(page.limit))
        .select(columns::<Row>())
        .load(connection)
        .await?;
    let is_complete = length(&first) < FIRST || length(&rows) == one_more(page.limit);
    Ok(is_complete.then_some(rows))
}

/// Totals over the tweets that match.
pub(super) async fn totals(
    connection: &mut Conn,
    filter: &SourceTweetFilter,
) -> QueryResult<SourceTweetTotals> {
    let (tweets, likes, retweets, views, executions) = if let Some(days) = by_day(filter) {
        days.get_result(connection).await?
    } else {
        let few = candidates(connection, filter).await?;
        narrowed(filter, few.as_deref())
            .select(sql::<Totals>(
                "COUNT(*), CAST(COALESCE(SUM(likes), 0) AS BIGINT), \
                 CAST(COALESCE(SUM(retweets), 0) AS BIGINT), \
                 CAST(COALESCE(SUM(views), 0) AS BIGINT), COUNT(DISTINCT execution_id)",
            ))
            .get_result(connection)
            .await?
    };
    Ok(SourceTweetTotals { tweets, likes, retweets, views, executions })
}

/// The stored totals that answer the filter: if it selects by date at most.
fn by_day(filter: &SourceTweetFilter) -> Option<DayTotals> {
    if *filter != dates(filter) {
        return None;
    }
    DayTotals::between(filter.date_from.map(Time::from), filter.date_before.map(Time::from))
}

/// The part of a filter that selects by date.
fn dates(filter: &SourceTweetFilter) -> SourceTweetFilter {
    let (date_from, date_before) = (filter.date_from, filter.date_before);
    SourceTweetFilter { date_from, date_before, ..SourceTweetFilter::default() }
}

/// The count that a list is sorted by, unless it is sorted by date.
const fn count(sort: SourceTweetSort) -> Option<Count> {
    match sort {
        SourceTweetSort::Date => None,
        SourceTweetSort::Likes => Some(Count::Likes),
        SourceTweetSort::Retweets => Some(Count::Retweets),
        SourceTweetSort::Views => Some(Count::Views),
        SourceTweetSort::TotalEngagement => Some(Count::TotalEngagement),
    }
}

/// The least value of a count that the filter lets pass.
const fn least(filter: &SourceTweetFilter, count: Count) -> Option<i64> {
    match count {
        Count::Likes => filter.min_likes,
        Count::Retweets => filter.min_retweets,
        Count::Views => filter.min_views,
        Count::TotalEngagement => None,
    }
}

/// Ids of tweets that include all tweets that match, if an index for one of the conditions finds
/// only a few.
async fn candidates(
    connection: &mut Conn,
    filter: &SourceTweetFilter,
) -> QueryResult<Option<Vec<i64>>> {
    if let Some(batch) = filter.batch {
        let ids = campaign_batch_sources::table
            .filter(campaign_batch_sources::campaign_batch_id.eq(batch.number()))
            .select(campaign_batch_sources::source_tweet_id);
        return ids.load(connection).await.map(Some);
    }
    for count in [Count::Likes, Count::Retweets, Count::Views] {
        if let Some(least) = least(filter, count)
            && let Some(ids) = dialect::with_at_least(connection, count, least, FEW).await?
        {
            return Ok(Some(ids));
        }
    }
    few_candidates(connection, Texts::SourceTweets, filter.search.as_deref()).await
}

/// The maximum number of tweets that are read in the order of a count. Sorting all of them is
/// faster if fewer than one page of them match.
const MERGED: i64 = 20_000;

/// The result of reading the tweets in the order of a count.
enum Merged {
    Page(Vec<Row>),
    /// The page is not complete, and it is faster to sort. If they are few, the ids of the tweets
    /// that match are known.
    Sort(Option<Vec<i64>>),
}

/// Reads the tweets in the order of a count until the page is full.
async fn merged(
    connection: &mut Conn,
    filter: &SourceTweetFilter,
    count: Count,
    sort: SourceTweetSort,
    direction: Direction,
    page: PageRequest,
) -> QueryResult<Merged> {
    let most = one_more(page.limit);
    let mut after = page.after;
    let least = least(filter, count);
    if let (Some(least), Direction::Ascending) = (least, direction) {
        let start = Cursor { sort_value: least, id: 0 };
        after = after.filter(|after| after.sort_value >= least).or(Some(start));
    }
    let has_conditions = *filter != SourceTweetFilter::default();
    let mut step = if has_conditions { most * 4 } else { most };
    let mut rows: Vec<Row> = Vec::new();
    let mut read = 0;
    loop {
        let next = dialect::next_by_count(connection, count, direction, after, step).await?;
        let Some(next) = next else { return Ok(Merged::Sort(None)) };
        let ids: Vec<i64> = next.iter().map(|&(_, id)| id).collect();
        let query = filtered(filter).filter(dialect::among!(source_tweets::id, &*ids));
        let found: Vec<Row> = sorted(query, sort, direction, None)
            .limit(most.saturating_sub(length(&rows)))
            .select(columns::<Row>())
            .load(connection)
            .await?;
        rows.extend(found);
        let Some(&(sort_value, id)) = next.last() else { return Ok(Merged::Page(rows)) };
        let is_past = |least| direction == Direction::Descending && sort_value < least;
        if length(&rows) >= most || length(&next) < step || least.is_some_and(is_past) {
            return Ok(Merged::Page(rows));
        }
        if has_conditions && read == 0 {
            let few = matching(connection, filter).await?;
            if few.is_some() {
                return Ok(Merged::Sort(few));
            }
        }
        read += step;
        if read > MERGED {
            return Ok(Merged::Sort(None));
        }
        after = Some(Cursor { sort_value, id });
        step = (step * 4).min(FEW);
    }
}

/// The ids of the tweets that match, if they are few.
async fn matching(
    connection: &mut Conn,
    filter: &SourceTweetFilter,
) -> QueryResult<Option<Vec<i64>>> {
    let query = filtered(filter).select(source_tweets::id).limit(FEW + 1);
    let ids: Vec<i64> = query.load(connection).await?;
    Ok((length(&ids) <= FEW).then_some(ids))
}

fn length<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

fn narrowed<'a>(filter: &SourceTweetFilter, few: Option<&[i64]>) -> Boxed<'a> {
    let query = filtered(filter);
    match few {
        Some(ids) => query.filter(dialect::among!(source_tweets::id, ids)),
        None => query,
    }
}

fn sorted(
    query: Boxed<'_>,
    sort: SourceTweetSort,
    way: Direction,
    after: Option<Cursor>,
) -> Boxed<'_> {
    use source_tweets::{date, id, likes, retweets, total_engagement, views};
    let number = |after: Cursor| after.sort_value;
    match sort {
        SourceTweetSort::Date => keyset!(query, date, cursor_time, id, way, after),
        SourceTweetSort::Likes => keyset!(query, likes, number, id, way, after),
        SourceTweetSort::Retweets => keyset!(query, retweets, number, id, way, after),
        SourceTweetSort::Views => keyset!(query, views, number, id, way, after),
        SourceTweetSort::TotalEngagement => {
            keyset!(query, total_engagement, number, id, way, after)
        }
    }
}
