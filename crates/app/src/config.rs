//! The configuration, which is needed before the database opens. Everything else is a setting.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use waggle_system::MasterKeyPlace;

/// The defaults, documented line by line.
const DEFAULT: &str = include_str!("../../../config/default.toml");

/// The configuration. `WAGGLE_*` variables override the file that `WAGGLE_CONFIG` names, which
/// overrides `config/default.toml`.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) database_url: String,
    /// The folder of Waggle's files.
    pub(crate) data_dir: PathBuf,
    /// The filter of log lines, in the syntax of [`tracing_subscriber::EnvFilter`].
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) master_key: MasterKeyPlace,
    /// For how many days events are kept; 0 if all are. It is no setting, so that nobody who can
    /// write to the database or is an admin can shorten the record.
    pub(crate) events_keep_days: u32,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    /// One JSON object per line.
    Json,
}

/// The keys of a configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    listen: Option<String>,
    database_url: Option<String>,
    data_dir: Option<PathBuf>,
    log: Option<String>,
    log_format: Option<String>,
    master_key_file: Option<PathBuf>,
    events_keep_days: Option<DaysText>,
}

/// A number of days in a file, or its text in a variable.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum DaysText {
    Number(i64),
    Text(String),
}

impl Keys {
    fn over(self, below: Self) -> Self {
        Self {
            listen: self.listen.or(below.listen),
            database_url: self.database_url.or(below.database_url),
            data_dir: self.data_dir.or(below.data_dir),
            log: self.log.or(below.log),
            log_format: self.log_format.or(below.log_format),
            master_key_file: self.master_key_file.or(below.master_key_file),
            events_keep_days: self.events_keep_days.or(below.events_keep_days),
        }
    }
}

/// Errors of the configuration.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the configuration file {path} is invalid: {message}")]
    File {
        path: PathBuf,
        /// The line and the reason.
        message: String,
    },
    #[error("{name} is not UTF-8")]
    NotText { name: &'static str },
    #[error(
        "the environment variable {name} is unknown{}; Waggle reads {}",
        hint(.name),
        VARIABLES.join(", ")
    )]
    Unknown { name: String },
    /// A word of the filter is not a level. As a target it would silence all other logs.
    #[error(
        "log (WAGGLE_LOG) contains '{part}', which is not a level: use error, warn, info, debug \
         or trace, or target=level"
    )]
    Log { part: String },
    #[error(
        "WAGGLE_MASTER_KEY and master_key_file (WAGGLE_MASTER_KEY_FILE) are both set; set only \
         one of them"
    )]
    TwoMasterKeys,
    #[error("{key} is '{value}', but must be {expected}")]
    Value {
        /// The key in the file, and the environment variable.
        key: &'static str,
        value: String,
        /// A description of valid values.
        expected: &'static str,
    },
}

/// The environment variables of the configuration.
const VARIABLES: [&str; 9] = [
    "WAGGLE_CONFIG",
    "WAGGLE_LISTEN",
    "WAGGLE_DATABASE_URL",
    "WAGGLE_DATA_DIR",
    "WAGGLE_LOG",
    "WAGGLE_LOG_FORMAT",
    "WAGGLE_MASTER_KEY",
    "WAGGLE_MASTER_KEY_FILE",
    "WAGGLE_EVENTS_KEEP_DAYS",
];
/// The environment variables of the project's scripts, which may be set as well.
const OF_SCRIPTS: [&str; 2] = ["WAGGLE_TEST_POSTGRES_URL", "WAGGLE_POSTGRES_DURABLE"];

/// A hint at the variable that was most likely meant; empty if none is similar.
fn hint(name: &str) -> String {
    let likeness = |known: &str| {
        let same = |(a, b): &(char, char)| a == b;
        let front = name.chars().zip(known.chars()).take_while(same).count();
        let back = name.chars().rev().zip(known.chars().rev()).take_while(same).count();
        (front + back).min(known.len())
    };
    let best = VARIABLES.into_iter().max_by_key(|known| likeness(known));
    best.filter(|known| likeness(known) > "WAGGLE_".len() + 2)
        .map(|known| format!("; did you mean {known}?"))
        .unwrap_or_default()
}

/// Rejects unknown variables that begin with `WAGGLE_`, because a typo would go unnoticed.
///
/// # Errors
///
/// [`ConfigError::Unknown`] if there is such a variable.
pub(crate) fn check_names(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    for name in names.filter(|name| name.starts_with("WAGGLE_")) {
        let name = name.as_str();
        if !VARIABLES.contains(&name) && !OF_SCRIPTS.contains(&name) {
            return Err(ConfigError::Unknown { name: name.to_owned() });
        }
    }
    Ok(())
}

/// Rejects a filter with a bare word that is not a level. It would be read as a target, and all
/// other logs would be silenced.
fn check_log(filter: &str) -> Result<(), ConfigError> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for part in filter.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let is_level = LEVELS.contains(&part.to_ascii_lowercase().as_str());
        let is_target =
            part.contains(['=', '[']) || part.contains("::") || part.starts_with("waggle");
        if !is_level && !is_target {
            return Err(ConfigError::Log { part: part.chars().take(40).collect() });
        }
    }
    Ok(())
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], which names the invalid file, key or variable.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let set = |name: &'static str| match variable(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value).filter(|value| !value.trim().is_empty())),
            Some(Err(_)) => Err(ConfigError::NotText { name }),
        };
        let mut file = parse(Path::new("config/default.toml"), DEFAULT)?;
        if let Some(path) = set("WAGGLE_CONFIG")?.map(PathBuf::from) {
            let text = std::fs::read_to_string(&path)
                .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
            file = parse(&path, &text)?.over(file);
        }
        let key_file = set("WAGGLE_MASTER_KEY_FILE")?.map(PathBuf::from);
        let file = Keys {
            listen: set("WAGGLE_LISTEN")?,
            database_url: set("WAGGLE_DATABASE_URL")?,
            data_dir: set("WAGGLE_DATA_DIR")?.map(PathBuf::from),
            log: set("WAGGLE_LOG")?,
            log_format: set("WAGGLE_LOG_FORMAT")?,
            master_key_file: key_file.clone(),
            events_keep_days: set("WAGGLE_EVENTS_KEEP_DAYS")?.map(DaysText::Text),
        }
        .over(file);
        let listen = file.listen.unwrap_or_default();
        let listen = listen.parse().map_err(|_| ConfigError::Value {
            key: "listen (WAGGLE_LISTEN)",
            value: listen,
            expected: "an IP address and a port, such as 127.0.0.1:8000",
        })?;
        let log_format = match file.log_format.as_deref().unwrap_or_default() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => {
                return Err(ConfigError::Value {
                    key: "log_format (WAGGLE_LOG_FORMAT)",
                    value: other.to_owned(),
                    expected: "text or json",
                });
            }
        };
        let data_dir = file.data_dir.unwrap_or_default();
        let database_url = file
            .database_url
            .unwrap_or_else(|| format!("sqlite://{}", data_dir.join("waggle.db").display()));
        let master_key = match (set("WAGGLE_MASTER_KEY")?, file.master_key_file) {
            (Some(_), _) if key_file.is_some() => return Err(ConfigError::TwoMasterKeys),
            (Some(key), _) => MasterKeyPlace::Environment(key.into()),
            (None, Some(path)) => MasterKeyPlace::Named(path),
            (None, None) => MasterKeyPlace::DataDir(data_dir.join("master.key")),
        };
        let log = file.log.unwrap_or_default();
        check_log(&log)?;
        let events_keep_days = days(file.events_keep_days.as_ref())?;
        Ok(Self { listen, database_url, data_dir, log, log_format, master_key, events_keep_days })
    }
}

/// A number of days: 0 to 36,500.
fn days(given: Option<&DaysText>) -> Result<u32, ConfigError> {
    let text = match given {
        None => return Ok(0),
        Some(DaysText::Number(number)) => number.to_string(),
        Some(DaysText::Text(text)) => text.trim().to_owned(),
    };
    text.parse().ok().filter(|days| *days <= 36_500).ok_or(ConfigError::Value {
        key: "events_keep_days (WAGGLE_EVENTS_KEEP_DAYS)",
        value: text,
        expected: "a number of days from 0 to 36500; 0 keeps all events",
    })
}

fn parse(path: &Path, text: &str) -> Result<Keys, ConfigError> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        // The content of the line is left out, because it may contain a password.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let message = format!("line {line}: {}", error.message());
        ConfigError::File { path: path.to_owned(), message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_nothing_set_waggle_runs_on_sqlite_in_the_data_folder() {
        let config = Config::read(|_| None).unwrap();

        assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(config.database_url, "sqlite://./data/waggle.db");
    }

    #[test]
    fn an_empty_variable_counts_as_not_set_and_an_invalid_one_is_named() {
        let empty = Config::read(|_| Some(OsString::new())).unwrap();
        let wrong =
            Config::read(|name| (name == "WAGGLE_LISTEN").then(|| "8000".into())).unwrap_err();

        assert_eq!(empty.listen.port(), 8000);
        assert!(wrong.to_string().contains("WAGGLE_LISTEN"), "{wrong}");
    }

    #[test]
    fn an_unknown_variable_is_rejected_with_a_suggestion() {
        let check = |name: &str| check_names([name.to_owned()].into_iter());

        let error = check("WAGGLE_DATABSE_URL").unwrap_err().to_string();

        assert!(error.contains("did you mean WAGGLE_DATABASE_URL?"), "{error}");
        assert!(check("WAGGLE_LOGFORMAT").unwrap_err().to_string().contains("WAGGLE_LOG_FORMAT?"));
        assert!(check("WAGGLE_LISTEN").is_ok() && check("PATH").is_ok());
    }

    #[test]
    fn a_filter_that_would_silence_the_log_is_refused() {
        for text in ["verbose", "inof", "info,hyper", "debg,hyper=info"] {
            let set = |name: &str| (name == "WAGGLE_LOG").then(|| text.into());
            assert!(matches!(Config::read(set), Err(ConfigError::Log { .. })), "{text}");
        }
        for text in ["info", "warn,waggle=debug", "waggle::worker=trace", "OFF", ""] {
            assert!(check_log(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn events_are_kept_unless_a_number_of_days_is_set() {
        let read = |text: &'static str| {
            Config::read(|name| (name == "WAGGLE_EVENTS_KEEP_DAYS").then(|| text.into()))
        };

        assert_eq!(Config::read(|_| None).unwrap().events_keep_days, 0);
        assert_eq!(read(" 400 ").unwrap().events_keep_days, 400);
        for text in ["-1", "36501", "1.5", "a year"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("WAGGLE_EVENTS_KEEP_DAYS"), "{error}");
        }
        let file = parse(Path::new("my.toml"), "events_keep_days = 30").unwrap();
        assert_eq!(days(file.events_keep_days.as_ref()).unwrap(), 30);
    }

    #[test]
    fn an_unknown_key_is_rejected() {
        let error = parse(Path::new("my.toml"), "lisen = \"127.0.0.1:1\"").unwrap_err();

        assert!(error.to_string().contains("lisen"), "{error}");
    }

    #[test]
    fn an_invalid_line_is_reported_by_its_number_without_its_content() {
        let text = "log = \"info\"\ndatabase_url = \"postgresql://u:hush@h/d";

        let error = parse(Path::new("my.toml"), text).unwrap_err().to_string();

        assert!(error.contains("line 2") && !error.contains("hush"), "{error}");
    }

    #[test]
    fn the_master_key_is_set_in_one_place_and_never_printed() {
        let in_environment =
            Config::read(|name| (name == "WAGGLE_MASTER_KEY").then(|| "hush".into()));
        let both = Config::read(|name| name.starts_with("WAGGLE_MASTER_KEY").then(|| "x".into()));

        assert!(!format!("{in_environment:?}").contains("hush"));
        assert!(matches!(both, Err(ConfigError::TwoMasterKeys)), "{both:?}");
    }

    #[test]
    fn a_variable_that_is_not_utf_8_is_rejected_by_name() {
        let not_text: OsString = std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
        let config = Config::read(|name| (name == "WAGGLE_MASTER_KEY").then(|| not_text.clone()));

        assert!(
            matches!(config, Err(ConfigError::NotText { name: "WAGGLE_MASTER_KEY" })),
            "{config:?}"
        );
    }
}
