//! Operator settings: declared once, typed, and looked up in the database, then the environment,
//! then the default.
//!
//! A value is either absent or valid. A blank text counts as absent wherever it occurs, so an empty
//! row never hides a value of the environment. An invalid value is rejected with a reason and never
//! takes effect. The values in effect are held in memory, every change has a revision, and secrets
//! are sealed with a master key.
//!
//! ```
//! use waggle_settings::{List, Network, SettingType};
//!
//! let networks = List::<Network>::parse("10.0.0.0/8, 192.168.1.7")?;
//!
//! assert!(networks.contains("10.1.2.3".parse().unwrap()));
//! assert!(!networks.contains("192.168.1.8".parse().unwrap()));
//! assert!(List::<Network>::parse("everywhere").is_err());
//! # Ok::<(), String>(())
//! ```
//!
//! The ports in `testing` are in-memory implementations:
//!
//! ```
//! # #[cfg(feature = "testing")]
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! use std::sync::Arc;
//! use waggle_kernel::{Actor, FixedClock, MockEntropy};
//! use waggle_settings::testing::{MemoryKeys, MemorySettings, Variables};
//! use waggle_settings::{SettingsManager, SettingsPorts, Source};
//!
//! let mut entropy = MockEntropy::new();
//! entropy.expect_bytes().returning(|| Ok([7; 32]));
//! let ports = SettingsPorts {
//!     repository: Arc::new(MemorySettings::default()),
//!     keys: Arc::new(MemoryKeys::default()),
//!     clock: Arc::new(FixedClock::noon()),
//!     entropy: Arc::new(entropy),
//!     observer: Arc::new(()),
//! };
//! let settings = SettingsManager::open(ports, &Variables::default()).await?;
//! let operator = Actor::system();
//!
//! settings.set_setting(&operator, "PUBLISH_AT_ONCE", 3.into()).await?;
//! settings.set_setting(&operator, "TWITTER_OAUTH2_TOKEN", "hush".into()).await?;
//!
//! assert_eq!(settings.values().publish_at_once.number(), 3);
//! assert_eq!(settings.show(&operator, "PUBLISH_AT_ONCE")?.source, Source::Database);
//! assert!(settings.show(&operator, "TWITTER_OAUTH2_TOKEN")?.value.is_null());
//! assert!(settings.set_setting(&operator, "PUBLISH_AT_ONCE", "many".into()).await.is_err());
//! # Ok::<(), waggle_settings::SettingsError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod change;
pub mod custom;
mod declaration;
mod error;
pub mod events;
mod history;
mod kind;
mod manager;
pub mod ports;
pub mod registry;
mod revision;
mod rotate;
mod show;
mod snapshot;
mod stored;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod values;
mod vault;

pub use change::{Given, Wish};
pub use declaration::{Declaration, Group, Source};
pub use error::SettingsError;
pub use history::{Past, ShownChange};
pub use kind::{Canonical, Field, Kind, SettingType};
pub use manager::{SettingsManager, SettingsPorts};
pub use registry::{ALL as DECLARATIONS, Values};
pub use revision::Revision;
pub use rotate::{Rotated, Unreadable};
pub use show::{Export, Shown};
pub use snapshot::Problem;
pub use stored::{
    Action, Change, Kept, MASTER_KEY, NewChange, NewChanges, Resealed, SealedAt, Stored,
    StoredSecret, StoredSetting,
};
pub use values::{
    Address, ApiUrl, BaseUrl, Boolean, Decimal, Domain, Email, FaultName, HostName, Integer, Item,
    LIMIT_NAMES, LimitRule, List, MOST_ITEMS, MOST_TEXT, Network, ReconcileSeconds, RoleName,
    Seconds, Secret, SiteUrl, Text,
};
pub use vault::{InvalidMasterKey, KeyId, MasterKey, MasterKeys, Place, Sealed, SealedError};
