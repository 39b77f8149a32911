//! Second factors over HTTP: setting them up, showing them, and doing without them again.

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

/// What somebody has of second factors.
#[derive(Object)]
#[oai(rename = "SecondFactor")]
struct SecondFactorView {
    /// Whether there is an authenticator app.
    has_totp: bool,
    /// Oldest first.
    passkeys: Vec<PasskeyView>,
    /// Whether passkeys can be had here: `PUBLIC_URL` has a domain and TLS, or is `http://localhost`.
    can_have_passkeys: bool,
    /// How many recovery codes were not used yet.
    recovery_codes_left: u32,
    /// Whether the user has to have a second factor.
    is_required: bool,
}

/// A key that an authenticator keeps.
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

/// What the browser asks its authenticator.
#[derive(Object)]
struct AskedView {
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`. Good for five minutes and one answer.
    options: Value,
}

/// A passkey that was made.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewPasskeyBody {
    /// What it is called: 1 to 100 characters.
    name: String,
    /// What `PublicKeyCredential.toJSON()` gives.
    credential: Value,
}

/// What an authenticator answered.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct PasskeyBody {
    /// What `PublicKeyCredential.toJSON()` gives.
    credential: Value,
}

/// What an authenticator app needs. It is shown this once.
#[derive(Object)]
struct TotpView {
    /// To be typed into the app.
    secret: String,
    /// The same as an address: `otpauth://totp/...`.
    url: String,
    /// The address as a QR code, in SVG, for the camera of the app.
    qr: String,
}

/// A code that an app shows.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct CodeBody {
    /// Six digits of the app, or a recovery code where one is taken; spaces and hyphens make no difference.
    #[oai(validator(max_length = 64))]
    code: String,
}

/// Recovery codes, each good for once. They are shown this once.
#[derive(Object)]
struct RecoveryCodes {
    /// Ten when they were made; none when the codes from before go on working.
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
    /// Show the second factor by a code of the authenticator app or a recovery code; each is good for once.
    ///
    /// For people who are signed in, or are asked for the second factor. The answer sets the cookie of a new session, which opens all
    /// that the user may do; for who is signed in already it counts as a fresh proof.
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

    /// Ask for a passkey of one's own, as the second factor.
    ///
    /// For people who are signed in, or are asked for the second factor.
    #[oai(path = "/auth/second-factor/passkey", method = "post", operation_id = "ask_for_passkey")]
    async fn ask_for_passkey(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<AskedView>, Failure<409>> {
        let options = app.people.passkeys.begin_proving(&person.visitor).await?;
        Ok(Json(AskedView { options }))
    }

    /// Show the second factor by a passkey.
    ///
    /// For people who are signed in, or are asked for the second factor. The answer sets the cookie of a new session, which opens all
    /// that the user may do; for who is signed in already it counts as a fresh proof.
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

    /// Show what second factors one has.
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

    /// Begin to set up an authenticator app. It is asked for from when it is confirmed.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to set up a second factor first.
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

    /// Switch an authenticator app on by a code that it shows; all other sessions end.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to set up a second factor first. The
    /// user is told by mail.
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

    /// Remove the authenticator app; all other sessions end. With the last second factor the recovery codes go, too.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to set up a second factor first. The
    /// user is told by mail.
    #[oai(path = "/me/second-factor/totp", method = "delete", operation_id = "remove_totp")]
    async fn remove_totp(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<Done>, Failure<401, 404, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let which = WhichFactor::Totp;
        app.people.second_factor.remove(&person.visitor, which, &from, &policy).await?;
        Ok(Json(Done { message: "the authenticator app was removed".to_owned() }))
    }

    /// Begin to add a passkey.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to set up a second factor first.
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

    /// Add the passkey that the authenticator made; all other sessions end.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to set up a second factor first. The
    /// user is told by mail.
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

    /// Remove a passkey; all other sessions end. With the last second factor the recovery codes go, too.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to set up a second factor first. The
    /// user is told by mail.
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
    ) -> Result<Json<Done>, Failure<401, 404, 409>> {
        let (from, policy) = (client(&app, request), app.policy());
        let which = WhichFactor::Passkey(PasskeyId::new(id.0));
        app.people.second_factor.remove(&person.visitor, which, &from, &policy).await?;
        Ok(Json(Done { message: "the passkey was removed".to_owned() }))
    }

    /// Make new recovery codes; those from before are of no use any more.
    ///
    /// For people who are signed in and proved who they are a short while ago, also if they have to set up a second factor first. The
    /// user is told by mail.
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
