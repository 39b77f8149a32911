//! `waggle settings init`: asks for the settings that have no value. An empty answer changes
//! nothing.

use serde_json::json;
use waggle_kernel::Actor;
use waggle_settings::Action;
use waggle_settings::{Given, SettingsError, SettingsManager, Wish};

use super::super::input::ask;
use super::super::output::{Failure, print};

pub(super) async fn run(
    settings: &SettingsManager,
    actor: &Actor,
    as_json: bool,
) -> Result<(), Failure> {
    let missing = settings.missing(actor)?;
    if as_json {
        let keys: Vec<&str> = missing.iter().map(|shown| shown.key.as_str()).collect();
        print(&json!({ "missing": keys }).to_string());
        return Ok(());
    }
    if missing.is_empty() {
        print("Nothing is missing.");
        return Ok(());
    }
    print(&format!("{} settings have no value. An empty answer changes nothing.", missing.len()));
    let mut group = None;
    let mut set = 0;
    for shown in &missing {
        let Some(declaration) = shown.declaration else { continue };
        if group.replace(declaration.group) != Some(declaration.group) {
            print(&format!("\n# {}", declaration.group.title()));
        }
        print(declaration.description);
        loop {
            let answer = ask(&format!("{}: ", shown.key), shown.is_secret())?;
            let Some(text) = answer else {
                print(&format!("\n{set} settings were set."));
                return Ok(());
            };
            if text.trim().is_empty() {
                break;
            }
            let wish = Wish::new(&shown.key, Given::Text(text.into()));
            match settings.change(actor, &[wish], Action::Set).await {
                Ok(_) => {
                    set += 1;
                    break;
                }
                Err(SettingsError::Invalid(problems)) => {
                    for problem in problems {
                        print(&format!("This value is invalid: {problem}"));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    print(&format!("\n{set} settings were set."));
    Ok(())
}
