//! `waggle tokens`: creates, lists and revokes API tokens.

use std::process::ExitCode;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;
use serde_json::json;
use waggle_accounts::{Client, OwnedToken, Tokens, User, WantedToken};
use waggle_kernel::ids::UserId;
use waggle_kernel::{Actor, Clock as _, Scope, Scopes};
use waggle_store::Store;
use waggle_system::{Hashing, SystemClock, SystemEntropy};

use super::database::open_existing;
use super::output::{Failure, print};
use crate::config::Config;
use crate::wiring::people;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a token and show it once.
    Create {
        /// What the token is for.
        #[arg(long)]
        name: String,
        /// The scopes of the token, one or more of: ingest, read, write, approve, publish, admin.
        #[arg(long = "scope", required = true, num_args = 1.., value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// When the token expires: at the end of a day in UTC (2027-01-31) or at a time
        /// (2027-01-31T12:00:00Z).
        #[arg(long, value_parser = expiry)]
        expires: Option<DateTime<Utc>>,
        /// The owner of the token: an email address or a user name. The token never has more rights
        /// than its owner, and works only while the owner is active. Without this option, the token
        /// belongs to the operator.
        #[arg(long)]
        user: Option<String>,
    },
    /// List all tokens, without their secrets.
    List,
    /// Revoke a token at once.
    Revoke {
        /// The id of the token, as shown in the list.
        id: String,
    },
}

/// Parses a time, or a date, which means the end of that day in UTC.
fn expiry(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|day| day.succ_opt())
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map(|time| time.and_utc())
        .ok_or_else(|| "must be like 2027-01-31 or 2027-01-31T12:00:00Z".to_owned())
}

/// A token to create.
struct Wanted {
    name: String,
    scopes: Scopes,
    expires_at: Option<DateTime<Utc>>,
    /// The login of the owner.
    user: Option<String>,
}

async fn create(
    store: &Store,
    tokens: &Tokens,
    wanted: Wanted,
    as_json: bool,
) -> Result<(), Failure> {
    let (actor, client) = (Actor::command(), Client::default());
    let Wanted { name, scopes, expires_at, user } = wanted;
    let mut warning = None;
    let owner = match user {
        None => None,
        Some(login) => {
            let users = people::users(store, Arc::new(Hashing::new(Arc::new(SystemEntropy))));
            let owner = users.show_login(&actor, &login).await?;
            warning = vain(&owner, &owner.lacks(scopes));
            Some(owner.id)
        }
    };
    let wanted = WantedToken { name, owner, scopes, expires_at };
    let created = tokens.create(&actor, &wanted, &client).await?;
    let secret = created.secret.expose_secret();
    if as_json {
        let token = json!({
            "id": created.token.public_id,
            "name": created.token.name,
            "user_id": created.token.owner.map(UserId::number),
            "scopes": names(created.token.scopes.iter()),
            "expires_at": created.token.expires_at,
            "token": secret,
        });
        print(&token.to_string());
    } else {
        print(secret);
        crate::best_effort::complain(
            "This token is shown only once. Waggle stores a hash of it, and cannot show it again.",
        );
    }
    if let Some(warning) = warning {
        crate::best_effort::complain(&warning);
    }
    Ok(())
}

pub(super) async fn run(
    config: &Config,
    arguments: Arguments,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let store = open_existing(config).await?;
    let tokens = people::tokens(&store);
    let (actor, client) = (Actor::command(), Client::default());
    match arguments.command {
        Command::Create { name, scopes, expires: expires_at, user } => {
            let wanted = Wanted { name, scopes: scopes.into_iter().collect(), expires_at, user };
            create(&store, &tokens, wanted, as_json).await?;
        }
        Command::List => {
            let list = tokens.list(&actor).await?;
            if as_json {
                let list: Vec<_> = list
                    .iter()
                    .map(|owned| {
                        let OwnedToken { token, owner } = owned;
                        json!({
                            "id": token.public_id,
                            "name": token.name,
                            "user_id": token.owner.map(UserId::number),
                            "username": owner.as_ref().map(|owner| owner.username.as_str()),
                            "scopes": names(token.scopes.iter()),
                            "unusable_scopes": names(owned.unusable_scopes()),
                            "created_at": token.created_at,
                            "expires_at": token.expires_at,
                            "revoked_at": token.revoked_at,
                            "last_used_at": token.last_used_at,
                        })
                    })
                    .collect();
                print(&json!({ "tokens": list }).to_string());
            } else if list.is_empty() {
                print(
                    "There are no tokens. Create one: waggle tokens create --name n8n --scope \
                     ingest",
                );
            } else {
                for owned in list {
                    let unusable = owned.unusable_scopes();
                    let OwnedToken { token, owner } = owned;
                    let state = if token.is_live(SystemClock.now()) { "live" } else { "ended" };
                    let used = token
                        .last_used_at
                        .map_or_else(|| "never".to_owned(), |time| time.to_rfc3339());
                    let name = owner.as_ref().map_or("the operator", |one| one.username.as_str());
                    print(&format!(
                        "wgl_{}  {state:5}  {:20}  {name:16}  {}  last used: {used}",
                        token.public_id,
                        token.name,
                        names(token.scopes.iter()).join(",")
                    ));
                    let owner = owner.filter(|_| token.is_live(SystemClock.now()));
                    if let Some(warning) = owner.and_then(|owner| vain(&owner, &unusable)) {
                        print(&format!("    {warning}"));
                    }
                }
            }
        }
        Command::Revoke { id } => {
            tokens.revoke(&actor, &id, &client).await?;
            if as_json {
                print(&json!({ "revoked": id }).to_string());
            } else {
                print("The token is revoked.");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn names(scopes: impl IntoIterator<Item = Scope>) -> Vec<&'static str> {
    scopes.into_iter().map(Scope::name).collect()
}

/// The warning about scopes that a token has, but the role of its owner does not allow.
fn vain(owner: &User, scopes: &[Scope]) -> Option<String> {
    let (name, role) = (&owner.username, owner.effective_role());
    let scopes = names(scopes.iter().copied()).join(", ");
    let warning =
        format!("Warning: {name} has the role {role}, so these scopes have no effect: {scopes}");
    (!scopes.is_empty()).then_some(warning)
}
