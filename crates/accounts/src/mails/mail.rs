//! Mails: what they say, and how they wait in the database until the mail server takes them.

use std::fmt;

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use waggle_kernel::PortError;

use crate::codes::code::{Code, Link, Purpose};
use crate::keys::{SealedSecret, ServerKeys};
use crate::people::address::Address;

/// How long a mail is tried that is not tied to a code.
const PATIENCE: Duration = Duration::days(3);

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// A code and a link, for one purpose.
    Code(Purpose),
    /// Somebody wanted to register with an address that has a user.
    AddressTaken,
    /// The password is another now.
    PasswordChanged,
    /// Signing in failed so often that it is refused for a while.
    Locked,
    /// The address of the user is another now; this goes to the one before.
    AddressChanged {
        /// The new one.
        to: Address,
    },
    /// A Google account opens the user from now on.
    GoogleLinked,
    /// The rights were changed.
    RightsChanged {
        /// What the user may do now.
        role: String,
    },
    /// A second factor was set up or taken away.
    SecondFactorChanged {
        /// What was done.
        what: String,
    },
    /// Somebody who knows the password shows wrong codes of the authenticator app.
    FactorAttacked,
    /// Somebody showed a passkey that counted less uses than are known.
    PasskeyCopied,
    /// An API token was made in the name of the user.
    TokenCreated {
        /// What it is called.
        name: String,
    },
    /// Somebody has become a user; this goes to the admins.
    NewUser {
        /// The address.
        email: Address,
        /// The full name, if one was given.
        name: String,
        /// The name to sign in with.
        username: String,
        /// How: `email` or `google`.
        method: String,
        /// From where.
        ip: String,
    },
    /// Somebody from a foreign domain wanted to come in with Google; this goes to those who look after security.
    Breach {
        /// With which address.
        email: Address,
        /// From where.
        ip: String,
    },
    /// So many codes are guessed wrong that no more are taken for a while; this goes to the super admins.
    CodesAttacked,
    /// Somebody tries the mail settings.
    Test,
}

impl Letter {
    /// The name in the database.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Code(purpose) => purpose.name(),
            Self::AddressTaken => "ADDRESS_TAKEN",
            Self::PasswordChanged => "PASSWORD_CHANGED",
            Self::Locked => "LOCKED",
            Self::AddressChanged { .. } => "ADDRESS_CHANGED",
            Self::GoogleLinked => "GOOGLE_LINKED",
            Self::RightsChanged { .. } => "RIGHTS_CHANGED",
            Self::SecondFactorChanged { .. } => "SECOND_FACTOR_CHANGED",
            Self::FactorAttacked => "SECOND_FACTOR_ATTACKED",
            Self::PasskeyCopied => "PASSKEY_COPIED",
            Self::TokenCreated { .. } => "TOKEN_CREATED",
            Self::NewUser { .. } => "NEW_USER",
            Self::Breach { .. } => "BREACH",
            Self::CodesAttacked => "CODES_ATTACKED",
            Self::Test => "TEST",
        }
    }

    /// What it says besides its name, for the database.
    pub fn data(&self) -> Value {
        match self {
            Self::AddressChanged { to } => json!({ "to": to.as_str() }),
            Self::RightsChanged { role } => json!({ "role": role }),
            Self::SecondFactorChanged { what } => json!({ "what": what }),
            Self::TokenCreated { name } => json!({ "name": name }),
            Self::NewUser { email, name, username, method, ip } => json!({
                "email": email.as_str(), "name": name, "username": username, "method": method, "ip": ip,
            }),
            Self::Breach { email, ip } => json!({ "email": email.as_str(), "ip": ip }),
            _ => json!({}),
        }
    }

    /// The letter of this name that says this; `None` if there is none.
    pub fn read(name: &str, data: &Value) -> Option<Self> {
        let text = |key: &str| data.get(key).and_then(Value::as_str).map(str::to_owned);
        let address = |key: &str| text(key).and_then(|text| text.parse().ok());
        if let Some(purpose) = Purpose::named(name) {
            return Some(Self::Code(purpose));
        }
        Some(match name {
            "ADDRESS_TAKEN" => Self::AddressTaken,
            "PASSWORD_CHANGED" => Self::PasswordChanged,
            "LOCKED" => Self::Locked,
            "ADDRESS_CHANGED" => Self::AddressChanged { to: address("to")? },
            "GOOGLE_LINKED" => Self::GoogleLinked,
            "RIGHTS_CHANGED" => Self::RightsChanged { role: text("role")? },
            "SECOND_FACTOR_CHANGED" => Self::SecondFactorChanged { what: text("what")? },
            "SECOND_FACTOR_ATTACKED" => Self::FactorAttacked,
            "PASSKEY_COPIED" => Self::PasskeyCopied,
            "TOKEN_CREATED" => Self::TokenCreated { name: text("name")? },
            "NEW_USER" => Self::NewUser {
                email: address("email")?,
                name: text("name")?,
                username: text("username")?,
                method: text("method")?,
                ip: text("ip")?,
            },
            "BREACH" => Self::Breach { email: address("email")?, ip: text("ip")? },
            "CODES_ATTACKED" => Self::CodesAttacked,
            "TEST" => Self::Test,
            _ => return None,
        })
    }
}

/// What a mail shows that nobody else may know.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The code.
    pub code: Code,
    /// What the link leads back with.
    pub link: Link,
}

impl Proof {
    fn text(&self) -> SecretString {
        format!("{} {}", self.code.digits(), self.link.text()).into()
    }

    fn parse(text: &SecretString) -> Option<Self> {
        let (code, link) = text.expose_secret().split_once(' ')?;
        Some(Self { code: code.parse().ok()?, link: Link::parse(link)? })
    }
}

/// A mail that is to wait for the mail server, kept in the step that is its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// To whom.
    pub to: Address,
    /// What it says.
    pub letter: Letter,
    /// What nobody else may know, sealed.
    pub proof: Option<SealedSecret>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it is of no use any more.
    pub useless_at: DateTime<Utc>,
}

impl NewMail {
    /// A mail without a secret.
    pub fn notice(to: Address, letter: Letter, now: DateTime<Utc>) -> Self {
        Self { to, letter, proof: None, created_at: now, useless_at: now + PATIENCE }
    }

    /// A mail with a code, which is of no use when the code is not.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the proof cannot be sealed.
    pub fn with_proof(
        to: Address,
        purpose: Purpose,
        proof: &Proof,
        keys: &dyn ServerKeys,
        now: DateTime<Utc>,
        useless_at: DateTime<Utc>,
    ) -> Result<Self, PortError> {
        let letter = Letter::Code(purpose);
        let proof = Some(keys.seal(&place(&to, &letter), &proof.text())?);
        Ok(Self { to, letter, proof, created_at: now, useless_at })
    }
}

/// Where the proof of a mail opens: in this mail to this address.
fn place(to: &Address, letter: &Letter) -> String {
    format!("mail {} {to}", letter.name())
}

/// A mail that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Its id in the queue.
    pub id: i64,
    /// To whom.
    pub to: Address,
    /// What it says.
    pub letter: Letter,
    /// What nobody else may know, sealed.
    pub proof: Option<SealedSecret>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it is of no use any more.
    pub useless_at: DateTime<Utc>,
    /// How often it was tried, this time included.
    pub tries: u32,
    /// How many of the tries before ended so that nobody knows whether the mail went out.
    pub unknown_ends: u32,
}

impl QueuedMail {
    /// The mail as it goes out.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the proof does not open.
    pub async fn open(&self, keys: &dyn ServerKeys) -> Result<Mail, PortError> {
        let proof = match &self.proof {
            None => None,
            Some(sealed) => {
                let text = keys.open(&place(&self.to, &self.letter), sealed).await?;
                let broken = || PortError::broken("reading a mail", "the proof makes no sense");
                Some(Proof::parse(&text).ok_or_else(broken)?)
            }
        };
        Ok(Mail {
            number: self.id,
            to: self.to.clone(),
            letter: self.letter.clone(),
            proof,
            written_at: self.created_at,
        })
    }
}

/// A mail as it goes out.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Tells it from all others of this installation; the same when it is sent again.
    pub number: i64,
    /// To whom.
    pub to: Address,
    /// What it says.
    pub letter: Letter,
    /// What nobody else may know.
    pub proof: Option<Proof>,
    /// When it was written.
    pub written_at: DateTime<Utc>,
}

/// Why a mail did not go out.
#[derive(Debug)]
pub enum MailFailure {
    /// The server may take it later.
    Later(PortError),
    /// The server had the whole mail and did not say what it did with it.
    Unknown(PortError),
    /// The server will never take it.
    Never(PortError),
}

impl fmt::Display for MailFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Later(_) => "the mail server does not take it now",
            Self::Unknown(_) => "the mail server had the mail, and whether it took it is not known",
            Self::Never(_) => "the mail server does not take it",
        })
    }
}

impl std::error::Error for MailFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let (Self::Later(error) | Self::Unknown(error) | Self::Never(error)) = self;
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MockServerKeys;

    #[test]
    fn every_letter_is_read_back() {
        let joe: Address = "joe@example.com".parse().unwrap();
        let mut letters = vec![
            Letter::AddressTaken,
            Letter::PasswordChanged,
            Letter::Locked,
            Letter::AddressChanged { to: joe.clone() },
            Letter::GoogleLinked,
            Letter::RightsChanged { role: "admin".to_owned() },
            Letter::SecondFactorChanged { what: "on".to_owned() },
            Letter::FactorAttacked,
            Letter::PasskeyCopied,
            Letter::TokenCreated { name: "n8n".to_owned() },
            Letter::NewUser {
                email: joe.clone(),
                name: "Joe".to_owned(),
                username: "joe".to_owned(),
                method: "email".to_owned(),
                ip: String::new(),
            },
            Letter::Breach { email: joe, ip: "10.0.0.7".to_owned() },
            Letter::CodesAttacked,
            Letter::Test,
        ];
        letters.extend(Purpose::ALL.map(Letter::Code));
        for letter in letters {
            assert_eq!(Letter::read(letter.name(), &letter.data()), Some(letter));
        }
        assert_eq!(Letter::read("CHAIN", &json!({})), None);
        assert_eq!(Letter::read("BREACH", &json!({})), None);
    }

    #[tokio::test]
    async fn a_proof_is_sealed_for_its_mail_and_comes_back() {
        let mut keys = MockServerKeys::new();
        let seen = "mail PASSWORD_RESET joe@example.com";
        keys.expect_seal().withf(move |place, _| place == seen).once().returning(|_, secret| {
            Ok(SealedSecret {
                key: String::new(),
                bytes: secret.expose_secret().as_bytes().to_vec(),
            })
        });
        keys.expect_open()
            .withf(move |place, _| place == seen)
            .once()
            .returning(|_, sealed| Ok(String::from_utf8(sealed.bytes.clone()).unwrap().into()));
        let (to, now) = ("joe@example.com".parse::<Address>().unwrap(), DateTime::UNIX_EPOCH);
        let proof = Proof { code: "012345".parse().unwrap(), link: Link::make(&[7; 32]) };

        let mail =
            NewMail::with_proof(to, Purpose::PasswordReset, &proof, &keys, now, now).unwrap();
        let queued = QueuedMail {
            id: 7,
            to: mail.to,
            letter: mail.letter,
            proof: mail.proof,
            created_at: now,
            useless_at: now,
            tries: 1,
            unknown_ends: 0,
        };
        let opened = queued.open(&keys).await.unwrap().proof.unwrap();

        assert_eq!(opened.code.digits(), "012345");
        assert_eq!(opened.link.text(), proof.link.text());
    }
}
