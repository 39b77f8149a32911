//! The page of the account: for visitors the sign-in, for users what is theirs.

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::web::Data;
use poem::{Request, Response, handler};
use waggle_accounts::{ReturnTo, Visitor};
use waggle_console::{AccountPage, Factors, Section, Shell, SignInPage};

use super::query::Query;
use super::{draw, shell_of, told};
use crate::http::{CallerRefused, Problem, enrolling_viewer, viewer};
use crate::live::passkeys::relying_party;
use crate::use_cases::UseCases;

/// The account of the user; for those who are not signed in, or follow a link for another account
/// (`as=visitor`), the sign-in.
#[handler]
pub(crate) async fn show_account(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    let query = Query::of(request);
    let return_to = query.text("return_to").map(ReturnTo::new);
    let place = return_to.as_ref().map_or("/", ReturnTo::as_str);
    let visitor = viewer(&app, request).await;
    let shown = match visitor {
        // A link for another account has nothing to do with this session.
        _ if query.text("as") == Some("visitor") => {
            let address = visitor.map(|(visitor, _)| visitor.user.email.to_string());
            sign_in(&app, "", 0, place, address.unwrap_or_default())
        }
        Ok((visitor, _)) => match &return_to {
            Some(place) => return see_other(place.as_str()),
            None => account(&app, &visitor, false).await,
        },
        Err(CallerRefused::NeedsSetup) => match enrolling_viewer(&app, request).await {
            Ok(visitor) => account(&app, &visitor, true).await,
            Err(refused) => Err(refused.into()),
        },
        Err(CallerRefused::NeedsFactor) => sign_in(&app, "second-factor", 0, place, String::new()),
        Err(CallerRefused::Missing | CallerRefused::NoSession) => {
            sign_in(&app, "", 0, place, String::new())
        }
        Err(refused) => Err(refused.into()),
    };
    shown.unwrap_or_else(|problem| told(Shell::of_visitor(Section::Account), &problem))
}

/// The sign-in, which first shows `view`, and leads to `return_to`. After `back_after` seconds it
/// begins again, unless that is 0.
pub(super) fn sign_in(
    app: &UseCases,
    view: &'static str,
    back_after: i64,
    return_to: &str,
    signed_in_as: String,
) -> Result<Response, Problem> {
    let values = app.settings.values();
    let has_google = values.google_oauth_client_id.is_some()
        && values.google_oauth_client_secret.is_some()
        && values.public_url.is_some();
    let can_register = values.registration_enabled.is_on();
    let return_to = return_to.to_owned();
    draw(&SignInPage { view, back_after, return_to, has_google, can_register, signed_in_as })
}

async fn account(
    app: &UseCases,
    visitor: &Visitor,
    is_enrolling: bool,
) -> Result<Response, Problem> {
    let state = app.people.second_factor.state(visitor).await?;
    let passkeys = app.people.passkeys.list(visitor).await?;
    let sessions =
        if is_enrolling { Vec::new() } else { app.people.sessions.list(visitor).await? };
    let shell = if is_enrolling {
        Shell::of_visitor(Section::Account)
    } else {
        shell_of(app, visitor, Section::Account).await
    };
    let factors = Factors {
        has_totp: state.has_totp,
        passkeys: &passkeys,
        recovery_codes_left: state.recovery_codes_left,
        can_have_passkeys: relying_party(&app.settings.values()).is_ok(),
    };
    draw(&AccountPage::new(shell, visitor, factors, &sessions, is_enrolling))
}

/// Leads to another page of this server.
pub(super) fn see_other(place: &str) -> Response {
    Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, place).finish()
}
