//! Times in both databases: microseconds, as one SQL type that each `table!` uses for both.

use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::pg::data_types::PgTimestamp;
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, SqlType, Timestamptz};
use diesel::sqlite::Sqlite;
use waggle_kernel::to_micros;

/// `timestamptz` in PostgreSQL; in SQLite, an integer that counts microseconds since 1970.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185), sqlite_type(name = "Long"))]
pub struct UtcMicros;

/// A time that is written to or read from the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = UtcMicros)]
pub(crate) struct Time(pub(crate) DateTime<Utc>);

impl Time {
    /// The years that RFC 3339 can represent, 1 to 9999, in microseconds since 1970.
    const CALENDAR: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);

    /// The time that is `micros` microseconds after 1970. A time outside the calendar, such as
    /// PostgreSQL's `infinity`, becomes the first or last time of the calendar. This way, no row is
    /// unreadable because of a time.
    fn nearest(micros: i64) -> Self {
        let (first, last) = Self::CALENDAR;
        let within = DateTime::from_timestamp_micros(micros.clamp(first, last));
        Self(within.unwrap_or_default())
    }
}

impl From<DateTime<Utc>> for Time {
    fn from(time: DateTime<Utc>) -> Self {
        Self(to_micros(time))
    }
}

impl From<Time> for DateTime<Utc> {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl ToSql<UtcMicros, Pg> for Time {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.0, &mut out.reborrow())
    }
}

/// Microseconds from 1970 to 2000, from which PostgreSQL counts.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl FromSql<UtcMicros, Pg> for Time {
    fn from_sql(bytes: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let PgTimestamp(micros) = FromSql::<Timestamptz, Pg>::from_sql(bytes)?;
        Ok(Self::nearest(micros.saturating_add(POSTGRES_EPOCH)))
    }
}

impl ToSql<UtcMicros, Sqlite> for Time {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.timestamp_micros());
        Ok(IsNull::No)
    }
}

impl FromSql<UtcMicros, Sqlite> for Time {
    fn from_sql(bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::nearest(<i64 as FromSql<BigInt, Sqlite>>::from_sql(bytes)?))
    }
}

#[cfg(test)]
mod tests {
    use super::Time;

    #[test]
    fn a_time_outside_the_calendar_becomes_its_first_or_last_one() {
        let shown = |micros| Time::nearest(micros).0.to_rfc3339();

        assert_eq!(shown(1), "1970-01-01T00:00:00.000001+00:00");
        assert_eq!(shown(i64::MAX), "9999-12-31T23:59:59.999999+00:00");
        assert_eq!(shown(i64::MIN), "0001-01-01T00:00:00+00:00");
    }
}
