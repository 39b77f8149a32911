//! Connecting to PostgreSQL, with TLS as the URL asks for it.

use std::sync::Arc;

use diesel::ConnectionError;
use diesel_async::AsyncPgConnection;
use futures_util::future::BoxFuture;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use crate::error::StoreError;

/// What a URL says of the connection.
#[derive(Clone)]
pub(super) struct Parameters {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl std::fmt::Debug for Parameters {
    /// Without the password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Parameters")
    }
}

impl Parameters {
    /// Reads `postgresql://user:password@host:port/database?sslmode=...&sslrootcert=...`. TLS always checks
    /// the certificate and the name: `require`, `verify-ca` and `verify-full` are the same here.
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let mut url =
            Url::parse(text).map_err(|error| StoreError::Url(format!("is no URL: {error}")))?;
        let mut root_file = None;
        let mut pairs = Vec::new();
        for (name, value) in url.query_pairs() {
            match (name.as_ref(), value.as_ref()) {
                ("sslrootcert", file) => root_file = Some(file.to_owned()),
                ("sslmode", "verify-ca" | "verify-full") => {
                    pairs.push(("sslmode".to_owned(), "require".to_owned()));
                }
                ("sslmode", "allow") => {
                    pairs.push(("sslmode".to_owned(), "prefer".to_owned()));
                }
                _ => pairs.push((name.into_owned(), value.into_owned())),
            }
        }
        url.set_query(None);
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        let mut config: Config = url.as_str().parse().map_err(|error: tokio_postgres::Error| {
            // The library's message names the parameter, never the password.
            StoreError::Url(format!("is not understood: {error}"))
        })?;
        if config.get_application_name().is_none() {
            config.application_name("waggle");
        }
        let tls = if config.get_ssl_mode() == SslMode::Disable {
            None
        } else {
            Some(MakeRustlsConnect::new(client_config(root_file.as_deref())?))
        };
        Ok(Self { config, tls })
    }

    pub(super) fn connect(self) -> BoxFuture<'static, diesel::ConnectionResult<AsyncPgConnection>> {
        Box::pin(async move {
            let bad =
                |error: tokio_postgres::Error| ConnectionError::BadConnection(describe(&error));
            match self.tls {
                None => {
                    let (client, connection) = self.config.connect(NoTls).await.map_err(bad)?;
                    AsyncPgConnection::try_from_client_and_connection(client, connection).await
                }
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls).await.map_err(bad)?;
                    AsyncPgConnection::try_from_client_and_connection(client, connection).await
                }
            }
        })
    }
}

/// The error with its causes; the first alone says little.
fn describe(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn client_config(root_file: Option<&str>) -> Result<ClientConfig, StoreError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = root_file {
        let file = |problem| StoreError::File { path: path.to_owned(), problem, source: None };
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
            .map_err(|_| file("cannot be read"))?
            .collect::<Result<_, _>>()
            .map_err(|_| file("is no file of certificates in PEM form"))?;
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(file("has no certificate in it"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Connection(error.into()))
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
}
