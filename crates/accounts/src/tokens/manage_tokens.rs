//! Tokens are made, shown, listed and ended.

use std::sync::Arc;

use chrono::Duration;
use secrecy::SecretString;
use serde_json::json;
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{Actor, Clock, Entropy, Forbidden, PortError, Scope, Scopes};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::budget::Exhausted;
use crate::limits::TOKEN_USER;
use crate::mails::mail::{Letter, NewMail};
use crate::policy::AccountPolicy;
use crate::ports::{KnownToken, Limits, TokenRepository};
use crate::sessions::manage_sessions::{NotRecent, Visitor};
use crate::tokens::token::{
    InvalidTokenName, NewApiToken, OwnedToken, PresentedToken, WantedToken,
};

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
    /// How often.
    pub limits: Arc<dyn Limits>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What they are made of.
    pub entropy: Arc<dyn Entropy>,
}

impl Tokens {
    /// Makes a token, for the operator.
    ///
    /// # Errors
    ///
    /// [`CreateTokenError`]; then none is made.
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

    /// Makes a token of the visitor, with rights that the visitor has, who is told by mail.
    ///
    /// # Errors
    ///
    /// [`CreateTokenError`]; then none is made.
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
        actor.require(Scope::Admin)?;
        let scopes = Scopes::of(&[Scope::Admin]);
        let wanted = WantedToken { name: name.to_owned(), owner: None, scopes, expires_at: None };
        let created = self.make(&wanted)?;
        let (kind, client) = (EventKind::TokenCreated, Client::default());
        let event = self.event(kind, actor, &client, &created.token.public_id);
        Ok(self.tokens.insert_first(&created.token, &event).await?.map(|_| created))
    }

    /// The actor that bears this token, who may do what both the token and its owner may.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`]; a wrong, an unknown, an expired and a revoked token, and one of somebody who is shut out, are not
    /// told apart.
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
            // That this cannot be written at the moment is no reason to refuse a request.
            let _ = self.tokens.touch(token.id, now).await;
        }
        let of_owner = owner.map(|owner| owner.effective_role().scopes());
        let scopes = of_owner.map_or(token.scopes, |of_owner| token.scopes.and(of_owner));
        Ok(Actor::token(token.id, token.name, scopes))
    }

    /// Every token, oldest first.
    ///
    /// # Errors
    ///
    /// [`TokensError`].
    pub async fn list(&self, actor: &Actor) -> Result<Vec<OwnedToken>, TokensError> {
        actor.require(Scope::Admin)?;
        Ok(self.tokens.list(None).await?)
    }

    /// The visitor's own tokens, oldest first.
    ///
    /// # Errors
    ///
    /// [`TokensError::Port`].
    pub async fn list_own(&self, visitor: &Visitor) -> Result<Vec<OwnedToken>, TokensError> {
        Ok(self.tokens.list(Some(visitor.user.id)).await?)
    }

    /// Ends the token with this public id, or the one that begins so, as it is shown.
    ///
    /// # Errors
    ///
    /// [`TokensError`]; [`TokensError::NotFound`] if no living token has it.
    pub async fn revoke(
        &self,
        actor: &Actor,
        id: &str,
        client: &Client,
    ) -> Result<(), TokensError> {
        actor.require(Scope::Admin)?;
        self.end(actor, id, None, client).await
    }

    /// Ends one of the visitor's own tokens.
    ///
    /// # Errors
    ///
    /// [`TokensError`]; [`TokensError::NotFound`] if none of the visitor's living tokens has the id.
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
            actor: actor.to_string(),
            metadata: json!({ "token": token }),
            ..NewAuthEvent::new(kind, client, self.clock.now())
        }
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
    /// The maker may not do that himself.
    #[error("a token cannot have the scope '{0}', which its owner does not have")]
    TooMuch(Scope),
    /// It is long ago that the maker proved who they are.
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    /// The session ended meanwhile.
    #[error("the session has ended; sign in again")]
    Ended,
    /// Too many were made.
    #[error("too many tokens were made; try again later")]
    Limited(Exhausted),
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
    use chrono::{DateTime, Utc};
    use secrecy::ExposeSecret as _;
    use waggle_kernel::ids::TokenId;
    use waggle_kernel::{FixedClock, MockEntropy};

    use super::*;
    use crate::people::role::Role;
    use crate::people::user::User;
    use crate::ports::{MockLimits, MockTokenRepository};
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

    /// A repository with one token, the text of which is returned.
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
    async fn a_token_lets_in_with_its_scopes_and_its_use_is_written_down() {
        let (mut repository, text) = with_one(None, None, None, None).await;
        repository.expect_touch().times(1).returning(|_, _| Ok(()));

        let actor = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&text).await;

        assert_eq!(actor.unwrap().scopes(), Scopes::of(&[Scope::Ingest, Scope::Approve]));
    }

    #[tokio::test]
    async fn a_token_may_do_no_more_than_its_owner_and_nothing_for_one_who_is_shut_out() {
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
    async fn a_user_makes_a_token_of_their_own_and_is_told() {
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
    async fn use_is_written_down_once_a_minute_at_most() {
        let (mut repository, text) =
            with_one(None, None, Some(FixedClock::noon().now()), None).await;
        repository.expect_touch().never();

        let actor = tokens(repository, Arc::new(FixedClock::noon())).authenticate(&text).await;

        assert!(actor.is_ok(), "{actor:?}");
    }

    #[tokio::test]
    async fn an_expired_and_a_revoked_token_are_refused_alike() {
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
    async fn a_token_without_scopes_or_time_is_not_made() {
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
