//! JSON as workflows write it: loosely typed, echoed byte for byte, and read within bounds.
//!
//! Nothing here costs more memory than a few times the body: lists are read up to the most that is
//! taken, of objects only the members that are wanted, and free-form values up to a number of
//! parts.

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use waggle_kernel::check_text;
use waggle_twitter_n8n::is_unrendered;

use crate::http::{depth, not_json};

/// How deep lists and objects may stand in one another in a free-form value.
const MOST_DEPTH: usize = 62;
/// The longest free-form value, in bytes.
const MOST_VALUE: usize = 1024 * 1024;
/// How many bytes of a body there are to each part of its free-form values, at the least.
const BYTES_FOR_A_PART: usize = 48;
/// How many parts free-form values may have however small the body is.
const LEAST_PARTS: usize = 10_000;

/// Reads a body; a large one takes long enough to get out of the way of other requests.
pub(super) fn aside<T>(work: impl FnOnce() -> T, size: usize) -> T {
    const LARGE: usize = 256 * 1024;
    if size > LARGE { tokio::task::block_in_place(work) } else { work() }
}

/// The body, once more decoded if it is a text with JSON in it.
///
/// # Errors
///
/// Says why the text cannot be read.
pub(super) fn decoded(body: Vec<u8>) -> Result<Vec<u8>, String> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'"') {
        return Ok(body);
    }
    let inner: String = serde_json::from_slice(&body).map_err(|error| not_json(&body, &error))?;
    if inner.trim_start().starts_with(['{', '[']) { Ok(inner.into_bytes()) } else { Ok(body) }
}

/// The elements of a body: an object stands for itself, a list for all that is in it, which is at
/// most `most`.
///
/// # Errors
///
/// Says why the body is neither.
pub(super) fn elements(body: &[u8], most: usize) -> Result<Vec<&RawValue>, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err("the body is empty; expected is a JSON object".to_owned());
    }
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| not_json(body, &error))?;
    match raw.get().as_bytes().first() {
        Some(b'{') => Ok(vec![raw]),
        Some(b'[') => {
            let list = items(raw, most).map_err(|error| error.of("the body", "elements"))?;
            if list.is_empty() {
                return Err("the body is an empty list; expected is a JSON object".to_owned());
            }
            Ok(list)
        }
        _ => Err("the body is neither a JSON object nor a list of objects".to_owned()),
    }
}

/// Why a list is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadList {
    /// It is none.
    NoList,
    /// It has more items than are taken.
    TooMany(usize),
    /// It is broken.
    Broken(String),
}

impl BadList {
    /// The same in words, for the list with this name and items of this kind.
    pub(super) fn of(&self, name: &str, items: &str) -> String {
        match self {
            Self::NoList => format!("{name} is not a list"),
            Self::TooMany(most) => format!("{name} has more than {most} {items}"),
            Self::Broken(why) => format!("{name} cannot be read: {why}"),
        }
    }
}

/// The items of a list, at most `most`: reading ends at the first that is too many.
///
/// # Errors
///
/// [`BadList`].
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
        // Reading ended early, which the reader takes for a list that goes on.
        Err(error) if error.to_string().contains("trailing characters") => {
            Err(BadList::TooMany(most))
        }
        Err(error) => Err(BadList::Broken(error.to_string())),
    }
}

/// The members of an object that are wanted, unread.
#[derive(Debug, Clone)]
pub(super) struct Members<'a> {
    wanted: &'static [&'static str],
    found: Vec<Option<&'a RawValue>>,
}

impl<'a> Members<'a> {
    /// Reads the `wanted` members of an object and passes over the others.
    ///
    /// # Errors
    ///
    /// Says why `raw` is no object.
    pub(super) fn of(raw: &'a RawValue, wanted: &'static [&'static str]) -> Result<Self, String> {
        if !raw.get().starts_with('{') {
            return Err("it is not a JSON object".to_owned());
        }
        let found = vec![None; wanted.len()];
        let mut members = Self { wanted, found };
        let mut reader = serde_json::Deserializer::from_str(raw.get());
        serde::Deserializer::deserialize_map(&mut reader, &mut members)
            .map_err(|error| reason(&error))?;
        Ok(members)
    }

    /// The member with this name, which has to be one of the wanted; null counts as missing.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.raw(name).filter(|raw| raw.get() != "null")
    }

    /// Whether there is a member with this name, null or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let place = self.wanted.iter().position(|wanted| *wanted == name)?;
        self.found.get(place).copied().flatten()
    }

    /// The first of these members that is there.
    pub(super) fn first_of(&self, names: &[&str]) -> Option<&'a RawValue> {
        names.iter().find_map(|name| self.get(name))
    }

    /// A text, also where it is a number; `None` where it is missing or empty.
    ///
    /// # Errors
    ///
    /// Says that it is neither.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.get(name)
            .map_or(Ok(None), text_of)
            .map(|text| text.filter(|text| !text.is_empty()))
            .map_err(|problem| format!("{name} {problem}"))
    }

    /// A name or an id of the workflow's: a text of at most `most` characters. One that was never
    /// filled in counts as missing.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
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

/// Tells the place of a key among those that are wanted, without keeping it.
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

/// What the reader says, in words of the caller.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.contains("surrogate") || text.contains("end of hex escape") {
        "it has half of a character (a lone surrogate)".to_owned()
    } else if text.contains("number out of range") {
        "it has a number that is out of range".to_owned()
    } else {
        let text = text.split(" at line ").next().unwrap_or_default();
        format!("it cannot be read: {text}")
    }
}

/// What a workflow says when it failed itself: `{"error": true, "message": ...}`.
pub(super) fn own_error(members: &Members<'_>) -> Option<String> {
    let failed = members.get("error").is_some_and(|error| !is_no(error));
    failed.then(|| {
        let words = ["message", "error"]
            .into_iter()
            .find_map(|name| members.text(name).ok().flatten())
            .unwrap_or_else(|| "it does not say why".to_owned());
        let words: String = words.chars().filter(|c| !c.is_control()).take(300).collect();
        format!("the workflow sent an error of its own instead of tweets: {words}")
    })
}

/// Whether a value says that there is nothing of the kind: no, zero, a word for nothing, an
/// expression that was never filled in, an empty list or object.
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

/// Whether a name stands for nothing.
pub(super) fn is_missing(text: &str) -> bool {
    text.trim().is_empty() || is_unrendered(text)
}

/// A text, also where it is a number; `None` where it is null.
///
/// # Errors
///
/// Says that it is neither.
pub(super) fn text_of(raw: &RawValue) -> Result<Option<String>, String> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).map(Some).map_err(|error| reason(&error)),
        Some(b'-' | b'0'..=b'9') => Ok(Some(text.to_owned())),
        Some(b'n') => Ok(None),
        _ => Err("is not a text".to_owned()),
    }
}

/// An id: a text, or a whole number that is not negative and that JavaScript did not round.
///
/// # Errors
///
/// Says that it is neither.
pub(super) fn id_of(raw: Option<&RawValue>) -> Result<String, String> {
    /// The largest number up to which JavaScript tells each whole number from its neighbours.
    const SAFE: u64 = 1 << 53;

    let Some(text) = raw.map(RawValue::get).filter(|text| *text != "null") else {
        return Ok(String::new());
    };
    if text.starts_with('"') {
        return serde_json::from_str(text).map_err(|error| reason(&error));
    }
    match text.parse::<u64>() {
        Ok(number) if number > SAFE && is_written_by_javascript(number) => {
            let what = "is a number that JavaScript may have rounded; send ids as text";
            Err(format!("is {}, which {what}", short(text)))
        }
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("is neither a text nor a whole number of up to 64 bits".to_owned()),
    }
}

/// Whether JavaScript, which has no other numbers than those with 53 bits, would write this one so:
/// the digits that tell it from its neighbours, and zeros behind them.
#[expect(clippy::cast_precision_loss, reason = "the loss is what is looked for")]
fn is_written_by_javascript(number: u64) -> bool {
    (number as f64).to_string() == number.to_string()
}

/// A count: a whole number, also as text, also as `1.2K`, `3M` or `1,200`; what stands behind a
/// decimal point is cut off. Missing is 0.
///
/// # Errors
///
/// Says why it is none.
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

/// `1,200,300` without its commas; anything else as it is.
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
    // 2^53: beyond it, a decimal number does not say which whole number is meant.
    (number.is_finite() && number.abs() <= 9_007_199_254_740_992.0)
        .then(|| (number + 1e-6).trunc() as i64)
}

/// A yes or no, also as text or number; `None` where nothing is said.
///
/// # Errors
///
/// Says that it is none.
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

/// How many parts (texts, numbers, lists, members) the free-form values of one body may still have:
/// each takes much more memory than its text.
pub(super) struct Parts {
    left: usize,
}

impl Parts {
    /// As many as a body of this size may have.
    pub(super) fn of(body: &[u8]) -> Self {
        Self { left: (body.len() / BYTES_FOR_A_PART).max(LEAST_PARTS) }
    }

    /// Reads a free-form value.
    ///
    /// # Errors
    ///
    /// Says why it is not kept.
    pub(super) fn value(&mut self, raw: &RawValue) -> Result<Value, String> {
        let text = raw.get();
        if text.len() > MOST_VALUE {
            return Err(format!("is larger than {MOST_VALUE} bytes"));
        }
        if depth(text.as_bytes()) > MOST_DEPTH {
            return Err(format!("has lists or objects more than {MOST_DEPTH} deep in one another"));
        }
        let parts =
            text.bytes().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count() + 1;
        self.left = self
            .left
            .checked_sub(parts)
            .ok_or_else(|| "has too many parts for a body of this size".to_owned())?;
        let value: Value = serde_json::from_str(text).map_err(|error| reason(&error))?;
        if has_nul(&value) { Err("has a NUL character".to_owned()) } else { Ok(value) }
    }
}

/// Whether a text anywhere in `value` has a NUL character, which PostgreSQL cannot keep.
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
    fn half_a_character_spoils_its_own_item_alone() {
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
    fn a_workflow_error_is_told_from_tweets() {
        let found = elements(br#"{"error": true, "message": "LLM said no"}"#, 10).unwrap();

        let members = Members::of(found[0], &["error", "message"]).unwrap();

        assert!(own_error(&members).unwrap().ends_with("LLM said no"));
    }

    #[test]
    fn an_error_that_says_there_is_none_is_none() {
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
    fn a_list_is_read_up_to_the_most_that_is_taken() {
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
                    let _ = Members::of(element, &["a", "error"]).map(|members| own_error(&members));
                    let _ = (count_of(Some(element)), id_of(Some(element)), flag_of(Some(element)));
                }
            }
        }
    }
}
