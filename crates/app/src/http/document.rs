//! The OpenAPI document: what the framework generates, adapted to what other tools expect, and the
//! two n8n endpoints.

use poem::http::Method;
use serde_json::{Map, Value, json};
use waggle_kernel::Limit;

use super::access::{Access, access};
use super::addresses::API;
use super::failure::{of_frame, reference, responses};
use super::idempotency::{MOST_KEY, is_creating};

/// Builds the document. `spec` is the document of the framework. `calls` has the paths outside of
/// the native API, with their schemas and tags.
pub(crate) fn document(spec: Value, calls: Value) -> Value {
    let of_requests = schemas_of_requests(&spec);
    let (mut spec, mut calls) = (object(spec), object(calls));
    let mut of_calls = |name: &str| calls.remove(name).unwrap_or_default();
    let schemas = spec.get_mut("components").and_then(|components| components.get_mut("schemas"));
    if let Some(Value::Object(schemas)) = schemas {
        for (name, schema) in schemas.iter_mut() {
            tell_of_nulls(schema);
            if let Some(schema) = schema.as_object_mut()
                && of_requests.contains(name)
                && schema.contains_key("properties")
            {
                schema.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        schemas.extend(object(of_calls("schemas")));
    }
    let mut paths = Map::new();
    for (path, operations) in object(spec.remove("paths").unwrap_or_default()) {
        let mut operations = object(operations);
        for (method, operation) in &mut operations {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let access = access(&method, &sample(&path));
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            let takes_values = parameters.as_ref().is_some_and(|all| !all.is_empty());
            parameters.into_iter().flatten().for_each(tell_of_pages);
            if let Some(operation) = operation.as_object_mut()
                && is_creating(&method, &sample(&path))
            {
                let all = operation.entry("parameters").or_insert_with(|| json!([]));
                all.as_array_mut().into_iter().for_each(|all| all.push(idempotency_key()));
            }
            if let Some(responses) = operation["responses"].as_object_mut() {
                for (status, response) in responses.iter_mut() {
                    if let Ok(status @ 400..) = status.parse() {
                        *response = reference(status);
                    }
                }
                responses.extend(of_frame(&method, access, takes_values));
            }
            if let Some(operation) = operation.as_object_mut()
                && access == Some(Access::Open)
            {
                operation.insert("security".to_owned(), json!([]));
            }
        }
        paths.insert(format!("{API}{path}"), Value::Object(operations));
    }
    paths.extend(object(of_calls("paths")));
    if let (Some(Value::Array(tags)), Value::Array(more)) = (spec.get_mut("tags"), of_calls("tags"))
    {
        tags.extend(more);
    }
    spec.insert("paths".to_owned(), Value::Object(paths));
    if let Some(components) = spec.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("responses".to_owned(), Value::Object(responses()));
    }
    // Types that include null need this version (JSON Schema 2020-12).
    spec.insert("openapi".to_owned(), json!("3.1.0"));
    spec.insert("servers".to_owned(), json!([{ "url": "/" }]));
    Value::Object(spec)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The header `Idempotency-Key`.
fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "A value of your own, such as a UUID. If you repeat the call with it, the \
                        call is made once, and you get the same answer again.",
        "schema": { "type": "string", "minLength": 1, "maxLength": MOST_KEY },
    })
}

/// A path with values for its placeholders.
fn sample(path: &str) -> String {
    path.replace(['{', '}'], "")
}

/// Adds the bounds of `limit`, which are the same for all lists.
fn tell_of_pages(parameter: &mut Value) {
    if parameter["name"] == "limit"
        && let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut)
    {
        schema.insert("minimum".to_owned(), json!(1));
        schema.insert("maximum".to_owned(), json!(Limit::MOST));
    }
}

/// Makes members that are not required nullable: a request may send null, and a response has null
/// where a value is missing. Puts references next to their description, instead of in `allOf`.
fn tell_of_nulls(schema: &mut Value) {
    let required = schema.get("required").cloned().unwrap_or_default();
    let is_required =
        |name: &str| required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let members = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, member) in members.into_iter().flatten() {
        let Some(member) = member.as_object_mut() else { continue };
        if let Some(Value::Array(all)) = member.remove("allOf") {
            let reference = all.iter().find_map(|one| one.get("$ref")).cloned();
            member.extend(reference.map(|reference| ("$ref".to_owned(), reference)));
        }
        if is_required(name) {
            continue;
        }
        if let Some(reference) = member.remove("$ref") {
            let either = json!([{ "$ref": reference }, { "type": "null" }]);
            member.insert("anyOf".to_owned(), either);
        } else if let Some(kind) = member.get_mut("type") {
            *kind = json!([kind.take(), "null"]);
            if let Some(Value::Array(all)) = member.get_mut("enum") {
                all.push(Value::Null);
            }
        }
    }
}

/// The names of all schemas that are used in requests.
fn schemas_of_requests(spec: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for operation in operations(spec) {
        collect(&operation["requestBody"], spec, &mut names);
    }
    names
}

fn operations(spec: &Value) -> impl Iterator<Item = &Value> {
    let paths = spec["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(_, operations)| operations.as_object().into_iter().flatten()).map(|(_, o)| o)
}

fn collect(value: &Value, spec: &Value, names: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, spec, names)),
        Value::Object(members) => {
            if let Some(name) = members.get("$ref").and_then(Value::as_str).and_then(named)
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
                let schema = spec.pointer(&format!("/components/schemas/{name}"));
                collect(schema.unwrap_or_default(), spec, names);
            }
            members.values().for_each(|member| collect(member, spec, names));
        }
        _ => {}
    }
}

/// The name of the schema that a reference points to.
pub(super) fn named(reference: &str) -> Option<&str> {
    reference.strip_prefix("#/components/schemas/")
}
