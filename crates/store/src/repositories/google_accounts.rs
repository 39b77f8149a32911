//! Which Google account opens which user.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use waggle_accounts::ports::GoogleAccounts;
use waggle_accounts::{GoogleIdentity, StoredPassword, User};
use waggle_kernel::PortError;
use waggle_kernel::ids::UserId;

use super::Repositories;
use super::users::UserRow;
use crate::error::during;
use crate::schema::{google_accounts, users};

#[async_trait]
impl GoogleAccounts for Repositories {
    async fn find(
        &self,
        google: &GoogleIdentity,
    ) -> Result<Option<(User, StoredPassword)>, PortError> {
        during("finding a Google account", async {
            let mut connection = self.pools.read().await?;
            let row: Option<UserRow> = google_accounts::table
                .inner_join(users::table)
                .filter(google_accounts::issuer.eq(&google.issuer))
                .filter(google_accounts::subject.eq(&google.subject))
                .select(UserRow::as_select())
                .first(&mut connection)
                .await
                .optional()?;
            row.map(TryInto::try_into).transpose()
        })
        .await
    }

    async fn is_linked(&self, user: UserId) -> Result<bool, PortError> {
        during("looking for a Google account", async {
            let mut connection = self.pools.read().await?;
            let found: Option<i64> = google_accounts::table
                .filter(google_accounts::user_id.eq(user.number()))
                .select(google_accounts::user_id)
                .first(&mut connection)
                .await
                .optional()?;
            Ok(found.is_some())
        })
        .await
    }
}
