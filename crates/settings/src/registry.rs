//! Every setting, declared once.

use secrecy::SecretString;
use url::Url;

use crate::setting::{Declaration, Setting};
use crate::values::{Networks, WholeSeconds};

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty = {
        description: $description:expr,
        default: $default:expr,
        secret: $secret:expr,
        parse: $parse:expr $(,)?
    })+) => {
        $(
            $(#[$doc])*
            pub static $name: Setting<$type> = Setting {
                name: stringify!($name),
                description: $description,
                default: $default,
                secret: $secret,
                parse: $parse,
            };
        )+

        /// Every setting, in the order in which they are shown.
        pub static ALL: &[Declaration] = &[$(
            Declaration {
                name: stringify!($name),
                description: $description,
                default: $default,
                secret: $secret,
                check: |text| ($name.parse)(text).map(drop),
            },
        )+];
    };
}

settings! {
    /// From where n8n may hand in without a token.
    TRUSTED_INGEST_NETWORKS: Networks = {
        description: "Networks (CIDR, comma-separated) from which the two n8n endpoints take calls without a credential. Empty: none.",
        default: Some(""),
        secret: false,
        parse: Networks::parse,
    }
    /// Where X's API is.
    TWITTER_API_URL: Url = {
        description: "The base URL of X's API.",
        default: Some("https://api.x.com"),
        secret: false,
        parse: base_url,
    }
    /// The app's OAuth 1.0a consumer key.
    TWITTER_API_KEY: String = {
        description: "OAuth 1.0a: the API key (consumer key) of the X app.",
        default: None,
        secret: false,
        parse: text,
    }
    /// The app's OAuth 1.0a consumer secret.
    TWITTER_API_SECRET: SecretString = {
        description: "OAuth 1.0a: the API secret (consumer secret) of the X app.",
        default: None,
        secret: true,
        parse: secret,
    }
    /// The account's OAuth 1.0a token.
    TWITTER_ACCESS_TOKEN: String = {
        description: "OAuth 1.0a: the access token of the account that posts.",
        default: None,
        secret: false,
        parse: text,
    }
    /// The account's OAuth 1.0a token secret.
    TWITTER_ACCESS_TOKEN_SECRET: SecretString = {
        description: "OAuth 1.0a: the access token secret of the account that posts.",
        default: None,
        secret: true,
        parse: secret,
    }
    /// The account's OAuth 2.0 token.
    TWITTER_OAUTH2_TOKEN: SecretString = {
        description: "OAuth 2.0: the user access token of the account that posts; used where the four OAuth 1.0a values are not all set.",
        default: None,
        secret: true,
        parse: secret,
    }
    /// How long a worker has a post in hand.
    PUBLISH_LEASE_SECONDS: WholeSeconds = {
        description: "How long a worker has a post in hand before another takes over; at least twice PUBLISH_REQUEST_SECONDS.",
        default: Some("90"),
        secret: false,
        parse: WholeSeconds::parse,
    }
    /// How long a request to a platform may take.
    PUBLISH_REQUEST_SECONDS: WholeSeconds = {
        description: "How long a request to a platform may take.",
        default: Some("20"),
        secret: false,
        parse: WholeSeconds::parse,
    }
    /// How late a post may go out.
    PUBLISH_MISSED_AFTER_SECONDS: WholeSeconds = {
        description: "A post that is overdue by more than this is marked as missed and does not go out by itself.",
        default: Some("21600"),
        secret: false,
        parse: WholeSeconds::parse,
    }
    /// What the sandbox does wrong, for trying things out.
    SANDBOX_FAULTS: String = {
        description: "Faults of the sandbox, comma-separated: refuse, wait, channel, lost-request, lost-answer, slow-prepare, slow-request, slow-answer, slow-look, blind. Empty: none.",
        default: Some(""),
        secret: false,
        parse: text,
    }
}

fn text(text: &str) -> Result<String, String> {
    if text.contains('\0') { Err("has a NUL character".to_owned()) } else { Ok(text.to_owned()) }
}

fn secret(value: &str) -> Result<SecretString, String> {
    text(value).map(SecretString::from)
}

fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err("expected is a URL that begins with https:// (or http://)".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL of this kind has no user name or password in it".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_valid_value() {
        for declaration in ALL {
            if let Some(default) = declaration.default {
                assert_eq!((declaration.check)(default), Ok(()), "{}", declaration.name);
            }
        }
    }

    #[test]
    fn no_name_is_declared_twice_and_no_secret_has_a_default() {
        for (index, declaration) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.name != declaration.name));
            assert!(!declaration.secret || declaration.default.is_none(), "{}", declaration.name);
        }
    }
}
