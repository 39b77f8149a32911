//! Takes everything out of the queues after a backup was restored.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Text;
use waggle_content::PostStatus;
use waggle_kernel::ids::PostId;
use waggle_kernel::{ActorRef, NewEvent, ObjectRef};

use super::outcome::{lock, settle_open_as_unknown, stop};
use super::posts::leave_queue;
use super::{Conn, Repositories, columns, dialect, events};
use crate::error::StoreError;
use crate::restored::{Restored, RestoredPost};
use crate::run_query::RunQueryDsl;
use crate::schema::{event_chain, mails, notifications, posts, sessions, verification_codes};
use crate::types::Time;

/// The reason that the posts show.
const REASON: &str =
    "restored: a backup was restored, and the post may have been published since it was made";

const QUEUED: [&str; 2] = [PostStatus::Scheduled.name(), PostStatus::Publishing.name()];

#[derive(Queryable, Selectable)]
#[diesel(table_name = posts)]
struct Row {
    id: i64,
    platform: String,
    scheduled_time: Option<Time>,
    content: String,
}

impl Repositories {
    /// Makes every queued post wait for a person. Removes waiting mails and codes, ends all
    /// sessions, and begins another epoch.
    pub(crate) async fn after_restore(
        &self,
        by: &ActorRef,
        now: DateTime<Utc>,
    ) -> Result<Restored, StoreError> {
        let mut transaction = self.pools.write().await?;
        let connection = transaction.connection();
        let rows: Vec<Row> = posts::table
            .filter(posts::status.eq_any(QUEUED))
            .order(posts::id)
            .select(columns::<Row>())
            .load(connection)
            .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(status) = take_out(connection, row.id, by, now).await? else { continue };
            found.push(RestoredPost {
                id: PostId::new(row.id),
                platform: row.platform,
                status,
                scheduled_time: row.scheduled_time.map(Into::into),
                content: row.content,
            });
        }
        let mails = diesel::delete(mails::table).execute(connection).await?;
        diesel::delete(verification_codes::table).execute(connection).await?;
        // The emails may have been sent after the backup.
        diesel::update(notifications::table)
            .filter(notifications::mail_due_at.is_not_null())
            .set(notifications::mail_due_at.eq(None::<Time>))
            .execute(connection)
            .await?;
        let sessions = diesel::delete(sessions::table).execute(connection).await?;
        diesel::update(event_chain::table.find(1))
            .set(event_chain::epoch.eq(diesel::dsl::sql::<Text>(dialect::NEW_EPOCH)))
            .execute(connection)
            .await?;
        let event = NewEvent::new("database.restored", ObjectRef::new("database", &""), by, now)
            .with("posts", found.len())
            .with("mails", mails)
            .with("sessions", sessions);
        events::write(connection, &[event]).await?;
        transaction.commit().await?;
        Ok(Restored { posts: found, mails, sessions })
    }
}

/// Takes a post out of the queue, and returns its new status; `None` if it has left the queue.
async fn take_out(
    connection: &mut Conn,
    post: i64,
    by: &ActorRef,
    now: DateTime<Utc>,
) -> Result<Option<PostStatus>, StoreError> {
    let tweet = lock(connection, post).await?;
    let status: String = posts::table.find(post).select(posts::status).first(connection).await?;
    if !QUEUED.contains(&status.as_str()) {
        return Ok(None);
    }
    let was_open = settle_open_as_unknown(connection, post, REASON, now.into()).await?;
    let status = if was_open { PostStatus::Unknown } else { PostStatus::Missed };
    stop(connection, post, status, REASON, by, now).await?;
    if let Some(tweet) = tweet {
        let note = format!("post {post} was removed from the queue, because a backup was restored");
        leave_queue(connection, tweet, by, now, note).await?;
    }
    Ok(Some(status))
}
