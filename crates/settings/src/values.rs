//! The types of values.

use std::net::IpAddr;

use chrono::Duration;
use ipnet::IpNet;

/// A list of networks in CIDR notation; a bare address is a network of one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether `address` is in one of them. An IPv4 address inside IPv6 counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads networks with commas or spaces between them.
    ///
    /// # Errors
    ///
    /// The first part that is no network.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split([',', ' ', '\n'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                part.parse::<IpNet>()
                    .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| format!("'{part}' is no network; expected is '10.0.0.0/8'"))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeSeconds(pub u32);

impl WholeSeconds {
    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::seconds(i64::from(self.0))
    }

    /// Reads 1 to 31,536,000 seconds, a year.
    ///
    /// # Errors
    ///
    /// Says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.trim()
            .parse()
            .ok()
            .filter(|seconds| (1..=31_536_000).contains(seconds))
            .map(Self)
            .ok_or_else(|| "expected is a number of seconds from 1 to 31536000".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_inside_ipv6_is_taken_for_what_it_is() {
        let networks = Networks::parse("10.0.0.0/8").unwrap();

        assert!(networks.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!networks.contains("::ffff:11.1.2.3".parse().unwrap()));
    }

    #[test]
    fn no_network_holds_nobody() {
        assert!(!Networks::default().contains("127.0.0.1".parse().unwrap()));
        assert!(Networks::parse(" , ").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,60}") {
            let _ = Networks::parse(&text);
            let _ = WholeSeconds::parse(&text);
        }
    }
}
