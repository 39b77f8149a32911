//! `waggle super-admins`: the list of super admins is applied.

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
    /// Make a user, without a password, of each address of `SUPER_ADMIN_EMAILS` that nobody has, and make super admins of those,
    /// and of those alone, whose address is on the list and verified.
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
    let made = users.invite_super_admins(&Actor::system(), &admission).await?;
    let changed = users.sync_super_admins(&Actor::system(), &admission).await?;
    if as_json {
        let list = |users: &[User]| users.iter().map(crate::api::user_json).collect::<Vec<Value>>();
        print(&json!({ "made": list(&made), "changed": list(&changed) }).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    for user in &made {
        print(&format!(
            "{} has a user now, without a password. Let them reset it, or sign in with Google; then they are a super admin.",
            user.email
        ));
    }
    for user in &changed {
        let is_one =
            if user.is_super_admin { "is a super admin" } else { "is no super admin any more" };
        print(&format!("{} {is_one}.", user.email));
    }
    if made.is_empty() && changed.is_empty() {
        print("Everything is as SUPER_ADMIN_EMAILS says.");
    }
    Ok(ExitCode::SUCCESS)
}
