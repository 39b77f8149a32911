//! What Google says of somebody.

use crate::address::Address;
use crate::user::PersonName;

/// Who somebody is at Google. Addresses change hands; this does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleIdentity {
    /// Who says so.
    pub issuer: String,
    /// The id at the issuer.
    pub subject: String,
}

/// What a token that was found to be right says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleProfile {
    /// Who it is.
    pub identity: GoogleIdentity,
    /// The address, which the issuer has verified.
    pub email: Address,
    /// The domain of the organisation that the account belongs to, if it belongs to one (`hd`).
    pub hosted_domain: Option<String>,
    /// The given name.
    pub first_name: PersonName,
    /// The family name.
    pub last_name: PersonName,
}
