//! Passkeys (WebAuthn): what authenticators are asked, and whether their answers are right.
//!
//! ```text
//! begin ──▶ options for the browser, and a state that is kept here ──▶ the browser's answer ──▶ finish
//! ```
//!
//! The rules are those of Web Authentication Level 3 (<https://www.w3.org/TR/webauthn-3/>, 7.1 and 7.2), which `webauthn_rp` keeps. A state
//! is good for once; whoever keeps it sees to that.

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

/// How many bytes the id has under which an authenticator keeps a user.
const HANDLE: usize = 16;

/// The ways to an authenticator that the standard names; of others it wants that they are ignored.
const TRANSPORTS: [&str; 6] = ["ble", "hybrid", "internal", "nfc", "smart-card", "usb"];

/// Waggle as authenticators know it: by its domain, and by the origin of its pages.
pub struct RelyingParty {
    id: RpId,
    origins: [String; 1],
}

impl RelyingParty {
    /// Waggle at `home`; `None` where browsers have no passkeys: they want a domain and TLS, or `localhost`.
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
            // What an authenticator cannot show must not keep anybody from registering it.
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
            // Browsers add extensions of their own accord.
            error_on_unsolicited_extensions: false,
            ..Default::default()
        };
        let credential = server
            .verify(&self.id, &answer, &options)
            .map_err(|error| PasskeyError::Refused(format!("{error:?}")))?;
        if credential.user_id().as_ref() != handle(user.id) {
            return Err(PasskeyError::Refused("it was begun by somebody else".to_owned()));
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
            .ok_or_else(|| PasskeyError::Refused("it is none of the user's".to_owned()))?;
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
            // A passkey that is on several devices is used in several ways.
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
        let Ok(anew) = credential.dynamic_state().encode();
        Ok(Proof::Passkey { id: passkey.id, seen: passkey.state.clone(), anew: anew.to_vec() })
    }
}

/// The id under which an authenticator keeps a user: always the same, and telling nothing of them (7.1 of the standard's privacy
/// considerations, 14.6.1).
fn handle(user: UserId) -> [u8; HANDLE] {
    let digest: [u8; 32] = Sha256::digest(format!("waggle user {user}")).into();
    let mut handle = [0; HANDLE];
    handle.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    handle
}

/// The transports of a passkey, and its public key.
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

/// An answer to a registration without what repeats the attestation object, which alone is looked at, and without transports that nobody
/// knows. `webauthn_rp` 0.3.0 refuses answers for both that are right.
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
    PortError::broken("a passkey", format!("{what} makes no sense")).into()
}
