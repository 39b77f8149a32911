//! Formats the values of settings for the command line.

use serde_json::Value;
use waggle_settings::{Kind, registry};

pub(super) fn text_of_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "(empty)".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Whether the value of `key` is a secret, which must not be printed.
pub(super) fn is_secret(key: &str) -> bool {
    registry::find(key).is_some_and(|declaration| matches!(declaration.kind, Kind::Secret))
}
