//! Ed25519 signatures.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use secrecy::{ExposeSecret as _, SecretBox};
use waggle_kernel::{PortError, hex, unhex};

/// A key that signs.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The key that belongs to a secret seed.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the seed is not usable.
    pub fn from_seed(seed: &SecretBox<[u8; 32]>) -> Result<Self, PortError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret());
        pair.map(Self).map_err(|error| PortError::broken("making a signing key", error.to_string()))
    }

    /// The public key in hexadecimal digits.
    pub fn public_key(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// The signature of a text: 64 bytes.
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(text).as_ref().to_vec()
    }
}

/// Whether this is a signature of `text` by the holder of a public key in hexadecimal digits.
pub fn is_signature(public_key: &str, text: &[u8], signature: &[u8]) -> bool {
    unhex(public_key)
        .is_some_and(|key| UnparsedPublicKey::new(&ED25519, key).verify(text, signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test 2 of RFC 8032, 7.1.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let bytes = |digits: &str| -> Vec<u8> {
            (0..digits.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
                .collect()
        };
        let seed = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key =
            SigningKey::from_seed(&SecretBox::new(Box::new(seed.try_into().unwrap()))).unwrap();

        let signature = key.sign(&[0x72]);

        assert_eq!(
            key.public_key(),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        assert_eq!(
            hex(&signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert!(is_signature(&key.public_key(), &[0x72], &signature));
        assert!(!is_signature(&key.public_key(), &[0x73], &signature));
        assert!(!is_signature("not hexadecimal", &[0x72], &signature));
    }
}
