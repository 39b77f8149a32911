//! Signs requests with OAuth 1.0a and HMAC-SHA1 (RFC 5849, section 3).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;
use url::Url;
use waggle_kernel::hex;

/// All characters except the unreserved ones of RFC 3986 are encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The OAuth 1.0a credentials: a key and secret of the app, and a token and secret of the account.
pub struct OAuth1 {
    pub consumer_key: String,
    pub consumer_secret: SecretString,
    pub token: String,
    pub token_secret: SecretString,
}

impl OAuth1 {
    /// The value of the `Authorization` header for a request whose body is not a form.
    pub(super) fn authorization(
        &self,
        method: &str,
        url: &Url,
        query: &[(&str, String)],
        chance: &[u8; 32],
        now: DateTime<Utc>,
    ) -> String {
        let nonce: String = hex(chance).chars().take(32).collect();
        let timestamp = now.timestamp().to_string();
        let oauth = [
            ("oauth_consumer_key", self.consumer_key.as_str()),
            ("oauth_nonce", &nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", &timestamp),
            ("oauth_token", &self.token),
            ("oauth_version", "1.0"),
        ];
        let query = query.iter().map(|(name, value)| (*name, value.as_str()));
        let signature = self.signature(method, url, oauth.into_iter().chain(query));
        let mut header = String::from("OAuth ");
        for (name, value) in oauth {
            let _ = write!(header, "{name}=\"{}\", ", encoded(value));
        }
        let _ = write!(header, "oauth_signature=\"{}\"", encoded(&signature));
        header
    }

    fn signature<'a>(
        &self,
        method: &str,
        url: &Url,
        parameters: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> String {
        let mut pairs: Vec<(String, String)> =
            parameters.map(|(name, value)| (encoded(name), encoded(value))).collect();
        pairs.sort();
        let parameters = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("&");
        let mut address = url.clone();
        address.set_query(None);
        address.set_fragment(None);
        let base = format!("{method}&{}&{}", encoded(address.as_str()), encoded(&parameters));
        let key = format!(
            "{}&{}",
            encoded(self.consumer_secret.expose_secret()),
            encoded(self.token_secret.expose_secret())
        );
        Hmac::<Sha1>::new_from_slice(key.as_bytes())
            .map(|mut mac| {
                mac.update(base.as_bytes());
                STANDARD.encode(mac.finalize().into_bytes())
            })
            // HMAC accepts keys of any length, so this does not happen. X would refuse an empty
            // signature.
            .unwrap_or_default()
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example is from the page "Creating a signature" of X's documentation.
    #[test]
    fn the_signature_matches_the_published_example() {
        let keys = OAuth1 {
            consumer_key: "xvz1evFS4wEEPTGEFPHBog".into(),
            consumer_secret: SecretString::from("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
            token: "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb".into(),
            token_secret: SecretString::from("LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"),
        };
        let url = Url::parse("https://api.twitter.com/1.1/statuses/update.json").unwrap();
        let parameters = [
            ("status", "Hello Ladies + Gentlemen, a signed OAuth request!"),
            ("include_entities", "true"),
            ("oauth_consumer_key", "xvz1evFS4wEEPTGEFPHBog"),
            ("oauth_nonce", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "1318622958"),
            ("oauth_token", "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
            ("oauth_version", "1.0"),
        ];

        let signature = keys.signature("POST", &url, parameters.into_iter());

        assert_eq!(signature, "hCtSmYh+iHYCEqBWrE7C7hYmtUk=");
    }
}
