//! What this domain needs from outside.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waggle_kernel::PortError;
use waggle_kernel::ids::TokenId;

use crate::token::{ApiToken, NewApiToken, StoredHash};

/// Keeps API tokens.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait TokenRepository: Send + Sync {
    /// Keeps a token.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer, or has a token with the same public id.
    async fn insert(&self, token: &NewApiToken) -> Result<TokenId, PortError>;

    /// Keeps a token if there is none at all, revoked ones included; `None` if there was one. Of two calls
    /// at the same moment, one keeps its token.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn insert_first(&self, token: &NewApiToken) -> Result<Option<TokenId>, PortError>;

    /// The token with this public id, and its hash.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn find(&self, public_id: &str) -> Result<Option<(ApiToken, StoredHash)>, PortError>;

    /// Every token, oldest first.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn list(&self) -> Result<Vec<ApiToken>, PortError>;

    /// Ends the token with this public id; `false` if there is none that lives.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn revoke(&self, public_id: &str, now: DateTime<Utc>) -> Result<bool, PortError>;

    /// Writes down that the token was shown.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    async fn touch(&self, id: TokenId, now: DateTime<Utc>) -> Result<(), PortError>;
}
