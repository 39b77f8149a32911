//! Second factors: authenticator apps, passkeys and recovery codes.

pub(crate) mod passkey;
pub(crate) mod second_factor;
pub(crate) mod stored_passkey;
pub(crate) mod totp;
