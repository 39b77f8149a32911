//! Registration, password resets, sign-in with Google and address changes, each confirmed by email.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::Request;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::payload::{Json, Response};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use poem_openapi::{Object, OpenApi};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tracing::error;
use waggle_accounts::{
    Application, ChangeAddressError, CodeError, FirstAdmin, GOOGLE_PATIENCE, GoogleError,
    IdentityError, Issued, Presented, ProvenBy, RegisterError, ResetPasswordError, SetUpError,
    TokensOnReset, User,
};
use waggle_kernel::error_chain;

use super::accounts::{SignedInView, UserView, signed_in};
use super::done::Done;
use super::tag::Tag;
use crate::http::{Failure, GOOGLE_COOKIE, Problem, SignedIn, client};
use crate::use_cases::UseCases;

/// The digits of a code: a JSON string, because a number would lose its leading zeros.
#[derive(Debug)]
struct Digits(String);

impl Type for Digits {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string(code)".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "code")))
    }

    fn register(_: &mut Registry) {}

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromJSON for Digits {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            Some(Value::String(text)) => Ok(Self(text)),
            _ => Err(ParseError::custom("a code must be a JSON string of digits")),
        }
    }
}

impl ToJSON for Digits {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }
}

/// A registration.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RegisterBody {
    email: String,
    /// The name to sign in with. By default, the part of the address before the `@`. If the name is
    /// taken when you confirm, you get the part before the `@` with a number.
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    /// 10 to 256 characters.
    password: String,
}

/// The first admin.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct SetUpBody {
    /// The value after the `#` of the set-up link.
    token: String,
    email: String,
    /// The name to sign in with. By default, the part of the address before the `@`.
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    /// 10 to 256 characters.
    password: String,
}

/// The response to a request for a code. It does not reveal whether a code was sent.
#[derive(Object)]
#[oai(rename = "CodeSent")]
pub(super) struct CodeSentView {
    /// Send this value back together with the code.
    flow: String,
    /// When the code expires.
    expires_at: DateTime<Utc>,
}

impl From<Issued> for CodeSentView {
    fn from(issued: Issued) -> Self {
        Self { flow: issued.flow.text().to_owned(), expires_at: issued.expires_at }
    }
}

/// Proof that you received the email: either `flow` and `code`, or `link`.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ConfirmRegistrationBody {
    /// The `flow` from the response to the request for the code.
    flow: Option<String>,
    code: Option<Digits>,
    /// The value after `verify=` in the link of the email.
    link: Option<String>,
    /// The password to set instead of the one in the registration. Required with `link`, because
    /// somebody else may have requested the email.
    password: Option<String>,
}

/// An email address.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct AddressBody {
    email: String,
}

/// Proof that you received the email (either `flow` and `code`, or `link`), and the new password.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ConfirmResetBody {
    /// The `flow` from the response to the request for the code.
    flow: Option<String>,
    code: Option<Digits>,
    /// The value after `reset=` in the link of the email.
    link: Option<String>,
    /// 10 to 256 characters.
    password: String,
    /// Whether to revoke the user's API tokens as well.
    #[oai(default)]
    revoke_tokens: bool,
}

/// Proof that you received the email: either `flow` and `code`, or `link`.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ConfirmAddressBody {
    /// The `flow` from the response to the request for the code.
    flow: Option<String>,
    code: Option<Digits>,
    /// The value after `verify=` in the link of the email.
    link: Option<String>,
}

/// Where the browser goes after the sign-in with Google.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct GoogleBody {
    /// A path of Waggle. Any other value leads to the start page.
    return_to: Option<String>,
}

/// Where to send the browser.
#[derive(Object)]
struct GoogleView {
    /// A page of Google, which sends the browser back to Waggle.
    url: String,
}

/// The code from the email.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ConfirmGoogleBody {
    /// The value after `google=` in the URL that the browser was sent back to.
    flow: String,
    code: Digits,
}

fn presented(
    flow: Option<String>,
    code: Option<Digits>,
    link: Option<String>,
) -> Result<Presented, Problem> {
    match (flow, code, link) {
        (Some(flow), Some(code), None) => Ok(Presented::Code { flow, code: code.0 }),
        (None, None, Some(link)) => Ok(Presented::Link(link)),
        _ => Err(Problem::invalid("send either flow and code, or only link")),
    }
}

pub(crate) struct JoiningApi;

#[OpenApi(tag = "Tag::Accounts")]
impl JoiningApi {
    /// Create the first admin and sign in.
    ///
    /// For everybody. Needs the token of a set-up link, which `waggle setup-link` prints. The link
    /// works once, within 24 hours, while there is no user; after that, the response is a 404. The
    /// response sets the cookie of a new session.
    #[oai(path = "/setup", method = "post", operation_id = "set_up")]
    async fn set_up(
        &self,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<SetUpBody>,
    ) -> Result<Response<Json<SignedInView>>, Failure<403, 404>> {
        let admin = FirstAdmin {
            email: body.0.email,
            username: body.0.username,
            first_name: body.0.first_name.unwrap_or_default(),
            last_name: body.0.last_name.unwrap_or_default(),
            password: body.0.password.into(),
        };
        let (policy, from) = (app.policy(), client(&app, request));
        let (user, stored) =
            app.people.set_up.complete(&body.0.token, admin, &from, &policy.limits).await?;
        let user = as_they_are(&app, user).await;
        let proven = ProvenBy::Password;
        let opened = app.people.sign_in.open(user, &stored, proven, &from, &policy.sign_in).await?;
        Ok(signed_in(&app, &opened))
    }

    /// Register a new user.
    ///
    /// For everybody. A code is emailed to the address. The response is the same whether or not a
    /// user has the address; that user is notified by email. While `DOMAIN_RESTRICTION_ENABLED` is
    /// on, addresses of domains that are not allowed are rejected.
    #[oai(path = "/auth/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<RegisterBody>,
    ) -> Result<Json<CodeSentView>, Failure> {
        let wanted = Application {
            email: body.0.email,
            username: body.0.username,
            first_name: body.0.first_name.unwrap_or_default(),
            last_name: body.0.last_name.unwrap_or_default(),
            password: body.0.password.into(),
        };
        let issued =
            app.people.register.request(&wanted, &client(&app, request), &app.policy()).await?;
        Ok(Json(issued.into()))
    }

    /// Confirm a registration and sign in.
    ///
    /// For everybody. Send the code or the link from the email. This creates the user, and the
    /// response sets the cookie of a new session.
    #[oai(path = "/auth/register/confirm", method = "post", operation_id = "confirm_registration")]
    async fn confirm_registration(
        &self,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<ConfirmRegistrationBody>,
    ) -> Result<Response<Json<SignedInView>>, Failure<401, 409>> {
        let presented = presented(body.0.flow, body.0.code, body.0.link)?;
        let (policy, from) = (app.policy(), client(&app, request));
        let password = body.0.password.map(Into::into);
        let (user, stored) =
            app.people.register.confirm(&presented, password.as_ref(), &from, &policy).await?;
        let user = as_they_are(&app, user).await;
        let opened =
            app.people.sign_in.open(user, &stored, ProvenBy::Mail, &from, &policy.sign_in).await?;
        Ok(signed_in(&app, &opened))
    }

    /// Request a password reset.
    ///
    /// For everybody. A code is emailed to the address if an active user has it. The response is
    /// the same whether or not a user has it.
    #[oai(path = "/auth/password-reset", method = "post", operation_id = "request_password_reset")]
    async fn request_password_reset(
        &self,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<AddressBody>,
    ) -> Result<Json<CodeSentView>, Failure> {
        let from = client(&app, request);
        let issued = app.people.reset_password.request(&body.0.email, &from, &app.policy()).await?;
        Ok(Json(issued.into()))
    }

    /// Set a new password.
    ///
    /// For everybody. Send the code or the link from the email. All sessions of the user end, and
    /// the user is notified by email. This does not sign the user in.
    #[oai(
        path = "/auth/password-reset/confirm",
        method = "post",
        operation_id = "confirm_password_reset"
    )]
    async fn confirm_password_reset(
        &self,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<ConfirmResetBody>,
    ) -> Result<Json<Done>, Failure> {
        let presented = presented(body.0.flow, body.0.code, body.0.link)?;
        let password = body.0.password.into();
        let tokens = if body.0.revoke_tokens { TokensOnReset::Revoke } else { TokensOnReset::Keep };
        let from = client(&app, request);
        app.people
            .reset_password
            .complete(&presented, &password, tokens, &from, &app.policy())
            .await?;
        app.super_admins.apply(&app.settings.values()).await;
        Ok(Json(Done { message: "the password was changed; sign in with it".to_owned() }))
    }

    /// Start a sign-in with Google.
    ///
    /// For everybody. Send the browser to the returned `url`. The response sets a cookie that binds
    /// the sign-in to this browser.
    #[oai(path = "/auth/google", method = "post", operation_id = "begin_google")]
    async fn begin_google(
        &self,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<GoogleBody>,
    ) -> Result<Response<Json<GoogleView>>, Failure<409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let return_to = body.0.return_to.unwrap_or_default();
        let begun = app.people.google.begin(&return_to, &from, &policy).await?;
        let (values, seconds) = (app.settings.values(), GOOGLE_PATIENCE.num_seconds());
        let cookie = GOOGLE_COOKIE.set(&values, begun.browser.expose_secret(), seconds);
        let view = GoogleView { url: begun.url.to_string() };
        Ok(Response::new(Json(view)).header("set-cookie", cookie))
    }

    /// Complete the first sign-in with Google.
    ///
    /// For everybody. Send the code from the email. The response sets the cookie of a new session.
    #[oai(path = "/auth/google/confirm", method = "post", operation_id = "confirm_google")]
    async fn confirm_google(
        &self,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<ConfirmGoogleBody>,
    ) -> Result<Response<Json<SignedInView>>, Failure<401, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let ConfirmGoogleBody { flow, code } = body.0;
        let (user, stored) = app.people.google.confirm(flow, code.0, &from, &policy).await?;
        let user = as_they_are(&app, user).await;
        let opened = app
            .people
            .sign_in
            .open(user, &stored, ProvenBy::Google, &from, &policy.sign_in)
            .await?;
        Ok(signed_in(&app, &opened))
    }

    /// Request a change of your email address.
    ///
    /// For people who are signed in and proved who they are a short while ago. A code is emailed to
    /// the address that you send. To verify your current address, send that address.
    #[oai(path = "/me/email", method = "post", operation_id = "request_address_change")]
    async fn request_address_change(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<AddressBody>,
    ) -> Result<Json<CodeSentView>, Failure> {
        let (from, policy) = (client(&app, request), app.policy());
        let issued = app
            .people
            .change_address
            .request(&person.visitor, &body.0.email, &from, &policy)
            .await?;
        Ok(Json(issued.into()))
    }

    /// Confirm your new email address.
    ///
    /// For people who are signed in. Send the code or the link from the email. All your other
    /// sessions end. If the address is new, your previous address is notified by email.
    #[oai(path = "/me/email/confirm", method = "post", operation_id = "confirm_address_change")]
    async fn confirm_address_change(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<ConfirmAddressBody>,
    ) -> Result<Json<UserView>, Failure> {
        let presented = presented(body.0.flow, body.0.code, body.0.link)?;
        let (from, policy) = (client(&app, request), app.policy());
        let user =
            app.people.change_address.confirm(&person.visitor, &presented, &from, &policy).await?;
        let user = as_they_are(&app, user).await;
        Ok(Json((&user).into()))
    }
}

/// The user after the list of super admins was applied to the newly verified address.
pub(crate) async fn as_they_are(app: &UseCases, user: User) -> User {
    let changed = app.super_admins.apply(&app.settings.values()).await;
    changed.into_iter().find(|changed| changed.id == user.id).unwrap_or(user)
}

impl From<CodeError> for Problem {
    fn from(error: CodeError) -> Self {
        let detail = error.to_string();
        match error {
            CodeError::Malformed(_) => Self::invalid(detail),
            CodeError::Refused => Self::new(StatusCode::FORBIDDEN, detail),
            CodeError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            CodeError::Port(error) => error.into(),
        }
    }
}

impl From<SetUpError> for Problem {
    fn from(error: SetUpError) -> Self {
        let detail = error.to_string();
        match error {
            SetUpError::Forbidden(error) => error.into(),
            SetUpError::Closed => Self::not_found(detail),
            SetUpError::Refused => Self::new(StatusCode::FORBIDDEN, detail),
            SetUpError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            SetUpError::User(error) => error.into(),
            SetUpError::Port(error) => error.into(),
        }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        let detail = error.to_string();
        match error {
            RegisterError::Closed | RegisterError::ForeignDomain => {
                Self::new(StatusCode::FORBIDDEN, detail)
            }
            RegisterError::Address(_)
            | RegisterError::Username(_)
            | RegisterError::Name(_)
            | RegisterError::Password(_)
            | RegisterError::NoPassword => Self::invalid(detail),
            RegisterError::NoName => Self::conflict(detail),
            RegisterError::Code(error) => error.into(),
            RegisterError::Port(error) => error.into(),
        }
    }
}

impl From<ResetPasswordError> for Problem {
    fn from(error: ResetPasswordError) -> Self {
        let detail = error.to_string();
        match error {
            ResetPasswordError::Address(_) | ResetPasswordError::Password(_) => {
                Self::invalid(detail)
            }
            ResetPasswordError::Code(error) => error.into(),
            ResetPasswordError::Port(error) => error.into(),
        }
    }
}

impl From<ChangeAddressError> for Problem {
    fn from(error: ChangeAddressError) -> Self {
        let detail = error.to_string();
        match error {
            ChangeAddressError::NotRecent(error) => error.into(),
            ChangeAddressError::Address(_) => Self::invalid(detail),
            ChangeAddressError::ForeignDomain => Self::new(StatusCode::FORBIDDEN, detail),
            ChangeAddressError::Code(error) => error.into(),
            ChangeAddressError::Port(error) => error.into(),
        }
    }
}

impl From<GoogleError> for Problem {
    fn from(error: GoogleError) -> Self {
        let detail = error.to_string();
        match error {
            GoogleError::Identity(IdentityError::NotSetUp) => Self::conflict(detail),
            GoogleError::Identity(IdentityError::Port(error)) | GoogleError::Port(error) => {
                error.into()
            }
            GoogleError::Identity(
                IdentityError::Unreachable(ref cause) | IdentityError::NotTheIssuer(ref cause),
            ) => {
                let cause = error_chain(cause);
                error!(request.id = %Self::request_id(), error = %cause, "a sign-in with Google \
                                                                          failed");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            GoogleError::Identity(IdentityError::Unverified | IdentityError::Refused(_))
            | GoogleError::Stale
            | GoogleError::Denied
            | GoogleError::ForeignDomain
            | GoogleError::Refused => Self::new(StatusCode::FORBIDDEN, detail),
            GoogleError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            GoogleError::Code(error) => error.into(),
            GoogleError::Register(error) => error.into(),
        }
    }
}
