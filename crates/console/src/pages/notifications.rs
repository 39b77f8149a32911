//! What the user is told of, and how.

use askama::Template;
use serde_json::json;
use waggle_notifications::{Choices, Delivery, Kind, Notification};

use crate::control::Control;
use crate::links::Links;
use crate::ops::{CHOOSE, MARK_READ};
use crate::shell::Shell;
use crate::words::Moment;

/// A notification as the page shows it.
struct NotificationLine {
    id: i64,
    summary: String,
    path: String,
    at: Moment,
    is_unread: bool,
    read: Option<Control>,
}

/// A kind of notifications, and how the user is told of it.
struct KindLine {
    name: &'static str,
    title: &'static str,
    chosen: Delivery,
}

/// The page `/notifications`, newest first.
#[derive(Template)]
#[template(path = "pages/notifications.html")]
pub struct NotificationsPage {
    shell: Shell,
    lines: Vec<NotificationLine>,
    read_all: Option<Control>,
    links: Links,
    kinds: Vec<KindLine>,
    ways: [(Delivery, &'static str); 4],
    digest_hour: u8,
    choose: Option<Control>,
}

/// A way in which people are told, for people.
const fn way(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::AtOnce => "here, and by email at once",
        Delivery::Digest => "here, and in the daily email",
        Delivery::Console => "here only",
        Delivery::Off => "not at all",
    }
}

impl NotificationsPage {
    /// The page of these notifications, for a user who made these choices.
    pub fn new(
        shell: Shell,
        notifications: &[Notification],
        choices: &Choices,
        links: Links,
    ) -> Self {
        let scopes = shell.scopes;
        let read = |notification: &Notification| {
            let control = Control::new(&MARK_READ, "", None, "Mark as read", scopes)?;
            Some(control.body(json!({ "ids": [notification.id] })).done("Marked as read"))
        };
        let line = |notification: &Notification| NotificationLine {
            id: notification.id,
            summary: notification.summary.clone(),
            path: notification.path(),
            at: notification.created_at.into(),
            is_unread: notification.read_at.is_none(),
            read: read(notification).filter(|_| notification.read_at.is_none()),
        };
        let newest = notifications.first().filter(|_| shell.unread > 0);
        let read_all = newest.and_then(|newest| {
            let control = Control::new(&MARK_READ, "", None, "Mark all as read", scopes)?;
            Some(control.body(json!({ "up_to": newest.id })).done("All are marked as read"))
        });
        let kind = |kind: Kind| KindLine {
            name: kind.name(),
            title: kind.title(),
            chosen: choices.of(kind),
        };
        let choose = Control::new(&CHOOSE, "", None, "Save", scopes);
        Self {
            lines: notifications.iter().map(line).collect(),
            read_all: read_all.filter(|_| links.is_first()),
            kinds: Kind::all_for(scopes).map(kind).collect(),
            ways: Delivery::ALL.map(|delivery| (delivery, way(delivery))),
            digest_hour: choices.digest_hour.number(),
            choose: choose.map(|control| control.done("Saved")),
            links,
            shell,
        }
    }
}
