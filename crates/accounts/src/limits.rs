//! The table of all rate limits except those of signing in.
//!
//! The numbers follow django-allauth's `ACCOUNT_RATE_LIMITS`
//! (<https://docs.allauth.org/en/latest/account/rate_limits.html>). The limits for codes are
//! derived from the odds of guessing one.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use sha2::{Digest as _, Sha256};
use waggle_kernel::Budget;

use crate::auth_event::Client;

/// A rate limit with its default values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedLimit {
    /// The name in the settings.
    pub name: &'static str,
    /// The number of actions allowed in a window, unless the settings override it.
    pub most: u32,
    /// The length of the window in seconds, unless the settings override it.
    pub seconds: u32,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $most:literal in $seconds:literal;)+) => {
        $($(#[$doc])* pub(crate) const $name: NamedLimit =
            NamedLimit { name: $text, most: $most, seconds: $seconds };)+

        /// All rate limits of the table.
        pub const LIMITS: &[NamedLimit] = &[$($name),+];
    };
}

limits! {
    /// Registrations that one client requests.
    REGISTER_CLIENT = "register.client": 20 in 3_600;
    /// Password resets that one client requests.
    RESET_CLIENT = "reset.client": 20 in 3_600;
    /// Address changes that one user requests.
    ADDRESS_USER = "address.user": 10 in 3_600;
    /// Sign-ins with Google that one client begins.
    GOOGLE_CLIENT = "google.client": 60 in 3_600;
    /// The pause between two emails with a code for one purpose to one address.
    MAIL_PAUSE = "mail.pause": 1 in 60;
    /// Emails with a code for one purpose to one address.
    MAIL_ADDRESS = "mail.address": 5 in 3_600;
    /// Emails with a code, in total.
    MAIL_SYSTEM = "mail.system": 500 in 3_600;
    /// Wrong codes for one purpose and address, over all codes. The link in the email keeps
    /// working.
    CODE_ADDRESS = "code.address": 10 in 2_592_000;
    /// Wrong codes from one client.
    CODE_CLIENT = "code.client": 20 in 3_600;
    /// Wrong links from one client.
    LINK_CLIENT = "link.client": 20 in 3_600;
    /// Wrong codes, in total.
    CODE_SYSTEM = "code.system": 100 in 3_600;
    /// Emails to the security admins about attempts from domains that are not allowed. All attempts
    /// are recorded in the audit log.
    BREACH_MAILS = "mail.breach": 10 in 3_600;
    /// Emails to one user about a temporary sign-in lock.
    LOCKED_MAILS = "mail.locked": 3 in 86_400;
    /// Wrong authenticator app codes of one user. At this rate, an attacker who knows the password
    /// finds a valid code within ten years with a probability of one in five. A password reset does
    /// not reset this limit; otherwise an attacker who can read the user's email could keep
    /// guessing forever.
    FACTOR_USER = "factor.user": 20 in 86_400;
    /// Wrong second factors of one user from one client.
    FACTOR_CLIENT = "factor.client": 60 in 3_600;
    /// Changes of second factors and recovery codes by one user, including the start of a setup.
    /// The user is notified of changes by email.
    FACTOR_CHANGE = "factor.change": 30 in 3_600;
    /// Set-up links that one client tries.
    SETUP_CLIENT = "setup.client": 10 in 3_600;
    /// API tokens that one user creates.
    TOKEN_USER = "token.user": 30 in 3_600;
}

/// The rate limits, with the overrides of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitTable {
    /// Overrides: the name of the limit, the number of actions, and the window in seconds.
    pub otherwise: Vec<(String, u32, u32)>,
}

impl LimitTable {
    /// Returns the budget of `limit` for `whose`.
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

    /// Returns the budget of `limit` for the client's network, or `None` if the client's address is
    /// unknown.
    pub fn of_client(&self, limit: &NamedLimit, client: &Client) -> Option<Budget> {
        client.ip.map(|ip| self.budget(limit, &network(ip)))
    }
}

/// Returns the hash that replaces a text in a key, because the text itself may be confidential.
pub(crate) fn fingerprint(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// Returns the network that counts as one client. For IPv6 this is the /64, because an IPv6 client
/// usually controls all its addresses.
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
    fn addresses_of_one_ipv6_network_count_as_one_client() {
        let of = |text: &str| network(text.parse().unwrap());

        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.7"), of("10.0.0.7"));
    }

    #[test]
    fn settings_override_the_table_and_limit_names_are_unique() {
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
