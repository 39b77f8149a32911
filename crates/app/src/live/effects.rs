//! Applies changed settings in this process.

use std::sync::Arc;

use async_trait::async_trait;
use waggle_settings::Values;
use waggle_settings::ports::SettingsObserver;
use waggle_store::{Queue, Queues};

use super::super_admins::SuperAdmins;

/// Applies the list of super admins, and wakes the publishing worker, which releases posts that
/// wait for new credentials.
pub(crate) struct Effects {
    pub(crate) super_admins: Arc<SuperAdmins>,
    pub(crate) queues: Queues,
}

#[async_trait]
impl SettingsObserver for Effects {
    async fn took_effect(&self, values: &Values) {
        self.queues.announce(Queue::Posts);
        self.super_admins.apply(values).await;
    }
}
