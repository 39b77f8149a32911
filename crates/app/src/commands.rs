//! The command line.

mod audit;
mod backup;
mod database;
mod demo;
mod input;
mod migrate;
mod output;
mod serve;
mod settings;
mod setup_link;
mod super_admins;
mod tokens;
mod users;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use waggle_kernel::error_chain;

use self::output::{Failure, print};
use crate::best_effort::{BestEffort, complain};
use crate::config::{Config, LogFormat, check_names};
use crate::routes;

/// n8n and AI agents draft posts, people approve them, and Waggle publishes each approved post
/// once, and provably.
#[derive(Parser)]
#[command(name = "waggle", version, arg_required_else_help = true)]
struct Arguments {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server and its workers.
    Serve,
    /// Apply the migrations of the database, or show their status.
    Migrate(migrate::Arguments),
    /// Create, list and revoke API tokens.
    Tokens(tokens::Arguments),
    /// Print the link by which the first admin is created in the browser.
    SetupLink,
    /// Create, list and change users.
    Users(users::Arguments),
    /// Apply the list of super admins.
    SuperAdmins(super_admins::Arguments),
    /// Show and change settings.
    Settings(settings::Arguments),
    /// Verify the record of all events.
    Audit(audit::Arguments),
    /// Copy the SQLite database into a new file, while the server may run.
    Backup(backup::Arguments),
    /// Put a backup in the place of the SQLite database, while no server runs. Nothing goes out by
    /// itself afterwards: queued posts wait for a person, and are listed.
    Restore(backup::Arguments),
    /// Do the same after the database was restored with other tools, such as `pg_restore`.
    Restored,
    /// Print the document of the HTTP API (OpenAPI 3.1).
    Openapi,
    /// Run the main workflow over HTTP on a separate server, and print the result of each step.
    Demo,
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    match start(arguments) {
        Ok(code) => code,
        Err(failure) => {
            let text = error_chain(failure.as_ref());
            if json {
                complain(&serde_json::json!({ "error": text }).to_string());
            } else {
                complain(&format!("waggle: {text}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> Result<ExitCode, Failure> {
    check_names(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
    let config = Config::read(|name| std::env::var_os(name))?;
    begin_log(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Serve => serve::run(&config).await.map(|()| ExitCode::SUCCESS),
            Command::Migrate(command) => migrate::run(&config, command, arguments.json).await,
            Command::Tokens(command) => tokens::run(&config, command, arguments.json).await,
            Command::SetupLink => setup_link::run(&config, arguments.json).await,
            Command::SuperAdmins(command) => {
                super_admins::run(&config, command, arguments.json).await
            }
            Command::Users(command) => users::run(&config, command, arguments.json).await,
            Command::Settings(command) => settings::run(&config, command, arguments.json).await,
            Command::Audit(command) => audit::run(&config, command, arguments.json).await,
            Command::Backup(command) => backup::back_up(&config, command, arguments.json).await,
            Command::Restore(command) => backup::restore(&config, command, arguments.json).await,
            Command::Restored => backup::restored(&config, arguments.json).await,
            Command::Openapi => {
                print(&format!("{:#}", routes::api_document()));
                Ok(ExitCode::SUCCESS)
            }
            Command::Demo => demo::run(&config).await,
        }
    })
}

/// The number of worker threads. Short SQLite queries run on the threads that serve requests. On
/// machines with few cores, more threads than cores keep one query from delaying the requests
/// behind it.
fn workers() -> usize {
    const LEAST: usize = 4;
    std::thread::available_parallelism().map_or(LEAST, |cores| cores.get().max(LEAST))
}

/// Starts the log. Log lines go to standard error; standard output is for results.
fn begin_log(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| format!("log (WAGGLE_LOG) is invalid: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(BestEffort::default)
        .log_internal_errors(false);
    match config.log_format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colours).init();
        }
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
