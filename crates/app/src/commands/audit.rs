//! `waggle audit`: verifies the record of all events.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use waggle_audit::ports::{EventLog, HeadSigner};
use waggle_audit::{Item, Report, Tip, Verifier, VerifyAudit, read_record};
use waggle_kernel::{Clock as _, ContentHash, PortError};
use waggle_system::{SystemClock, private_file};

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
        /// An exported record to verify, instead of the database. It needs no database, no
        /// configuration and no master key.
        file: Option<PathBuf>,
        /// The public key that the signatures of the file must have, from 'waggle audit key'.
        #[arg(long, requires = "file")]
        key: Option<String>,
        /// An end of the chain that you know from the server's log, as POSITION:HASH. It must be in
        /// the chain.
        #[arg(long, value_name = "POSITION:HASH", value_parser = known_end)]
        head: Option<Tip>,
    },
    /// Write all events with their proofs into a new file, as JSON lines, so that they can be
    /// verified on another machine. It has personal data.
    Export {
        /// The new file.
        file: PathBuf,
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
    if let Command::Verify { file: Some(file), key, head } = &arguments.command {
        return verify_file(file, key.as_deref(), *head, as_json);
    }
    let store = open_existing(config).await?;
    let settings = Arc::new(wiring::settings(&store, config, Arc::new(())).await?);
    let signer = MasterHeadSigner { settings };
    match arguments.command {
        Command::Verify { head, .. } => {
            let (log, clock) = (store.ports().events, Arc::new(SystemClock));
            let verifying = VerifyAudit { log, signer: Arc::new(signer), clock };
            Ok(show(&verifying.verify(head).await?, as_json))
        }
        Command::Export { file } => export(&*store.ports().events, &file, as_json).await,
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

/// Writes the record into a file that only its owner can read.
async fn export(log: &dyn EventLog, file: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    let cannot = |error: io::Error| format!("cannot write {}: {error}", file.display());
    let mut output = private_file::options().create_new(true).open(file).map(BufWriter::new);
    let mut events = 0_u64;
    let output =
        output.as_mut().map_err(|error| format!("cannot create {}: {error}", file.display()))?;
    let mut written = Ok(());
    let read = read_record(log, |item| {
        events += u64::from(matches!(item, Item::Event(_)));
        if written.is_ok() {
            written = writeln!(output, "{}", item.to_line());
        }
    })
    .await;
    let written = written.and_then(|()| output.flush());
    if read.is_err() || written.is_err() {
        // A part of a record is of no use, and would be in the way of the next attempt.
        let _ = std::fs::remove_file(file);
    }
    read?;
    written.map_err(cannot)?;
    if as_json {
        print(&json!({ "file": file, "events": events }).to_string());
    } else {
        print(&format!("{events} events were written to {}.", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks signatures, without a key of its own.
struct Signatures;

impl HeadSigner for Signatures {
    fn public_keys(&self) -> Result<Vec<String>, PortError> {
        Ok(Vec::new())
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, PortError> {
        Err(PortError::broken("signing", "there is no master key"))
    }

    fn is_signature(&self, public_key: &str, text: &[u8], signature: &[u8]) -> bool {
        waggle_system::is_signature(public_key, text, signature)
    }
}

/// Verifies an exported record.
fn verify_file(
    file: &Path,
    key: Option<&str>,
    known: Option<Tip>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let key = key.ok_or("say which key must have signed: --key, from 'waggle audit key'")?;
    let cannot = |error: io::Error| format!("cannot read {}: {error}", file.display());
    let input = BufReader::new(File::open(file).map_err(cannot)?);
    let keys = vec![key.to_ascii_lowercase()];
    let mut verifier = Verifier::new(&Signatures, keys, known, SystemClock.now());
    for (line, number) in input.lines().zip(1_u64..) {
        let item = Item::from_line(&line.map_err(cannot)?)
            .map_err(|error| format!("line {number} of {}: {error}", file.display()))?;
        verifier.item(&item);
    }
    Ok(show(&verifier.finish(), as_json))
}

/// Prints a report. The exit status says whether the record is intact.
fn show(report: &Report, as_json: bool) -> ExitCode {
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    let is_intact = faults.is_empty();
    if as_json {
        print(
            &json!({
                "intact": is_intact,
                "events": report.events,
                "redacted": report.redacted,
                "removed_to": report.removed_to,
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
        if report.removed_to > 0 {
            print(&format!("Events 1 to {} were removed because of their age.", report.removed_to));
        }
        if report.redacted > 0 {
            print(&format!("The personal data of {} events was redacted.", report.redacted));
        }
        let verdict = if is_intact { "intact" } else { "NOT intact" };
        print(&format!(
            "The record is {verdict}: {} events, signed up to event {} by {} signatures.",
            report.events, report.signed_to, report.heads
        ));
    }
    if is_intact { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
