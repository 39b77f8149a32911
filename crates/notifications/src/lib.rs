//! Notifications: which matters need a person, who is told of them and how, and when a matter is
//! settled.
//!
//! A *matter* is something that needs a person, such as a post that failed. Matters are opened by
//! events ([`Step`]). Each person who may do something about a matter gets one notification, in the
//! way that they chose for its kind ([`Choices`]). When a matter is settled, its notifications
//! disappear.
//!
//! ```
//! use waggle_kernel::{Scope, Scopes};
//! use waggle_notifications::{Choices, Delivery, Kind};
//!
//! let mut choices = Choices::default();
//! assert_eq!(choices.of(Kind::PostFailed), Delivery::AtOnce);
//!
//! choices.set(Kind::PostFailed, Delivery::Digest);
//!
//! assert_eq!(choices.of(Kind::PostFailed), Delivery::Digest);
//! assert!(Kind::PostFailed.is_for(Scopes::of(&[Scope::Publish])));
//! ```

mod choices;
mod kind;
mod manage;
mod matter;
mod notification;
pub mod ports;
mod tell;
mod told;

pub use choices::{Choices, ChoicesChange, Delivery};
pub use kind::Kind;
pub use manage::{ManageNotifications, ManageNotificationsError};
pub use matter::{Matter, OBJECT_KINDS, Opened, Step};
pub use notification::{MOST_UNREAD, Notification, Person, Read};
pub use tell::TellPeople;
pub use told::{Known, NewNotification, told};
