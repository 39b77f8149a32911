//! The issuer: where it sends people, and whether what it says of them is right.

use std::sync::Arc;

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
    ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, IdTokenClaims, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tracing::warn;
use url::Url;
use waggle_accounts::ports::IdentityProvider;
use waggle_accounts::{GoogleIdentity, GoogleProfile, IdentityError, SignInSecrets};
use waggle_kernel::{Clock, PortError};

use crate::http::{call, client};

/// How long what the issuer says of itself is taken as true.
const FRESH: Duration = Duration::hours(24);
/// How soon it is asked again because of a key that nobody knows.
const PAUSE: Duration = Duration::minutes(1);
/// How far the issuer's clock may be ahead.
const LEEWAY: Duration = Duration::seconds(60);
/// How old a token may be.
const MOST_AGE: Duration = Duration::minutes(10);

/// Waggle as the issuer knows it.
#[derive(Clone)]
pub struct Registration {
    /// The issuer, without a slash at its end.
    pub issuer: String,
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: SecretString,
    /// Where the issuer sends people back to.
    pub redirect: Url,
}

/// The domain of the organisation that a Google account belongs to.
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

/// An issuer, with what it said of itself.
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
}

/// What was being done, for the log.
const ASKING: &str = "asking the issuer who it is";
const REDEEMING: &str = "redeeming a code at the issuer";
const CHECKING: &str = "checking a token of the issuer";

impl Google {
    /// An issuer, which is not asked anything yet.
    ///
    /// # Errors
    ///
    /// [`PortError`] if no HTTP client can be made.
    pub fn new(registration: Registration, clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        let http = client().map_err(|error| PortError::broken("making an HTTP client", error))?;
        Ok(Self { http, registration, clock, known: Mutex::new(None) })
    }

    /// Asks the issuer for its places and keys, and whether that works.
    ///
    /// # Errors
    ///
    /// [`PortError`] if it does not answer, or is another than it should be.
    pub async fn check(&self) -> Result<(), PortError> {
        self.learn().await.map(drop)
    }

    /// What the issuer says of itself, asked at most once in [`FRESH`], or once in [`PAUSE`] where that is not enough.
    async fn known(&self, is_enough: bool) -> Result<CoreProviderMetadata, PortError> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        let most = if is_enough { FRESH } else { PAUSE };
        if let Some(known) = known.as_ref().filter(|known| now - known.learned_at < most) {
            return Ok(known.metadata.clone());
        }
        let metadata = self.learn().await?;
        *known = Some(Known { metadata: metadata.clone(), learned_at: now });
        Ok(metadata)
    }

    async fn learn(&self) -> Result<CoreProviderMetadata, PortError> {
        let issuer = IssuerUrl::new(self.registration.issuer.clone())
            .map_err(|error| PortError::broken(ASKING, error))?;
        let http = |request: HttpRequest| call(self.http.clone(), request);
        CoreProviderMetadata::discover_async(issuer, &http)
            .await
            .map_err(|error| PortError::unavailable(ASKING, error))
    }

    fn client(&self, metadata: CoreProviderMetadata) -> IssuerClient {
        let Registration { client_id, client_secret, redirect, .. } = &self.registration;
        let secret = ClientSecret::new(client_secret.expose_secret().to_owned());
        Client::from_provider_metadata(metadata, ClientId::new(client_id.clone()), Some(secret))
            .set_redirect_uri(RedirectUrl::from_url(redirect.clone()))
    }

    /// The time of a token, as its issuer has it, fits ours.
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
        let client = self.client(self.known(true).await?);
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
            // The issuer offers accounts of this domain first; whether it is one is checked when it comes back.
            request = request.add_extra_param("hd", domain);
        }
        Ok(request.url().0)
    }

    async fn profile(
        &self,
        code: &str,
        secrets: &SignInSecrets,
    ) -> Result<GoogleProfile, IdentityError> {
        let client = self.client(self.known(true).await?);
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
                openidconnect::RequestTokenError::Request(error) => {
                    PortError::unavailable(REDEEMING, error).into()
                }
                // What could not be read may have a token in it, and is not kept.
                _ => IdentityError::Refused(PortError::broken(REDEEMING, "it makes no sense")),
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
            warn!(
                "a token was signed with a key that the issuer did not name; its keys are read anew"
            );
            found = claims_of(&self.client(self.known(false).await?));
        }
        let claims =
            found.map_err(|error| IdentityError::Refused(PortError::broken(CHECKING, error)))?;
        // The library leaves this to its caller.
        let party = claims.authorized_party();
        if party.is_some_and(|party| party.as_str() != self.registration.client_id) {
            return Err(refused("it was issued to another client (azp)"));
        }
        profile(&claims)
    }
}

fn profile(
    claims: &IdTokenClaims<HostedDomain, CoreGenderClaim>,
) -> Result<GoogleProfile, IdentityError> {
    let refused = |why: &str| IdentityError::Refused(PortError::broken(CHECKING, why));
    if claims.email_verified() != Some(true) {
        return Err(IdentityError::Unverified);
    }
    let email = claims.email().ok_or(IdentityError::Unverified)?;
    let email = email.as_str().parse().map_err(|_| refused("the address is none that is taken"))?;
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > 255 {
        return Err(refused("the subject has no sane length"));
    }
    // A name that is none that is taken is no reason to keep anybody out.
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
