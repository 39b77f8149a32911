//! Second factors over HTTP: how users set them up, verify them and remove them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::Request;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use qrcode::QrCode;
use qrcode::render::svg;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use waggle_accounts::ports::{PasskeyError, WhichFactor};
use waggle_accounts::{Passkey, PasskeysError, SecondFactorError};
use waggle_kernel::PortError;
use waggle_kernel::ids::PasskeyId;

use super::accounts::{SignedInView, signed_in};
use super::done::Done;
use super::tag::Tag;
use crate::http::{Failure, Problem, SignedIn, client};
use crate::live::passkeys::relying_party;
use crate::use_cases::UseCases;

/// The second factors of a user.
#[derive(Object)]
#[oai(rename = "SecondFactor")]
struct SecondFactorView {
    /// Whether the user has an authenticator app.
    has_totp: bool,
    /// The user's passkeys, oldest first.
    passkeys: Vec<PasskeyView>,
    /// Whether passkeys are available. They require a `PUBLIC_URL` that has a domain and TLS, or is
    /// `http://localhost`.
    can_have_passkeys: bool,
    /// The number of unused recovery codes.
    recovery_codes_left: u32,
    /// Whether the user must have a second factor.
    is_required: bool,
}

/// A key that an authenticator stores.
#[derive(Object)]
#[oai(rename = "Passkey")]
struct PasskeyView {
    id: i64,
    name: String,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<Passkey> for PasskeyView {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id.number(),
            name: passkey.name,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
        }
    }
}

/// Options that the browser passes to its authenticator.
#[derive(Object)]
struct AskedView {
    /// Options for `PublicKeyCredential.parseCreationOptionsFromJSON` or
    /// `parseRequestOptionsFromJSON`. They are valid for five minutes and for one answer.
    options: Value,
}

/// A passkey to add.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewPasskeyBody {
    /// The name of the passkey: 1 to 100 characters.
    name: String,
    /// The result of `PublicKeyCredential.toJSON()`.
    credential: Value,
}

/// The answer of an authenticator.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct PasskeyBody {
    /// The result of `PublicKeyCredential.toJSON()`.
    credential: Value,
}

/// The secret for an authenticator app. It is shown only once.
#[derive(Object)]
struct TotpView {
    /// The secret, to type into the app.
    secret: String,
    /// The secret as a URL: `otpauth://totp/...`.
    url: String,
    /// The URL as a QR code in SVG, to scan with the app.
    qr: String,
}

/// A code of the authenticator app, or a recovery code.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct CodeBody {
    /// The six digits that the app shows, or a recovery code where one is accepted. Spaces and
    /// hyphens are ignored.
    #[oai(validator(max_length = 64))]
    code: String,
}

/// Recovery codes. Each can be used once. They are shown only once.
#[derive(Object)]
struct RecoveryCodes {
    /// Ten new codes, or none if the previous codes stay valid.
    recovery_codes: Vec<String>,
}

impl From<Vec<SecretString>> for RecoveryCodes {
    fn from(codes: Vec<SecretString>) -> Self {
        let shown = |code: &SecretString| code.expose_secret().to_owned();
        Self { recovery_codes: codes.iter().map(shown).collect() }
    }
}

pub(crate) struct SecondFactorApi;

#[OpenApi(tag = "Tag::Accounts")]
impl SecondFactorApi {
    /// Verify the second factor with a code.
    ///
    /// For people who are signed in, or are asked for the second factor. Send a code of the
    /// authenticator app or a recovery code. Each can be used once. The response sets the cookie of
    /// a new session, which gives access to everything that the user may do. If you are already
    /// signed in, this counts as a recent authentication.
    #[oai(path = "/auth/second-factor", method = "post", operation_id = "show_second_factor")]
    async fn show_second_factor(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<CodeBody>,
    ) -> Result<Response<Json<SignedInView>>, Failure<401, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let shown = app.people.second_factor.prove(&person.visitor, &body.code, &from, &policy);
        let result = shown.await;
        Ok(signed_in(&app, &result?))
    }

    /// Start verifying the second factor with a passkey.
    ///
    /// For people who are signed in, or are asked for the second factor. The response contains the
    /// options for one of your passkeys.
    #[oai(path = "/auth/second-factor/passkey", method = "post", operation_id = "ask_for_passkey")]
    async fn ask_for_passkey(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<AskedView>, Failure<409>> {
        let options = app.people.passkeys.begin_proving(&person.visitor).await?;
        Ok(Json(AskedView { options }))
    }

    /// Verify the second factor with a passkey.
    ///
    /// For people who are signed in, or are asked for the second factor. The response sets the
    /// cookie of a new session, which gives access to everything that the user may do. If you are
    /// already signed in, this counts as a recent authentication.
    #[oai(
        path = "/auth/second-factor/passkey/confirm",
        method = "post",
        operation_id = "show_passkey"
    )]
    async fn show_passkey(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<PasskeyBody>,
    ) -> Result<Response<Json<SignedInView>>, Failure<401, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let answer = &body.credential;
        let shown = app.people.passkeys.finish_proving(&person.visitor, answer, &from, &policy);
        Ok(signed_in(&app, &shown.await?))
    }

    /// List your second factors.
    ///
    /// For people who are signed in, also if they have to set up a second factor first.
    #[oai(path = "/me/second-factor", method = "get", operation_id = "list_second_factors")]
    async fn list_second_factors(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<SecondFactorView>, Failure> {
        let (user, policy) = (&person.visitor.user, app.policy());
        let state = app.people.second_factor.state(&person.visitor).await?;
        let passkeys = app.people.passkeys.list(&person.visitor).await?;
        Ok(Json(SecondFactorView {
            has_totp: state.has_totp,
            passkeys: passkeys.into_iter().map(Into::into).collect(),
            can_have_passkeys: relying_party(&app.settings.values()).is_ok(),
            recovery_codes_left: state.recovery_codes_left,
            is_required: policy.is_second_factor_required(user),
        }))
    }

    /// Start setting up an authenticator app.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to
    /// set up a second factor first. Signing in requires the app as soon as you confirm it.
    #[oai(path = "/me/second-factor/totp", method = "post", operation_id = "begin_totp")]
    async fn begin_totp(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<TotpView>, Failure<409>> {
        let begun = app.people.second_factor.begin(&person.visitor, &app.policy()).await?;
        let url = begun.url.expose_secret().to_owned();
        let qr = QrCode::new(&url).map_err(|error| PortError::broken("drawing a QR code", error));
        let qr = qr?.render::<svg::Color>().min_dimensions(200, 200).build();
        Ok(Json(TotpView { secret: begun.secret.expose_secret().to_owned(), url, qr }))
    }

    /// Enable an authenticator app with a code that it shows.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to
    /// set up a second factor first. All your other sessions end, and you are notified by email.
    #[oai(path = "/me/second-factor/totp/confirm", method = "post", operation_id = "confirm_totp")]
    async fn confirm_totp(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<CodeBody>,
    ) -> Result<Json<RecoveryCodes>, Failure<401, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let confirmed =
            app.people.second_factor.confirm(&person.visitor, &body.code, &from, &policy);
        let result = confirmed.await;
        Ok(Json(result?.into()))
    }

    /// Remove the authenticator app.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to
    /// set up a second factor first. All your other sessions end, and you are notified by email. If
    /// this is your last second factor, your recovery codes are removed as well.
    #[oai(path = "/me/second-factor/totp", method = "delete", operation_id = "remove_totp")]
    async fn remove_totp(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<Done>, Failure<401, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let which = WhichFactor::Totp;
        app.people.second_factor.remove(&person.visitor, which, &from, &policy).await?;
        Ok(Json(Done { message: "the authenticator app was removed".to_owned() }))
    }

    /// Start adding a passkey.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to
    /// set up a second factor first.
    #[oai(path = "/me/second-factor/passkeys", method = "post", operation_id = "begin_passkey")]
    async fn begin_passkey(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<AskedView>, Failure<409>> {
        let policy = app.policy();
        let options = app.people.passkeys.begin_registering(&person.visitor, &policy).await?;
        Ok(Json(AskedView { options }))
    }

    /// Add the passkey that the authenticator created.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to
    /// set up a second factor first. All your other sessions end, and you are notified by email.
    #[oai(
        path = "/me/second-factor/passkeys/confirm",
        method = "post",
        operation_id = "confirm_passkey"
    )]
    async fn confirm_passkey(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<NewPasskeyBody>,
    ) -> Result<Json<RecoveryCodes>, Failure<401, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let NewPasskeyBody { name, credential } = body.0;
        let codes = app
            .people
            .passkeys
            .finish_registering(&person.visitor, &name, &credential, &from, &policy)
            .await?;
        Ok(Json(codes.into()))
    }

    /// Remove a passkey.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to
    /// set up a second factor first. All your other sessions end, and you are notified by email. If
    /// this is your last second factor, your recovery codes are removed as well.
    #[oai(
        path = "/me/second-factor/passkeys/:id",
        method = "delete",
        operation_id = "remove_passkey"
    )]
    async fn remove_passkey(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<Done>, Failure<401, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let which = WhichFactor::Passkey(PasskeyId::new(id.0));
        app.people.second_factor.remove(&person.visitor, which, &from, &policy).await?;
        Ok(Json(Done { message: "the passkey was removed".to_owned() }))
    }

    /// Create new recovery codes.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to
    /// set up a second factor first. The previous codes become invalid, and you are notified by
    /// email.
    #[oai(
        path = "/me/second-factor/recovery-codes",
        method = "post",
        operation_id = "renew_recovery_codes"
    )]
    async fn renew_recovery_codes(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<RecoveryCodes>, Failure<401, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let renewed =
            app.people.second_factor.renew_recovery_codes(&person.visitor, &from, &policy);
        let codes = renewed.await?;
        Ok(Json(codes.into()))
    }
}

impl From<SecondFactorError> for Problem {
    fn from(error: SecondFactorError) -> Self {
        let detail = error.to_string();
        match error {
            SecondFactorError::Forbidden(error) => error.into(),
            SecondFactorError::NotRecent(error) => error.into(),
            SecondFactorError::IsOn
            | SecondFactorError::NotBegun
            | SecondFactorError::Unreadable => Self::conflict(detail),
            SecondFactorError::Own | SecondFactorError::Refused => {
                Self::new(StatusCode::FORBIDDEN, detail)
            }
            SecondFactorError::Limited(exhausted)
            | SecondFactorError::TooManyChanges(exhausted) => Self::too_often(detail, &exhausted),
            SecondFactorError::Port(error) => error.into(),
        }
    }
}

impl From<PasskeysError> for Problem {
    fn from(error: PasskeysError) -> Self {
        let detail = error.to_string();
        match error {
            PasskeysError::NotRecent(error) => error.into(),
            PasskeysError::Name(_) => Self::invalid(detail),
            PasskeysError::Ended => Self::new(StatusCode::UNAUTHORIZED, detail),
            PasskeysError::TooMany
            | PasskeysError::Taken
            | PasskeysError::Passkey(PasskeyError::NotSetUp | PasskeyError::None) => {
                Self::conflict(detail)
            }
            PasskeysError::Stale
            | PasskeysError::Passkey(PasskeyError::Refused(_) | PasskeyError::Cloned) => {
                Self::new(StatusCode::FORBIDDEN, detail)
            }
            PasskeysError::Factor(error) => error.into(),
            PasskeysError::Passkey(PasskeyError::Port(error)) | PasskeysError::Port(error) => {
                error.into()
            }
        }
    }
}
