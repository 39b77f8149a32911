//! Waggle: n8n and AI agents draft posts, people decide, Waggle publishes.

mod api;
mod best_effort;
mod checks;
mod commands;
mod config;
mod console;
mod http;
mod live;
mod metrics;
mod n8n;
mod routes;
mod use_cases;
mod wiring;
mod workers;

use std::process::ExitCode;

fn main() -> ExitCode {
    // All TLS connections of the process use ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    commands::run()
}
