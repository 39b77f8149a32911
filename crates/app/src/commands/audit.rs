//! `waggle audit`: verifies the record of all events.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use waggle_audit::ports::HeadSigner as _;
use waggle_audit::{ExtendChain, VerifyAudit};

use super::database::open_existing;
use super::output::{Failure, print};
use crate::config::Config;
use crate::live::head_signer::MasterHeadSigner;
use crate::wiring;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check that no event was changed, removed or added, and that the end of the chain is the one
    /// that was signed. The exit status is 1 if anything is wrong.
    Verify,
    /// Print the public key that verifies the signatures.
    Key,
}

pub(super) async fn run(
    config: &Config,
    arguments: Arguments,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let store = open_existing(config).await?;
    let settings = Arc::new(wiring::settings(&store, config, Arc::new(())).await?);
    let signer = MasterHeadSigner { settings };
    match arguments.command {
        Command::Verify => verify(&store, signer, as_json).await,
        Command::Key => {
            let key = signer.public_key()?;
            print(&if as_json { json!({ "key": key }).to_string() } else { key });
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn verify(
    store: &waggle_store::Store,
    signer: MasterHeadSigner,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let log = store.ports().events;
    ExtendChain { log: Arc::clone(&log) }.catch_up().await?;
    let report = VerifyAudit { log, signer: Arc::new(signer) }.verify().await?;
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    let is_intact = faults.is_empty();
    if as_json {
        print(
            &json!({
                "intact": is_intact,
                "events": report.events,
                "end": report.end,
                "signed_to": report.signed_to,
                "heads": report.heads,
                "faults": faults,
                "all_faults": report.all_faults,
            })
            .to_string(),
        );
    } else {
        for fault in &faults {
            print(fault);
        }
        if report.all_faults > u64::try_from(faults.len()).unwrap_or(u64::MAX) {
            print(&format!("... and more: {} faults", report.all_faults));
        }
        let verdict = if is_intact { "intact" } else { "NOT intact" };
        print(&format!(
            "The record is {verdict}: {} events, signed up to event {} by {} signatures.",
            report.events, report.signed_to, report.heads
        ));
    }
    Ok(if is_intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
