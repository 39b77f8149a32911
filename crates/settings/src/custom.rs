//! Custom settings of operators: any JSON value under a key that begins with `custom.`.

use serde_json::Value;
use waggle_kernel::check_text;

use crate::kind::Canonical;

/// The prefix of the keys of custom settings.
pub const PREFIX: &str = "custom.";
/// The maximum length of a value, in characters.
const MOST: usize = 65_536;
/// The maximum number of custom settings.
pub(crate) const MOST_SETTINGS: usize = 1_000;

/// Whether `key` is the key of a custom setting: `custom.` followed by 1 to 80 ASCII letters,
/// digits, `.`, `_` or `-`.
pub fn is_custom(key: &str) -> bool {
    key.strip_prefix(PREFIX).is_some_and(|name| {
        (1..=80).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    })
}

/// The text that a value is stored as: its JSON, except that a string is stored without quotes
/// unless it is blank or is itself valid JSON.
pub fn encode(value: &Value) -> String {
    match value {
        Value::String(text) if !text.trim().is_empty() && decode(text) == *value => text.clone(),
        other => other.to_string(),
    }
}

/// The value of a stored text: its JSON, or the text as a string if it is not valid JSON.
pub fn decode(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Parses and validates a stored text.
pub(crate) fn canonical(text: &str) -> Result<Canonical, String> {
    check_text(text, MOST).map_err(|problem| problem.to_string())?;
    let json = decode(text);
    if json.is_null() || json.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Err("is empty".to_owned());
    }
    // Keeps the text as it was written: a number may have more digits than a program reads.
    Ok(Canonical { text: text.to_owned(), json })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            "(true|null|12|1.5|\\[\\]|\"a\"| |)".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_round_trips(value in any_json()) {
            prop_assert_eq!(decode(&encode(&value)), value);
        }
    }

    #[test]
    fn a_plain_text_is_stored_without_quotes() {
        assert_eq!(encode(&json!("good morning")), "good morning");
        assert_eq!(encode(&json!("465")), "\"465\"");
        assert_eq!(decode("465"), json!(465));
    }

    #[test]
    fn custom_keys_have_the_prefix_and_a_name() {
        assert!(is_custom("custom.brand.voice-2"));
        for key in ["custom.", "custom", "CUSTOM.x", "custom.a b", "custom.ä", "TWITTER_API_KEY"] {
            assert!(!is_custom(key), "{key}");
        }
    }
}
