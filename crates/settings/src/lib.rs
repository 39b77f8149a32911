//! What an operator tunes: declared once, typed, looked up in the database, then the environment, then the default.
//!
//! A value is absent or valid: an empty text is absent wherever it comes from, so that an empty row can
//! never shadow the environment; an invalid one is refused with the reason.
//!
//! ```
//! use waggle_settings::registry;
//!
//! let networks = (registry::TRUSTED_INGEST_NETWORKS.parse)("10.0.0.0/8, 192.168.1.7")?;
//!
//! assert!(networks.contains("10.1.2.3".parse().unwrap()));
//! assert!(!networks.contains("192.168.1.8".parse().unwrap()));
//! assert!((registry::TRUSTED_INGEST_NETWORKS.parse)("everywhere").is_err());
//! # Ok::<(), String>(())
//! ```

pub mod ports;
pub mod registry;
mod setting;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;
mod values;

pub use setting::{Declaration, Setting, Source, Sourced};
pub use settings::{InvalidValue, Settings, SettingsError, Shown};
pub use values::{Networks, WholeSeconds};
