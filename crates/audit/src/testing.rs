//! For tests: a signer whose signatures only it can make.

use sha2::{Digest as _, Sha256};
use waggle_kernel::{PortError, hex};

use crate::ports::HeadSigner;

/// Signs with keyed hashes. The public key is the hash of the secret one.
pub struct FakeSigner(pub &'static str);

impl FakeSigner {
    fn hash(&self, text: &[u8]) -> Vec<u8> {
        Sha256::new().chain_update(self.0).chain_update(text).finalize().to_vec()
    }
}

impl HeadSigner for FakeSigner {
    fn public_keys(&self) -> Result<Vec<String>, PortError> {
        Ok(vec![hex(&self.hash(b""))])
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, PortError> {
        Ok(self.hash(text))
    }

    fn is_signature(&self, public_key: &str, text: &[u8], signature: &[u8]) -> bool {
        public_key == hex(&self.hash(b"")) && signature == self.hash(text)
    }
}
