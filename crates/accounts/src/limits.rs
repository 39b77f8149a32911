//! The one table of what may be done how often, beside signing in.
//!
//! The numbers are in the spirit of django-allauth's `ACCOUNT_RATE_LIMITS`
//! (<https://docs.allauth.org/en/latest/account/rate_limits.html>); those of codes come from the odds of guessing one.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use sha2::{Digest as _, Sha256};

use crate::auth_event::Client;
use crate::budget::Budget;

/// Something that may be done so often in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedLimit {
    /// The name, as the settings have it.
    pub name: &'static str,
    /// How often, unless the settings say otherwise.
    pub most: u32,
    /// In how many seconds, unless the settings say otherwise.
    pub seconds: u32,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $most:literal in $seconds:literal;)+) => {
        $($(#[$doc])* pub(crate) const $name: NamedLimit =
            NamedLimit { name: $text, most: $most, seconds: $seconds };)+

        /// The whole table.
        pub const LIMITS: &[NamedLimit] = &[$($name),+];
    };
}

limits! {
    /// Registrations that one client asks for.
    REGISTER_CLIENT = "register.client": 20 in 3_600;
    /// Resets of passwords that one client asks for.
    RESET_CLIENT = "reset.client": 20 in 3_600;
    /// Changes of address that one user asks for.
    ADDRESS_USER = "address.user": 10 in 3_600;
    /// Sign-ins with Google that one client begins.
    GOOGLE_CLIENT = "google.client": 60 in 3_600;
    /// Mails with a code of one purpose to one address, one after the other.
    MAIL_PAUSE = "mail.pause": 1 in 60;
    /// Mails with a code of one purpose to one address.
    MAIL_ADDRESS = "mail.address": 5 in 3_600;
    /// Mails with a code in all.
    MAIL_SYSTEM = "mail.system": 500 in 3_600;
    /// Wrong codes for one purpose and address, over all codes; the link in the mail goes on working.
    CODE_ADDRESS = "code.address": 10 in 2_592_000;
    /// Wrong codes of one client.
    CODE_CLIENT = "code.client": 20 in 3_600;
    /// Wrong links of one client.
    LINK_CLIENT = "link.client": 20 in 3_600;
    /// Wrong codes in all.
    CODE_SYSTEM = "code.system": 100 in 3_600;
    /// Mails to those who look after security about attempts from foreign domains; all attempts are written down.
    BREACH_MAILS = "mail.breach": 10 in 3_600;
    /// Mails to one user that signing in is blocked for a while.
    LOCKED_MAILS = "mail.locked": 3 in 86_400;
    /// Wrong codes of the authenticator app of one user: at this pace one is found in ten years by one in five who know the password. No
    /// reset of the password makes it whole: whoever reads somebody's mail would guess for ever.
    FACTOR_USER = "factor.user": 20 in 86_400;
    /// Wrong second factors of one user from one client.
    FACTOR_CLIENT = "factor.client": 60 in 3_600;
    /// Second factors and recovery codes that one user begins, sets up and removes: each is told by mail.
    FACTOR_CHANGE = "factor.change": 30 in 3_600;
    /// API tokens that one user makes.
    TOKEN_USER = "token.user": 30 in 3_600;
}

/// The table, with what the settings say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitTable {
    /// Name, how often, in how many seconds.
    pub otherwise: Vec<(String, u32, u32)>,
}

impl LimitTable {
    /// The budget of `limit` that `whose` has.
    pub fn budget(&self, limit: &NamedLimit, whose: &str) -> Budget {
        let said = self.otherwise.iter().rev().find(|(name, _, _)| name == limit.name);
        let (most, seconds) =
            said.map_or((limit.most, limit.seconds), |(_, most, seconds)| (*most, *seconds));
        Budget {
            key: format!("{}:{whose}", limit.name),
            most,
            window: Duration::seconds(seconds.into()),
        }
    }

    /// The budget of `limit` that the network of a client has; none where the client is unknown.
    pub fn of_client(&self, limit: &NamedLimit, client: &Client) -> Option<Budget> {
        client.ip.map(|ip| self.budget(limit, &network(ip)))
    }
}

/// What stands for a text in a key: the text itself may be what nobody should read there.
pub(crate) fn fingerprint(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// What counts as one client: whoever has an IPv6 address has the 2^64 beside it as well.
pub fn network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_ipv6_are_one_client() {
        let of = |text: &str| network(text.parse().unwrap());

        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.7"), of("10.0.0.7"));
    }

    #[test]
    fn the_settings_win_over_the_table_and_names_are_told_apart() {
        let table = LimitTable { otherwise: vec![("code.client".to_owned(), 3, 5)] };

        let said = table.budget(&CODE_CLIENT, "10.0.0.7");
        let unsaid = table.budget(&CODE_SYSTEM, "all");

        assert_eq!(
            (said.key.as_str(), said.most, said.window.num_seconds()),
            ("code.client:10.0.0.7", 3, 5)
        );
        assert_eq!((unsaid.most, unsaid.window.num_seconds()), (100, 3_600));
        for (index, limit) in LIMITS.iter().enumerate() {
            assert!(LIMITS[..index].iter().all(|other| other.name != limit.name));
        }
    }
}
