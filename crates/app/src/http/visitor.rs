//! Sessions of signed-in users: the session cookie, and the protection against other sites.

use poem::http::{Method, header};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use waggle_accounts::{SessionsError, Visitor};
use waggle_settings::Values;

use super::Problem;
use super::refused::CallerRefused;
use crate::use_cases::UseCases;

/// A cookie of Waggle. With TLS its name begins with `__Host-`, so that browsers send it over TLS
/// only, and accept it from this host only.
pub(crate) struct Cookie(&'static str);

/// The session cookie.
pub(crate) const SESSION_COOKIE: Cookie = Cookie("__Host-waggle_session");
/// The cookie that binds a Google sign-in to one browser.
pub(crate) const GOOGLE_COOKIE: Cookie = Cookie("__Host-waggle_google");

impl Cookie {
    fn name(&self, values: &Values) -> &'static str {
        if is_secure(values) { self.0 } else { self.0.trim_start_matches("__Host-") }
    }

    /// The `Set-Cookie` header that stores `value` for `seconds`; 0 deletes the cookie.
    pub(crate) fn set(&self, values: &Values, value: &str, seconds: i64) -> String {
        let (name, secure) = (self.name(values), if is_secure(values) { "; Secure" } else { "" });
        let seconds = seconds.max(0);
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
    }

    /// The value that the browser sent.
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

/// Whether users reach Waggle over TLS.
fn is_secure(values: &Values) -> bool {
    values.public_url.as_ref().is_some_and(|url| url.url().scheme() == "https")
}

/// The path of the native API that pages call by themselves, without a person who does something.
const IN_BACKGROUND: &str = "/changes";
/// The header of other requests that pages send by themselves.
const BACKGROUND: &str = "waggle-background";

/// The visitor that the session cookie belongs to; `None` if there is no cookie.
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
    let sessions = &app.people.sessions;
    let is_background =
        request.uri().path() == IN_BACKGROUND || request.headers().contains_key(BACKGROUND);
    let found = if is_background {
        sessions.authenticate_in_background(token).await
    } else {
        sessions.authenticate(token, &app.policy().sign_in).await
    };
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

/// Whether a request comes from a page of Waggle, according to the browser's headers (see the
/// Cross-Site Request Forgery Prevention Cheat Sheet of OWASP).
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

/// Whether a request comes from another site, for operations without a session. A request without
/// the browser's headers does not.
pub(super) fn is_foreign(app: &UseCases, request: &Request) -> bool {
    let says = |name: &str| request.headers().contains_key(name);
    (says("sec-fetch-site") || says("origin")) && !is_own(&app.settings.values(), request)
}

/// A signed-in user, not an API token. Checked like [`Caller`](super::Caller).
pub(crate) struct SignedIn {
    pub(crate) visitor: Visitor,
}

pub(super) const SESSION: &str = "session";

pub(super) fn register_session(registry: &mut Registry) {
    registry.create_security_scheme(
        SESSION,
        MetaSecurityScheme {
            ty: "apiKey",
            description: Some("The session cookie, which is set at sign-in."),
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
