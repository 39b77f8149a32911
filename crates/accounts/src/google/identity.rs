//! Who somebody is at Google, and the secrets of the way there and back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use waggle_kernel::PortError;

use crate::people::address::Address;
use crate::people::user::PersonName;
use crate::tokens::token::StoredHash;

/// Who somebody is at Google. Addresses change hands; this does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleIdentity {
    /// Who says so.
    pub issuer: String,
    /// The id at the issuer.
    pub subject: String,
}

/// What a token that was found to be right says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleProfile {
    /// Who it is.
    pub identity: GoogleIdentity,
    /// The address, which the issuer has verified.
    pub email: Address,
    /// The domain of the organisation that the account belongs to, if it belongs to one (`hd`).
    pub hosted_domain: Option<String>,
    /// The given name.
    pub first_name: PersonName,
    /// The family name.
    pub last_name: PersonName,
}

impl GoogleProfile {
    /// Whether Google runs the mailbox, so that whoever has the account has the address
    /// (<https://developers.google.com/identity/gsi/web/guides/verify-google-id-token>).
    pub(crate) fn is_run_by_google(&self) -> bool {
        let domain = self.email.domain();
        domain == "gmail.com" || self.hosted_domain.as_deref() == Some(domain)
    }
}

/// What ties the way to Google and back to one browser: all of it is made of a secret that the browser alone keeps.
pub struct SignInSecrets {
    /// What comes back with the code, and shows that the browser began this.
    pub state: String,
    /// What has to be in the token.
    pub nonce: SecretString,
    /// What proves to Google that the code was meant for us (RFC 7636).
    pub verifier: SecretString,
    /// What is kept here.
    pub(crate) hash: StoredHash,
}

impl SignInSecrets {
    /// What is made of a browser's secret; `None` if it has not the form of one.
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

/// Why Google's word was not taken.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// Signing in with Google is not set up.
    #[error("signing in with Google is not set up")]
    NotSetUp,
    /// Google has not verified the address.
    #[error("Google has not verified the address of this account")]
    Unverified,
    /// The code or the token is wrong.
    #[error("what came from Google is wrong")]
    Refused(#[source] PortError),
    /// Google does not answer, or has trouble of its own.
    #[error("Google cannot be reached; try again later, or sign in with your password")]
    Unreachable(#[source] PortError),
    /// What answers is not the provider that is set up.
    #[error("what answers as GOOGLE_OAUTH_ISSUER is no OpenID provider of this name")]
    NotTheIssuer(#[source] PortError),
    /// Something on this side broke.
    #[error(transparent)]
    Port(#[from] PortError),
}
