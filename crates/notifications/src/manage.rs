//! What people do with their notifications: read them, and choose how they are told.

use std::sync::Arc;

use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{
    Actor, ActorKind, Clock, Forbidden, NewEvent, ObjectRef, Page, PageRequest, PortError, Scope,
    Zone,
};

use crate::choices::{Choices, ChoicesChange};
use crate::kind::Kind;
use crate::notification::{Notification, Read};
use crate::ports::NotificationRepository;

/// Errors of managing notifications.
#[derive(Debug, Error)]
pub enum ManageNotificationsError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The actor is no user.
    #[error("only people have notifications, not API tokens")]
    NoPerson,
    #[error("notifications of the kind '{0}' are not for your role")]
    NotForRole(Kind),
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Manages the notifications of the acting person.
pub struct ManageNotifications {
    pub notifications: Arc<dyn NotificationRepository>,
    pub clock: Arc<dyn Clock>,
}

impl ManageNotifications {
    /// A page of the person's notifications, newest first. `is_unread` limits it to those that are,
    /// or are not, unread.
    ///
    /// # Errors
    ///
    /// [`ManageNotificationsError`] if the actor is no person, or storage fails.
    pub async fn list(
        &self,
        actor: &Actor,
        is_unread: Option<bool>,
        page: PageRequest,
    ) -> Result<Page<Notification>, ManageNotificationsError> {
        let user = person(actor)?;
        Ok(self.notifications.list(user, &kinds(actor), is_unread, page).await?)
    }

    /// How many notifications the person has not read, up to
    /// [`MOST_UNREAD`](crate::MOST_UNREAD).
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn count_unread(&self, actor: &Actor) -> Result<u32, ManageNotificationsError> {
        Ok(self.notifications.count_unread(person(actor)?, &kinds(actor)).await?)
    }

    /// Marks notifications of the person as read, and returns how many of them were unread.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn mark_read(
        &self,
        actor: &Actor,
        read: &Read,
    ) -> Result<u64, ManageNotificationsError> {
        Ok(self.notifications.mark_read(person(actor)?, read, self.clock.now()).await?)
    }

    /// What the person chose.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn choices(&self, actor: &Actor) -> Result<Choices, ManageNotificationsError> {
        Ok(self.notifications.choices(person(actor)?).await?)
    }

    /// Moves the next digest of the person to its hour in another time zone.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn move_digest(
        &self,
        actor: &Actor,
        zone: Zone,
    ) -> Result<(), ManageNotificationsError> {
        Ok(self.notifications.move_digest(person(actor)?, zone, self.clock.now()).await?)
    }

    /// Changes what the person chose. `zone` is the time zone of the person.
    ///
    /// # Errors
    ///
    /// - [`ManageNotificationsError::NotForRole`] for a kind that the person is not told of.
    /// - Otherwise as for [`list`](Self::list).
    pub async fn choose(
        &self,
        actor: &Actor,
        zone: Zone,
        change: &ChoicesChange,
    ) -> Result<Choices, ManageNotificationsError> {
        let user = person(actor)?;
        let is_for = |kind: Kind| kind.is_for(actor.scopes());
        if let Some((kind, _)) = change.deliveries.iter().find(|(kind, _)| !is_for(*kind)) {
            return Err(ManageNotificationsError::NotForRole(*kind));
        }
        let object = ObjectRef::new("notifications", &user);
        let (by, now) = (actor.reference(), self.clock.now());
        let mut event = NewEvent::new("notifications.chosen", object, &by, now);
        event.user = Some(user);
        if let Some(hour) = change.digest_hour {
            event = event.with("digest_hour", hour.number());
        }
        for (kind, delivery) in &change.deliveries {
            event = event.with(kind.name(), delivery.name());
        }
        Ok(self.notifications.choose(user, change, zone, &event).await?)
    }
}

fn person(actor: &Actor) -> Result<UserId, ManageNotificationsError> {
    actor.require(Scope::Read)?;
    match actor.kind() {
        ActorKind::User { id, .. } => Ok(*id),
        _ => Err(ManageNotificationsError::NoPerson),
    }
}

fn kinds(actor: &Actor) -> Vec<Kind> {
    Kind::all_for(actor.scopes()).collect()
}

#[cfg(test)]
mod tests {
    use waggle_kernel::ids::TokenId;
    use waggle_kernel::{FixedClock, Scopes};

    use super::*;
    use crate::choices::Delivery;
    use crate::ports::MockNotificationRepository;

    fn editor() -> Actor {
        Actor::user(UserId::new(3), "joe", Scopes::of(&[Scope::Read, Scope::Write, Scope::Ingest]))
    }

    fn manage(notifications: MockNotificationRepository) -> ManageNotifications {
        let clock = Arc::new(FixedClock::noon());
        ManageNotifications { notifications: Arc::new(notifications), clock }
    }

    #[tokio::test]
    async fn people_see_and_choose_only_the_kinds_for_their_role() {
        let mut notifications = MockNotificationRepository::new();
        notifications
            .expect_count_unread()
            .withf(|user, kinds| user.number() == 3 && kinds == [Kind::SourceTweetsLapsed])
            .returning(|_, _| Ok(2));
        notifications
            .expect_choose()
            .withf(|_, _, _, event| event.change["source_tweets_lapsed"] == "off")
            .once()
            .returning(|_, change, _, _| {
                let mut choices = Choices::default();
                choices.apply(change);
                Ok(choices)
            });
        let manage = manage(notifications);
        let choose = async |kind, delivery| {
            let change = ChoicesChange { digest_hour: None, deliveries: vec![(kind, delivery)] };
            manage.choose(&editor(), Zone::UTC, &change).await
        };

        assert_eq!(manage.count_unread(&editor()).await.unwrap(), 2);
        let chosen = choose(Kind::SourceTweetsLapsed, Delivery::Off).await.unwrap();
        assert_eq!(chosen.of(Kind::SourceTweetsLapsed), Delivery::Off);
        let refused = choose(Kind::PostFailed, Delivery::Off).await.unwrap_err();
        assert!(matches!(refused, ManageNotificationsError::NotForRole(Kind::PostFailed)));
    }

    #[tokio::test]
    async fn tokens_have_no_notifications() {
        let token = Actor::token(TokenId::new(1), "n8n", Scopes::of(&[Scope::Admin]));

        let refused = manage(MockNotificationRepository::new()).count_unread(&token).await;

        assert!(matches!(refused, Err(ManageNotificationsError::NoPerson)));
    }
}
