//! Values are looked up and set.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::{Actor, Clock, Forbidden, PortError, Scope};

use crate::ports::{Environment, SettingRepository};
use crate::registry;
use crate::setting::{Declaration, Setting, Source, Sourced};

/// Looks values up and sets them.
pub struct Settings {
    /// What operators set.
    pub repository: Arc<dyn SettingRepository>,
    /// What the environment says.
    pub environment: Arc<dyn Environment>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// A setting as it is shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Its value; of a secret only that it is set.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: Source,
}

impl Settings {
    /// The value of a setting: of the database, else of the environment, else the default.
    ///
    /// # Errors
    ///
    /// - [`SettingsError::Invalid`] if the first that is set is not valid.
    /// - [`SettingsError::Port`] if the store cannot answer.
    pub async fn get<T>(&self, setting: &Setting<T>) -> Result<Sourced<T>, SettingsError> {
        let (text, source) = self.text(setting.name, setting.default, setting.secret).await?;
        let value = text
            .map(|text| (setting.parse)(&text))
            .transpose()
            .map_err(|reason| InvalidValue { name: setting.name, from: source, reason })?;
        Ok(Sourced { value, source })
    }

    /// Every setting with its value.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Forbidden`] without the scope `admin`, [`SettingsError::Port`].
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Shown>, SettingsError> {
        actor.require(Scope::Admin)?;
        let mut shown = Vec::with_capacity(registry::ALL.len());
        for declaration in registry::ALL {
            let (text, source) =
                self.text(declaration.name, declaration.default, declaration.secret).await?;
            let value = if declaration.secret { text.map(|_| "(set)".to_owned()) } else { text };
            shown.push(Shown {
                name: declaration.name,
                description: declaration.description,
                value,
                source,
            });
        }
        Ok(shown)
    }

    /// Sets a value in the database; an empty one removes it.
    ///
    /// # Errors
    ///
    /// [`SettingsError`]; then nothing is changed.
    pub async fn set(&self, actor: &Actor, name: &str, text: &str) -> Result<(), SettingsError> {
        actor.require(Scope::Admin)?;
        let declaration = declared(name)?;
        if declaration.secret {
            return Err(SettingsError::Secret { name: declaration.name });
        }
        let value = present(Some(text.to_owned()));
        if let Some(value) = &value {
            (declaration.check)(value).map_err(|reason| InvalidValue {
                name: declaration.name,
                from: Source::Database,
                reason,
            })?;
        }
        Ok(self.repository.set(declaration.name, value, self.clock.now()).await?)
    }

    /// Every value of the environment that is not valid, so that all can be mended at once.
    pub fn invalid_in_environment(&self) -> Vec<InvalidValue> {
        registry::ALL
            .iter()
            .filter_map(|declaration| {
                let text = present(self.environment.variable(declaration.name))?;
                let reason = (declaration.check)(&text).err()?;
                Some(InvalidValue { name: declaration.name, from: Source::Environment, reason })
            })
            .collect()
    }

    async fn text(
        &self,
        name: &str,
        default: Option<&str>,
        secret: bool,
    ) -> Result<(Option<String>, Source), PortError> {
        // Secrets are not kept in the database as long as it keeps them in the clear.
        let stored = if secret { None } else { present(self.repository.get(name).await?) };
        if stored.is_some() {
            return Ok((stored, Source::Database));
        }
        let given = present(self.environment.variable(name));
        if given.is_some() {
            return Ok((given, Source::Environment));
        }
        Ok((default.map(str::to_owned), Source::Default))
    }
}

/// An empty text is no value.
fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn declared(name: &str) -> Result<&'static Declaration, SettingsError> {
    registry::ALL
        .iter()
        .find(|declaration| declaration.name == name)
        .ok_or_else(|| SettingsError::Unknown { name: name.to_owned() })
}

/// A value that makes no sense. It is not repeated here: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the value of {name} from the {} {reason}", from.name())]
pub struct InvalidValue {
    /// The setting.
    pub name: &'static str,
    /// Where the value comes from.
    pub from: Source,
    /// What is wrong with it.
    pub reason: String,
}

/// Why that could not be done.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The actor may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such setting.
    #[error("there is no setting '{name}'")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Secrets are taken from the environment alone for now.
    #[error("{name} is a secret; it is taken from the environment alone")]
    Secret {
        /// The setting.
        name: &'static str,
    },
    /// The value makes no sense.
    #[error("{0}")]
    Invalid(InvalidValue),
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<InvalidValue> for SettingsError {
    fn from(invalid: InvalidValue) -> Self {
        Self::Invalid(invalid)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waggle_kernel::FixedClock;

    use super::*;
    use crate::ports::{MockEnvironment, MockSettingRepository};

    fn settings(stored: Option<&'static str>, given: Option<&'static str>) -> Settings {
        let mut repository = MockSettingRepository::new();
        repository.expect_get().returning(move |_| Ok(stored.map(str::to_owned)));
        repository.expect_set().returning(|_, _, _| Ok(()));
        let mut environment = MockEnvironment::new();
        environment.expect_variable().returning(move |_| given.map(str::to_owned));
        Settings {
            repository: Arc::new(repository),
            environment: Arc::new(environment),
            clock: Arc::new(FixedClock::noon()),
        }
    }

    #[tokio::test]
    async fn the_database_comes_before_the_environment_and_that_before_the_default() {
        let cases = [
            (Some("30"), Some("40"), 30, Source::Database),
            (Some(""), Some("40"), 40, Source::Environment),
            (Some("  "), Some(" "), 90, Source::Default),
            (None, None, 90, Source::Default),
        ];

        for (stored, given, seconds, source) in cases {
            let found =
                settings(stored, given).get(&registry::PUBLISH_LEASE_SECONDS).await.unwrap();

            assert_eq!(found.value.map(|value| value.0), Some(seconds));
            assert_eq!(found.source, source);
        }
    }

    #[tokio::test]
    async fn an_invalid_value_is_an_error_and_not_the_default() {
        let found = settings(None, Some("soon")).get(&registry::PUBLISH_LEASE_SECONDS).await;

        assert!(matches!(found, Err(SettingsError::Invalid(_))), "{found:?}");
    }

    #[tokio::test]
    async fn a_secret_is_neither_set_nor_shown() {
        let settings = settings(None, Some("hush-hush"));

        let result = settings.set(&Actor::system(), "TWITTER_API_SECRET", "x").await;
        let shown = settings.list(&Actor::system()).await.unwrap();

        assert!(matches!(result, Err(SettingsError::Secret { .. })), "{result:?}");
        let secret = shown.iter().find(|shown| shown.name == "TWITTER_API_SECRET").unwrap();
        assert_eq!(secret.value.as_deref(), Some("(set)"));
    }

    #[tokio::test]
    async fn an_unknown_name_and_an_invalid_value_are_refused() {
        let settings = settings(None, None);

        let unknown = settings.set(&Actor::system(), "TRUSTED", "x").await;
        let invalid = settings.set(&Actor::system(), "TRUSTED_INGEST_NETWORKS", "x").await;

        assert!(matches!(unknown, Err(SettingsError::Unknown { .. })), "{unknown:?}");
        assert!(matches!(invalid, Err(SettingsError::Invalid(_))), "{invalid:?}");
    }

    proptest! {
        #[test]
        fn no_blank_text_counts_as_a_value(text in "[ \t\n]{0,5}") {
            prop_assert_eq!(present(Some(text)), None);
        }
    }
}
