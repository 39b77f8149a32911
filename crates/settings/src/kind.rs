//! The kinds of setting values, and how values are parsed from text and encoded as text.

use serde_json::Value;

/// The kind of value that a setting accepts.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text,
    /// An integer.
    Integer {
        least: i64,
        most: i64,
    },
    Decimal {
        least: f64,
        most: f64,
    },
    Boolean,
    /// A duration in whole seconds.
    Duration {
        /// The minimum, in seconds.
        least: i64,
        /// The maximum, in seconds.
        most: i64,
    },
    List {
        /// The plural name of the items, as shown to people.
        of: &'static str,
    },
    Email,
    /// The URL of a server.
    Url,
    /// JSON that matches a JSON Schema.
    Json {
        schema: fn() -> Value,
    },
    /// A text that is stored encrypted and never shown.
    Secret,
}

impl Kind {
    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer { .. } => "integer",
            Self::Decimal { .. } => "decimal",
            Self::Boolean => "boolean",
            Self::Duration { .. } => "duration",
            Self::List { .. } => "list",
            Self::Email => "email",
            Self::Url => "url",
            Self::Json { .. } => "json",
            Self::Secret => "secret",
        }
    }

    /// Whether a value may name a person, or be an address of one.
    pub(crate) const fn may_be_personal(self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::List { .. }
                | Self::Email
                | Self::Url
                | Self::Json { .. }
                | Self::Secret
        )
    }

    /// What the kind accepts, as shown to people: `integer, 1 to 200`.
    pub fn describe(self) -> String {
        match self {
            Self::Integer { least, most } => format!("integer, {least} to {most}"),
            Self::Decimal { least, most } => format!("decimal, {least} to {most}"),
            Self::Duration { least, most } => format!("duration, {least} to {most} seconds"),
            Self::List { of } => format!("list of {of}"),
            other => other.name().to_owned(),
        }
    }

    /// The JSON Schema of a value in the API.
    pub fn schema(self) -> Value {
        use serde_json::json;
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Secret => json!({ "type": "string", "writeOnly": true }),
            Self::Integer { least, most } | Self::Duration { least, most } => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Self::Decimal { least, most } => {
                json!({ "type": "number", "minimum": least, "maximum": most })
            }
            Self::Boolean => json!({ "type": "boolean" }),
            Self::List { .. } => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Email => json!({ "type": "string", "format": "email" }),
            Self::Url => json!({ "type": "string", "format": "uri" }),
            Self::Json { schema } => schema(),
        }
    }
}

/// A type of setting values.
pub trait SettingType: Sized {
    /// The kind of the values.
    const KIND: Kind;

    /// Parses a text that is not blank.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, worded to follow the key, as in `KEY is not UTF-8`.
    /// The message does not contain the text if it may be a secret.
    fn parse(text: &str) -> Result<Self, String>;

    /// The text from which [`parse`](SettingType::parse) reads the same value. It is never blank.
    fn encode(&self) -> String;

    /// The value as JSON for clients.
    fn json(&self) -> Value {
        Value::String(self.encode())
    }
}

/// The type of a setting's field in [`Values`](crate::Values): the value type itself if the setting
/// has a default, an [`Option`] of it if not.
pub trait Field: Sized {
    /// The type of the value.
    type Type: SettingType;

    /// Parses the text that is in effect.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, or that it is missing.
    fn read(text: Option<&str>) -> Result<Self, String>;
}

impl<T: SettingType> Field for T {
    type Type = T;

    fn read(text: Option<&str>) -> Result<Self, String> {
        T::parse(text.ok_or("is not set and has no default")?)
    }
}

impl<T: SettingType> Field for Option<T> {
    type Type = T;

    fn read(text: Option<&str>) -> Result<Self, String> {
        text.map(T::parse).transpose()
    }
}

/// A valid value: its canonical text, and its JSON for clients.
#[derive(Clone)]
pub struct Canonical {
    /// The text that is stored.
    pub text: String,
    pub json: Value,
}

/// Parses a text and returns the value in its canonical form.
pub(crate) fn canonical<T: SettingType>(text: &str) -> Result<Canonical, String> {
    let trimmed = text.trim();
    let is_quoted =
        |mark: char| trimmed.len() > 1 && trimmed.starts_with(mark) && trimmed.ends_with(mark);
    if is_quoted('"') || is_quoted('\'') {
        let why = "is enclosed in quotation marks, which are not part of the value: remove them \
                   (Docker's --env-file keeps them)";
        return Err(why.to_owned());
    }
    let value = T::parse(text)?;
    Ok(Canonical { text: value.encode(), json: value.json() })
}
