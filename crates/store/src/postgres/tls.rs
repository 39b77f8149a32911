//! Connects to PostgreSQL, with TLS as the URL specifies.

use std::sync::Arc;
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::future::BoxFuture;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use waggle_kernel::error_chain;

use super::url::Url;
use crate::error::StoreError;

/// The time limit for reaching a host, if the URL does not specify one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings of a session. A query must not continue when nobody waits for it. Parallel workers
/// and compiled queries pay off only for long queries, and take processors from the others.
const SESSION: [(&str, &str); 3] =
    [("statement_timeout", "25s"), ("max_parallel_workers_per_gather", "0"), ("jit", "off")];

/// The connection parameters of a URL.
#[derive(Clone)]
pub(super) struct Parameters {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl std::fmt::Debug for Parameters {
    /// Omits the parameters, because they contain the password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Parameters")
    }
}

impl Parameters {
    /// Parses `url`, and adds timeouts that it does not specify.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let Url { mut config, root_file } = Url::parse(url)?;
        // A server that has disappeared silently is noticed within 15 seconds.
        if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
            config.keepalives_idle(Duration::from_secs(10));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(15));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
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

    /// Connects with the settings of [`SESSION`], except those that the URL sets.
    pub(super) fn connect_bounded(
        self,
    ) -> BoxFuture<'static, diesel::ConnectionResult<AsyncPgConnection>> {
        let options = self.config.get_options().unwrap_or_default().to_owned();
        Box::pin(async move {
            let mut connection = self.connect().await?;
            let statements: Vec<String> = SESSION
                .iter()
                .filter(|(name, _)| !options.contains(&format!("{name}=")))
                .map(|(name, value)| format!("SET {name} = '{value}'"))
                .collect();
            connection
                .batch_execute(&statements.join("; "))
                .await
                .map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(connection)
        })
    }

    /// Connects. A server that accepts the connection and then does not answer gets as much time
    /// again as each host has to be reached (`connect_timeout`).
    pub(super) fn connect(self) -> BoxFuture<'static, diesel::ConnectionResult<AsyncPgConnection>> {
        let each = self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1);
        let patience = each.saturating_mul(hosts.saturating_add(1));
        Box::pin(async move {
            let silent = |_| {
                let seconds = patience.as_secs();
                let why = format!("the server did not answer within {seconds} seconds");
                Err(ConnectionError::BadConnection(why))
            };
            tokio::time::timeout(patience, self.connect_patiently()).await.unwrap_or_else(silent)
        })
    }

    async fn connect_patiently(self) -> diesel::ConnectionResult<AsyncPgConnection> {
        let bad =
            |error: tokio_postgres::Error| ConnectionError::BadConnection(error_chain(&error));
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
    }
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
            .map_err(|_| file("is not a file of certificates in PEM format"))?;
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(file("contains no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Connection(error.into()))
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
}
