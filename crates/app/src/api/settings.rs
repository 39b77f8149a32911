//! Settings over HTTP, for admins only.
//!
//! Secrets can be set, but never read.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use poem::Request;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde_json::{Map, Value};
use tracing::{error, warn};
use waggle_accounts::{Address, IdentityError};
use waggle_kernel::error_chain;
use waggle_settings::{
    Action, Given, Group, Kind, Past, Problem as Wrong, Revision, SettingsError, Shown,
    ShownChange, Values, Wish,
};

use super::name::Name;
use super::query::{if_match, page, text};
use super::tag::Tag;
use crate::http::{CALLBACK, Caller, Failure, Problem, SignedIn, is_allowed_host, is_public_host};
use crate::live::connections::Maker;
use crate::live::{google, mailer};
use crate::use_cases::UseCases;

/// The timeout of a test request to X.
const PATIENCE: Duration = Duration::from_secs(15);

/// A setting.
#[derive(Object)]
#[oai(rename = "Setting")]
struct SettingView {
    key: String,
    group: Name<Group>,
    /// `text`, `integer`, `decimal`, `boolean`, `duration` (in seconds), `list`, `email`, `url`,
    /// `json` or `secret`.
    #[oai(rename = "type")]
    kind: String,
    /// The JSON Schema of the value.
    schema: Value,
    /// What the setting does.
    description: String,
    /// The environment variable that applies if the database has no value.
    environment: Option<String>,
    is_secret: bool,
    /// Whether there is a value, including the default.
    is_set: bool,
    /// The value in effect. Null if there is none, and always null for a secret.
    value: Value,
    /// The value that applies if nothing is set.
    default: Value,
    /// The last four characters of a secret that has at least 16 characters.
    last4: Option<String>,
    /// Where the value comes from: `database`, `environment` or `default`.
    source: String,
    /// The revision of the change that set the value, for `If-Match`. 0 if no change set it.
    version: i64,
    /// The revision of the change that this request made, by which it can be undone. Missing if
    /// nothing was changed.
    #[oai(skip_serializing_if_is_none)]
    change: Option<i64>,
    /// When the value was set, if it is in the database.
    updated_at: Option<DateTime<Utc>>,
    /// Who set the value, if it is in the database.
    updated_by: Option<String>,
    /// What you can no longer do because of the change, if anything.
    #[oai(skip_serializing_if_is_none)]
    warnings: Option<Vec<String>>,
}

impl From<Shown> for SettingView {
    fn from(shown: Shown) -> Self {
        let declaration = shown.declaration;
        Self {
            group: shown.group().into(),
            is_secret: shown.is_secret(),
            kind: declaration.map_or("json", |declared| declared.kind.name()).to_owned(),
            schema: declaration.map_or(Value::Bool(true), |declared| declared.kind.schema()),
            description: declaration.map_or("", |declared| declared.description).to_owned(),
            environment: declaration.map(|declared| declared.environment.to_owned()),
            default: declaration.map_or(Value::Null, |declared| match declared.kind {
                Kind::Secret => Value::Null,
                _ => declared.default_json(),
            }),
            key: shown.key,
            is_set: shown.is_set,
            value: shown.value,
            last4: shown.last4,
            source: shown.source.name().to_owned(),
            version: shown.version.0,
            change: None,
            updated_at: shown.updated_at,
            updated_by: shown.updated_by,
            warnings: None,
        }
    }
}

/// Settings, in the order in which they are documented.
#[derive(Object)]
struct SettingList {
    items: Vec<SettingView>,
    /// The revision of the last change to any setting.
    revision: i64,
    /// What you can no longer do because of the change, if anything.
    #[oai(skip_serializing_if_is_none)]
    warnings: Option<Vec<String>>,
}

/// A value to set.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct SetBody {
    /// The value, with the type of the setting. A text is parsed as on the command line: `"1h30m"`,
    /// `"yes"`.
    value: Value,
}

/// Values of several settings.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ValuesBody {
    /// An object with a value for each key. Null removes the value, so that the environment or the
    /// default applies again.
    values: Value,
}

/// The result of a validation.
#[derive(Object)]
struct ValidityView {
    valid: bool,
    /// The problems with the values, described for people. Empty if the values are valid.
    problems: Vec<ProblemOfSetting>,
}

/// A problem with a value.
#[derive(Object)]
struct ProblemOfSetting {
    /// The key of the setting. Null if the problem concerns several settings together.
    key: Option<String>,
    detail: String,
}

impl From<&Wrong> for ProblemOfSetting {
    fn from(problem: &Wrong) -> Self {
        match problem {
            Wrong::Value { key, reason, .. } | Wrong::Given { key, reason } => {
                Self { key: Some(key.clone()), detail: format!("{key} {reason}") }
            }
            Wrong::Rule { .. } | Wrong::MasterKey { .. } => {
                Self { key: None, detail: problem.to_string() }
            }
        }
    }
}

/// Values to test.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct TestBody {
    /// An object with values that replace the current ones for the test. By default, none are
    /// replaced.
    values: Option<Value>,
}

/// The result of a test.
#[derive(Object)]
struct TestView {
    ok: bool,
    /// What the service responded, or what failed, in words.
    detail: String,
}

/// The stored value before or after a change.
#[derive(Object)]
struct PastView {
    is_set: bool,
    is_secret: bool,
    /// The value; null for a secret.
    value: Value,
}

impl From<Past> for PastView {
    fn from(past: Past) -> Self {
        let (is_set, is_secret, value) = match past {
            Past::NotSet => (false, false, Value::Null),
            Past::Secret => (true, true, Value::Null),
            Past::Value(value) => (true, false, value),
        };
        Self { is_set, is_secret, value }
    }
}

/// A change of a setting.
#[derive(Object)]
struct SettingChange {
    /// Changes that were made together have the same revision.
    revision: i64,
    /// The key of the setting. `master key` if the master key was replaced.
    key: String,
    /// `set`, `unset`, `undo`, `import`, `seal` or `rotate_key`.
    action: String,
    /// The value before the change.
    from: PastView,
    /// The value after the change.
    to: PastView,
    at: DateTime<Utc>,
    by: String,
}

impl From<ShownChange> for SettingChange {
    fn from(change: ShownChange) -> Self {
        Self {
            revision: change.revision.0,
            key: change.key,
            action: change.action.name().to_owned(),
            from: change.from.into(),
            to: change.to.into(),
            at: change.at,
            by: change.by,
        }
    }
}

/// A page of changes, newest first.
#[derive(Object)]
struct SettingHistory {
    items: Vec<SettingChange>,
    next_cursor: Option<String>,
    /// What you can no longer do because of the change, if anything.
    #[oai(skip_serializing_if_is_none)]
    warnings: Option<Vec<String>>,
}

pub(crate) struct SettingsApi;

#[OpenApi(tag = "Tag::Settings")]
#[expect(clippy::unused_async, reason = "the API's macro accepts only async functions")]
impl SettingsApi {
    /// List all settings, or those of one group.
    ///
    /// Scope: `admin`.
    #[oai(path = "/settings", method = "get", operation_id = "list_settings")]
    async fn list_settings(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        group: Query<Option<Name<Group>>>,
    ) -> Result<Json<SettingList>, Failure> {
        let found = app.settings.list(&caller.actor, group.0.map(|group| group.0))?;
        Ok(Json(SettingList {
            items: found.into_iter().map(Into::into).collect(),
            revision: app.settings.revision().0,
            warnings: None,
        }))
    }

    /// Set several settings at once.
    ///
    /// For admins who are signed in and proved who they are a short while ago. Either all values
    /// are set or none. Null removes a value.
    ///
    /// Set values that are only valid together in one request. Set a setting that determines where
    /// a secret is sent (`TWITTER_API_URL`, `EMAIL_HOST`) together with that secret.
    #[oai(path = "/settings", method = "patch", operation_id = "update_settings")]
    async fn update_settings(
        &self,
        request: &Request,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<ValuesBody>,
    ) -> Result<Json<SettingList>, Failure<404, 409>> {
        let wishes = wishes(&body.0.values)?;
        app.settings.change(&caller.actor, &wishes, Action::Set).await?;
        let items = wishes
            .iter()
            .map(|wish| app.settings.show(&caller.actor, &wish.key).map(Into::into))
            .collect::<Result<_, _>>()?;
        let (revision, warnings) = (app.settings.revision().0, warnings(&app, request));
        Ok(Json(SettingList { items, revision, warnings }))
    }

    /// Retrieve a setting.
    ///
    /// Scope: `admin`.
    #[oai(path = "/settings/:key", method = "get", operation_id = "show_setting")]
    async fn show_setting(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        key: Path<String>,
    ) -> Result<Json<SettingView>, Failure<404>> {
        Ok(Json(app.settings.show(&caller.actor, &key.0)?.into()))
    }

    /// Set the value of a setting.
    ///
    /// For admins who are signed in and proved who they are a short while ago. The change is in
    /// effect when you receive the response, and within two seconds on every other server. With
    /// `If-Match`, the change is rejected if the setting was changed in the meantime.
    #[oai(path = "/settings/:key", method = "put", operation_id = "set_setting")]
    async fn set_setting(
        &self,
        request: &Request,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        key: Path<String>,
        body: Json<SetBody>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<SettingView>, Failure<404, 409>> {
        let value = body.0.value;
        let is_blank = value.as_str().is_some_and(|text| text.trim().is_empty());
        if value.is_null() || is_blank {
            return Err(Problem::invalid("value is missing; use DELETE to remove a value").into());
        }
        changed(&app, request, &caller, key.0, Given::Json(value), version.0, Action::Set).await
    }

    /// Remove the value of a setting.
    ///
    /// For admins who are signed in and proved who they are a short while ago. The environment or
    /// the default applies again.
    #[oai(path = "/settings/:key", method = "delete", operation_id = "unset_setting")]
    async fn unset_setting(
        &self,
        request: &Request,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        key: Path<String>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<SettingView>, Failure<404, 409>> {
        changed(&app, request, &caller, key.0, Given::Nothing, version.0, Action::Unset).await
    }

    /// Validate values without setting them.
    ///
    /// Scope: `admin`.
    #[oai(path = "/settings/validate", method = "post", operation_id = "validate_settings")]
    async fn validate_settings(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<ValuesBody>,
    ) -> Result<Json<ValidityView>, Failure<409>> {
        let problems = match app.settings.try_on(&caller.actor, &wishes(&body.0.values)?) {
            Ok(_) => Vec::new(),
            Err(SettingsError::Invalid(problems)) => problems.iter().map(Into::into).collect(),
            Err(SettingsError::Unknown { key }) => {
                let detail = SettingsError::Unknown { key: key.clone() }.to_string();
                vec![ProblemOfSetting { key: Some(key), detail }]
            }
            Err(error @ SettingsError::Receiver { key, .. }) => {
                vec![ProblemOfSetting { key: Some(key.to_owned()), detail: error.to_string() }]
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Json(ValidityView { valid: problems.is_empty(), problems }))
    }

    /// List who changed which setting, newest first.
    ///
    /// Scope: `admin`.
    #[oai(path = "/settings/history", method = "get", operation_id = "show_settings_history")]
    async fn show_settings_history(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        /// Only changes of this setting.
        key: Query<Option<String>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<SettingHistory>, Failure> {
        let page = page(limit.0, cursor.0.as_deref())?;
        let key = text("key", key.0)?;
        let found = app.settings.history(&caller.actor, key.as_deref(), page).await?;
        Ok(Json(SettingHistory {
            next_cursor: found.next.map(|cursor| cursor.to_string()),
            items: found.items.into_iter().map(Into::into).collect(),
            warnings: None,
        }))
    }

    /// Undo a change.
    ///
    /// For admins who are signed in and proved who they are a short while ago. Every setting of the
    /// change gets its previous value back. The request is rejected if one of these settings has
    /// been changed since.
    #[oai(
        path = "/settings/history/:revision/undo",
        method = "post",
        operation_id = "undo_settings_change"
    )]
    async fn undo_settings_change(
        &self,
        request: &Request,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        revision: Path<i64>,
    ) -> Result<Json<SettingHistory>, Failure<404, 409>> {
        let done = app.settings.undo(&caller.actor, Revision(revision.0)).await?;
        let changes = app.settings.changes(&caller.actor, done).await?;
        Ok(Json(SettingHistory {
            items: changes.into_iter().map(Into::into).collect(),
            next_cursor: None,
            warnings: warnings(&app, request),
        }))
    }

    /// Test the settings of a group with the real service.
    ///
    /// For admins who are signed in. Values in the body replace the current ones for the test. They
    /// are not stored.
    ///
    /// For `x`, Waggle asks X which account the credentials belong to. For `mail`, it sends an
    /// email to your address. For `google`, it fetches the endpoints and keys of the issuer, which
    /// does not test the client secret.
    #[oai(path = "/settings/test/:group", method = "post", operation_id = "test_settings")]
    async fn test_settings(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
        group: Path<Name<Group>>,
        body: Json<TestBody>,
    ) -> Result<Json<TestView>, Failure<404, 409>> {
        let is_known = matches!(group.0.0, Group::X | Group::Mail | Group::Google);
        if !is_known {
            let detail = "this group cannot be tested; only x, mail and google can";
            return Err(Problem::not_found(detail).into());
        }
        let given = wishes(&body.0.values.unwrap_or_default())?;
        let user = person.visitor.user;
        let values = app.settings.try_on(&user.actor(), &given)?;
        let result = match group.0.0 {
            Group::Mail => test_mail(&values, user.email).await,
            Group::Google => test_google(&app, &values).await,
            _ => test_x(app.connections.maker(), &values).await,
        };
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        Ok(Json(TestView { ok, detail }))
    }
}

/// Describes what the caller, who has just changed the settings, can no longer do.
fn warnings(app: &UseCases, request: &Request) -> Option<Vec<String>> {
    let values = app.settings.values();
    let mut warnings = Vec::new();
    if !is_allowed_host(&values, request) {
        warnings.push(
            "ALLOWED_HOSTS does not contain the host name of this request: your next request will \
             get a 421. To remove the list, run `waggle settings unset ALLOWED_HOSTS` on the \
             server",
        );
    }
    if !is_public_host(&values, request) {
        warnings.push(
            "PUBLIC_URL has another host name than this request: people can sign in only there, \
             and links in emails lead there. To remove it, run `waggle settings unset PUBLIC_URL` \
             on the server",
        );
    }
    for warning in &warnings {
        warn!(request.id = %Problem::request_id(), warning, "a change of settings may prevent \
                                                             people from signing in");
    }
    let warnings: Vec<String> = warnings.into_iter().map(str::to_owned).collect();
    (!warnings.is_empty()).then_some(warnings)
}

async fn changed(
    app: &UseCases,
    request: &Request,
    caller: &Caller,
    key: String,
    value: Given,
    version: Option<String>,
    action: Action,
) -> Result<Json<SettingView>, Failure<404, 409>> {
    let expected = if_match(version.as_deref())?.map(|version| Revision(version.number()));
    let wish = Wish { key, value, expected };
    let wishes = std::slice::from_ref(&wish);
    let change = match app.settings.change_if_other(&caller.actor, wishes, action).await {
        Ok(revision) => revision.map(|revision| revision.0),
        Err(error @ SettingsError::Stale { .. }) => {
            let current = SettingView::from(app.settings.show(&caller.actor, &wish.key)?);
            let current = poem_openapi::types::ToJSON::to_json(&current).unwrap_or_default();
            return Err(Problem::from(error).with("current", current).into());
        }
        Err(error) => return Err(error.into()),
    };
    match app.settings.show(&caller.actor, &wish.key) {
        Ok(shown) => {
            let warnings = warnings(app, request);
            Ok(Json(SettingView { change, warnings, ..shown.into() }))
        }
        // An undeclared setting no longer exists without its value.
        Err(SettingsError::Unknown { key }) => {
            Ok(Json(SettingView { change, ..Shown::gone(key).into() }))
        }
        Err(error) => Err(error.into()),
    }
}

fn wishes(values: &Value) -> Result<Vec<Wish>, Problem> {
    let none = Map::new();
    let values = match values {
        Value::Object(values) => values,
        Value::Null => &none,
        _ => return Err(Problem::invalid("values must be an object with a value for each key")),
    };
    let wish = |(key, value): (&String, &Value)| Wish::new(key, Given::Json(value.clone()));
    Ok(values.iter().map(wish).collect())
}

/// Asks X which account the credentials belong to. An error describes for people what failed.
async fn test_x(maker: &Maker, values: &Values) -> Result<String, String> {
    let x = maker.x(values).map_err(|problem| {
        error!(error = %problem, "the HTTP client could not be created");
        "the HTTP client could not be created; see the log for details".to_owned()
    })?;
    let x = x.ok_or_else(|| {
        "no account is configured: set TWITTER_API_KEY, TWITTER_API_SECRET, TWITTER_ACCESS_TOKEN \
         and TWITTER_ACCESS_TOKEN_SECRET, or TWITTER_OAUTH2_TOKEN"
            .to_owned()
    })?;
    match tokio::time::timeout(PATIENCE, x.check()).await {
        Ok(result) => result,
        Err(_) => Err(format!("X did not respond within {} seconds", PATIENCE.as_secs())),
    }
}

/// Sends an email. An error describes for people what failed.
async fn test_mail(values: &Values, to: Address) -> Result<String, String> {
    let taken = format!("the mail server accepted an email to {to}; check whether it arrives");
    match mailer::try_out(values, to).await {
        Ok(()) => Ok(taken),
        Err(problem) => Err(problem.to_string()),
    }
}

/// Fetches the endpoints and keys of the issuer. An error describes for people what failed.
async fn test_google(app: &UseCases, values: &Values) -> Result<String, String> {
    match google::check(values, CALLBACK, Arc::clone(&app.people.google.clock)).await {
        Ok(()) => {
            Ok("the issuer responds; whether it accepts the client ID and secret shows only when \
                somebody signs in"
                .to_owned())
        }
        Err(IdentityError::NotSetUp) => Err(
            "Google is not configured: set GOOGLE_OAUTH_CLIENT_ID, GOOGLE_OAUTH_CLIENT_SECRET and \
             PUBLIC_URL"
                .to_owned(),
        ),
        Err(problem) => Err(error_chain(&problem)),
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        let detail = error.to_string();
        match error {
            SettingsError::Forbidden(error) => error.into(),
            SettingsError::Unknown { .. } | SettingsError::NoSuchChange(_) => {
                Self::not_found(detail)
            }
            SettingsError::Secret { .. }
            | SettingsError::Twice { .. }
            | SettingsError::Invalid(_)
            | SettingsError::Receiver { .. } => Self::invalid(detail),
            SettingsError::TooMany { .. }
            | SettingsError::Stale { .. }
            | SettingsError::NotUndoable { .. }
            | SettingsError::NoMasterKey { .. }
            | SettingsError::NotOpened { .. } => Self::conflict(detail),
            SettingsError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, detail),
            SettingsError::Port(error) => error.into(),
        }
    }
}
