//! Notifications over HTTP: what people are told of, and how.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use waggle_kernel::{Hour, Page};
use waggle_notifications::{
    Choices, ChoicesChange, Delivery, Kind, ManageNotificationsError, Notification, Read,
};

use super::name::Name;
use super::query::page;
use super::tag::Tag;
use crate::http::{Failure, Problem, SignedIn};
use crate::use_cases::UseCases;

/// Something that needs you, until it is settled.
#[derive(Object)]
#[oai(rename = "Notification")]
struct NotificationView {
    id: i64,
    kind: Name<Kind>,
    /// The ID of the batch, tweet or post, or the name of the platform. Empty for source tweets.
    object_id: String,
    /// What happened, in a sentence without its full stop.
    summary: String,
    /// The path of the page about it.
    path: String,
    created_at: DateTime<Utc>,
    read_at: Option<DateTime<Utc>>,
}

impl From<Notification> for NotificationView {
    fn from(notification: Notification) -> Self {
        Self {
            id: notification.id,
            kind: notification.kind.into(),
            path: notification.path(),
            object_id: notification.object,
            summary: notification.summary,
            created_at: notification.created_at,
            read_at: notification.read_at,
        }
    }
}

/// A page of notifications, newest first.
#[derive(Object)]
struct NotificationPage {
    items: Vec<NotificationView>,
    next_cursor: Option<String>,
    /// How many of your notifications you have not read, up to 100.
    unread: u32,
}

/// Which notifications you have read: either `ids` or `up_to`.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ReadBody {
    /// The IDs of the notifications, 1 to 200.
    #[oai(validator(min_items = 1, max_items = 200))]
    ids: Option<Vec<i64>>,
    /// All notifications with this ID or a smaller one.
    up_to: Option<i64>,
}

/// The number of notifications that were unread.
#[derive(Object)]
struct MarkedRead {
    read: u64,
}

/// How you are told of each kind of matter. Kinds that are not for your role are `null`.
#[derive(Object)]
#[oai(rename = "NotificationChoices")]
struct ChoicesView {
    /// The hour of the digest, 0 to 23, in your time zone.
    digest_hour: u8,
    /// Your time zone.
    time_zone: String,
    batch_arrived: Option<Name<Delivery>>,
    decision_requested: Option<Name<Delivery>>,
    post_failed: Option<Name<Delivery>>,
    post_unknown: Option<Name<Delivery>>,
    post_missed: Option<Name<Delivery>>,
    posts_held: Option<Name<Delivery>>,
    source_tweets_lapsed: Option<Name<Delivery>>,
}

impl ChoicesView {
    fn of(choices: &Choices, person: &SignedIn, app: &UseCases) -> Self {
        let scopes = person.visitor.user.effective_role().scopes();
        let of = |kind: Kind| kind.is_for(scopes).then(|| choices.of(kind).into());
        Self {
            digest_hour: choices.digest_hour.number(),
            time_zone: app.zone_of(&person.visitor.user).to_string(),
            batch_arrived: of(Kind::BatchArrived),
            decision_requested: of(Kind::DecisionRequested),
            post_failed: of(Kind::PostFailed),
            post_unknown: of(Kind::PostUnknown),
            post_missed: of(Kind::PostMissed),
            posts_held: of(Kind::PostsHeld),
            source_tweets_lapsed: of(Kind::SourceTweetsLapsed),
        }
    }
}

/// Changes to how you are told. Fields that are left out stay unchanged.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ChoicesBody {
    /// The hour of the digest, 0 to 23, in your time zone.
    digest_hour: Option<u8>,
    batch_arrived: Option<Name<Delivery>>,
    decision_requested: Option<Name<Delivery>>,
    post_failed: Option<Name<Delivery>>,
    post_unknown: Option<Name<Delivery>>,
    post_missed: Option<Name<Delivery>>,
    posts_held: Option<Name<Delivery>>,
    source_tweets_lapsed: Option<Name<Delivery>>,
}

impl ChoicesBody {
    fn change(self) -> Result<ChoicesChange, Problem> {
        let hour = |number| {
            let invalid = || Problem::invalid("digest_hour must be between 0 and 23");
            Hour::new(number).ok_or_else(invalid)
        };
        let chosen = [
            (Kind::BatchArrived, self.batch_arrived),
            (Kind::DecisionRequested, self.decision_requested),
            (Kind::PostFailed, self.post_failed),
            (Kind::PostUnknown, self.post_unknown),
            (Kind::PostMissed, self.post_missed),
            (Kind::PostsHeld, self.posts_held),
            (Kind::SourceTweetsLapsed, self.source_tweets_lapsed),
        ];
        let chosen = chosen.into_iter().filter_map(|(kind, delivery)| Some((kind, delivery?.0)));
        let digest_hour = self.digest_hour.map(hour).transpose()?;
        Ok(ChoicesChange { digest_hour, deliveries: chosen.collect() })
    }
}

pub(crate) struct NotificationsApi;

#[OpenApi(tag = "Tag::Notifications")]
impl NotificationsApi {
    /// List your notifications, newest first.
    ///
    /// For people who are signed in. A notification disappears when its matter is settled, for
    /// example when a failed post was published again.
    #[oai(path = "/notifications", method = "get", operation_id = "list_notifications")]
    async fn list_notifications(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
        /// Only notifications that you have not read, or that you have.
        is_unread: Query<Option<bool>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<NotificationPage>, Failure> {
        let actor = person.visitor.user.actor();
        let page = page(limit.0, cursor.0.as_deref())?;
        let Page { items, next } = app.notifications.list(&actor, is_unread.0, page).await?;
        Ok(Json(NotificationPage {
            items: items.into_iter().map(Into::into).collect(),
            next_cursor: next.map(|cursor| cursor.to_string()),
            unread: app.notifications.count_unread(&actor).await?,
        }))
    }

    /// Mark notifications as read.
    ///
    /// For people who are signed in. Those of other people, and those that have disappeared, are
    /// left out.
    #[oai(path = "/notifications/read", method = "post", operation_id = "read_notifications")]
    async fn read_notifications(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
        body: Json<ReadBody>,
    ) -> Result<Json<MarkedRead>, Failure> {
        let read = match (body.0.ids, body.0.up_to) {
            (Some(ids), None) => Read::These(ids),
            (None, Some(id)) => Read::UpTo(id),
            _ => return Err(Problem::invalid("send either ids or up_to").into()),
        };
        let read = app.notifications.mark_read(&person.visitor.user.actor(), &read).await?;
        Ok(Json(MarkedRead { read }))
    }

    /// Retrieve how you are told.
    ///
    /// For people who are signed in.
    #[oai(path = "/me/notifications", method = "get", operation_id = "show_notification_choices")]
    async fn show_notification_choices(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<ChoicesView>, Failure> {
        let choices = app.notifications.choices(&person.visitor.user.actor()).await?;
        Ok(Json(ChoicesView::of(&choices, &person, &app)))
    }

    /// Choose how you are told.
    ///
    /// For people who are signed in. What waits to be mailed is mailed, or not, as you choose now.
    /// Notifications of a kind that is `off` disappear.
    #[oai(
        path = "/me/notifications",
        method = "patch",
        operation_id = "update_notification_choices"
    )]
    async fn update_notification_choices(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
        body: Json<ChoicesBody>,
    ) -> Result<Json<ChoicesView>, Failure> {
        let change = body.0.change()?;
        let zone = app.zone_of(&person.visitor.user);
        let actor = person.visitor.user.actor().in_request(Problem::request_id());
        let choices = app.notifications.choose(&actor, zone, &change).await?;
        Ok(Json(ChoicesView::of(&choices, &person, &app)))
    }
}

impl From<ManageNotificationsError> for Problem {
    fn from(error: ManageNotificationsError) -> Self {
        let detail = error.to_string();
        match error {
            ManageNotificationsError::Forbidden(error) => error.into(),
            ManageNotificationsError::NoPerson | ManageNotificationsError::NotForRole(_) => {
                Self::new(StatusCode::FORBIDDEN, detail)
            }
            ManageNotificationsError::Port(error) => error.into(),
        }
    }
}
