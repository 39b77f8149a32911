//! Waggle: n8n and AI agents draft posts, people decide, Waggle publishes.

mod api;
mod app;
mod best_effort;
mod commands;
mod config;
mod connections;
mod entropy;
mod hashing;
mod http;
mod live_google;
mod live_passkeys;
mod live_settings;
mod mail_worker;
mod mailing;
mod master_keys;
mod n8n;
mod pages;
mod people;
mod policy;
mod private_file;
mod routes;
mod server_keys;
mod supervisor;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Every TLS connection of the process goes through ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    commands::run()
}
