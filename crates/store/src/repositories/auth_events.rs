//! The audit log of authentication.

use async_trait::async_trait;
use diesel::prelude::*;
use serde_json::Value;
use waggle_accounts::ports::AuthEventRepository;
use waggle_accounts::{AuthEvent, AuthEventFilter, Client, NewAuthEvent};
use waggle_kernel::ids::UserId;
use waggle_kernel::{Cursor, Page, PageRequest, PortError};

use super::{Repositories, Transaction, columns, mails, one_more};
use crate::error::during;
use crate::queues::Queue;
use crate::run_query::RunQueryDsl;
use crate::schema::auth_events;
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = auth_events)]
struct EventRow {
    id: i64,
    event_type: String,
    user_id: Option<i64>,
    email: String,
    actor: String,
    ip: String,
    user_agent: String,
    request_id: String,
    metadata: Value,
    timestamp: Time,
}

impl From<EventRow> for AuthEvent {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            kind: row.event_type,
            user: row.user_id.map(UserId::new),
            email: row.email,
            actor: row.actor,
            ip: row.ip,
            user_agent: row.user_agent,
            request_id: row.request_id,
            metadata: row.metadata,
            at: row.timestamp.into(),
        }
    }
}

/// The IP address of a client as text; empty if it is unknown.
pub(super) fn address(client: &Client) -> String {
    client.ip.map(|ip| ip.to_string()).unwrap_or_default()
}

/// Records an event in the transaction in which it happens, and queues the mails about it.
pub(super) async fn write_down(
    transaction: &mut Transaction,
    event: &NewAuthEvent,
) -> QueryResult<()> {
    diesel::insert_into(auth_events::table)
        .values((
            auth_events::event_type.eq(event.kind.name()),
            auth_events::user_id.eq(event.user.map(UserId::number)),
            auth_events::email.eq(&event.email),
            auth_events::actor.eq(&event.actor),
            auth_events::ip.eq(address(&event.client)),
            auth_events::user_agent.eq(&event.client.user_agent),
            auth_events::request_id.eq(&event.client.request_id),
            auth_events::metadata.eq(&event.metadata),
            auth_events::timestamp.eq(Time::from(event.at)),
        ))
        .execute(transaction.connection())
        .await?;
    if event.mails.is_empty() {
        return Ok(());
    }
    transaction.fills(Queue::Mails);
    mails::put(transaction.connection(), &event.mails).await
}

#[async_trait]
impl AuthEventRepository for Repositories {
    async fn record(&self, event: &NewAuthEvent) -> Result<(), PortError> {
        during("recording an authentication event", async {
            let mut transaction = self.pools.write().await?;
            write_down(&mut transaction, event).await?;
            transaction.commit().await
        })
        .await
    }

    async fn list(
        &self,
        filter: &AuthEventFilter,
        page: PageRequest,
    ) -> Result<Page<AuthEvent>, PortError> {
        during("listing authentication events", async {
            let mut connection = self.pools.read().await?;
            let mut query =
                auth_events::table.select(columns::<EventRow>()).into_boxed::<super::Db>();
            if let Some(kind) = filter.kind {
                query = query.filter(auth_events::event_type.eq(kind.name()));
            }
            if let Some(user) = filter.user {
                query = query.filter(auth_events::user_id.eq(user.number()));
            }
            if let Some(after) = page.after {
                query = query.filter(auth_events::id.lt(after.id));
            }
            let rows: Vec<EventRow> = query
                .order(auth_events::id.desc())
                .limit(one_more(page.limit))
                .load(&mut connection)
                .await?;
            let events = rows.into_iter().map(Into::into).collect();
            let cursor = |event: &AuthEvent| Cursor { sort_value: 0, id: event.id };
            Ok(Page::from_one_more(events, page.limit, cursor))
        })
        .await
    }
}
