//! Encryption of secrets at rest: XChaCha20-Poly1305 with a master key, bound to the setting's key
//! and version.
//!
//! A sealed value is a random nonce of 24 bytes, followed by the ciphertext and its tag. The key
//! and version of the setting are authenticated but not stored. A sealed value that is moved to
//! another setting or version therefore cannot be decrypted.
//! (<https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03>)

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use waggle_kernel::{Entropy, PortError, hex};

use crate::revision::Revision;

const NONCE: usize = 24;

/// The name of a master key: 16 hexadecimal digits of its SHA-256. The name distinguishes keys and
/// reveals nothing about them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An encrypted value, as the database stores it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The name of the master key that decrypts it.
    pub key: KeyId,
    /// The nonce, followed by the ciphertext.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealed({})", self.key)
    }
}

/// A 256-bit key that seals secrets.
pub struct MasterKey {
    id: KeyId,
    key: SecretBox<[u8; 32]>,
}

impl MasterKey {
    /// Parses 32 bytes from 64 hexadecimal digits or from Base64, in either alphabet, with or
    /// without padding.
    ///
    /// # Errors
    ///
    /// [`InvalidMasterKey`] if the text is neither. The error does not contain the text.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let bytes = hexadecimal(text)
            .or_else(|| {
                [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
                    .iter()
                    .find_map(|alphabet| alphabet.decode(text).ok())
            })
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or(InvalidMasterKey)?;
        Ok(Self::of(bytes))
    }

    /// Generates a new key.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, PortError> {
        Ok(Self::of(entropy.bytes()?))
    }

    /// The text that [`parse`](Self::parse) accepts. Write it to a key file, and nowhere else.
    pub fn text(&self) -> SecretString {
        STANDARD.encode(self.key.expose_secret()).into()
    }

    /// The name of the key.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    fn of(bytes: [u8; 32]) -> Self {
        let hash = Sha256::new().chain_update(b"waggle master key").chain_update(bytes).finalize();
        let id = hex(&hash).chars().take(16).collect();
        Self { id: KeyId(id), key: SecretBox::new(Box::new(bytes)) }
    }

    /// The keyed hash of `secret`, with a key that is derived from this one.
    fn keyed(&self, secret: &SecretString) -> Hmac<Sha256> {
        let own = keyed_hash(self.key.expose_secret()).chain_update(b"waggle keyed hash 1");
        keyed_hash(&own.finalize().into_bytes().into()).chain_update(secret.expose_secret())
    }

    /// A key for another purpose that is derived from this one.
    fn derived(&self, purpose: &str) -> SecretBox<[u8; 32]> {
        let keyed = keyed_hash(self.key.expose_secret()).chain_update(b"waggle derived key 1");
        let bytes = keyed.chain_update(purpose).finalize().into_bytes();
        SecretBox::new(Box::new(bytes.into()))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.key.expose_secret()))
    }
}

fn keyed_hash(key: &[u8; 32]) -> Hmac<Sha256> {
    // A key shorter than a block is padded with zeros. (RFC 2104, 2)
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    <Hmac<Sha256> as hmac::KeyInit>::new(&block.into())
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// The text is not a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a master key must be 32 random bytes, as 64 hexadecimal digits or in Base64 (openssl rand \
     -base64 32)"
)]
pub struct InvalidMasterKey;

/// The master keys that a process holds, newest first.
#[derive(Default)]
pub struct MasterKeys(Vec<MasterKey>);

impl MasterKeys {
    /// Parses keys that are separated by commas or line breaks. Lines that begin with `#` are
    /// comments.
    ///
    /// # Errors
    ///
    /// [`InvalidMasterKey`] if one of them is invalid.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        text.lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(MasterKey::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The key with the name `id`.
    pub fn find(&self, id: &KeyId) -> Option<&MasterKey> {
        self.0.iter().find(|key| key.id == *id)
    }

    /// The newest key.
    pub fn newest(&self) -> Option<&MasterKey> {
        self.0.first()
    }

    /// The names of the keys, newest first.
    pub fn ids(&self) -> Vec<KeyId> {
        self.0.iter().map(|key| key.id.clone()).collect()
    }

    /// Decrypts a value that was sealed for `place`.
    ///
    /// # Errors
    ///
    /// [`SealedError`] if this process does not hold the key, or the value was changed or moved.
    pub fn open(&self, sealed: &Sealed, place: Place<'_>) -> Result<SecretString, SealedError> {
        self.open_bound(sealed, &place.bytes())
    }

    /// Decrypts a value that was sealed for `label` instead of a setting.
    ///
    /// # Errors
    ///
    /// [`SealedError`] if this process does not hold the key, or the value was changed or moved.
    pub fn open_for(&self, sealed: &Sealed, label: &str) -> Result<SecretString, SealedError> {
        self.open_bound(sealed, &labelled(label))
    }

    /// Seals `secret` with the newest key for `label` instead of a setting. The value can be
    /// decrypted only for the same label.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there is no key.
    pub fn seal_for(
        &self,
        secret: &SecretString,
        label: &str,
        entropy: &dyn Entropy,
    ) -> Result<Sealed, PortError> {
        let key = self.newest().ok_or_else(no_key)?;
        seal_bound(key, secret, &labelled(label), entropy)
    }

    /// The keyed hash of `secret` with the newest key, and the name of that key. It is meant for
    /// secrets that are so short that a plain hash would reveal them.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there is no key.
    pub fn mark(&self, secret: &SecretString) -> Result<(KeyId, [u8; 32]), PortError> {
        let key = self.newest().ok_or_else(no_key)?;
        Ok((key.id.clone(), key.keyed(secret).finalize().into_bytes().into()))
    }

    /// Keys for another purpose that are derived from these keys, newest first.
    pub fn derive(&self, purpose: &str) -> Vec<SecretBox<[u8; 32]>> {
        self.0.iter().map(|key| key.derived(purpose)).collect()
    }

    /// Whether `secret` has this hash with the key named `key`. The hashes are compared in constant
    /// time.
    pub fn is_marked(&self, secret: &SecretString, key: &KeyId, hash: &[u8; 32]) -> bool {
        self.find(key).is_some_and(|key| key.keyed(secret).verify_slice(hash).is_ok())
    }

    fn open_bound(&self, sealed: &Sealed, bound_to: &[u8]) -> Result<SecretString, SealedError> {
        let key = self.find(&sealed.key).ok_or_else(|| SealedError::NoKey(sealed.key.clone()))?;
        let broken = || SealedError::Broken(sealed.key.clone());
        let (nonce, message) = sealed.bytes.split_at_checked(NONCE).ok_or_else(broken)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| broken())?;
        let payload = Payload { msg: message, aad: bound_to };
        let bytes = key.cipher().decrypt(&nonce, payload).map_err(|_| broken())?;
        String::from_utf8(bytes).map(SecretString::from).map_err(|_| broken())
    }
}

/// The setting and version that a sealed value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    pub key: &'a str,
    /// The revision of the change that set it. No two changes of a setting have the same revision.
    pub version: Revision,
}

impl Place<'_> {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = b"waggle setting 1\0".to_vec();
        bytes.extend_from_slice(&self.version.0.to_be_bytes());
        bytes.extend_from_slice(self.key.as_bytes());
        bytes
    }
}

/// Seals `secret` for `place`.
///
/// # Errors
///
/// [`PortError`] if the secret is too large for the cipher.
pub(crate) fn seal(
    key: &MasterKey,
    secret: &SecretString,
    place: Place<'_>,
    entropy: &dyn Entropy,
) -> Result<Sealed, PortError> {
    seal_bound(key, secret, &place.bytes(), entropy)
}

fn no_key() -> PortError {
    PortError::broken("looking for the master key", "there is none")
}

/// The associated data of a value that does not belong to a setting.
fn labelled(label: &str) -> Vec<u8> {
    [b"waggle secret 1\0", label.as_bytes()].concat()
}

fn seal_bound(
    key: &MasterKey,
    secret: &SecretString,
    bound_to: &[u8],
    entropy: &dyn Entropy,
) -> Result<Sealed, PortError> {
    let chance = entropy.bytes()?;
    let (nonce, _) = chance.split_at(NONCE);
    let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: bound_to };
    let failed = |_| PortError::broken("sealing a secret", "the cipher failed");
    let at = XNonce::try_from(nonce)
        .map_err(|_| PortError::broken("sealing a secret", "there are too few random bytes"))?;
    let mut bytes = nonce.to_vec();
    bytes.extend(key.cipher().encrypt(&at, payload).map_err(failed)?);
    Ok(Sealed { key: key.id.clone(), bytes })
}

/// Why a sealed value cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SealedError {
    /// This process does not hold the master key.
    #[error("is sealed with the master key {0}, which was not provided")]
    NoKey(KeyId),
    /// The value was changed or moved.
    #[error("cannot be decrypted with the master key {0}: it was changed outside Waggle")]
    Broken(KeyId),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waggle_kernel::MockEntropy;

    use super::*;

    fn entropy(byte: u8) -> MockEntropy {
        let mut entropy = MockEntropy::new();
        entropy.expect_bytes().returning(move || Ok([byte; 32]));
        entropy
    }

    fn keys(byte: u8) -> MasterKeys {
        MasterKeys(vec![MasterKey::of([byte; 32])])
    }

    const HERE: Place<'static> = Place { key: "TWITTER_API_SECRET", version: Revision(7) };

    fn sealed(secret: &str) -> Sealed {
        let keys = keys(1);
        seal(keys.newest().unwrap(), &secret.into(), HERE, &entropy(9)).unwrap()
    }

    proptest! {
        #[test]
        fn a_sealed_value_is_decrypted_only_in_its_place(
            secret in ".{1,60}", key in "[A-Z_]{1,20}", version in 0_i64..1000,
        ) {
            let sealed = sealed(&secret);
            let there = Place { key: &key, version: Revision(version) };

            let opened = keys(1).open(&sealed, HERE).unwrap();

            prop_assert_eq!(opened.expose_secret(), &secret);
            prop_assume!(there != HERE);
            prop_assert!(keys(1).open(&sealed, there).is_err());
        }

        #[test]
        fn a_changed_byte_is_detected(at in 0_usize..40, by in 1_u8..) {
            let mut sealed = sealed("hush-hush");
            let at = at % sealed.bytes.len();
            sealed.bytes[at] ^= by;

            prop_assert_eq!(
                keys(1).open(&sealed, HERE).map(drop),
                Err(SealedError::Broken(sealed.key.clone()))
            );
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,80}", bytes: Vec<u8>) {
            let _ = MasterKeys::parse(&text);
            let key = keys(1).newest().unwrap().id.clone();
            let _ = keys(1).open(&Sealed { key, bytes }, HERE);
        }
    }

    #[test]
    fn a_missing_key_is_named_in_the_error() {
        let sealed = sealed("hush-hush");

        let result = keys(2).open(&sealed, HERE).map(drop);

        assert_eq!(result, Err(SealedError::NoKey(sealed.key)));
    }

    #[test]
    fn keys_are_parsed_from_hexadecimal_and_base64() {
        let key = MasterKey::of([7; 32]);
        let text = key.text().expose_secret().to_owned();
        let several = format!("# newest first\n{}\n{text}\n", "07".repeat(32));

        let keys = MasterKeys::parse(&several).unwrap();

        assert_eq!(keys.ids(), [key.id.clone(), key.id.clone()]);
        assert_eq!(MasterKey::parse(text.trim_end_matches('=')).unwrap().id, key.id);
        assert!(MasterKey::parse("correct horse battery staple").is_err());
        assert!(MasterKeys::parse(" \n").unwrap().newest().is_none());
    }

    /// Test vector of draft-irtf-cfrg-xchacha-03, A.3.1: the first bytes of the ciphertext and the
    /// last bytes of the tag.
    #[test]
    fn the_cipher_is_xchacha20_poly1305() {
        let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
        let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you \
                     only one tip for the future, sunscreen would be it.";

        let cipher = MasterKey::of(key).cipher();
        let found = cipher.encrypt(&XNonce::from(nonce), Payload { msg: text, aad: &aad }).unwrap();

        assert_eq!(found[..8], [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]);
        assert_eq!(found[found.len() - 4..], [0x78, 0x0a, 0xcf, 0x49]);
    }
}
