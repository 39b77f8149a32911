//! Sign-in and sign-out, sessions, users and the audit log over HTTP.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::Request;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{Json, Response};
use poem_openapi::types::ToJSON as _;
use poem_openapi::{Enum, Object, OpenApi};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use waggle_accounts::{
    AfterApproval, AuthEvent, AuthEventFilter, EventKind, ManageUsersError, NotRecent, OwnChange,
    Role, Session, SessionsError, SignInError, SignedIn as SignedInAs, User, UserChange, Wanted,
};
use waggle_kernel::ids::{SessionId, UserId};
use waggle_kernel::{Actor, Clock as _, Page, PageRequest, Scope};
use waggle_system::SystemClock;

use super::done::Done;
use super::export::{Export, Format, Pages, export};
use super::name::Name;
use super::query::{if_match, page};
use super::tag::Tag;
use crate::http::{Caller, Failure, Problem, SESSION_COOKIE, SignedIn, client};
use crate::use_cases::UseCases;

/// A user, who can sign in unless deactivated.
#[derive(Object)]
#[oai(rename = "User")]
pub(super) struct UserView {
    id: i64,
    username: String,
    email: String,
    /// When the user last proved to own the address.
    email_verified_at: Option<DateTime<Utc>>,
    first_name: String,
    last_name: String,
    role: Name<Role>,
    is_active: bool,
    /// Whether the user may do everything, whatever their role.
    is_super_admin: bool,
    has_password: bool,
    /// Whether signing in requires a second factor.
    has_second_factor: bool,
    /// The time zone that the user chose, such as `Europe/Berlin`.
    time_zone: Option<String>,
    /// What the console does after this user approves a tweet: `nothing`, `publish` (after ten
    /// seconds) or `schedule` (for the time that the user enters).
    after_approval: Name<AfterApproval>,
    date_joined: DateTime<Utc>,
    last_login: Option<DateTime<Utc>>,
    version: i64,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.number(),
            username: user.username.to_string(),
            email: user.email.to_string(),
            email_verified_at: user.email_verified_at,
            first_name: user.first_name.as_str().to_owned(),
            last_name: user.last_name.as_str().to_owned(),
            role: user.role.into(),
            is_active: user.is_active,
            is_super_admin: user.is_super_admin,
            has_password: user.has_password,
            has_second_factor: user.has_second_factor,
            time_zone: user.time_zone.map(|zone| zone.to_string()),
            after_approval: user.after_approval.into(),
            date_joined: user.date_joined,
            last_login: user.last_login,
            version: user.version.number(),
        }
    }
}

/// A user as the API shows them.
pub(crate) fn user_json(user: &User) -> Value {
    UserView::from(user).to_json().unwrap_or_default()
}

/// A page of users, by id.
#[derive(Object)]
struct UserPage {
    items: Vec<UserView>,
    next_cursor: Option<String>,
}

/// A user to create.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewUserBody {
    email: String,
    /// The name to sign in with. By default, the part of the address before the `@`.
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    role: Name<Role>,
    /// 10 to 256 characters. Without it, the user cannot sign in with a password.
    password: Option<String>,
}

/// Changes to a user. Fields that are left out stay unchanged.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct UserChangeBody {
    role: Option<Name<Role>>,
    is_active: Option<bool>,
    first_name: Option<String>,
    last_name: Option<String>,
}

/// Changes to yourself. Fields that are left out stay unchanged.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct OwnChangeBody {
    first_name: Option<String>,
    last_name: Option<String>,
    /// The name of a time zone in the IANA database, such as `Europe/Berlin`. Empty for that of the
    /// setting `TIME_ZONE`.
    time_zone: Option<String>,
    /// What the console does after you approve a tweet: `nothing`, `publish` or `schedule`.
    after_approval: Option<Name<AfterApproval>>,
}

/// The credentials to sign in with.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct LoginBody {
    /// The email address or the user name.
    login: String,
    password: String,
}

/// A user who has signed in.
#[derive(Object)]
pub(super) struct SignedInView {
    user: UserView,
    /// When the session ends in any case.
    ends_at: DateTime<Utc>,
    /// What the user must do before the session gives access to anything else. `second_factor`:
    /// verify the second factor at `/auth/second-factor`. `second_factor_setup`: set up a second
    /// factor at `/me/second-factor`.
    needs: Option<Needs>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum Needs {
    SecondFactor,
    SecondFactorSetup,
}

/// The password of the signed-in user.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ConfirmBody {
    password: String,
}

/// The caller of the request.
#[derive(Object)]
struct MeView {
    /// The caller as it appears in histories, such as `user:1:joe` or `token:3:n8n`.
    actor: String,
    /// The scopes of the caller.
    scopes: Vec<String>,
    /// The user, if the caller is signed in.
    user: Option<UserView>,
}

/// The current password and a new one.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct PasswordBody {
    present: String,
    /// 10 to 256 characters.
    wanted: String,
}

/// A session of a user.
#[derive(Object)]
#[oai(rename = "Session")]
struct SessionView {
    id: i64,
    /// Whether this is the session of the request.
    is_this: bool,
    created_at: DateTime<Utc>,
    /// When the session was last used, to the minute.
    last_used_at: DateTime<Utc>,
    /// When the session ends if it is not used.
    idle_until: DateTime<Utc>,
    /// When the session ends in any case.
    ends_at: DateTime<Utc>,
    ip: String,
    user_agent: String,
}

impl SessionView {
    fn of(session: Session, this: SessionId) -> Self {
        Self {
            id: session.id.number(),
            is_this: session.id == this,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            idle_until: session.idle_until,
            ends_at: session.ends_at,
            ip: session.ip,
            user_agent: session.user_agent,
        }
    }
}

/// Sessions, newest first.
#[derive(Object)]
struct SessionList {
    items: Vec<SessionView>,
}

/// The number of sessions that were ended.
#[derive(Object)]
struct Ended {
    ended: u64,
}

/// An event in the audit log.
#[derive(Object)]
#[oai(rename = "AuthEvent")]
struct AuthEventView {
    id: i64,
    event_type: String,
    /// The user that the event is about, if known.
    user_id: Option<i64>,
    /// The email address or user name, as it was typed.
    email: String,
    /// Who did it.
    actor: String,
    ip_address: String,
    user_agent: String,
    request_id: String,
    metadata: Value,
    timestamp: DateTime<Utc>,
}

impl From<AuthEvent> for AuthEventView {
    fn from(event: AuthEvent) -> Self {
        Self {
            id: event.id,
            event_type: event.kind,
            user_id: event.user.map(UserId::number),
            email: event.email,
            actor: event.actor,
            ip_address: event.ip,
            user_agent: event.user_agent,
            request_id: event.request_id,
            metadata: event.metadata,
            timestamp: event.at,
        }
    }
}

/// A page of the audit log, newest first.
#[derive(Object)]
struct AuthEventPage {
    items: Vec<AuthEventView>,
    next_cursor: Option<String>,
}

pub(crate) struct AccountsApi;

#[OpenApi(tag = "Tag::Accounts")]
#[expect(clippy::unused_async, reason = "the API's macro accepts only async functions")]
impl AccountsApi {
    /// Sign in with a password.
    ///
    /// For everybody. The response sets the cookie of a new session. If the sign-in fails, the
    /// response is the same 401 for every reason. After too many failures, it is a 429.
    #[oai(path = "/auth/login", method = "post", operation_id = "sign_in")]
    async fn sign_in(
        &self,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<LoginBody>,
    ) -> Result<Response<Json<SignedInView>>, Failure<401>> {
        let LoginBody { login, password } = body.0;
        let policy = app.policy().sign_in;
        let from = client(&app, request);
        let result = app.people.sign_in.run(&login, &password.into(), &from, &policy).await;
        Ok(signed_in(&app, &result?))
    }

    /// Authenticate again with your password.
    ///
    /// For people who are signed in, also if they have to set up a second factor first. For
    /// `RECENT_AUTHENTICATION_SECONDS`, you can then use the operations that require a recent
    /// authentication. If you have a second factor, verify that instead, at `/auth/second-factor`.
    #[oai(path = "/auth/confirm", method = "post", operation_id = "confirm_sign_in")]
    async fn confirm_sign_in(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<ConfirmBody>,
    ) -> Result<Json<Done>, Failure<401>> {
        let (password, policy) = (body.0.password.into(), app.policy().sign_in);
        let from = client(&app, request);
        app.people.sign_in.confirm(&person.visitor, &password, &from, &policy).await?;
        Ok(Json(Done { message: "your identity is confirmed".to_owned() }))
    }

    /// Sign out.
    ///
    /// For people who are signed in, or are asked for the second factor. The session ends at once.
    #[oai(path = "/auth/logout", method = "post", operation_id = "sign_out")]
    async fn sign_out(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Response<Json<Ended>>, Failure<401>> {
        app.people.sessions.sign_out(&person.visitor, &client(&app, request)).await?;
        let gone = SESSION_COOKIE.set(&app.settings.values(), "", 0);
        Ok(Response::new(Json(Ended { ended: 1 })).header("set-cookie", gone))
    }

    /// Retrieve the caller and its scopes.
    ///
    /// Scope: `read`.
    #[oai(path = "/me", method = "get", operation_id = "show_me")]
    async fn show_me(&self, caller: Caller, request: &Request) -> Result<Json<MeView>, Failure> {
        let visitor = request.extensions().get::<waggle_accounts::Visitor>();
        let granted = |scope: &Scope| caller.actor.scopes().grant(*scope);
        Ok(Json(MeView {
            actor: caller.actor.to_string(),
            scopes: Scope::ALL
                .iter()
                .filter(|scope| granted(scope))
                .map(ToString::to_string)
                .collect(),
            user: visitor.map(|visitor| (&visitor.user).into()),
        }))
    }

    /// Update yourself.
    ///
    /// For people who are signed in. You can change your names, your time zone, and what the
    /// console does after you approve a tweet.
    #[oai(path = "/me", method = "patch", operation_id = "update_me")]
    async fn update_me(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<OwnChangeBody>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<UserView>, Failure<404, 409>> {
        let has_zone = body.0.time_zone.is_some();
        let change = OwnChange {
            first_name: body.0.first_name,
            last_name: body.0.last_name,
            time_zone: body.0.time_zone,
            after_approval: body.0.after_approval.map(|chosen| chosen.0),
            expected: if_match(version.0.as_deref())?,
        };
        let client = client(&app, request);
        let user = app.people.users.change_own(&person.visitor, &change, &client).await?;
        // Also if the zone is the same: an earlier call may have failed right here.
        if has_zone {
            app.notifications.move_digest(&user.actor(), app.zone_of(&user)).await?;
        }
        Ok(Json((&user).into()))
    }

    /// Change your password.
    ///
    /// For people who are signed in. All your other sessions end. If you have a second factor, you
    /// must have verified it recently.
    #[oai(path = "/me/password", method = "post", operation_id = "change_own_password")]
    async fn change_own_password(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<PasswordBody>,
    ) -> Result<Json<UserView>, Failure<404>> {
        let (present, wanted) = (body.0.present.into(), body.0.wanted.into());
        let policy = app.policy();
        app.people
            .users
            .change_own_password(
                &person.visitor,
                &present,
                &wanted,
                &client(&app, request),
                &policy,
            )
            .await?;
        Ok(Json((&person.visitor.user).into()))
    }

    /// List your sessions, newest first.
    ///
    /// For people who are signed in.
    #[oai(path = "/sessions", method = "get", operation_id = "list_sessions")]
    async fn list_sessions(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<SessionList>, Failure<401>> {
        let this = person.visitor.session.id;
        let open = app.people.sessions.list(&person.visitor).await?;
        let items = open.into_iter().map(|session| SessionView::of(session, this)).collect();
        Ok(Json(SessionList { items }))
    }

    /// End one of your sessions.
    ///
    /// For people who are signed in.
    #[oai(path = "/sessions/:id", method = "delete", operation_id = "end_session")]
    async fn end_session(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<Ended>, Failure<401, 404>> {
        app.people
            .sessions
            .end(&person.visitor, SessionId::new(id.0), &client(&app, request))
            .await?;
        Ok(Json(Ended { ended: 1 }))
    }

    /// End all your sessions except the current one.
    ///
    /// For people who are signed in.
    #[oai(path = "/sessions", method = "delete", operation_id = "end_other_sessions")]
    async fn end_other_sessions(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<Ended>, Failure<401>> {
        let ended = app.people.sessions.end_others(&person.visitor, &client(&app, request)).await?;
        Ok(Json(Ended { ended }))
    }

    /// List users, by id.
    ///
    /// For admins who are signed in.
    #[oai(path = "/users", method = "get", operation_id = "list_users")]
    async fn list_users(
        &self,
        admin: SignedIn,
        app: Data<&Arc<UseCases>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<UserPage>, Failure> {
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = app.people.users.list(&actor(&admin), page).await?;
        Ok(Json(UserPage {
            items: found.items.iter().map(Into::into).collect(),
            next_cursor: found.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Create a user.
    ///
    /// For admins who are signed in and proved who they are a short while ago.
    #[oai(path = "/users", method = "post", operation_id = "create_user")]
    async fn create_user(
        &self,
        admin: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<NewUserBody>,
    ) -> Result<Json<UserView>, Failure<409>> {
        let wanted = Wanted {
            email: body.0.email,
            username: body.0.username,
            first_name: body.0.first_name.unwrap_or_default(),
            last_name: body.0.last_name.unwrap_or_default(),
            role: body.0.role.0,
            password: body.0.password.map(SecretString::from),
        };
        let (from, admission) = (client(&app, request), app.policy().admission);
        let user = app.people.users.create(&actor(&admin), &wanted, &from, &admission).await?;
        Ok(Json((&user).into()))
    }

    /// Retrieve a user.
    ///
    /// For admins who are signed in.
    #[oai(path = "/users/:id", method = "get", operation_id = "show_user")]
    async fn show_user(
        &self,
        admin: SignedIn,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<UserView>, Failure<404>> {
        Ok(Json((&app.people.users.show(&actor(&admin), UserId::new(id.0)).await?).into()))
    }

    /// Update a user.
    ///
    /// For admins who are signed in and proved who they are a short while ago. You can change the
    /// names and the role, and whether the user can sign in. Changing the role or whether the user
    /// can sign in ends all sessions of the user at once.
    ///
    /// You cannot change your own rights, and the last active admin cannot be removed.
    #[oai(path = "/users/:id", method = "patch", operation_id = "update_user")]
    async fn update_user(
        &self,
        admin: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        body: Json<UserChangeBody>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<UserView>, Failure<404, 409>> {
        let change = UserChange {
            role: body.0.role.map(|role| role.0),
            is_active: body.0.is_active,
            first_name: body.0.first_name,
            last_name: body.0.last_name,
            expected: if_match(version.0.as_deref())?,
        };
        let id = UserId::new(id.0);
        let user =
            app.people.users.change(&actor(&admin), id, &change, &client(&app, request)).await?;
        Ok(Json((&user).into()))
    }

    /// Remove all second factors of a user.
    ///
    /// For admins who are signed in and proved who they are a short while ago. This is for users
    /// who have lost their second factors and recovery codes. All sessions of the user end, and the
    /// user is notified by email.
    #[oai(
        path = "/users/:id/second-factor",
        method = "delete",
        operation_id = "remove_second_factor_of_user"
    )]
    async fn remove_second_factor_of_user(
        &self,
        admin: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<UserView>, Failure<404, 409>> {
        let (actor, id) = (actor(&admin), UserId::new(id.0));
        let user = app.people.users.show(&actor, id).await?;
        app.people.second_factor.remove_for(&actor, &user, &client(&app, request)).await?;
        Ok(Json((&app.people.users.show(&actor, id).await?).into()))
    }

    /// List the audit log, newest first.
    ///
    /// For admins who are signed in.
    #[oai(path = "/auth-events", method = "get", operation_id = "list_auth_events")]
    async fn list_auth_events(
        &self,
        admin: SignedIn,
        app: Data<&Arc<UseCases>>,
        /// Only events of this type, such as `LOGIN_FAILURE`.
        event_type: Query<Option<String>>,
        /// Only events about this user.
        user_id: Query<Option<i64>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<AuthEventPage>, Failure> {
        let filter = filter(event_type.0, user_id.0)?;
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = app.people.users.events(&actor(&admin), &filter, page).await?;
        Ok(Json(AuthEventPage {
            items: found.items.into_iter().map(Into::into).collect(),
            next_cursor: found.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export the audit log, newest first.
    ///
    /// For admins who are signed in. The file contains all events that the list returns with the
    /// same filters, as CSV or JSON lines. The export itself is recorded in the audit log.
    #[oai(path = "/auth-events/export", method = "get", operation_id = "export_auth_events")]
    async fn export_auth_events(
        &self,
        admin: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        /// `csv` (the default) or `jsonl`.
        format: Query<Option<Format>>,
        event_type: Query<Option<String>>,
        user_id: Query<Option<i64>>,
    ) -> Result<Export, Failure> {
        let filter = filter(event_type.0, user_id.0)?;
        let (app, actor) = (Arc::clone(app.0), actor(&admin));
        app.people.users.tell_of_export(&actor, &client(&app, request)).await?;
        let format = format.0.unwrap_or(Format::Csv);
        Ok(export(AuthEventPages { app, actor, filter }, format).await?)
    }
}

fn filter(kind: Option<String>, user: Option<i64>) -> Result<AuthEventFilter, Problem> {
    let known = |name: String| {
        let known = EventKind::ALL.iter().copied().find(|kind| kind.name() == name);
        known.ok_or_else(|| Problem::invalid("event_type is not a known event type"))
    };
    Ok(AuthEventFilter { kind: kind.map(known).transpose()?, user: user.map(UserId::new) })
}

/// The auth events that match a filter.
struct AuthEventPages {
    app: Arc<UseCases>,
    actor: Actor,
    filter: AuthEventFilter,
}

impl Pages for AuthEventPages {
    type Item = AuthEvent;
    type Error = ManageUsersError;

    const NAME: &'static str = "auth_events";
    const HEADER: &'static [&'static str] = &[
        "ID",
        "Time",
        "Event",
        "User ID",
        "Email",
        "Actor",
        "IP Address",
        "User Agent",
        "Request ID",
        "Metadata",
    ];

    async fn page(&self, page: PageRequest) -> Result<Page<AuthEvent>, ManageUsersError> {
        self.app.people.users.events(&self.actor, &self.filter, page).await
    }

    fn row(event: &AuthEvent) -> Vec<String> {
        vec![
            event.id.to_string(),
            event.at.to_rfc3339(),
            event.kind.clone(),
            event.user.map(|user| user.to_string()).unwrap_or_default(),
            event.email.clone(),
            event.actor.clone(),
            event.ip.clone(),
            event.user_agent.clone(),
            event.request_id.clone(),
            event.metadata.to_string(),
        ]
    }

    fn json(event: &AuthEvent) -> Value {
        AuthEventView::from(event.clone()).to_json().unwrap_or_default()
    }
}

/// The response to a user who has signed in, with the session cookie.
pub(super) fn signed_in(app: &UseCases, opened: &SignedInAs) -> Response<Json<SignedInView>> {
    let needs = if !opened.is_complete {
        Some(Needs::SecondFactor)
    } else if app.policy().needs_setup(&opened.user) {
        Some(Needs::SecondFactorSetup)
    } else {
        None
    };
    let view = SignedInView { user: (&opened.user).into(), ends_at: opened.ends_at, needs };
    Response::new(Json(view)).header("set-cookie", session_cookie(app, opened))
}

/// The cookie with the token of a new session.
pub(crate) fn session_cookie(app: &UseCases, opened: &SignedInAs) -> String {
    let left = (opened.ends_at - SystemClock.now()).num_milliseconds();
    // Rounded up. A cookie that outlives its session gives no access.
    SESSION_COOKIE.set(&app.settings.values(), opened.token.expose_secret(), (left + 999) / 1_000)
}

fn actor(person: &SignedIn) -> Actor {
    person.visitor.user.actor().in_request(Problem::request_id())
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        let detail = error.to_string();
        match error {
            SignInError::Refused => Self::new(StatusCode::UNAUTHORIZED, detail),
            SignInError::NoPassword => Self::new(StatusCode::FORBIDDEN, detail),
            SignInError::NeedsFactor => {
                Self::new(StatusCode::FORBIDDEN, detail).with("needs", json!("second_factor"))
            }
            SignInError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            SignInError::Port(error) => error.into(),
        }
    }
}

impl From<SessionsError> for Problem {
    fn from(error: SessionsError) -> Self {
        let detail = error.to_string();
        match error {
            SessionsError::Refused => Self::new(StatusCode::UNAUTHORIZED, detail),
            SessionsError::NotFound => Self::not_found(detail),
            SessionsError::Port(error) => error.into(),
        }
    }
}

impl From<ManageUsersError> for Problem {
    fn from(error: ManageUsersError) -> Self {
        let detail = error.to_string();
        match error {
            ManageUsersError::Forbidden(error) => error.into(),
            ManageUsersError::NotRecent(error) => error.into(),
            ManageUsersError::NotFound => Self::not_found(detail),
            ManageUsersError::Address(_)
            | ManageUsersError::Username(_)
            | ManageUsersError::Name(_)
            | ManageUsersError::Zone(_)
            | ManageUsersError::Password(_) => Self::invalid(detail),
            ManageUsersError::WrongPassword
            | ManageUsersError::Own
            | ManageUsersError::ForeignDomain => Self::new(StatusCode::FORBIDDEN, detail),
            ManageUsersError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            ManageUsersError::Taken(_) | ManageUsersError::LastAdmin => Self::conflict(detail),
            ManageUsersError::Stale { current } => {
                Self::conflict(detail).with("current", user_json(&current))
            }
            ManageUsersError::Port(error) => error.into(),
        }
    }
}

impl From<NotRecent> for Problem {
    fn from(error: NotRecent) -> Self {
        Self::new(StatusCode::FORBIDDEN, error.to_string())
            .with("needs", json!("recent_authentication"))
    }
}
