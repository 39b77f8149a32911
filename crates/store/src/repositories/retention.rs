//! Removes events because of their age, and personal data because of a redaction.

use std::collections::BTreeSet;

use diesel::prelude::*;
use waggle_audit::{Checkpoint, HeadRef, REDACTED, RedactionOrder, Tip};
use waggle_kernel::NewEvent;
use waggle_kernel::ids::UserId;

use super::events::{append, hash, lock_chain, write};
use super::{Repositories, columns};
use crate::error::StoreError;
use crate::queues::Queue;
use crate::run_query::RunQueryDsl;
use crate::schema::{api_tokens, event_checkpoint, event_details, event_heads, events, new_events};
use crate::types::Time;

/// How many events may wait besides that of a redaction.
const MOST_WAITING: u16 = 1_000;

/// The id of the only row of `event_checkpoint`.
const CHECKPOINT: i64 = 1;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = event_checkpoint)]
struct CheckpointRow {
    id: i64,
    position: i64,
    hash: Vec<u8>,
    head_number: i64,
    head_hash: Vec<u8>,
    signed_at: Time,
    key: String,
    signature: Vec<u8>,
}

impl From<&Checkpoint> for CheckpointRow {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            id: CHECKPOINT,
            position: checkpoint.tip.position,
            hash: checkpoint.tip.hash.to_vec(),
            head_number: checkpoint.head.number,
            head_hash: checkpoint.head.hash.to_vec(),
            signed_at: checkpoint.signed_at.into(),
            key: checkpoint.key.clone(),
            signature: checkpoint.signature.clone(),
        }
    }
}

impl From<CheckpointRow> for Checkpoint {
    fn from(row: CheckpointRow) -> Self {
        Self {
            tip: Tip { position: row.position, hash: hash(row.hash) },
            head: HeadRef { number: row.head_number, hash: hash(row.head_hash) },
            signed_at: row.signed_at.into(),
            key: row.key,
            signature: row.signature,
        }
    }
}

impl Repositories {
    pub(super) async fn stored_checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        let row: Option<CheckpointRow> = event_checkpoint::table
            .find(CHECKPOINT)
            .select(columns::<CheckpointRow>())
            .first(&mut *self.pools.read().await?)
            .await
            .optional()?;
        Ok(row.map(Into::into))
    }

    /// Stores a checkpoint in place of the one with the same last event.
    pub(super) async fn renew_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let mut transaction = self.pools.write().await?;
        diesel::update(event_checkpoint::table.find(CHECKPOINT))
            .filter(event_checkpoint::position.eq(checkpoint.tip.position))
            .set(CheckpointRow::from(checkpoint))
            .execute(transaction.connection())
            .await?;
        transaction.commit().await
    }

    /// Removes what is not after a checkpoint, unless another process did.
    pub(super) async fn remove_to(
        &self,
        since: i64,
        checkpoint: &Checkpoint,
        event: &NewEvent,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pools.write().await?;
        let connection = transaction.connection();
        lock_chain(connection).await?;
        let stored: Option<i64> = event_checkpoint::table
            .find(CHECKPOINT)
            .select(event_checkpoint::position)
            .first(connection)
            .await
            .optional()?;
        if stored.unwrap_or(0) != since {
            return Ok(false);
        }
        // The database refuses to remove anything after the stored checkpoint.
        let row = CheckpointRow::from(checkpoint);
        diesel::insert_into(event_checkpoint::table)
            .values(&row)
            .on_conflict(event_checkpoint::id)
            .do_update()
            .set(&row)
            .execute(connection)
            .await?;
        let position = checkpoint.tip.position;
        diesel::delete(event_details::table)
            .filter(event_details::position.le(position))
            .execute(connection)
            .await?;
        diesel::delete(events::table)
            .filter(events::position.le(position))
            .execute(connection)
            .await?;
        diesel::delete(event_heads::table)
            .filter(event_heads::number.le(checkpoint.head.number))
            .execute(connection)
            .await?;
        write(connection, std::slice::from_ref(event)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The user and its tokens, as events name them.
    pub(super) async fn user_and_tokens(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let tokens: Vec<i64> = api_tokens::table
            .filter(api_tokens::user_id.eq(user.number()))
            .order(api_tokens::id)
            .select(api_tokens::id)
            .load(&mut *self.pools.read().await?)
            .await?;
        let tokens = tokens.into_iter().map(|token| format!("token:{token}"));
        Ok(std::iter::once(format!("user:{user}")).chain(tokens).collect())
    }

    /// Removes the personal data of events, and appends the event that names them, so that no
    /// reader of the chain finds the one without the other. Returns `None`, and removes nothing, if
    /// very many events wait to be appended before that.
    pub(super) async fn remove_personal(
        &self,
        positions: &[i64],
        order: &RedactionOrder,
    ) -> Result<Option<u64>, StoreError> {
        self.append_waiting().await;
        let mut transaction = self.pools.write().await?;
        let connection = transaction.connection();
        lock_chain(connection).await?;
        let found: Vec<i64> = event_details::table
            .filter(event_details::position.eq_any(positions.to_vec()))
            .filter(event_details::personal.is_not_null())
            .select(event_details::position)
            .load(connection)
            .await?;
        if found.is_empty() {
            return Ok(Some(0));
        }
        let named: BTreeSet<i64> = found.iter().copied().collect();
        // The database refuses to remove personal data while no such event waits.
        write(connection, &[order.event(&named)]).await?;
        diesel::update(event_details::table)
            .filter(event_details::position.eq_any(found))
            .set((
                event_details::personal.eq(None::<String>),
                event_details::personal_salt.eq(None::<Vec<u8>>),
            ))
            .execute(connection)
            .await?;
        append(connection, MOST_WAITING).await?;
        let waiting: Vec<i64> = new_events::table
            .filter(new_events::kind.eq(REDACTED))
            .select(new_events::id)
            .limit(1)
            .load(connection)
            .await?;
        if !waiting.is_empty() {
            return Ok(None);
        }
        transaction.fills(Queue::Changes);
        transaction.commit().await?;
        Ok(u64::try_from(named.len()).ok())
    }
}
