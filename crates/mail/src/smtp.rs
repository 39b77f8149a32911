//! Mails by SMTP, over TLS, with connections that are kept.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;
use waggle_accounts::ports::Mailer;
use waggle_accounts::{Mail, MailFailure};
use waggle_kernel::PortError;

use crate::letters::Sender;

/// How long the server may take for one step.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a mail may take as a whole.
const PATIENCE_IN_ALL: Duration = Duration::from_mins(2);
/// How many connections are kept.
const CONNECTIONS: u32 = 2;

/// How a connection is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// By TLS from the first byte.
    Tls,
    /// By STARTTLS; a server that does not offer it gets no mail.
    StartTls,
    /// Not at all. Whoever chooses this sees to it that nobody is between.
    None,
}

/// An account at a mail server.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name of the server, which its certificate has to have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from others.
    pub security: Security,
    /// The user name and the password; without them nobody signs in.
    pub credentials: Option<(String, SecretString)>,
}

/// Brings mails to a mail server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Sender,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Smtp").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Why there is no way to a mail server.
#[derive(Debug, Error)]
pub enum MailSetupError {
    /// TLS cannot be set up.
    #[error("TLS to the mail server cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
    /// The server does not answer as it should.
    #[error("{}", described(.0))]
    Server(#[source] lettre::transport::smtp::Error),
    /// The server closes the connection.
    #[error("the mail server ends the connection")]
    Closed,
    /// The server does not answer.
    #[error("the mail server did not answer within {} seconds", PATIENCE.as_secs())]
    Silent,
}

/// What the mail server did, for people. Its own words have nothing of ours in them but addresses.
fn described(error: &lettre::transport::smtp::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("the mail server cannot be used: {error}{}", source.unwrap_or_default())
}

impl Smtp {
    /// A way to the mail server of `account`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`MailSetupError::Tls`].
    pub fn new(account: &Account, sender: Sender) -> Result<Self, MailSetupError> {
        let tls = match account.security {
            Security::None => Tls::None,
            Security::StartTls => Tls::Required(parameters(&account.host)?),
            Security::Tls => Tls::Wrapper(parameters(&account.host)?),
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(account.host.as_str())
                .port(account.port)
                .tls(tls)
                .timeout(Some(PATIENCE))
                .pool_config(PoolConfig::new().max_size(CONNECTIONS));
        if let Some((user, password)) = &account.credentials {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: builder.build(), sender })
    }

    /// Connects and signs in, and sends nothing.
    ///
    /// # Errors
    ///
    /// [`MailSetupError`].
    pub async fn check(&self) -> Result<(), MailSetupError> {
        match tokio::time::timeout(PATIENCE, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(MailSetupError::Closed),
            Ok(Err(error)) => Err(MailSetupError::Server(error)),
            Err(_) => Err(MailSetupError::Silent),
        }
    }
}

/// The authorities of the system and those of Mozilla's list, for machines that have none.
fn parameters(host: &str) -> Result<TlsParameters, MailSetupError> {
    let mut builder =
        TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read is one authority less.
        if let Ok(certificate) = Certificate::from_der(certificate.to_vec()) {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build_rustls().map_err(MailSetupError::Tls)
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail) -> Result<(), MailFailure> {
        const DOING: &str = "sending a mail";
        let message = self
            .sender
            .write(mail)
            .map_err(|error| MailFailure::Never(PortError::broken(DOING, error)))?;
        match tokio::time::timeout(PATIENCE_IN_ALL, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_about_recipient(&error) => {
                Err(MailFailure::Never(PortError::broken(DOING, error)))
            }
            Ok(Err(error)) => Err(MailFailure::Later(PortError::unavailable(DOING, error))),
            Err(error) => Err(MailFailure::Later(PortError::unavailable(DOING, error))),
        }
    }
}

/// Whether the server says, by the code of RFC 3463, that the recipient's address is wrong (5.1). All else, a wrong password, a quota or a
/// policy too, may be mended while the mail waits.
fn is_about_recipient(error: &lettre::transport::smtp::Error) -> bool {
    let said = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let is_final = matches!(error.status().map(u16::from), Some(550 | 551 | 553));
    is_final
        && ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"].iter().any(|code| said.starts_with(code))
}
