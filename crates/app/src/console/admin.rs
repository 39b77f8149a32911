//! The pages of settings, users, API tokens and the audit log.

use std::sync::Arc;

use poem::web::Data;
use poem::{Request, Response, handler};
use waggle_audit::EventFilter;
use waggle_console::{
    AuditFilter, AuditPage, SettingsHistoryPage, SettingsPage, TokensPage, UsersPage,
};
use waggle_kernel::ids::UserId;
use waggle_kernel::{Clock as _, Scope};
use waggle_settings::Group;
use waggle_system::SystemClock;

use super::query::Query;
use super::{draw, shown, shown_to};
use crate::use_cases::UseCases;

/// The settings of the group that the address names, or of the first one.
#[handler]
pub(crate) async fn show_settings(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let mut query = Query::of(request);
        let group = query.value("group").unwrap_or(Group::Ingest);
        let settings = app.settings.list(&actor, Some(group))?;
        draw(&SettingsPage::new(shell, group, query.ignored, &settings))
    })
    .await
}

/// The changes of one setting or of all, newest first.
#[handler]
pub(crate) async fn show_settings_history(
    request: &Request,
    app: Data<&Arc<UseCases>>,
) -> Response {
    shown(&app, request, async |actor, shell| {
        let query = Query::of(request);
        let key = query.text("key");
        let found = app.settings.history(&actor, key, query.page()?).await?;
        draw(&SettingsHistoryPage::new(shell, key, &found.items, query.links(found.next)))
    })
    .await
}

/// The users, by ID.
#[handler]
pub(crate) async fn show_users(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let query = Query::of(request);
        let found = app.people.users.list(&actor, query.page()?).await?;
        draw(&UsersPage::new(shell, &found.items, query.links(found.next)))
    })
    .await
}

/// The API tokens of the user, or all of them if the user is an admin.
#[handler]
pub(crate) async fn show_tokens(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown_to(&app, request, async |visitor, shell| {
        let actor = visitor.user.actor();
        let tokens = if actor.require(Scope::Admin).is_ok() {
            app.people.tokens.list(&actor).await?
        } else {
            app.people.tokens.list_own(&visitor).await?
        };
        draw(&TokensPage::new(shell, &tokens, SystemClock.now()))
    })
    .await
}

/// The events that match the filters of the address, newest first.
#[handler]
pub(crate) async fn show_audit(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let mut query = Query::of(request);
        let text = |query: &Query, name| query.text(name).unwrap_or_default().to_owned();
        let filter = EventFilter {
            user: query.value("user_id").map(UserId::new),
            from: query.minute("from", shell.zone),
            before: query.minute("before", shell.zone),
            kind: query.text("kind").map(str::to_owned),
            object_kind: query.text("object_kind").map(str::to_owned),
            // An ID is unique among objects of a kind only.
            object_id: query.text("object_kind").and(query.text("object_id")).map(str::to_owned),
            // The page shows the name of an actor after its ID, as in `user:3:joe`.
            actor: query
                .text("actor")
                .map(|text| text.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")),
        };
        if filter.object_id.is_none() {
            query.leave_out("object_id", "choose an object as well");
        }
        let texts = AuditFilter {
            kind: text(&query, "kind"),
            object_kind: text(&query, "object_kind"),
            object_id: text(&query, "object_id"),
            actor: text(&query, "actor"),
            user_id: text(&query, "user_id"),
            from: text(&query, "from"),
            before: text(&query, "before"),
            query: export_query(&query, &filter),
        };
        let found = app.events.list(&actor, &filter, query.page()?).await?;
        let links = query.links(found.next);
        draw(&AuditPage::new(shell, texts, query.ignored, &found.items, links))
    })
    .await
}

/// The filters as the API takes them.
fn export_query(query: &Query, filter: &EventFilter) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for name in ["kind", "object_kind", "object_id", "actor", "user_id"] {
        pairs.extend_pairs(query.text(name).map(|text| (name, text)));
    }
    for (name, time) in [("from", filter.from), ("before", filter.before)] {
        pairs.extend_pairs(time.map(|time| (name, time.to_rfc3339())));
    }
    pairs.finish()
}
