//! `waggle migrate`: applies the migrations of the database, or shows their status.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use waggle_store::{Mode, Store};

use super::database::open;
use super::output::{Failure, print};
use crate::config::Config;

#[derive(Args)]
pub(super) struct Arguments {
    /// Record missing migrations as applied without running them, for a schema that already exists.
    #[arg(long)]
    fake: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// List all migrations, and whether they are applied.
    Status,
}

pub(super) async fn run(
    config: &Config,
    arguments: Arguments,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    if let Some(Command::Status) = arguments.command {
        let steps = Store::migration_status_at(&config.database_url).await?;
        if as_json {
            let steps: Vec<_> = steps
                .iter()
                .map(|step| json!({ "name": step.name, "applied": step.applied }))
                .collect();
            print(&json!({ "migrations": steps }).to_string());
        } else {
            for step in &steps {
                print(&format!("[{}] {}", if step.applied { 'x' } else { ' ' }, step.name));
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let store = open(config).await?;
    let mode = if arguments.fake { Mode::Fake } else { Mode::Run };
    let steps = store.migrate(mode).await?;
    let done = if arguments.fake { "recorded as applied" } else { "applied" };
    if as_json {
        print(&json!({ done.replace(' ', "_"): steps }).to_string());
    } else if steps.is_empty() {
        print("Nothing to do: the database is up to date.");
    } else {
        print(&format!("{done}: {}", steps.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}
