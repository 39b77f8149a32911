//! The repository of API tokens.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_accounts::ports::{KnownToken, TokenRepository};
use waggle_accounts::{
    ApiToken, NewApiToken, NewAuthEvent, OwnedToken, StoredHash, StoredPassword, User,
};
use waggle_kernel::ids::{SessionId, TokenId, UserId};
use waggle_kernel::{PortError, Scope, Scopes, UnknownName};

use super::auth_events::write_down;
use super::revoke::has_session;
use super::user_row::UserRow;
use super::{Conn, Repositories, columns, dialect, locks};
use crate::error::{StoreError, column, during};
use crate::run_query::RunQueryDsl;
use crate::schema::{api_tokens, users};
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_tokens)]
struct Row {
    id: i64,
    public_id: String,
    hash: Vec<u8>,
    name: String,
    scopes: String,
    created_at: Time,
    expires_at: Option<Time>,
    revoked_at: Option<Time>,
    last_used_at: Option<Time>,
    user_id: Option<i64>,
}

/// A token with its hash and its owner.
fn known(row: Row, owner: Option<UserRow>) -> Result<KnownToken, StoreError> {
    let scopes: Scopes = row
        .scopes
        .split(',')
        .map(str::parse::<Scope>)
        .collect::<Result<_, UnknownName>>()
        .map_err(column("api_tokens.scopes"))?;
    let hash = row.hash.try_into().map_err(|_| column("api_tokens.hash")("expected 32 bytes"))?;
    let token = ApiToken {
        id: TokenId::new(row.id),
        public_id: row.public_id,
        name: row.name,
        owner: row.user_id.map(UserId::new),
        scopes,
        created_at: row.created_at.into(),
        expires_at: row.expires_at.map(Into::into),
        revoked_at: row.revoked_at.map(Into::into),
        last_used_at: row.last_used_at.map(Into::into),
    };
    let owner = owner.map(<(User, StoredPassword)>::try_from).transpose()?;
    Ok(KnownToken { token, hash: StoredHash(hash), owner: owner.map(|(user, _)| user) })
}

async fn insert(connection: &mut Conn, token: &NewApiToken) -> QueryResult<i64> {
    let scopes: Vec<&str> = token.scopes.iter().map(Scope::name).collect();
    diesel::insert_into(api_tokens::table)
        .values((
            api_tokens::public_id.eq(&token.public_id),
            api_tokens::hash.eq(token.hash.0.to_vec()),
            api_tokens::name.eq(&token.name),
            api_tokens::scopes.eq(scopes.join(",")),
            api_tokens::created_at.eq(Time::from(token.created_at)),
            api_tokens::expires_at.eq(token.expires_at.map(Time::from)),
            api_tokens::user_id.eq(token.owner.map(UserId::number)),
        ))
        .returning(api_tokens::id)
        .get_result(connection)
        .await
}

#[async_trait]
impl TokenRepository for Repositories {
    async fn insert(
        &self,
        token: &NewApiToken,
        event: &NewAuthEvent,
    ) -> Result<TokenId, PortError> {
        during("storing a token", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let id = insert(connection, token).await?;
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(TokenId::new(id))
        })
        .await
    }

    async fn insert_own(
        &self,
        owner: UserId,
        token: &NewApiToken,
        asked_by: SessionId,
        event: &NewAuthEvent,
    ) -> Result<Option<TokenId>, PortError> {
        during("storing a user's token", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            // Code that ends all sessions or all tokens of a user locks the row of the user, too.
            let present = locks::lock_user(connection, owner.number()).await?;
            let is_active = present.is_some_and(|(_, is_active, _)| is_active);
            if !is_active || !has_session(connection, owner, asked_by).await? {
                return Ok(None);
            }
            let id = insert(connection, token).await?;
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(Some(TokenId::new(id)))
        })
        .await
    }

    async fn insert_first(
        &self,
        token: &NewApiToken,
        event: &NewAuthEvent,
    ) -> Result<Option<TokenId>, PortError> {
        during("storing the first token", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            dialect::lock_tokens(connection).await?;
            let there: Option<i64> =
                api_tokens::table.select(api_tokens::id).first(connection).await.optional()?;
            if there.is_some() {
                return Ok(None);
            }
            let id = insert(connection, token).await?;
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(Some(TokenId::new(id)))
        })
        .await
    }

    async fn find(&self, public_id: &str) -> Result<Option<KnownToken>, PortError> {
        during("finding a token", async {
            let mut connection = self.pools.read().await?;
            let row: Option<(Row, Option<UserRow>)> = api_tokens::table
                .left_join(users::table)
                .filter(api_tokens::public_id.eq(public_id))
                .select((columns::<Row>(), columns::<Option<UserRow>>()))
                .first(&mut connection)
                .await
                .optional()?;
            row.map(|(row, owner)| known(row, owner)).transpose()
        })
        .await
    }

    async fn list(&self, owner: Option<UserId>) -> Result<Vec<OwnedToken>, PortError> {
        during("listing tokens", async {
            let mut connection = self.pools.read().await?;
            let mut query = api_tokens::table
                .left_join(users::table)
                .select((columns::<Row>(), columns::<Option<UserRow>>()))
                .into_boxed::<super::Db>();
            if let Some(owner) = owner {
                query = query.filter(api_tokens::user_id.eq(owner.number()));
            }
            let rows: Vec<(Row, Option<UserRow>)> =
                query.order(api_tokens::id).load(&mut connection).await?;
            let with_owner = |KnownToken { token, owner, .. }| OwnedToken { token, owner };
            rows.into_iter().map(|(row, owner)| known(row, owner).map(with_owner)).collect()
        })
        .await
    }

    async fn revoke(
        &self,
        public_id: &str,
        owner: Option<UserId>,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError> {
        during("revoking a token", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let mut living = api_tokens::table
                .filter(api_tokens::public_id.eq(public_id))
                .filter(api_tokens::revoked_at.is_null())
                .select(api_tokens::id)
                .into_boxed::<super::Db>();
            if let Some(owner) = owner {
                living = living.filter(api_tokens::user_id.eq(owner.number()));
            }
            let Some(id) = living.first::<i64>(connection).await.optional()? else {
                return Ok(false);
            };
            let ended = diesel::update(api_tokens::table.find(id))
                .filter(api_tokens::revoked_at.is_null())
                .set(api_tokens::revoked_at.eq(Time::from(event.at)))
                .execute(connection)
                .await?;
            if ended > 0 {
                write_down(&mut transaction, event).await?;
            }
            transaction.commit().await?;
            Ok(ended > 0)
        })
        .await
    }

    async fn touch(&self, id: TokenId, now: DateTime<Utc>) -> Result<(), PortError> {
        during("recording the use of a token", async {
            let mut transaction = self.pools.write_briefly().await?;
            diesel::update(api_tokens::table.find(id.number()))
                .set(api_tokens::last_used_at.eq(Time::from(now)))
                .execute(transaction.connection())
                .await?;
            transaction.commit().await
        })
        .await
    }
}
