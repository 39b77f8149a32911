//! Auth events, the entries of the audit log: sign-ins, failures, and changes of rights.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use waggle_kernel::ids::UserId;
use waggle_kernel::named_enum;

use crate::mails::mail::NewMail;
use crate::people::address::Address;
use crate::people::user::User;

named_enum! {
    /// The kind of an auth event.
    pub enum EventKind: "kind of event" {
        LoginSuccess = "LOGIN_SUCCESS",
        LoginFailure = "LOGIN_FAILURE",
        /// A sign-in was rejected without checking the password, after too many failures.
        LoginLimited = "LOGIN_LIMITED",
        Logout = "LOGOUT",
        /// A session was ended by its user or an admin.
        SessionRevoked = "SESSION_REVOKED",
        /// All sessions of a user were ended.
        SessionsRevoked = "SESSIONS_REVOKED",
        /// A user changed their own password.
        PasswordChanged = "PASSWORD_CHANGED",
        /// A user tried to change their own password, but the current password was wrong.
        PasswordChangeFailure = "PASSWORD_CHANGE_FAILURE",
        /// The operator set or removed a user's password.
        PasswordSet = "PASSWORD_SET",
        UserCreated = "USER_CREATED",
        RoleChanged = "ROLE_CHANGED",
        UserActivated = "USER_ACTIVATED",
        UserDeactivated = "USER_DEACTIVATED",
        /// A user's names were changed.
        UserChanged = "USER_CHANGED",
        /// A user became a super admin: the list has their verified address.
        SuperAdminGranted = "SUPER_ADMIN_GRANTED",
        /// A user is no longer a super admin: the list no longer has their address.
        SuperAdminRevoked = "SUPER_ADMIN_REVOKED",
        /// A user authenticated again, for a sensitive action.
        Reauthenticated = "REAUTHENTICATED",
        /// Somebody asked to register. A code was mailed, or a notice to the owner of the address.
        RegisterRequest = "REGISTER_REQUEST",
        /// Somebody tried to register with a domain that is not allowed.
        RegisterBreach = "REGISTER_EMAIL_BREACH",
        /// A registration was completed.
        Registered = "REGISTER_EMAIL",
        /// A code was mailed to an address that a user wants to use.
        VerificationSent = "EMAIL_VERIFICATION_SENT",
        /// A user verified their address.
        EmailVerified = "EMAIL_VERIFIED",
        /// A user's address was changed.
        EmailChanged = "EMAIL_CHANGED",
        /// A user requested an address with a domain that is not allowed.
        AddressBreach = "EMAIL_CHANGE_BREACH",
        /// A wrong code was entered.
        CodeFailure = "VERIFY_CODE_FAILURE",
        /// Codes were requested or tried too often.
        CodeLimited = "VERIFY_CODE_LIMITED",
        /// A password reset was requested. A code was mailed if an active user has the address.
        PasswordResetRequest = "PASSWORD_RESET_REQUEST",
        /// A password reset was requested for an address that has no user and a domain that is not
        /// allowed.
        PasswordResetBreach = "PASSWORD_RESET_BREACH",
        PasswordResetComplete = "PASSWORD_RESET_COMPLETE",
        GoogleSuccess = "GOOGLE_OAUTH_SUCCESS",
        GoogleFailure = "GOOGLE_OAUTH_FAILURE",
        /// A sign-in with Google was rejected because the domain is not allowed.
        GoogleBreach = "GOOGLE_OAUTH_BREACH",
        /// A code was mailed to somebody who signs in with Google for the first time.
        GoogleVerificationSent = "GOOGLE_VERIFICATION_SENT",
        /// The code was correct; the Google account is now linked to the user.
        GoogleVerified = "GOOGLE_VERIFICATION_SUCCESS",
        TokenCreated = "TOKEN_CREATED",
        TokenRevoked = "TOKEN_REVOKED",
        FactorAdded = "SECOND_FACTOR_ADDED",
        FactorRemoved = "SECOND_FACTOR_REMOVED",
        /// The first factor was verified, and the user was asked for the second factor.
        FactorAsked = "SECOND_FACTOR_ASKED",
        /// A second factor was wrong.
        FactorFailure = "SECOND_FACTOR_FAILURE",
        /// Wrong second factors were entered too often.
        FactorLimited = "SECOND_FACTOR_LIMITED",
        /// A recovery code was used.
        RecoveryUsed = "RECOVERY_CODE_USED",
        /// A user created new recovery codes.
        RecoveryRenewed = "RECOVERY_CODES_RENEWED",
        /// The audit log was exported.
        EventsExported = "AUTH_EVENTS_EXPORTED",
    }
}

/// The client of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    pub ip: Option<IpAddr>,
    /// The `User-Agent` header, without control characters and truncated.
    pub user_agent: String,
    /// The id of the request, as in the server's log.
    pub request_id: String,
}

impl Client {
    /// The maximum length of a stored user agent, in characters.
    pub const MOST_USER_AGENT: usize = 512;

    /// Creates a client. Control characters are removed from `user_agent`, and it is truncated.
    pub fn new(ip: Option<IpAddr>, user_agent: &str, request_id: String) -> Self {
        let user_agent =
            user_agent.chars().filter(|c| !c.is_control()).take(Self::MOST_USER_AGENT).collect();
        Self { ip, user_agent, request_id }
    }
}

/// An auth event to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAuthEvent {
    pub kind: EventKind,
    /// The user that the event is about, if known.
    pub user: Option<UserId>,
    /// The email address or user name, as it was typed, truncated.
    pub email: String,
    /// Who caused the event, for example `system` or `user:3:joe`.
    pub actor: String,
    pub client: Client,
    /// Further details.
    pub metadata: Value,
    pub at: DateTime<Utc>,
    /// The notification emails about the event, queued in the same transaction.
    pub mails: Vec<NewMail>,
}

impl NewAuthEvent {
    /// Creates an event without a user or an actor.
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

    /// Creates an event about something that a user did to their own account.
    pub fn of_user(kind: EventKind, user: &User, client: &Client, at: DateTime<Utc>) -> Self {
        Self {
            user: Some(user.id),
            email: user.email.to_string(),
            actor: user.actor().to_string(),
            ..Self::new(kind, client, at)
        }
    }

    /// Returns what may be stored of a typed login: an email address, or a login that belongs to a
    /// user. Anything else gives an empty text, because it may be a password that was typed into
    /// the wrong field.
    pub fn typed(typed: &str, user: Option<UserId>) -> String {
        let typed = typed.trim();
        let is_kept = user.is_some() || typed.parse::<Address>().is_ok();
        let seen = typed.chars().filter(|c| is_kept && !c.is_control());
        seen.take(Address::MOST).collect()
    }
}

/// A recorded auth event.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthEvent {
    pub id: i64,
    /// The name of the kind; later versions may know more kinds.
    pub kind: String,
    /// The user that the event is about, if known.
    pub user: Option<UserId>,
    /// The email address or user name, as it was typed.
    pub email: String,
    /// Who caused the event.
    pub actor: String,
    /// The client's IP address.
    pub ip: String,
    /// The client's browser.
    pub user_agent: String,
    pub request_id: String,
    /// Further details.
    pub metadata: Value,
    pub at: DateTime<Utc>,
}

/// Selects auth events. A field that is `None` matches all events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthEventFilter {
    pub kind: Option<EventKind>,
    pub user: Option<UserId>,
}
