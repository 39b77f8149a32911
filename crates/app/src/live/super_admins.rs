//! The list of super admins, applied to the users.

use tracing::{error, info};
use waggle_accounts::{ManageUsers, User};
use waggle_kernel::{Actor, error_chain};
use waggle_settings::Values;

use super::policy;

/// Applies the list of super admins.
pub(crate) struct SuperAdmins {
    pub(crate) users: ManageUsers,
}

impl SuperAdmins {
    /// Makes exactly those users super admins whose verified address is on the list of `values`,
    /// and returns the users that this changed. A failure is logged; the list is applied again a
    /// minute later.
    pub(crate) async fn apply(&self, values: &Values) -> Vec<User> {
        let admission = policy::admission(values);
        match self.users.sync_super_admins(&Actor::system(), &admission).await {
            Ok(changed) => {
                for user in &changed {
                    let (id, is_super_admin) = (user.id.number(), user.is_super_admin);
                    info!(user.id = id, is_super_admin, "the list of super admins was applied");
                }
                changed
            }
            Err(problem) => {
                let error = error_chain(&problem);
                error!(error, "the list of super admins cannot be applied");
                Vec::new()
            }
        }
    }
}
