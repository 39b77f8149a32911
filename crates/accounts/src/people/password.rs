//! Passwords: which ones are accepted, how they are stored, and how passwords of the Django
//! application keep working.
//!
//! Passwords are stored as Argon2id hashes in the PHC format, with the parameters of OWASP's cheat
//! sheet (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
//! Django's `pbkdf2_sha256$...` hashes are verified, and replaced at the next sign-in.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// The memory cost of a hash, in KiB.
const MEMORY: u32 = 19_456;
/// The number of passes over the memory.
const PASSES: u32 = 2;
/// The maximum memory and passes that are accepted in a stored hash. A manipulated hash must not
/// stop the server.
const MOST_MEMORY: u32 = 262_144;
const MOST_PASSES: u32 = 16;
/// The maximum number of PBKDF2 rounds that is accepted in a stored hash.
const MOST_ROUNDS: u32 = 5_000_000;
const LENGTH: usize = 32;

/// A new password that was accepted.
#[derive(Debug, Clone)]
pub struct NewPassword(SecretString);

impl NewPassword {
    /// The minimum length, in characters.
    pub const LEAST: usize = 10;
    /// The maximum length, in characters.
    pub const MOST: usize = 256;

    /// Checks a password. It is not trimmed, truncated or folded. `own` are words of the owner that
    /// it must not contain, such as the user name and the email address.
    ///
    /// # Errors
    ///
    /// [`PasswordRefused`] if the password is not acceptable.
    pub fn parse(text: &SecretString, own: &[&str]) -> Result<Self, PasswordRefused> {
        let password = text.expose_secret();
        let count = password.chars().count();
        if count < Self::LEAST {
            return Err(PasswordRefused::Short);
        }
        if count > Self::MOST {
            return Err(PasswordRefused::Long);
        }
        let folded = password.to_lowercase();
        if is_common(&folded) {
            return Err(PasswordRefused::Common);
        }
        let holds = |word: &&str| {
            let word = word.to_lowercase();
            // Shorter words can be in a password by chance.
            word.chars().count() >= 4 && folded.contains(&word)
        };
        if own.iter().any(holds) {
            return Err(PasswordRefused::Own);
        }
        Ok(Self(text.clone()))
    }

    /// Returns the password.
    pub const fn text(&self) -> &SecretString {
        &self.0
    }
}

/// Why a password is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordRefused {
    #[error("the password must have at least {} characters", NewPassword::LEAST)]
    Short,
    #[error("the password can have at most {} characters", NewPassword::MOST)]
    Long,
    /// It is common, a repetition or a sequence.
    #[error("the password is too easy to guess")]
    Common,
    /// It contains the owner's name or email address.
    #[error("the password must not contain your user name, name or email address")]
    Own,
}

/// Returns whether a lower-case password is likely to be guessed first: a password on the list, a
/// repetition of up to 4 characters, or a keyboard or alphabet sequence.
fn is_common(password: &str) -> bool {
    let listed = include_str!("common_passwords.txt").lines().any(|line| line == password);
    listed || is_repetition(password) || is_walk(password)
}

fn is_repetition(password: &str) -> bool {
    let chars: Vec<char> = password.chars().collect();
    (1..=4)
        .any(|period| chars.iter().zip(chars.iter().skip(period)).all(|(one, other)| one == other))
}

fn is_walk(password: &str) -> bool {
    const WALKS: [&str; 5] = [
        "01234567890123456789",
        "98765432109876543210",
        "abcdefghijklmnopqrstuvwxyz",
        "qwertyuiopasdfghjklzxcvbnm",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    ];
    WALKS.iter().any(|walk| walk.contains(password))
}

/// A password hash as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword(pub String);

impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("StoredPassword(..)")
    }
}

/// The result of verifying a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is wrong, or there is none.
    Wrong,
    Right,
    /// The password is correct, but should be rehashed with the current parameters.
    RightButOld,
}

impl StoredPassword {
    /// Returns the value for no password. It never verifies.
    pub fn none() -> Self {
        Self("!".to_owned())
    }

    /// Returns whether there is a password. Django writes `!...` if there is none.
    pub fn is_some(&self) -> bool {
        !self.0.is_empty() && !self.0.starts_with('!')
    }

    /// Hashes a password. This takes tens of milliseconds and much memory.
    pub fn hash(password: &SecretString, salt: &[u8; 16]) -> Self {
        let parameters = Parameters { memory: MEMORY, passes: PASSES, lanes: 1 };
        let hash = parameters.hash(password, salt).unwrap_or([0; LENGTH]);
        Self(format!(
            "$argon2id$v=19$m={MEMORY},t={PASSES},p=1${}${}",
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(hash)
        ))
    }

    /// Verifies a password. This is slow by design. Without a stored password, it takes as long as
    /// with one.
    pub fn verify(&self, password: &SecretString) -> Verdict {
        if !self.is_some() {
            let nobody = Parameters { memory: MEMORY, passes: PASSES, lanes: 1 };
            let _ = nobody.hash(password, &[0; 16]);
            return Verdict::Wrong;
        }
        let verdict = argon2id(&self.0, password).or_else(|| django(&self.0, password));
        verdict.unwrap_or(Verdict::Wrong)
    }
}

#[derive(PartialEq)]
struct Parameters {
    memory: u32,
    passes: u32,
    lanes: u32,
}

impl Parameters {
    fn hash(&self, password: &SecretString, salt: &[u8]) -> Option<[u8; LENGTH]> {
        let parameters = Params::new(self.memory, self.passes, self.lanes, Some(LENGTH)).ok()?;
        let mut hash = [0; LENGTH];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
            .hash_password_into(password.expose_secret().as_bytes(), salt, &mut hash)
            .ok()?;
        Some(hash)
    }

    /// Parses `m=19456,t=2,p=1`, within the accepted limits.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut number = |name: &str| parts.next()?.strip_prefix(name)?.parse::<u32>().ok();
        let found = Self { memory: number("m=")?, passes: number("t=")?, lanes: number("p=")? };
        let is_bounded = found.memory <= MOST_MEMORY && found.passes <= MOST_PASSES;
        (is_bounded && found.lanes <= 16 && parts.next().is_none()).then_some(found)
    }
}

/// Verifies `$argon2id$v=19$m=...,t=...,p=...$salt$hash`.
fn argon2id(stored: &str, password: &SecretString) -> Option<Verdict> {
    let mut parts = stored.strip_prefix("$argon2id$v=19$")?.split('$');
    let parameters = Parameters::parse(parts.next()?)?;
    let salt = STANDARD_NO_PAD.decode(parts.next()?).ok().filter(|salt| salt.len() <= 64)?;
    let expected = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let found = parameters.hash(password, &salt)?;
    let is_current = parameters == Parameters { memory: MEMORY, passes: PASSES, lanes: 1 };
    Some(match bool::from(found.ct_eq(&expected)) {
        false => Verdict::Wrong,
        true if is_current => Verdict::Right,
        true => Verdict::RightButOld,
    })
}

/// Verifies `pbkdf2_sha256$rounds$salt$hash`, where the salt is used as plain text.
fn django(stored: &str, password: &SecretString) -> Option<Verdict> {
    let mut parts = stored.strip_prefix("pbkdf2_sha256$")?.split('$');
    let rounds = parts.next()?.parse().ok().filter(|rounds| (1..=MOST_ROUNDS).contains(rounds))?;
    let salt = parts.next()?;
    let expected = STANDARD.decode(parts.next()?).ok()?;
    if parts.next().is_some() || salt.is_empty() || salt.len() > 128 {
        return None;
    }
    let mut found = [0; LENGTH];
    let secret = password.expose_secret().as_bytes();
    pbkdf2::pbkdf2_hmac::<Sha256>(secret, salt.as_bytes(), rounds, &mut found);
    Some(if found.ct_eq(&expected).into() { Verdict::RightButOld } else { Verdict::Wrong })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_hash_verifies_only_its_password() {
        let stored = StoredPassword::hash(&secret("a good long password"), &[7; 16]);

        assert!(stored.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored.0);
        assert_eq!(stored.verify(&secret("a good long password")), Verdict::Right);
        assert_eq!(stored.verify(&secret("a good long Password")), Verdict::Wrong);
        assert_eq!(stored.verify(&secret("a good long password ")), Verdict::Wrong);
        assert!(!format!("{stored:?}").contains("argon2id"));
    }

    /// In Django's format; the hash was computed with Python's `hashlib.pbkdf2_hmac`.
    #[test]
    fn a_django_password_is_verified_and_marked_for_rehashing() {
        let stored = StoredPassword(DJANGO.to_owned());

        assert_eq!(stored.verify(&secret("lètmein-please")), Verdict::RightButOld);
        assert_eq!(stored.verify(&secret("letmein-please")), Verdict::Wrong);
    }

    const DJANGO: &str = "pbkdf2_sha256$1000$seasalt$szc9JykQ1PYPR/+L2AAHkdi5CvEFPBEm61xjRq7jOQI=";

    #[test]
    fn nothing_verifies_without_a_password() {
        for text in ["", "!", "!abcdef", "!$argon2id$v=19$", "plain text", "md5$a$b"] {
            let stored = StoredPassword(text.to_owned());
            assert_eq!(stored.verify(&secret("")), Verdict::Wrong, "{text}");
            assert_eq!(stored.verify(&secret(text)), Verdict::Wrong, "{text}");
        }
    }

    #[test]
    fn hashes_with_excessive_parameters_are_rejected() {
        let salt = "c2FsdHNhbHRzYWx0";
        for text in [
            format!("$argon2id$v=19$m=8388608,t=2,p=1${salt}${salt}"),
            format!("$argon2id$v=19$m=19456,t=4000000,p=1${salt}${salt}"),
            "pbkdf2_sha256$4000000000$salt$aGFzaA==".to_owned(),
            "pbkdf2_sha256$5000001$salt$aGFzaA==".to_owned(),
        ] {
            // Computing these would take hours, or more memory than there is.
            assert_eq!(StoredPassword(text).verify(&secret("x")), Verdict::Wrong);
        }
    }

    #[test]
    fn weaker_parameters_are_marked_for_rehashing() {
        let weak = Parameters { memory: 64, passes: 1, lanes: 1 };
        let hash = weak.hash(&secret("a good long password"), &[1; 16]).unwrap();
        let stored = StoredPassword(format!(
            "$argon2id$v=19$m=64,t=1,p=1${}${}",
            STANDARD_NO_PAD.encode([1; 16]),
            STANDARD_NO_PAD.encode(hash)
        ));

        assert_eq!(stored.verify(&secret("a good long password")), Verdict::RightButOld);
    }

    #[test]
    fn common_passwords_are_rejected() {
        let refused = |text: &str| {
            NewPassword::parse(&secret(text), &["joe", "joe.doe@example.com", "joe.doe"])
        };
        for text in
            ["password123", "Password123", "1234567890", "qwertyuiop", "aaaaaaaaaa", "abcabcabcabc"]
        {
            assert_eq!(refused(text).unwrap_err(), PasswordRefused::Common, "{text}");
        }
        assert_eq!(refused("short").unwrap_err(), PasswordRefused::Short);
        assert_eq!(refused(&"ä".repeat(257)).unwrap_err(), PasswordRefused::Long);
        assert_eq!(refused("my JOE.DOE rocks").unwrap_err(), PasswordRefused::Own);
        assert!(refused("  spaces stay as they are  ").is_ok());
        assert!(refused("банан🍌банан🍌").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(
            stored in "(\\$argon2id\\$v=19\\$|pbkdf2_sha256\\$)?[ -~]{0,30}",
        ) {
            let _ = StoredPassword(stored).verify(&secret("x"));
        }
    }
}
