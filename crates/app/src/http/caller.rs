//! Authenticates callers: an API token as a Bearer token or as the password of HTTP Basic with any
//! user name, or the session of a user.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::http::{HeaderName, header};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use waggle_accounts::{AuthenticateError, Standing, Visitor};
use waggle_kernel::{Actor, ActorKind, Clock as _, Scope};
use waggle_system::SystemClock;

use super::Problem;
use super::access::{Access, access, page_scope};
use super::client::client_address;
use super::pace::{Pace, most_calls};
use super::refused::CallerRefused;
use super::request_id::request_id;
use super::visitor::{SESSION, is_foreign, register_session, visitor};
use crate::use_cases::UseCases;

/// An authenticated caller. The access table was checked before the body was read.
pub(crate) struct Caller {
    pub(crate) actor: Actor,
}

/// The bearer of the API token in the request. Counts the call for the rate limit of the token.
pub(super) async fn bearer(app: &UseCases, request: &Request) -> Result<Actor, CallerRefused> {
    let token = presented(request)?.ok_or(CallerRefused::Missing)?;
    let actor = app.people.tokens.authenticate(&token).await.map_err(|error| match error {
        AuthenticateError::Refused => CallerRefused::Wrong,
        AuthenticateError::Port(error) => CallerRefused::Port(error),
    })?;
    if let (ActorKind::Token { id, .. }, Some(pace)) = (actor.kind(), request.data::<Arc<Pace>>()) {
        pace.call_with(*id, most_calls(&app.settings.values()))?;
    }
    Ok(actor)
}

/// Authenticates a call of the native API and checks the access table. If there is an
/// `Authorization` header, its API token decides; otherwise the session does. Stores the actor, and
/// the visitor of a session, in the request.
pub(super) async fn let_in(app: &UseCases, request: &mut Request) -> Result<(), CallerRefused> {
    let access = access(request.method(), request.uri().path());
    if access == Some(Access::Open) {
        return if is_foreign(app, request) { Err(CallerRefused::CrossSite) } else { Ok(()) };
    }
    let (actor, visitor) = if request.headers().contains_key(header::AUTHORIZATION) {
        (bearer(app, request).await?, None)
    } else {
        let visitor = visitor(app, request).await?.ok_or(CallerRefused::Missing)?;
        (visitor.user.actor(), Some(visitor))
    };
    // Anything not listed is denied. A known caller may learn that the path does not exist.
    let Some(access) = access else { return Ok(()) };
    let scope = match access {
        Access::Anyone(scope) | Access::Person(scope) | Access::FreshPerson(scope) => Some(scope),
        _ => None,
    };
    // A missing right is reported before the user is asked to authenticate again.
    let lacks_right = |actor: &Actor| scope.and_then(|scope| allowed(actor.clone(), scope).err());
    if let Some(visitor) = &visitor {
        let is_fresh = matches!(access, Access::FreshPerson(_) | Access::FreshEnrolling);
        come_far_enough(app, visitor, access)?;
        if let Some(refused) = lacks_right(&actor) {
            return Err(refused);
        }
        if is_fresh {
            visitor.require_recent(SystemClock.now(), app.policy().recent)?;
        }
    } else if !matches!(access, Access::Anyone(_)) {
        return Err(CallerRefused::NoPerson);
    }
    let actor = match access {
        Access::Anyone(scope) | Access::Person(scope) | Access::FreshPerson(scope) => {
            allowed(actor, scope)?
        }
        Access::Open | Access::Enrolling | Access::FreshEnrolling | Access::Halfway => actor,
    };
    request.extensions_mut().insert(actor.in_request(request_id()));
    if let Some(visitor) = visitor {
        request.extensions_mut().insert(visitor);
    }
    Ok(())
}

/// Authenticates a request for a page of the console: only sessions count. The path must be in the
/// table of pages.
pub(crate) async fn viewer(
    app: &UseCases,
    request: &Request,
) -> Result<(Visitor, Actor), CallerRefused> {
    let visitor = visitor(app, request).await?.ok_or(CallerRefused::Missing)?;
    let scope = page_scope(request.uri().path()).ok_or(CallerRefused::NoPerson)?;
    come_far_enough(app, &visitor, Access::Person(scope))?;
    let actor = allowed(visitor.user.actor(), scope)?;
    Ok((visitor, actor))
}

/// Authenticates a request for the page on which people set up a second factor, also those who must
/// have one first.
pub(crate) async fn enrolling_viewer(
    app: &UseCases,
    request: &Request,
) -> Result<Visitor, CallerRefused> {
    let visitor = visitor(app, request).await?.ok_or(CallerRefused::Missing)?;
    come_far_enough(app, &visitor, Access::Enrolling)?;
    Ok(visitor)
}

/// Checks the second factor of a visitor, as far as `access` requires it.
fn come_far_enough(app: &UseCases, visitor: &Visitor, access: Access) -> Result<(), CallerRefused> {
    let is_enrolling = matches!(access, Access::Enrolling | Access::FreshEnrolling);
    match visitor.standing(&app.policy()) {
        Standing::In => Ok(()),
        _ if access == Access::Halfway => Ok(()),
        Standing::Unprotected if is_enrolling => Ok(()),
        Standing::Unprotected => Err(CallerRefused::NeedsSetup),
        Standing::Pending => Err(CallerRefused::NeedsFactor),
    }
}

/// The actor that calls one of the n8n endpoints, which needs `scope`. With the scope `ingest`,
/// callers from a trusted network need no token.
pub(crate) async fn caller(
    app: &UseCases,
    request: &Request,
    scope: Scope,
) -> Result<Actor, CallerRefused> {
    let actor = match bearer(app, request).await {
        Err(CallerRefused::Missing) if scope == Scope::Ingest => {
            let address = trusted(app, request).ok_or(CallerRefused::Missing)?;
            if is_of_a_browser(request) {
                return Err(CallerRefused::CrossSite);
            }
            Actor::trusted_network(address)
        }
        result => result?,
    };
    allowed(actor.in_request(request_id()), scope)
}

/// Checks that the caller may read the metrics: with an API token that has the scope `read`, or
/// from a trusted network.
pub(super) async fn may_read_metrics(
    app: &UseCases,
    request: &Request,
) -> Result<(), CallerRefused> {
    match bearer(app, request).await {
        Err(CallerRefused::Missing) => {
            trusted(app, request).ok_or(CallerRefused::Missing)?;
            if is_of_a_browser(request) { Err(CallerRefused::CrossSite) } else { Ok(()) }
        }
        result => allowed(result?, Scope::Read).map(drop),
    }
}

/// Whether a browser sent the request. A browser in the trusted network sends requests for any site
/// that its user visits.
fn is_of_a_browser(request: &Request) -> bool {
    let is_fetch = |name: &HeaderName| name.as_str().starts_with("sec-fetch-");
    request.headers().contains_key(header::ORIGIN) || request.headers().keys().any(is_fetch)
}

fn allowed(actor: Actor, scope: Scope) -> Result<Actor, CallerRefused> {
    match actor.require(scope) {
        Ok(()) => Ok(actor),
        Err(_) => Err(CallerRefused::Scope(scope)),
    }
}

/// The token in the `Authorization` header. A credential of another kind counts as wrong, not as
/// missing.
fn presented(request: &Request) -> Result<Option<String>, CallerRefused> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION).iter();
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(CallerRefused::Wrong);
    }
    let header = header.to_str().map_err(|_| CallerRefused::Wrong)?.trim();
    if is_token(header) {
        return Err(CallerRefused::NoScheme);
    }
    let (scheme, credential) = header.split_once(' ').ok_or(CallerRefused::Wrong)?;
    let credential = credential.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(credential.to_owned()));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = STANDARD.decode(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) =
            pair.as_deref().and_then(|pair| pair.split_once(':')).ok_or(CallerRefused::Wrong)?;
        if is_token(user) && !is_token(password) {
            return Err(CallerRefused::AsUserName);
        }
        return Ok(Some(password.to_owned()));
    }
    Err(CallerRefused::Wrong)
}

/// Whether a text looks like an API token of Waggle.
fn is_token(text: &str) -> bool {
    text.starts_with("wgl_") && !text.contains(' ')
}

/// The address of the caller, if it is in a trusted network.
fn trusted(app: &UseCases, request: &Request) -> Option<IpAddr> {
    let values = app.settings.values();
    // A proxy that does not name its client is not trusted.
    client_address(&values, request)
        .filter(|address| !values.trusted_proxies.contains(*address))
        .filter(|address| values.trusted_ingest_networks.contains(*address))
}

const BEARER: &str = "api_token";
const BASIC: &str = "api_token_as_password";

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |scheme, description| MetaSecurityScheme {
            ty: "http",
            description: Some(description),
            name: None,
            key_in: None,
            scheme: Some(scheme),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        register_session(registry);
        registry.create_security_scheme(BEARER, scheme("bearer", "An API token."));
        registry.create_security_scheme(
            BASIC,
            scheme("basic", "An API token as the password, with any user name."),
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER, BASIC, SESSION]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        // There is no actor if the operation needs no credentials.
        let actor = request.extensions().get::<Actor>().cloned();
        let actor = actor.ok_or(CallerRefused::Missing).map_err(Problem::from)?;
        Ok(Self { actor })
    }
}
