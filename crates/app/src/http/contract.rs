//! Checks requests against the API document before anything processes them: each parameter and each
//! field must be known, and must have its documented type.
//!
//! An error names the field, what is wrong with it, and what is allowed. It never repeats the
//! value, which may be a secret.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use poem::http::{Method, StatusCode};
use serde_json::{Map, Value};
use url::form_urlencoded;
use waggle_kernel::is_hidden;

use super::Problem;
use super::access::fits;
use super::addresses::API;
use super::document::named;
use super::json::not_json;

/// How much of an unknown name an error repeats, in characters.
const MOST_NAME: usize = 60;

/// All operations of the native API, and the schemas of their requests.
pub(crate) struct Contract {
    operations: Vec<Operation>,
    schemas: Map<String, Value>,
}

struct Operation {
    method: Method,
    /// The path, in which `:name` stands for one segment.
    pattern: String,
    parameters: Vec<Parameter>,
    body: Option<Value>,
}

struct Parameter {
    name: String,
    is_in_query: bool,
    schema: Value,
}

/// Why a request is rejected.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// A wrong type, or a name that is unknown, missing or repeated.
    #[error("{0}")]
    Form(String),
    /// The right type, but too large, too small, too long or empty.
    #[error("{0}")]
    Bounds(String),
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        let detail = unfit.to_string();
        match unfit {
            Unfit::Form(_) => Self::new(StatusCode::BAD_REQUEST, detail),
            Unfit::Bounds(_) => Self::invalid(detail),
        }
    }
}

impl Contract {
    /// Reads the operations and schemas from the API document.
    pub(crate) fn of(document: &Value) -> Self {
        let schemas = document.pointer("/components/schemas");
        let schemas = schemas.and_then(Value::as_object).cloned().unwrap_or_default();
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, operations)| {
            let pattern = path.strip_prefix(API).map(|path| path.replace('{', ":"));
            let operations = operations.as_object().into_iter().flatten();
            pattern.into_iter().flat_map(move |pattern| {
                let pattern = pattern.replace('}', "");
                operations.clone().filter_map(move |(method, operation)| {
                    let method = method.to_uppercase().parse().ok()?;
                    Some(Operation::of(method, pattern.clone(), operation))
                })
            })
        });
        Self { operations: operations.collect(), schemas }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Operation> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let fitting = self.operations.iter();
        let fitting = fitting.filter(|one| one.method == *method && fits(&one.pattern, path));
        fitting.min_by_key(|one| one.pattern.matches(':').count())
    }

    /// Checks the parameters in the path and the query.
    pub(super) fn check_parameters(
        &self,
        method: &Method,
        path: &str,
        query: &str,
    ) -> Result<(), Unfit> {
        let Some(operation) = self.operation(method, path) else { return Ok(()) };
        for (place, text) in operation.pattern.split('/').zip(path.split('/')) {
            if let Some(parameter) = place.strip_prefix(':').and_then(|name| operation.place(name))
            {
                let text = percent_decode_str(text).decode_utf8_lossy();
                self.check_text(&text, parameter)?;
            }
        }
        let mut seen: Vec<&str> = Vec::new();
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            let Some(parameter) = operation.of_query().find(|one| one.name == name) else {
                let known: Vec<&str> = operation.of_query().map(|one| &*one.name).collect();
                let what = format!("the parameter '{}' is unknown", shortened(&name));
                return Err(Unfit::Form(match known.as_slice() {
                    [] => format!("{what}: this operation has no parameters"),
                    known => format!("{what}; known parameters are {}", known.join(", ")),
                }));
            };
            let is_list = kind(&parameter.schema) == Some("array");
            if !is_list && seen.contains(&&*parameter.name) {
                return Err(Unfit::Form(format!("the parameter '{name}' is given more than once")));
            }
            seen.push(&parameter.name);
            self.check_text(&text, parameter)?;
        }
        Ok(())
    }

    fn check_text(&self, text: &str, parameter: &Parameter) -> Result<(), Unfit> {
        let schema = self.resolved(&parameter.schema);
        let schema = if kind(schema) == Some("array") { &schema["items"] } else { schema };
        let schema = self.resolved(schema);
        let value = match kind(schema) {
            Some("integer") => text.parse::<i64>().map(Value::from).ok(),
            Some("number") => text.parse::<f64>().map(Value::from).ok(),
            Some("boolean") => text.parse::<bool>().map(Value::from).ok(),
            _ => Some(Value::from(text)),
        };
        let place = format!("the parameter '{}'", parameter.name);
        self.check(&value.unwrap_or_default(), schema, &place)
    }

    /// Checks the body.
    pub(super) fn check_body(&self, method: &Method, path: &str, body: &[u8]) -> Result<(), Unfit> {
        let Some(operation) = self.operation(method, path) else { return Ok(()) };
        let value: Value =
            serde_json::from_slice(body).map_err(|error| Unfit::Form(not_json(body, &error)))?;
        let Some(schema) = &operation.body else {
            return match value {
                Value::Null => Ok(()),
                Value::Object(members) => match members.keys().next() {
                    None => Ok(()),
                    Some(name) => {
                        let name = shortened(name);
                        Err(Unfit::Form(format!(
                            "'{name}' is unknown: this operation accepts no fields"
                        )))
                    }
                },
                _ => Err(Unfit::Form("this operation accepts no body".to_owned())),
            };
        };
        self.check(&value, schema, "")
    }

    /// Follows a reference to its schema. Returns other schemas as they are.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let only = schema["anyOf"].get(0).unwrap_or(schema);
        let name = only["$ref"].as_str().and_then(named);
        name.and_then(|name| self.schemas.get(name)).unwrap_or(schema)
    }

    fn check(&self, value: &Value, schema: &Value, place: &str) -> Result<(), Unfit> {
        if value.is_null() && may_be_null(schema) {
            return Ok(());
        }
        let schema = self.resolved(schema);
        match (kind(schema), value) {
            (Some("object"), Value::Object(members)) => self.check_object(members, schema, place),
            (Some("array"), Value::Array(items)) => {
                let bound = |name: &str| schema[name].as_u64();
                let (least, most) = (bound("minItems"), bound("maxItems"));
                let length = items.len() as u64;
                if least.is_some_and(|least| length < least) {
                    return Err(Unfit::Bounds(format!("{} must not be empty", called(place))));
                }
                if let Some(most) = most.filter(|most| length > *most) {
                    let what = format!("{} has more than {most} entries", called(place));
                    return Err(Unfit::Bounds(what));
                }
                items.iter().enumerate().try_for_each(|(index, item)| {
                    self.check(item, &schema["items"], &format!("{place}[{index}]"))
                })
            }
            (Some("object" | "array"), _) => Err(Unfit::Form(expected(schema, place))),
            (_, value) if !is_of(schema, value) => Err(Unfit::Form(expected(schema, place))),
            (_, value) if !is_within(schema, value) => Err(Unfit::Bounds(expected(schema, place))),
            _ => Ok(()),
        }
    }

    fn check_object(
        &self,
        members: &Map<String, Value>,
        schema: &Value,
        place: &str,
    ) -> Result<(), Unfit> {
        let Some(known) = schema["properties"].as_object() else { return Ok(()) };
        let within = |name: &str| {
            if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
        };
        for (name, member) in members {
            let Some(schema) = known.get(name) else {
                let known: Vec<&str> = known.keys().map(String::as_str).collect();
                let place = within(&shortened(name));
                let what = format!("'{place}' is unknown; known fields are {}", known.join(", "));
                return Err(Unfit::Form(what));
            };
            self.check(member, schema, &within(name))?;
        }
        let mut required = schema["required"].as_array().into_iter().flatten();
        let missing =
            required.find_map(|name| name.as_str().filter(|name| !members.contains_key(*name)));
        missing.map_or(Ok(()), |name| Err(Unfit::Form(format!("'{}' is missing", within(name)))))
    }
}

impl Operation {
    fn of(method: Method, pattern: String, operation: &Value) -> Self {
        let all = operation["parameters"].as_array().into_iter().flatten();
        let parameters = all.filter_map(|one| {
            let place = one["in"].as_str().filter(|place| matches!(*place, "query" | "path"))?;
            Some(Parameter {
                name: one["name"].as_str()?.to_owned(),
                is_in_query: place == "query",
                schema: one["schema"].clone(),
            })
        });
        let contents = operation.pointer("/requestBody/content").and_then(Value::as_object);
        let body = contents.and_then(|all| all.values().next()).map(|one| one["schema"].clone());
        Self { method, pattern, parameters: parameters.collect(), body }
    }

    fn of_query(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|one| one.is_in_query)
    }

    fn place(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|one| !one.is_in_query && one.name == name)
    }
}

/// The type of a schema, without `null`.
fn kind(schema: &Value) -> Option<&str> {
    let kind = &schema["type"];
    kind.get(0).unwrap_or(kind).as_str()
}

fn may_be_null(schema: &Value) -> bool {
    let has_null =
        |kinds: &Value| kinds.as_array().is_some_and(|all| all.iter().any(|one| one == "null"));
    has_null(&schema["type"]) || schema["anyOf"].get(1).is_some_and(|other| other["type"] == "null")
}

/// Whether a value that is neither object nor list has the type that the schema requires.
fn is_of(schema: &Value, value: &Value) -> bool {
    match kind(schema) {
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.as_str().is_some_and(|text| {
            let is_one_of = |all: &Vec<Value>| all.iter().any(|one| one == value);
            schema["enum"].as_array().is_none_or(is_one_of)
                && (schema["format"] != "date-time" || text.parse::<DateTime<Utc>>().is_ok())
        }),
        _ => true,
    }
}

/// Whether a number or a text of the right type is within its bounds.
fn is_within(schema: &Value, value: &Value) -> bool {
    let number = value.as_i64().map(i128::from).or(value.as_u64().map(i128::from));
    let is_short =
        |most: u64| value.as_str().is_none_or(|text| text.chars().count() as u64 <= most);
    (kind(schema) != Some("integer")
        || number.is_some_and(|number| range(schema).contains(&number)))
        && schema["maxLength"].as_u64().is_none_or(is_short)
}

/// The whole numbers that a schema allows.
fn range(schema: &Value) -> RangeInclusive<i128> {
    let (least, most): (i128, i128) = match schema["format"].as_str() {
        Some("uint16") => (0, u16::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        Some("uint64") => (0, u64::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    };
    // The framework writes bounds as floating-point numbers.
    #[expect(clippy::cast_possible_truncation, reason = "bounds are whole numbers")]
    let bound = |name: &str| schema[name].as_f64().map(|bound| bound as i128);
    bound("minimum").unwrap_or(least)..=bound("maximum").unwrap_or(most)
}

/// The error message for a value that does not match its schema.
fn expected(schema: &Value, place: &str) -> String {
    let names = |all: &Vec<Value>| {
        let all: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
        format!("one of {}", all.join(", "))
    };
    let what = match kind(schema) {
        Some("object") => "an object".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("number") => "a number".to_owned(),
        Some("integer") => {
            let range = range(schema);
            if *range.start() < 0 {
                "a whole number".to_owned()
            } else {
                format!("a whole number from {} to {}", range.start(), range.end())
            }
        }
        _ if schema["format"] == "code" => {
            "the digits as a text, in quotes: a number would lose its leading zeros".to_owned()
        }
        _ if schema["format"] == "date-time" => {
            "a time with its offset from UTC, such as 2026-11-26T12:00:00Z".to_owned()
        }
        _ => match (schema["enum"].as_array(), schema["maxLength"].as_u64()) {
            (Some(all), _) => names(all),
            (None, Some(most)) => format!("a text of at most {most} characters"),
            (None, None) => "a text".to_owned(),
        },
    };
    format!("{} must be {what}", called(place))
}

fn called(place: &str) -> String {
    match place {
        "" => "the body".to_owned(),
        place if place.starts_with("the ") => place.to_owned(),
        place => format!("'{place}'"),
    }
}

/// The beginning of a name that the caller sent, without hidden characters.
fn shortened(name: &str) -> String {
    name.chars().filter(|c| !is_hidden(*c)).take(MOST_NAME).collect()
}
