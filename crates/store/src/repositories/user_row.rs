//! The row of a user in the database.

use diesel::prelude::*;
use waggle_accounts::{StoredPassword, User};
use waggle_kernel::Version;
use waggle_kernel::ids::UserId;

use crate::error::{StoreError, column};
use crate::schema::users;
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct UserRow {
    id: i64,
    username: String,
    email: String,
    email_verified_at: Option<Time>,
    first_name: String,
    last_name: String,
    role: String,
    is_active: bool,
    is_super_admin: bool,
    password: String,
    date_joined: Time,
    last_login: Option<Time>,
    version: i64,
    has_second_factor: bool,
    time_zone: Option<String>,
    after_approval: String,
}

impl TryFrom<UserRow> for (User, StoredPassword) {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let password = StoredPassword(row.password);
        let user = User {
            id: UserId::new(row.id),
            username: row.username.parse().map_err(column("users.username"))?,
            email: row.email.parse().map_err(column("users.email"))?,
            email_verified_at: row.email_verified_at.map(Into::into),
            first_name: row.first_name.parse().map_err(column("users.first_name"))?,
            last_name: row.last_name.parse().map_err(column("users.last_name"))?,
            role: row.role.parse().map_err(column("users.role"))?,
            is_active: row.is_active,
            is_super_admin: row.is_super_admin,
            has_password: password.is_some(),
            has_second_factor: row.has_second_factor,
            // A zone that this version does not know is as good as none.
            time_zone: row.time_zone.and_then(|name| name.parse().ok()),
            after_approval: row.after_approval.parse().map_err(column("users.after_approval"))?,
            date_joined: row.date_joined.into(),
            last_login: row.last_login.map(Into::into),
            version: Version::new(row.version),
        };
        Ok((user, password))
    }
}

pub(super) fn user(row: UserRow) -> Result<User, StoreError> {
    <(User, StoredPassword)>::try_from(row).map(|(user, _)| user)
}
