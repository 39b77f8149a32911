//! Networks, mail addresses, and the names of domains and hosts.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;
use waggle_kernel::{is_hidden, is_plain_local_part};

use super::list::{Item, List};
use crate::kind::{Kind, SettingType};

/// A network in CIDR notation. A single address is a network of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Item for Network {
    const NAME: &'static str = "networks (CIDR)";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map(Self)
            .map_err(|_| format!("contains '{text}', which is not a network such as 10.0.0.0/8"))
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }
}

impl List<Network> {
    /// Whether one of the networks contains `address`. An IPv4 address inside IPv6 is treated as
    /// IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.0.contains(&address))
    }
}

/// A mail address without a display name, such as `someone@example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The address, with its domain in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Item for Address {
    const NAME: &'static str = "mail addresses";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("contains '{text}', which is not a mail address such as someone@example.com")
        };
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        let domain = mail_domain(domain).filter(|domain| domain.contains('.')).ok_or_else(wrong)?;
        let address = format!("{local}@{domain}");
        // The maximum length of an address (RFC 5321, section 4.5.3.1.3).
        if !is_plain_local_part(local) || address.len() > 254 {
            Err(wrong())
        } else {
            Ok(Self(address))
        }
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}

/// A mail address with or without a display name, such as `Waggle <waggle@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// The address, with the display name if there is one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingType for Email {
    const KIND: Kind = Kind::Email;

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.chars().any(is_hidden) {
            return Err("contains a line break or a hidden character".to_owned());
        }
        let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, address)) => (name.trim(), address.trim()),
            None => ("", text),
        };
        let expected =
            || "must be a mail address, with or without a display name before it".to_owned();
        let (local, domain) = address.rsplit_once('@').ok_or_else(expected)?;
        let domain = mail_domain(domain).ok_or_else(expected)?;
        if !is_plain_local_part(local) {
            return Err(expected());
        }
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).map_or_else(
            || name.to_owned(),
            |name| name.replace("\\\"", "\"").replace("\\\\", "\\"),
        );
        if name.is_empty() {
            return Ok(Self(format!("{local}@{domain}")));
        }
        // A name that contains a comma or an at sign must be quoted (RFC 5322, section 3.2.4).
        let is_plain =
            |c: char| c.is_alphanumeric() || c == ' ' || "!#$%&'*+-/=?^_`{|}~".contains(c);
        Ok(Self(if name.chars().all(is_plain) {
            format!("{name} <{local}@{domain}>")
        } else {
            let name = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{name}\" <{local}@{domain}>")
        }))
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}

/// A domain name, in ASCII and lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `name` is a valid host name: letters, digits, hyphens and underscores between single
/// dots.
pub(super) fn is_host_name(name: &str) -> bool {
    name.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    })
}

/// The domain name as mail servers accept it, in ASCII and lower case.
fn mail_domain(text: &str) -> Option<String> {
    match Host::parse(text) {
        Ok(Host::Domain(name)) if is_host_name(&name) && !name.contains('_') => Some(name),
        _ => None,
    }
}

impl Item for Domain {
    const NAME: &'static str = "domains";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "contains '{text}', which is not a domain such as example.com; list each \
                 subdomain separately"
            )
        };
        let name = mail_domain(text).filter(|name| name.contains('.'));
        name.map(Self).ok_or_else(wrong)
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}

/// A host name, in ASCII and lower case. A leading `.` or `*.` stands for its subdomains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl HostName {
    /// Whether the host is the machine that Waggle runs on.
    pub fn is_this_machine(&self) -> bool {
        match Host::parse(&self.0) {
            Ok(Host::Domain(name)) => name == "localhost",
            Ok(Host::Ipv4(address)) => address.is_loopback(),
            Ok(Host::Ipv6(address)) => address.is_loopback(),
            Err(_) => false,
        }
    }

    /// Whether a request to `name` is a request to this host. A leading dot matches all subdomains.
    pub fn is_called(&self, name: &str) -> bool {
        match self.0.strip_prefix('.') {
            Some(parent) => name.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')),
            None => self.0 == name,
        }
    }
}

impl Item for HostName {
    const NAME: &'static str = "host names";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Err(
                "contains '*', which would match any name: leave the list empty to allow any name"
                    .to_owned(),
            );
        }
        let name = text.trim_start_matches("*.").trim_start_matches('.');
        if name.contains('*') {
            return Err(format!("contains '{text}'; a '*' is allowed only at the beginning"));
        }
        let lead = if name.len() < text.len() { "." } else { "" };
        let wrong = || format!("contains '{text}', which is not a host name");
        match Host::parse(name) {
            Ok(Host::Domain(name)) => {
                // A trailing dot marks a complete name; requests are compared without it.
                let name = name.trim_end_matches('.');
                if is_host_name(name) { Ok(Self(format!("{lead}{name}"))) } else { Err(wrong()) }
            }
            Ok(host) => Ok(Self(format!("{lead}{host}"))),
            Err(_) => Err(wrong()),
        }
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}

impl SettingType for HostName {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        match Host::parse(text.trim()) {
            Ok(Host::Domain(name)) if !is_host_name(name.trim_end_matches('.')) => {
                Err("must be the name or the address of a server".to_owned())
            }
            Ok(host) => Ok(Self(host.to_string())),
            Err(_) => Err("must be the name or the address of a server".to_owned()),
        }
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken<T: SettingType>(text: &str) -> Option<String> {
        T::parse(text).ok().map(|value| value.encode())
    }

    #[test]
    fn host_names_are_normalized_and_invalid_ones_rejected() {
        for (text, name) in [
            ("Example.com.", "[\"example.com\"]"),
            ("waggle_app", "[\"waggle_app\"]"),
            ("*.example.com.", "[\".example.com\"]"),
            ("bücher.example", "[\"xn--bcher-kva.example\"]"),
            ("[\"[::1]\"]", "[\"[::1]\"]"),
        ] {
            assert_eq!(taken::<List<HostName>>(text).as_deref(), Some(name), "{text}");
        }
        for text in ["a..b", "-a.example", "a*b.com", "*", "a.*.b", &"a".repeat(64)] {
            assert_eq!(taken::<List<HostName>>(text), None, "{text}");
        }
    }

    #[test]
    fn domains_must_be_possible_in_mail_addresses() {
        for text in
            ["*.example.com", ".example.com", "a*b.com", "exa_mple.com", "example.com.", "x"]
        {
            assert_eq!(taken::<List<Domain>>(text), None, "{text}");
        }
        assert_eq!(taken::<List<Domain>>("Example.COM").as_deref(), Some("[\"example.com\"]"));
    }

    #[test]
    fn mail_addresses_must_have_a_valid_domain() {
        for text in ["a@b..c", "a@-b.c", "a@*.com", "a@b_c.com", "a b@c.example", "a@b.example."] {
            assert_eq!(taken::<Email>(text), None, "{text}");
            assert_eq!(taken::<List<Address>>(text), None, "{text}");
        }
        assert_eq!(taken::<List<Address>>("ops@localhost"), None);
        assert_eq!(taken::<Email>("waggle@localhost").as_deref(), Some("waggle@localhost"));
        assert_eq!(
            taken::<List<Address>>("root@Bücher.example").as_deref(),
            Some("[\"root@xn--bcher-kva.example\"]")
        );
    }
}
