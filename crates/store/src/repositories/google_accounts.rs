//! Google accounts, and the users that they are linked to.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_accounts::ports::GoogleAccounts;
use waggle_accounts::{GoogleIdentity, ReturnTo, StoredHash, StoredPassword, User};
use waggle_kernel::PortError;
use waggle_kernel::ids::UserId;

use super::user_row::UserRow;
use super::{Repositories, columns};
use crate::error::during;
use crate::run_query::RunQueryDsl;
use crate::schema::{google_accounts, google_sign_ins, users};
use crate::types::Time;

#[async_trait]
impl GoogleAccounts for Repositories {
    async fn begin(
        &self,
        hash: &StoredHash,
        return_to: &ReturnTo,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), PortError> {
        during("beginning a Google sign-in", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            // Sign-ins that were never completed. There are few, because the number of sign-ins
            // that a client can begin is limited.
            diesel::delete(google_sign_ins::table)
                .filter(google_sign_ins::expires_at.lt(Time::from(now)))
                .execute(connection)
                .await?;
            diesel::insert_into(google_sign_ins::table)
                .values((
                    google_sign_ins::hash.eq(hash.0.to_vec()),
                    google_sign_ins::return_to.eq(return_to.as_str()),
                    google_sign_ins::expires_at.eq(Time::from(expires_at)),
                ))
                .execute(connection)
                .await?;
            transaction.commit().await
        })
        .await
    }

    async fn take(
        &self,
        hash: &StoredHash,
        now: DateTime<Utc>,
    ) -> Result<Option<ReturnTo>, PortError> {
        during("completing a Google sign-in", async {
            let mut transaction = self.pools.write().await?;
            let row: Option<String> = diesel::delete(google_sign_ins::table.find(hash.0.to_vec()))
                .filter(google_sign_ins::expires_at.gt(Time::from(now)))
                .returning(google_sign_ins::return_to)
                .get_result(transaction.connection())
                .await
                .optional()?;
            transaction.commit().await?;
            Ok(row.map(|return_to| ReturnTo::new(&return_to)))
        })
        .await
    }

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
                .select(columns::<UserRow>())
                .first(&mut connection)
                .await
                .optional()?;
            row.map(TryInto::try_into).transpose()
        })
        .await
    }

    async fn is_linked(&self, user: UserId) -> Result<bool, PortError> {
        during("finding the Google account of a user", async {
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
