//! The types of setting values.

use std::net::IpAddr;

use chrono::Duration;
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::{Host, Url};
use waggle_kernel::{check_text, is_hidden, is_plain_local_part};

use crate::kind::{Kind, SettingType};

/// The maximum length of a value, in characters.
pub const MOST_TEXT: usize = 8_192;
/// The maximum number of items in a list.
pub const MOST_ITEMS: usize = 500;

/// A text of one or more lines, without white space around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl SettingType for Text {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        check_text(text, MOST_TEXT).map_err(|problem| problem.to_string())?;
        Ok(Self(text.to_owned()))
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}

/// A text that is stored encrypted and never shown. Line breaks at its end, which come from files,
/// are removed.
///
/// It does not implement [`Display`](std::fmt::Display), so it cannot be printed by accident:
///
/// ```compile_fail,E0277
/// let secret: waggle_settings::Secret = waggle_settings::SettingType::parse("hush").unwrap();
/// println!("{secret}");
/// ```
///
/// ```
/// let secret: waggle_settings::Secret = waggle_settings::SettingType::parse("hush").unwrap();
/// assert!(!format!("{secret:?}").contains("hush"));
/// ```
#[derive(Debug, Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Exposes the text to the code that needs it.
    pub fn text(&self) -> &SecretString {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl SettingType for Secret {
    const KIND: Kind = Kind::Secret;

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches(['\r', '\n']);
        check_text(text, MOST_TEXT).map_err(|problem| problem.to_string())?;
        if text.chars().any(char::is_control) {
            return Err("contains a control character".to_owned());
        }
        Ok(Self(text.into()))
    }

    fn encode(&self) -> String {
        self.0.expose_secret().to_owned()
    }

    fn json(&self) -> Value {
        Value::Null
    }
}

/// An integer from `LEAST` to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer<const LEAST: i64, const MOST: i64>(i64);

impl<const LEAST: i64, const MOST: i64> Integer<LEAST, MOST> {
    /// The number.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The number as a `usize`, or 0 if it is out of range.
    pub fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or_default()
    }
}

impl<const LEAST: i64, const MOST: i64> SettingType for Integer<LEAST, MOST> {
    const KIND: Kind = Kind::Integer { least: LEAST, most: MOST };

    fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().parse().ok().filter(|number| (LEAST..=MOST).contains(number));
        number.map(Self).ok_or_else(|| format!("must be a whole number from {LEAST} to {MOST}"))
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn json(&self) -> Value {
        self.0.into()
    }
}

/// A decimal number. Its bounds are given in thousandths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimal<const LEAST: i32, const MOST: i32>(f64);

impl<const LEAST: i32, const MOST: i32> Decimal<LEAST, MOST> {
    const BOUNDS: (f64, f64) = (LEAST as f64 / 1000.0, MOST as f64 / 1000.0);

    /// The number.
    pub const fn number(self) -> f64 {
        self.0
    }
}

impl<const LEAST: i32, const MOST: i32> SettingType for Decimal<LEAST, MOST> {
    const KIND: Kind = Kind::Decimal { least: Self::BOUNDS.0, most: Self::BOUNDS.1 };

    fn parse(text: &str) -> Result<Self, String> {
        let (least, most) = Self::BOUNDS;
        let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
        number.map(Self).ok_or_else(|| format!("must be a number from {least} to {most}"))
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn json(&self) -> Value {
        self.0.into()
    }
}

/// True or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boolean(bool);

impl Boolean {
    /// Whether it is on.
    pub const fn is_on(self) -> bool {
        self.0
    }
}

impl SettingType for Boolean {
    const KIND: Kind = Kind::Boolean;

    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(Self(true)),
            "false" | "no" | "off" | "0" => Ok(Self(false)),
            _ => Err("must be true or false (or yes, no, on, off, 1, 0)".to_owned()),
        }
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn json(&self) -> Value {
        self.0.into()
    }
}

/// A duration from `LEAST` to `MOST` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds<const LEAST: i64, const MOST: i64>(i64);

impl<const LEAST: i64, const MOST: i64> Seconds<LEAST, MOST> {
    /// Converts the value to a [`Duration`].
    pub fn duration(self) -> Duration {
        Duration::seconds(self.0)
    }
}

impl<const LEAST: i64, const MOST: i64> SettingType for Seconds<LEAST, MOST> {
    const KIND: Kind = Kind::Duration { least: LEAST, most: MOST };

    fn parse(text: &str) -> Result<Self, String> {
        seconds(text.trim())
            .filter(|seconds| (LEAST..=MOST).contains(seconds))
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "must be a duration from {LEAST} to {MOST} seconds, such as 90, 90s, 15m, 6h, \
                     2d or 1h30m"
                )
            })
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn json(&self) -> Value {
        self.0.into()
    }
}

/// Parses `90`, `90s` or `1h30m`.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(seconds.into());
    }
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let unit = tail.chars().next()?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let number = i64::from(number.parse::<u32>().ok()?);
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = tail.get(unit.len_utf8()..)?;
    }
    (!text.is_empty()).then_some(total)
}

/// The items of a [`List`].
pub trait Item: Sized {
    /// The plural name of the items, as shown to people.
    const NAME: &'static str;

    /// Parses an item. The text is not empty and has no white space around it.
    ///
    /// # Errors
    ///
    /// What is expected.
    fn parse(text: &str) -> Result<Self, String>;

    /// The text from which [`parse`](Item::parse) reads the same item.
    fn encode(&self) -> String;
}

/// A list: a JSON array of strings, or items separated by commas or line breaks. `[]` is the empty
/// list, while a blank text is no value at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: Item> SettingType for List<T> {
    const KIND: Kind = Kind::List { of: T::NAME };

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let parts: Vec<String> = if text.starts_with('[') {
            let Ok(Value::Array(items)) = serde_json::from_str(text) else {
                return Err("begins like a JSON array, but is not valid JSON".to_owned());
            };
            items
                .into_iter()
                .map(|item| match item {
                    Value::String(item) => Ok(item),
                    _ => Err("must be an array of strings".to_owned()),
                })
                .collect::<Result<_, _>>()?
        } else {
            text.split([',', '\n']).map(str::to_owned).collect()
        };
        if parts.len() > MOST_ITEMS {
            return Err(format!("has more than {MOST_ITEMS} items"));
        }
        let items: Vec<&str> =
            parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        // A text of commas alone is a mistake, and must not override a value in the environment.
        if items.is_empty() && !parts.is_empty() {
            return Err("is empty; write [] for the empty list".to_owned());
        }
        items.into_iter().map(T::parse).collect::<Result<_, _>>().map(Self)
    }

    fn encode(&self) -> String {
        self.json().to_string()
    }

    fn json(&self) -> Value {
        self.0.iter().map(Item::encode).collect()
    }
}

impl Item for Text {
    const NAME: &'static str = "texts";

    fn parse(text: &str) -> Result<Self, String> {
        <Self as SettingType>::parse(text)
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}

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
fn is_host_name(name: &str) -> bool {
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

/// The name of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleName(String);

impl RoleName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingType for RoleName {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        let name = text.trim().to_ascii_lowercase();
        let is_role = ["viewer", "editor", "approver", "admin"].contains(&name.as_str());
        is_role
            .then_some(Self(name))
            .ok_or_else(|| "must be viewer, editor, approver or admin".to_owned())
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}

/// The names that the setting `LIMITS` accepts.
pub const LIMIT_NAMES: &[&str] = &[
    "register.client",
    "reset.client",
    "address.user",
    "google.client",
    "mail.pause",
    "mail.address",
    "mail.system",
    "code.address",
    "code.client",
    "link.client",
    "code.system",
    "mail.breach",
    "mail.locked",
    "factor.user",
    "factor.client",
    "factor.change",
    "token.user",
];

/// The limit of a named action: `register.client=20/3600`, with the period in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRule {
    /// One of [`LIMIT_NAMES`].
    pub name: String,
    /// How many times the action is allowed per period.
    pub most: u32,
    /// The length of the period, in seconds.
    pub seconds: u32,
}

impl Item for LimitRule {
    const NAME: &'static str = "limits (name=count/seconds)";

    fn parse(text: &str) -> Result<Self, String> {
        let parts = || {
            let (name, rest) = text.split_once('=')?;
            let (most, seconds) = rest.split_once('/')?;
            let (most, seconds) = (most.trim().parse().ok()?, seconds.trim().parse().ok()?);
            let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'-'));
            let is_sane =
                is_name && !name.is_empty() && (1..=31_536_000).contains(&seconds) && most > 0;
            is_sane.then(|| Self { name: name.to_owned(), most, seconds })
        };
        let rule = parts().ok_or_else(|| {
            format!("contains '{text}', which is not a limit such as register.client=20/3600")
        })?;
        if LIMIT_NAMES.contains(&rule.name.as_str()) {
            return Ok(rule);
        }
        let known = LIMIT_NAMES.join(", ");
        Err(format!("contains the unknown limit '{}'; the limits are {known}", rule.name))
    }

    fn encode(&self) -> String {
        format!("{}={}/{}", self.name, self.most, self.seconds)
    }
}

/// The URL of a server, over HTTPS, without a user name or password. HTTP is accepted only for this
/// machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The URL.
    pub const fn url(&self) -> &Url {
        &self.0
    }
}

impl SettingType for BaseUrl {
    const KIND: Kind = Kind::Url;

    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim())
            .map_err(|_| "is not a URL such as https://waggle.example.com".to_owned())?;
        let is_this_machine = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_this_machine) {
            return Err(
                "must be a URL that begins with https:// (http:// is accepted only for this \
                 machine)"
                    .to_owned(),
            );
        }
        if url.host_str().is_some_and(|name| url.domain().is_some() && !is_host_name(name)) {
            return Err("has an invalid host; use a name such as waggle.example.com".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user name or a password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not contain a query or a fragment".to_owned());
        }
        Ok(Self(url))
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }
}

/// The base URL of the X API: a [`BaseUrl`] without the API version, which Waggle appends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl(BaseUrl);

impl ApiUrl {
    /// The URL.
    pub const fn url(&self) -> &Url {
        self.0.url()
    }
}

impl SettingType for ApiUrl {
    const KIND: Kind = Kind::Url;

    fn parse(text: &str) -> Result<Self, String> {
        let base = BaseUrl::parse(text)?;
        let mut parts = base.url().path_segments().into_iter().flatten();
        if parts.any(|part| matches!(part, "2" | "1.1" | "tweets")) {
            let site = base.url().origin().ascii_serialization();
            return Err(format!("must not contain the API version: use {site}"));
        }
        Ok(Self(base))
    }

    fn encode(&self) -> String {
        self.0.encode()
    }
}

/// The URL of a website: a [`BaseUrl`] without a path, because Waggle is at the root of its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteUrl(BaseUrl);

impl SiteUrl {
    /// The URL.
    pub const fn url(&self) -> &Url {
        self.0.url()
    }
}

impl SettingType for SiteUrl {
    const KIND: Kind = Kind::Url;

    fn parse(text: &str) -> Result<Self, String> {
        let base = BaseUrl::parse(text)?;
        if base.url().path() != "/" {
            let site = base.url().origin().ascii_serialization();
            return Err(format!(
                "must not have a path, because Waggle is at the root of its host: use {site}"
            ));
        }
        Ok(Self(base))
    }

    fn encode(&self) -> String {
        self.0.encode()
    }
}

/// When Waggle looks for a post on X whose outcome is unknown. The value is JSON. Each of the three
/// durations may be longer than what is known to be safe, but not shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoubtSeconds {
    /// The time from an attempt to the first look for its post.
    pub first_look_after: Duration,
    /// The time from a look that did not find the post to the second look.
    pub second_look_after: Duration,
    /// The time after the attempt during which a post that was not found may be sent again without
    /// asking a person.
    pub resend_within: Duration,
}

impl DoubtSeconds {
    /// Each member with its minimum in seconds. The maximum is one hour.
    const MEMBERS: [(&'static str, i64); 3] =
        [("first_look_after", 20), ("second_look_after", 120), ("resend_within", 600)];
    const MOST: i64 = 3_600;

    fn schema() -> Value {
        let properties: Map<String, Value> = Self::MEMBERS
            .iter()
            .map(|&(name, least)| {
                let range = json!({ "type": "integer", "minimum": least, "maximum": Self::MOST });
                (name.to_owned(), range)
            })
            .collect();
        let required: Vec<&str> = Self::MEMBERS.iter().map(|&(name, _)| name).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

impl SettingType for DoubtSeconds {
    const KIND: Kind = Kind::Json { schema: Self::schema };

    fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            let members = Self::MEMBERS.map(|(name, least)| format!("\"{name}\": {least}"));
            format!(
                "must be a JSON object such as {{{}}}, with at least these values and at most {}, \
                 in seconds",
                members.join(", "),
                Self::MOST
            )
        };
        let Ok(Value::Object(object)) = serde_json::from_str(text) else { return Err(expected()) };
        if object.len() != Self::MEMBERS.len() {
            return Err(expected());
        }
        let member = |(name, least)| {
            object
                .get(name)
                .and_then(Value::as_i64)
                .filter(|seconds| (least..=Self::MOST).contains(seconds))
                .map(Duration::seconds)
                .ok_or_else(expected)
        };
        let [first, second, resend] = Self::MEMBERS;
        Ok(Self {
            first_look_after: member(first)?,
            second_look_after: member(second)?,
            resend_within: member(resend)?,
        })
    }

    fn encode(&self) -> String {
        self.json().to_string()
    }

    fn json(&self) -> Value {
        json!({
            "first_look_after": self.first_look_after.num_seconds(),
            "second_look_after": self.second_look_after.num_seconds(),
            "resend_within": self.resend_within.num_seconds(),
        })
    }
}

/// A fault that the sandbox simulates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultName(String);

impl FaultName {
    /// The names of all faults.
    pub const ALL: [&'static str; 10] = [
        "refuse",
        "wait",
        "channel",
        "lost-request",
        "lost-answer",
        "slow-prepare",
        "slow-request",
        "slow-answer",
        "slow-look",
        "blind",
    ];

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Item for FaultName {
    const NAME: &'static str = "faults";

    fn parse(text: &str) -> Result<Self, String> {
        if Self::ALL.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("contains '{text}', which is not one of {}", Self::ALL.join(", ")))
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

    #[test]
    fn server_urls_need_a_valid_host_and_no_api_version() {
        for text in
            ["https://example.com.", "https://*.example.com", "https://a..b", "https://-a.example"]
        {
            assert_eq!(taken::<SiteUrl>(text), None, "{text}");
            assert_eq!(taken::<ApiUrl>(text), None, "{text}");
        }
        for text in ["https://api.x.com/2", "https://api.x.com/2/tweets", "https://p.example/1.1/"]
        {
            assert!(ApiUrl::parse(text).unwrap_err().contains("version"), "{text}");
        }
        assert!(taken::<ApiUrl>("https://proxy.example/x/").is_some());
        assert!(taken::<SiteUrl>("http://[::1]:8000").is_some());
    }
}
