//! The events of changes of settings.

use chrono::{DateTime, Utc};
use serde_json::Value;
use waggle_kernel::{ActorRef, NewEvent, ObjectRef, Version};

use crate::revision::Revision;
use crate::stored::{Kept, MASTER_KEY, NewChange};
use crate::{custom, registry};

/// The kind of settings as objects of events.
pub const SETTING: &str = "setting";

/// The event of a change, which never tells a secret.
pub fn changed(
    change: &NewChange,
    revision: Revision,
    by: &ActorRef,
    at: DateTime<Utc>,
) -> NewEvent {
    let key = change.key.as_str();
    // A leftover that is not declared may be a secret.
    let is_public = registry::find(key).is_some_and(|declared| !declared.is_secret())
        || custom::is_custom(key)
        || key == MASTER_KEY;
    let shown = |kept: Option<&Kept>| match kept {
        Some(Kept::Clear(text)) if is_public => Value::from(text.as_str()),
        _ => Value::Null,
    };
    let mut event = NewEvent::new("setting.changed", ObjectRef::new(SETTING, &key), by, at)
        .with_version(Version::new(revision.0))
        .with("action", change.action.name())
        .with("is_secret", !is_public)
        .with("was_set", change.from.is_some())
        .with("is_set", change.to.is_some());
    // A text may be an address or a name.
    let is_text = registry::find(key).is_none_or(|declared| declared.kind.may_be_personal());
    let values = if is_text { &mut event.personal } else { &mut event.change };
    values.insert("before".to_owned(), shown(change.from.as_ref().map(|(kept, _)| kept)));
    values.insert("after".to_owned(), shown(change.to.as_ref()));
    event
}

#[cfg(test)]
mod tests {
    use waggle_kernel::{Actor, Clock as _, FixedClock};

    use super::*;
    use crate::stored::Action;

    #[test]
    fn values_of_secrets_and_of_undeclared_settings_are_not_told() {
        let told = |key: &str| {
            let value = || Kept::Clear("the value".to_owned());
            let (from, to) = (Some((value(), Revision(1))), Some(value()));
            let change = NewChange { key: key.to_owned(), action: Action::Set, from, to };
            let by = Actor::system().reference();
            let event = changed(&change, Revision(2), &by, FixedClock::noon().now());
            let told = [event.change, event.personal].map(|part| Value::from(part).to_string());
            told.concat().contains("the value")
        };

        assert!(told("ALLOWED_DOMAIN"));
        assert!(!told("TWITTER_API_SECRET"));
        assert!(!told("LEFT_OVER_KEY"));
    }
}
