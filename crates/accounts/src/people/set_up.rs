//! The first admin of a new installation, who comes by a one-time link.
//!
//! People who can read the output of the server, or run its commands, are its operators. Without
//! the link, the first visitor of a new installation would own it.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use thiserror::Error;
use waggle_kernel::{Actor, Clock, Entropy, Exhausted, Forbidden, Limits, PortError, Scope};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::codes::code::SetupToken;
use crate::limits::{LimitTable, SETUP_CLIENT};
use crate::people::manage_users::{ManageUsersError, Wanted, new_user};
use crate::people::password::StoredPassword;
use crate::people::role::Role;
use crate::people::setup_link::{SETUP_LINK_LIFE, SetUpEnded, SetupLink};
use crate::people::user::User;
use crate::ports::{AuthEventRepository, PasswordHasher, SetupRepository, UserRepository};

/// Makes the first admin.
pub struct SetUp {
    pub setup: Arc<dyn SetupRepository>,
    pub users: Arc<dyn UserRepository>,
    pub events: Arc<dyn AuthEventRepository>,
    pub limits: Arc<dyn Limits>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// The data of the first admin.
pub struct FirstAdmin {
    pub email: String,
    /// The name to sign in with; `None` takes the part before the `@`.
    pub username: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub password: SecretString,
}

impl SetUp {
    /// Creates a link, in place of an earlier one. Returns `None` if there is a user.
    ///
    /// # Errors
    ///
    /// [`SetUpError::Forbidden`] without the scope `admin`.
    pub async fn link(&self, actor: &Actor) -> Result<Option<SetupLink>, SetUpError> {
        actor.require(Scope::Admin)?;
        let token = SetupToken::make(&self.entropy.bytes()?);
        let now = self.clock.now();
        let expires_at = now + SETUP_LINK_LIFE;
        let event = NewAuthEvent {
            by: actor.reference(),
            metadata: json!({ "expires_at": expires_at }),
            ..NewAuthEvent::new(EventKind::SetupLinkCreated, &Client::default(), now)
        };
        let is_stored = self.setup.store_link(&token.hash(), expires_at, &event).await?;
        Ok(is_stored.then_some(SetupLink { token, expires_at }))
    }

    /// Whether the first admin can be made: there is no user yet.
    pub async fn is_open(&self) -> Result<bool, SetUpError> {
        Ok(self.setup.has_no_user().await?)
    }

    /// Creates the first admin with the token of a link, and uses the link up. Returns the user
    /// with the password hash, to sign in. The domain of the address need not be an allowed one.
    ///
    /// # Errors
    ///
    /// On any error, no user is created and the link stays valid.
    pub async fn complete(
        &self,
        token: &str,
        admin: FirstAdmin,
        client: &Client,
        limits: &LimitTable,
    ) -> Result<(User, StoredPassword), SetUpError> {
        let now = self.clock.now();
        // Afterwards, nothing here answers any more, whatever the token.
        if !self.setup.has_no_user().await? {
            return Err(SetUpError::Closed);
        }
        let budgets: Vec<_> = limits.of_client(&SETUP_CLIENT, client).into_iter().collect();
        if let Some(exhausted) = self.limits.take(&budgets, now).await? {
            return Err(SetUpError::Limited(exhausted));
        }
        let Some(token) = SetupToken::parse(token) else { return self.refused(client).await };
        // Before the password is hashed, which takes long.
        if !self.setup.is_link(&token.hash(), now).await? {
            return self.refused(client).await;
        }
        // Only wrong links count.
        self.limits.give_back(&budgets).await?;
        let FirstAdmin { email, username, first_name, last_name, password } = admin;
        let (role, password) = (Role::Admin, Some(password));
        let wanted = Wanted { email, username, first_name, last_name, role, password };
        let user = new_user(&wanted, &*self.hasher, now, |_| true).await?;
        let event = NewAuthEvent {
            email: user.email.to_string(),
            metadata: json!({ "role": user.role.name(), "username": user.username.as_str() }),
            ..NewAuthEvent::new(EventKind::UserCreated, client, now)
        };
        match self.setup.complete(&token.hash(), &user, &event).await? {
            SetUpEnded::Done(id) => {
                let found = self.users.find(id).await?.ok_or(SetUpError::Closed)?;
                Ok((found, user.password))
            }
            SetUpEnded::Closed => Err(SetUpError::Closed),
            SetUpEnded::Refused => self.refused(client).await,
        }
    }

    async fn refused<T>(&self, client: &Client) -> Result<T, SetUpError> {
        let event = NewAuthEvent::new(EventKind::SetupFailure, client, self.clock.now());
        self.events.record(&event).await?;
        Err(SetUpError::Refused)
    }
}

/// Errors of [`SetUp`].
#[derive(Debug, Error)]
pub enum SetUpError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is a user already.
    #[error("Waggle is set up already; sign in, or ask an admin to add you")]
    Closed,
    /// The link is wrong, expired, or was replaced by another one.
    #[error("this set-up link is not valid; print a new one with `waggle setup-link`")]
    Refused,
    /// Too many links were tried.
    #[error("too many attempts; try again later")]
    Limited(Exhausted),
    /// The data of the user is invalid.
    #[error(transparent)]
    User(#[from] ManageUsersError),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use waggle_kernel::{FixedClock, MockEntropy, MockLimits};

    use super::*;
    use crate::ports::{
        MockAuthEventRepository, MockPasswordHasher, MockSetupRepository, MockUserRepository,
    };

    fn set_up(setup: MockSetupRepository) -> SetUp {
        let mut limits = MockLimits::new();
        limits.expect_take().returning(|_, _| Ok(None));
        limits.expect_give_back().returning(|_| Ok(()));
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_hash().returning(|_| Ok(StoredPassword("hash".to_owned())));
        let mut entropy = MockEntropy::new();
        entropy.expect_bytes().returning(|| Ok([7; 32]));
        let mut events = MockAuthEventRepository::new();
        events.expect_record().returning(|event| {
            assert_eq!(event.kind, EventKind::SetupFailure);
            Ok(())
        });
        SetUp {
            setup: Arc::new(setup),
            users: Arc::new(MockUserRepository::new()),
            events: Arc::new(events),
            limits: Arc::new(limits),
            hasher: Arc::new(hasher),
            clock: Arc::new(FixedClock::noon()),
            entropy: Arc::new(entropy),
        }
    }

    fn admin(password: &str) -> FirstAdmin {
        FirstAdmin {
            email: "ana@anywhere.example".to_owned(),
            username: None,
            first_name: String::new(),
            last_name: String::new(),
            password: password.into(),
        }
    }

    async fn complete(setup: MockSetupRepository, token: &str, password: &str) -> SetUpError {
        let (client, limits) = (Client::default(), LimitTable::default());
        set_up(setup).complete(token, admin(password), &client, &limits).await.unwrap_err()
    }

    fn open() -> MockSetupRepository {
        let mut setup = MockSetupRepository::new();
        setup.expect_has_no_user().returning(|| Ok(true));
        let hash = SetupToken::make(&[7; 32]).hash();
        setup.expect_is_link().returning(move |token, _| Ok(*token == hash));
        setup
    }

    #[tokio::test]
    async fn a_link_is_valid_for_a_day_and_only_its_hash_is_stored() {
        let mut setup = MockSetupRepository::new();
        setup.expect_store_link().returning(|hash, expires_at, _| {
            assert_eq!(*hash, SetupToken::make(&[7; 32]).hash());
            assert_eq!(expires_at - FixedClock::noon().now(), Duration::hours(24));
            Ok(true)
        });

        let link = set_up(setup).link(&Actor::system()).await.unwrap().unwrap();

        assert!(link.token.text().starts_with("wgs_"));
        let nobody = Actor::system().limited_to(waggle_kernel::Scopes::of(&[Scope::Write]));
        let refused = set_up(MockSetupRepository::new()).link(&nobody).await;
        assert!(matches!(refused, Err(SetUpError::Forbidden(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn there_is_no_link_once_there_is_a_user() {
        let mut setup = MockSetupRepository::new();
        setup.expect_store_link().returning(|_, _, _| Ok(false));
        assert!(set_up(setup).link(&Actor::system()).await.unwrap().is_none());

        let mut setup = MockSetupRepository::new();
        setup.expect_has_no_user().returning(|| Ok(false));
        let error = complete(setup, "wgs_x", "correct staple, battery").await;
        assert!(matches!(error, SetUpError::Closed), "{error}");
    }

    #[tokio::test]
    async fn wrong_tokens_and_weak_passwords_make_no_admin() {
        let token = SetupToken::make(&[7; 32]);
        for wrong in ["nonsense", SetupToken::make(&[8; 32]).text()] {
            let error = complete(open(), wrong, "correct staple, battery").await;
            assert!(matches!(error, SetUpError::Refused), "{error}");
        }

        let error = complete(open(), token.text(), "ana").await;
        assert!(matches!(error, SetUpError::User(ManageUsersError::Password(_))), "{error}");

        let mut setup = open();
        setup.expect_complete().returning(|_, user, _| {
            assert_eq!((user.role, user.username.as_str()), (Role::Admin, "ana"));
            Ok(SetUpEnded::Refused)
        });
        let error = complete(setup, token.text(), "correct staple, battery").await;
        assert!(matches!(error, SetUpError::Refused), "{error}");
    }
}
