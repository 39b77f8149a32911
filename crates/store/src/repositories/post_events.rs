//! Records what happens to posts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_content::PostState;
use waggle_kernel::ActorRef;
use waggle_kernel::ids::{PostId, Version};

use super::{Conn, columns, events};
use crate::error::{StoreError, column};
use crate::insert_many::CHUNK;
use crate::run_query::RunQueryDsl;
use crate::schema::posts;
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = posts)]
struct Row {
    id: i64,
    version: i64,
    platform: String,
    status: String,
    is_held: bool,
    scheduled_time: Option<Time>,
    platform_post_id: String,
    url: String,
    last_error: Option<String>,
}

impl TryFrom<Row> for PostState {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: PostId::new(row.id),
            version: Version::new(row.version),
            platform: row.platform,
            status: row.status.parse().map_err(column("posts.status"))?,
            is_held: row.is_held,
            scheduled_time: row.scheduled_time.map(Into::into),
            platform_post_id: row.platform_post_id,
            url: row.url,
            reason: row.last_error,
        })
    }
}

/// How posts stand now, in the transaction that changed them.
async fn states(connection: &mut Conn, ids: &[i64]) -> Result<Vec<PostState>, StoreError> {
    let rows: Vec<Row> = posts::table
        .filter(posts::id.eq_any(ids.to_vec()))
        .order(posts::id)
        .select(columns::<Row>())
        .load(connection)
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Records that a post was created.
pub(super) async fn write_created(
    connection: &mut Conn,
    post: i64,
    by: &ActorRef,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let states = states(connection, &[post]).await?;
    let created: Vec<_> = states.iter().map(|state| state.created(by, now)).collect();
    Ok(events::write(connection, &created).await?)
}

/// Records that posts were changed to the state that they have now.
pub(super) async fn write_reached(
    connection: &mut Conn,
    posts: &[i64],
    by: &ActorRef,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for chunk in posts.chunks(CHUNK) {
        let states = states(connection, chunk).await?;
        let reached: Vec<_> = states.iter().filter_map(|state| state.reached(by, now)).collect();
        events::write(connection, &reached).await?;
    }
    Ok(())
}
