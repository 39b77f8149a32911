//! Passkeys, and the challenges that were sent to authenticators.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_accounts::Passkey;
use waggle_accounts::ports::{Challenge, PasskeyRepository};
use waggle_kernel::PortError;
use waggle_kernel::ids::{PasskeyId, SessionId, UserId};

use super::{Repositories, columns};
use crate::error::{during, is_reference_violation};
use crate::run_query::RunQueryDsl;
use crate::schema::{passkey_challenges, passkeys};
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = passkeys)]
struct PasskeyRow {
    id: i64,
    name: String,
    credential_id: Vec<u8>,
    public_key: Vec<u8>,
    state: Vec<u8>,
    created_at: Time,
    last_used_at: Option<Time>,
}

impl From<PasskeyRow> for Passkey {
    fn from(row: PasskeyRow) -> Self {
        Self {
            id: PasskeyId::new(row.id),
            name: row.name,
            credential_id: row.credential_id,
            key: row.public_key,
            state: row.state,
            created_at: row.created_at.into(),
            last_used_at: row.last_used_at.map(Into::into),
        }
    }
}

const fn name(challenge: Challenge) -> &'static str {
    match challenge {
        Challenge::Register => "register",
        Challenge::Prove => "prove",
    }
}

#[async_trait]
impl PasskeyRepository for Repositories {
    async fn list(&self, user: UserId) -> Result<Vec<Passkey>, PortError> {
        during("listing passkeys", async {
            let mut connection = self.pools.read().await?;
            let rows: Vec<PasskeyRow> = passkeys::table
                .filter(passkeys::user_id.eq(user.number()))
                .order(passkeys::id)
                .select(columns::<PasskeyRow>())
                .load(&mut connection)
                .await?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    async fn ask(
        &self,
        session: SessionId,
        challenge: Challenge,
        state: &[u8],
        expires_at: DateTime<Utc>,
    ) -> Result<bool, PortError> {
        during("storing a passkey challenge", async {
            let mut transaction = self.pools.write().await?;
            let asked = (
                passkey_challenges::state.eq(state),
                passkey_challenges::expires_at.eq(Time::from(expires_at)),
            );
            let kept = diesel::insert_into(passkey_challenges::table)
                .values((
                    passkey_challenges::session_id.eq(session.number()),
                    passkey_challenges::purpose.eq(name(challenge)),
                    asked,
                ))
                .on_conflict((passkey_challenges::session_id, passkey_challenges::purpose))
                .do_update()
                .set(asked)
                .execute(transaction.connection())
                .await;
            match kept {
                Err(error) if is_reference_violation(&error) => return Ok(false),
                result => result?,
            };
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn take(
        &self,
        session: SessionId,
        challenge: Challenge,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<u8>>, PortError> {
        during("taking a passkey challenge", async {
            let mut transaction = self.pools.write().await?;
            let asked: Option<(Vec<u8>, Time)> =
                diesel::delete(passkey_challenges::table.find((session.number(), name(challenge))))
                    .returning((passkey_challenges::state, passkey_challenges::expires_at))
                    .get_result(transaction.connection())
                    .await
                    .optional()?;
            transaction.commit().await?;
            Ok(asked
                .filter(|(_, until)| DateTime::<Utc>::from(*until) > now)
                .map(|(state, _)| state))
        })
        .await
    }
}
