//! Registration: people create their own user by verifying an email address.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{Clock, PortError};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::codes::code::{Intent, Purpose, Registration};
use crate::codes::mailed_codes::{CodeError, Codes, Issued, Presented, Wanted};
use crate::google::identity::GoogleIdentity;
use crate::limits::REGISTER_CLIENT;
use crate::mails::mail::{Letter, NewMail};
use crate::people::address::{Address, InvalidAddress};
use crate::people::manage_users::own;
use crate::people::password::{NewPassword, PasswordRefused, StoredPassword};
use crate::people::user::{
    InvalidName, InvalidUsername, Login, MOST_NAMES, NewUser, PersonName, User, derived,
};
use crate::policy::AccountPolicy;
use crate::ports::{CarryOutError, Effect, PasswordHasher, UserRepository};
use crate::tokens::token::StoredHash;

/// Registers new users.
pub struct Register {
    pub codes: Arc<Codes>,
    pub users: Arc<dyn UserRepository>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub clock: Arc<dyn Clock>,
}

/// What somebody enters to register.
pub struct Application {
    pub email: String,
    /// The name to sign in with; `None` derives it from the part before the `@`.
    pub username: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub password: SecretString,
}

impl Register {
    /// Mails a code to the address. Neither the response nor its timing reveals whether the address
    /// already has a user; that user is notified by email instead.
    ///
    /// # Errors
    ///
    /// On any error, nothing is mailed.
    pub async fn request(
        &self,
        wanted: &Application,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Issued, RegisterError> {
        if !policy.is_registration_open {
            return Err(RegisterError::Closed);
        }
        let email: Address = wanted.email.trim().parse()?;
        let username = match &wanted.username {
            Some(name) => name.trim().parse()?,
            None => derived(&email, 0)?,
        };
        let (first_name, last_name): (PersonName, PersonName) =
            (wanted.first_name.parse()?, wanted.last_name.parse()?);
        let own = own(&username, &email, &first_name, &last_name);
        let password = NewPassword::parse(&wanted.password, &own)?;
        let purpose = Purpose::EmailVerification;
        let of_client = policy.limits.of_client(&REGISTER_CLIENT, client);
        self.codes.allow_asking(of_client, purpose, client, policy).await?;
        let now = self.clock.now();
        let mut event = NewAuthEvent::new(EventKind::RegisterRequest, client, now);
        event.email = email.to_string();
        if !policy.admission.admits(&email) {
            event.kind = EventKind::RegisterBreach;
            self.codes.events.record(&event).await?;
            return Err(RegisterError::ForeignDomain);
        }
        self.codes.allow_mailing(purpose, &email, None, client, policy).await?;
        let password = self.hasher.hash(password.text()).await?;
        let taken = self.users.find_login(&Login::Email(email.clone())).await?;
        let (intent, instead) = match taken {
            None => {
                let registration = Registration { username, first_name, last_name, password };
                (Intent::Register(registration), None)
            }
            Some((user, _)) => {
                event.user = Some(user.id);
                (Intent::Nothing, user.is_active.then_some(Letter::AddressTaken))
            }
        };
        let wanted = Wanted { purpose, address: &email, intent, instead, event };
        Ok(self.codes.issue(wanted, policy).await?)
    }

    /// Creates the user, with a verified address. With a link, a new password is required, because
    /// somebody else may have requested the email.
    ///
    /// # Errors
    ///
    /// On any error, no user is created.
    pub async fn confirm(
        &self,
        presented: &Presented,
        password: Option<&SecretString>,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(User, StoredPassword), RegisterError> {
        if presented.is_link() && password.is_none() {
            return Err(RegisterError::NoPassword);
        }
        let purpose = Purpose::EmailVerification;
        let found = self.codes.check(presented, purpose, client, policy).await?;
        let Intent::Register(registration) = found.intent else {
            return Err(CodeError::Refused.into());
        };
        if !policy.admission.admits(&found.address) {
            return Err(RegisterError::ForeignDomain);
        }
        let chosen = match password {
            None => registration.password.clone(),
            Some(password) => {
                let Registration { username, first_name, last_name, .. } = &registration;
                let own = own(username, &found.address, first_name, last_name);
                self.hasher.hash(NewPassword::parse(password, &own)?.text()).await?
            }
        };
        let newcomer = Newcomer {
            registration: Registration { password: chosen, ..registration },
            email: &found.address,
            google: None,
        };
        let id = self.codes.make_user(Some(found.flow), newcomer, client, policy).await?;
        let id = id.ok_or(CodeError::Refused)?;
        let login = Login::Email(found.address);
        let made = self.users.find_login(&login).await?.filter(|(user, _)| user.id == id);
        Ok(made.ok_or(CodeError::Refused)?)
    }
}

/// Somebody who has verified an address.
pub(crate) struct Newcomer<'a> {
    pub(crate) registration: Registration,
    pub(crate) email: &'a Address,
    pub(crate) google: Option<GoogleIdentity>,
}

impl Codes {
    /// Creates a user and uses up the code in one step. Returns `None` if the code cannot be used
    /// any more, or another user has the address.
    pub(crate) async fn make_user(
        &self,
        flow: Option<StoredHash>,
        newcomer: Newcomer<'_>,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Option<UserId>, RegisterError> {
        let Newcomer { registration, email, google } = newcomer;
        let now = self.clock.now();
        let method = if google.is_some() { "google" } else { "email" };
        let mut user = NewUser {
            username: registration.username,
            email: email.clone(),
            email_verified_at: Some(now),
            first_name: registration.first_name,
            last_name: registration.last_name,
            role: policy.new_user_role,
            is_super_admin: false,
            password: registration.password,
            date_joined: now,
        };
        for number in 2..MOST_NAMES {
            let mut event = NewAuthEvent::new(EventKind::Registered, client, now);
            event.email = email.to_string();
            event.metadata = json!({ "method": method, "username": user.username.as_str() });
            let letter = Letter::NewUser {
                email: email.clone(),
                name: format!("{} {}", user.first_name.as_str(), user.last_name.as_str())
                    .trim()
                    .to_owned(),
                username: user.username.to_string(),
                method: method.to_owned(),
                ip: client.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            };
            let tell = |to: &Address| NewMail::notice(to.clone(), letter.clone(), now);
            event.mails = policy.caretakers().iter().map(tell).collect();
            let effect = Effect::MakeUser { user: user.clone(), google: google.clone() };
            match self.verifications.carry_out(flow.clone(), &effect, &event).await {
                Ok(made) => return Ok(made),
                Err(CarryOutError::AddressTaken) => return Ok(None),
                Err(CarryOutError::UsernameTaken) => user.username = derived(email, number)?,
                Err(CarryOutError::Port(error)) => return Err(error.into()),
            }
        }
        Err(RegisterError::NoName)
    }
}

/// Errors of [`Register`].
#[derive(Debug, Error)]
pub enum RegisterError {
    /// Only admins can create users.
    #[error("registration is closed; ask an admin for an account")]
    Closed,
    #[error("email: {0}")]
    Address(#[from] InvalidAddress),
    #[error("username: {0}")]
    Username(#[from] InvalidUsername),
    #[error("first_name or last_name: {0}")]
    Name(#[from] InvalidName),
    #[error("password: {0}")]
    Password(#[from] PasswordRefused),
    /// A link requires a new password.
    #[error("password: choose a new password when you use the link from an email")]
    NoPassword,
    /// The domain of the address is not allowed.
    #[error("addresses of this domain are not allowed")]
    ForeignDomain,
    /// All user names like this one are taken.
    #[error("username: this name and similar ones are taken; choose another")]
    NoName,
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use waggle_kernel::FixedClock;

    use super::*;
    use crate::people::role::Role;
    use crate::ports::{MockPasswordHasher, MockUserRepository};
    use crate::testing::scene::{Scene, policy, presented};
    use crate::testing::user;

    fn application(email: &str) -> Application {
        Application {
            email: email.to_owned(),
            username: None,
            first_name: String::new(),
            last_name: String::new(),
            password: "correct staple, battery horse".into(),
        }
    }

    /// Registers with `email`, where `found` is the user of every address. `times` is how often a
    /// password is hashed.
    async fn request(
        scene: Scene,
        found: Option<User>,
        times: usize,
        email: &str,
    ) -> Result<Issued, RegisterError> {
        let (mut users, mut hasher) = (MockUserRepository::new(), MockPasswordHasher::new());
        users
            .expect_find_login()
            .returning(move |_| Ok(found.clone().map(|user| (user, StoredPassword::none()))));
        hasher
            .expect_hash()
            .times(times)
            .returning(|_| Ok(StoredPassword("$argon2id$".to_owned())));
        let register = Register {
            codes: scene.codes(),
            users: Arc::new(users),
            hasher: Arc::new(hasher),
            clock: Arc::new(FixedClock::noon()),
        };
        register.request(&application(email), &Client::default(), &policy()).await
    }

    #[tokio::test]
    async fn registering_mails_a_code_and_stores_only_a_password_hash() {
        let mut scene = Scene::new();
        scene
            .verifications
            .expect_keep()
            .withf(|new, event| {
                matches!(&new.intent, Intent::Register(who) if who.password.0 == "$argon2id$")
                    && event.mails.iter().all(|mail| mail.proof.is_some())
                    && event.mails.len() == 1
            })
            .once()
            .returning(|_, _| Ok(()));

        assert!(request(scene, None, 1, "joe@hive.example").await.is_ok());
    }

    #[tokio::test]
    async fn registering_a_taken_address_does_the_same_work_and_notifies_the_owner() {
        let mut shut_out = user(3, Role::Admin);
        shut_out.is_active = false;
        for (owner, mails) in [(user(3, Role::Admin), 1), (shut_out, 0)] {
            let mut scene = Scene::new();
            scene
                .verifications
                .expect_keep()
                .withf(move |new, event| {
                    new.intent == Intent::Nothing
                        && event.mails.len() == mails
                        && event.mails.iter().all(|mail| mail.letter == Letter::AddressTaken)
                })
                .once()
                .returning(|_, _| Ok(()));

            assert!(request(scene, Some(owner), 1, "joe@hive.example").await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_domain_that_is_not_allowed_is_recorded_without_hashing() {
        let mut scene = Scene::new();
        scene
            .events
            .expect_record()
            .withf(|event| event.kind == EventKind::RegisterBreach)
            .once()
            .returning(|_| Ok(()));

        let refused = request(scene, None, 0, "joe@sub.hive.example").await;

        assert!(matches!(refused, Err(RegisterError::ForeignDomain)), "{refused:?}");
    }

    #[tokio::test]
    async fn a_taken_name_gets_a_number() {
        let registration = Registration {
            username: "joe".parse().unwrap(),
            first_name: PersonName::default(),
            last_name: PersonName::default(),
            password: StoredPassword::none(),
        };
        let intent = Intent::Register(registration);
        let mut scene = Scene::new().with_code(Purpose::EmailVerification, intent);
        let mut taken = vec!["joe2", "joe"];
        scene.verifications.expect_carry_out().returning(move |_, effect, _| {
            let Effect::MakeUser { user, .. } = effect else { panic!("{effect:?}") };
            if let Some(name) = taken.pop() {
                assert_eq!(user.username.as_str(), name);
                return Err(CarryOutError::UsernameTaken);
            }
            assert_eq!((user.username.as_str(), user.role), ("joe3", Role::Viewer));
            assert!(user.email_verified_at.is_some() && !user.is_super_admin);
            Ok(Some(UserId::new(3)))
        });
        let mut users = MockUserRepository::new();
        let made = (user(3, Role::Viewer), StoredPassword::none());
        users.expect_find_login().returning(move |_| Ok(Some(made.clone())));
        let register = Register {
            codes: scene.codes(),
            users: Arc::new(users),
            hasher: Arc::new(MockPasswordHasher::new()),
            clock: Arc::new(FixedClock::noon()),
        };

        let made = register
            .confirm(&presented("123456"), None, &Client::default(), &policy())
            .await
            .unwrap();

        assert_eq!(made.0.id, UserId::new(3));
    }

    #[test]
    fn a_user_name_is_derived_from_the_local_part() {
        let of = |text: &str| derived(&text.parse().unwrap(), 0).unwrap().to_string();

        assert_eq!(of("Joe.Doe@hive.example"), "joe.doe");
        assert_eq!(of("o'brien@hive.example"), "obrien");
        assert_eq!(of("'@hive.example"), "user");
    }
}
