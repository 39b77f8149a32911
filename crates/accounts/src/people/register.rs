//! Somebody becomes a user by showing that an address is theirs.

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

/// Makes users of those who ask to be.
pub struct Register {
    /// Mails codes and checks them.
    pub codes: Arc<Codes>,
    /// Who there is.
    pub users: Arc<dyn UserRepository>,
    /// Hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// What somebody says who wants to be a user.
pub struct Application {
    /// The mail address.
    pub email: String,
    /// The name to sign in with; what stands in front of the `@` when nothing is said.
    pub username: Option<String>,
    /// The given name.
    pub first_name: String,
    /// The family name.
    pub last_name: String,
    /// The password.
    pub password: SecretString,
}

impl Register {
    /// Mails a code to the address. Whether it has a user is not told, neither by words nor by time; its owner is told
    /// by mail instead.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; then nothing is mailed.
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

    /// Makes the user, whose address is verified thereby. Whoever shows the link chooses the password anew: it may have been
    /// somebody else who asked for the mail.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; then no user is made.
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

/// Somebody who has shown that an address is theirs.
pub(crate) struct Newcomer<'a> {
    pub(crate) registration: Registration,
    pub(crate) email: &'a Address,
    pub(crate) google: Option<GoogleIdentity>,
}

impl Codes {
    /// Makes a user, and uses the code up in the same step; `None` if it was of no use any more, or somebody else has the
    /// address.
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

/// Why nobody became a user.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// Users are made by admins alone.
    #[error("registration is closed; ask an admin for an account")]
    Closed,
    /// The address is none.
    #[error("email: {0}")]
    Address(#[from] InvalidAddress),
    /// The name is none.
    #[error("username: {0}")]
    Username(#[from] InvalidUsername),
    /// A name is none.
    #[error("first_name or last_name: {0}")]
    Name(#[from] InvalidName),
    /// The password is not taken.
    #[error("password: {0}")]
    Password(#[from] PasswordRefused),
    /// The link needs a password beside it.
    #[error("password: with the link of a mail the password has to be chosen anew")]
    NoPassword,
    /// People of this domain are not let in.
    #[error("addresses of this domain are not let in")]
    ForeignDomain,
    /// Every name like this one is taken.
    #[error("username: this one and those like it are taken; choose another")]
    NoName,
    /// The code was not mailed or not taken.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// Something behind it could not answer.
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

    /// Registers where `found` has every address; `times` says how often a password is hashed.
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
    async fn somebody_new_is_mailed_a_code_and_the_password_is_kept_as_a_hash() {
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
    async fn the_same_is_done_for_a_taken_address_whose_owner_is_told() {
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
    async fn a_foreign_domain_is_written_down_and_costs_no_hash() {
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
    fn a_name_is_made_of_what_stands_in_front() {
        let of = |text: &str| derived(&text.parse().unwrap(), 0).unwrap().to_string();

        assert_eq!(of("Joe.Doe@hive.example"), "joe.doe");
        assert_eq!(of("o'brien@hive.example"), "obrien");
        assert_eq!(of("'@hive.example"), "user");
    }
}
