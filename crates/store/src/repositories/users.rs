//! The repository of users.

use async_trait::async_trait;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use waggle_accounts::ports::{EndSessions, InsertUserError, SaveUserError, UserRepository};
use waggle_accounts::{
    Address, Login, NewAuthEvent, NewUser, Role, StoredPassword, User, Username,
};
use waggle_kernel::ids::UserId;
use waggle_kernel::{Cursor, Page, PageRequest, PortError, Version, Zone};

use super::auth_events::write_down;
use super::revoke::{end_codes, end_sessions};
use super::user_row::{UserRow, user};
use super::{Conn, Repositories, columns, dialect, locks, one_more};
use crate::error::{StoreError, during, is_unique_violation};
use crate::run_query::RunQueryDsl;
use crate::schema::users;
use crate::types::Time;

/// Whether a user has this name.
pub(super) async fn is_name_taken(connection: &mut Conn, name: &Username) -> QueryResult<bool> {
    let found: Option<i64> = users::table
        .filter(users::username_folded.eq(name.folded()))
        .select(users::id)
        .first(connection)
        .await
        .optional()?;
    Ok(found.is_some())
}

impl Repositories {
    /// Whether a user has this address.
    pub(super) async fn has_address(&self, address: &Address) -> Result<bool, PortError> {
        Ok(self.find_login(&Login::Email(address.clone())).await?.is_some())
    }
}

/// Stores a user, in the transaction of the caller.
pub(super) async fn insert(connection: &mut Conn, user: &NewUser) -> QueryResult<i64> {
    diesel::insert_into(users::table)
        .values((
            users::username.eq(user.username.as_str()),
            users::username_folded.eq(user.username.folded()),
            users::email.eq(user.email.as_str()),
            users::email_verified_at.eq(user.email_verified_at.map(Time::from)),
            users::first_name.eq(user.first_name.as_str()),
            users::last_name.eq(user.last_name.as_str()),
            users::role.eq(user.role.name()),
            users::is_super_admin.eq(user.is_super_admin),
            users::password.eq(&user.password.0),
            users::date_joined.eq(Time::from(user.date_joined)),
        ))
        .returning(users::id)
        .get_result(connection)
        .await
}

fn may_do_everything(user: &User) -> bool {
    user.is_active && user.effective_role() == Role::Admin
}

/// Whether `user` is an active admin now and no longer would be. In that case, other transactions
/// cannot change users until this one ends.
async fn would_lose_rights(connection: &mut Conn, user: &User) -> Result<bool, StoreError> {
    if may_do_everything(user) {
        return Ok(false);
    }
    dialect::lock_users(connection).await?;
    let row: Option<UserRow> = users::table
        .find(user.id.number())
        .select(columns::<UserRow>())
        .first(connection)
        .await
        .optional()?;
    Ok(row.map(self::user).transpose()?.is_some_and(|was| may_do_everything(&was)))
}

/// Whether there is another active admin.
async fn is_another_admin(connection: &mut Conn, id: UserId) -> QueryResult<bool> {
    let others: Option<i64> = users::table
        .filter(users::id.ne(id.number()))
        .filter(users::is_active.eq(true))
        .filter(users::role.eq(Role::Admin.name()).or(users::is_super_admin.eq(true)))
        .select(users::id)
        .first(connection)
        .await
        .optional()?;
    Ok(others.is_some())
}

#[async_trait]
impl UserRepository for Repositories {
    async fn insert(
        &self,
        user: &NewUser,
        event: &NewAuthEvent,
    ) -> Result<UserId, InsertUserError> {
        const DOING: &str = "storing a user";
        let work = async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let id = match insert(connection, user).await {
                Err(error) if is_unique_violation(&error) => return Ok(None),
                result => UserId::new(result?),
            };
            let event = NewAuthEvent { user: Some(id), ..event.clone() };
            write_down(&mut transaction, &event).await?;
            transaction.commit().await?;
            Ok(Some(id))
        };
        if let Some(id) = during(DOING, work).await? {
            return Ok(id);
        }
        Err(if self.has_address(&user.email).await? {
            InsertUserError::EmailTaken
        } else {
            InsertUserError::UsernameTaken
        })
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        during("finding a user", async {
            let mut connection = self.pools.read().await?;
            let row: Option<UserRow> = users::table
                .find(id.number())
                .select(columns::<UserRow>())
                .first(&mut connection)
                .await
                .optional()?;
            row.map(user).transpose()
        })
        .await
    }

    async fn find_login(&self, login: &Login) -> Result<Option<(User, StoredPassword)>, PortError> {
        during("finding a user by name", async {
            let mut connection = self.pools.read().await?;
            let query = users::table.select(columns::<UserRow>()).into_boxed::<super::Db>();
            let query = match login {
                Login::Email(address) => query.filter(users::email.eq(address.as_str())),
                Login::Username(name) => query.filter(users::username_folded.eq(name.folded())),
            };
            let row: Option<UserRow> = query.first(&mut connection).await.optional()?;
            row.map(TryInto::try_into).transpose()
        })
        .await
    }

    async fn any_imported_password(&self) -> Result<bool, PortError> {
        during("looking for imported passwords", async {
            let mut connection = self.pools.read().await?;
            // The condition of the partial index, in the same words, so that the index is used.
            let is_imported = sql::<Bool>("password LIKE 'pbkdf2_sha256$%'");
            let found: Option<i64> = users::table
                .filter(is_imported)
                .select(users::id)
                .first(&mut connection)
                .await
                .optional()?;
            Ok(found.is_some())
        })
        .await
    }

    async fn list(&self, page: PageRequest) -> Result<Page<User>, PortError> {
        during("listing users", async {
            let mut connection = self.pools.read().await?;
            let after = page.after.map_or(0, |after| after.id);
            let rows: Vec<UserRow> = users::table
                .filter(users::id.gt(after))
                .order(users::id)
                .limit(one_more(page.limit))
                .select(columns::<UserRow>())
                .load(&mut connection)
                .await?;
            let rows = rows.into_iter().map(user).collect::<Result<Vec<User>, _>>()?;
            let cursor = |user: &User| Cursor { sort_value: 0, id: user.id.number() };
            Ok(Page::from_one_more(rows, page.limit, cursor))
        })
        .await
    }

    async fn save(
        &self,
        user: &User,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<Version, SaveUserError> {
        let version = user.version.next();
        let work = async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let loses_rights = would_lose_rights(connection, user).await?;
            let written = diesel::update(users::table.find(user.id.number()))
                .filter(users::version.eq(user.version.number()))
                .set((
                    users::first_name.eq(user.first_name.as_str()),
                    users::last_name.eq(user.last_name.as_str()),
                    users::role.eq(user.role.name()),
                    users::is_active.eq(user.is_active),
                    users::is_super_admin.eq(user.is_super_admin),
                    users::time_zone.eq(user.time_zone.map(Zone::name)),
                    users::after_approval.eq(user.after_approval.name()),
                    users::version.eq(version.number()),
                ))
                .execute(connection)
                .await?;
            if written == 0 {
                return Ok(Err(SaveUserError::Stale));
            }
            if loses_rights && !is_another_admin(connection, user.id).await? {
                return Ok(Err(SaveUserError::LastAdmin));
            }
            if end_sessions(connection, user.id, sessions).await?.is_none() {
                return Ok(Err(SaveUserError::Stale));
            }
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(Ok(version))
        };
        during("changing a user", work).await?
    }

    async fn super_admin_changes(&self, list: &[Address]) -> Result<Vec<User>, PortError> {
        during("comparing the list of super admins", async {
            let mut connection = self.pools.read().await?;
            let list: Vec<&str> = list.iter().map(Address::as_str).collect();
            let listed: Vec<UserRow> = users::table
                .filter(users::email.eq_any(&list))
                .filter(users::email_verified_at.is_not_null())
                .filter(users::is_super_admin.eq(false))
                .order(users::id)
                .select(columns::<UserRow>())
                .load(&mut connection)
                .await?;
            let unlisted: Vec<UserRow> = users::table
                .filter(users::is_super_admin.eq(true))
                .filter(users::email.ne_all(&list).or(users::email_verified_at.is_null()))
                .order(users::id)
                .select(columns::<UserRow>())
                .load(&mut connection)
                .await?;
            listed.into_iter().chain(unlisted).map(user).collect()
        })
        .await
    }

    async fn set_super_admin(
        &self,
        user: &User,
        is_super_admin: bool,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError> {
        during("changing a super admin", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let written = diesel::update(users::table.find(user.id.number()))
                .filter(users::version.eq(user.version.number()))
                .set((
                    users::is_super_admin.eq(is_super_admin),
                    users::version.eq(user.version.next().number()),
                ))
                .execute(connection)
                .await?;
            if written == 0 {
                return Ok(false);
            }
            end_sessions(connection, user.id, EndSessions::All).await?;
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn set_password(
        &self,
        id: UserId,
        seen: Option<StoredPassword>,
        password: &StoredPassword,
        sessions: EndSessions,
        event: Option<NewAuthEvent>,
    ) -> Result<bool, PortError> {
        during("changing a password", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let present = locks::lock_user(connection, id.number()).await?;
            let is_as_seen = |present: &str| seen.as_ref().is_none_or(|seen| seen.0 == present);
            if !present.is_some_and(|(present, _, _)| is_as_seen(&present)) {
                return Ok(false);
            }
            if end_sessions(connection, id, sessions).await?.is_none() {
                return Ok(false);
            }
            diesel::update(users::table.find(id.number()))
                .set(users::password.eq(&password.0))
                .execute(connection)
                .await?;
            if seen.is_none() || event.is_some() {
                let email: String =
                    users::table.find(id.number()).select(users::email).first(connection).await?;
                end_codes(connection, &email, id.number()).await?;
            }
            if let Some(event) = event {
                write_down(&mut transaction, &event).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }
}
