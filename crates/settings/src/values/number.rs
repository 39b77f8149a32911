//! Numbers, switches and durations.

use chrono::Duration;
use serde_json::Value;

use crate::kind::{Kind, SettingType};

/// An integer from `LEAST` to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer<const LEAST: i64, const MOST: i64>(i64);

impl<const LEAST: i64, const MOST: i64> Integer<LEAST, MOST> {
    /// The number.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The number as a `usize`, or 0 if it is out of range.
    pub fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or_default()
    }
}

impl<const LEAST: i64, const MOST: i64> SettingType for Integer<LEAST, MOST> {
    const KIND: Kind = Kind::Integer { least: LEAST, most: MOST };

    fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().parse().ok().filter(|number| (LEAST..=MOST).contains(number));
        number.map(Self).ok_or_else(|| format!("must be a whole number from {LEAST} to {MOST}"))
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn json(&self) -> Value {
        self.0.into()
    }
}

/// A decimal number. Its bounds are given in thousandths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimal<const LEAST: i32, const MOST: i32>(f64);

impl<const LEAST: i32, const MOST: i32> Decimal<LEAST, MOST> {
    const BOUNDS: (f64, f64) = (LEAST as f64 / 1000.0, MOST as f64 / 1000.0);

    /// The number.
    pub const fn number(self) -> f64 {
        self.0
    }
}

impl<const LEAST: i32, const MOST: i32> SettingType for Decimal<LEAST, MOST> {
    const KIND: Kind = Kind::Decimal { least: Self::BOUNDS.0, most: Self::BOUNDS.1 };

    fn parse(text: &str) -> Result<Self, String> {
        let (least, most) = Self::BOUNDS;
        let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
        number.map(Self).ok_or_else(|| format!("must be a number from {least} to {most}"))
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn json(&self) -> Value {
        self.0.into()
    }
}

/// True or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boolean(bool);

impl Boolean {
    /// Whether it is on.
    pub const fn is_on(self) -> bool {
        self.0
    }
}

impl SettingType for Boolean {
    const KIND: Kind = Kind::Boolean;

    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(Self(true)),
            "false" | "no" | "off" | "0" => Ok(Self(false)),
            _ => Err("must be true or false (or yes, no, on, off, 1, 0)".to_owned()),
        }
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn json(&self) -> Value {
        self.0.into()
    }
}

/// A duration from `LEAST` to `MOST` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds<const LEAST: i64, const MOST: i64>(i64);

impl<const LEAST: i64, const MOST: i64> Seconds<LEAST, MOST> {
    /// Converts the value to a [`Duration`].
    pub fn duration(self) -> Duration {
        Duration::seconds(self.0)
    }
}

impl<const LEAST: i64, const MOST: i64> SettingType for Seconds<LEAST, MOST> {
    const KIND: Kind = Kind::Duration { least: LEAST, most: MOST };

    fn parse(text: &str) -> Result<Self, String> {
        seconds(text.trim())
            .filter(|seconds| (LEAST..=MOST).contains(seconds))
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "must be a duration from {LEAST} to {MOST} seconds, such as 90, 90s, 15m, 6h, \
                     2d or 1h30m"
                )
            })
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn json(&self) -> Value {
        self.0.into()
    }
}

/// Parses `90`, `90s` or `1h30m`.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(seconds.into());
    }
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let unit = tail.chars().next()?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let number = i64::from(number.parse::<u32>().ok()?);
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = tail.get(unit.len_utf8()..)?;
    }
    (!text.is_empty()).then_some(total)
}
