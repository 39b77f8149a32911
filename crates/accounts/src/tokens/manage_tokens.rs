//! Creating, authenticating, listing and revoking API tokens.

use std::sync::Arc;

use chrono::Duration;
use secrecy::SecretString;
use serde_json::json;
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{
    Actor, Clock, Entropy, Exhausted, Forbidden, Limits, PortError, Scope, Scopes,
};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::limits::TOKEN_USER;
use crate::mails::mail::{Letter, NewMail};
use crate::policy::AccountPolicy;
use crate::ports::{KnownToken, TokenRepository};
use crate::sessions::manage_sessions::{NotRecent, Visitor};
use crate::tokens::token::{
    InvalidTokenName, NewApiToken, OwnedToken, PresentedToken, WantedToken,
};

/// A new token with its text, which cannot be recovered later.
#[derive(Debug)]
pub struct CreatedToken {
    /// The token as it is stored.
    pub token: NewApiToken,
    /// The token's text, which must be exposed explicitly.
    pub secret: SecretString,
}

/// Creates, authenticates, lists and revokes API tokens.
pub struct Tokens {
    pub tokens: Arc<dyn TokenRepository>,
    pub limits: Arc<dyn Limits>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Tokens {
    /// Creates a token, for the operator.
    ///
    /// # Errors
    ///
    /// On any error, no token is created.
    pub async fn create(
        &self,
        actor: &Actor,
        wanted: &WantedToken,
        client: &Client,
    ) -> Result<CreatedToken, CreateTokenError> {
        actor.require(Scope::Admin)?;
        let created = self.make(wanted)?;
        let event = self.event(EventKind::TokenCreated, actor, client, &created.token.public_id);
        let event = NewAuthEvent { user: wanted.owner, ..event };
        self.tokens.insert(&created.token, &event).await?;
        Ok(created)
    }

    /// Creates a token of the visitor, with scopes that the visitor has, and notifies the visitor
    /// by email.
    ///
    /// # Errors
    ///
    /// On any error, no token is created.
    pub async fn create_own(
        &self,
        visitor: &Visitor,
        wanted: &WantedToken,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<CreatedToken, CreateTokenError> {
        let (user, now) = (&visitor.user, self.clock.now());
        visitor.require_recent(now, policy.recent)?;
        let actor = user.actor();
        if let Some(scope) = wanted.scopes.iter().find(|scope| !actor.scopes().grant(*scope)) {
            return Err(CreateTokenError::TooMuch(scope));
        }
        let budget = policy.limits.budget(&TOKEN_USER, &user.id.to_string());
        if let Some(exhausted) = self.limits.take(&[budget], now).await? {
            return Err(CreateTokenError::Limited(exhausted));
        }
        let wanted = WantedToken { owner: Some(user.id), ..wanted.clone() };
        let created = self.make(&wanted)?;
        let event = self.event(EventKind::TokenCreated, &actor, client, &created.token.public_id);
        let letter = Letter::TokenCreated { name: created.token.name.clone() };
        let event = NewAuthEvent {
            user: Some(user.id),
            email: user.email.to_string(),
            mails: vec![NewMail::notice(user.email.clone(), letter, now)],
            ..event
        };
        let session = visitor.session.id;
        let kept = self.tokens.insert_own(user.id, &created.token, session, &event).await?;
        kept.ok_or(CreateTokenError::Ended)?;
        Ok(created)
    }

    /// Creates a token with all rights if there is no token at all; otherwise returns `None`.
    ///
    /// # Errors
    ///
    /// On any error, no token is created.
    pub async fn create_first(
        &self,
        actor: &Actor,
        name: &str,
    ) -> Result<Option<CreatedToken>, CreateTokenError> {
        actor.require(Scope::Admin)?;
        let scopes = Scopes::of(&[Scope::Admin]);
        let wanted = WantedToken { name: name.to_owned(), owner: None, scopes, expires_at: None };
        let created = self.make(&wanted)?;
        let (kind, client) = (EventKind::TokenCreated, Client::default());
        let event = self.event(kind, actor, &client, &created.token.public_id);
        Ok(self.tokens.insert_first(&created.token, &event).await?.map(|_| created))
    }

    /// Returns the actor for this token. It has the scopes that both the token and its owner have.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError::Refused`] if the token is malformed, unknown, wrong, expired or
    /// revoked, or its owner is deactivated. The error does not say which.
    pub async fn authenticate(&self, text: &str) -> Result<Actor, AuthenticateError> {
        let presented = PresentedToken::parse(text).map_err(|_| AuthenticateError::Refused)?;
        let found = self.tokens.find(presented.public_id()).await?;
        let KnownToken { token, hash, owner } = found.ok_or(AuthenticateError::Refused)?;
        let now = self.clock.now();
        let is_shut_out = owner.as_ref().is_some_and(|owner| !owner.is_active);
        if !presented.is(&hash) || !token.is_live(now) || is_shut_out {
            return Err(AuthenticateError::Refused);
        }
        if token.last_used_at.is_none_or(|last| now - last >= Duration::minutes(1)) {
            // A failure to record the use is no reason to reject the request.
            let _ = self.tokens.touch(token.id, now).await;
        }
        let of_owner = owner.map(|owner| owner.effective_role().scopes());
        let scopes = of_owner.map_or(token.scopes, |of_owner| token.scopes.and(of_owner));
        Ok(Actor::token(token.id, token.name, scopes))
    }

    /// Lists all tokens, oldest first.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<OwnedToken>, TokensError> {
        actor.require(Scope::Admin)?;
        Ok(self.tokens.list(None).await?)
    }

    /// Lists the visitor's own tokens, oldest first.
    pub async fn list_own(&self, visitor: &Visitor) -> Result<Vec<OwnedToken>, TokensError> {
        Ok(self.tokens.list(Some(visitor.user.id)).await?)
    }

    /// Revokes a token, given its public id or its text.
    ///
    /// # Errors
    ///
    /// [`TokensError::NotFound`] if no live token has this id.
    pub async fn revoke(
        &self,
        actor: &Actor,
        id: &str,
        client: &Client,
    ) -> Result<(), TokensError> {
        actor.require(Scope::Admin)?;
        self.end(actor, id, None, client).await
    }

    /// Revokes one of the visitor's own tokens.
    ///
    /// # Errors
    ///
    /// [`TokensError::NotFound`] if none of the visitor's live tokens has this id.
    pub async fn revoke_own(
        &self,
        visitor: &Visitor,
        id: &str,
        client: &Client,
    ) -> Result<(), TokensError> {
        self.end(&visitor.user.actor(), id, Some(visitor.user.id), client).await
    }

    async fn end(
        &self,
        actor: &Actor,
        id: &str,
        owner: Option<UserId>,
        client: &Client,
    ) -> Result<(), TokensError> {
        let public_id = id.strip_prefix("wgl_").unwrap_or(id);
        let public_id = public_id.split('_').next().unwrap_or_default();
        let event = self.event(EventKind::TokenRevoked, actor, client, public_id);
        let event = NewAuthEvent { user: owner, ..event };
        if self.tokens.revoke(public_id, owner, &event).await? {
            Ok(())
        } else {
            Err(TokensError::NotFound)
        }
    }

    fn make(&self, wanted: &WantedToken) -> Result<CreatedToken, CreateTokenError> {
        if wanted.scopes.is_empty() {
            return Err(CreateTokenError::NoScope);
        }
        let now = self.clock.now();
        if wanted.expires_at.is_some_and(|end| end <= now) {
            return Err(CreateTokenError::Expired);
        }
        let (chance, id_chance) = (self.entropy.bytes()?, self.entropy.bytes()?);
        let (token, secret) = NewApiToken::make(&chance, &id_chance, wanted, now)?;
        Ok(CreatedToken { token, secret })
    }

    fn event(&self, kind: EventKind, actor: &Actor, client: &Client, token: &str) -> NewAuthEvent {
        NewAuthEvent {
            by: actor.reference(),
            metadata: json!({ "token": token }),
            ..NewAuthEvent::new(kind, client, self.clock.now())
        }
    }
}

/// Errors of creating a token.
#[derive(Debug, Error)]
pub enum CreateTokenError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// A token without scopes would be useless.
    #[error("a token needs at least one scope")]
    NoScope,
    /// The user does not have this scope.
    #[error("a token cannot have the scope '{0}', because its owner does not have it")]
    TooMuch(Scope),
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    /// The session has ended in the meantime.
    #[error("the session has ended; sign in again")]
    Ended,
    /// Too many tokens were created.
    #[error("too many tokens were created; try again later")]
    Limited(Exhausted),
    /// The expiry is in the past.
    #[error("the expiry of the token must be in the future")]
    Expired,
    #[error(transparent)]
    Name(#[from] InvalidTokenName),
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Errors of authenticating a token.
#[derive(Debug, Error)]
pub enum AuthenticateError {
    #[error("the API token is wrong, expired or revoked")]
    Refused,
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Errors of listing and revoking tokens.
#[derive(Debug, Error)]
pub enum TokensError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such token, or it was already revoked.
    #[error("there is no active token with this id")]
    NotFound,
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use secrecy::ExposeSecret as _;
    use waggle_kernel::ids::TokenId;
    use waggle_kernel::{FixedClock, MockEntropy, MockLimits};

    use super::*;
    use crate::people::role::Role;
    use crate::people::user::User;
    use crate::ports::MockTokenRepository;
    use crate::testing::scene::{policy, visitor};
    use crate::testing::user;
    use crate::tokens::token::ApiToken;

    fn tokens(repository: MockTokenRepository, clock: Arc<FixedClock>) -> Tokens {
        let mut entropy = MockEntropy::new();
        entropy.expect_bytes().returning(|| Ok([42; 32]));
        let limits = Arc::new(MockLimits::new());
        Tokens { tokens: Arc::new(repository), limits, clock, entropy: Arc::new(entropy) }
    }

    fn wanted(scopes: &[Scope], expires_at: Option<DateTime<Utc>>) -> WantedToken {
        let (name, scopes) = ("n8n".to_owned(), Scopes::of(scopes));
        WantedToken { name, owner: None, scopes, expires_at }
    }

    /// Returns a repository with one token, and the token's text.
    async fn with_one(
        expires_at: Option<DateTime<Utc>>,
        revoked_at: Option<DateTime<Utc>>,
        last_used_at: Option<DateTime<Utc>>,
        owner: Option<User>,
    ) -> (MockTokenRepository, String) {
        let mut inserting = MockTokenRepository::new();
        inserting.expect_insert().returning(|_, _| Ok(TokenId::new(1)));
        let made = tokens(inserting, Arc::new(FixedClock::noon()))
            .create(
                &Actor::system(),
                &wanted(&[Scope::Ingest, Scope::Approve], None),
                &Client::default(),
            )
            .await
            .unwrap();
        let mut repository = MockTokenRepository::new();
        let (kept, hash) = (made.token.clone(), made.token.hash.clone());
        repository.expect_find().returning(move |_| {
            let token = ApiToken {
                id: TokenId::new(1),
                public_id: kept.public_id.clone(),
                name: kept.name.clone(),
                owner: owner.as_ref().map(|owner| owner.id),
                scopes: kept.scopes,
                created_at: kept.created_at,
                expires_at,
                revoked_at,
                last_used_at,
            };
            Ok(Some(KnownToken { token, hash: hash.clone(), owner: owner.clone() }))
        });
        (repository, made.secret.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn a_token_authenticates_with_its_scopes_and_its_use_is_recorded() {
        let (mut repository, text) = with_one(None, None, None, None).await;
        repository.expect_touch().times(1).returning(|_, _| Ok(()));

        let actor = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&text).await;

        assert_eq!(actor.unwrap().scopes(), Scopes::of(&[Scope::Ingest, Scope::Approve]));
    }

    #[tokio::test]
    async fn a_token_is_limited_by_its_owner_and_rejected_if_the_owner_is_deactivated() {
        let now = Some(FixedClock::noon().now());
        let (repository, text) = with_one(None, None, now, Some(user(3, Role::Editor))).await;
        let clock = Arc::new(FixedClock::noon());

        let actor = tokens(repository, Arc::clone(&clock)).authenticate(&text).await.unwrap();

        assert_eq!(actor.scopes(), Scopes::of(&[Scope::Ingest]));
        let mut shut_out = user(3, Role::Admin);
        shut_out.is_active = false;
        let (repository, text) = with_one(None, None, now, Some(shut_out)).await;
        let result = tokens(repository, clock).authenticate(&text).await;
        assert!(matches!(result, Err(AuthenticateError::Refused)), "{result:?}");
    }

    #[tokio::test]
    async fn a_user_creates_a_token_and_is_notified() {
        let mut repository = MockTokenRepository::new();
        let mut answers = vec![None, Some(TokenId::new(1))];
        repository
            .expect_insert_own()
            .withf(|owner, token, session, event| {
                let is_theirs = token.owner == Some(*owner) && owner.number() == 3;
                is_theirs && session.number() == 1 && event.mails.len() == 1
            })
            .times(2)
            .returning(move |_, _, _, _| Ok(answers.pop().unwrap()));
        let mut tokens = tokens(repository, Arc::new(FixedClock::noon()));
        let mut limits = MockLimits::new();
        limits.expect_take().returning(|_, _| Ok(None));
        tokens.limits = Arc::new(limits);
        let (viewer, client) = (visitor(Duration::zero()), Client::default());
        let (policy, wanted_read) = (policy(), wanted(&[Scope::Read], None));

        let made = tokens.create_own(&viewer, &wanted_read, &client, &policy).await;
        let more = wanted(&[Scope::Read, Scope::Approve], None);
        let too_much = tokens.create_own(&viewer, &more, &client, &policy).await;
        let stale = visitor(policy.recent + Duration::seconds(1));
        let too_late = tokens.create_own(&stale, &wanted_read, &client, &policy).await;

        let ended = tokens.create_own(&viewer, &wanted_read, &client, &policy).await;

        assert!(made.is_ok());
        assert!(matches!(ended.err(), Some(CreateTokenError::Ended)));
        assert!(matches!(too_much.err(), Some(CreateTokenError::TooMuch(Scope::Approve))));
        assert!(matches!(too_late.err(), Some(CreateTokenError::NotRecent(_))));
    }

    #[tokio::test]
    async fn use_is_recorded_at_most_once_a_minute() {
        let (mut repository, text) =
            with_one(None, None, Some(FixedClock::noon().now()), None).await;
        repository.expect_touch().never();

        let actor = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&text).await;

        assert!(actor.is_ok(), "{actor:?}");
    }

    #[tokio::test]
    async fn expired_and_revoked_tokens_are_refused_alike() {
        let past = Some(FixedClock::noon().now());
        for (expires_at, revoked_at) in [(past, None), (None, past)] {
            let (repository, text) = with_one(expires_at, revoked_at, None, None).await;

            let result = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&text).await;

            assert!(matches!(result, Err(AuthenticateError::Refused)), "{result:?}");
        }
    }

    #[tokio::test]
    async fn a_token_with_a_changed_secret_is_refused() {
        let (repository, text) = with_one(None, None, None, None).await;
        let forged = text.replace('q', "Q").replace('K', "k");
        assert_ne!(forged, text);

        let result = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&forged).await;

        assert!(matches!(result, Err(AuthenticateError::Refused)), "{result:?}");
    }

    #[tokio::test]
    async fn a_token_without_scopes_or_already_expired_is_not_created() {
        let refused = tokens(MockTokenRepository::new(), Arc::new(FixedClock::noon()));

        let (system, client) = (Actor::system(), Client::default());
        let past = Some(FixedClock::noon().now());
        let without_scope = refused.create(&system, &wanted(&[], None), &client).await.unwrap_err();
        let over = wanted(&[Scope::Read], past);
        let expired = refused.create(&system, &over, &client).await.unwrap_err();

        assert!(matches!(without_scope, CreateTokenError::NoScope), "{without_scope:?}");
        assert!(matches!(expired, CreateTokenError::Expired), "{expired:?}");
    }
}
