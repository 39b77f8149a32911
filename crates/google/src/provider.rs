//! The OpenID Connect issuer: discovery, the authorization URL, and the validation of ID tokens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, Client,
    ClientId, ClientSecret, CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, IdTokenClaims, IdTokenFields, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, SignatureVerificationError,
    StandardErrorResponse, StandardTokenResponse,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tracing::warn;
use url::Url;
use waggle_accounts::ports::IdentityProvider;
use waggle_accounts::{GoogleIdentity, GoogleProfile, IdentityError, SignInSecrets};
use waggle_kernel::{Clock, PortError, error_chain};

use crate::http::{HttpError, call, client};

/// How long the issuer's metadata is used before it is fetched again.
const FRESH: Duration = Duration::hours(24);
/// The minimum interval between two fetches because of an unknown key.
const PAUSE: Duration = Duration::minutes(1);
/// How far the issuer's clock can be ahead.
const LEEWAY: Duration = Duration::seconds(60);
/// The maximum age of a token.
const MOST_AGE: Duration = Duration::minutes(10);

/// Waggle's registration at the issuer.
#[derive(Clone)]
pub struct Registration {
    /// The issuer's URL. A trailing slash does not matter; the issuer's metadata says whether there
    /// is one.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: SecretString,
    /// Where the issuer sends browsers back to.
    pub redirect: Url,
}

/// The domain of the organization that a Google account belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HostedDomain {
    hd: Option<String>,
}

impl AdditionalClaims for HostedDomain {}

type Fields = IdTokenFields<
    HostedDomain,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type IssuerClient = Client<
    HostedDomain,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// An issuer with its cached metadata.
pub struct Google {
    http: reqwest::Client,
    registration: Registration,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Known>>,
}

#[derive(Clone)]
struct Known {
    metadata: CoreProviderMetadata,
    learned_at: DateTime<Utc>,
    /// When it was last fetched because of an unknown key.
    asked_for_a_key_at: Option<DateTime<Utc>>,
}

/// Descriptions of the operations, for the log.
const ASKING: &str = "fetching the issuer's metadata";
const REDEEMING: &str = "redeeming a code at the issuer";
const CHECKING: &str = "validating an ID token of the issuer";

impl Google {
    /// Creates an issuer without contacting it.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the HTTP client cannot be created.
    pub fn new(registration: Registration, clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        let http = client().map_err(|error| PortError::broken("creating an HTTP client", error))?;
        Ok(Self { http, registration, clock, known: Mutex::new(None) })
    }

    /// Fetches the issuer's endpoints and keys, to check that this works.
    ///
    /// # Errors
    ///
    /// - [`IdentityError::Unreachable`] if the issuer does not answer.
    /// - [`IdentityError::NotTheIssuer`] if the server that answers is not the configured issuer.
    pub async fn check(&self) -> Result<(), IdentityError> {
        self.learn().await.map(drop)
    }

    /// Returns the issuer's metadata, which is fetched again after [`FRESH`]. If the issuer cannot
    /// be reached, the previous metadata is used.
    async fn known(&self) -> Result<CoreProviderMetadata, IdentityError> {
        let (known, now) = (self.kept().clone(), self.clock.now());
        let Some(known) = known else { return self.renew(None).await };
        if now - known.learned_at < FRESH {
            return Ok(known.metadata);
        }
        match self.renew(known.asked_for_a_key_at).await {
            Err(IdentityError::Unreachable(error)) => {
                let error = error_chain(&error);
                warn!(error, "the issuer cannot be reached; its previous metadata is used");
                Ok(known.metadata)
            }
            renewed => renewed,
        }
    }

    /// Returns the issuer's metadata after an unknown key was used. It is fetched again, but not
    /// more than once in [`PAUSE`].
    async fn with_new_keys(&self) -> Result<CoreProviderMetadata, IdentityError> {
        let now = self.clock.now();
        let known = self.kept().clone();
        let asked_at = known.as_ref().and_then(|known| known.asked_for_a_key_at);
        match known.filter(|_| asked_at.is_some_and(|at| now - at < PAUSE)) {
            Some(known) => Ok(known.metadata),
            None => self.renew(Some(now)).await,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn renew(
        &self,
        asked_for_a_key_at: Option<DateTime<Utc>>,
    ) -> Result<CoreProviderMetadata, IdentityError> {
        let metadata = self.learn().await?;
        let learned_at = self.clock.now();
        let known = Known { metadata: metadata.clone(), learned_at, asked_for_a_key_at };
        *self.kept() = Some(known);
        Ok(metadata)
    }

    /// Fetches the metadata with the issuer's name without a trailing slash, and then with one if
    /// the names do not match. Both must be identical (OpenID Connect Discovery 1.0, section 4.3).
    async fn learn(&self) -> Result<CoreProviderMetadata, IdentityError> {
        let name = self.registration.issuer.trim_end_matches('/');
        match self.discover(name.to_owned()).await {
            Err(DiscoveryError::Validation(_)) => self.discover(format!("{name}/")).await,
            found => found,
        }
        .map_err(|error| match error {
            DiscoveryError::Request(error) => unreachable(ASKING, error),
            other => IdentityError::NotTheIssuer(PortError::broken(ASKING, other)),
        })
    }

    async fn discover(
        &self,
        issuer: String,
    ) -> Result<CoreProviderMetadata, DiscoveryError<HttpError>> {
        let issuer = IssuerUrl::new(issuer).map_err(DiscoveryError::UrlParse)?;
        let http = |request: HttpRequest| call(self.http.clone(), request);
        CoreProviderMetadata::discover_async(issuer, &http).await
    }

    fn client(&self, metadata: CoreProviderMetadata) -> IssuerClient {
        let Registration { client_id, client_secret, redirect, .. } = &self.registration;
        let secret = ClientSecret::new(client_secret.expose_secret().to_owned());
        Client::from_provider_metadata(metadata, ClientId::new(client_id.clone()), Some(secret))
            .set_redirect_uri(RedirectUrl::from_url(redirect.clone()))
    }

    /// Checks that a token was issued neither in the future nor too long ago.
    fn fits(&self, issued_at: DateTime<Utc>) -> Result<(), String> {
        let age = self.clock.now() - issued_at;
        if age < -LEEWAY || age > MOST_AGE {
            return Err(format!("it was issued {} seconds ago", age.num_seconds()));
        }
        Ok(())
    }
}

#[async_trait]
impl IdentityProvider for Google {
    async fn address(
        &self,
        secrets: &SignInSecrets,
        domain: Option<String>,
    ) -> Result<Url, IdentityError> {
        let client = self.client(self.known().await?);
        let verifier = PkceCodeVerifier::new(secrets.verifier.expose_secret().to_owned());
        let (state, nonce) = (secrets.state.clone(), secrets.nonce.expose_secret().to_owned());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if let Some(domain) = domain {
            // The issuer offers accounts of this domain first. The domain is checked in the
            // callback.
            request = request.add_extra_param("hd", domain);
        }
        Ok(request.url().0)
    }

    async fn profile(
        &self,
        code: &str,
        secrets: &SignInSecrets,
    ) -> Result<GoogleProfile, IdentityError> {
        let client = self.client(self.known().await?);
        let verifier = PkceCodeVerifier::new(secrets.verifier.expose_secret().to_owned());
        let http = |request: HttpRequest| call(self.http.clone(), request);
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| PortError::broken(REDEEMING, error))?
            .set_pkce_verifier(verifier)
            .request_async(&http)
            .await
            .map_err(|error| match error {
                openidconnect::RequestTokenError::ServerResponse(said) => {
                    IdentityError::Refused(PortError::broken(REDEEMING, said.error().to_string()))
                }
                openidconnect::RequestTokenError::Request(error) => unreachable(REDEEMING, error),
                // An answer that cannot be read may contain a token, so it is not kept.
                _ => {
                    IdentityError::Refused(PortError::broken(REDEEMING, "the response is invalid"))
                }
            })?;
        let refused = |why: &str| IdentityError::Refused(PortError::broken(CHECKING, why));
        let token = answer.extra_fields().id_token().ok_or_else(|| refused("there is none"))?;
        let nonce = Nonce::new(secrets.nonce.expose_secret().to_owned());
        let claims_of = |client: &IssuerClient| {
            let verifier = client
                .id_token_verifier()
                .set_allowed_algs([CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256])
                .set_time_fn(|| self.clock.now())
                .set_issue_time_verifier_fn(|at| self.fits(at));
            token.claims(&verifier, &nonce).cloned()
        };
        let mut found = claims_of(&client);
        let no_key = SignatureVerificationError::NoMatchingKey;
        let no_key = ClaimsVerificationError::SignatureVerification(no_key);
        if found.as_ref().is_err_and(|error| *error == no_key) {
            warn!("a token is signed with an unknown key; fetching the issuer's keys again");
            found = claims_of(&self.client(self.with_new_keys().await?));
        }
        let claims =
            found.map_err(|error| IdentityError::Refused(PortError::broken(CHECKING, error)))?;
        // The library does not check this.
        let party = claims.authorized_party();
        if party.is_some_and(|party| party.as_str() != self.registration.client_id) {
            return Err(refused("it was issued to another client (azp)"));
        }
        profile(&claims)
    }
}

fn unreachable(doing: &'static str, error: HttpError) -> IdentityError {
    IdentityError::Unreachable(PortError::unavailable(doing, error))
}

fn profile(
    claims: &IdTokenClaims<HostedDomain, CoreGenderClaim>,
) -> Result<GoogleProfile, IdentityError> {
    let refused = |why: &str| IdentityError::Refused(PortError::broken(CHECKING, why));
    if claims.email_verified() != Some(true) {
        return Err(IdentityError::Unverified);
    }
    let email = claims.email().ok_or(IdentityError::Unverified)?;
    let email =
        email.as_str().parse().map_err(|_| refused("the email address is not acceptable"))?;
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > 255 {
        return Err(refused("the subject is empty or longer than 255 bytes"));
    }
    // A name that is not acceptable is no reason to refuse the sign-in.
    let given = claims.given_name().and_then(|name| name.get(None));
    let family = claims.family_name().and_then(|name| name.get(None));
    Ok(GoogleProfile {
        identity: GoogleIdentity {
            issuer: claims.issuer().as_str().to_owned(),
            subject: subject.to_owned(),
        },
        email,
        hosted_domain: claims.additional_claims().hd.as_ref().map(|hd| hd.to_ascii_lowercase()),
        first_name: given.and_then(|name| name.parse().ok()).unwrap_or_default(),
        last_name: family.and_then(|name| name.parse().ok()).unwrap_or_default(),
    })
}
