//! The account pages: sign-in, registration, emailed codes and links, and the return from Google.
//!
//! The page consists of three files that are the same for every user, and does everything through
//! the API. The secret of an emailed link comes after the `#`, which browsers do not send to a
//! server.

use std::borrow::Cow;
use std::sync::Arc;

use poem::endpoint::make_sync;
use poem::http::{StatusCode, header};
use poem::web::Data;
use poem::{Endpoint, IntoResponse as _, Request, Response, Route, get, handler};
use waggle_accounts::{
    Callback, CodeError, Finished, GoogleError, IdentityError, ProvenBy, RegisterError, ReturnTo,
};

use crate::api::{as_they_are, session_cookie};
use crate::http::{GOOGLE_COOKIE, Problem, client};
use crate::use_cases::UseCases;

/// The maximum size of a code, state or error from Google, in bytes. Longer ones are ignored.
const MOST: usize = 2_048;

const PAGE: &str = include_str!("../pages/account.html");

/// The page, its script and its style sheet.
pub(crate) fn routes() -> Route {
    Route::new()
        .at("/", get(make_sync(|_| page(StatusCode::OK, "", 0))))
        .at("/account.js", get(file("text/javascript", include_str!("../pages/account.js"))))
        .at("/account.css", get(file("text/css", include_str!("../pages/account.css"))))
}

fn file(content_type: &'static str, text: &'static str) -> impl Endpoint<Output = Response> {
    make_sync(move |_| Response::builder().content_type(content_type).body(text))
}

/// The page, which first shows `view` and leads back after `back_after` seconds; 0 means never.
/// Both values come from this program: nothing of a request is inserted into the page.
fn page(status: StatusCode, view: &'static str, back_after: i64) -> Response {
    let body = PAGE.replace("{view}", view).replace("{back_after}", &back_after.to_string());
    Response::builder().status(status).content_type("text/html; charset=utf-8").body(body)
}

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
            let place = if opened.is_complete { home(&return_to) } else { "/account" };
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

/// The path after sign-in. `/`, the default, leads to the account page.
fn home(return_to: &ReturnTo) -> &str {
    if return_to.as_str() == "/" { "/account" } else { return_to.as_str() }
}

fn see_other(place: &str) -> Response {
    Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, place).finish()
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
    page(problem.status(), view, if view == "foreign-domain" { seconds } else { 0 })
}
