//! Texts and secrets.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use waggle_kernel::check_text;

use crate::kind::{Kind, SettingType};

/// The maximum length of a value, in characters.
pub const MOST_TEXT: usize = 8_192;

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
