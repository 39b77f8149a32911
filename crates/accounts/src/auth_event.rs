//! Auth events, the entries of the audit log: sign-ins, failures, and changes of rights.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use waggle_kernel::ids::UserId;
use waggle_kernel::{ActorRef, Event, NewEvent, ObjectRef, named_enum};

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
        /// The operator created a link that makes the first admin.
        SetupLinkCreated = "SETUP_LINK_CREATED",
        /// A wrong or expired set-up link was used.
        SetupFailure = "SETUP_FAILURE",
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

impl EventKind {
    /// The kind of the recorded event, such as `user.login_failure` or `token.created`.
    pub fn event_kind(self) -> String {
        let name = self.name().to_ascii_lowercase();
        match name.split_once('_') {
            Some(("token", rest)) => format!("token.{rest}"),
            Some(("user", rest)) => format!("user.{rest}"),
            _ => format!("user.{name}"),
        }
    }
}

impl EventKind {
    /// Whether the details of an event of this kind may name people.
    const fn has_personal_details(self) -> bool {
        !matches!(
            self,
            Self::RoleChanged
                | Self::UserActivated
                | Self::UserDeactivated
                | Self::UserChanged
                | Self::SuperAdminGranted
                | Self::SuperAdminRevoked
                | Self::TokenCreated
                | Self::TokenRevoked
                | Self::SessionRevoked
                | Self::PasswordResetComplete
                | Self::FactorAdded
                | Self::FactorRemoved
        )
    }
}

/// The kind of the objects of auth events. Its id is that of the user, or empty.
pub const ACCOUNT: &str = "account";
/// The names of personal data in recorded events.
const EMAIL: &str = "email";
const IP: &str = "ip";
const USER_AGENT: &str = "user_agent";
const METADATA: &str = "metadata";

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
    /// Who caused the event.
    pub by: ActorRef,
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
            by: ActorRef::nobody(),
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
            by: user.actor().reference(),
            ..Self::new(kind, client, at)
        }
    }

    /// The event as it is recorded.
    pub fn record(&self) -> NewEvent {
        let by = ActorRef { request_id: self.client.request_id.clone(), ..self.by.clone() };
        let user = self.user.map(|user| user.to_string()).unwrap_or_default();
        let object = ObjectRef::new(ACCOUNT, &user);
        let mut event = NewEvent::new(self.kind.event_kind(), object, &by, self.at);
        event.user = self.user;
        let ip = self.client.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let texts = [(EMAIL, &self.email), (IP, &ip), (USER_AGENT, &self.client.user_agent)];
        for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            event.personal.insert(name.to_owned(), text.clone().into());
        }
        if self.metadata.as_object().is_some_and(|metadata| !metadata.is_empty()) {
            let part = if self.kind.has_personal_details() {
                &mut event.personal
            } else {
                &mut event.change
            };
            part.insert(METADATA.to_owned(), self.metadata.clone());
        }
        event
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
    /// The position among all events.
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

impl From<Event> for AuthEvent {
    fn from(event: Event) -> Self {
        let known = EventKind::ALL.into_iter().find(|kind| kind.event_kind() == event.kind);
        let actor = event.shown_actor().to_owned();
        let personal = event.personal.unwrap_or_default();
        let metadata = event.change.get(METADATA).or_else(|| personal.get(METADATA));
        let text = |name| personal.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (email, ip, user_agent) = (text(EMAIL), text(IP), text(USER_AGENT));
        Self {
            id: event.position,
            kind: known.map_or(event.kind, |kind| kind.name().to_owned()),
            user: event.user,
            email,
            actor,
            ip,
            user_agent,
            request_id: event.request_id,
            metadata: metadata.cloned().unwrap_or_else(|| Map::new().into()),
            at: event.at,
        }
    }
}

/// Selects auth events. A field that is `None` matches all events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthEventFilter {
    pub kind: Option<EventKind>,
    pub user: Option<UserId>,
}
