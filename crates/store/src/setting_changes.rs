//! How a process learns that another one changed a setting: PostgreSQL tells it, and both are asked now and then.

use std::time::Duration;

use async_trait::async_trait;
use waggle_kernel::PortError;
use waggle_settings::Revision;
use waggle_settings::ports::SettingChanges;

use crate::databases::Databases;
use crate::error::during;
use crate::{postgres, sqlite};

/// How often the database is asked even where it would tell by itself: a connection that listens may be cut off
/// without a word, and a connection pooler in between may swallow what is told.
const ASK: Duration = Duration::from_millis(1_500);

/// How long it may take to listen, and how long to wait before that is tried again.
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

    /// Waits until PostgreSQL tells of a change, but no longer than [`ASK`].
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
            // First listen, then ask: what changes in between is told.
            if let (None, Databases::Postgres { pools }) = (&self.listener, &self.databases) {
                let listening = tokio::time::timeout(PAUSE, pools.listen()).await;
                self.listener = listening.ok().and_then(Result::ok);
            }
            let revision = during("asking for changes of settings", async {
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
