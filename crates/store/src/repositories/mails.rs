//! The queue of mails for the mail server.

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde_json::Value;
use waggle_accounts::ports::{ClaimedMails, MailQueue, NotSent};
use waggle_accounts::{Letter, NewMail, QueuedMail};
use waggle_kernel::{PortError, SealedSecret, error_chain};

use super::readable::{Rows, readable};
use super::{Conn, Repositories, columns, locks};
use crate::error::{StoreError, column, during};
use crate::run_query::RunQueryDsl;
use crate::schema::mails;
use crate::types::Time;

/// How long an email that was given up is kept for the operator.
const KEPT: Duration = Duration::days(30);
/// The maximum length of a stored error, in characters.
const MOST_ERROR: usize = 500;

#[derive(Queryable, Selectable)]
#[diesel(table_name = mails)]
struct MailRow {
    id: i64,
    recipient: String,
    letter: String,
    data: Value,
    proof_key: Option<String>,
    proof: Option<Vec<u8>>,
    created_at: Time,
    useless_at: Time,
    tries: i64,
    unknown_ends: i64,
}

impl TryFrom<MailRow> for QueuedMail {
    type Error = StoreError;

    fn try_from(row: MailRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            to: row.recipient.parse().map_err(column("mails.recipient"))?,
            letter: Letter::read(&row.letter, &row.data)
                .ok_or_else(|| column("mails.letter")("there is no such name"))?,
            proof: row.proof_key.zip(row.proof).map(|(key, bytes)| SealedSecret { key, bytes }),
            created_at: row.created_at.into(),
            useless_at: row.useless_at.into(),
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
            unknown_ends: u32::try_from(row.unknown_ends).unwrap_or(u32::MAX),
        })
    }
}

/// Adds mails to the queue, in the transaction that causes them.
pub(super) async fn put(connection: &mut Conn, new: &[NewMail]) -> QueryResult<()> {
    for mail in new {
        let proof = mail.proof.as_ref();
        diesel::insert_into(mails::table)
            .values((
                mails::recipient.eq(mail.to.as_str()),
                mails::letter.eq(mail.letter.name()),
                mails::data.eq(mail.letter.data()),
                mails::proof_key.eq(proof.map(|proof| &proof.key)),
                mails::proof.eq(proof.map(|proof| &proof.bytes)),
                mails::created_at.eq(Time::from(mail.created_at)),
                mails::useless_at.eq(Time::from(mail.useless_at)),
                mails::due_at.eq(Time::from(mail.created_at)),
            ))
            .execute(connection)
            .await?;
    }
    Ok(())
}

fn within_bounds(why: &str) -> String {
    why.chars().take(MOST_ERROR).collect()
}

/// Removes an email from the queue, but keeps it for the operator. Its secret is removed, because
/// it is no longer needed.
async fn set_aside(connection: &mut Conn, id: i64, why: &str) -> QueryResult<()> {
    diesel::update(mails::table.find(id))
        .set((
            mails::due_at.eq(None::<Time>),
            mails::last_error.eq(within_bounds(why)),
            mails::proof_key.eq(None::<String>),
            mails::proof.eq(None::<Vec<u8>>),
        ))
        .execute(connection)
        .await
        .map(drop)
}

fn with_ids<'a>(connection: &'a mut Conn, ids: &'a [i64]) -> Rows<'a, MailRow> {
    let query = mails::table.filter(mails::id.eq_any(ids)).order(mails::id);
    query.select(columns::<MailRow>()).load(connection)
}

#[async_trait]
impl MailQueue for Repositories {
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        most: u16,
    ) -> Result<ClaimedMails, PortError> {
        during("claiming mails", async {
            let now = Time::from(now);
            // Nothing is locked while there is nothing to do.
            let is_any: Option<i64> = mails::table
                .filter(mails::due_at.le(now))
                .select(mails::id)
                .first(&mut self.pools.read().await?)
                .await
                .optional()?;
            if is_any.is_none() {
                return Ok(ClaimedMails::default());
            }
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            diesel::delete(mails::table.filter(mails::due_at.is_null()))
                .filter(mails::useless_at.lt(Time::from(now.0 - KEPT)))
                .execute(connection)
                .await?;
            let due = locks::due_mails(connection, now, most.into()).await?;
            diesel::delete(mails::table.filter(mails::id.eq_any(&due)))
                .filter(mails::useless_at.le(now))
                .execute(connection)
                .await?;
            diesel::update(mails::table.filter(mails::id.eq_any(&due)))
                .set((mails::due_at.eq(Time::from(until)), mails::tries.eq(mails::tries + 1)))
                .execute(connection)
                .await?;
            let (rows, mut unreadable) = readable(connection, &due, with_ids).await?;
            let mut claimed = ClaimedMails::default();
            for row in rows {
                let id = row.id;
                match QueuedMail::try_from(row) {
                    Ok(mail) => claimed.mails.push(mail),
                    Err(error) => unreadable.push((id, error_chain(&error))),
                }
            }
            for (id, reason) in &unreadable {
                set_aside(connection, *id, reason).await?;
            }
            claimed.unreadable = unreadable;
            transaction.commit().await?;
            Ok(claimed)
        })
        .await
    }

    async fn sent(&self, id: i64) -> Result<(), PortError> {
        during("removing a mail", async {
            let mut transaction = self.pools.write().await?;
            diesel::delete(mails::table.find(id)).execute(transaction.connection()).await?;
            transaction.commit().await
        })
        .await
    }

    async fn later(&self, id: i64, at: DateTime<Utc>, why: &NotSent) -> Result<(), PortError> {
        during("rescheduling a mail", async {
            let mut transaction = self.pools.write().await?;
            diesel::update(mails::table.find(id))
                .set((
                    mails::due_at.eq(Time::from(at)),
                    mails::last_error.eq(within_bounds(&why.reason)),
                    mails::unknown_ends.eq(mails::unknown_ends + i64::from(why.is_unknown)),
                ))
                .execute(transaction.connection())
                .await?;
            transaction.commit().await
        })
        .await
    }

    async fn give_up(&self, id: i64, why: &NotSent) -> Result<(), PortError> {
        during("giving up a mail", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            set_aside(connection, id, &why.reason).await?;
            diesel::update(mails::table.find(id))
                .set(mails::unknown_ends.eq(mails::unknown_ends + i64::from(why.is_unknown)))
                .execute(connection)
                .await?;
            transaction.commit().await
        })
        .await
    }
}
