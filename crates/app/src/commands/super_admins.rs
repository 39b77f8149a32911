//! `waggle super-admins`: applies the list of super admins.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use waggle_accounts::User;
use waggle_kernel::Actor;
use waggle_system::{Hashing, SystemEntropy};

use super::database::open_existing;
use super::output::{Failure, print};
use crate::config::Config;
use crate::wiring::{self, people};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Apply `SUPER_ADMIN_EMAILS`: create a user without a password for each address that has no
    /// user yet, and make exactly those users super admins whose address is on the list and
    /// verified.
    Sync,
}

pub(super) async fn run(
    config: &Config,
    arguments: Arguments,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let Command::Sync = arguments.command;
    let store = open_existing(config).await?;
    let settings = wiring::settings(&store, config, Arc::new(())).await?;
    let admission = crate::live::policy::admission(&settings.values());
    let users = people::users(&store, Arc::new(Hashing::new(Arc::new(SystemEntropy))));
    let made = users.invite_super_admins(&Actor::command(), &admission).await?;
    let changed = users.sync_super_admins(&Actor::command(), &admission).await?;
    if as_json {
        let list = |users: &[User]| users.iter().map(crate::api::user_json).collect::<Vec<Value>>();
        print(&json!({ "made": list(&made), "changed": list(&changed) }).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    for user in &made {
        print(&format!(
            "{} now has a user without a password. Once they reset the password or sign in with \
             Google, they are a super admin.",
            user.email
        ));
    }
    for user in &changed {
        let is_one =
            if user.is_super_admin { "is a super admin" } else { "is no longer a super admin" };
        print(&format!("{} {is_one}.", user.email));
    }
    if made.is_empty() && changed.is_empty() {
        print("Nothing to do: the super admins match SUPER_ADMIN_EMAILS.");
    }
    Ok(ExitCode::SUCCESS)
}
