//! The return from Google after a sign-in there.

use std::borrow::Cow;
use std::sync::Arc;

use poem::http::header;
use poem::web::Data;
use poem::{IntoResponse as _, Request, Response, handler};
use waggle_accounts::{
    Callback, CodeError, Finished, GoogleError, IdentityError, ProvenBy, RegisterError,
};

use super::account::{see_other, sign_in};
use crate::api::{as_they_are, session_cookie};
use crate::http::{GOOGLE_COOKIE, Problem, client};
use crate::use_cases::UseCases;

/// The maximum size of a code, state or error from Google, in bytes. Longer ones are ignored.
const MOST: usize = 2_048;

/// Handles the return from Google. An error is shown on the page, or as a problem to clients that
/// ask for JSON.
#[handler]
pub(crate) async fn back_from_google(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    let gone = GOOGLE_COOKIE.set(&app.settings.values(), "", 0);
    let mut response = match finish(&app, request).await {
        Ok(response) => response,
        Err(error) => told(&app, request, error),
    };
    if let Ok(gone) = gone.parse() {
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    response
}

async fn finish(app: &UseCases, request: &Request) -> Result<Response, GoogleError> {
    let query = request.uri().query().unwrap_or_default();
    let value = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, value)| name == wanted && value.len() <= MOST).map(|(_, value)| value)
    };
    let values = app.settings.values();
    let browser = GOOGLE_COOKIE.shown(&values, request);
    // The error codes of Google consist of letters and underscores. Other characters are dropped.
    let named = |error: Cow<'_, str>| error.chars().filter(|&c| is_of_name(c)).take(64).collect();
    let outcome = match (value("code"), value("error")) {
        (Some(code), None) => Ok(code.into_owned()),
        (_, error) => Err(error.map_or_else(|| "nothing".to_owned(), named)),
    };
    let callback = Callback { state: value("state").unwrap_or_default().into_owned(), outcome };
    let (from, policy) = (client(app, request), app.policy());
    let finished = app.people.google.finish(browser, &callback, &from, &policy).await;
    match finished? {
        Finished::CodeSent(issued) => {
            Ok(see_other(&format!("/account#google={}", issued.flow.text())))
        }
        Finished::Known { user, password, return_to } => {
            let opened = app
                .people
                .sign_in
                .open(
                    as_they_are(app, *user).await,
                    &password,
                    ProvenBy::Google,
                    &from,
                    &policy.sign_in,
                )
                .await
                .map_err(|_| GoogleError::Refused)?;
            // The page asks for the second factor.
            let place = if opened.is_complete { return_to.as_str() } else { "/account" };
            let mut response = see_other(place);
            if let Ok(cookie) = session_cookie(app, &opened).parse() {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
    }
}

const fn is_of_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn told(app: &UseCases, request: &Request, error: GoogleError) -> Response {
    let wants_page = request
        .header("accept")
        .is_none_or(|accept| accept.contains("text/html") || !accept.contains("json"));
    let view = match &error {
        GoogleError::ForeignDomain => "foreign-domain",
        GoogleError::Identity(IdentityError::Unverified) => "google-unverified",
        GoogleError::Stale => "google-stale",
        GoogleError::Denied => "google-denied",
        GoogleError::Register(RegisterError::Closed) => "google-closed",
        GoogleError::Identity(IdentityError::Unreachable(_)) => "google-unreachable",
        GoogleError::Limited(_) | GoogleError::Code(CodeError::Limited(_)) => "google-limited",
        _ => "google-failed",
    };
    let problem = Problem::from(error);
    if !wants_page {
        return problem.into_response();
    }
    let seconds = app.settings.values().breach_redirect_delay.duration().num_seconds();
    let seconds = if view == "foreign-domain" { seconds } else { 0 };
    sign_in(app, view, seconds, "/", String::new()).map_or_else(
        Problem::into_response,
        |mut response| {
            response.set_status(problem.status());
            response
        },
    )
}
