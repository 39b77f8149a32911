//! The record of all events over HTTP.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;
use waggle_audit::{BrowseEventsError, EventFilter, RedactEventsError, Redaction};
use waggle_kernel::ids::{UserId, Version};
use waggle_kernel::{Actor, Event, Page, PageRequest};

use super::export::{Export, Format, Pages, export};
use super::query::{page, text, time};
use super::tag::Tag;
use crate::http::{Failure, Problem, SignedIn, client};
use crate::use_cases::UseCases;

/// Something that happened.
#[derive(Object)]
#[oai(rename = "Event")]
struct EventView {
    /// The place in the order of all events, from 1, without gaps.
    position: i64,
    /// What happened, such as `tweet.approved`.
    kind: String,
    /// The kind of the object that it happened to, such as `generated_tweet`.
    object_kind: String,
    /// The ID of the object.
    object_id: String,
    /// The version of the object after the event, if it has versions.
    version: Option<i64>,
    /// Who did it: `system`, `command`, `network`, or the kind and ID of a user or API token, such
    /// as `user:3`.
    actor: String,
    /// The user that the event is about, if it is about one.
    user_id: Option<i64>,
    /// The ID of the request in which it happened. Empty if it happened in none.
    request_id: String,
    at: DateTime<Utc>,
    /// What changed.
    change: Value,
    /// Personal data, such as the name of the actor. `null` if it is missing.
    personal: Option<Value>,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            position: event.position,
            kind: event.kind,
            object_kind: event.object_kind,
            object_id: event.object_id,
            version: event.version.map(Version::number),
            actor: event.actor,
            user_id: event.user.map(UserId::number),
            request_id: event.request_id,
            at: event.at,
            change: event.change.into(),
            personal: event.personal.map(Into::into),
        }
    }
}

/// A page of events, newest first.
#[derive(Object)]
struct EventPage {
    items: Vec<EventView>,
    next_cursor: Option<String>,
}

/// Which events to redact: either `positions` or `user_id`.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RedactBody {
    /// The positions of the events, 1 to 200.
    #[oai(validator(min_items = 1, max_items = 200))]
    positions: Option<Vec<i64>>,
    /// The user to forget: all events about this user, and of what the user did.
    user_id: Option<i64>,
    /// Why, up to 500 characters. It is recorded as personal data.
    reason: Option<String>,
}

/// The number of events that had personal data.
#[derive(Object)]
struct Redacted {
    redacted: u64,
}

pub(crate) struct EventsApi;

#[OpenApi(tag = "Tag::Events")]
#[expect(clippy::too_many_arguments, reason = "these are the filters of the list")]
impl EventsApi {
    /// List events, newest first.
    ///
    /// For admins who are signed in. The list has all events of changes that were completed before
    /// the request.
    #[oai(path = "/events", method = "get", operation_id = "list_events")]
    async fn list_events(
        &self,
        admin: SignedIn,
        app: Data<&Arc<UseCases>>,
        /// Only events of this kind, such as `tweet.approved`.
        kind: Query<Option<String>>,
        /// Only events of objects of this kind, such as `generated_tweet`.
        object_kind: Query<Option<String>>,
        /// Only events of the object with this ID. Needs `object_kind`.
        object_id: Query<Option<String>>,
        /// Only what this actor did, such as `user:3`.
        actor: Query<Option<String>>,
        /// Only events about this user.
        user_id: Query<Option<i64>>,
        /// Only events at or after this time.
        from: Query<Option<DateTime<Utc>>>,
        /// Only events before this time.
        before: Query<Option<DateTime<Utc>>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<EventPage>, Failure> {
        let filter =
            filter(kind.0, (object_kind.0, object_id.0), actor.0, user_id.0, (from.0, before.0))?;
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = app.events.list(&admin.visitor.user.actor(), &filter, page).await?;
        Ok(Json(EventPage {
            next_cursor: found.next.map(|cursor| cursor.to_string()),
            items: found.items.into_iter().map(Into::into).collect(),
        }))
    }

    /// Export events, newest first.
    ///
    /// For admins who are signed in. The file contains all events that the list returns with the
    /// same filters, as CSV or JSON lines. The export itself is recorded, too.
    #[oai(path = "/events/export", method = "get", operation_id = "export_events")]
    async fn export_events(
        &self,
        admin: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        /// `csv` (the default) or `jsonl`.
        format: Query<Option<Format>>,
        kind: Query<Option<String>>,
        object_kind: Query<Option<String>>,
        object_id: Query<Option<String>>,
        actor: Query<Option<String>>,
        user_id: Query<Option<i64>>,
        from: Query<Option<DateTime<Utc>>>,
        before: Query<Option<DateTime<Utc>>>,
    ) -> Result<Export, Failure> {
        let filter =
            filter(kind.0, (object_kind.0, object_id.0), actor.0, user_id.0, (from.0, before.0))?;
        let (app, actor) = (Arc::clone(app.0), admin.visitor.user.actor());
        let actor = actor.in_request(Problem::request_id());
        app.people.users.tell_of_export(&actor, &client(&app, request)).await?;
        let format = format.0.unwrap_or(Format::Csv);
        Ok(export(EventPages { app, actor, filter }, format).await?)
    }

    /// Redact events.
    ///
    /// For admins who are signed in and proved who they are a short while ago. Removes personal
    /// data for good: names, addresses, the browser, notes, and values of settings that are texts.
    /// What happened to which object, when, and what changed stay, and so do the hashes: the audit
    /// log can still be verified. Which events were redacted is recorded. If the request is cut
    /// off, send it again.
    #[oai(path = "/events/redact", method = "post", operation_id = "redact_events")]
    async fn redact_events(
        &self,
        admin: SignedIn,
        app: Data<&Arc<UseCases>>,
        body: Json<RedactBody>,
    ) -> Result<Json<Redacted>, Failure> {
        let RedactBody { positions, user_id, reason } = body.0;
        let what = match (positions, user_id) {
            (Some(positions), None) => Redaction::Positions(positions),
            (None, Some(user)) => Redaction::User(UserId::new(user)),
            _ => return Err(Problem::invalid("send either positions or user_id").into()),
        };
        let reason = text("reason", reason)?;
        let actor = admin.visitor.user.actor().in_request(Problem::request_id());
        let redacted = app.redact_events.redact(&actor, &what, reason).await?;
        Ok(Json(Redacted { redacted }))
    }
}

/// The filter of a list or an export: what happened, to which object, by whom, about whom and when.
fn filter(
    kind: Option<String>,
    (object_kind, object_id): (Option<String>, Option<String>),
    actor: Option<String>,
    user: Option<i64>,
    (from, before): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> Result<EventFilter, Problem> {
    let object_kind = text("object_kind", object_kind)?;
    let object_id = text("object_id", object_id)?;
    if object_id.is_some() && object_kind.is_none() {
        return Err(Problem::invalid("object_id needs object_kind"));
    }
    Ok(EventFilter {
        kind: text("kind", kind)?,
        object_kind,
        object_id,
        actor: text("actor", actor)?,
        user: user.map(UserId::new),
        from: time("from", from)?,
        before: time("before", before)?,
    })
}

/// The events that match a filter.
struct EventPages {
    app: Arc<UseCases>,
    actor: Actor,
    filter: EventFilter,
}

impl Pages for EventPages {
    type Item = Event;
    type Error = BrowseEventsError;

    const NAME: &'static str = "events";
    const HEADER: &'static [&'static str] = &[
        "Position",
        "Time",
        "Event",
        "Object",
        "Object ID",
        "Version",
        "Actor",
        "User ID",
        "Request ID",
        "Change",
        "Personal",
    ];

    async fn page(&self, page: PageRequest) -> Result<Page<Event>, BrowseEventsError> {
        self.app.events.list(&self.actor, &self.filter, page).await
    }

    fn row(event: &Event) -> Vec<String> {
        let event = EventView::from(event.clone());
        vec![
            event.position.to_string(),
            event.at.to_rfc3339(),
            event.kind,
            event.object_kind,
            event.object_id,
            event.version.map(|version| version.to_string()).unwrap_or_default(),
            event.actor,
            event.user_id.map(|user| user.to_string()).unwrap_or_default(),
            event.request_id,
            event.change.to_string(),
            event.personal.map(|personal| personal.to_string()).unwrap_or_default(),
        ]
    }

    fn json(event: &Event) -> Value {
        EventView::from(event.clone()).to_json().unwrap_or_default()
    }
}

impl From<RedactEventsError> for Problem {
    fn from(error: RedactEventsError) -> Self {
        match error {
            RedactEventsError::Forbidden(error) => error.into(),
            RedactEventsError::TooMany => Self::invalid(error.to_string()),
            RedactEventsError::Port(error) => error.into(),
        }
    }
}

impl From<BrowseEventsError> for Problem {
    fn from(error: BrowseEventsError) -> Self {
        match error {
            BrowseEventsError::Forbidden(error) => error.into(),
            BrowseEventsError::Port(error) => error.into(),
        }
    }
}
