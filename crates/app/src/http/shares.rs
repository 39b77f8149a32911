//! Limits per network address: open connections, and bytes of bodies in progress.
//!
//! An IPv6 address counts with its /64 and with its /48, because a client that has one address
//! usually has the whole network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use waggle_accounts::network;

/// The maximum number of bytes of bodies in progress per address: a few of the largest batches.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The limit of an IPv6 /48, as a multiple of the limit of a /64.
const WIDER: usize = 4;

#[derive(Default)]
struct Share {
    connections: usize,
    bytes: usize,
}

/// Counts the connections and bytes in progress of each network address.
#[derive(Clone, Default)]
pub(crate) struct Shares {
    counts: Arc<Mutex<HashMap<String, Share>>>,
}

/// A part of a share, which is released when it is dropped.
pub(crate) struct Part {
    shares: Shares,
    networks: Vec<(String, usize)>,
    connections: usize,
    bytes: usize,
}

impl Shares {
    /// Counts a connection from `address`, which may have `most`; `None` if that is one too many.
    pub(super) fn connect(&self, address: IpAddr, most: usize) -> Option<Part> {
        let mut part = self.part(address);
        let fits = |share: &Share, times| share.connections < most.saturating_mul(times);
        if !self.take(&part.networks, fits, |share| share.connections += 1) {
            return None;
        }
        part.connections = 1;
        Some(part)
    }

    /// The part of a body from `address`, with no bytes yet.
    pub(super) fn body(&self, address: IpAddr) -> Part {
        self.part(address)
    }

    fn part(&self, address: IpAddr) -> Part {
        let mut networks = vec![(network(address), 1)];
        if let IpAddr::V6(address) = address.to_canonical() {
            let [a, b, c, ..] = address.segments();
            networks.push((format!("{a:x}:{b:x}:{c:x}::/48"), WIDER));
        }
        Part { shares: self.clone(), networks, connections: 0, bytes: 0 }
    }

    /// Changes all shares if each of them `fits`. This happens under one lock, so that two calls
    /// cannot take the same place.
    fn take(
        &self,
        networks: &[(String, usize)],
        fits: impl Fn(&Share, usize) -> bool,
        change: impl Fn(&mut Share),
    ) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = networks
            .iter()
            .all(|(network, times)| counts.get(network).is_none_or(|share| fits(share, *times)));
        if fits {
            for (network, _) in networks {
                change(counts.entry(network.clone()).or_default());
            }
        }
        fits
    }

    fn give_back(&self, networks: &[(String, usize)], change: impl Fn(&mut Share)) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (network, _) in networks {
            let Some(share) = counts.get_mut(network) else { continue };
            change(share);
            if share.connections == 0 && share.bytes == 0 {
                counts.remove(network);
            }
        }
    }
}

impl Part {
    /// Adds bytes in progress; `false` if the address has too many.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let may_have = |share: &Share, times| {
            share.bytes.saturating_add(bytes) <= MOST_BYTES.saturating_mul(times)
        };
        let fits = self.shares.take(&self.networks, may_have, |share| share.bytes += bytes);
        if fits {
            self.bytes += bytes;
        }
        fits
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let (connections, bytes) = (self.connections, self.bytes);
        self.shares.give_back(&self.networks, |share| {
            share.connections = share.connections.saturating_sub(connections);
            share.bytes = share.bytes.saturating_sub(bytes);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_cannot_exceed_its_limit_and_does_not_affect_others() {
        let shares = Shares::default();
        let held: Vec<Part> =
            (0..3).map(|_| shares.connect(address("192.0.2.1"), 3).unwrap()).collect();

        assert!(shares.connect(address("192.0.2.1"), 3).is_none());
        assert!(shares.connect(address("192.0.2.2"), 3).is_some());
        drop(held);
        assert!(shares.connect(address("192.0.2.1"), 3).is_some());
        assert!(shares.counts.lock().unwrap().is_empty(), "nothing is kept of those who left");
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_limit() {
        let shares = Shares::default();
        let mut held = Vec::new();
        for host in 0..3 {
            held.push(shares.connect(address(&format!("2001:db8::{host}")), 3).unwrap());
        }
        assert!(shares.connect(address("2001:db8::9"), 3).is_none(), "they share a /64");

        for subnet in 1..=9 {
            held.extend(shares.connect(address(&format!("2001:db8:0:{subnet}::1")), 3));
        }
        assert_eq!(held.len(), 12);
        assert!(shares.connect(address("2001:db8:0:99::1"), 3).is_none(), "they share a /48");
        assert!(shares.connect(address("2001:db8:1::1"), 3).is_some());
    }

    #[test]
    fn bodies_of_one_address_share_a_limit() {
        let shares = Shares::default();
        let (mut one, mut other) = (shares.body(address("::1")), shares.body(address("::1")));

        assert!(one.hold(MOST_BYTES - 1));
        assert!(!other.hold(2));
        drop(one);
        assert!(other.hold(2));
    }
}
