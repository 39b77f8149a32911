//! Mails leave the house: the mail server as the settings have it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use waggle_accounts::ports::Mailer;
use waggle_accounts::{Address, Letter, Mail, MailFailure};
use waggle_kernel::{Clock as _, PortError};
use waggle_mail::{Account, Outbox, Security, Sender, Smtp, SmtpError};
use waggle_settings::{Email, Secret, SettingType as _, SettingsManager, Values};
use waggle_system::SystemClock;

/// The mail server where a user name is set and no server, as the Django application has it.
const USUAL_HOST: &str = "smtp.gmail.com";

/// The settings that the way to the mail server is made of.
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

    /// The account at a mail server; `None` where there is none.
    fn account(&self) -> Result<Option<Account>, MailProblem> {
        let Some(host) = self.host.clone() else { return Ok(None) };
        let credentials = match (&self.user, &self.password) {
            (Some(user), Some(password)) => Some((user.clone(), password.text().clone())),
            (None, None) => None,
            // Half a log-in is a mistake; mails that go out without one would hide it.
            (Some(_), None) => return Err(MailProblem::NoPassword),
            (None, Some(_)) => return Err(MailProblem::NoUser),
        };
        Ok(Some(Account { host, port: self.port, security: self.security, credentials }))
    }
}

/// Why no mail can be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailProblem {
    /// Nothing says in whose name.
    #[error("DEFAULT_FROM_EMAIL is not set")]
    NoSender,
    /// What says it is no address for mails.
    #[error("DEFAULT_FROM_EMAIL is no address that mails can come from")]
    Sender,
    /// There is half a log-in.
    #[error("EMAIL_HOST_USER is set, and EMAIL_HOST_PASSWORD is not")]
    NoPassword,
    /// There is the other half.
    #[error("EMAIL_HOST_PASSWORD is set, and EMAIL_HOST_USER is not")]
    NoUser,
    /// No mail server is set up.
    #[error("no mail server is set: there has to be EMAIL_HOST or EMAIL_HOST_USER")]
    NoServer,
    /// The mail server did not take the mail.
    #[error(transparent)]
    Server(#[from] SmtpError),
    /// The library of authorities could not be read.
    #[error("the way to the mail server could not be made")]
    Aside(#[from] tokio::task::JoinError),
}

/// The way that mails take with `values`.
async fn way(values: &MailValues, outbox: &Path) -> Result<Arc<dyn Mailer>, MailProblem> {
    let sender = values.sender()?;
    match values.account()? {
        None => Ok(Arc::new(Outbox { folder: outbox.to_owned(), sender })),
        Some(account) => Ok(Arc::new(smtp(account, sender).await?)),
    }
}

/// Reading the authorities of the system takes files.
async fn smtp(account: Account, sender: Sender) -> Result<Smtp, MailProblem> {
    Ok(tokio::task::spawn_blocking(move || Smtp::new(account, sender)).await??)
}

/// Sends a mail to `to` with the settings of `values`, at once.
///
/// # Errors
///
/// [`MailProblem`].
pub(crate) async fn try_out(values: &Values, to: Address) -> Result<(), MailProblem> {
    let values = MailValues::of(values);
    let account = values.account()?.ok_or(MailProblem::NoServer)?;
    let now = SystemClock.now();
    // The queue numbers its mails from 1.
    let mail = Mail { number: 0, to, letter: Letter::Test, proof: None, written_at: now };
    Ok(smtp(account, values.sender()?).await?.try_out(&mail).await?)
}

/// Takes the way that the settings say at the moment of each mail.
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
        let later = |problem| MailFailure::Later(PortError::unavailable("sending a mail", problem));
        self.mailer().await.map_err(later)?.send(mail).await
    }
}
