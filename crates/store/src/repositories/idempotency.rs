//! The keys of calls that are made once, with their answers.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;

use super::{Conn, Joint, Repositories, columns};
use crate::error::StoreError;
use crate::once::{KeyedCall, Once, StoredAnswer};
use crate::run_query::RunQueryDsl;
use crate::schema::idempotency_keys;
use crate::types::Time;

/// How long an answer is kept, in hours.
const KEPT: i64 = 48;
/// The maximum number of old answers that are deleted after a call.
const FORGOTTEN: i64 = 100;

#[derive(Queryable, Selectable)]
#[diesel(table_name = idempotency_keys)]
struct Row {
    fingerprint: Vec<u8>,
    status: i64,
    content_type: String,
    answer: Option<Vec<u8>>,
}

/// Stores the answer beside its key, or deletes the key, so that the call can be repeated.
async fn settle(
    connection: &mut Conn,
    call: &KeyedCall,
    answer: Option<StoredAnswer>,
) -> Result<(), StoreError> {
    let row = idempotency_keys::table
        .filter(idempotency_keys::caller.eq(call.caller.clone()))
        .filter(idempotency_keys::key.eq(call.key.clone()));
    let settled = match answer {
        Some(answer) => {
            let set = (
                idempotency_keys::status.eq(i64::from(answer.status)),
                idempotency_keys::content_type.eq(answer.content_type),
                idempotency_keys::answer.eq(answer.body),
            );
            diesel::update(row).set(set).execute(connection).await?
        }
        None => diesel::delete(row).execute(connection).await?,
    };
    if settled == 1 {
        Ok(())
    } else {
        Err(StoreError::Connection("the key of the call was lost".into()))
    }
}

impl Repositories {
    /// Makes a call, unless it was made before. `answer` is what a repetition gets; if it is
    /// `None`, the call can be repeated.
    pub(crate) async fn once<T: Send>(
        &self,
        call: &KeyedCall,
        now: DateTime<Utc>,
        work: impl Future<Output = T> + Send,
        answer: impl FnOnce(&T) -> Option<StoredAnswer> + Send,
    ) -> Result<Once<T>, StoreError> {
        if let Some(before) = self.made_before(call).await? {
            return Ok(before);
        }
        let joint = Joint::new(call.clone(), now.into());
        let made = joint.scope(work).await;
        if !joint.was_made_before().await {
            let answer = answer(&made);
            if answer.is_none() && !joint.has_begun().await {
                return Ok(Once::Made(made));
            }
            let finished = joint
                .finish(&self.pools.queues, self.pools.begin(), async |connection: &mut Conn| {
                    settle(connection, call, answer).await
                })
                .await;
            match finished {
                Ok(()) => {
                    // What is not deleted now is deleted after the next call.
                    let _ = self.forget_answers(now).await;
                    return Ok(Once::Made(made));
                }
                Err(StoreError::MadeBefore) => {}
                Err(error) => return Err(error),
            }
        }
        self.made_before(call).await?.ok_or(StoreError::MadeBefore)
    }

    async fn made_before<T>(&self, call: &KeyedCall) -> Result<Option<Once<T>>, StoreError> {
        let row: Option<Row> = idempotency_keys::table
            .filter(idempotency_keys::caller.eq(&call.caller))
            .filter(idempotency_keys::key.eq(&call.key))
            .select(columns::<Row>())
            .first(&mut *self.pools.read().await?)
            .await
            .optional()?;
        Ok(row.map(|row| {
            if !call.fingerprints.iter().any(|one| row.fingerprint == one) {
                return Once::OtherCall;
            }
            let Row { status, content_type, answer: body, .. } = row;
            let status = u16::try_from(status).unwrap_or_default();
            Once::MadeBefore(StoredAnswer { status, content_type, body })
        }))
    }

    async fn forget_answers(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let oldest = Time::from(now - Duration::hours(KEPT));
        let old: Vec<i64> = idempotency_keys::table
            .filter(idempotency_keys::created_at.lt(oldest))
            .order(idempotency_keys::created_at)
            .limit(FORGOTTEN)
            .select(idempotency_keys::id)
            .load(&mut *self.pools.read().await?)
            .await?;
        if old.is_empty() {
            return Ok(());
        }
        let mut transaction = self.pools.write().await?;
        diesel::delete(idempotency_keys::table)
            .filter(idempotency_keys::id.eq_any(old))
            .execute(transaction.connection())
            .await?;
        transaction.commit().await
    }
}
