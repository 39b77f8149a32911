//! How posts are reconciled, and what the sandbox simulates.

use chrono::Duration;
use serde_json::{Map, Value, json};

use super::list::Item;
use crate::kind::{Kind, SettingType};

/// When Waggle looks for a post on X whose outcome is unknown. The value is JSON. Each of the three
/// durations may be longer than what is known to be safe, but not shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconcileSeconds {
    /// The time from an attempt to the first look for its post.
    pub first_look_after: Duration,
    /// The time from a look that did not find the post to the second look.
    pub second_look_after: Duration,
    /// The time after the attempt during which a post that was not found may be sent again without
    /// asking a person.
    pub resend_within: Duration,
}

impl ReconcileSeconds {
    /// Each member with its minimum in seconds. The maximum is one hour.
    const MEMBERS: [(&'static str, i64); 3] =
        [("first_look_after", 20), ("second_look_after", 120), ("resend_within", 600)];
    const MOST: i64 = 3_600;

    fn schema() -> Value {
        let properties: Map<String, Value> = Self::MEMBERS
            .iter()
            .map(|&(name, least)| {
                let range = json!({ "type": "integer", "minimum": least, "maximum": Self::MOST });
                (name.to_owned(), range)
            })
            .collect();
        let required: Vec<&str> = Self::MEMBERS.iter().map(|&(name, _)| name).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

impl SettingType for ReconcileSeconds {
    const KIND: Kind = Kind::Json { schema: Self::schema };

    fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            let members = Self::MEMBERS.map(|(name, least)| format!("\"{name}\": {least}"));
            format!(
                "must be a JSON object such as {{{}}}, with at least these values and at most {}, \
                 in seconds",
                members.join(", "),
                Self::MOST
            )
        };
        let Ok(Value::Object(object)) = serde_json::from_str(text) else { return Err(expected()) };
        if object.len() != Self::MEMBERS.len() {
            return Err(expected());
        }
        let member = |(name, least)| {
            object
                .get(name)
                .and_then(Value::as_i64)
                .filter(|seconds| (least..=Self::MOST).contains(seconds))
                .map(Duration::seconds)
                .ok_or_else(expected)
        };
        let [first, second, resend] = Self::MEMBERS;
        Ok(Self {
            first_look_after: member(first)?,
            second_look_after: member(second)?,
            resend_within: member(resend)?,
        })
    }

    fn encode(&self) -> String {
        self.json().to_string()
    }

    fn json(&self) -> Value {
        json!({
            "first_look_after": self.first_look_after.num_seconds(),
            "second_look_after": self.second_look_after.num_seconds(),
            "resend_within": self.resend_within.num_seconds(),
        })
    }
}

/// A fault that the sandbox simulates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultName(String);

impl FaultName {
    /// The names of all faults.
    pub const ALL: [&'static str; 10] = [
        "refuse",
        "wait",
        "channel",
        "lost-request",
        "lost-answer",
        "slow-prepare",
        "slow-request",
        "slow-answer",
        "slow-look",
        "blind",
    ];

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Item for FaultName {
    const NAME: &'static str = "faults";

    fn parse(text: &str) -> Result<Self, String> {
        if Self::ALL.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("contains '{text}', which is not one of {}", Self::ALL.join(", ")))
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}
