//! Rate limit counters, shared by all processes.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use waggle_kernel::{Budget, Exhausted, Limits, PortError};

use super::{Conn, Repositories, locks};
use crate::error::during;
use crate::run_query::RunQueryDsl;
use crate::schema::limit_counters;
use crate::types::{Time, UtcMicros};

/// The maximum number of expired counters that are removed with each new one.
const SWEPT: i64 = 10;

/// Counts one use, and returns the new count and the end of its window.
async fn count(
    connection: &mut Conn,
    budget: &Budget,
    now: DateTime<Utc>,
) -> QueryResult<(i64, Time)> {
    let (begun, ends_at) = (Time::from(now), Time::from(now + budget.window));
    let is_over = limit_counters::window_ends_at.le(begun);
    diesel::insert_into(limit_counters::table)
        .values((
            limit_counters::key.eq(&budget.key),
            limit_counters::count.eq(1),
            limit_counters::window_ends_at.eq(ends_at),
        ))
        .on_conflict(limit_counters::key)
        .do_update()
        .set((
            limit_counters::count
                .eq(case_when(is_over, 1_i64.into_sql::<BigInt>())
                    .otherwise(limit_counters::count + 1)),
            limit_counters::window_ends_at.eq(case_when(is_over, ends_at.into_sql::<UtcMicros>())
                .otherwise(limit_counters::window_ends_at)),
        ))
        .returning((limit_counters::count, limit_counters::window_ends_at))
        .get_result(connection)
        .await
}

/// Removes expired counters, so that those of strangers do not stay forever. Locked counters are
/// skipped.
async fn sweep(connection: &mut Conn, now: DateTime<Utc>) -> QueryResult<()> {
    let end = Time::from(now - chrono::Duration::hours(1));
    let gone = locks::counters_over(connection, end, SWEPT).await?;
    if !gone.is_empty() {
        diesel::delete(limit_counters::table.filter(limit_counters::key.eq_any(gone)))
            .filter(limit_counters::window_ends_at.lt(end))
            .execute(connection)
            .await?;
    }
    Ok(())
}

#[async_trait]
impl Limits for Repositories {
    async fn take(
        &self,
        budgets: &[Budget],
        now: DateTime<Utc>,
    ) -> Result<Option<Exhausted>, PortError> {
        during("counting", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let mut exhausted = None;
            for budget in budgets {
                let (count, ends_at) = count(connection, budget, now).await?;
                if count == 1 {
                    sweep(connection, now).await?;
                }
                let over = count - i64::from(budget.most);
                if over > 0 {
                    let refusals = u32::try_from(over).unwrap_or(u32::MAX);
                    let (budget, until) = (budget.clone(), ends_at.into());
                    exhausted = Some(Exhausted { budget, until, refusals });
                    break;
                }
            }
            transaction.commit().await?;
            Ok(exhausted)
        })
        .await
    }

    async fn give_back(&self, budgets: &[Budget]) -> Result<(), PortError> {
        during("returning limit counts", async {
            let mut transaction = self.pools.write().await?;
            for budget in budgets {
                let key = budget.key.as_str();
                diesel::update(limit_counters::table.find(key))
                    .filter(limit_counters::count.gt(0))
                    .set(limit_counters::count.eq(limit_counters::count - 1))
                    .execute(transaction.connection())
                    .await?;
            }
            transaction.commit().await
        })
        .await
    }

    async fn forget(&self, keys: &[String]) -> Result<(), PortError> {
        during("resetting limit counters", async {
            let mut transaction = self.pools.write().await?;
            for key in keys {
                diesel::delete(limit_counters::table.find(key))
                    .execute(transaction.connection())
                    .await?;
            }
            transaction.commit().await
        })
        .await
    }
}
