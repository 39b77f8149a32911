//! Parses a database URL by the rules of libpq.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_postgres::Config;
use waggle_kernel::error_chain;

use crate::error::StoreError;

/// A parsed database URL.
#[derive(Clone)]
pub(super) struct Url {
    /// Contains no timeout and no application name if the URL has none.
    pub(super) config: Config,
    /// The file of the certificates to trust in addition to those of the system.
    pub(super) root_file: Option<String>,
}

/// The parameters that tokio-postgres interprets like libpq.
const PASSED_ON: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "options",
    "password",
    "sslnegotiation",
    "user",
];

impl Url {
    /// Parses a URL by libpq's rules
    /// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>), with
    /// two exceptions. TLS always verifies the certificate and the host name, so `require`,
    /// `verify-ca` and `verify-full` are the same. No standby is accepted, because Waggle writes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Url`], which names the parameter and does not contain the password.
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let Base { before, mut hosts, mut ports, database } = Base::parse(base)?;
        let mut rest: Vec<(&str, String)> = Vec::new();
        let (mut root_file, mut fallback_name, mut tcp_timeout) = (None, None, Duration::ZERO);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(name, value)?;
            let among = |allowed: &[&str]| one_of(name, &value, allowed);
            match name {
                "host" => hosts = value.split(',').map(str::to_owned).collect(),
                "port" => ports = value.split(',').map(str::to_owned).collect(),
                "sslrootcert" if value == "system" => {}
                "sslrootcert" => root_file = Some(value),
                "ssl" => {
                    among(&["true"])?;
                    rest.push(("sslmode", "require".to_owned()));
                }
                "sslmode" => {
                    let known = match value.as_str() {
                        "verify-ca" | "verify-full" => "require",
                        "allow" => "prefer",
                        _ => among(&["disable", "prefer", "require", "verify-ca", "verify-full"])?,
                    };
                    rest.push(("sslmode", known.to_owned()));
                }
                "target_session_attrs" => {
                    let known = match among(&["any", "read-write", "primary"])? {
                        "any" => "any",
                        _ => "read-write",
                    };
                    rest.push(("target_session_attrs", known.to_owned()));
                }
                // These values allow connections without GSSAPI, which is not supported.
                "gssencmode" => {
                    among(&["disable", "prefer"])?;
                }
                // The encoding that Waggle uses.
                "client_encoding" => {
                    among(&["UTF8", "utf8", "UTF-8", "utf-8", "unicode", "auto"])?;
                }
                "fallback_application_name" => fallback_name = Some(value),
                // libpq expects milliseconds, tokio-postgres seconds.
                "tcp_user_timeout" => {
                    let number = value.parse();
                    let number =
                        number.map_err(|_| refused(name, "is not a number of milliseconds"))?;
                    tcp_timeout = Duration::from_millis(number);
                }
                "keepalives_count" => rest.push(("keepalives_retries", value)),
                _ => match PASSED_ON.iter().find(|known| **known == name) {
                    Some(known) => rest.push((known, value)),
                    None => return Err(unsupported(name)),
                },
            }
        }
        if hosts.is_empty() && !rest.iter().any(|(name, _)| *name == "hostaddr") {
            let problem = "does not name a host; to use a socket, set host=/run/postgresql";
            return Err(StoreError::Url(problem.to_owned()));
        }
        rest.extend(hosts.into_iter().map(|host| ("host", host)));
        rest.extend(ports.into_iter().map(|port| ("port", port)));
        let encoded = |(name, value): &(&str, String)| {
            format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
        };
        let query: Vec<String> = rest.iter().map(encoded).collect();
        let text = format!("{before}{database}?{}", query.join("&"));
        let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
            // The library's message names the parameter, never the password.
            StoreError::Url(format!("is invalid: {}", error_chain(&error)))
        })?;
        if !tcp_timeout.is_zero() {
            config.tcp_user_timeout(tcp_timeout);
        }
        if let (None, Some(name)) = (config.get_application_name(), fallback_name) {
            config.application_name(name);
        }
        Ok(Self { config, root_file })
    }
}

/// The part of a URL before its parameters.
struct Base<'a> {
    /// The scheme, the user and the password.
    before: &'a str,
    hosts: Vec<String>,
    /// One for each host.
    ports: Vec<String>,
    /// With the leading slash.
    database: &'a str,
}

impl<'a> Base<'a> {
    fn parse(base: &'a str) -> Result<Self, StoreError> {
        let scheme = base.find("://").map_or(0, |at| at + "://".len());
        let slash = base.get(scheme..).and_then(|rest| rest.find('/')).map(|at| scheme + at);
        let authority = base.find('@').map_or(scheme, |at| at + 1);
        if slash.is_some_and(|slash| slash < authority) {
            let problem = "has an @ after a slash: write a slash in a password as %2F, and an @ \
                           in the name of a database as %40";
            return Err(StoreError::Url(problem.to_owned()));
        }
        let (before, rest) = base.split_at(authority);
        let (list, database) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for host in list.split(',').filter(|_| !list.is_empty()) {
            // A colon inside brackets belongs to the address.
            let end = host.rfind(']').map_or(0, |bracket| bracket + 1);
            let colon = host.get(end..).and_then(|rest| rest.find(':')).map(|at| end + at);
            let (name, port) = host.split_at(colon.unwrap_or(host.len()));
            let name = name.strip_prefix('[').map_or(name, |name| name.trim_end_matches(']'));
            hosts.push(decoded("host", name)?);
            let port = decoded("port", port.trim_start_matches(':'))?;
            ports.push(if port.is_empty() { "5432".to_owned() } else { port });
        }
        Ok(Self { before, hosts, ports, database })
    }
}

fn decoded(name: &str, value: &str) -> Result<String, StoreError> {
    let decoded = percent_decode_str(value).decode_utf8();
    decoded.map(Into::into).map_err(|_| refused(name, "is not UTF-8"))
}

/// The value, if it is one of `allowed`.
fn one_of<'a>(name: &str, value: &'a str, allowed: &[&str]) -> Result<&'a str, StoreError> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    Err(refused(name, &format!("must be one of {}", allowed.join(", "))))
}

fn unsupported(name: &str) -> StoreError {
    let why = match name {
        "sslcert" | "sslkey" | "sslpassword" => ": Waggle does not support client certificates",
        "passfile" | "service" | "servicefile" => {
            ": write the values that it would provide into the URL"
        }
        _ => "",
    };
    refused(name, &format!("is not supported{why}"))
}

fn refused(name: &str, why: &str) -> StoreError {
    // An invalid name may be the end of a password with a `?` that is not escaped.
    let is_name = name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.'));
    let name = if is_name { name } else { "(the name is not that of a parameter)" };
    StoreError::Url(format!("has a parameter that cannot be used: {name} {why}"))
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

    use super::*;

    fn parsed(url: &str) -> Config {
        Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")).config
    }

    fn hosts(names: &[&str]) -> Vec<Host> {
        let host = |name: &&str| {
            if name.starts_with('/') { Host::Unix(name.into()) } else { Host::Tcp((*name).into()) }
        };
        names.iter().map(host).collect()
    }

    #[test]
    fn hosts_and_ports_are_parsed_like_libpq() {
        let cases: &[(&str, &[&str], &[u16])] = &[
            ("postgresql://u@a:5433,b:5434/d", &["a", "b"], &[5433, 5434]),
            ("postgresql://u@a,b:5434/d", &["a", "b"], &[5432, 5434]),
            ("postgresql://u@a:/d", &["a"], &[5432]),
            ("postgresql://u@/d?host=a,b&port=1,2", &["a", "b"], &[1, 2]),
            ("postgresql://u@/d?host=127.0.0.1,::1&port=5433", &["127.0.0.1", "::1"], &[5433]),
            ("postgresql:///d?host=a%2Cb", &["a", "b"], &[]),
            ("postgresql://u@[::1]:5433,[::2]/d", &["::1", "::2"], &[5433, 5432]),
            ("postgresql://u@%2Frun%2Fpg/d", &["/run/pg"], &[5432]),
            ("postgresql://u@%2Frun%2Fpg:5433/d", &["/run/pg"], &[5433]),
            ("postgresql:///d?host=/run/pg&user=u", &["/run/pg"], &[]),
            // A parameter takes precedence.
            ("postgresql://u@localhost/d?host=/run/pg", &["/run/pg"], &[5432]),
            ("postgresql://u@a/d?port=5433", &["a"], &[5433]),
            ("postgresql://a", &["a"], &[5432]),
        ];
        for (url, names, ports) in cases {
            let config = parsed(url);

            assert_eq!(config.get_hosts(), hosts(names), "{url}");
            assert_eq!(config.get_ports(), *ports, "{url}");
        }
    }

    #[test]
    fn parameters_are_parsed_like_libpq() {
        let at = |query: &str| parsed(&format!("postgresql://u@h/d?{query}"));
        let options = at("options=-c%20geqo%3Doff%20-c%20work_mem%3D8MB");
        assert_eq!(options.get_options(), Some("-c geqo=off -c work_mem=8MB"));
        for wanted in ["read-write", "primary"] {
            let config = at(&format!("target_session_attrs={wanted}"));
            assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        }
        for secure in ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "ssl=true"] {
            assert_eq!(at(secure).get_ssl_mode(), SslMode::Require, "{secure}");
        }
        assert_eq!(at("sslmode=allow").get_ssl_mode(), SslMode::Prefer);
        assert_eq!(at("fallback_application_name=x").get_application_name(), Some("x"));
        let named = at("application_name=y&fallback_application_name=x");
        assert_eq!(named.get_application_name(), Some("y"));
        let timeout = at("tcp_user_timeout=1500&keepalives_count=3&connect_timeout=7");
        assert_eq!(timeout.get_tcp_user_timeout(), Some(&Duration::from_millis(1_500)));
        assert_eq!(timeout.get_connect_timeout(), Some(&Duration::from_secs(7)));
        for same in ["gssencmode=disable", "client_encoding=UTF8", "gssencmode=prefer"] {
            assert_eq!(at(same), parsed("postgresql://u@h/d"), "{same}");
        }
        let escaped = parsed("postgresql://a%40b:p%40%2F%3F%23w@h/my%20db");
        assert_eq!(escaped.get_user(), Some("a@b"));
        assert_eq!(escaped.get_password(), Some(&b"p@/?#w"[..]));
        assert_eq!(escaped.get_dbname(), Some("my db"));
    }

    #[test]
    fn errors_name_the_parameter_and_never_the_password() {
        for (url, named) in [
            (
                "postgresql://u:hush@h/d?sslcert=/a.pem",
                "sslcert is not supported: Waggle does not support",
            ),
            ("postgresql://u:hush@h/d?service=prod", "service is not supported"),
            ("postgresql://u:hush@h/d?passfile=/p", "passfile is not supported"),
            ("postgresql://u:hush@h/d?requirepeer=x", "requirepeer is not supported"),
            (
                "postgresql://u:hush@h/d?target_session_attrs=prefer-standby",
                "target_session_attrs must be one of any, read-write, primary",
            ),
            ("postgresql://u:hush@h/d?sslmode=maybe", "sslmode must be one of disable, prefer"),
            ("postgresql://u:hush@h/d?gssencmode=require", "gssencmode must be one of"),
            ("postgresql://u:hush@h/d?client_encoding=latin1", "client_encoding must be one of"),
            ("postgresql://u:hush@h/d?tcp_user_timeout=1s", "milliseconds"),
            ("postgresql://u:hush@h/d?application_name=%ff", "application_name is not UTF-8"),
            ("postgresql://u:hush@h:port/d", "port"),
            ("postgresql://u:hush@/d", "does not name a host"),
            ("postgresql://u:hu/sh@h/d", "%2F"),
            ("postgresql://h/d@b?user=u", "%40"),
            ("postgresql://u:p?hush@h/d", "(the name is not that of a parameter) is not supported"),
        ] {
            let error = Url::parse(url).err().expect(url);
            let text = error_chain(&error);

            assert!(text.contains(named) && !text.contains("hush"), "{url}: {text}");
        }
    }
}
