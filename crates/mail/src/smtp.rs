//! Sends mails by SMTP (RFC 5321) over TLS, each on its own connection.
//!
//! If a conversation ends before the server has the whole mail, the email was not sent. After that,
//! only the server's reply tells the outcome. If the reply is missing or cannot be read, the
//! outcome is unknown: the email may have been sent.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::Message;
use mail_send::smtp::message::Parameters;
use mail_send::{Credentials, Error, SmtpClient, SmtpClientBuilder};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, Response};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use waggle_accounts::ports::Mailer;
use waggle_accounts::{Mail, MailFailure};
use waggle_kernel::PortError;

use crate::letters::Sender;

/// How long the server can take to accept a connection and send its greeting, and for each reply
/// after that.
const PATIENCE_TO_CONNECT: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the server can take until it is ready for the email, and then until it replies to the
/// mail. Together with connecting, this is less than the lease of an email.
const PATIENCE_BEFORE: Duration = Duration::from_mins(1);
const PATIENCE_AFTER: Duration = Duration::from_secs(90);
/// The timeout of a test mail, for which somebody is waiting.
const PATIENCE_OF_A_TEST: Duration = Duration::from_secs(20);
/// How much of a server's text is kept, in characters.
const MOST_WORDS: usize = 300;

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS. No mail is sent to a server that does not offer it.
    StartTls,
    /// No encryption. The caller must make sure that nobody can intercept the connection.
    None,
}

/// An account on a mail server.
#[derive(Debug, Clone)]
pub struct Account {
    /// The server's host name, which its certificate must contain.
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// The user name and the password. Without them, no login is attempted.
    pub credentials: Option<(String, SecretString)>,
}

/// Sends mails to a mail server.
pub struct Smtp {
    server: SmtpClientBuilder<String>,
    account: Account,
    sender: Sender,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Smtp").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// A mail server's reply: the codes and the text, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: [u8; 3],
    words: String,
}

impl From<Response<String>> for Reply {
    fn from(response: Response<String>) -> Self {
        let words = response.message.chars().map(|c| if c.is_control() { ' ' } else { c });
        let words = words.take(MOST_WORDS).collect();
        Self { code: response.code, enhanced: response.esc, words }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.code)?;
        let [class, subject, detail] = self.enhanced;
        if class != 0 {
            write!(formatter, " {class}.{subject}.{detail}")?;
        }
        if self.words.is_empty() { Ok(()) } else { write!(formatter, " {}", self.words) }
    }
}

/// Why a mail server did not accept an email.
#[derive(Debug, Error)]
pub enum SmtpError {
    #[error("the mail server answered: {0}")]
    Refused(Reply),
    /// The server requires a login.
    #[error("the mail server requires a login with a user name and password: {0}")]
    NeedsLogin(Reply),
    /// The server rejected the user name or the password.
    #[error("the mail server rejected the user name or password: {0}")]
    LoginRefused(Reply),
    /// The server offers no supported login mechanism.
    #[error("the mail server does not offer AUTH PLAIN or LOGIN on this connection")]
    NoLogin,
    #[error("the mail server does not offer STARTTLS on this port")]
    NoStartTls,
    /// The server does not start with TLS.
    #[error("the server on this port does not start with TLS; try STARTTLS")]
    NoTls,
    /// The reply is not SMTP, or the connection was closed instead.
    #[error("the mail server's reply is missing or cannot be read")]
    Unreadable,
    /// The server did not answer in time.
    #[error("the mail server did not answer in time")]
    Silent,
    /// The server did not greet on an unencrypted connection.
    #[error(
        "the mail server did not send a greeting in time; port 465 uses TLS from the first byte, \
         not STARTTLS"
    )]
    NoGreeting,
    #[error("TLS to the mail server failed: {0}")]
    Tls(String),
    #[error("the mail server cannot be reached: {0}")]
    Connection(String),
    #[error("the email cannot be created: {0}")]
    Letter(String),
}

impl From<Error> for SmtpError {
    fn from(error: Error) -> Self {
        match error {
            Error::UnexpectedReply(reply) => {
                let reply = Reply::from(reply);
                // The code for a missing login (RFC 4954, section 6) is also used for missing TLS
                // (RFC 3207, section 4).
                let wants_tls = reply.words.to_ascii_uppercase().contains("TLS");
                let wants_login = reply.code == 530 && !wants_tls;
                if wants_login { Self::NeedsLogin(reply) } else { Self::Refused(reply) }
            }
            Error::AuthenticationFailed(reply) => Self::LoginRefused(reply.into()),
            Error::UnsupportedAuthMechanism | Error::MissingCredentials => Self::NoLogin,
            Error::MissingStartTls => Self::NoStartTls,
            Error::UnparseableReply | Error::Base64(_) | Error::Auth(_) => Self::Unreadable,
            Error::Timeout => Self::Silent,
            Error::Io(error) => Self::Connection(error.to_string()),
            Error::Tls(error) if matches!(*error, rustls::Error::InvalidMessage(_)) => Self::NoTls,
            other => Self::Tls(other.to_string()),
        }
    }
}

/// The point at which a conversation ended without success.
#[derive(Debug)]
enum Ended {
    /// The server does not have the email.
    Before(SmtpError),
    /// The server received the whole mail and rejected it.
    Refused(SmtpError),
    /// The server received the whole mail, and the outcome is unknown.
    Unknown(SmtpError),
}

impl Smtp {
    /// Creates a client for the mail server of `account`, without connecting. This reads the
    /// system's certificates.
    ///
    /// # Errors
    ///
    /// [`SmtpError::Tls`] if TLS cannot be set up.
    pub fn new(account: Account, sender: Sender) -> Result<Self, SmtpError> {
        let (host, tls) = (account.host.clone(), connector()?);
        let mut server = SmtpClientBuilder::new_with_tls_connector(host, account.port, tls)
            .implicit_tls(account.security == Security::Tls)
            .say_ehlo(false)
            .timeout(PATIENCE);
        if account.host.parse::<Ipv6Addr>().is_ok() {
            server.addr = format!("[{}]:{}", account.host, account.port);
        }
        Ok(Self { server, account, sender })
    }

    /// Sends an email at once, as a test.
    pub async fn try_out(&self, mail: &Mail) -> Result<(), SmtpError> {
        let message = self.sender.write(mail);
        let message = message.map_err(|error| SmtpError::Letter(error.to_string()))?;
        let ended = tokio::time::timeout(PATIENCE_OF_A_TEST, self.hand_over(&message)).await;
        ended.unwrap_or(Err(Ended::Unknown(SmtpError::Silent))).map_err(|ended| match ended {
            Ended::Before(error) | Ended::Refused(error) | Ended::Unknown(error) => error,
        })
    }

    async fn hand_over(&self, message: &Message) -> Result<(), Ended> {
        if self.account.security == Security::None {
            let client = within(PATIENCE_TO_CONNECT, self.server.connect_plain());
            self.converse(client.await.map_err(Ended::Before)?, message).await
        } else {
            let is_clear = self.account.security == Security::StartTls;
            let client = within(PATIENCE_TO_CONNECT, self.server.connect());
            let client = client.await.map_err(|error| match error {
                SmtpError::Silent if is_clear => Ended::Before(SmtpError::NoGreeting),
                error => Ended::Before(error),
            });
            self.converse(client?, message).await
        }
    }

    async fn converse<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        mut client: SmtpClient<T>,
        message: &Message,
    ) -> Result<(), Ended> {
        let before = within(PATIENCE_BEFORE, self.until_data(&mut client, message));
        before.await.map_err(|error| Ended::Before(self.without_secrets(error)))?;
        let after = within(PATIENCE_AFTER, async {
            client.write_message(&message.formatted()).await?;
            client.read().await
        });
        let reply = after.await.map_err(Ended::Unknown)?;
        match reply.code {
            200..300 => {
                // The server has accepted the email, so the result of QUIT does not matter.
                tokio::spawn(async move { within(PATIENCE, client.quit()).await });
                Ok(())
            }
            400..600 => Err(Ended::Refused(SmtpError::Refused(reply.into()))),
            _ => Err(Ended::Unknown(SmtpError::Refused(reply.into()))),
        }
    }

    /// Runs the conversation up to the point where the server is ready for the email.
    async fn until_data<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        client: &mut SmtpClient<T>,
        message: &Message,
    ) -> Result<(), Error> {
        let mut offered = client.capabilities(&self.server.local_host, false).await?;
        if let Some((user, password)) = &self.account.credentials {
            // The library does not support the challenges of other mechanisms.
            offered.auth_mechanisms &= AUTH_PLAIN | AUTH_LOGIN;
            let secret = password.expose_secret().to_owned();
            let credentials = Credentials::Plain { username: user.clone(), secret };
            client.authenticate(&credentials, &offered).await?;
        }
        let envelope = message.envelope();
        let from = envelope.from().map(AsRef::as_ref).unwrap_or_default();
        client.mail_from(from, &Parameters::default()).await?;
        for to in envelope.to() {
            client.rcpt_to(to.as_ref(), &Parameters::default()).await?;
        }
        let reply = client.cmd(b"DATA\r\n").await?;
        if reply.code == 354 { Ok(()) } else { Err(Error::UnexpectedReply(reply)) }
    }

    /// Removes the credentials from a reply, because some servers repeat them.
    fn without_secrets(&self, error: SmtpError) -> SmtpError {
        let (SmtpError::LoginRefused(reply), Some((user, password))) =
            (&error, &self.account.credentials)
        else {
            return error;
        };
        let password = password.expose_secret();
        let sent = [STANDARD.encode(format!("\0{user}\0{password}")), STANDARD.encode(password)];
        let secrets = sent.iter().map(String::as_str).chain([password]);
        let words = secrets.fold(reply.words.clone(), |words, secret| words.replace(secret, "..."));
        SmtpError::LoginRefused(Reply { words, ..reply.clone() })
    }
}

async fn within<T, E: Into<SmtpError>>(
    patience: Duration,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, SmtpError> {
    match tokio::time::timeout(patience, step).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(SmtpError::Silent),
    }
}

/// Creates a connector that trusts the system's certificate authorities and those on Mozilla's
/// list, for machines that have none.
fn connector() -> Result<TlsConnector, SmtpError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    // Certificates that cannot be read are skipped.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SmtpError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail) -> Result<(), MailFailure> {
        const DOING: &str = "sending an email";
        let message = self
            .sender
            .write(mail)
            .map_err(|error| MailFailure::Never(PortError::broken(DOING, error)))?;
        self.hand_over(&message).await.map_err(|ended| match ended {
            Ended::Before(error) | Ended::Refused(error) if is_about_recipient(&error) => {
                MailFailure::Never(PortError::broken(DOING, error))
            }
            Ended::Before(error) | Ended::Refused(error) => {
                MailFailure::Later(PortError::unavailable(DOING, error))
            }
            Ended::Unknown(error) => MailFailure::Unknown(PortError::unavailable(DOING, error)),
        })
    }
}

/// Returns whether the server says that the recipient's address is wrong, with an enhanced status
/// code 5.1.x (RFC 3463). All other errors, such as a wrong password, a quota or a policy, may be
/// fixed while the email waits.
const fn is_about_recipient(error: &SmtpError) -> bool {
    let SmtpError::Refused(reply) = error else { return false };
    matches!(reply.code, 550 | 551 | 553) && matches!(reply.enhanced, [5, 1, 1 | 2 | 3 | 6 | 10])
}
