//! The record of all events, for admins.

use askama::Template;
use serde_json::{Map, Value};
use waggle_accounts::ACCOUNT;
use waggle_content::POST;
use waggle_kernel::Event;
use waggle_settings::events::SETTING;
use waggle_twitter_n8n::GENERATED_TWEET;
use waggle_twitter_n8n::events::{CAMPAIGN_BATCH, RUN, SOURCE_TWEETS};

use crate::links::Links;
use crate::shell::Shell;
use crate::words::Moment;

/// The filters of the page, as texts.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub kind: String,
    pub object_kind: String,
    pub object_id: String,
    pub actor: String,
    pub user_id: String,
    pub from: String,
    pub before: String,
    /// The same as a query, without the place in the list.
    pub query: String,
}

/// The kinds of objects that have events. The field accepts any text.
const OBJECT_KINDS: [&str; 10] = [
    CAMPAIGN_BATCH,
    GENERATED_TWEET,
    POST,
    RUN,
    SOURCE_TWEETS,
    SETTING,
    ACCOUNT,
    "notifications",
    "events",
    "database",
];

/// An event as pages show it.
struct Line {
    position: i64,
    at: Moment,
    actor: String,
    kind: String,
    object: String,
    /// The page of the object, if it has one.
    page: String,
    details: Vec<(String, String)>,
}

fn details(members: &Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    members.iter().filter(|(name, _)| *name != "actor").map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        (name.replace('_', " "), text)
    })
}

impl From<&Event> for Line {
    fn from(event: &Event) -> Self {
        let id = &event.object_id;
        let page = match event.object_kind.as_str() {
            GENERATED_TWEET => format!("/tweets/{id}"),
            CAMPAIGN_BATCH => format!("/batches/{id}"),
            POST => format!("/posts/{id}"),
            SETTING => format!("/settings/history?key={id}"),
            _ => String::new(),
        };
        let object = format!("{} {id}", event.object_kind.replace('_', " "));
        Self {
            position: event.position,
            at: event.at.into(),
            actor: event.shown_actor().to_owned(),
            kind: event.kind.clone(),
            object: object.trim().to_owned(),
            page,
            details: details(&event.change)
                .chain(event.personal.iter().flat_map(details))
                .collect(),
        }
    }
}

/// The page `/audit`, newest first.
#[derive(Template)]
#[template(path = "pages/audit.html")]
pub struct AuditPage {
    shell: Shell,
    filter: AuditFilter,
    ignored: Vec<String>,
    events: Vec<Line>,
    links: Links,
}

impl AuditPage {
    /// The page of these events.
    pub fn new(
        shell: Shell,
        filter: AuditFilter,
        ignored: Vec<String>,
        events: &[Event],
        links: Links,
    ) -> Self {
        Self { shell, filter, ignored, events: events.iter().map(Into::into).collect(), links }
    }
}
