//! Codes and links that are mailed to show that an address is somebody's.
//!
//! ```text
//! asked for ──▶ mailed ──▶ tried (counted, then compared) ──▶ used, once, with what it was for
//!                  └─────▶ ten minutes over, five tries over, or another was asked for: of no use
//! ```

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use waggle_kernel::ids::UserId;

use crate::google::identity::GoogleIdentity;
use crate::keys::Mark;
use crate::people::address::Address;
use crate::people::password::StoredPassword;
use crate::people::user::{PersonName, Username};
use crate::tokens::token::StoredHash;

/// How long a code is good for.
pub const CODE_LIFE: Duration = Duration::minutes(10);

/// How often a code may be tried.
pub const MOST_TRIES: i64 = 5;

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// An address is to become that of a user, new or not.
    EmailVerification,
    /// A password was forgotten.
    PasswordReset,
    /// Somebody signs in with Google for the first time.
    GoogleVerification,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] =
        [Self::EmailVerification, Self::PasswordReset, Self::GoogleVerification];

    /// The name in the database and in histories.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmailVerification => "EMAIL_VERIFICATION",
            Self::PasswordReset => "PASSWORD_RESET",
            Self::GoogleVerification => "GOOGLE_VERIFICATION",
        }
    }

    /// The purpose of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// How many digits codes have: 4 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLength(u8);

impl CodeLength {
    /// A length; what lies outside of 4 to 8 is brought to the nearest.
    pub fn new(digits: u8) -> Self {
        Self(digits.clamp(4, 8))
    }
}

/// A code: 4 to 8 ASCII digits, of which the first may be 0. Printing it takes a deliberate act.
#[derive(Clone)]
pub struct Code(SecretString);

impl Code {
    /// Makes a code of `chance`, each as likely as any other; `None` if the chance does not do, which one of 2^40 does
    /// not.
    pub fn make(chance: &[u8; 32], length: CodeLength) -> Option<Self> {
        let all = 10_u64.pow(length.0.into());
        let fair = u64::MAX - u64::MAX % all;
        let (numbers, _) = chance.as_chunks::<8>();
        let number = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).find(|n| *n < fair)?;
        let text = format!("{:0width$}", number % all, width = usize::from(length.0));
        Some(Self(text.into()))
    }

    /// The digits.
    pub fn digits(&self) -> &str {
        self.0.expose_secret()
    }
}

impl FromStr for Code {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        // People copy it with spaces and hyphens.
        let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(9);
        let digits: String = kept.collect();
        let is_code = (4..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if is_code { Ok(Self(digits.into())) } else { Err(InvalidCode) }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code(..)")
    }
}

/// The text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a code has 4 to 8 digits and nothing else")]
pub struct InvalidCode;

/// What ties a code to the one who asked for it: without it the code is of no use. `wgf_` and 43 characters.
#[derive(Clone)]
pub struct Flow(SecretString);

/// What a mail leads back with, in place of a code. `wgv_` and 43 characters.
#[derive(Clone)]
pub struct Link(SecretString);

macro_rules! bearer {
    ($name:ident, $prefix:literal) => {
        impl $name {
            /// Makes one of `chance`.
            pub fn make(chance: &[u8; 32]) -> Self {
                Self(format!(concat!($prefix, "{}"), URL_SAFE_NO_PAD.encode(chance)).into())
            }

            /// Reads one; `None` unless `text` has the form of one, exactly.
            pub fn parse(text: &str) -> Option<Self> {
                let secret = text.strip_prefix($prefix)?;
                let is_base64url = secret.len() == 43
                    && secret
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
                is_base64url.then(|| Self(text.into()))
            }

            /// The text.
            pub fn text(&self) -> &str {
                self.0.expose_secret()
            }

            /// What is kept of it.
            pub fn hash(&self) -> StoredHash {
                StoredHash(Sha256::digest(self.text()).into())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

bearer!(Flow, "wgf_");
bearer!(Link, "wgv_");

/// What a code is bound to: its mark is of no use for another purpose, address or flow.
pub(crate) fn bound(purpose: Purpose, address: &Address, flow: &Flow, code: &Code) -> SecretString {
    let (purpose, address) = (purpose.name(), address.as_str());
    format!("{purpose}\n{address}\n{}\n{}", flow.text(), code.digits()).into()
}

/// What becomes true when a code is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Nothing: there is nobody to whom it could happen. It is kept all the same, so that nobody can tell.
    Nothing,
    /// A user is made who was asked for.
    Register(Registration),
    /// The user may choose another password.
    ResetPassword(UserId),
    /// The user has this address from now on.
    ChangeAddress(UserId),
    /// The user signs in with Google from now on.
    LinkGoogle(UserId, GoogleIdentity),
    /// A user is made who signs in with Google.
    RegisterGoogle(Registration, GoogleIdentity),
}

/// Somebody who wants to be a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The name to sign in with; another one is taken if somebody has it meanwhile.
    pub username: Username,
    /// The given name.
    pub first_name: PersonName,
    /// The family name.
    pub last_name: PersonName,
    /// The hash of the password, or none.
    pub password: StoredPassword,
}

/// A code that is to be kept; it takes the place of an older one for the same purpose and address.
#[derive(Debug, Clone)]
pub struct NewVerification {
    /// What it is for.
    pub purpose: Purpose,
    /// The address that it is mailed to.
    pub address: Address,
    /// What is kept of the flow.
    pub flow: StoredHash,
    /// What is kept of the code.
    pub mark: Mark,
    /// What is kept of the link.
    pub link: StoredHash,
    /// What becomes true when it is used.
    pub intent: Intent,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Until when it is of use.
    pub expires_at: DateTime<Utc>,
}

/// A code that is kept and can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// What it is for.
    pub purpose: Purpose,
    /// The address that it was mailed to.
    pub address: Address,
    /// What is kept of the flow; it names the code.
    pub flow: StoredHash,
    /// What is kept of the code.
    pub mark: Mark,
    /// What becomes true when it is used.
    pub intent: Intent,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_are_uniform_and_keep_their_leading_zeros() {
        let mut firsts: HashMap<char, u32> = HashMap::new();
        for n in 0_u64..10_000 {
            let chance: [u8; 32] = Sha256::digest(n.to_le_bytes()).into();
            let code = Code::make(&chance, CodeLength::new(6)).unwrap();
            assert_eq!(code.digits().len(), 6);
            *firsts.entry(code.digits().chars().next().unwrap()).or_default() += 1;
        }
        // Chi-square with 9 degrees of freedom is under 27.9 in 999 of 1000 cases, and this chance is always the same.
        let chi: f64 =
            firsts.values().map(|count| (f64::from(*count) - 1000.0).powi(2) / 1000.0).sum();
        assert!(firsts.len() == 10 && chi < 27.9, "{chi} {firsts:?}");
    }

    #[test]
    fn what_would_favour_small_numbers_is_not_taken() {
        assert!(Code::make(&[0xff; 32], CodeLength::new(6)).is_none());
        assert_eq!(Code::make(&[0; 32], CodeLength::new(4)).unwrap().digits(), "0000");
        assert_eq!(CodeLength::new(1), CodeLength::new(4));
        assert_eq!(CodeLength::new(99), CodeLength::new(8));
    }

    #[test]
    fn a_code_is_digits_and_nothing_else() {
        for text in ["", "123", "123456789", "1 2 3 4 5 6 7 8 9", "١٢٣٤٥٦", "12345a", "12.345"]
        {
            assert!(text.parse::<Code>().is_err(), "{text:?}");
        }
        for text in ["123456", "123 456", "123-456", " 12 34\u{a0}56\n"] {
            assert_eq!(text.parse::<Code>().unwrap().digits(), "123456", "{text:?}");
        }
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let (flow, link) = (Flow::make(&[7; 32]), Link::make(&[7; 32]));
        let printed = format!("{:?} {flow:?} {link:?}", "123456".parse::<Code>().unwrap());

        assert_eq!(printed, "Code(..) Flow(..) Link(..)");
        assert!(Flow::parse(flow.text()).is_some() && Flow::parse(link.text()).is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,60}") {
            let _ = (text.parse::<Code>(), Flow::parse(&text), Link::parse(&text));
        }
    }
}
