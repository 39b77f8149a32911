//! People who are signed in: the cookie of their session, and whether a request is their own.

use poem::http::{Method, header};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use waggle_accounts::{SessionsError, Visitor};
use waggle_settings::Values;

use super::Problem;
use super::refused::CallerRefused;
use crate::use_cases::UseCases;

/// A cookie of ours. Behind TLS its name begins with `__Host-`: browsers send it over TLS alone, and take it from this host alone.
pub(crate) struct Cookie(&'static str);

/// The cookie that keeps a session.
pub(crate) const SESSION_COOKIE: Cookie = Cookie("__Host-waggle_session");
/// The cookie that ties the way to Google and back to one browser.
pub(crate) const GOOGLE_COOKIE: Cookie = Cookie("__Host-waggle_google");

impl Cookie {
    fn name(&self, values: &Values) -> &'static str {
        if is_secure(values) { self.0 } else { self.0.trim_start_matches("__Host-") }
    }

    /// The `Set-Cookie` header that keeps `value` for `seconds`; none at all takes it away.
    pub(crate) fn set(&self, values: &Values, value: &str, seconds: i64) -> String {
        let (name, secure) = (self.name(values), if is_secure(values) { "; Secure" } else { "" });
        let seconds = seconds.max(0);
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
    }

    /// What a browser shows.
    pub(crate) fn shown<'a>(&self, values: &Values, request: &'a Request) -> Option<&'a str> {
        let wanted = self.name(values);
        request
            .headers()
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(name, value)| (name == wanted).then_some(value))
    }
}

/// Whether people reach Waggle through TLS.
fn is_secure(values: &Values) -> bool {
    values.public_url.as_ref().is_some_and(|url| url.url().scheme() == "https")
}

/// Who shows the cookie of a session; `None` if nobody shows one.
///
/// # Errors
///
/// [`CallerRefused`] if the session has ended, or the request may come from another site.
pub(super) async fn visitor(
    app: &UseCases,
    request: &Request,
) -> Result<Option<Visitor>, CallerRefused> {
    let values = app.settings.values();
    let Some(token) = SESSION_COOKIE.shown(&values, request) else { return Ok(None) };
    let found = app.people.sessions.authenticate(token, &app.policy().sign_in).await;
    let visitor = found.map_err(|error| match error {
        SessionsError::Port(error) => CallerRefused::Port(error),
        SessionsError::Refused | SessionsError::NotFound => CallerRefused::NoSession,
    })?;
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe || is_own(&values, request) {
        Ok(Some(visitor))
    } else {
        Err(CallerRefused::CrossSite)
    }
}

/// Whether a request comes from a page of ours, by the browser's word.
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html>)
fn is_own(values: &Values, request: &Request) -> bool {
    if let Some(site) = request.header("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = request.header("origin") else { return false };
    if let Some(url) = &values.public_url {
        return origin == url.url().origin().ascii_serialization();
    }
    let host = request.header("host").unwrap_or_default();
    let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    !host.is_empty() && named == Some(host)
}

/// Whether a request to sign in may come from another site: then it says so.
pub(super) fn is_foreign(app: &UseCases, request: &Request) -> bool {
    let says = |name: &str| request.headers().contains_key(name);
    (says("sec-fetch-site") || says("origin")) && !is_own(&app.settings.values(), request)
}

/// A person who is signed in; an API token is none. Checked as [`Caller`](super::Caller) is.
pub(crate) struct SignedIn {
    /// The person and the session.
    pub(crate) visitor: Visitor,
}

pub(super) const SESSION: &str = "session";

pub(super) fn register_session(registry: &mut Registry) {
    registry.create_security_scheme(
        SESSION,
        MetaSecurityScheme {
            ty: "apiKey",
            description: Some("The cookie that signing in sets."),
            name: Some("waggle_session"),
            key_in: Some("cookie"),
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        },
    );
}

impl<'a> ApiExtractor<'a> for SignedIn {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_session(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SESSION]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let visitor = request.extensions().get::<Visitor>().cloned();
        let visitor = visitor.ok_or(CallerRefused::NoPerson).map_err(Problem::from)?;
        Ok(Self { visitor })
    }
}
