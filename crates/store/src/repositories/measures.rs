//! Reads what waits in the database, for monitoring. Each query reads a few rows of an index.

use diesel::prelude::*;
use waggle_content::PostStatus;

use super::Repositories;
use crate::error::StoreError;
use crate::measures::Measures;
use crate::run_query::RunQueryDsl;
use crate::schema::{event_chain, mails, new_events, posts};
use crate::types::Time;

impl Repositories {
    pub(crate) async fn measures(&self) -> Result<Measures, StoreError> {
        let mut connection = self.pools.read().await?;
        let next_post: Option<Time> = posts::table
            .filter(posts::due_at.is_not_null())
            .order(posts::due_at)
            .select(posts::due_at.assume_not_null())
            .first(&mut connection)
            .await
            .optional()?;
        let next_mail: Option<Time> = mails::table
            .filter(mails::due_at.is_not_null())
            .order(mails::due_at)
            .select(mails::due_at.assume_not_null())
            .first(&mut connection)
            .await
            .optional()?;
        let oldest_waiting_event: Option<Time> = new_events::table
            .order(new_events::id)
            .select(new_events::at)
            .first(&mut connection)
            .await
            .optional()?;
        let last_event: i64 =
            event_chain::table.find(1).select(event_chain::position).first(&mut connection).await?;
        let unknown_posts: i64 = posts::table
            .filter(posts::status.eq(PostStatus::Unknown.name()))
            .count()
            .get_result(&mut connection)
            .await?;
        Ok(Measures {
            next_post: next_post.map(Into::into),
            next_mail: next_mail.map(Into::into),
            oldest_waiting_event: oldest_waiting_event.map(Into::into),
            last_event,
            unknown_posts,
        })
    }
}
