//! The audit log of authentication, a part of the record of all events.

use async_trait::async_trait;
use diesel::prelude::*;
use waggle_accounts::ports::AuthEventRepository;
use waggle_accounts::{ACCOUNT, AuthEvent, AuthEventFilter, EventKind, NewAuthEvent};
use waggle_audit::EventFilter;
use waggle_kernel::{Cursor, Page, PageRequest, PortError};

use super::{Repositories, Transaction, events, mails};
use crate::error::during;
use crate::queues::Queue;

/// Records an event in the transaction in which it happens, and queues the mails about it.
pub(super) async fn write_down(
    transaction: &mut Transaction,
    event: &NewAuthEvent,
) -> QueryResult<()> {
    events::write(transaction.connection(), &[event.record()]).await?;
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
            self.append_waiting().await;
            let filter = EventFilter {
                kind: filter.kind.map(EventKind::event_kind),
                object_kind: Some(ACCOUNT.to_owned()),
                user: filter.user,
                ..EventFilter::default()
            };
            let entries = self.newest(&filter, page).await?;
            let events = entries.into_iter().map(|entry| entry.into_event().into()).collect();
            let cursor = |event: &AuthEvent| Cursor {
                sort_value: event.at.timestamp_micros(),
                id: event.id,
            };
            Ok(Page::from_one_more(events, page.limit, cursor))
        })
        .await
    }
}
