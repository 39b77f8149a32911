//! Reads what waits in the database and what may be wrong, for monitoring and checks. Each query
//! reads a few rows of an index.

use diesel::dsl::sql;
use diesel::prelude::*;
use waggle_content::PostStatus;

use super::{Repositories, dialect};
use crate::error::StoreError;
use crate::measures::{Measures, Symptoms};
use crate::run_query::RunQueryDsl;
use crate::schema::{event_chain, mails, new_events, posts};
use crate::types::{Time, UtcMicros};

impl Repositories {
    pub(crate) async fn symptoms(&self) -> Result<Symptoms, StoreError> {
        let mut connection = self.pools.read().await?;
        let given_up_mails: i64 = mails::table
            .filter(mails::due_at.is_null())
            .count()
            .get_result(&mut connection)
            .await?;
        let mail_error: Option<Option<String>> = mails::table
            .filter(mails::due_at.is_not_null())
            .filter(mails::last_error.is_not_null())
            .order(mails::id.desc())
            .select(mails::last_error)
            .first(&mut connection)
            .await
            .optional()?;
        let clock = match dialect::CLOCK {
            None => None,
            Some(clock) => {
                let query = diesel::select(sql::<UtcMicros>(clock));
                let time: Time = query.get_result(&mut connection).await?;
                Some(time.into())
            }
        };
        Ok(Symptoms { given_up_mails, mail_error: mail_error.flatten(), clock })
    }

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
