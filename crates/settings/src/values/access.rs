//! Roles, time zones, and limits on what people do.

use waggle_kernel::Zone;

use super::list::Item;
use crate::kind::{Kind, SettingType};

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

impl SettingType for Zone {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|error: waggle_kernel::UnknownZone| error.to_string())
    }

    fn encode(&self) -> String {
        self.to_string()
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
    "setup.client",
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
