//! Second factors over HTTP: setting them up, showing them, and doing without them again.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::payload::{Json, Response};
use poem_openapi::{Object, OpenApi};
use qrcode::QrCode;
use qrcode::render::svg;
use secrecy::{ExposeSecret as _, SecretString};
use waggle_accounts::ports::WhichFactor;
use waggle_kernel::PortError;

use super::Tag;
use super::accounts::{SignedInView, signed_in};
use super::joining::Done;
use crate::app::App;
use crate::http::{Problem, SignedIn, client};

/// What somebody has of second factors.
#[derive(Object)]
#[oai(rename = "SecondFactor")]
struct SecondFactorView {
    /// Whether there is an authenticator app.
    has_totp: bool,
    /// How many recovery codes were not used yet.
    recovery_codes_left: u32,
    /// Whether the user has to have a second factor.
    is_required: bool,
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
        app: Data<&Arc<App>>,
        body: Json<CodeBody>,
    ) -> Result<Response<Json<SignedInView>>, Problem> {
        let (from, policy) = (client(&app, request), app.policy());
        let shown = app.people.second_factor.prove(&person.visitor, &body.code, &from, &policy);
        let result = shown.await;
        app.post.notify_one();
        Ok(signed_in(&app, &result?))
    }

    /// Show what second factors one has.
    ///
    /// For people who are signed in, also if they have to set up a second factor first.
    #[oai(path = "/me/second-factor", method = "get", operation_id = "list_second_factors")]
    async fn list_second_factors(
        &self,
        person: SignedIn,
        app: Data<&Arc<App>>,
    ) -> Result<Json<SecondFactorView>, Problem> {
        let (user, policy) = (&person.visitor.user, app.policy());
        let state = app.people.second_factor.state(&person.visitor).await?;
        Ok(Json(SecondFactorView {
            has_totp: state.has_totp,
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
        app: Data<&Arc<App>>,
    ) -> Result<Json<TotpView>, Problem> {
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
        app: Data<&Arc<App>>,
        body: Json<CodeBody>,
    ) -> Result<Json<RecoveryCodes>, Problem> {
        let (from, policy) = (client(&app, request), app.policy());
        let confirmed =
            app.people.second_factor.confirm(&person.visitor, &body.code, &from, &policy);
        let result = confirmed.await;
        app.post.notify_one();
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
        app: Data<&Arc<App>>,
    ) -> Result<Json<Done>, Problem> {
        let (from, policy) = (client(&app, request), app.policy());
        let which = WhichFactor::Totp;
        app.people.second_factor.remove(&person.visitor, which, &from, &policy).await?;
        app.post.notify_one();
        Ok(Json(Done { message: "the authenticator app was removed".to_owned() }))
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
        app: Data<&Arc<App>>,
    ) -> Result<Json<RecoveryCodes>, Problem> {
        let (from, policy) = (client(&app, request), app.policy());
        let renewed =
            app.people.second_factor.renew_recovery_codes(&person.visitor, &from, &policy);
        let codes = renewed.await?;
        app.post.notify_one();
        Ok(Json(codes.into()))
    }
}
