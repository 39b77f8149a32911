//! The network address of a client: that of the connection, or what a trusted proxy forwards.

use std::net::IpAddr;

use poem::{Addr, Request};
use waggle_accounts::Client;
use waggle_settings::{List, Network, Values};

use super::request_id::request_id;
use crate::use_cases::UseCases;

/// The client of a request. The user agent is left out unless the settings keep it.
pub(crate) fn client(app: &UseCases, request: &Request) -> Client {
    let values = app.settings.values();
    let is_kept = values.log_user_agents.is_on();
    let user_agent = request.header("user-agent").filter(|_| is_kept);
    Client::new(client_address(&values, request), user_agent.unwrap_or_default(), request_id())
}

/// The address of the client: that of the connection, whatever the headers contain, unless the
/// connection comes from a trusted proxy.
pub(crate) fn client_address(values: &Values, request: &Request) -> Option<IpAddr> {
    let Addr::SocketAddr(peer) = &request.remote_addr().0 else { return None };
    let forwarded = request.headers().get_all("x-forwarded-for").iter();
    // Text that a client sent must not hide what the proxy appended to it.
    let lines: Vec<_> = forwarded.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let hops: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).collect();
    Some(behind(peer.ip().to_canonical(), &hops, &values.trusted_proxies))
}

/// The last hop that is not a trusted proxy. All hops before it can be forged.
fn behind(peer: IpAddr, hops: &[&str], proxies: &List<Network>) -> IpAddr {
    let mut known = peer;
    for hop in hops.iter().rev() {
        if !proxies.contains(known) {
            break;
        }
        let Some(next) = address(hop.trim()) else { break };
        known = next;
    }
    known
}

/// Parses an address, with or without a port, in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let ip = bare.unwrap_or(text).parse::<IpAddr>().ok();
    ip.or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|at| at.ip()))
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use waggle_settings::SettingType as _;

    use super::*;

    fn behind_proxies(peer: &str, hops: &[&str]) -> String {
        let proxies = List::<Network>::parse("10.0.0.0/8, ::1").unwrap();
        behind(peer.parse().unwrap(), hops, &proxies).to_string()
    }

    #[test]
    fn forwarded_addresses_from_untrusted_peers_are_ignored() {
        assert_eq!(behind_proxies("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(behind_proxies("203.0.113.7", &[]), "203.0.113.7");
    }

    #[test]
    fn the_last_hop_that_is_not_a_proxy_is_the_client() {
        let hops = ["1.2.3.4", " 198.51.100.1", "10.0.0.2"];

        assert_eq!(behind_proxies("10.0.0.1", &hops), "198.51.100.1");
        assert_eq!(behind_proxies("::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(behind_proxies("10.0.0.1", &["198.51.100.1:8080"]), "198.51.100.1");
        assert_eq!(behind_proxies("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(behind_proxies("10.0.0.1", &["198.51.100.1", "unknown"]), "10.0.0.1");
        assert_eq!(behind_proxies("10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
    }
}
