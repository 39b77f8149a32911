//! Tokens are made, shown, listed and ended.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;
use thiserror::Error;
use waggle_kernel::{Actor, Clock, Entropy, Forbidden, PortError, Scope, Scopes};

use crate::ports::TokenRepository;
use crate::token::{ApiToken, InvalidTokenName, NewApiToken, PresentedToken};

/// A token that was just made, and its text, which cannot be had again.
#[derive(Debug)]
pub struct CreatedToken {
    /// What is kept of it.
    pub token: NewApiToken,
    /// The text; printing it takes a deliberate act.
    pub secret: SecretString,
}

/// Makes, checks, lists and ends tokens.
pub struct Tokens {
    /// Where they are kept.
    pub tokens: Arc<dyn TokenRepository>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What they are made of.
    pub entropy: Arc<dyn Entropy>,
}

impl Tokens {
    /// Makes a token.
    ///
    /// # Errors
    ///
    /// [`CreateTokenError`]; then none is made.
    pub async fn create(
        &self,
        actor: &Actor,
        name: &str,
        scopes: Scopes,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<CreatedToken, CreateTokenError> {
        let created = self.make(actor, name, scopes, expires_at)?;
        self.tokens.insert(&created.token).await?;
        Ok(created)
    }

    /// Makes a token with every right if there is no token at all; `None` if there is one.
    ///
    /// # Errors
    ///
    /// [`CreateTokenError`]; then none is made.
    pub async fn create_first(
        &self,
        actor: &Actor,
        name: &str,
    ) -> Result<Option<CreatedToken>, CreateTokenError> {
        let created = self.make(actor, name, Scopes::of(&[Scope::Admin]), None)?;
        Ok(self.tokens.insert_first(&created.token).await?.map(|_| created))
    }

    /// The actor that bears this token.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`]; a wrong, an unknown, an expired and a revoked token are not told apart.
    pub async fn authenticate(&self, text: &str) -> Result<Actor, AuthenticateError> {
        let presented = PresentedToken::parse(text).map_err(|_| AuthenticateError::Refused)?;
        let (token, hash) =
            self.tokens.find(presented.public_id()).await?.ok_or(AuthenticateError::Refused)?;
        let now = self.clock.now();
        if !presented.is(&hash) || !token.is_live(now) {
            return Err(AuthenticateError::Refused);
        }
        if token.last_used_at.is_none_or(|last| now - last >= Duration::minutes(1)) {
            self.tokens.touch(token.id, now).await?;
        }
        Ok(Actor::token(token.id, token.name, token.scopes))
    }

    /// Every token, oldest first.
    ///
    /// # Errors
    ///
    /// [`TokensError`].
    pub async fn list(&self, actor: &Actor) -> Result<Vec<ApiToken>, TokensError> {
        actor.require(Scope::Admin)?;
        Ok(self.tokens.list().await?)
    }

    /// Ends the token with this public id, or the one that begins so, as it is shown.
    ///
    /// # Errors
    ///
    /// [`TokensError`]; [`TokensError::NotFound`] if no living token has it.
    pub async fn revoke(&self, actor: &Actor, id: &str) -> Result<(), TokensError> {
        actor.require(Scope::Admin)?;
        let public_id = id.strip_prefix("wgl_").unwrap_or(id);
        let public_id = public_id.split('_').next().unwrap_or_default();
        if self.tokens.revoke(public_id, self.clock.now()).await? {
            Ok(())
        } else {
            Err(TokensError::NotFound)
        }
    }

    fn make(
        &self,
        actor: &Actor,
        name: &str,
        scopes: Scopes,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<CreatedToken, CreateTokenError> {
        actor.require(Scope::Admin)?;
        if scopes.is_empty() {
            return Err(CreateTokenError::NoScope);
        }
        let now = self.clock.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(CreateTokenError::Expired);
        }
        let (chance, id_chance) = (self.entropy.bytes()?, self.entropy.bytes()?);
        let (token, secret) =
            NewApiToken::make(&chance, &id_chance, name, scopes, now, expires_at)?;
        Ok(CreatedToken { token, secret })
    }
}

/// Why no token was made.
#[derive(Debug, Error)]
pub enum CreateTokenError {
    /// The actor may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// It would be good for nothing.
    #[error("a token needs at least one scope")]
    NoScope,
    /// It would be over before it began.
    #[error("the token would have expired already")]
    Expired,
    /// The name makes no sense.
    #[error(transparent)]
    Name(#[from] InvalidTokenName),
    /// The store or the source of chance could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Why nobody was let in.
#[derive(Debug, Error)]
pub enum AuthenticateError {
    /// The token opens nothing.
    #[error("the API token is wrong, expired or revoked")]
    Refused,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Why that could not be done.
#[derive(Debug, Error)]
pub enum TokensError {
    /// The actor may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such token, or it was ended before.
    #[error("there is no living token with this id")]
    NotFound,
    /// The store could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use waggle_kernel::ids::TokenId;
    use waggle_kernel::{FixedClock, MockEntropy};

    use super::*;
    use crate::ports::MockTokenRepository;

    fn tokens(repository: MockTokenRepository, clock: Arc<FixedClock>) -> Tokens {
        let mut entropy = MockEntropy::new();
        entropy.expect_bytes().returning(|| Ok([42; 32]));
        Tokens { tokens: Arc::new(repository), clock, entropy: Arc::new(entropy) }
    }

    /// A repository with one token, the text of which is returned.
    async fn with_one(
        expires_at: Option<DateTime<Utc>>,
        revoked_at: Option<DateTime<Utc>>,
        last_used_at: Option<DateTime<Utc>>,
    ) -> (MockTokenRepository, String) {
        let mut inserting = MockTokenRepository::new();
        inserting.expect_insert().returning(|_| Ok(TokenId::new(1)));
        let scopes = Scopes::of(&[Scope::Ingest]);
        let made = tokens(inserting, Arc::new(FixedClock::noon()))
            .create(&Actor::system(), "n8n", scopes, None)
            .await
            .unwrap();
        let mut repository = MockTokenRepository::new();
        let (kept, hash) = (made.token.clone(), made.token.hash.clone());
        repository.expect_find().returning(move |_| {
            let token = ApiToken {
                id: TokenId::new(1),
                public_id: kept.public_id.clone(),
                name: kept.name.clone(),
                scopes: kept.scopes,
                created_at: kept.created_at,
                expires_at,
                revoked_at,
                last_used_at,
            };
            Ok(Some((token, hash.clone())))
        });
        (repository, made.secret.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn a_token_lets_in_with_its_scopes_and_its_use_is_written_down() {
        let (mut repository, text) = with_one(None, None, None).await;
        repository.expect_touch().times(1).returning(|_, _| Ok(()));

        let actor = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&text).await;

        assert_eq!(actor.unwrap().scopes(), Scopes::of(&[Scope::Ingest]));
    }

    #[tokio::test]
    async fn use_is_written_down_once_a_minute_at_most() {
        let (mut repository, text) = with_one(None, None, Some(FixedClock::noon().now())).await;
        repository.expect_touch().never();

        let actor = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&text).await;

        assert!(actor.is_ok(), "{actor:?}");
    }

    #[tokio::test]
    async fn an_expired_and_a_revoked_token_are_refused_alike() {
        let past = Some(FixedClock::noon().now());
        for (expires_at, revoked_at) in [(past, None), (None, past)] {
            let (repository, text) = with_one(expires_at, revoked_at, None).await;

            let result = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&text).await;

            assert!(matches!(result, Err(AuthenticateError::Refused)), "{result:?}");
        }
    }

    #[tokio::test]
    async fn a_token_with_a_changed_secret_is_refused() {
        let (repository, text) = with_one(None, None, None).await;
        let forged = text.replace('q', "Q").replace('K', "k");
        assert_ne!(forged, text);

        let result = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&forged).await;

        assert!(matches!(result, Err(AuthenticateError::Refused)), "{result:?}");
    }

    #[tokio::test]
    async fn a_token_without_scopes_or_time_is_not_made() {
        let refused = tokens(MockTokenRepository::new(), Arc::new(FixedClock::noon()));

        let without_scope =
            refused.create(&Actor::system(), "n8n", Scopes::NONE, None).await.unwrap_err();
        let expired = refused
            .create(
                &Actor::system(),
                "n8n",
                Scopes::of(&[Scope::Read]),
                Some(FixedClock::noon().now()),
            )
            .await
            .unwrap_err();

        assert!(matches!(without_scope, CreateTokenError::NoScope), "{without_scope:?}");
        assert!(matches!(expired, CreateTokenError::Expired), "{expired:?}");
    }
}
