//! `waggle settings`: shows and changes settings.

mod init;
mod reference;
mod text;
mod transfer;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde_json::{Value, json};
use waggle_kernel::{Actor, Limit, PageRequest};
use waggle_settings::{
    Action, Boolean, Given, Group, Past, Revision, SettingsManager, Shown, ShownChange, Unreadable,
    Wish,
};
use waggle_store::Store;

use self::text::{is_secret, text_of_value};
use super::database::open_existing;
use super::input::{ask, standard_input};
use super::output::{Failure, print};
use crate::config::Config;
use crate::wiring::{self, people};

/// The maximum size of a value, in bytes.
const MOST: u64 = 256 * 1024;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show all settings, their values, and where the values come from.
    List {
        /// Show only this group, such as x or mail.
        #[arg(long)]
        group: Option<Group>,
    },
    /// Print the value of a setting.
    Get {
        /// The key of the setting.
        key: String,
    },
    /// Set a value. It takes effect in running servers within two seconds.
    Set {
        /// The key of the setting.
        key: String,
        /// The value; '-' reads it from standard input. A secret is never accepted on the command
        /// line, where others can see it: leave out the value, and you are asked for it.
        #[arg(allow_negative_numbers = true)]
        value: Option<String>,
    },
    /// Remove values, so that the environment or the default applies again.
    Unset {
        /// The keys of the settings.
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// Show who changed what, newest first.
    History {
        /// Show only this setting.
        key: Option<String>,
        /// The maximum number of changes, 1 to 200.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
    },
    /// Undo a change.
    Undo {
        /// The revision of the change, as shown in the history.
        revision: i64,
    },
    /// Show the settings that have no value, and ask for each one. An empty answer changes nothing.
    Init,
    /// Check whether all settings are valid.
    Check,
    /// Write all values that are set as JSON, without secrets.
    Export {
        /// The file to write; the default is standard output.
        file: Option<std::path::PathBuf>,
    },
    /// Set all values of an exported file. If one is invalid, nothing is changed.
    Import {
        /// The file to read; '-' is standard input.
        file: std::path::PathBuf,
        /// Show what would change, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Encrypt all secrets with a new master key. Servers can keep running.
    RotateKey {
        /// Remove the secrets that no key can decrypt, because their key is lost.
        #[arg(long)]
        discard_unreadable: bool,
    },
    /// Print the reference of all settings in Markdown.
    Reference,
}

pub(super) async fn run(
    config: &Config,
    arguments: Arguments,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    if matches!(arguments.command, Command::Reference) {
        print(reference::table().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let store = open_existing(config).await?;
    let settings = Arc::new(wiring::settings(&store, config, Arc::new(())).await?);
    let actor = Actor::command();
    let wrong = settings.problems().len();
    if wrong > 0 && !matches!(arguments.command, Command::Check) {
        crate::best_effort::complain(&format!(
            "waggle: {wrong} settings cannot take effect; 'waggle settings check' shows why"
        ));
    }
    match arguments.command {
        Command::List { group } => list(&settings, &actor, group, as_json)?,
        Command::Get { key } => return get(&settings, &actor, &key, as_json),
        Command::Set { key, value } => {
            let value = given(&key, value.as_deref())?;
            let revision = settings.change(&actor, &[Wish::new(&key, value)], Action::Set).await?;
            done(as_json, &key, "set", revision);
        }
        Command::Unset { keys } => {
            let wishes: Vec<Wish> = keys.iter().map(|key| Wish::new(key, Given::Nothing)).collect();
            let revision = settings.change(&actor, &wishes, Action::Unset).await?;
            for key in keys {
                done(as_json, &key, "unset", revision);
            }
        }
        Command::History { key, limit } => {
            let limit = Limit::new(limit).unwrap_or(Limit::DEFAULT);
            let page = settings.history(&actor, key.as_deref(), PageRequest::first(limit)).await?;
            history(&page.items, as_json);
        }
        Command::Undo { revision } => {
            let revision = settings.undo(&actor, Revision(revision)).await?;
            if as_json {
                print(&json!({ "done": "undone", "revision": revision.0 }).to_string());
            } else {
                print(&format!("Undone by change {}.", revision.0));
            }
        }
        Command::Init => init::run(&settings, &actor, as_json).await?,
        Command::Check => return check(&settings, as_json),
        Command::Export { file } => transfer::export(&settings, &actor, file.as_deref())?,
        Command::Import { file, dry_run } => {
            transfer::import(&settings, &actor, &file, dry_run, as_json).await?;
        }
        Command::RotateKey { discard_unreadable } => {
            rotate_key(&store, &settings, discard_unreadable, as_json).await?;
        }
        Command::Reference => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn list(
    settings: &SettingsManager,
    actor: &Actor,
    group: Option<Group>,
    as_json: bool,
) -> Result<(), Failure> {
    let shown = settings.list(actor, group)?;
    if as_json {
        let list: Vec<Value> = shown.iter().map(json_of).collect();
        print(&json!({ "settings": list }).to_string());
        return Ok(());
    }
    let mut last = None;
    for setting in &shown {
        if last.replace(setting.group()) != Some(setting.group()) {
            print(&format!("\n# {} ({})", setting.group().title(), setting.group().name()));
        }
        print(&format!("{} = {}  [{}]", setting.key, text_of(setting), setting.source.name()));
        if let Some(declaration) = setting.declaration {
            print(&format!("    {}", declaration.description));
        }
    }
    Ok(())
}

fn get(
    settings: &SettingsManager,
    actor: &Actor,
    key: &str,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let shown = settings.show(actor, key)?;
    if as_json {
        print(&json_of(&shown).to_string());
    } else if shown.is_set {
        print(&text_of(&shown));
    } else {
        crate::best_effort::complain(&format!("waggle: {key} is not set"));
    }
    Ok(if shown.is_set { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A setting as JSON.
fn json_of(shown: &Shown) -> Value {
    json!({
        "key": shown.key,
        "group": shown.group().name(),
        "type": shown.declaration.map_or("json", |declaration| declaration.kind.name()),
        "description": shown.declaration.map_or("", |declaration| declaration.description),
        "is_secret": shown.is_secret(),
        "is_set": shown.is_set,
        "value": shown.value,
        "last4": shown.last4,
        "source": shown.source.name(),
        "version": shown.version.0,
        "updated_at": shown.updated_at,
        "updated_by": shown.updated_by,
    })
}

/// The value of a setting as text.
fn text_of(shown: &Shown) -> String {
    match (&shown.value, &shown.last4) {
        _ if !shown.is_set => "(not set)".to_owned(),
        (_, Some(last4)) => format!("(secret, ends in {last4})"),
        _ if shown.is_secret() => "(secret)".to_owned(),
        (value, None) => text_of_value(value),
    }
}

/// The value from the command line, from standard input, or from an answer.
fn given(key: &str, value: Option<&str>) -> Result<Given, Failure> {
    let text: SecretString = match value {
        Some("-") => standard_input(MOST)?.into(),
        Some(_) if is_secret(key) => {
            return Err(format!(
                "{key} is a secret, and others on this machine can see command lines: leave out \
                 the value to be asked for it, or use '-' and pipe it in"
            )
            .into());
        }
        Some(text) => text.to_owned().into(),
        None => ask(&format!("{key}: "), is_secret(key))?.unwrap_or_default().into(),
    };
    if secrecy::ExposeSecret::expose_secret(&text).trim().is_empty() {
        return Err("the value is empty; use 'waggle settings unset' to remove a value".into());
    }
    Ok(Given::Text(text))
}

fn done(as_json: bool, key: &str, what: &str, revision: Revision) {
    if as_json {
        print(&json!({ "key": key, "done": what, "revision": revision.0 }).to_string());
    } else {
        print(&format!("{key} is {what}."));
    }
}

fn history(changes: &[ShownChange], as_json: bool) {
    if as_json {
        let list: Vec<Value> = changes
            .iter()
            .map(|change| {
                json!({
                    "revision": change.revision.0,
                    "key": change.key,
                    "action": change.action.name(),
                    "from": json_of_past(&change.from),
                    "to": json_of_past(&change.to),
                    "at": change.at,
                    "by": change.by,
                })
            })
            .collect();
        print(&json!({ "changes": list }).to_string());
        return;
    }
    for change in changes {
        print(&format!(
            "{}  {}  {} {}: {} -> {}  [{}]",
            change.revision.0,
            change.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            change.action.name(),
            change.key,
            text_of_past(&change.from),
            text_of_past(&change.to),
            change.by,
        ));
    }
}

fn json_of_past(past: &Past) -> Value {
    match past {
        Past::NotSet => Value::Null,
        Past::Secret => json!({ "secret": true }),
        Past::Value(value) => json!({ "value": value }),
    }
}

fn text_of_past(past: &Past) -> String {
    match past {
        Past::NotSet => "(not set)".to_owned(),
        Past::Secret => "(secret)".to_owned(),
        Past::Value(value) => text_of_value(value),
    }
}

fn check(settings: &SettingsManager, as_json: bool) -> Result<ExitCode, Failure> {
    let actor = Actor::command();
    let problems: Vec<String> = settings.problems().iter().map(ToString::to_string).collect();
    let mut remarks: Vec<String> = settings
        .unknown()
        .iter()
        .map(|key| {
            format!("the database contains '{key}', which is not a setting and has no effect")
        })
        .collect();
    let values = settings.values();
    if !values.trusted_ingest_networks.0.is_empty() {
        let remark = "TRUSTED_INGEST_NETWORKS allows requests without a token";
        remarks.push(remark.to_owned());
    }
    if values.email_use_ssl.is_some_and(Boolean::is_on) && values.email_use_tls.is_on() {
        let remark = "EMAIL_USE_SSL and EMAIL_USE_TLS are both on: EMAIL_USE_SSL takes precedence";
        remarks.push(remark.to_owned());
    }
    let oauth1 = settings.list(&actor, Some(Group::X))?.into_iter().filter(|shown| {
        shown.key.starts_with("TWITTER_API_") && shown.key != "TWITTER_API_URL"
            || shown.key.starts_with("TWITTER_ACCESS_")
    });
    let (set, missing): (Vec<Shown>, Vec<Shown>) = oauth1.partition(|shown| shown.is_set);
    if !set.is_empty() && !missing.is_empty() {
        let keys: Vec<String> = missing.into_iter().map(|shown| shown.key).collect();
        remarks.push(format!("{} is not set, which OAuth 1.0a needs for X", keys.join(" and ")));
    }
    if as_json {
        print(&json!({ "problems": problems, "remarks": remarks }).to_string());
    } else {
        for problem in &problems {
            print(&format!("error: {problem}"));
        }
        for remark in &remarks {
            print(&format!("note: {remark}"));
        }
        if problems.is_empty() {
            print("All settings are valid.");
        }
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn rotate_key(
    store: &Store,
    settings: &Arc<SettingsManager>,
    discard: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let unreadable = if discard { Unreadable::Discard } else { Unreadable::Refuse };
    let actor = Actor::command();
    let rotated = settings.rotate_key(&actor, unreadable).await?;
    let apps = people::second_factor(store, settings).reseal(&actor).await?;
    if as_json {
        let rotated = json!({
            "from": rotated.from.map(|id| id.0),
            "to": rotated.to.0,
            "secrets": rotated.secrets,
            "lost": rotated.lost,
            "totp_secrets": apps.sealed,
            "totp_secrets_lost": apps.lost,
            "revision": rotated.revision.0,
        });
        print(&rotated.to_string());
        return Ok(());
    }
    print(&format!(
        "{} secrets are now sealed with the master key {}.",
        rotated.secrets, rotated.to
    ));
    if !rotated.lost.is_empty() {
        print(&format!("Removed {}, because no key can decrypt them.", rotated.lost.join(", ")));
    }
    print(&format!("{} secrets of authenticator apps are now sealed with it, too.", apps.sealed));
    if apps.lost > 0 {
        print(&format!(
            "No key can decrypt {} others: their users need a recovery code, a passkey, or \
             'waggle users remove-second-factor'.",
            apps.lost
        ));
    }
    if let Some(from) = rotated.from.filter(|_| apps.lost == 0) {
        print(&format!(
            "The database no longer needs the master key {from}, but older backups do. Keep it as \
             long as these backups, then remove it."
        ));
    }
    Ok(())
}
