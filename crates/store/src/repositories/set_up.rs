//! The link that makes the first admin.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_accounts::ports::SetupRepository;
use waggle_accounts::{NewAuthEvent, NewUser, SetUpEnded, StoredHash};
use waggle_kernel::PortError;
use waggle_kernel::ids::UserId;

use super::auth_events::write_down;
use super::{Conn, Repositories, dialect, users as people};
use crate::error::during;
use crate::run_query::RunQueryDsl;
use crate::schema::{setup_link, users};
use crate::types::Time;

async fn has_no_user(connection: &mut Conn) -> QueryResult<bool> {
    let any: Option<i64> = users::table.select(users::id).first(connection).await.optional()?;
    Ok(any.is_none())
}

#[async_trait]
impl SetupRepository for Repositories {
    async fn has_no_user(&self) -> Result<bool, PortError> {
        during("looking for users", async {
            let mut connection = self.pools.read().await?;
            Ok(has_no_user(&mut connection).await?)
        })
        .await
    }

    async fn is_link(&self, token: &StoredHash, now: DateTime<Utc>) -> Result<bool, PortError> {
        during("looking for a set-up link", async {
            let mut connection = self.pools.read().await?;
            let found: Option<i64> = setup_link::table
                .filter(setup_link::token_hash.eq(token.0.to_vec()))
                .filter(setup_link::expires_at.gt(Time::from(now)))
                .select(setup_link::id)
                .first(&mut connection)
                .await
                .optional()?;
            Ok(found.is_some())
        })
        .await
    }

    async fn store_link(
        &self,
        token: &StoredHash,
        expires_at: DateTime<Utc>,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError> {
        during("storing a set-up link", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            dialect::lock_users(connection).await?;
            if !has_no_user(connection).await? {
                return Ok(false);
            }
            diesel::delete(setup_link::table).execute(connection).await?;
            diesel::insert_into(setup_link::table)
                .values((
                    setup_link::id.eq(1),
                    setup_link::token_hash.eq(token.0.to_vec()),
                    setup_link::expires_at.eq(Time::from(expires_at)),
                ))
                .execute(connection)
                .await?;
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn complete(
        &self,
        token: &StoredHash,
        user: &NewUser,
        event: &NewAuthEvent,
    ) -> Result<SetUpEnded, PortError> {
        during("storing the first admin", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            // No other transaction stores a user until this one ends.
            dialect::lock_users(connection).await?;
            if !has_no_user(connection).await? {
                return Ok(SetUpEnded::Closed);
            }
            let the_link = diesel::delete(
                setup_link::table
                    .filter(setup_link::token_hash.eq(token.0.to_vec()))
                    .filter(setup_link::expires_at.gt(Time::from(event.at))),
            );
            if the_link.execute(connection).await? == 0 {
                return Ok(SetUpEnded::Refused);
            }
            let id = UserId::new(people::insert(connection, user).await?);
            let event = NewAuthEvent { user: Some(id), ..event.clone() };
            write_down(&mut transaction, &event).await?;
            transaction.commit().await?;
            Ok(SetUpEnded::Done(id))
        })
        .await
    }
}
