//! Settings over HTTP, for admins alone; a secret goes in and never comes out.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use poem::Request;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::{Map, Value};
use tracing::{error, warn};
use waggle_accounts::{Address, IdentityError};
use waggle_kernel::error_chain;
use waggle_settings::{
    Action, Given, Group, Kind, Past, Problem as Wrong, Revision, SettingsError, Shown,
    ShownChange, Values, Wish,
};

use super::query::{if_match, page, text};
use super::tag::Tag;
use crate::http::{CALLBACK, Caller, Failure, Problem, SignedIn, is_allowed_host, is_public_host};
use crate::live::connections::Maker;
use crate::live::{google, mailer};
use crate::use_cases::UseCases;

/// How long a counterpart may take to answer a test.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum GroupName {
    Ingest,
    Http,
    Publishing,
    X,
    Sandbox,
    Mail,
    Google,
    Sessions,
    Access,
    Legacy,
    Custom,
}

impl From<GroupName> for Group {
    fn from(name: GroupName) -> Self {
        match name {
            GroupName::Ingest => Self::Ingest,
            GroupName::Http => Self::Http,
            GroupName::Publishing => Self::Publishing,
            GroupName::X => Self::X,
            GroupName::Sandbox => Self::Sandbox,
            GroupName::Mail => Self::Mail,
            GroupName::Google => Self::Google,
            GroupName::Sessions => Self::Sessions,
            GroupName::Access => Self::Access,
            GroupName::Legacy => Self::Legacy,
            GroupName::Custom => Self::Custom,
        }
    }
}

impl From<Group> for GroupName {
    fn from(group: Group) -> Self {
        match group {
            Group::Ingest => Self::Ingest,
            Group::Http => Self::Http,
            Group::Publishing => Self::Publishing,
            Group::X => Self::X,
            Group::Sandbox => Self::Sandbox,
            Group::Mail => Self::Mail,
            Group::Google => Self::Google,
            Group::Sessions => Self::Sessions,
            Group::Access => Self::Access,
            Group::Legacy => Self::Legacy,
            Group::Custom => Self::Custom,
        }
    }
}

/// A setting.
#[derive(Object)]
#[oai(rename = "Setting")]
struct SettingView {
    key: String,
    group: GroupName,
    /// text, integer, decimal, boolean, duration (in seconds), list, email, url, json or secret.
    #[oai(rename = "type")]
    kind: String,
    /// The JSON Schema of the value.
    schema: Value,
    /// What it does.
    description: String,
    /// The variable of the environment that is looked at where the database has no value.
    environment: Option<String>,
    is_secret: bool,
    /// Whether there is a value, be it the default.
    is_set: bool,
    /// The value that is in effect; null where there is none, and always for a secret.
    value: Value,
    /// The value when nothing is set.
    default: Value,
    /// The last four characters of a secret that has 16 or more.
    last4: Option<String>,
    /// Where the value comes from: `database`, `environment` or `default`.
    source: String,
    /// Which change set it, for `If-Match`; 0 where none did.
    version: i64,
    /// When it was set, if the database has it.
    updated_at: Option<DateTime<Utc>>,
    /// Who set it, if the database has it.
    updated_by: Option<String>,
    /// What the change makes impossible, if anything.
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
    /// The last change of all settings.
    revision: i64,
    /// What the change makes impossible, if anything.
    #[oai(skip_serializing_if_is_none)]
    warnings: Option<Vec<String>>,
}

/// A value to be set.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct SetBody {
    /// The value, of the setting's type. A text is read as on the command line: `"1h30m"`, `"yes"`.
    value: Value,
}

/// Values by key.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ValuesBody {
    /// An object with a value for each key; null is none: back to the environment or the default.
    values: Value,
}

/// What speaks against values.
#[derive(Object)]
struct ValidityView {
    valid: bool,
    /// What is wrong with them, each for people; empty if nothing is.
    problems: Vec<ProblemOfSetting>,
}

/// What is wrong with a value.
#[derive(Object)]
struct ProblemOfSetting {
    /// The setting; null where it is about several together.
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

/// Values to be tried.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct TestBody {
    /// An object with values that stand over those that are set; none when nothing is said.
    values: Option<Value>,
}

/// What the counterpart said.
#[derive(Object)]
struct TestView {
    ok: bool,
    /// What it said, or what failed, in words.
    detail: String,
}

/// What was kept at a time.
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
    /// Changes that were made at once have the same.
    revision: i64,
    /// The setting; `master key` where another one was taken.
    key: String,
    /// set, unset, undo, import, seal or `rotate_key`.
    action: String,
    /// What was kept before.
    from: PastView,
    /// What was kept from then on.
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
    /// What the change makes impossible, if anything.
    #[oai(skip_serializing_if_is_none)]
    warnings: Option<Vec<String>>,
}

pub(crate) struct SettingsApi;

#[OpenApi(tag = "Tag::Settings")]
#[expect(clippy::unused_async, reason = "the API's macro takes async functions alone")]
impl SettingsApi {
    /// List every setting, or those of a group.
    ///
    /// Scope: `admin`.
    #[oai(path = "/settings", method = "get", operation_id = "list_settings")]
    async fn list_settings(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        group: Query<Option<GroupName>>,
    ) -> Result<Json<SettingList>, Failure> {
        let found = app.settings.list(&caller.actor, group.0.map(Into::into))?;
        Ok(Json(SettingList {
            items: found.into_iter().map(Into::into).collect(),
            revision: app.settings.revision().0,
            warnings: None,
        }))
    }

    /// Set several settings at once: all of them or none.
    ///
    /// For admins who are signed in and proved who they are a short while ago. Null unsets. Values that only go together are set together, and a setting that says where a secret is
    /// sent (`TWITTER_API_URL`, `EMAIL_HOST`) is set together with that secret.
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

    /// Show a setting.
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

    /// Set a setting.
    ///
    /// For admins who are signed in and proved who they are a short while ago. The change is in effect when the answer comes, and within two seconds on every other server. With
    /// `If-Match` it is refused if somebody else was faster.
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
            return Err(Problem::invalid("value is missing; DELETE takes a value away").into());
        }
        changed(&app, request, &caller, key.0, Given::Json(value), version.0, Action::Set).await
    }

    /// Take a value away, back to the environment or the default.
    ///
    /// For admins who are signed in and proved who they are a short while ago.
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

    /// Say whether values would be taken, without setting them.
    ///
    /// Scope: `admin`.
    #[oai(path = "/settings/validate", method = "post", operation_id = "validate_settings")]
    async fn validate_settings(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        body: Json<ValuesBody>,
    ) -> Result<Json<ValidityView>, Failure> {
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

    /// Show who changed what, newest first.
    ///
    /// Scope: `admin`.
    #[oai(path = "/settings/history", method = "get", operation_id = "show_settings_history")]
    async fn show_settings_history(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        /// The changes of this setting alone.
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

    /// Take a change back: every setting of it is again what it was before.
    ///
    /// For admins who are signed in and proved who they are a short while ago. Refused if one of them was changed since.
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

    /// Try the values of a group against the real counterpart.
    ///
    /// For admins who are signed in. With the values of the body over those that are set; nothing is kept. For `x` X is asked whose
    /// account it is; for `mail` a mail is sent to the address of the caller; for
    /// `google` the issuer is asked for its places and keys, which shows nothing of the client secret.
    #[oai(path = "/settings/test/:group", method = "post", operation_id = "test_settings")]
    async fn test_settings(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
        group: Path<GroupName>,
        body: Json<TestBody>,
    ) -> Result<Json<TestView>, Failure<404, 409>> {
        let is_known = matches!(group.0, GroupName::X | GroupName::Mail | GroupName::Google);
        if !is_known {
            let detail =
                "this group has no counterpart to be tested against; x, mail and google have";
            return Err(Problem::not_found(detail).into());
        }
        let given = wishes(&body.0.values.unwrap_or_default())?;
        let user = person.visitor.user;
        let values = app.settings.try_on(&user.actor(), &given)?;
        let result = match group.0 {
            GroupName::Mail => test_mail(&values, user.email).await,
            GroupName::Google => test_google(&app, &values).await,
            _ => test_x(app.connections.maker(), &values).await,
        };
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        Ok(Json(TestView { ok, detail }))
    }
}

/// What the settings that are in effect now keep the caller from, who has just changed them.
fn warnings(app: &UseCases, request: &Request) -> Option<Vec<String>> {
    let values = app.settings.values();
    let mut warnings = Vec::new();
    if !is_allowed_host(&values, request) {
        warnings.push(
            "ALLOWED_HOSTS does not have the name under which you call: your next call will get a \
             421. On the server, `waggle settings unset ALLOWED_HOSTS` takes the list away",
        );
    }
    if !is_public_host(&values, request) {
        warnings.push(
            "PUBLIC_URL has another name than that under which you call: people sign in there alone, \
             and links of mails lead there. On the server, `waggle settings unset PUBLIC_URL` takes \
             it away",
        );
    }
    for warning in &warnings {
        warn!(request.id = %Problem::request_id(), warning, "a change of settings may shut people out");
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
    match app.settings.change(&caller.actor, std::slice::from_ref(&wish), action).await {
        Ok(_) => {}
        Err(error @ SettingsError::Stale { .. }) => {
            let current = SettingView::from(app.settings.show(&caller.actor, &wish.key)?);
            let current = poem_openapi::types::ToJSON::to_json(&current).unwrap_or_default();
            return Err(Problem::from(error).with("current", current).into());
        }
        Err(error) => return Err(error.into()),
    }
    match app.settings.show(&caller.actor, &wish.key) {
        Ok(shown) => {
            let warnings = warnings(app, request);
            Ok(Json(SettingView { warnings, ..shown.into() }))
        }
        // A leftover that nobody declared is gone now.
        Err(SettingsError::Unknown { key }) => Ok(Json(Shown::gone(key).into())),
        Err(error) => Err(error.into()),
    }
}

fn wishes(values: &Value) -> Result<Vec<Wish>, Problem> {
    let none = Map::new();
    let values = match values {
        Value::Object(values) => values,
        Value::Null => &none,
        _ => return Err(Problem::invalid("values has to be an object with a value for each key")),
    };
    let wish = |(key, value): (&String, &Value)| Wish::new(key, Given::Json(value.clone()));
    Ok(values.iter().map(wish).collect())
}

/// Asks X whose account it is; an error says in words what failed.
async fn test_x(maker: &Maker, values: &Values) -> Result<String, String> {
    let x = maker.x(values).map_err(|problem| {
        error!(error = %problem, "no HTTP client could be made");
        "no HTTP client could be made; the log has more".to_owned()
    })?;
    let x = x.ok_or_else(|| {
        "no account is set: there have to be TWITTER_API_KEY, TWITTER_API_SECRET, TWITTER_ACCESS_TOKEN and \
         TWITTER_ACCESS_TOKEN_SECRET, or TWITTER_OAUTH2_TOKEN"
            .to_owned()
    })?;
    match tokio::time::timeout(PATIENCE, x.check()).await {
        Ok(result) => result,
        Err(_) => Err(format!("X did not answer within {} seconds", PATIENCE.as_secs())),
    }
}

/// Sends a mail; an error says in words what failed.
async fn test_mail(values: &Values, to: Address) -> Result<String, String> {
    let taken = format!("the mail server took a mail to {to}; look whether it arrives");
    match mailer::try_out(values, to).await {
        Ok(()) => Ok(taken),
        Err(problem) => Err(problem.to_string()),
    }
}

/// Asks the issuer for its places and keys; an error says in words what failed.
async fn test_google(app: &UseCases, values: &Values) -> Result<String, String> {
    match google::check(values, CALLBACK, Arc::clone(&app.people.google.clock)).await {
        Ok(()) => {
            Ok("the issuer answers; whether it takes the client shows when somebody signs in"
                .to_owned())
        }
        Err(IdentityError::NotSetUp) => Err(
            "there have to be GOOGLE_OAUTH_CLIENT_ID, GOOGLE_OAUTH_CLIENT_SECRET and PUBLIC_URL"
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
