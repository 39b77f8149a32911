//! Declares every setting: its field in [`Values`], its key, its type, its default and its
//! description.
//!
//! The settings of the Django application keep their keys, so that its environment and its table
//! continue to work.

use waggle_kernel::Zone;

use crate::declaration::{Declaration, Group};
use crate::kind::{Field, SettingType, canonical};
use crate::values::{
    Address, ApiUrl, BaseUrl, Boolean, Decimal, Domain, Email, FaultName, HostName, Integer,
    LimitRule, List, Network, ReconcileSeconds, RoleName, Seconds, Secret, SiteUrl, Text,
};

macro_rules! settings {
    ($($group:ident {$(
        $(#[doc = $doc:literal])+
        $field:ident: $type:ty = $key:literal
            $(, default $default:literal)?
            $(, receives $($secret:literal)+)? ;
    )+})+) => {
        /// The values in effect. Each of them is valid.
        #[derive(Clone)]
        pub struct Values {
            $($( $(#[doc = $doc])+ pub $field: $type, )+)+
        }

        impl Values {
            /// Parses every value from the text that is in effect for its key, or from its default.
            ///
            /// # Errors
            ///
            /// The key whose text is invalid, and the reason.
            pub(crate) fn read<'a>(
                text: impl Fn(&str) -> Option<&'a str>,
            ) -> Result<Self, (&'static str, String)> {
                Ok(Self {
                    $($( $field: <$type as Field>::read(text($key)$(.or(Some($default)))?)
                        .map_err(|reason| ($key, reason))?, )+)+
                })
            }
        }

        /// All settings, in display order.
        pub static ALL: &[Declaration] = &[$($(
            Declaration {
                key: $key,
                environment: $key,
                group: Group::$group,
                description: concat!($($doc),+).trim_ascii(),
                kind: <<$type as Field>::Type as SettingType>::KIND,
                default: settings!(@optional $($default)?),
                receives: &[$($($secret),+)?],
                read: canonical::<<$type as Field>::Type>,
            },
        )+)+];
    };
    (@optional) => { None };
    (@optional $default:literal) => { Some($default) };
}

settings! {
    Ingest {
        /// Networks from which the two n8n endpoints and `/metrics` accept requests without a
        /// credential. While the list is not empty, a warning is logged at start.
        trusted_ingest_networks: List<Network> = "TRUSTED_INGEST_NETWORKS", default "[]";
        /// The maximum body size of the two n8n endpoints, in bytes.
        ingest_max_bytes: Integer<1_024, 67_108_864> = "INGEST_MAX_BYTES", default "10485760";
        /// The maximum number of items in one request to the two n8n endpoints.
        ingest_max_items: Integer<1, 100_000> = "INGEST_MAX_ITEMS", default "10000";
        /// How long tweets are leased to the workflow run that was told that they are new. If the
        /// run submits no batch in this time, the next run that reports the same tweets is told
        /// that they are new.
        source_tweet_lease: Seconds<1, 2_592_000> = "SOURCE_TWEET_LEASE_SECONDS", default "3600";
        /// How many runs, one after another, are told that a tweet is new until one of them submits
        /// a batch made from it.
        source_tweet_offers: Integer<1, 100> = "SOURCE_TWEET_OFFERS", default "2";
    }
    Http {
        /// The maximum body size of the native API, in bytes.
        api_max_bytes: Integer<65_536, 67_108_864> = "API_MAX_BYTES", default "1048576";
        /// The maximum number of open connections. Further ones wait.
        http_max_connections: Integer<16, 65_536> = "HTTP_MAX_CONNECTIONS", default "2048";
        /// The maximum number of open connections from one network address (for IPv6 from one /64,
        /// and four times as many from one /48). Further ones are refused. Trusted proxies have no
        /// limit.
        http_connections_per_address: Integer<8, 65_536> = "HTTP_CONNECTIONS_PER_ADDRESS",
            default "256";
        /// How long an idle connection is kept open. Set it longer than a proxy in front of Waggle
        /// keeps its connections.
        http_keep_alive: Seconds<10, 3_600> = "HTTP_KEEP_ALIVE_SECONDS", default "90";
    }
    Publishing {
        /// How long a worker leases a post before another worker takes over. Must be at least twice
        /// `PUBLISH_REQUEST_SECONDS`.
        publish_lease: Seconds<2, 86_400> = "PUBLISH_LEASE_SECONDS", default "90";
        /// The timeout of a request to a platform.
        publish_request: Seconds<1, 3_600> = "PUBLISH_REQUEST_SECONDS", default "20";
        /// A post that is overdue by more than this is marked as missed and is not published
        /// automatically.
        publish_missed_after: Seconds<1, 31_536_000> = "PUBLISH_MISSED_AFTER_SECONDS",
            default "21600";
        /// How many posts one process delivers at the same time.
        publish_at_once: Integer<1, 200> = "PUBLISH_AT_ONCE", default "8";
        /// How often the worker checks the queue when nothing wakes it, in seconds.
        publish_poll: Decimal<50, 60_000> = "PUBLISH_POLL_SECONDS", default "1";
    }
    X {
        /// The base URL of X's API.
        twitter_api_url: ApiUrl = "TWITTER_API_URL", default "https://api.x.com/",
            receives "TWITTER_API_KEY" "TWITTER_API_SECRET" "TWITTER_ACCESS_TOKEN"
                "TWITTER_ACCESS_TOKEN_SECRET" "TWITTER_OAUTH2_TOKEN";
        /// OAuth 1.0a: the API key (consumer key) of the X app.
        twitter_api_key: Option<Secret> = "TWITTER_API_KEY";
        /// OAuth 1.0a: the API secret (consumer secret) of the X app.
        twitter_api_secret: Option<Secret> = "TWITTER_API_SECRET";
        /// OAuth 1.0a: the access token of the account that posts.
        twitter_access_token: Option<Secret> = "TWITTER_ACCESS_TOKEN";
        /// OAuth 1.0a: the access token secret of the account that posts.
        twitter_access_token_secret: Option<Secret> = "TWITTER_ACCESS_TOKEN_SECRET";
        /// OAuth 2.0: the user access token of the account that posts. Used unless all four OAuth
        /// 1.0a values are set.
        twitter_oauth2_token: Option<Secret> = "TWITTER_OAUTH2_TOKEN";
        /// How Waggle reconciles a post on X whose outcome is unknown, in seconds.
        /// `first_look_after`: how long after the attempt Waggle looks for it first.
        /// `second_look_after`: how long after that it looks again. `resend_within`: how long after
        /// the attempt a post that is not there can be sent again automatically. Each value can be
        /// longer than its default, up to 3600, but never shorter.
        twitter_reconcile: ReconcileSeconds = "TWITTER_RECONCILE_SECONDS",
            default "{\"first_look_after\":20,\"second_look_after\":120,\"resend_within\":600}";
    }
    Sandbox {
        /// Faults that the sandbox simulates, for testing: refuse, wait, channel, lost-request,
        /// lost-answer, slow-prepare, slow-request, slow-answer, slow-look, blind.
        sandbox_faults: List<FaultName> = "SANDBOX_FAULTS", default "[]";
    }
    Mail {
        /// The mail server. If it is not set and `EMAIL_HOST_USER` is, the mail server is
        /// `smtp.gmail.com`. If neither is set, every email is written to a file in `outbox` in the
        /// data folder, and a line to the log.
        email_host: Option<HostName> = "EMAIL_HOST", receives "EMAIL_HOST_PASSWORD";
        /// The port of the mail server.
        email_port: Integer<1, 65_535> = "EMAIL_PORT", default "465";
        /// Whether TLS starts with the first byte, as on port 465. If not set, it does unless
        /// `EMAIL_USE_TLS` is on.
        email_use_ssl: Option<Boolean> = "EMAIL_USE_SSL";
        /// Whether TLS starts with STARTTLS, as on port 587. If `EMAIL_USE_SSL` is also on,
        /// `EMAIL_USE_SSL` takes precedence. With both off, mail is sent unencrypted, and the email
        /// server must be on this machine.
        email_use_tls: Boolean = "EMAIL_USE_TLS", default "false";
        /// The user name for the mail server.
        email_host_user: Option<Text> = "EMAIL_HOST_USER";
        /// The password for the mail server.
        email_host_password: Option<Secret> = "EMAIL_HOST_PASSWORD";
        /// The sender of every email. If not set, `EMAIL_HOST_USER` is the sender, if it is an
        /// address.
        default_from_email: Option<Email> = "DEFAULT_FROM_EMAIL";
    }
    Google {
        /// The OpenID Connect issuer that people sign in with.
        google_oauth_issuer: BaseUrl = "GOOGLE_OAUTH_ISSUER",
            default "https://accounts.google.com/",
            receives "GOOGLE_OAUTH_CLIENT_SECRET";
        /// The client ID of the OAuth client at Google. Signing in with Google requires it, the
        /// client secret and `PUBLIC_URL`.
        google_oauth_client_id: Option<Text> = "GOOGLE_OAUTH_CLIENT_ID";
        /// The client secret of the OAuth client at Google.
        google_oauth_client_secret: Option<Secret> = "GOOGLE_OAUTH_CLIENT_SECRET";
        /// Whether a new Google user must enter a code that is mailed to their address.
        google_verification_enabled: Boolean = "GOOGLE_VERIFICATION_ENABLED", default "true";
    }
    Sessions {
        /// The address at which people reach Waggle, such as `https://waggle.example.com`. If it
        /// begins with `https://`, browsers send session cookies over TLS only. If it is not set,
        /// the `Origin` of a request is compared with its `Host`.
        public_url: Option<SiteUrl> = "PUBLIC_URL";
        /// The time zone of people who have not chosen one, such as `Europe/Berlin`.
        time_zone: Zone = "TIME_ZONE", default "UTC";
        /// How long a session lasts without use.
        session_idle: Seconds<60, 2_592_000> = "SESSION_IDLE_SECONDS", default "86400";
        /// How long a session lasts at most, even if it is used.
        session_life: Seconds<300, 7_776_000> = "SESSION_LIFE_SECONDS", default "1209600";
        /// How long the session of an admin lasts without use.
        admin_session_idle: Seconds<60, 2_592_000> = "ADMIN_SESSION_IDLE_SECONDS", default "3600";
        /// How long the session of an admin lasts at most, even if it is used.
        admin_session_life: Seconds<300, 7_776_000> = "ADMIN_SESSION_LIFE_SECONDS", default "43200";
        /// How many sign-ins can fail for one account within `LOGIN_FAILURE_SECONDS` before further
        /// ones are rejected.
        login_failures_per_account: Integer<3, 1_000> = "LOGIN_FAILURES_PER_ACCOUNT", default "8";
        /// How many sign-ins can fail from one network address within `LOGIN_FAILURE_SECONDS`
        /// before further ones are rejected.
        login_failures_per_client: Integer<3, 100_000> = "LOGIN_FAILURES_PER_CLIENT", default "20";
        /// The period in which failed sign-ins are counted. In addition, only half of
        /// `LOGIN_FAILURES_PER_ACCOUNT` (rounded up) can fail within a tenth of this period.
        login_failure_window: Seconds<10, 86_400> = "LOGIN_FAILURE_SECONDS", default "300";
        /// How long after people proved their identity they can change their address, API tokens,
        /// rights and secrets without proving it again.
        recent_authentication: Seconds<30, 86_400> = "RECENT_AUTHENTICATION_SECONDS", default "300";
        /// Whether admins must have a second factor. A signed-in admin without one can only set one
        /// up. API tokens of admins keep working.
        admin_second_factor: Boolean = "ADMIN_SECOND_FACTOR_REQUIRED", default "false";
        /// How many digits a mailed code has. With each digit fewer, a code is ten times as easy to
        /// guess.
        verification_code_digits: Integer<4, 8> = "VERIFICATION_CODE_DIGITS", default "6";
        /// How many requests a minute each server accepts from one network address, and with one
        /// API token. 0 means no limit.
        requests_per_minute: Integer<0, 1_000_000> = "REQUESTS_PER_MINUTE", default "1200";
        /// Replaces limits of the table in docs/accounts.md: `name=count/seconds`, such as
        /// `register.client=5/3600`.
        limits: List<LimitRule> = "LIMITS", default "[]";
    }
    Access {
        /// Whether people can register, by proving that an address is theirs.
        registration_enabled: Boolean = "REGISTRATION_ENABLED", default "true";
        /// The role of people who register: viewer, editor, approver or admin.
        new_user_role: RoleName = "NEW_USER_ROLE", default "viewer";
        /// Whether only addresses in `ALLOWED_DOMAIN` can register, sign in with Google, or become
        /// the address of a user. The operator's commands can create any user.
        domain_restriction_enabled: Boolean = "DOMAIN_RESTRICTION_ENABLED", default "true";
        /// The domains whose addresses are accepted while `DOMAIN_RESTRICTION_ENABLED` is on. If
        /// the list is empty, no address is accepted.
        allowed_domain: List<Domain> = "ALLOWED_DOMAIN", default "[]";
        /// The addresses of the super admins, who can do everything.
        super_admin_emails: List<Address> = "SUPER_ADMIN_EMAILS", default "[]";
        /// Whether super admins are accepted whatever their domain.
        admin_bypass: Boolean = "ADMIN_BYPASS", default "false";
        /// Who gets an email when somebody tries to sign in with a Google account of a domain that
        /// is not allowed.
        security_admin_emails: List<Address> = "SECURITY_ADMIN_EMAILS", default "[]";
        /// Who gets the mails for super admins if `SUPER_ADMIN_EMAILS` is empty.
        admin_notification_emails: List<Address> = "ADMIN_NOTIFICATION_EMAILS", default "[]";
        /// Whether the audit log and the list of sessions have the user agent of the browser.
        log_user_agents: Boolean = "LOG_USER_AGENTS", default "true";
        /// How long the page for rejected domains is shown before it redirects, in seconds.
        breach_redirect_delay: Seconds<1, 300> = "BREACH_REDIRECT_DELAY", default "10";
        /// The proxies in front of Waggle. A request from one of them has the last address in
        /// `X-Forwarded-For` that is not a proxy.
        trusted_proxies: List<Network> = "TRUSTED_PROXIES", default "[]";
        /// The host names of Waggle. A leading dot stands for all subdomains. If the list is empty,
        /// any name is accepted. Requests under another name get a 421, except those to `/health`.
        allowed_hosts: List<HostName> = "ALLOWED_HOSTS", default "[]";
    }
    Legacy {
        /// Django's signing key. Waggle uses a master key instead, which is part of the
        /// configuration.
        secret_key: Option<Secret> = "SECRET_KEY";
        /// Django's debug switch. Waggle uses `WAGGLE_LOG` instead.
        debug: Option<Text> = "DEBUG";
    }
}

/// The setting with this key.
pub fn find(key: &str) -> Option<&'static Declaration> {
    ALL.iter().find(|declaration| declaration.key == key)
}

/// A condition on the values of several settings.
pub(crate) struct Rule {
    /// The settings that the condition is about.
    pub(crate) keys: [&'static str; 2],
    /// The condition, as shown to people.
    pub(crate) text: &'static str,
    pub(crate) holds: fn(&Values) -> bool,
}

/// All rules.
pub(crate) static RULES: &[Rule] = &[
    Rule {
        keys: ["PUBLISH_LEASE_SECONDS", "PUBLISH_REQUEST_SECONDS"],
        text: "PUBLISH_LEASE_SECONDS must be at least twice PUBLISH_REQUEST_SECONDS",
        holds: |values| values.publish_lease.duration() >= values.publish_request.duration() * 2,
    },
    Rule {
        keys: ["EMAIL_PORT", "EMAIL_USE_TLS"],
        text: "ports 25 and 587 use STARTTLS: set EMAIL_USE_TLS to true and leave EMAIL_USE_SSL \
               unset, or set EMAIL_PORT to 465",
        holds: |values| {
            let is_on = |value: Option<Boolean>| value.map(Boolean::is_on);
            let begins_at_once =
                is_on(values.email_use_ssl).unwrap_or_else(|| !values.email_use_tls.is_on());
            !matches!(values.email_port.number(), 25 | 587) || !begins_at_once
        },
    },
    Rule {
        keys: ["DEFAULT_FROM_EMAIL", "EMAIL_HOST"],
        text: "EMAIL_HOST requires a sender: in the same change or before, set \
               DEFAULT_FROM_EMAIL, or set EMAIL_HOST_USER to a mail address",
        holds: |values| {
            let is_address = |user: &Text| Email::parse(&user.0).is_ok();
            values.email_host.is_none()
                || values.default_from_email.is_some()
                || values.email_host_user.as_ref().is_some_and(is_address)
        },
    },
    Rule {
        keys: ["EMAIL_USE_SSL", "EMAIL_HOST"],
        text: "if EMAIL_USE_SSL and EMAIL_USE_TLS are both off, EMAIL_HOST must be this machine",
        holds: |values| {
            let is_clear = values.email_use_ssl.is_some_and(|ssl| !ssl.is_on());
            !is_clear
                || values.email_use_tls.is_on()
                || values.email_host.as_ref().is_some_and(HostName::is_this_machine)
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_together_and_canonical() {
        let values = Values::read(|_| None).unwrap_or_else(|(key, why)| panic!("{key} {why}"));

        assert!(RULES.iter().all(|rule| (rule.holds)(&values)));
        for declaration in ALL {
            if let Some(default) = declaration.default {
                let canonical = (declaration.read)(default).map(|canonical| canonical.text);
                assert_eq!(canonical.as_deref(), Ok(default), "{}", declaration.key);
            }
        }
    }

    #[test]
    fn no_key_is_declared_twice_and_no_secret_has_a_default() {
        for (index, declaration) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.key != declaration.key));
            assert!(!declaration.is_secret() || declaration.default.is_none());
            assert!(!declaration.description.is_empty());
            assert!(declaration.key.len() <= 100);
        }
    }

    #[test]
    fn rules_and_destinations_refer_to_declared_settings() {
        let secrets = ALL.iter().flat_map(|declaration| declaration.receives);
        assert!(secrets.clone().all(|key| find(key).is_some_and(Declaration::is_secret)));
        assert!(RULES.iter().flat_map(|rule| rule.keys).all(|key| find(key).is_some()));
    }

    #[test]
    fn every_key_of_the_django_application_is_declared() {
        let keys = [
            "SECRET_KEY",
            "DEBUG",
            "GOOGLE_OAUTH_CLIENT_ID",
            "GOOGLE_OAUTH_CLIENT_SECRET",
            "EMAIL_HOST",
            "EMAIL_PORT",
            "EMAIL_USE_TLS",
            "EMAIL_HOST_USER",
            "EMAIL_HOST_PASSWORD",
            "DEFAULT_FROM_EMAIL",
            "DOMAIN_RESTRICTION_ENABLED",
            "ALLOWED_DOMAIN",
            "GOOGLE_VERIFICATION_ENABLED",
            "SUPER_ADMIN_EMAILS",
            "EMAIL_USE_SSL",
            "SECURITY_ADMIN_EMAILS",
            "ADMIN_BYPASS",
            "LOG_USER_AGENTS",
            "BREACH_REDIRECT_DELAY",
            "ADMIN_NOTIFICATION_EMAILS",
            "ALLOWED_HOSTS",
        ];

        assert!(keys.iter().all(|key| find(key).is_some()));
    }
}
