//! Signed-in users change their email address, or verify the current one.

use std::sync::Arc;

use serde_json::json;
use thiserror::Error;
use waggle_kernel::{Clock, PortError};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::codes::code::{Intent, Purpose};
use crate::codes::mailed_codes::{CodeError, Codes, Issued, Presented, Wanted};
use crate::limits::ADDRESS_USER;
use crate::mails::mail::{Letter, NewMail};
use crate::people::address::{Address, InvalidAddress};
use crate::people::user::{Login, User};
use crate::policy::AccountPolicy;
use crate::ports::{CarryOutError, Effect, UserRepository};
use crate::sessions::manage_sessions::{NotRecent, Visitor};

/// Changes email addresses.
pub struct ChangeAddress {
    pub codes: Arc<Codes>,
    pub users: Arc<dyn UserRepository>,
    pub clock: Arc<dyn Clock>,
}

impl ChangeAddress {
    /// Mails a code to the new address. The response does not reveal whether another user has the
    /// address; that user is notified by email instead.
    ///
    /// # Errors
    ///
    /// On any error, nothing is mailed.
    pub async fn request(
        &self,
        visitor: &Visitor,
        email: &str,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Issued, ChangeAddressError> {
        let (user, now) = (&visitor.user, self.clock.now());
        visitor.require_recent(now, policy.recent)?;
        let email: Address = email.trim().parse()?;
        let purpose = Purpose::EmailVerification;
        let of_user = policy.limits.budget(&ADDRESS_USER, &user.id.to_string());
        self.codes.allow_asking(Some(of_user), purpose, client, policy).await?;
        self.codes.allow_mailing(purpose, &email, Some(user.id), client, policy).await?;
        let mut event = NewAuthEvent::of_user(EventKind::VerificationSent, user, client, now);
        event.metadata = json!({ "to": email.as_str() });
        // Signed-in users can always verify their current address.
        if email != user.email && !policy.admission.admits(&email) {
            event.kind = EventKind::AddressBreach;
            self.codes.events.record(&event).await?;
            return Err(ChangeAddressError::ForeignDomain);
        }
        let owner = self.users.find_login(&Login::Email(email.clone())).await?;
        let (intent, instead) = match owner {
            Some((owner, _)) if owner.id != user.id => {
                (Intent::Nothing, owner.is_active.then_some(Letter::AddressTaken))
            }
            _ => (Intent::ChangeAddress(user.id), None),
        };
        let wanted = Wanted { purpose, address: &email, intent, instead, event };
        Ok(self.codes.issue(wanted, policy).await?)
    }

    /// Sets the address and ends all other sessions of the visitor. If the address is new, a notice
    /// is mailed to the previous one.
    ///
    /// # Errors
    ///
    /// On any error, the address stays unchanged.
    pub async fn confirm(
        &self,
        visitor: &Visitor,
        presented: &Presented,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<User, ChangeAddressError> {
        let user = &visitor.user;
        let purpose = Purpose::EmailVerification;
        let found = self.codes.check(presented, purpose, client, policy).await?;
        if found.intent != Intent::ChangeAddress(user.id) {
            return Err(CodeError::Refused.into());
        }
        let is_other = found.address != user.email;
        if is_other && !policy.admission.admits(&found.address) {
            return Err(ChangeAddressError::ForeignDomain);
        }
        let now = self.clock.now();
        let mut event = NewAuthEvent::of_user(EventKind::EmailVerified, user, client, now);
        if is_other {
            event.kind = EventKind::EmailChanged;
            event.metadata = json!({ "to": found.address.as_str() });
            let letter = Letter::AddressChanged { to: found.address.clone() };
            event.mails = vec![NewMail::notice(user.email.clone(), letter, now)];
        }
        let effect = Effect::SetAddress {
            user: user.id,
            address: found.address,
            spared: visitor.session.id,
        };
        match self.codes.verifications.carry_out(Some(found.flow), &effect, &event).await {
            Ok(Some(id)) => Ok(self.users.find(id).await?.ok_or(CodeError::Refused)?),
            Ok(None) | Err(CarryOutError::AddressTaken | CarryOutError::UsernameTaken) => {
                Err(CodeError::Refused.into())
            }
            Err(CarryOutError::Port(error)) => Err(error.into()),
        }
    }
}

/// Errors of [`ChangeAddress`].
#[derive(Debug, Error)]
pub enum ChangeAddressError {
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    #[error("email: {0}")]
    Address(#[from] InvalidAddress),
    #[error("addresses of this domain are not allowed")]
    ForeignDomain,
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use waggle_kernel::FixedClock;
    use waggle_kernel::ids::UserId;

    use super::*;
    use crate::people::password::StoredPassword;
    use crate::people::role::Role;
    use crate::ports::MockUserRepository;
    use crate::testing::scene::{Scene, policy, presented, visitor};
    use crate::testing::user;

    fn change(scene: Scene, owner: Option<User>) -> ChangeAddress {
        let mut users = MockUserRepository::new();
        users.expect_find().returning(|_| Ok(Some(user(3, Role::Viewer))));
        users
            .expect_find_login()
            .returning(move |_| Ok(owner.clone().map(|user| (user, StoredPassword::none()))));
        ChangeAddress {
            codes: scene.codes(),
            users: Arc::new(users),
            clock: Arc::new(FixedClock::noon()),
        }
    }

    #[tokio::test]
    async fn a_change_needs_recent_authentication() {
        let visitor = visitor(Duration::minutes(6));

        let refused = change(Scene::new(), None)
            .request(&visitor, "jo@hive.example", &Client::default(), &policy())
            .await;

        assert!(matches!(refused, Err(ChangeAddressError::NotRecent(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_code_for_another_users_address_has_no_effect() {
        let cases = [
            (Some(user(7, Role::Viewer)), Intent::Nothing),
            (Some(user(3, Role::Viewer)), Intent::ChangeAddress(UserId::new(3))),
            (None, Intent::ChangeAddress(UserId::new(3))),
        ];
        for (owner, intent) in cases {
            let mut scene = Scene::new();
            scene
                .verifications
                .expect_keep()
                .withf(move |new, event| new.intent == intent && event.mails.len() == 1)
                .once()
                .returning(|_, _| Ok(()));

            let asked = change(scene, owner)
                .request(
                    &visitor(Duration::zero()),
                    "jo@hive.example",
                    &Client::default(),
                    &policy(),
                )
                .await;

            assert!(asked.is_ok(), "{asked:?}");
        }
    }

    #[tokio::test]
    async fn a_code_of_another_user_or_purpose_changes_nothing() {
        for intent in [Intent::ChangeAddress(UserId::new(7)), Intent::ResetPassword(UserId::new(3))]
        {
            let mut scene = Scene::new().with_code(Purpose::EmailVerification, intent);
            scene.verifications.expect_carry_out().never();
            let (visitor, client) = (visitor(Duration::zero()), Client::default());

            let refused = change(scene, None)
                .confirm(&visitor, &presented("123456"), &client, &policy())
                .await;

            let is_refused = matches!(refused, Err(ChangeAddressError::Code(CodeError::Refused)));
            assert!(is_refused, "{refused:?}");
        }
    }
}
