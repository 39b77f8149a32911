//! Adds up source tweets with the totals that the database keeps by day and run, and the changes
//! that are not in the totals yet.

use std::ops::Range;

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType};

use crate::types::{Time, UtcMicros};

/// The length of a day in microseconds.
const DAY: i64 = 86_400_000_000;

/// The number of tweets, their likes, retweets and views, and the number of runs that reported
/// them.
pub(crate) type Totals = (BigInt, BigInt, BigInt, BigInt, BigInt);

/// The totals of a range of dates: of whole days from the stored totals, and of the parts of days
/// before and after them from the tweets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DayTotals {
    days: Range<i64>,
    parts: Vec<Range<Time>>,
}

impl DayTotals {
    /// The totals of the tweets posted at `from` or later and before `before`, or `None` if there
    /// is no whole day in between.
    pub(crate) fn between(from: Option<Time>, before: Option<Time>) -> Option<Self> {
        let micros = |time: Time| time.0.timestamp_micros();
        let start = |day: i64| {
            let time = day.checked_mul(DAY).and_then(chrono::DateTime::from_timestamp_micros);
            time.map(Time)
        };
        let mut parts = Vec::new();
        let mut days = i64::MIN..i64::MAX;
        if let Some(from) = from {
            days.start = micros(from).div_euclid(DAY);
            if micros(from).rem_euclid(DAY) != 0 {
                days.start += 1;
                parts.push(from..start(days.start)?);
            }
        }
        if let Some(before) = before {
            days.end = micros(before).div_euclid(DAY);
            if micros(before).rem_euclid(DAY) != 0 {
                parts.push(start(days.end)?..before);
            }
        }
        (days.start < days.end).then_some(Self { days, parts })
    }
}

impl<DB> QueryFragment<DB> for DayTotals
where
    DB: Backend + HasSqlType<BigInt> + HasSqlType<UtcMicros>,
    i64: ToSql<BigInt, DB>,
    Time: ToSql<UtcMicros, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(
            "SELECT CAST(COALESCE(SUM(tweets), 0) AS BIGINT), \
             CAST(COALESCE(SUM(likes), 0) AS BIGINT), \
             CAST(COALESCE(SUM(retweets), 0) AS BIGINT), \
             CAST(COALESCE(SUM(views), 0) AS BIGINT), COUNT(CASE WHEN tweets > 0 THEN 1 END) \
             FROM (SELECT SUM(tweets) AS tweets, SUM(likes) AS likes, SUM(retweets) AS retweets, \
             SUM(views) AS views FROM (",
        );
        for table in ["source_tweet_totals", "source_tweet_total_changes"] {
            out.push_sql("SELECT execution_id, tweets, likes, retweets, views FROM ");
            out.push_sql(table);
            out.push_sql(" WHERE day >= ");
            out.push_bind_param::<BigInt, _>(&self.days.start)?;
            out.push_sql(" AND day < ");
            out.push_bind_param::<BigInt, _>(&self.days.end)?;
            out.push_sql(" UNION ALL ");
        }
        for part in &self.parts {
            out.push_sql(
                "SELECT execution_id, 1, likes, retweets, views FROM source_tweets WHERE date >= ",
            );
            out.push_bind_param::<UtcMicros, _>(&part.start)?;
            out.push_sql(" AND date < ");
            out.push_bind_param::<UtcMicros, _>(&part.end)?;
            out.push_sql(" UNION ALL ");
        }
        // An empty part ends the list.
        out.push_sql("SELECT '', 0, 0, 0, 0 WHERE 1 = 0) AS added GROUP BY execution_id) AS runs");
        Ok(())
    }
}

impl QueryId for DayTotals {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for DayTotals {
    type SqlType = Totals;
}

impl<Connection> diesel::RunQueryDsl<Connection> for DayTotals {}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time(text.parse().unwrap())
    }

    #[test]
    fn whole_days_are_separated_from_parts() {
        let midnight = time("1970-01-03T00:00:00Z");
        let later = time("1970-01-05T12:00:00Z");

        let whole = DayTotals::between(Some(midnight), Some(time("1970-01-05T00:00:00Z")));
        assert_eq!(whole, Some(DayTotals { days: 2..4, parts: Vec::new() }));
        let end = DayTotals::between(None, Some(later)).unwrap();
        assert_eq!(end.days, i64::MIN..4);
        assert_eq!(end.parts, [time("1970-01-05T00:00:00Z")..later]);
        let start = DayTotals::between(Some(time("1969-12-31T23:00:00Z")), None).unwrap();
        assert_eq!(start.days, 0..i64::MAX);
        assert_eq!(start.parts.len(), 1);
    }

    #[test]
    fn a_range_without_a_whole_day_has_no_day_totals() {
        let noon = time("1970-01-03T12:00:00Z");

        assert_eq!(DayTotals::between(Some(noon), Some(time("1970-01-04T12:00:00Z"))), None);
        assert_eq!(DayTotals::between(Some(time("1970-01-04T00:00:00Z")), Some(noon)), None);
    }
}
