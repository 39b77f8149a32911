//! `waggle settings export` and `import`: the values that are set as a JSON file, without secrets.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value, json};
use waggle_kernel::Actor;
use waggle_settings::Action;
use waggle_settings::{Given, SettingsManager, Wish};

use super::super::input::standard_input;
use super::super::output::{Failure, print};
use super::text::{is_secret, text_of_value};

/// The value of `format` in an exported file.
const FORMAT: &str = "waggle-settings-1";
/// The maximum size of a file, in bytes.
const MOST: u64 = 16 * 1024 * 1024;

pub(super) fn export(
    settings: &SettingsManager,
    actor: &Actor,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let export = settings.export(actor)?;
    let document = json!({
        "format": FORMAT,
        "settings": export.settings,
        "secrets_left_out": export.secrets,
    });
    let text = serde_json::to_string_pretty(&document)?;
    match file {
        None => print(&text),
        Some(path) => std::fs::write(path, text + "\n")
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?,
    }
    Ok(())
}

pub(super) async fn import(
    settings: &SettingsManager,
    actor: &Actor,
    file: &Path,
    dry_run: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let (set, left_out) = read(file)?;
    let wishes: Vec<Wish> =
        set.iter().map(|(key, value)| Wish::new(key, Given::Json(value.clone()))).collect();
    let before = settings.export(actor)?.settings;
    let changes: Vec<(&String, &Value)> =
        set.iter().filter(|(key, value)| before.get(*key) != Some(value)).collect();
    let revision = if dry_run {
        settings.try_on(actor, &wishes)?;
        None
    } else {
        Some(settings.change(actor, &wishes, Action::Import).await?)
    };
    if as_json {
        let keys: Vec<&String> = changes.iter().map(|(key, _)| *key).collect();
        let answer = json!({
            "changed": keys,
            "secrets_left_out": left_out,
            "dry_run": dry_run,
            "revision": revision.map(|revision| revision.0),
        });
        print(&answer.to_string());
        return Ok(());
    }
    for (key, value) in &changes {
        let text = if is_secret(key) { "(secret)".to_owned() } else { text_of_value(value) };
        print(&format!("{key} = {text}"));
    }
    let done = if dry_run { "would be set" } else { "are set" };
    print(&format!("{} settings {done}.", changes.len()));
    if !left_out.is_empty() {
        print(&format!("These secrets are not in the file: {}.", left_out.join(", ")));
    }
    Ok(())
}

/// Reads the settings of a file, and the keys of the secrets that it leaves out.
fn read(file: &Path) -> Result<(Map<String, Value>, Vec<String>), Failure> {
    let text = if file == Path::new("-") {
        standard_input(MOST)?
    } else {
        let mut text = String::new();
        std::fs::File::open(file)
            .and_then(|file| file.take(MOST + 1).read_to_string(&mut text))
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        if text.len() as u64 > MOST {
            return Err(format!("{} has more than {MOST} bytes", file.display()).into());
        }
        text
    };
    let wrong = |reason: &str| format!("{} is not an export of settings: {reason}", file.display());
    let document: Value = serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
    if document.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(wrong(&format!("\"format\" is not \"{FORMAT}\"")).into());
    }
    let Some(Value::Object(settings)) = document.get("settings") else {
        return Err(wrong("\"settings\" is not an object").into());
    };
    let left_out = document.get("secrets_left_out").and_then(Value::as_array);
    let left_out =
        left_out.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    Ok((settings.clone(), left_out))
}
