//! Reads JSON as workflows write it: loosely typed, echoed byte for byte, and within limits.
//!
//! The reader needs at most a few times the memory of the body. It reads lists up to a maximum
//! length, only the wanted members of objects, and free-form values up to a maximum number of
//! parts.

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use waggle_kernel::check_text;
use waggle_twitter_n8n::is_unrendered;

use crate::http::{depth, not_json};

/// The maximum nesting depth of lists and objects in a free-form value.
const MOST_DEPTH: usize = 62;
/// The maximum size of a free-form value, in bytes.
const MOST_VALUE: usize = 1024 * 1024;
/// How many bytes of a body allow one part in its free-form values.
const BYTES_FOR_A_PART: usize = 48;
/// The number of parts that free-form values may have even if the body is small.
const LEAST_PARTS: usize = 10_000;

/// Runs `work` on a body of `size` bytes. The work on a large body takes long, so the other tasks
/// of this thread are moved to another thread first.
pub(super) fn aside<T>(work: impl FnOnce() -> T, size: usize) -> T {
    const LARGE: usize = 256 * 1024;
    if size > LARGE { tokio::task::block_in_place(work) } else { work() }
}

/// Returns the body. If it is a JSON string that contains an object or a list, decodes that string.
///
/// # Errors
///
/// A message if the string cannot be read.
pub(super) fn decoded(body: Vec<u8>) -> Result<Vec<u8>, String> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'"') {
        return Ok(body);
    }
    let inner: String = serde_json::from_slice(&body).map_err(|error| not_json(&body, &error))?;
    if inner.trim_start().starts_with(['{', '[']) { Ok(inner.into_bytes()) } else { Ok(body) }
}

/// Returns the elements of a body: the object itself, or the items of a list, at most `most`.
///
/// # Errors
///
/// A message if the body is neither an object nor a list, is an empty list, or has too many items.
pub(super) fn elements(body: &[u8], most: usize) -> Result<Vec<&RawValue>, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err("the body is empty; expected a JSON object".to_owned());
    }
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| not_json(body, &error))?;
    match raw.get().as_bytes().first() {
        Some(b'{') => Ok(vec![raw]),
        Some(b'[') => {
            let list = items(raw, most).map_err(|error| error.of("the body", "elements"))?;
            if list.is_empty() {
                return Err("the body is an empty list; expected a JSON object".to_owned());
            }
            Ok(list)
        }
        _ => Err("the body is neither a JSON object nor a list of objects".to_owned()),
    }
}

/// Why a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadList {
    NoList,
    /// It has more items than this maximum.
    TooMany(usize),
    /// It cannot be parsed, for this reason.
    Broken(String),
}

impl BadList {
    /// The message for a list called `name` that contains `items`.
    pub(super) fn of(&self, name: &str, items: &str) -> String {
        match self {
            Self::NoList => format!("{name} is not a list"),
            Self::TooMany(most) => format!("{name} has more than {most} {items}"),
            Self::Broken(why) => format!("{name} cannot be read: {why}"),
        }
    }
}

/// Returns the items of a list, at most `most`. Reading stops at the first item above this maximum.
///
/// # Errors
///
/// [`BadList`] if `raw` is not a list, has more than `most` items, or cannot be parsed.
pub(super) fn items(raw: &RawValue, most: usize) -> Result<Vec<&RawValue>, BadList> {
    struct Items(usize);

    impl<'de> Visitor<'de> for Items {
        type Value = Option<Vec<&'de RawValue>>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = list.next_element()? {
                if items.len() == self.0 {
                    return Ok(None);
                }
                items.push(item);
            }
            Ok(Some(items))
        }
    }

    if !raw.get().starts_with('[') {
        return Err(BadList::NoList);
    }
    let mut reader = serde_json::Deserializer::from_str(raw.get());
    match serde::Deserializer::deserialize_seq(&mut reader, Items(most)) {
        Ok(Some(items)) => Ok(items),
        Ok(None) => Err(BadList::TooMany(most)),
        // Reading stopped early, so the deserializer reports the remaining items as trailing
        // characters.
        Err(error) if error.to_string().contains("trailing characters") => {
            Err(BadList::TooMany(most))
        }
        Err(error) => Err(BadList::Broken(error.to_string())),
    }
}

/// The wanted members of an object, not yet parsed.
#[derive(Debug, Clone)]
pub(super) struct Members<'a> {
    wanted: &'static [&'static str],
    found: Vec<Option<&'a RawValue>>,
}

impl<'a> Members<'a> {
    /// Reads the `wanted` members of an object and skips the others.
    ///
    /// # Errors
    ///
    /// A message if `raw` is not an object, or cannot be parsed.
    pub(super) fn of(raw: &'a RawValue, wanted: &'static [&'static str]) -> Result<Self, String> {
        if !raw.get().starts_with('{') {
            return Err("it is not a JSON object".to_owned());
        }
        let found = vec![None; wanted.len()];
        let mut members = Self { wanted, found };
        let mut reader = serde_json::Deserializer::from_str(raw.get());
        serde::Deserializer::deserialize_map(&mut reader, &mut members)
            .map_err(|error| format!("the object {}", reason(&error)))?;
        Ok(members)
    }

    /// The member with this name, which must be one of the wanted names. A null counts as missing.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.raw(name).filter(|raw| raw.get() != "null")
    }

    /// Whether there is a member with this name, even if it is null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let place = self.wanted.iter().position(|wanted| *wanted == name)?;
        self.found.get(place).copied().flatten()
    }

    /// The first of these members that is not missing.
    pub(super) fn first_of(&self, names: &[&str]) -> Option<&'a RawValue> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The text of a string, or a number as the workflow wrote it. `None` if the member is missing
    /// or empty.
    ///
    /// # Errors
    ///
    /// A message if the member is neither a string nor a number.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.get(name)
            .map_or(Ok(None), text_of)
            .map(|text| text.filter(|text| !text.is_empty()))
            .map_err(|problem| format!("{name} {problem}"))
    }

    /// A name or an id that the workflow gave: a text of at most `most` characters. A placeholder
    /// that the workflow did not fill in counts as missing.
    ///
    /// # Errors
    ///
    /// A message if the member is not a text, is too long, or contains a NUL character.
    pub(super) fn name(&self, name: &str, most: usize) -> Result<Option<String>, String> {
        let text = self.text(name)?.filter(|text| !is_missing(text));
        text.map(|text| kept(name, text, most)).transpose()
    }
}

impl<'de> Visitor<'de> for &mut Members<'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(place) = object.next_key_seed(Place(self.wanted))? {
            match place.and_then(|place| self.found.get_mut(place)) {
                Some(member) => *member = Some(object.next_value()?),
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Finds the position of a key among the wanted names, without storing it.
struct Place(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Place {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        reader: D,
    ) -> Result<Option<usize>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Place {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|wanted| *wanted == key))
    }
}

/// The message for an error of the JSON parser.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.contains("surrogate") || text.contains("end of hex escape") {
        "contains a lone surrogate (half of a character)".to_owned()
    } else if text.contains("number out of range") {
        "contains a number that is out of range".to_owned()
    } else {
        let text = text.split(" at line ").next().unwrap_or_default();
        format!("cannot be read: {text}")
    }
}

/// The message of an element that reports a failure of the workflow, such as `{"error": true}`.
/// `None` if the element reports none.
pub(super) fn own_error(members: &Members<'_>) -> Option<String> {
    let failed = members.get("error").is_some_and(|error| !is_no(error));
    failed.then(|| {
        let words = ["message", "error"]
            .into_iter()
            .find_map(|name| members.text(name).ok().flatten())
            .unwrap_or_else(|| "it gave no reason".to_owned());
        let words: String = words.chars().filter(|c| !c.is_control()).take(300).collect();
        format!("the workflow sent an error instead of tweets: {words}")
    })
}

/// Whether a value means that there is no error: false, zero, a word such as `none`, a placeholder
/// that the workflow did not fill in, or an empty string, list or object.
fn is_no(raw: &RawValue) -> bool {
    if matches!(flag_of(Some(raw)), Ok(None | Some(false))) {
        return true;
    }
    match serde_json::from_str(raw.get()) {
        Ok(Value::String(text)) => {
            let word = text.trim().to_ascii_lowercase();
            is_missing(&text) || matches!(word.as_str(), "null" | "none" | "undefined" | "nan")
        }
        Ok(Value::Number(number)) => number.as_f64() == Some(0.0),
        Ok(Value::Array(items)) => items.is_empty(),
        Ok(Value::Object(members)) => members.is_empty(),
        _ => false,
    }
}

/// Whether a name counts as missing: it is blank, or a placeholder that the workflow did not fill
/// in.
pub(super) fn is_missing(text: &str) -> bool {
    text.trim().is_empty() || is_unrendered(text)
}

/// The text of a string, or a number as the workflow wrote it. `None` for null.
///
/// # Errors
///
/// A message if the value is neither a string nor a number.
pub(super) fn text_of(raw: &RawValue) -> Result<Option<String>, String> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).map(Some).map_err(|error| reason(&error)),
        Some(b'-' | b'0'..=b'9') => Ok(Some(text.to_owned())),
        Some(b'n') => Ok(None),
        _ => Err("is not a string".to_owned()),
    }
}

/// An id: a string, or a whole number that is not negative and that JavaScript did not round. A
/// missing id is an empty string.
///
/// # Errors
///
/// A message if the value is neither.
pub(super) fn id_of(raw: Option<&RawValue>) -> Result<String, String> {
    /// The largest number up to which JavaScript can represent every whole number.
    const SAFE: u64 = 1 << 53;

    let Some(text) = raw.map(RawValue::get).filter(|text| *text != "null") else {
        return Ok(String::new());
    };
    if text.starts_with('"') {
        return serde_json::from_str(text).map_err(|error| reason(&error));
    }
    match text.parse::<u64>() {
        Ok(number) if number > SAFE && is_written_by_javascript(number) => {
            let what = "is a number that JavaScript may have rounded; send ids as strings";
            Err(format!("is {}, which {what}", short(text)))
        }
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("is neither a string nor a whole number of up to 64 bits".to_owned()),
    }
}

/// Whether JavaScript would write this number with the same digits. JavaScript numbers have a
/// precision of 53 bits. They are written with the fewest digits that distinguish them from their
/// neighbors, followed by zeros.
#[expect(clippy::cast_precision_loss, reason = "the function detects this loss")]
fn is_written_by_javascript(number: u64) -> bool {
    (number as f64).to_string() == number.to_string()
}

/// A count: a whole number, as a number or a string, including forms such as `1.2K`, `3M` and
/// `1,200`. A fraction is cut off. A missing count is 0.
///
/// # Errors
///
/// A message if the value has none of these forms.
pub(super) fn count_of(raw: Option<&RawValue>) -> Result<i64, String> {
    let Some(raw) = raw else { return Ok(0) };
    let text = match raw.get().as_bytes().first() {
        Some(b'"') => text_of(raw)?.unwrap_or_default(),
        Some(b'-' | b'0'..=b'9') => raw.get().to_owned(),
        Some(b'n') => return Ok(0),
        _ => return Err("is not a number".to_owned()),
    };
    let text = text.trim();
    if text.is_empty() {
        return Ok(0);
    }
    if let Ok(count) = text.parse::<i64>() {
        return Ok(count);
    }
    let (number, times) = match text.as_bytes().last().map(u8::to_ascii_uppercase) {
        Some(b'K') => (text.get(..text.len() - 1), 1e3),
        Some(b'M') => (text.get(..text.len() - 1), 1e6),
        Some(b'B') => (text.get(..text.len() - 1), 1e9),
        _ => (Some(text), 1.0),
    };
    let number = without_separators(number.unwrap_or_default().trim());
    let is_number =
        number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+'))
            && number.bytes().any(|byte| byte.is_ascii_digit());
    number
        .parse::<f64>()
        .ok()
        .filter(|_| is_number)
        .and_then(|number| whole(number * times))
        .ok_or_else(|| format!("is '{}', which is not a whole number", short(text)))
}

/// Removes the commas from a number such as `1,200,300`. Returns any other text unchanged.
fn without_separators(text: &str) -> String {
    let mut groups = text.split(',');
    let first = groups.next().unwrap_or_default();
    let mut rest = groups.clone().peekable();
    let is_grouped = (1..=3).contains(&first.len())
        && rest.peek().is_some()
        && rest.all(|group| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit()));
    if is_grouped { text.replace(',', "") } else { text.to_owned() }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn whole(number: f64) -> Option<i64> {
    // 2^53. Above it, a floating-point number does not identify a single whole number.
    (number.is_finite() && number.abs() <= 9_007_199_254_740_992.0)
        .then(|| (number + 1e-6).trunc() as i64)
}

/// A boolean, or a string or number that stands for one. `None` if it is missing or an empty
/// string.
///
/// # Errors
///
/// A message if the value is anything else.
pub(super) fn flag_of(raw: Option<&RawValue>) -> Result<Option<bool>, String> {
    let Some(raw) = raw else { return Ok(None) };
    match raw.get() {
        "true" | "1" => Ok(Some(true)),
        "false" | "0" => Ok(Some(false)),
        text if text.starts_with('"') => {
            let text = text_of(raw)?.unwrap_or_default();
            match text.trim().to_ascii_lowercase().as_str() {
                "true" | "t" | "1" | "yes" | "y" => Ok(Some(true)),
                "false" | "f" | "0" | "no" | "n" => Ok(Some(false)),
                "" => Ok(None),
                other => Err(format!("is '{}', which is neither true nor false", short(other))),
            }
        }
        _ => Err("is neither true nor false".to_owned()),
    }
}

/// How many more parts (strings, numbers, lists, members) the free-form values of one body may
/// have. Each part needs much more memory than its text.
pub(super) struct Parts {
    left: usize,
}

impl Parts {
    /// The limit for a body of this size.
    pub(super) fn of(body: &[u8]) -> Self {
        Self { left: (body.len() / BYTES_FOR_A_PART).max(LEAST_PARTS) }
    }

    /// Reads a free-form value.
    ///
    /// # Errors
    ///
    /// A message if the value is too large, is nested too deeply, has too many parts, contains a
    /// NUL character, or cannot be parsed.
    pub(super) fn value(&mut self, raw: &RawValue) -> Result<Value, String> {
        let text = raw.get();
        if text.len() > MOST_VALUE {
            return Err(format!("is larger than {MOST_VALUE} bytes"));
        }
        if depth(text.as_bytes()) > MOST_DEPTH {
            return Err(format!(
                "has lists or objects that are nested more than {MOST_DEPTH} deep"
            ));
        }
        let parts =
            text.bytes().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count() + 1;
        self.left = self
            .left
            .checked_sub(parts)
            .ok_or_else(|| "has too many values for a body of this size".to_owned())?;
        let value: Value = serde_json::from_str(text).map_err(|error| reason(&error))?;
        if has_nul(&value) { Err("contains a NUL character".to_owned()) } else { Ok(value) }
    }
}

/// Whether a string or a key anywhere in `value` contains a NUL character, which PostgreSQL cannot
/// store.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
        }
        _ => false,
    }
}

/// A text for a message: the first 40 characters, without control characters.
pub(super) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// Returns `text` if it has at most `most` characters and no NUL character.
///
/// # Errors
///
/// A message that begins with `name`, if the text is too long or contains a NUL character.
pub(super) fn kept(name: &str, text: String, most: usize) -> Result<String, String> {
    check_text(&text, most).map_err(|problem| format!("{name} {problem}"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn counts_are_read_in_the_forms_that_workflows_send() {
        for (value, count) in [
            ("12", 12),
            ("\"12\"", 12),
            ("12.9", 12),
            ("\"12.9\"", 12),
            ("null", 0),
            ("\"\"", 0),
            ("-3", -3),
            ("\"1.2K\"", 1_200),
            ("\"1.15K\"", 1_150),
            ("\"4.35m\"", 4_350_000),
            ("\"3 M\"", 3_000_000),
            ("\"2B\"", 2_000_000_000),
            ("\"1,200\"", 1_200),
            ("\"1,234,567\"", 1_234_567),
            ("1e3", 1_000),
        ] {
            assert_eq!(count_of(Some(&raw(value))), Ok(count), "{value}");
        }
        for value in [
            "\"many\"",
            "\"N/A\"",
            "\"K\"",
            "\"1,2\"",
            "\"1.2.3\"",
            "\"12,34\"",
            "[1]",
            "true",
            "1e300",
            "18446744073709551615",
        ] {
            assert!(count_of(Some(&raw(value))).is_err(), "{value}");
        }
    }

    #[test]
    fn ids_keep_every_digit() {
        let id = |json: &str| id_of(Some(&raw(json)));

        assert_eq!(id("1955939434343434343").unwrap(), "1955939434343434343");
        assert_eq!(id("\"007\"").unwrap(), "007");
        assert_eq!(id("9007199254740993").unwrap(), "9007199254740993");
        for rounded in ["123456789012345680", "12345678901234568", "1955939434343434200"] {
            assert!(id(rounded).unwrap_err().contains("JavaScript"), "{rounded}");
        }
        assert_eq!(id("\"732822797798539300\"").unwrap(), "732822797798539300");
        assert!(id("732822797798539300").unwrap_err().contains("rounded"));
        assert!(id("1.5").is_err());
        assert!(id("1.95594E+18").is_err());
        assert!(id("-1").is_err());
    }

    #[test]
    fn a_lone_surrogate_makes_only_its_own_item_invalid() {
        const WANTED: &[&str] = &["tweets", "Content"];
        let body = br#"{"tweets":[{"Content":"\ud800"},{"Content":"fine"}]}"#;
        let found = elements(body, 10).unwrap();
        let tweets = items(Members::of(found[0], WANTED).unwrap().get("tweets").unwrap(), 10);
        let text = |item: &RawValue| Members::of(item, WANTED).unwrap().text("Content");

        let tweets = tweets.unwrap();
        assert!(text(tweets[0]).unwrap_err().contains("surrogate"));
        assert_eq!(text(tweets[1]), Ok(Some("fine".to_owned())));
    }

    #[test]
    fn an_error_object_of_a_workflow_is_recognized() {
        let found = elements(br#"{"error": true, "message": "LLM said no"}"#, 10).unwrap();

        let members = Members::of(found[0], &["error", "message"]).unwrap();

        assert!(own_error(&members).unwrap().ends_with("LLM said no"));
    }

    #[test]
    fn an_empty_or_false_error_is_not_an_error() {
        for error in [
            "null",
            "false",
            "0",
            "0.0",
            "\"\"",
            "\" \"",
            "\"false\"",
            "\"no\"",
            "\"None\"",
            "\"null\"",
            "\"undefined\"",
            "\"0\"",
            "[]",
            "{}",
            "\"{{ $json.error }}\"",
        ] {
            let body = format!("{{\"error\": {error}}}");
            let found = elements(body.as_bytes(), 10).unwrap();
            let members = Members::of(found[0], &["error", "message"]).unwrap();

            assert_eq!(own_error(&members), None, "{error}");
        }
        for error in ["true", "1", "\"timed out\"", "[1]", "{\"code\": 0}", "-1"] {
            let body = format!("{{\"error\": {error}}}");
            let found = elements(body.as_bytes(), 10).unwrap();
            let members = Members::of(found[0], &["error", "message"]).unwrap();

            assert!(own_error(&members).is_some(), "{error}");
        }
    }

    #[test]
    fn a_list_is_read_up_to_its_maximum_length() {
        assert_eq!(items(&raw("[1,2,3]"), 3).unwrap().len(), 3);
        assert_eq!(items(&raw("[1,2,3,4]"), 3).unwrap_err(), BadList::TooMany(3));
        assert_eq!(items(&raw("{}"), 3).unwrap_err(), BadList::NoList);
    }

    #[test]
    fn a_body_that_was_encoded_twice_is_read() {
        let decode = |body: &str| decoded(body.as_bytes().to_vec());

        assert_eq!(decode(r#" "{\"a\":1}""#).unwrap(), br#"{"a":1}"#);
        assert_eq!(decode(r#"{"a":1}"#).unwrap(), br#"{"a":1}"#);
        assert_eq!(decode(r#""words""#).unwrap(), br#""words""#);
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(found) = elements(&body, 10) {
                for element in found {
                    let members = Members::of(element, &["a", "error"]);
                    let _ = members.map(|members| own_error(&members));
                    let _ = (count_of(Some(element)), id_of(Some(element)), flag_of(Some(element)));
                }
            }
        }
    }
}
