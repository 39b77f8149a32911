//! Settings.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use waggle_kernel::PortError;
use waggle_settings::ports::SettingRepository;

use super::Repositories;
use crate::error::during;
use crate::schema::app_settings;
use crate::types::Time;

#[async_trait]
impl SettingRepository for Repositories {
    async fn get(&self, key: &str) -> Result<Option<String>, PortError> {
        during("reading a setting", async {
            let mut connection = self.pools.read().await?;
            let value: Option<Option<String>> = app_settings::table
                .find(key)
                .select(app_settings::value)
                .first(&mut connection)
                .await
                .optional()?;
            Ok(value.flatten())
        })
        .await
    }

    async fn set(
        &self,
        key: &str,
        value: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<(), PortError> {
        during("writing a setting", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let now = Time::from(now);
            match value {
                Some(value) => {
                    diesel::insert_into(app_settings::table)
                        .values((
                            app_settings::key.eq(key),
                            app_settings::value.eq(&value),
                            app_settings::created_at.eq(now),
                            app_settings::updated_at.eq(now),
                        ))
                        .on_conflict(app_settings::key)
                        .do_update()
                        .set((app_settings::value.eq(&value), app_settings::updated_at.eq(now)))
                        .execute(connection)
                        .await?;
                }
                None => {
                    diesel::delete(app_settings::table.find(key)).execute(connection).await?;
                }
            }
            transaction.commit().await
        })
        .await
    }
}
