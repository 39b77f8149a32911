//! Lists of items.

use serde_json::Value;

use super::text::Text;
use crate::kind::{Kind, SettingType};

/// The maximum number of items in a list.
pub const MOST_ITEMS: usize = 500;

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
