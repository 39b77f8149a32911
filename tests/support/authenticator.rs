//! A software authenticator (WebAuthn, ES256, no attestation) that lies where a test tells it to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What an answer lies about. The default is an honest answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lie {
    pub(crate) origin: Option<&'static str>,
    pub(crate) rp_id: Option<&'static str>,
    pub(crate) challenge: Option<[u8; 16]>,
    pub(crate) counter: Option<u32>,
    pub(crate) is_absent: bool,
    pub(crate) ceremony: Option<&'static str>,
    pub(crate) is_framed: bool,
    pub(crate) signature: bool,
    pub(crate) user_handle: Option<Value>,
    pub(crate) transports: Option<Value>,
}

pub(crate) struct Authenticator {
    key: SigningKey,
    pub(crate) id: Vec<u8>,
    /// A counter of 0 stays 0, as with passkeys that are on several devices.
    pub(crate) counter: u32,
    user_handle: Vec<u8>,
}

impl Authenticator {
    /// `seed` determines the key and its id.
    pub(crate) fn new(seed: u8, counter: u32) -> Self {
        Self {
            key: SigningKey::from_slice(&[seed.max(1); 32]).unwrap(),
            id: Sha256::digest([seed, 0x1d]).to_vec(),
            counter,
            user_handle: Vec::new(),
        }
    }

    /// The result of `navigator.credentials.create(...)` and `toJSON()`; `None` if the
    /// authenticator has one of the excluded credentials.
    pub(crate) fn create(&mut self, options: &Value, origin: &str, lie: &Lie) -> Option<Value> {
        let excluded = options["excludeCredentials"].as_array().into_iter().flatten();
        if excluded.into_iter().any(|one| one["id"] == json!(encoded(&self.id))) {
            return None;
        }
        self.user_handle = BASE64.decode(options["user"]["id"].as_str().unwrap()).unwrap();
        let client_data = client_data("webauthn.create", options, origin, lie);
        let mut data = self.data(options["rp"]["id"].as_str().unwrap(), 0x40, lie);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.id);
        data.extend(self.public_key());
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut attestation = vec![0xa3, 0x63];
        attestation.extend(b"fmt\x64none\x67attStmt\xa0\x68authData");
        attestation.extend(bytes(&data));
        Some(json!({
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": { "credProps": { "rk": false } },
            "id": encoded(&self.id),
            "rawId": encoded(&self.id),
            "response": {
                "attestationObject": encoded(&attestation),
                "authenticatorData": encoded(&data),
                "clientDataJSON": encoded(&client_data),
                "publicKeyAlgorithm": -7,
                "transports": lie.transports.clone().unwrap_or(json!(["nfc", "usb"])),
            },
            "type": "public-key",
        }))
    }

    /// The result of `navigator.credentials.get(...)` and `toJSON()`.
    pub(crate) fn get(&mut self, options: &Value, origin: &str, lie: &Lie) -> Value {
        if self.counter > 0 {
            self.counter += 1;
        }
        let client_data = client_data("webauthn.get", options, origin, lie);
        let data = self.data(options["rpId"].as_str().unwrap(), 0, lie);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client_data));
        signed[0] ^= u8::from(lie.signature);
        let signature: Signature = self.key.sign(&signed);
        let handle = lie.user_handle.clone().unwrap_or(json!(encoded(&self.user_handle)));
        json!({
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
            "id": encoded(&self.id),
            "rawId": encoded(&self.id),
            "response": {
                "authenticatorData": encoded(&data),
                "clientDataJSON": encoded(&client_data),
                "signature": encoded(signature.to_der().as_bytes()),
                "userHandle": handle,
            },
            "type": "public-key",
        })
    }

    /// The authenticator data, up to the counter (WebAuthn, 6.1).
    fn data(&self, rp_id: &str, flags: u8, lie: &Lie) -> Vec<u8> {
        let mut data = Sha256::digest(lie.rp_id.unwrap_or(rp_id)).to_vec();
        let is_verified = 0x04;
        data.push(u8::from(!lie.is_absent) | is_verified | flags);
        data.extend(lie.counter.unwrap_or(self.counter).to_be_bytes());
        data
    }

    /// The key in COSE: EC2, ES256, P-256, x and y.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_encoded_point(false);
        let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21];
        key.extend(bytes(point.x().unwrap()));
        key.push(0x22);
        key.extend(bytes(point.y().unwrap()));
        key
    }
}

/// The client data, with its members in the order of the standard (WebAuthn, 5.8.1.1).
fn client_data(ceremony: &str, options: &Value, origin: &str, lie: &Lie) -> Vec<u8> {
    let challenge =
        lie.challenge.map_or_else(|| options["challenge"].clone(), |c| json!(encoded(&c)));
    let (ceremony, origin) = (lie.ceremony.unwrap_or(ceremony), lie.origin.unwrap_or(origin));
    let framed = lie.is_framed;
    format!(
        "{{\"type\":\"{ceremony}\",\"challenge\":{challenge},\"origin\":\"{origin}\",\
         \"crossOrigin\":{framed}}}"
    )
    .into_bytes()
}

/// A byte string in CBOR.
fn bytes(data: &[u8]) -> Vec<u8> {
    let head = match u8::try_from(data.len()) {
        Ok(short @ 0..=23) => vec![0x40 | short],
        Ok(length) => vec![0x58, length],
        Err(_) => [&[0x59][..], &u16::try_from(data.len()).unwrap().to_be_bytes()].concat(),
    };
    [head.as_slice(), data].concat()
}

fn encoded(data: &[u8]) -> String {
    BASE64.encode(data)
}
