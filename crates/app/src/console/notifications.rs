//! The page of what the user is told of.

use std::sync::Arc;

use poem::web::Data;
use poem::{Request, Response, handler};
use waggle_console::NotificationsPage;

use super::query::Query;
use super::{draw, shown_to};
use crate::use_cases::UseCases;

/// The notifications of the user, newest first, and how the user is told of each kind.
#[handler]
pub(crate) async fn show_notifications(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown_to(&app, request, async |visitor, shell| {
        let (actor, query) = (visitor.user.actor(), Query::of(request));
        let found = app.notifications.list(&actor, None, query.page()?).await?;
        let choices = app.notifications.choices(&actor).await?;
        let links = query.links(found.next);
        draw(&NotificationsPage::new(shell, &found.items, &choices, links))
    })
    .await
}
