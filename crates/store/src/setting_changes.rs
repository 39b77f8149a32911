//! Watches for changes of settings by other processes: PostgreSQL sends notifications, and both
//! databases are polled.

use std::time::Duration;

use async_trait::async_trait;
use waggle_kernel::PortError;
use waggle_settings::Revision;
use waggle_settings::ports::SettingChanges;

use crate::databases::Databases;
use crate::error::during;
use crate::{postgres, sqlite};

/// How often the database is polled, even if it sends notifications. A listening connection may be
/// cut off silently, and a connection pooler may swallow notifications.
const ASK: Duration = Duration::from_millis(1_500);

/// The timeout for starting to listen, and the pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(250);

/// Waits for changes of settings.
pub(crate) struct Watch {
    databases: Databases,
    listener: Option<postgres::Listener>,
}

impl Watch {
    pub(crate) const fn new(databases: Databases) -> Self {
        Self { databases, listener: None }
    }

    /// Waits for a notification from PostgreSQL, but no longer than [`ASK`].
    async fn pause(&mut self) {
        let told = async {
            match &mut self.listener {
                Some(listener) => listener.told().await,
                None => std::future::pending().await,
            }
        };
        if tokio::time::timeout(ASK, told).await == Ok(false) {
            self.listener = None;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[async_trait]
impl SettingChanges for Watch {
    async fn wait(&mut self, known: Revision) -> Result<(), PortError> {
        loop {
            // Listens first and queries afterwards, so that a change in between sends a
            // notification.
            if let (None, Databases::Postgres { pools }) = (&self.listener, &self.databases) {
                let listening = tokio::time::timeout(PAUSE, pools.listen()).await;
                self.listener = listening.ok().and_then(Result::ok);
            }
            let revision = during("polling for changes of settings", async {
                match &self.databases {
                    Databases::Sqlite { pools, .. } => {
                        sqlite::repositories::settings_revision(pools).await
                    }
                    Databases::Postgres { pools } => {
                        postgres::repositories::settings_revision(pools).await
                    }
                }
            });
            if revision.await? != known {
                return Ok(());
            }
            self.pause().await;
        }
    }
}
