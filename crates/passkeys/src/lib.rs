//! Passkeys (WebAuthn): creates challenges for authenticators and verifies their answers.
//!
//! ```text
//! begin ──▶ options for the browser, and a state to store ──▶ the browser's answer ──▶ finish
//! ```
//!
//! The rules are those of Web Authentication Level 3 (<https://www.w3.org/TR/webauthn-3/>, sections
//! 7.1 and 7.2), as implemented by `webauthn_rp`. A state is valid once; the caller that stores it
//! must ensure this.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::{Host, Url};
use waggle_accounts::ports::{Asked, NewCredential, PasskeyError, PasskeyVerifier, Proof};
use waggle_accounts::{Passkey, User};
use waggle_kernel::PortError;
use waggle_kernel::ids::UserId;
use webauthn_rp::bin::{Decode, Encode as _};
use webauthn_rp::request::auth::{
    AllowedCredential, AllowedCredentials, AuthenticationVerificationOptions,
    AuthenticatorAttachmentEnforcement, SignatureCounterEnforcement,
};
use webauthn_rp::request::register::{
    Nickname, PublicKeyCredentialUserEntity, RegistrationVerificationOptions,
    ResidentKeyRequirement, UserHandle16, Username,
};
use webauthn_rp::request::{
    AsciiDomain, Credentials as _, PublicKeyCredentialDescriptor, RpId, UserVerificationRequirement,
};
use webauthn_rp::response::auth::error::AuthCeremonyErr;
use webauthn_rp::response::register::{DynamicState, StaticState};
use webauthn_rp::response::{AuthTransports, CredentialId};
use webauthn_rp::{
    AuthenticatedCredential, NonDiscoverableAuthentication,
    NonDiscoverableAuthenticationServerState, NonDiscoverableCredentialRequestOptions,
    PublicKeyCredentialCreationOptions, Registration, RegistrationServerState,
};

/// The length of a user handle, in bytes.
const HANDLE: usize = 16;

/// The transports that the standard defines. It requires that unknown ones are ignored.
const TRANSPORTS: [&str; 6] = ["ble", "hybrid", "internal", "nfc", "smart-card", "usb"];

/// Waggle as a WebAuthn relying party, with its domain and the origin of its pages.
pub struct RelyingParty {
    id: RpId,
    origins: [String; 1],
}

impl RelyingParty {
    /// Creates the relying party for the site at `home`. Returns `None` if browsers do not support
    /// passkeys there: they require a domain and TLS, or `localhost`.
    pub fn at(home: &Url) -> Option<Self> {
        let Some(Host::Domain(domain)) = home.host() else { return None };
        let is_secure = home.scheme() == "https" || domain == "localhost";
        let id = AsciiDomain::try_from(domain.to_owned()).ok().filter(|_| is_secure)?;
        Some(Self { id: RpId::Domain(id), origins: [home.origin().ascii_serialization()] })
    }
}

impl PasskeyVerifier for RelyingParty {
    fn begin_registering(&self, user: &User, present: &[Passkey]) -> Result<Asked, PasskeyError> {
        let Ok(handle) = UserHandle16::decode(handle(user.id));
        let full_name = format!("{} {}", user.first_name.as_str(), user.last_name.as_str());
        let entity = PublicKeyCredentialUserEntity {
            // A name that authenticators cannot show must not prevent registration.
            name: Username::try_from(user.email.as_str())
                .or_else(|_| Username::try_from("user"))
                .map_err(|_| broken("the name of a user"))?,
            id: &handle,
            display_name: Nickname::try_from(full_name.trim()).ok(),
        };
        let exclude = present.iter().map(descriptor).collect::<Result<_, _>>()?;
        let mut options =
            PublicKeyCredentialCreationOptions::second_factor(&self.id, entity, exclude);
        options.authenticator_selection.user_verification = UserVerificationRequirement::Preferred;
        options.authenticator_selection.resident_key = ResidentKeyRequirement::Preferred;
        let (server, client) = options.start_ceremony().map_err(|_| broken("the options"))?;
        Ok(Asked {
            options: serde_json::to_value(&client).map_err(|_| broken("the options"))?,
            state: server.encode().map_err(|_| broken("the state"))?,
        })
    }

    fn finish_registering(
        &self,
        user: &User,
        state: &[u8],
        answer: &Value,
    ) -> Result<NewCredential, PasskeyError> {
        let server = RegistrationServerState::<HANDLE>::decode(state)
            .map_err(|_| broken("the state of a registration"))?;
        let answer = essential(answer).to_string();
        let answer = Registration::from_json_relaxed(answer.as_bytes())
            .map_err(|error| PasskeyError::Refused(error.to_string()))?;
        let options = RegistrationVerificationOptions::<String, String> {
            allowed_origins: &self.origins,
            // Browsers add extensions that were not requested.
            error_on_unsolicited_extensions: false,
            ..Default::default()
        };
        let credential = server
            .verify(&self.id, &answer, &options)
            .map_err(|error| PasskeyError::Refused(format!("{error:?}")))?;
        if credential.user_id().as_ref() != handle(user.id) {
            return Err(PasskeyError::Refused("it was started by another user".to_owned()));
        }
        let Ok(transports) = credential.transports().encode();
        let Ok(fixed) = credential.static_state().encode();
        let Ok(changing) = credential.dynamic_state().encode();
        Ok(NewCredential {
            id: credential.id().as_ref().to_vec(),
            key: [&[transports][..], &fixed].concat(),
            state: changing.to_vec(),
        })
    }

    fn begin_proving(&self, present: &[Passkey]) -> Result<Asked, PasskeyError> {
        let mut allowed = AllowedCredentials::with_capacity(present.len());
        for passkey in present {
            allowed.push(AllowedCredential::from(descriptor(passkey)?));
        }
        let mut options = NonDiscoverableCredentialRequestOptions::second_factor(&self.id, allowed)
            .map_err(|_| PasskeyError::None)?;
        options.options().user_verification = UserVerificationRequirement::Preferred;
        let (server, client) = options.start_ceremony().map_err(|_| broken("the options"))?;
        Ok(Asked {
            options: serde_json::to_value(&client).map_err(|_| broken("the options"))?,
            state: server.encode().map_err(|_| broken("the state"))?,
        })
    }

    fn finish_proving(
        &self,
        user: &User,
        present: &[Passkey],
        state: &[u8],
        answer: &Value,
    ) -> Result<Proof, PasskeyError> {
        let server = NonDiscoverableAuthenticationServerState::decode(state)
            .map_err(|_| broken("the state of a proof"))?;
        let answer = answer.to_string();
        let answer = NonDiscoverableAuthentication::<HANDLE>::from_json_relaxed(answer.as_bytes())
            .map_err(|error| PasskeyError::Refused(error.to_string()))?;
        let passkey = present
            .iter()
            .find(|passkey| passkey.credential_id == answer.raw_id().as_ref())
            .ok_or_else(|| {
                PasskeyError::Refused("the passkey does not belong to the user".to_owned())
            })?;
        let Ok(handle) = UserHandle16::decode(handle(user.id));
        let (_, fixed) = parts(passkey)?;
        let fixed = StaticState::decode(fixed).map_err(|_| broken("a public key"))?;
        let changing = <[u8; 7]>::try_from(passkey.state.as_slice());
        let changing = changing.map_err(|_| broken("the state of a passkey"))?;
        let changing =
            DynamicState::decode(changing).map_err(|_| broken("the state of a passkey"))?;
        let mut credential =
            AuthenticatedCredential::new(answer.raw_id(), &handle, fixed, changing)
                .map_err(|_| broken("a passkey"))?;
        let options = AuthenticationVerificationOptions::<String, String> {
            allowed_origins: &self.origins,
            error_on_unsolicited_extensions: false,
            // A passkey that is on several devices can be used with different attachments.
            auth_attachment_enforcement: AuthenticatorAttachmentEnforcement::Ignore(false),
            sig_counter_enforcement: SignatureCounterEnforcement::Fail,
            ..Default::default()
        };
        server.verify(&self.id, &answer, &mut credential, &options).map_err(
            |error| match error {
                AuthCeremonyErr::SignatureCounter => PasskeyError::Cloned,
                error => PasskeyError::Refused(format!("{error:?}")),
            },
        )?;
        let Ok(renewed) = credential.dynamic_state().encode();
        Ok(Proof::Passkey {
            id: passkey.id,
            seen: passkey.state.clone(),
            renewed: renewed.to_vec(),
        })
    }
}

/// Returns the user handle, by which authenticators identify a user. It never changes, and reveals
/// nothing about the user (Web Authentication, section 14.6.1).
fn handle(user: UserId) -> [u8; HANDLE] {
    let digest: [u8; 32] = Sha256::digest(format!("waggle user {user}")).into();
    let mut handle = [0; HANDLE];
    handle.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    handle
}

/// Returns the transports and the public key of a passkey.
fn parts(passkey: &Passkey) -> Result<(AuthTransports, &[u8]), PasskeyError> {
    let (transports, fixed) = passkey.key.split_first().ok_or_else(|| broken("a public key"))?;
    let transports = AuthTransports::decode(*transports).map_err(|_| broken("transports"))?;
    Ok((transports, fixed))
}

fn descriptor(passkey: &Passkey) -> Result<PublicKeyCredentialDescriptor<Vec<u8>>, PasskeyError> {
    let id = CredentialId::decode(passkey.credential_id.clone());
    Ok(PublicKeyCredentialDescriptor {
        id: id.map_err(|_| broken("the id of a passkey"))?,
        transports: parts(passkey)?.0,
    })
}

/// Returns the answer to a registration without the fields that repeat the attestation object,
/// which are not needed, and without unknown transports. `webauthn_rp` 0.3.0 rejects valid answers
/// because of either.
fn essential(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(response) = answer.get_mut("response").and_then(Value::as_object_mut) {
        for repeated in ["authenticatorData", "publicKey", "publicKeyAlgorithm"] {
            response.remove(repeated);
        }
        if let Some(transports) = response.get_mut("transports").and_then(Value::as_array_mut) {
            transports.retain(|one| one.as_str().is_some_and(|one| TRANSPORTS.contains(&one)));
        }
    }
    answer
}

fn broken(what: &'static str) -> PasskeyError {
    PortError::broken("a passkey", format!("{what} is invalid")).into()
}
