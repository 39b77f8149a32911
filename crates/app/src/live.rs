//! Ports that follow the settings: each call uses the values that are in effect at that moment.

pub(crate) mod changes;
pub(crate) mod connections;
pub(crate) mod effects;
pub(crate) mod google;
pub(crate) mod head_signer;
pub(crate) mod mailer;
pub(crate) mod passkeys;
pub(crate) mod policy;
pub(crate) mod server_keys;
pub(crate) mod super_admins;
