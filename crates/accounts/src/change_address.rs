//! Somebody who is in gets another address, or shows that the present one is theirs.

use std::sync::Arc;

use serde_json::json;
use thiserror::Error;
use waggle_kernel::{Clock, PortError};

use crate::address::{Address, InvalidAddress};
use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::code::{Intent, Purpose};
use crate::codes::{CodeError, Codes, Issued, Presented, Wanted};
use crate::limits::ADDRESS_USER;
use crate::mail::{Letter, NewMail};
use crate::policy::AccountPolicy;
use crate::ports::{CarryOutError, Effect, UserRepository};
use crate::sessions::{NotRecent, Visitor};
use crate::user::{Login, User};

/// Changes addresses.
pub struct ChangeAddress {
    /// Mails codes and checks them.
    pub codes: Arc<Codes>,
    /// Who there is.
    pub users: Arc<dyn UserRepository>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl ChangeAddress {
    /// Mails a code to the new address. Whether somebody has it is not told; its owner is told by mail instead.
    ///
    /// # Errors
    ///
    /// [`ChangeAddressError`]; then nothing is mailed.
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
        self.codes.allow(Some(of_user), purpose, &email, client, policy).await?;
        let mut event = NewAuthEvent::of_user(EventKind::VerificationSent, user, client, now);
        event.metadata = json!({ "to": email.as_str() });
        // Whoever is in already may show that the present address is theirs.
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

    /// Gives the visitor the address, who is told at the one before. All other sessions end.
    ///
    /// # Errors
    ///
    /// [`ChangeAddressError`]; then the address stays.
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
            is_super_admin: policy.admission.is_super_admin(&found.address),
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

/// Why an address was not changed.
#[derive(Debug, Error)]
pub enum ChangeAddressError {
    /// It is long ago that somebody proved who they are.
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    /// The address is none.
    #[error("email: {0}")]
    Address(#[from] InvalidAddress),
    /// People of this domain are not let in.
    #[error("addresses of this domain are not let in")]
    ForeignDomain,
    /// The code was not mailed or not taken.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// Something behind it could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}
