//! `waggle setup-link`: prints the link by which the first admin is created in the browser.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use waggle_accounts::SetupLink;
use waggle_kernel::Actor;
use waggle_settings::Values;
use waggle_system::{Hashing, SystemEntropy};

use super::database::open_existing;
use super::output::{Failure, print};
use crate::config::Config;
use crate::wiring::{self, people};

pub(super) async fn run(config: &Config, as_json: bool) -> Result<ExitCode, Failure> {
    let store = open_existing(config).await?;
    let settings = wiring::settings(&store, config, Arc::new(())).await?;
    let set_up = people::set_up(&store, Arc::new(Hashing::new(Arc::new(SystemEntropy))));
    let Some(link) = set_up.link(&Actor::command()).await? else {
        return Err("there are users already; an admin can add others with: waggle users create"
            .to_owned()
            .into());
    };
    let url = url(&settings.values(), config.listen, &link);
    if as_json {
        print(&json!({ "url": url, "expires_at": link.expires_at }).to_string());
    } else {
        print(&url);
        crate::best_effort::complain(
            "This link creates the first admin. It works once, within 24 hours, and replaces \
             earlier ones.",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The address of the page, with the token after the `#`, so that it is in no log of a server.
pub(super) fn url(values: &Values, listen: SocketAddr, link: &SetupLink) -> String {
    let page = values.public_url.as_ref().and_then(|home| home.url().join("setup").ok());
    let page = page.map_or_else(
        || {
            let mut address = listen;
            if address.ip().is_unspecified() {
                address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
            }
            format!("http://{address}/setup")
        },
        Into::into,
    );
    format!("{page}#{}", link.token.text())
}
