//! Google identities, and the secrets of a sign-in with Google.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use waggle_kernel::PortError;

use crate::people::address::Address;
use crate::people::user::PersonName;
use crate::tokens::token::StoredHash;

/// The identity of a Google account. Unlike an email address, it is never reassigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleIdentity {
    /// The OpenID Connect issuer.
    pub issuer: String,
    /// The account's id at the issuer.
    pub subject: String,
}

/// The content of a verified ID token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleProfile {
    pub identity: GoogleIdentity,
    /// The email address, which the issuer has verified.
    pub email: Address,
    /// The domain of the organization that the account belongs to, if any (the `hd` claim).
    pub hosted_domain: Option<String>,
    pub first_name: PersonName,
    pub last_name: PersonName,
}

impl GoogleProfile {
    /// Returns whether Google runs the mailbox, so that the owner of the account also owns the
    /// address (<https://developers.google.com/identity/gsi/web/guides/verify-google-id-token>).
    pub(crate) fn is_run_by_google(&self) -> bool {
        let domain = self.email.domain();
        domain == "gmail.com" || self.hosted_domain.as_deref() == Some(domain)
    }
}

/// The values that bind a sign-in with Google to one browser. All of them are derived from a secret
/// that only the browser stores.
pub struct SignInSecrets {
    /// Comes back with the code, and proves that this browser began the sign-in.
    pub state: String,
    /// Must be in the ID token.
    pub nonce: SecretString,
    /// Proves to Google that the code was issued to us (PKCE, RFC 7636).
    pub verifier: SecretString,
    /// Identifies the stored sign-in.
    pub(crate) hash: StoredHash,
}

impl SignInSecrets {
    /// Derives the values from a browser's secret. Returns `None` if `browser` does not have the
    /// format of one.
    pub(crate) fn of(browser: &str) -> Option<Self> {
        let is_one = browser.len() == 43
            && browser.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let made = |what: &str| Sha256::digest(format!("waggle google {what}\n{browser}"));
        let text = |what: &str| URL_SAFE_NO_PAD.encode(made(what));
        is_one.then(|| Self {
            state: text("state"),
            nonce: text("nonce").into(),
            verifier: text("verifier").into(),
            hash: StoredHash(made("row").into()),
        })
    }
}

/// Why an identity was not accepted.
#[derive(Debug, Error)]
pub enum IdentityError {
    #[error("signing in with Google is not configured")]
    NotSetUp,
    #[error("Google has not verified the address of this account")]
    Unverified,
    /// The code or the ID token is invalid.
    #[error("the response from Google is invalid")]
    Refused(#[source] PortError),
    /// Google did not answer, or answered with a server error.
    #[error("Google cannot be reached; try again later, or sign in with your password")]
    Unreachable(#[source] PortError),
    /// The server that answered is not the configured issuer.
    #[error("the server at GOOGLE_OAUTH_ISSUER is not an OpenID Connect issuer with this name")]
    NotTheIssuer(#[source] PortError),
    #[error(transparent)]
    Port(#[from] PortError),
}
