//! What happened at the door: who signed in, who was refused, who changed whose rights.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use waggle_kernel::ids::UserId;

use crate::address::Address;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $name,)+
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name in the database and on the wire.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

kinds! {
    /// Somebody signed in.
    LoginSuccess = "LOGIN_SUCCESS",
    /// Somebody was refused.
    LoginFailure = "LOGIN_FAILURE",
    /// Somebody was refused unheard, after too many failures.
    LoginLimited = "LOGIN_LIMITED",
    /// Somebody signed out.
    Logout = "LOGOUT",
    /// A session was ended by its user or an admin.
    SessionRevoked = "SESSION_REVOKED",
    /// All sessions of a user were ended.
    SessionsRevoked = "SESSIONS_REVOKED",
    /// Somebody changed the own password.
    PasswordChanged = "PASSWORD_CHANGED",
    /// Somebody wanted to change the own password and did not know the present one.
    PasswordChangeFailure = "PASSWORD_CHANGE_FAILURE",
    /// An operator gave a user another password, or none.
    PasswordSet = "PASSWORD_SET",
    /// A user was made.
    UserCreated = "USER_CREATED",
    /// What a user may do was changed.
    RoleChanged = "ROLE_CHANGED",
    /// A user was let in again.
    UserActivated = "USER_ACTIVATED",
    /// A user was shut out.
    UserDeactivated = "USER_DEACTIVATED",
    /// A user's names were changed.
    UserChanged = "USER_CHANGED",
}

/// From where somebody calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// The address.
    pub ip: Option<IpAddr>,
    /// What the browser says it is, cut to what is kept.
    pub user_agent: String,
    /// The id of the request, which the log has too.
    pub request_id: String,
}

impl Client {
    /// The most of a browser's name that is kept, in characters.
    pub const MOST_USER_AGENT: usize = 512;

    /// A client, with what it says of itself cut and cleaned.
    pub fn new(ip: Option<IpAddr>, user_agent: &str, request_id: String) -> Self {
        let user_agent =
            user_agent.chars().filter(|c| !c.is_control()).take(Self::MOST_USER_AGENT).collect();
        Self { ip, user_agent, request_id }
    }
}

/// Something that is to be written down.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAuthEvent {
    /// What happened.
    pub kind: EventKind,
    /// Whom it is about, where that is known.
    pub user: Option<UserId>,
    /// The address or name as it was typed, cut.
    pub email: String,
    /// Who did it: `system`, `user:3:joe`.
    pub actor: String,
    /// From where.
    pub client: Client,
    /// What else there is to say.
    pub metadata: Value,
    /// When.
    pub at: DateTime<Utc>,
}

impl NewAuthEvent {
    /// What is kept of what was typed to say who one is: an address, or what led to a user. Anything else may be a
    /// password in the wrong place, and is not kept.
    pub fn typed(typed: &str, user: Option<UserId>) -> String {
        let typed = typed.trim();
        let is_kept = user.is_some() || typed.parse::<Address>().is_ok();
        let seen = typed.chars().filter(|c| is_kept && !c.is_control());
        seen.take(Address::MOST).collect()
    }
}

/// Something that was written down.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthEvent {
    /// Its id.
    pub id: i64,
    /// What happened, by name: later versions may know more.
    pub kind: String,
    /// Whom it is about, where that is known.
    pub user: Option<UserId>,
    /// The address or name as it was typed.
    pub email: String,
    /// Who did it.
    pub actor: String,
    /// From where.
    pub ip: String,
    /// With which browser.
    pub user_agent: String,
    /// The id of the request.
    pub request_id: String,
    /// What else there is to say.
    pub metadata: Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// Which events are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthEventFilter {
    /// Of this kind.
    pub kind: Option<EventKind>,
    /// About this user.
    pub user: Option<UserId>,
}
