//! Mails: what they contain, and how they wait in the database until the mail server accepts them.

use std::fmt;

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use waggle_kernel::{PortError, SealedSecret, ServerKeys};

use crate::codes::code::{Code, Link, Purpose};
use crate::people::address::Address;

/// How long an email without a code is tried.
const PATIENCE: Duration = Duration::days(3);

/// A line of an email about matters that need the recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatterLine {
    /// What happened, in a sentence without its full stop.
    pub text: String,
    /// The path of the page about it.
    pub path: String,
}

/// The content of an email.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// A code and a link, for one purpose.
    Code(Purpose),
    /// Somebody tried to register with an address that already has a user.
    AddressTaken,
    PasswordChanged,
    /// Signing in is locked for a while, after too many failures.
    Locked,
    /// The user's address was changed. This is sent to the previous address.
    AddressChanged {
        to: Address,
    },
    /// A Google account was linked to the user.
    GoogleLinked,
    RightsChanged {
        /// The user's new role.
        role: String,
    },
    /// A second factor was added or removed.
    SecondFactorChanged {
        /// The change, for example `a passkey was removed`.
        what: String,
    },
    /// Somebody knows the password and enters wrong codes of the authenticator app.
    FactorAttacked,
    /// A passkey was used whose signature counter was lower than expected.
    PasskeyCopied,
    /// An API token was created for the user.
    TokenCreated {
        /// The name of the token.
        name: String,
    },
    /// Somebody registered. This is sent to the admins.
    NewUser {
        email: Address,
        /// The full name, if one was given.
        name: String,
        username: String,
        /// `email` or `google`.
        method: String,
        /// The client's IP address.
        ip: String,
    },
    /// Somebody with a domain that is not allowed tried to sign in with Google. This is sent to the
    /// security admins.
    Breach {
        email: Address,
        /// The client's IP address.
        ip: String,
    },
    /// No more codes are accepted for a while, after too many wrong ones. This is sent to the super
    /// admins.
    CodesAttacked,
    /// Matters that need the recipient.
    Matters {
        lines: Vec<MatterLine>,
        /// How many matters there are besides.
        more: u32,
    },
    /// A test of the email settings.
    Test,
}

impl Letter {
    /// Returns the name in the database.
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
            Self::Matters { .. } => "MATTERS",
            Self::Test => "TEST",
        }
    }

    /// Returns the fields of the letter, for the database.
    pub fn data(&self) -> Value {
        match self {
            Self::AddressChanged { to } => json!({ "to": to.as_str() }),
            Self::RightsChanged { role } => json!({ "role": role }),
            Self::SecondFactorChanged { what } => json!({ "what": what }),
            Self::TokenCreated { name } => json!({ "name": name }),
            Self::NewUser { email, name, username, method, ip } => json!({
                "email": email.as_str(), "name": name, "username": username, "method": method,
                "ip": ip,
            }),
            Self::Breach { email, ip } => json!({ "email": email.as_str(), "ip": ip }),
            Self::Matters { lines, more } => {
                let line = |line: &MatterLine| json!({ "text": line.text, "path": line.path });
                json!({ "lines": lines.iter().map(line).collect::<Vec<_>>(), "more": more })
            }
            _ => json!({}),
        }
    }

    /// Reads a letter from its name and fields. Returns `None` if there is no such letter.
    pub fn read(name: &str, data: &Value) -> Option<Self> {
        let text = |key: &str| data.get(key).and_then(Value::as_str).map(str::to_owned);
        let address = |key: &str| text(key).and_then(|text| text.parse().ok());
        if let Ok(purpose) = name.parse() {
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
            "MATTERS" => {
                let line = |line: &Value| {
                    let text = |key: &str| line.get(key)?.as_str().map(str::to_owned);
                    Some(MatterLine { text: text("text")?, path: text("path")? })
                };
                let lines = data.get("lines")?.as_array()?.iter();
                let more = data.get("more")?.as_u64()?;
                Self::Matters {
                    lines: lines.map(line).collect::<Option<_>>()?,
                    more: u32::try_from(more).ok()?,
                }
            }
            "TEST" => Self::Test,
            _ => return None,
        })
    }
}

/// The secrets in an email.
#[derive(Debug, Clone)]
pub struct Proof {
    pub code: Code,
    /// The token in the link.
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

/// An email to be queued, in the transaction that is the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    pub to: Address,
    pub letter: Letter,
    /// The sealed code and link, if any.
    pub proof: Option<SealedSecret>,
    pub created_at: DateTime<Utc>,
    /// When the email expires.
    pub useless_at: DateTime<Utc>,
}

impl NewMail {
    /// Creates an email without a secret.
    pub fn notice(to: Address, letter: Letter, now: DateTime<Utc>) -> Self {
        Self { to, letter, proof: None, created_at: now, useless_at: now + PATIENCE }
    }

    /// Creates an email with a code. The email expires together with the code.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the code and link cannot be sealed.
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

/// Returns the place that the proof is sealed for. It is bound to the email's kind and recipient.
fn place(to: &Address, letter: &Letter) -> String {
    format!("mail {} {to}", letter.name())
}

/// A queued mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    pub id: i64,
    pub to: Address,
    pub letter: Letter,
    /// The sealed code and link, if any.
    pub proof: Option<SealedSecret>,
    pub created_at: DateTime<Utc>,
    /// When the email expires.
    pub useless_at: DateTime<Utc>,
    /// How often sending it was tried, including this time.
    pub tries: u32,
    /// How many of the earlier tries had an unknown outcome.
    pub unknown_ends: u32,
}

impl QueuedMail {
    /// Opens the sealed code and link, and returns the email to be sent.
    ///
    /// # Errors
    ///
    /// [`PortError`] if they cannot be opened.
    pub async fn open(&self, keys: &dyn ServerKeys) -> Result<Mail, PortError> {
        let proof = match &self.proof {
            None => None,
            Some(sealed) => {
                let text = keys.open(&place(&self.to, &self.letter), sealed).await?;
                let broken =
                    || PortError::broken("reading an email", "the code and link are invalid");
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

/// An email to be sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Unique in this installation. It stays the same when the email is sent again.
    pub number: i64,
    pub to: Address,
    pub letter: Letter,
    pub proof: Option<Proof>,
    pub written_at: DateTime<Utc>,
}

/// Why an email was not sent.
#[derive(Debug)]
pub enum MailFailure {
    /// The server may accept it later.
    Later(PortError),
    /// The server received the whole mail, but whether it accepted it is unknown.
    Unknown(PortError),
    /// The server will never accept it.
    Never(PortError),
}

impl fmt::Display for MailFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Later(_) => "the mail server does not accept the email now",
            Self::Unknown(_) => {
                "the mail server received the email, but whether it accepted it is unknown"
            }
            Self::Never(_) => "the mail server does not accept the email",
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
    use waggle_kernel::MockServerKeys;

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
            Letter::Matters {
                lines: vec![MatterLine { text: "Post 5 failed".into(), path: "/posts/5".into() }],
                more: 3,
            },
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
    async fn a_proof_is_sealed_for_its_mail_and_opened_again() {
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
