//! Authenticator apps (TOTP, RFC 6238), and recovery codes for the case that the app is lost.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Secret, Totp};
use url::Url;
use waggle_kernel::{PortError, SealedSecret};

use crate::tokens::token::StoredHash;

/// The number of recovery codes of a user.
pub(crate) const RECOVERY_CODES: usize = 10;
/// The alphabet of recovery codes: Base32, whose letters do not look alike (RFC 4648, section 6).
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// The number of letters in a recovery code. 16 letters are 80 bits, so the stored hash needs no
/// key, and guesses need no limit of their own.
const RECOVERY_LETTERS: usize = 16;

/// The stored secret of an authenticator app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTotp {
    pub secret: SealedSecret,
    /// Whether the user has proved that the app has the secret.
    pub is_confirmed: bool,
}

/// What an app needs to show codes. The secrets must be exposed explicitly.
pub struct NewTotp {
    /// The secret in Base32, for typing it in.
    pub secret: SecretString,
    /// The secret as an `otpauth://...` URL, to be shown as a QR code
    /// (<https://github.com/google/google-authenticator/wiki/Key-Uri-Format>).
    pub url: SecretString,
}

/// An authenticator app with its secret in plain text.
pub(crate) struct App(Totp);

impl App {
    /// Creates an app with six digits, 30 seconds and SHA-1, which every app supports.
    fn new(secret: &[u8], account: &str) -> Result<Self, PortError> {
        let built = Builder::new()
            .with_secret(Secret::new(secret.into()))
            .with_account_name(account)
            .with_issuer(Some("Waggle"))
            .build();
        built.map(Self).map_err(|_| broken())
    }

    /// Creates an app with a new secret of 160 bits, as RFC 4226, section 4, recommends.
    pub(crate) fn make(
        chance: &[u8; 32],
        account: &str,
    ) -> Result<(Self, SecretString), PortError> {
        let (secret, _) = chance.split_at(20);
        Ok((Self::new(secret, account)?, URL_SAFE_NO_PAD.encode(secret).into()))
    }

    /// Returns the app of a stored secret.
    pub(crate) fn open(kept: &SecretString, account: &str) -> Result<Self, PortError> {
        let secret = URL_SAFE_NO_PAD.decode(kept.expose_secret()).map_err(|_| broken())?;
        Self::new(&secret, account)
    }

    /// Returns the secret as it is typed into the app or scanned by it.
    pub(crate) fn shown(&self) -> Result<NewTotp, PortError> {
        let url = self.0.to_url().map_err(|_| broken())?;
        let parsed: Url = url.parse().map_err(|_| broken())?;
        let secret = parsed.query_pairs().find(|(name, _)| name == "secret");
        let secret = secret.map(|(_, secret)| secret.into_owned()).ok_or_else(broken)?;
        Ok(NewTotp { secret: secret.into(), url: url.into() })
    }

    /// Returns the time step of `code` if it is a valid code of the app. The steps before and after
    /// the current one are accepted too (RFC 6238, section 5.2).
    pub(crate) fn step(&self, code: &str, now: DateTime<Utc>) -> Option<i64> {
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        self.0.check(code, seconds).and_then(|step| i64::try_from(step).ok())
    }
}

fn broken() -> PortError {
    PortError::broken("reading a second factor", "the secret is invalid")
}

/// What somebody typed as the second factor.
pub(crate) enum Typed {
    /// A code of the app.
    App(String),
    /// The hash of a recovery code.
    Recovery(StoredHash),
}

impl Typed {
    /// Parses the text, ignoring spaces and hyphens; `None` if it is neither.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(64);
        let text: String = kept.collect::<String>().to_ascii_lowercase();
        if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Some(Self::App(text));
        }
        let is_one = text.len() == RECOVERY_LETTERS && text.bytes().all(|b| LETTERS.contains(&b));
        is_one.then(|| Self::Recovery(hash(&text)))
    }
}

/// Creates a recovery code. Returns the text to be shown and the hash to be stored.
pub(crate) fn recovery_code(chance: &[u8; 32]) -> (SecretString, StoredHash) {
    let letters = chance.iter().take(RECOVERY_LETTERS);
    let letters: String = letters
        .filter_map(|byte| LETTERS.get(usize::from(byte % 32)))
        .map(|letter| char::from(*letter))
        .collect();
    let hash = hash(&letters);
    let mut shown = String::with_capacity(RECOVERY_LETTERS + 3);
    for (index, letter) in letters.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            shown.push('-');
        }
        shown.push(letter);
    }
    (shown.into(), hash)
}

fn hash(code: &str) -> StoredHash {
    StoredHash(Sha256::digest(code).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn codes_match_rfc_6238() {
        // RFC 6238, appendix B: the last six of the eight digits.
        let app = App::new(b"12345678901234567890", "joe@hive.example").unwrap();

        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            for near in [-30, 0, 30] {
                assert_eq!(app.step(code, at(seconds + near)), Some(seconds / 30));
            }
            for far in [-90, 60] {
                assert!(app.step(code, at((seconds + far).max(100))).is_none());
            }
        }
    }

    #[test]
    fn a_stored_app_has_the_same_secret() {
        let (app, kept) = App::make(&[7; 32], "joe@hive.example").unwrap();
        let again = App::open(&kept, "joe@hive.example").unwrap();

        let shown = app.shown().unwrap();
        assert_eq!(shown.secret.expose_secret(), "A4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYH");
        assert_eq!(shown.url.expose_secret(), again.shown().unwrap().url.expose_secret());
        assert!(shown.url.expose_secret().starts_with("otpauth://totp/Waggle"));
        assert!(App::open(&"?".to_owned().into(), "joe").is_err());
    }

    #[test]
    fn codes_are_accepted_with_spaces_hyphens_and_in_any_case() {
        let (shown, kept) = recovery_code(&[33; 32]);

        assert_eq!(shown.expose_secret(), "bbbb-bbbb-bbbb-bbbb");
        for typed in ["bbbb-bbbb-bbbb-bbbb", "BBBBbbbb bbbb-bbbb", " bbbbbbbbbbbbbbbb\n"] {
            assert!(matches!(Typed::read(typed), Some(Typed::Recovery(hash)) if hash == kept));
        }
        assert!(matches!(Typed::read("123 456"), Some(Typed::App(code)) if code == "123456"));
        for typed in ["", "12345", "1234567", "12345a", "bbbb-bbbb-bbbb-bbb1", "１２３４５６"]
        {
            assert!(Typed::read(typed).is_none(), "{typed}");
        }
        assert!(Typed::read(&"b".repeat(10_000)).is_none());
    }
}
