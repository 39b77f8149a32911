//! What happened at the door: who signed in, who was refused, who changed whose rights.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use waggle_kernel::ids::UserId;

use crate::mails::mail::NewMail;
use crate::people::address::Address;
use crate::people::user::User;

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
    /// The list of super admins has the verified address of a user.
    SuperAdminGranted = "SUPER_ADMIN_GRANTED",
    /// The list of super admins has the address no more.
    SuperAdminRevoked = "SUPER_ADMIN_REVOKED",
    /// Somebody proved once more who they are, for something sensitive.
    Reauthenticated = "REAUTHENTICATED",
    /// Somebody wants to be a user; a code was mailed, or a notice to the owner of the address.
    RegisterRequest = "REGISTER_REQUEST",
    /// Somebody from a foreign domain wanted to be a user.
    RegisterBreach = "REGISTER_EMAIL_BREACH",
    /// Somebody has become a user.
    Registered = "REGISTER_EMAIL",
    /// A code was mailed to an address that a user wants to have.
    VerificationSent = "EMAIL_VERIFICATION_SENT",
    /// A user showed that the address is theirs.
    EmailVerified = "EMAIL_VERIFIED",
    /// A user has another address.
    EmailChanged = "EMAIL_CHANGED",
    /// A user wanted an address of a foreign domain.
    AddressBreach = "EMAIL_CHANGE_BREACH",
    /// A code was wrong.
    CodeFailure = "VERIFY_CODE_FAILURE",
    /// Codes were asked for or tried too often.
    CodeLimited = "VERIFY_CODE_LIMITED",
    /// Somebody forgot a password; a code was mailed if an active user has the address.
    PasswordResetRequest = "PASSWORD_RESET_REQUEST",
    /// The same for an address of a foreign domain that nobody has.
    PasswordResetBreach = "PASSWORD_RESET_BREACH",
    /// Somebody got another password.
    PasswordResetComplete = "PASSWORD_RESET_COMPLETE",
    /// Somebody signed in with Google.
    GoogleSuccess = "GOOGLE_OAUTH_SUCCESS",
    /// Somebody could not sign in with Google.
    GoogleFailure = "GOOGLE_OAUTH_FAILURE",
    /// Somebody from a foreign domain wanted to sign in with Google.
    GoogleBreach = "GOOGLE_OAUTH_BREACH",
    /// A code was mailed to somebody who signs in with Google for the first time.
    GoogleVerificationSent = "GOOGLE_VERIFICATION_SENT",
    /// The code was right; the Google account opens the user from now on.
    GoogleVerified = "GOOGLE_VERIFICATION_SUCCESS",
    /// An API token was made.
    TokenCreated = "TOKEN_CREATED",
    /// An API token was ended.
    TokenRevoked = "TOKEN_REVOKED",
    /// A second factor was set up.
    FactorAdded = "SECOND_FACTOR_ADDED",
    /// A second factor was taken away.
    FactorRemoved = "SECOND_FACTOR_REMOVED",
    /// Somebody knew the password, or came with Google, and is asked for the second factor.
    FactorAsked = "SECOND_FACTOR_ASKED",
    /// A second factor was wrong.
    FactorFailure = "SECOND_FACTOR_FAILURE",
    /// Second factors were wrong too often.
    FactorLimited = "SECOND_FACTOR_LIMITED",
    /// A recovery code was used up.
    RecoveryUsed = "RECOVERY_CODE_USED",
    /// Somebody made new recovery codes.
    RecoveryRenewed = "RECOVERY_CODES_RENEWED",
    /// The record was handed out.
    EventsExported = "AUTH_EVENTS_EXPORTED",
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
    /// Who is told of it by mail; the mails wait from the same step on.
    pub mails: Vec<NewMail>,
}

impl NewAuthEvent {
    /// Something that happened, about nobody yet and by nobody who is known.
    pub fn new(kind: EventKind, client: &Client, at: DateTime<Utc>) -> Self {
        Self {
            kind,
            user: None,
            email: String::new(),
            actor: String::new(),
            client: client.clone(),
            metadata: Value::Object(serde_json::Map::new()),
            at,
            mails: Vec::new(),
        }
    }

    /// Something that a user did about himself.
    pub fn of_user(kind: EventKind, user: &User, client: &Client, at: DateTime<Utc>) -> Self {
        Self {
            user: Some(user.id),
            email: user.email.to_string(),
            actor: user.actor().to_string(),
            ..Self::new(kind, client, at)
        }
    }

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
