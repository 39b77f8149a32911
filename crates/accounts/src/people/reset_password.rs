//! Users who forgot their password set a new one by verifying their email address.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use thiserror::Error;
use waggle_kernel::{Clock, PortError};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::codes::code::{Intent, Purpose};
use crate::codes::mailed_codes::{CodeError, Codes, Issued, Presented, Wanted};
use crate::limits::RESET_CLIENT;
use crate::mails::mail::{Letter, NewMail};
use crate::people::address::{Address, InvalidAddress};
use crate::people::password::{NewPassword, PasswordRefused};
use crate::people::user::Login;
use crate::policy::AccountPolicy;
use crate::ports::{CarryOutError, Effect, PasswordHasher, UserRepository};
use crate::sessions::sign_in::failures_of;
use crate::tokens::token::TokensOnReset;

/// Resets forgotten passwords.
pub struct ResetPassword {
    pub codes: Arc<Codes>,
    pub users: Arc<dyn UserRepository>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub clock: Arc<dyn Clock>,
}

impl ResetPassword {
    /// Mails a code if an active user has the address. Neither the response nor its timing reveals
    /// whether there is one.
    ///
    /// # Errors
    ///
    /// On any error, nothing is mailed.
    pub async fn request(
        &self,
        email: &str,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Issued, ResetPasswordError> {
        let email: Address = email.trim().parse()?;
        let (purpose, of_client) =
            (Purpose::PasswordReset, policy.limits.of_client(&RESET_CLIENT, client));
        self.codes.allow_asking(of_client, purpose, client, policy).await?;
        self.codes.allow_mailing(purpose, &email, None, client, policy).await?;
        let mut event =
            NewAuthEvent::new(EventKind::PasswordResetRequest, client, self.clock.now());
        event.email = email.to_string();
        let found = self.users.find_login(&Login::Email(email.clone())).await?;
        event.user = found.as_ref().map(|(user, _)| user.id);
        if found.is_none() && !policy.admission.admits(&email) {
            event.kind = EventKind::PasswordResetBreach;
        }
        let active = found.filter(|(user, _)| user.is_active);
        let intent = active.map_or(Intent::Nothing, |(user, _)| Intent::ResetPassword(user.id));
        let wanted = Wanted { purpose, address: &email, intent, instead: None, event };
        Ok(self.codes.issue(wanted, policy).await?)
    }

    /// Sets the new password. This ends all sessions and other codes of the user, verifies the
    /// email address, and notifies the user by email. A deactivated user stays deactivated.
    ///
    /// # Errors
    ///
    /// On any error, the password stays unchanged. A correct code can then be used again.
    pub async fn complete(
        &self,
        presented: &Presented,
        password: &SecretString,
        tokens: TokensOnReset,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), ResetPasswordError> {
        NewPassword::parse(password, &[])?;
        let purpose = Purpose::PasswordReset;
        let found = self.codes.check(presented, purpose, client, policy).await?;
        let Intent::ResetPassword(id) = found.intent else {
            return Err(CodeError::Refused.into());
        };
        let user = self.users.find(id).await?.filter(|user| user.is_active);
        let user = user.ok_or(CodeError::Refused)?;
        let password = NewPassword::parse(password, &crate::people::manage_users::own_of(&user))?;
        let stored = self.hasher.hash(password.text()).await?;
        let now = self.clock.now();
        let mut event = NewAuthEvent::of_user(EventKind::PasswordResetComplete, &user, client, now);
        event.metadata = json!({ "tokens_revoked": tokens == TokensOnReset::Revoke });
        event.mails = vec![NewMail::notice(user.email.clone(), Letter::PasswordChanged, now)];
        let effect = Effect::SetPassword {
            user: id,
            address: found.address.clone(),
            password: stored,
            tokens,
        };
        let done = self.codes.verifications.carry_out(Some(found.flow), &effect, &event).await;
        match done {
            Ok(Some(_)) => {}
            Ok(None) | Err(CarryOutError::AddressTaken | CarryOutError::UsernameTaken) => {
                return Err(CodeError::Refused.into());
            }
            Err(CarryOutError::Port(error)) => return Err(error.into()),
        }
        // Earlier wrong guesses must not lock the owner out.
        self.codes.limits.forget(&failures_of(&user)).await?;
        Ok(())
    }
}

/// Errors of [`ResetPassword`].
#[derive(Debug, Error)]
pub enum ResetPasswordError {
    #[error("email: {0}")]
    Address(#[from] InvalidAddress),
    #[error("password: {0}")]
    Password(#[from] PasswordRefused),
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use waggle_kernel::FixedClock;
    use waggle_kernel::ids::UserId;

    use super::*;
    use crate::people::password::StoredPassword;
    use crate::people::role::Role;
    use crate::people::user::User;
    use crate::ports::{MockPasswordHasher, MockUserRepository};
    use crate::testing::scene::{Scene, policy, presented};
    use crate::testing::user;

    fn reset(scene: Scene, found: Option<User>) -> ResetPassword {
        let (mut users, mut hasher) = (MockUserRepository::new(), MockPasswordHasher::new());
        let known = found.clone();
        users.expect_find().returning(move |_| Ok(known.clone()));
        users
            .expect_find_login()
            .returning(move |_| Ok(found.clone().map(|user| (user, StoredPassword::none()))));
        hasher.expect_hash().returning(|_| Ok(StoredPassword("$argon2id$new".to_owned())));
        ResetPassword {
            codes: scene.codes(),
            users: Arc::new(users),
            hasher: Arc::new(hasher),
            clock: Arc::new(FixedClock::noon()),
        }
    }

    fn shut_out() -> User {
        User { is_active: false, ..user(3, Role::Admin) }
    }

    #[tokio::test]
    async fn only_active_users_are_mailed_but_every_request_succeeds() {
        let id = UserId::new(3);
        let cases = [
            (Some(user(3, Role::Viewer)), Intent::ResetPassword(id), 1),
            (Some(shut_out()), Intent::Nothing, 0),
            (None, Intent::Nothing, 0),
        ];
        for (found, intent, mails) in cases {
            let mut scene = Scene::new();
            scene
                .verifications
                .expect_keep()
                .withf(move |new, event| new.intent == intent && event.mails.len() == mails)
                .once()
                .returning(|_, _| Ok(()));

            let client = Client::default();
            let asked = reset(scene, found).request("joe@hive.example", &client, &policy()).await;

            assert!(asked.is_ok(), "{asked:?}");
        }
    }

    async fn complete(
        scene: Scene,
        found: Option<User>,
        password: &str,
    ) -> Result<(), ResetPasswordError> {
        let (tokens, client) = (TokensOnReset::Keep, Client::default());
        let password = password.into();
        reset(scene, found)
            .complete(&presented("123456"), &password, tokens, &client, &policy())
            .await
    }

    const GOOD: &str = "quite another donkey, staple";

    #[tokio::test]
    async fn a_reset_notifies_the_owner_and_lifts_the_lock() {
        let intent = Intent::ResetPassword(UserId::new(3));
        let mut scene = Scene::new().with_code(Purpose::PasswordReset, intent);
        scene
            .verifications
            .expect_carry_out()
            .withf(|flow, effect, event| {
                let is_set = matches!(effect, Effect::SetPassword { password, .. }
                    if password.0 == "$argon2id$new");
                flow.is_some() && is_set && event.mails.len() == 1
            })
            .once()
            .returning(|_, _, _| Ok(Some(UserId::new(3))));
        scene.limits.expect_forget().once().returning(|_| Ok(()));

        let done = complete(scene, Some(user(3, Role::Viewer)), GOOD).await;

        assert!(done.is_ok(), "{done:?}");
    }

    #[tokio::test]
    async fn a_rejected_password_or_a_deactivated_user_does_not_use_up_the_code() {
        let cases = [
            (Some(user(3, Role::Viewer)), "short"),
            (Some(user(3, Role::Viewer)), "it is joe@example.com"),
            (Some(shut_out()), GOOD),
            (None, GOOD),
        ];
        for (found, password) in cases {
            let intent = Intent::ResetPassword(UserId::new(3));
            let mut scene = Scene::new().with_code(Purpose::PasswordReset, intent);
            scene.verifications.expect_carry_out().never();

            let refused = complete(scene, found, password).await;

            assert!(refused.is_err(), "{password}");
        }
    }
}
