//! Sends emails with the mail server of the current settings.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use waggle_accounts::ports::Mailer;
use waggle_accounts::{Address, Letter, Mail, MailFailure};
use waggle_kernel::{Clock as _, PortError};
use waggle_mail::{Account, Outbox, Security, Sender, Smtp, SmtpError};
use waggle_settings::{Email, Secret, SettingType as _, SettingsManager, Values};
use waggle_system::SystemClock;

/// The mail server if a user name is set but no server, as in the Django application.
const USUAL_HOST: &str = "smtp.gmail.com";

/// The settings that the mailer depends on.
#[derive(Clone, PartialEq)]
struct MailValues {
    host: Option<String>,
    port: u16,
    security: Security,
    user: Option<String>,
    password: Option<Secret>,
    from: Option<String>,
    public_url: Option<url::Url>,
}

impl MailValues {
    fn of(values: &Values) -> Self {
        let is_on =
            |value: Option<waggle_settings::Boolean>| value.map(waggle_settings::Boolean::is_on);
        let security = match (is_on(values.email_use_ssl), values.email_use_tls.is_on()) {
            (Some(true), _) | (None, false) => Security::Tls,
            (_, true) => Security::StartTls,
            (Some(false), false) => Security::None,
        };
        let user = values.email_host_user.as_ref().map(|user| user.0.clone());
        let named = values.email_host.as_ref().map(|host| host.as_str().to_owned());
        Self {
            host: named.or_else(|| user.as_ref().map(|_| USUAL_HOST.to_owned())),
            port: u16::try_from(values.email_port.number()).unwrap_or_default(),
            security,
            from: values.default_from_email.as_ref().map(|from| from.as_str().to_owned()),
            user,
            password: values.email_host_password.clone(),
            public_url: values.public_url.as_ref().map(|url| url.url().clone()),
        }
    }

    fn sender(&self) -> Result<Sender, MailProblem> {
        let user = self.user.as_ref().and_then(|user| Email::parse(user).ok());
        let from = match (&self.from, user, &self.host) {
            (Some(from), _, _) => from.clone(),
            (None, Some(user), _) => format!("Waggle <{}>", user.as_str()),
            (None, None, None) => "Waggle <waggle@localhost>".to_owned(),
            (None, None, Some(_)) => return Err(MailProblem::NoSender),
        };
        Sender::new(&from, self.public_url.clone()).ok_or(MailProblem::Sender)
    }

    /// The account at the mail server; `None` if no server is set.
    fn account(&self) -> Result<Option<Account>, MailProblem> {
        let Some(host) = self.host.clone() else { return Ok(None) };
        let credentials = match (&self.user, &self.password) {
            (Some(user), Some(password)) => Some((user.clone(), password.text().clone())),
            (None, None) => None,
            // Half of the credentials is a mistake, which sending without a login would hide.
            (Some(_), None) => return Err(MailProblem::NoPassword),
            (None, Some(_)) => return Err(MailProblem::NoUser),
        };
        Ok(Some(Account { host, port: self.port, security: self.security, credentials }))
    }
}

/// Why no email can be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailProblem {
    #[error("DEFAULT_FROM_EMAIL is not set")]
    NoSender,
    #[error("DEFAULT_FROM_EMAIL is not a valid sender address")]
    Sender,
    #[error("EMAIL_HOST_USER is set, but EMAIL_HOST_PASSWORD is not")]
    NoPassword,
    #[error("EMAIL_HOST_PASSWORD is set, but EMAIL_HOST_USER is not")]
    NoUser,
    #[error("no mail server is configured: set EMAIL_HOST or EMAIL_HOST_USER")]
    NoServer,
    /// The mail server did not accept the email.
    #[error(transparent)]
    Server(#[from] SmtpError),
    /// The task that loads the CA certificates did not finish.
    #[error("the mail client could not be created")]
    Aside(#[from] tokio::task::JoinError),
}

/// The mailer that `values` define: a mail server, or the outbox if no server is set.
async fn way(values: &MailValues, outbox: &Path) -> Result<Arc<dyn Mailer>, MailProblem> {
    let sender = values.sender()?;
    match values.account()? {
        None => Ok(Arc::new(Outbox { folder: outbox.to_owned(), sender })),
        Some(account) => Ok(Arc::new(smtp(account, sender).await?)),
    }
}

/// Runs on a blocking thread, because the CA certificates of the system are read from files.
async fn smtp(account: Account, sender: Sender) -> Result<Smtp, MailProblem> {
    Ok(tokio::task::spawn_blocking(move || Smtp::new(account, sender)).await??)
}

/// Sends a test email to `to` at once, with the settings of `values`.
pub(crate) async fn try_out(values: &Values, to: Address) -> Result<(), MailProblem> {
    let values = MailValues::of(values);
    let account = values.account()?.ok_or(MailProblem::NoServer)?;
    let now = SystemClock.now();
    // The queue numbers its emails from 1.
    let mail = Mail { number: 0, to, letter: Letter::Test, proof: None, written_at: now };
    Ok(smtp(account, values.sender()?).await?.try_out(&mail).await?)
}

/// Uses the settings of the moment for each email.
pub(crate) struct LiveMailer {
    settings: Arc<SettingsManager>,
    outbox: PathBuf,
    current: Mutex<Option<(MailValues, Arc<dyn Mailer>)>>,
}

impl LiveMailer {
    pub(crate) fn new(settings: Arc<SettingsManager>, outbox: PathBuf) -> Self {
        Self { settings, outbox, current: Mutex::new(None) }
    }

    async fn mailer(&self) -> Result<Arc<dyn Mailer>, MailProblem> {
        let values = MailValues::of(&self.settings.values());
        let known = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, mailer)) = known.filter(|(known, _)| *known == values) {
            return Ok(mailer);
        }
        let mailer = way(&values, &self.outbox).await?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((values, Arc::clone(&mailer)));
        Ok(mailer)
    }
}

#[async_trait]
impl Mailer for LiveMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailFailure> {
        let later =
            |problem| MailFailure::Later(PortError::unavailable("sending an email", problem));
        self.mailer().await.map_err(later)?.send(mail).await
    }
}
