//! JSON as workflows write it: loosely typed, and to be echoed byte for byte.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;
use waggle_kernel::check_text;

/// The members of an object, unread.
pub(super) type Members<'a> = HashMap<String, &'a RawValue>;

/// Reads a body; a large one takes long enough to get out of the way of other requests.
pub(super) fn aside<T>(body: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
    const LARGE: usize = 256 * 1024;
    if body.len() > LARGE { tokio::task::block_in_place(|| read(body)) } else { read(body) }
}

/// The elements of a body: an object stands for itself, a list for all that is in it, which is at most
/// `most`.
///
/// # Errors
///
/// Says why the body is neither.
pub(super) fn elements(body: &[u8], most: usize) -> Result<(Vec<&RawValue>, bool), String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err("the body is empty; expected is a JSON object".to_owned());
    }
    let raw: &RawValue =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    match raw.get().as_bytes().first() {
        Some(b'{') => Ok((vec![raw], false)),
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(raw.get())
                .map_err(|error| format!("the body is not JSON: {error}"))?;
            if list.is_empty() {
                return Err("the body is an empty list; expected is a JSON object".to_owned());
            }
            if list.len() > most {
                return Err(format!("the body has more than {most} elements"));
            }
            Ok((list, true))
        }
        _ => Err("the body is neither a JSON object nor a list of objects".to_owned()),
    }
}

/// The members of an object.
///
/// # Errors
///
/// Says why `raw` is no object.
pub(super) fn members(raw: &RawValue) -> Result<Members<'_>, String> {
    if !raw.get().starts_with('{') {
        return Err("it is not a JSON object".to_owned());
    }
    serde_json::from_str(raw.get()).map_err(|error| reason(&error))
}

/// The elements of a list.
///
/// # Errors
///
/// Says why `raw` is no list.
pub(super) fn list(name: &str, raw: &RawValue) -> Result<Vec<Box<RawValue>>, String> {
    if !raw.get().starts_with('[') {
        return Err(format!("{name} is not a list"));
    }
    serde_json::from_str(raw.get()).map_err(|error| format!("{name} cannot be read: {error}"))
}

/// An object read whole, with the rules of JSON that [`members`] passes over.
///
/// # Errors
///
/// Says why `raw` is no object.
pub(super) fn object(raw: &RawValue) -> Result<serde_json::Map<String, Value>, String> {
    match serde_json::from_str(raw.get()) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("it is not a JSON object".to_owned()),
        Err(error) => Err(reason(&error)),
    }
}

/// What the reader says, in words of the caller.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.contains("surrogate") || text.contains("end of hex escape") {
        "it has half of a character (a lone surrogate)".to_owned()
    } else if text.contains("number out of range") {
        "it has a number that is out of range".to_owned()
    } else {
        format!("it cannot be read: {text}")
    }
}

/// What a workflow says when it failed itself: `{"error": true, "message": ...}`.
pub(super) fn own_error(members: &Members<'_>) -> Option<String> {
    let failed = members.get("error").is_some_and(|error| {
        let text = error.get();
        !matches!(text, "false" | "null" | "\"\"" | "0")
    });
    failed.then(|| {
        let words = ["message", "error"]
            .into_iter()
            .filter_map(|name| text(members.get(name).copied()).ok().flatten())
            .find(|words| !words.is_empty())
            .unwrap_or_else(|| "it does not say why".to_owned());
        let words: String = words.chars().filter(|c| !c.is_control()).take(300).collect();
        format!("the workflow sent an error of its own instead of tweets: {words}")
    })
}

/// A text, also where it is a number; `None` where it is missing or null.
///
/// # Errors
///
/// Says that it is neither.
pub(super) fn text(raw: Option<&RawValue>) -> Result<Option<String>, String> {
    match raw.map(|raw| serde_json::from_str(raw.get())) {
        None => Ok(None),
        Some(Err(error)) => Err(reason(&error)),
        Some(Ok(value)) => text_of(&value),
    }
}

/// See [`text`].
///
/// # Errors
///
/// Says that it is neither.
pub(super) fn text_of(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        _ => Err("is not a text".to_owned()),
    }
}

/// An id: a text, or a whole number that is not negative.
///
/// # Errors
///
/// Says that it is neither.
pub(super) fn id_of(value: Option<&Value>) -> Result<String, String> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) if number.is_u64() => Ok(number.to_string()),
        Some(_) => Err("is neither a text nor a whole number of up to 64 bits".to_owned()),
    }
}

/// A count: a whole number, also as text; what stands behind a decimal point is cut off. Missing is 0.
///
/// # Errors
///
/// Says why it is none.
pub(super) fn count_of(value: Option<&Value>) -> Result<i64, String> {
    let too_large = || "is larger than 64 bits hold".to_owned();
    match value {
        None | Some(Value::Null) => Ok(0),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(count) => Ok(count),
            None => number.as_f64().and_then(whole).ok_or_else(too_large),
        },
        Some(Value::String(text)) => {
            let text = text.trim();
            if text.is_empty() {
                return Ok(0);
            }
            text.parse::<i64>().or_else(|_| {
                let decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                text.parse::<f64>()
                    .ok()
                    .filter(|_| decimal)
                    .and_then(whole)
                    .ok_or_else(|| format!("is '{}', which is not a whole number", short(text)))
            })
        }
        Some(_) => Err("is not a number".to_owned()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn whole(number: f64) -> Option<i64> {
    // 2^53: beyond it, a decimal number does not say which whole number is meant.
    (number.is_finite() && number.abs() <= 9_007_199_254_740_992.0).then(|| number.trunc() as i64)
}

/// A yes or no, also as text or number; `None` where nothing is said.
///
/// # Errors
///
/// Says that it is none.
pub(super) fn flag_of(value: Option<&Value>) -> Result<Option<bool>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::Number(number)) if number.as_i64() == Some(1) => Ok(Some(true)),
        Some(Value::Number(number)) if number.as_i64() == Some(0) => Ok(Some(false)),
        Some(Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "y" => Ok(Some(true)),
            "false" | "f" | "0" | "no" | "n" => Ok(Some(false)),
            "" => Ok(None),
            other => Err(format!("is '{}', which is neither true nor false", short(other))),
        },
        Some(_) => Err("is neither true nor false".to_owned()),
    }
}

/// A text for a message, cut to what people read.
pub(super) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// A text that fits into `most` characters and can be kept.
///
/// # Errors
///
/// Says why it cannot.
pub(super) fn kept(name: &str, text: String, most: usize) -> Result<String, String> {
    check_text(&text, most).map_err(|problem| format!("{name} {problem}"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_read_in_the_forms_that_workflows_send() {
        for (value, count) in [
            (json!(12), 12),
            (json!("12"), 12),
            (json!(12.9), 12),
            (json!("12.9"), 12),
            (json!(null), 0),
            (json!(""), 0),
            (json!(-3), -3),
        ] {
            assert_eq!(count_of(Some(&value)), Ok(count), "{value}");
        }
        for value in
            [json!("1,200"), json!("many"), json!([1]), json!(true), json!(1e300), json!(u64::MAX)]
        {
            assert!(count_of(Some(&value)).is_err(), "{value}");
        }
    }

    #[test]
    fn ids_keep_every_digit() {
        assert_eq!(
            id_of(Some(&json!(1_955_939_434_343_434_343_u64))).unwrap(),
            "1955939434343434343"
        );
        assert_eq!(id_of(Some(&json!("007"))).unwrap(), "007");
        assert!(id_of(Some(&json!(1.5))).is_err());
        assert!(id_of(Some(&json!(-1))).is_err());
    }

    #[test]
    fn half_a_character_spoils_its_own_item_alone() {
        let body = br#"{"tweets":[{"Content":"\ud800"},{"Content":"fine"}]}"#;
        let (found, _) = elements(body, 10).unwrap();
        let tweets = list("tweets", members(found[0]).unwrap()["tweets"]).unwrap();

        assert!(object(&tweets[0]).unwrap_err().contains("surrogate"));
        assert!(object(&tweets[1]).is_ok());
    }

    #[test]
    fn a_workflow_error_is_told_from_tweets() {
        let (found, _) = elements(br#"{"error": true, "message": "LLM said no"}"#, 10).unwrap();

        let words = own_error(&members(found[0]).unwrap()).unwrap();

        assert!(words.ends_with("LLM said no"), "{words}");
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok((found, _)) = elements(&body, 10) {
                for element in found {
                    let _ = members(element).map(|members| own_error(&members));
                    let _ = object(element);
                }
            }
        }
    }
}
