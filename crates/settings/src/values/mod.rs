//! The types of setting values.

mod access;
mod host;
mod list;
mod number;
mod publishing;
mod text;
mod url;

pub use self::access::{LIMIT_NAMES, LimitRule, RoleName};
pub use self::host::{Address, Domain, Email, HostName, Network};
pub use self::list::{Item, List, MOST_ITEMS};
pub use self::number::{Boolean, Decimal, Integer, Seconds};
pub use self::publishing::{FaultName, ReconcileSeconds};
pub use self::text::{MOST_TEXT, Secret, Text};
pub use self::url::{ApiUrl, BaseUrl, SiteUrl};
