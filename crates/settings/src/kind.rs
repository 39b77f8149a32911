//! What kinds of values there are, and how a text becomes a value and a value a text.

use serde_json::Value;

/// What kind of value a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Integer {
        /// The least that is taken.
        least: i64,
        /// The most that is taken.
        most: i64,
    },
    /// A decimal number.
    Decimal {
        /// The least that is taken.
        least: f64,
        /// The most that is taken.
        most: f64,
    },
    /// True or false.
    Boolean,
    /// A length of time, in whole seconds.
    Duration {
        /// The least that is taken, in seconds.
        least: i64,
        /// The most that is taken, in seconds.
        most: i64,
    },
    /// A list.
    List {
        /// What each of it is, for people.
        of: &'static str,
    },
    /// A mail address.
    Email,
    /// The URL of a server.
    Url,
    /// JSON that a schema describes.
    Json {
        /// The JSON Schema.
        schema: fn() -> Value,
    },
    /// A text that is kept encrypted and never shown.
    Secret,
}

impl Kind {
    /// Its name on the wire.
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

    /// What it takes, for people: `integer, 1 to 200`.
    pub fn describe(self) -> String {
        match self {
            Self::Integer { least, most } => format!("integer, {least} to {most}"),
            Self::Decimal { least, most } => format!("decimal, {least} to {most}"),
            Self::Duration { least, most } => format!("duration, {least} to {most} seconds"),
            Self::List { of } => format!("list of {of}"),
            other => other.name().to_owned(),
        }
    }

    /// The JSON Schema of a value, as the API takes it.
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

/// A type that a setting can have.
pub trait SettingType: Sized {
    /// Its kind.
    const KIND: Kind;

    /// Reads a text that is not blank.
    ///
    /// # Errors
    ///
    /// What is wrong, without the text itself where that may be a secret. It reads on from `KEY ...`.
    fn parse(text: &str) -> Result<Self, String>;

    /// The text that [`parse`](SettingType::parse) reads the same value from, never blank.
    fn encode(&self) -> String;

    /// The value for clients.
    fn json(&self) -> Value {
        Value::String(self.encode())
    }
}

/// What a setting gives its readers: a value where there is a default, an [`Option`] where there is none.
pub trait Field: Sized {
    /// The type of its values.
    type Type: SettingType;

    /// Reads the text that is in effect.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
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

/// A valid value in its one text, with the form for clients.
#[derive(Clone)]
pub struct Canonical {
    /// The text that is kept.
    pub text: String,
    /// The value for clients.
    pub json: Value,
}

/// Reads a text and writes it the one way in which it is kept.
pub(crate) fn canonical<T: SettingType>(text: &str) -> Result<Canonical, String> {
    let trimmed = text.trim();
    let is_quoted =
        |mark: char| trimmed.len() > 1 && trimmed.starts_with(mark) && trimmed.ends_with(mark);
    if is_quoted('"') || is_quoted('\'') {
        let why = "has quotation marks around it, which do not belong to the value: write it without \
                   them (Docker's --env-file keeps them)";
        return Err(why.to_owned());
    }
    let value = T::parse(text)?;
    Ok(Canonical { text: value.encode(), json: value.json() })
}
