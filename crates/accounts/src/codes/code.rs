//! Codes and links that are mailed to verify an email address.
//!
//! ```text
//! requested ──▶ mailed ──▶ tried (counted, then compared) ──▶ used once, for its purpose
//!                  └─────▶ invalid after ten minutes, five tries, or when replaced by another code
//! ```

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use waggle_kernel::Mark;
use waggle_kernel::ids::UserId;
use waggle_kernel::named_enum;

use crate::google::identity::GoogleIdentity;
use crate::people::address::Address;
use crate::people::password::StoredPassword;
use crate::people::user::{PersonName, Username};
use crate::tokens::token::StoredHash;

/// How long a code is valid.
pub const CODE_LIFE: Duration = Duration::minutes(10);

/// How often a code can be tried.
pub const MOST_TRIES: i64 = 5;

named_enum! {
    /// The purpose of a code.
    pub enum Purpose: "purpose" {
        /// Verifies an address that a new or existing user wants to use.
        EmailVerification = "EMAIL_VERIFICATION",
        /// Resets a forgotten password.
        PasswordReset = "PASSWORD_RESET",
        /// Verifies the first sign-in with a Google account.
        GoogleVerification = "GOOGLE_VERIFICATION",
    }
}

/// The number of digits of codes, from 4 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLength(u8);

impl CodeLength {
    /// Creates a length. Values outside of 4 to 8 are clamped.
    pub fn new(digits: u8) -> Self {
        Self(digits.clamp(4, 8))
    }
}

/// A code of 4 to 8 ASCII digits; the first can be 0. Its `Debug` output hides the digits.
#[derive(Clone)]
pub struct Code(SecretString);

impl Code {
    /// Creates a code from random bytes. All codes are equally likely. Returns `None` if the bytes
    /// would favor some codes, which happens less than once in 2^40 calls.
    pub fn make(chance: &[u8; 32], length: CodeLength) -> Option<Self> {
        let all = 10_u64.pow(length.0.into());
        let fair = u64::MAX - u64::MAX % all;
        let (numbers, _) = chance.as_chunks::<8>();
        let number = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).find(|n| *n < fair)?;
        let text = format!("{:0width$}", number % all, width = usize::from(length.0));
        Some(Self(text.into()))
    }

    /// Returns the digits.
    pub fn digits(&self) -> &str {
        self.0.expose_secret()
    }
}

impl FromStr for Code {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        // People copy codes with spaces and hyphens.
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

/// The text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a code must have 4 to 8 digits")]
pub struct InvalidCode;

/// Binds a code to the client that requested it: without the flow, the code is rejected. `wgf_` and
/// 43 characters.
#[derive(Clone)]
pub struct Flow(SecretString);

/// The token in a mailed link, which can be used instead of the code. `wgv_` and 43 characters.
#[derive(Clone)]
pub struct Link(SecretString);

/// The token in the link that makes the first admin. `wgs_` and 43 characters.
#[derive(Clone)]
pub struct SetupToken(SecretString);

macro_rules! bearer {
    ($name:ident, $prefix:literal) => {
        impl $name {
            /// Creates a token from random bytes.
            pub fn make(chance: &[u8; 32]) -> Self {
                Self(format!(concat!($prefix, "{}"), URL_SAFE_NO_PAD.encode(chance)).into())
            }

            /// Parses a token. Returns `None` unless `text` has exactly the format of one.
            pub fn parse(text: &str) -> Option<Self> {
                let secret = text.strip_prefix($prefix)?;
                let is_base64url = secret.len() == 43
                    && secret
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
                is_base64url.then(|| Self(text.into()))
            }

            /// Returns the token as text.
            pub fn text(&self) -> &str {
                self.0.expose_secret()
            }

            /// Returns the hash to be stored.
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
bearer!(SetupToken, "wgs_");

/// Returns the text that a code is stored for. It includes the purpose, the address and the flow,
/// so the code is rejected for any other.
pub(crate) fn bound(purpose: Purpose, address: &Address, flow: &Flow, code: &Code) -> SecretString {
    let (purpose, address) = (purpose.name(), address.as_str());
    format!("{purpose}\n{address}\n{}\n{}", flow.text(), code.digits()).into()
}

/// The effect of using a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// No effect, because no user qualifies. The code is stored anyway, so that this is not
    /// revealed.
    Nothing,
    /// Creates the user who was registered.
    Register(Registration),
    /// Lets the user set a new password.
    ResetPassword(UserId),
    /// Sets the address of the user.
    ChangeAddress(UserId),
    /// Links a Google account to the user.
    LinkGoogle(UserId, GoogleIdentity),
    /// Creates a user and links a Google account to it.
    RegisterGoogle(Registration, GoogleIdentity),
}

/// The data of somebody who registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The name to sign in with. If another user takes it in the meantime, another name is chosen.
    pub username: Username,
    pub first_name: PersonName,
    pub last_name: PersonName,
    /// The password hash, or [`StoredPassword::none`].
    pub password: StoredPassword,
}

/// A code to be stored. It replaces an earlier code for the same purpose and address.
#[derive(Debug, Clone)]
pub struct NewVerification {
    pub purpose: Purpose,
    /// The address that the code is mailed to.
    pub address: Address,
    pub flow: StoredHash,
    /// The keyed hash of the code.
    pub mark: Mark,
    pub link: StoredHash,
    pub intent: Intent,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A stored code that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    pub purpose: Purpose,
    /// The address that the code was mailed to.
    pub address: Address,
    /// The hash of the flow, which identifies the code.
    pub flow: StoredHash,
    /// The keyed hash of the code.
    pub mark: Mark,
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
        // Chi-square with 9 degrees of freedom is below 27.9 in 999 of 1000 cases. The numbers here
        // are the same in every run.
        let chi: f64 =
            firsts.values().map(|count| (f64::from(*count) - 1000.0).powi(2) / 1000.0).sum();
        assert!(firsts.len() == 10 && chi < 27.9, "{chi} {firsts:?}");
    }

    #[test]
    fn biased_random_values_are_rejected() {
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
    fn codes_flows_and_links_are_not_printed() {
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
