//! `waggle users`: creates, lists and changes users.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde_json::{Value, json};
use waggle_accounts::{Admission, Client, Role, User, UserChange, Wanted};
use waggle_kernel::{Actor, Limit, PageRequest};
use waggle_system::{Hashing, SystemEntropy};

use super::database::open_existing;
use super::input::{ask, standard_input};
use super::output::{Failure, print};
use crate::config::Config;
use crate::wiring::{self, people};

/// The maximum size of standard input for a password, in bytes.
const MOST: u64 = 4_096;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a user. You are asked for the password, or pipe it in with --password-stdin.
    Create {
        /// The email address.
        #[arg(long)]
        email: String,
        /// The user name for sign-in; the default is the part of the address before the @.
        #[arg(long)]
        username: Option<String>,
        /// The role: viewer, editor, approver or admin.
        #[arg(long)]
        role: Role,
        /// The given name.
        #[arg(long, default_value = "")]
        first_name: String,
        /// The family name.
        #[arg(long, default_value = "")]
        last_name: String,
        /// Read the password from standard input.
        #[arg(long, conflicts_with = "no_password")]
        password_stdin: bool,
        /// Create the user without a password.
        #[arg(long)]
        no_password: bool,
    },
    /// List all users.
    List,
    /// Change the role of a user. This ends all sessions of the user.
    SetRole {
        /// The email address or the user name.
        user: String,
        /// The new role: viewer, editor, approver or admin.
        role: Role,
    },
    /// Deactivate a user. This ends all sessions of the user, who can no longer sign in.
    Deactivate {
        /// The email address or the user name.
        user: String,
    },
    /// Activate a user again.
    Activate {
        /// The email address or the user name.
        user: String,
    },
    /// Set a new password for a user. This ends all sessions of the user.
    ResetPassword {
        /// The email address or the user name.
        user: String,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove all second factors of a user who has lost the authenticator app and the recovery
    /// codes. This ends all sessions of the user.
    RemoveSecondFactor {
        /// The email address or the user name.
        user: String,
    },
}

pub(super) async fn run(
    config: &Config,
    arguments: Arguments,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let store = open_existing(config).await?;
    let users = people::users(&store, Arc::new(Hashing::new(Arc::new(SystemEntropy))));
    let (actor, client) = (Actor::command(), Client::default());
    let change = async |login: &str, change: UserChange| {
        let id = users.show_login(&actor, login).await?.id;
        users.change(&actor, id, &change, &client).await
    };
    match arguments.command {
        Command::Create {
            email,
            username,
            role,
            first_name,
            last_name,
            password_stdin,
            no_password,
        } => {
            let password = if no_password { None } else { Some(password(password_stdin)?) };
            let wanted = Wanted { email, username, first_name, last_name, role, password };
            let user = users.create(&actor, &wanted, &client, &Admission::default()).await?;
            done(as_json, &user, "can sign in");
        }
        Command::List => {
            let mut page = PageRequest::first(Limit::new(Limit::MOST).unwrap_or(Limit::DEFAULT));
            let mut all = Vec::new();
            loop {
                let found = users.list(&actor, page).await?;
                all.extend(found.items);
                let Some(next) = found.next else { break };
                page.after = Some(next);
            }
            if as_json {
                let list: Vec<Value> = all.iter().map(crate::api::user_json).collect();
                print(&json!({ "users": list }).to_string());
            }
            for user in all.iter().filter(|_| !as_json) {
                let state = if user.is_active { "" } else { "  (deactivated)" };
                print(&format!("{}  {}  {}{state}", user.username, user.email, user.role));
            }
        }
        Command::SetRole { user, role } => {
            let wanted = UserChange { role: Some(role), ..UserChange::default() };
            done(as_json, &change(&user, wanted).await?, "has a new role");
        }
        Command::Deactivate { user } => {
            let wanted = UserChange { is_active: Some(false), ..UserChange::default() };
            done(as_json, &change(&user, wanted).await?, "is deactivated");
        }
        Command::Activate { user } => {
            let wanted = UserChange { is_active: Some(true), ..UserChange::default() };
            done(as_json, &change(&user, wanted).await?, "is active again");
        }
        Command::ResetPassword { user, password_stdin } => {
            let user = users.show_login(&actor, &user).await?;
            let password = password(password_stdin)?;
            users.set_password(&actor, user.id, Some(&password), &client).await?;
            done(as_json, &user, "has a new password");
        }
        Command::RemoveSecondFactor { user } => {
            let user = users.show_login(&actor, &user).await?;
            let settings = Arc::new(wiring::settings(&store, config, Arc::new(())).await?);
            let factor = people::second_factor(&store, &settings);
            factor.remove_for(&actor, &user, &client).await?;
            done(as_json, &users.show(&actor, user.id).await?, "no longer has a second factor");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a password from standard input or the terminal, but never from the command line, where
/// others can see it.
fn password(from_stdin: bool) -> Result<SecretString, Failure> {
    if from_stdin {
        let text = standard_input(MOST)?;
        return Ok(text.trim_end_matches(['\r', '\n']).into());
    }
    let text = ask("Password: ", true)?.ok_or("no password was given")?;
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        let again = ask("Repeat the password: ", true)?.unwrap_or_default();
        if again != text {
            return Err("the passwords do not match".into());
        }
    }
    Ok(text.into())
}

fn done(as_json: bool, user: &User, what: &str) {
    if as_json {
        print(&crate::api::user_json(user).to_string());
    } else {
        print(&format!("{} ({}, {}) {what}.", user.username, user.email, user.role));
    }
}
