//! `waggle audit`: verifies the record of all events.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use waggle_audit::ports::HeadSigner as _;
use waggle_audit::{Tip, VerifyAudit};
use waggle_kernel::ContentHash;
use waggle_system::SystemClock;

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
    Verify {
        /// An end of the chain that you know from the server's log, as POSITION:HASH. It must be in
        /// the chain.
        #[arg(long, value_name = "POSITION:HASH", value_parser = known_end)]
        head: Option<Tip>,
    },
    /// Print the public key that verifies the signatures.
    Key,
}

/// Parses `POSITION:HASH`.
fn known_end(text: &str) -> Result<Tip, String> {
    let parsed = text.split_once(':').and_then(|(position, hash)| {
        let hash: ContentHash = hash.parse().ok()?;
        Some(Tip { position: position.parse().ok()?, hash: hash.bytes() })
    });
    parsed.ok_or_else(|| "it must be a position, a colon and 64 hexadecimal digits".to_owned())
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
        Command::Verify { head } => verify(&store, signer, head, as_json).await,
        Command::Key => {
            let keys = signer.public_keys()?;
            let Some(key) = keys.first() else {
                return Err(
                    "there is no master key yet; the server makes one when it starts".into()
                );
            };
            print(&if as_json { json!({ "key": key }).to_string() } else { key.clone() });
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn verify(
    store: &waggle_store::Store,
    signer: MasterHeadSigner,
    known: Option<Tip>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let (log, clock) = (store.ports().events, Arc::new(SystemClock));
    let report = VerifyAudit { log, signer: Arc::new(signer), clock }.verify(known).await?;
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
