//! `waggle settings`: what an operator tunes.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use waggle_kernel::Actor;

use super::{Failure, open_current, print};
use crate::app;
use crate::config::Config;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show every setting, its value, and where that comes from.
    List,
    /// Set a value in the database. The server takes most of them up when it starts the next time.
    Set {
        /// The name of the setting.
        name: String,
        /// Its value.
        value: String,
    },
    /// Remove a value from the database, back to the environment or the default.
    Unset {
        /// The name of the setting.
        name: String,
    },
}

pub(super) async fn run(
    config: &Config,
    arguments: Arguments,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let settings = app::settings(&open_current(config).await?);
    let actor = Actor::system();
    match arguments.command {
        Command::List => {
            let shown = settings.list(&actor).await?;
            if as_json {
                let list: Vec<_> = shown
                    .iter()
                    .map(|setting| {
                        json!({
                            "name": setting.name,
                            "value": setting.value,
                            "source": setting.source.name(),
                            "description": setting.description,
                        })
                    })
                    .collect();
                print(&json!({ "settings": list }).to_string());
            } else {
                for setting in shown {
                    let value = setting.value.as_deref().unwrap_or("(not set)");
                    print(&format!("{} = {value}  [{}]", setting.name, setting.source.name()));
                    print(&format!("    {}", setting.description));
                }
            }
        }
        Command::Set { name, value } => {
            settings.set(&actor, &name, &value).await?;
            done(as_json, &name, "set");
        }
        Command::Unset { name } => {
            settings.set(&actor, &name, "").await?;
            done(as_json, &name, "unset");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn done(as_json: bool, name: &str, what: &str) {
    if as_json {
        print(&json!({ "name": name, "done": what }).to_string());
    } else {
        print(&format!("{name} is {what}."));
    }
}
