//! From where a request comes: the address of the connection, or what a trusted proxy says.

use std::net::IpAddr;

use poem::{Addr, Request};
use waggle_accounts::Client;
use waggle_settings::{List, Network, Values};

use super::request_id::request_id;
use crate::use_cases::UseCases;

/// From where a request comes, with what is kept of the browser's name.
pub(crate) fn client(app: &UseCases, request: &Request) -> Client {
    let values = app.settings.values();
    let is_kept = values.log_user_agents.is_on();
    let user_agent = request.header("user-agent").filter(|_| is_kept);
    Client::new(client_address(&values, request), user_agent.unwrap_or_default(), request_id())
}

/// The address that a request comes from: that of the connection, whatever headers say, unless it is that of a trusted proxy.
pub(crate) fn client_address(values: &Values, request: &Request) -> Option<IpAddr> {
    let Addr::SocketAddr(peer) = &request.remote_addr().0 else { return None };
    let forwarded = request.headers().get_all("x-forwarded-for").iter();
    // What a stranger wrote into the line must not hide what the proxy wrote behind it.
    let lines: Vec<_> = forwarded.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let hops: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).collect();
    Some(behind(peer.ip().to_canonical(), &hops, &values.trusted_proxies))
}

/// The last of those who passed a request on that is no trusted proxy: all before it could say what they like.
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

/// An address, with or without a port, in brackets or not.
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
    fn what_a_stranger_says_of_himself_does_not_count() {
        assert_eq!(behind_proxies("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(behind_proxies("203.0.113.7", &[]), "203.0.113.7");
    }

    #[test]
    fn the_last_that_is_no_proxy_counts() {
        let hops = ["1.2.3.4", " 198.51.100.1", "10.0.0.2"];

        assert_eq!(behind_proxies("10.0.0.1", &hops), "198.51.100.1");
        assert_eq!(behind_proxies("::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(behind_proxies("10.0.0.1", &["198.51.100.1:8080"]), "198.51.100.1");
        assert_eq!(behind_proxies("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(behind_proxies("10.0.0.1", &["198.51.100.1", "unknown"]), "10.0.0.1");
        assert_eq!(behind_proxies("10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
    }
}
