//! Events: changes write them down, and a worker appends them to the chain.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::Binary;
use serde_json::{Map, Value};
use tracing::error;
use waggle_audit::ports::EventLog;
use waggle_audit::{
    Change, Checkpoint, Content, Entry, EventFilter, Facts, Hash, Head, Place, RedactionOrder,
    Salted, Tip, WaitingEvent,
};
use waggle_kernel::ids::{UserId, Version};
use waggle_kernel::{
    Cursor, Direction, Event, NewEvent, Page, PageRequest, PortError, error_chain,
};

use super::{Conn, Db, Repositories, columns, cursor_time, dialect, keyset, one_more};
use crate::error::{StoreError, column, during};
use crate::insert_many::{CHUNK, OnConflict, insert_many};
use crate::queues::Queue;
use crate::run_query::RunQueryDsl;
use crate::schema::{event_chain, event_details, event_heads, events, new_events};
use crate::types::Time;

/// An event that waits to be appended to the chain, without the id of its object.
#[derive(Insertable)]
#[diesel(table_name = new_events, treat_none_as_default_value = false)]
pub(super) struct NewRow<'a> {
    kind: &'a str,
    object_kind: &'a str,
    version: Option<i64>,
    actor: &'a str,
    user_id: Option<i64>,
    request_id: &'a str,
    at: Time,
    change: Option<String>,
    personal: Option<String>,
}

impl<'a> From<&'a NewEvent> for NewRow<'a> {
    fn from(event: &'a NewEvent) -> Self {
        Self {
            kind: &event.kind,
            object_kind: event.object.kind,
            version: event.version.map(Version::number),
            actor: &event.by.key,
            user_id: event.user.map(UserId::number),
            request_id: &event.by.request_id,
            at: event.at.into(),
            change: json(&event.change),
            personal: json(&event.personal),
        }
    }
}

/// An object as text; `None` if it is empty.
fn json(object: &Map<String, Value>) -> Option<String> {
    (!object.is_empty()).then(|| Value::from(object.clone()).to_string())
}

/// Records events, in the transaction of the change that they tell.
pub(super) async fn write(connection: &mut Conn, new: &[NewEvent]) -> QueryResult<()> {
    for chunk in new.chunks(CHUNK) {
        let rows = chunk
            .iter()
            .map(|event| (new_events::object_id.eq(&event.object.id), NewRow::from(event)))
            .collect();
        let _: Vec<i64> = insert_many(
            new_events::table,
            rows,
            new_events::id,
            OnConflict::DoNothing,
            new_events::id,
        )
        .get_results(connection)
        .await?;
    }
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = new_events)]
struct WaitingRow {
    id: i64,
    kind: String,
    object_kind: String,
    object_id: String,
    version: Option<i64>,
    actor: String,
    user_id: Option<i64>,
    request_id: String,
    at: Time,
    change: Option<String>,
    personal: Option<String>,
}

impl From<WaitingRow> for WaitingEvent {
    fn from(row: WaitingRow) -> Self {
        Self {
            id: row.id,
            facts: Facts {
                kind: row.kind,
                object_kind: row.object_kind,
                object_id: row.object_id,
                version: row.version,
                actor: row.actor,
                user: row.user_id,
                request_id: row.request_id,
                at: row.at.into(),
            },
            change: row.change,
            personal: row.personal,
        }
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
struct EventRow {
    position: i64,
    kind: String,
    object_kind: String,
    object_id: String,
    version: Option<i64>,
    actor: String,
    user_id: Option<i64>,
    request_id: String,
    at: Time,
    change_hash: Option<Vec<u8>>,
    personal_hash: Option<Vec<u8>>,
    hash: Vec<u8>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = event_details, treat_none_as_default_value = false)]
struct DetailsRow {
    position: i64,
    change_salt: Option<Vec<u8>>,
    change: Option<String>,
    personal_salt: Option<Vec<u8>>,
    personal: Option<String>,
}

/// The rows of an entry.
fn rows(entry: Entry) -> (EventRow, DetailsRow) {
    let hash = |content: &Option<Content>| content.as_ref().map(|content| content.hash.to_vec());
    let (change_hash, personal_hash) = (hash(&entry.change), hash(&entry.personal));
    let parts = |content: Option<Content>| {
        let salted = content.and_then(|content| content.salted);
        salted.map(|Salted { salt, text }| (salt, text)).unzip()
    };
    let (change_salt, change) = parts(entry.change);
    let (personal_salt, personal) = parts(entry.personal);
    let (position, facts) = (entry.position, entry.facts);
    let event = EventRow {
        position,
        kind: facts.kind,
        object_kind: facts.object_kind,
        object_id: facts.object_id,
        version: facts.version,
        actor: facts.actor,
        user_id: facts.user,
        request_id: facts.request_id,
        at: facts.at.into(),
        change_hash,
        personal_hash,
        hash: entry.hash.to_vec(),
    };
    (event, DetailsRow { position, change_salt, change, personal_salt, personal })
}

/// The hash in a column. Anything else is read as zeros, which no verification accepts.
pub(super) fn hash(bytes: Vec<u8>) -> Hash {
    Hash::try_from(bytes).unwrap_or_default()
}

/// The entry of an event and of its details, if they are there.
fn entry((event, details): (EventRow, Option<DetailsRow>)) -> Entry {
    let (change, personal) = details.map_or((None, None), |details| {
        let salted = |salt: Option<Vec<u8>>, text: Option<String>| {
            salt.zip(text).map(|(salt, text)| Salted { salt, text })
        };
        (
            salted(details.change_salt, details.change),
            salted(details.personal_salt, details.personal),
        )
    });
    let content = |bytes: Option<Vec<u8>>, salted: Option<Salted>| {
        bytes.map(|bytes| Content { hash: hash(bytes), salted })
    };
    Entry {
        position: event.position,
        facts: Facts {
            kind: event.kind,
            object_kind: event.object_kind,
            object_id: event.object_id,
            version: event.version,
            actor: event.actor,
            user: event.user_id,
            request_id: event.request_id,
            at: event.at.into(),
        },
        change: content(event.change_hash, change),
        personal: content(event.personal_hash, personal),
        hash: hash(event.hash),
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = event_heads)]
struct HeadRow {
    number: i64,
    position: i64,
    hash: Vec<u8>,
    signed_at: Time,
    key: String,
    signature: Vec<u8>,
}

impl From<HeadRow> for Head {
    fn from(row: HeadRow) -> Self {
        Self {
            number: row.number,
            tip: Tip { position: row.position, hash: hash(row.hash) },
            signed_at: row.signed_at.into(),
            key: row.key,
            signature: row.signature,
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
struct ChangeRow {
    position: i64,
    kind: String,
    object_kind: String,
    object_id: String,
    version: Option<i64>,
}

impl From<ChangeRow> for Change {
    fn from(row: ChangeRow) -> Self {
        Self {
            position: row.position,
            kind: row.kind,
            object_kind: row.object_kind,
            object_id: row.object_id,
            version: row.version.map(Version::new),
        }
    }
}

async fn insert_entries(connection: &mut Conn, mut entries: Vec<Entry>) -> Result<(), StoreError> {
    while !entries.is_empty() {
        let rest = entries.split_off(entries.len().min(CHUNK));
        let chunk = std::mem::replace(&mut entries, rest);
        let number = chunk.len();
        let (event_rows, details_rows): (Vec<_>, Vec<_>) = chunk.into_iter().map(rows).unzip();
        let position = events::position;
        let inserted: Vec<i64> =
            insert_many(events::table, event_rows, position, OnConflict::DoNothing, position)
                .get_results(connection)
                .await?;
        if inserted.len() != number {
            return Err(column("events.position")("an event after the end of the chain exists"));
        }
        let position = event_details::position;
        let _: Vec<i64> = insert_many(
            event_details::table,
            details_rows,
            position,
            OnConflict::DoNothing,
            position,
        )
        .get_results(connection)
        .await?;
    }
    Ok(())
}

/// Keeps other processes from appending until the transaction ends. Returns the end of the chain,
/// and random bytes.
pub(super) async fn lock_chain(connection: &mut Conn) -> Result<(Tip, Hash), StoreError> {
    let (position, last, seed): (i64, Vec<u8>, Vec<u8>) =
        dialect::locked!(event_chain::table.find(1).select((
            event_chain::position,
            event_chain::hash,
            diesel::dsl::sql::<Binary>(dialect::RANDOM),
        )))
        .first(connection)
        .await?;
    Ok((Tip { position, hash: hash(last) }, hash(seed)))
}

/// Appends up to `most` waiting events to the chain, in a transaction, and returns their number.
pub(super) async fn append(connection: &mut Conn, most: u16) -> Result<usize, StoreError> {
    let (mut tip, seed) = lock_chain(connection).await?;
    let waiting: Vec<WaitingRow> = new_events::table
        .order(new_events::id)
        .limit(i64::from(most))
        .select(columns::<WaitingRow>())
        .load(connection)
        .await?;
    let ids: Vec<i64> = waiting.iter().map(|row| row.id).collect();
    let entries = waiting.into_iter().map(|row| tip.append(row.into(), &seed)).collect();
    insert_entries(connection, entries).await?;
    diesel::update(event_chain::table.find(1))
        .set((event_chain::position.eq(tip.position), event_chain::hash.eq(&tip.hash[..])))
        .execute(connection)
        .await?;
    diesel::delete(new_events::table)
        .filter(new_events::id.eq_any(&ids))
        .execute(connection)
        .await?;
    Ok(ids.len())
}

impl Repositories {
    /// Appends up to `most` waiting events to the chain, and returns their number.
    pub(super) async fn append(&self, most: u16) -> Result<usize, StoreError> {
        // With an order, PostgreSQL finds the first row with the index, in which it skips what was
        // deleted a moment ago.
        let first: Option<i64> = new_events::table
            .order(new_events::id)
            .select(new_events::id)
            .first(&mut *self.pools.read().await?)
            .await
            .optional()?;
        if first.is_none() {
            return Ok(0);
        }
        let mut transaction = self.pools.write().await?;
        let appended = append(transaction.connection(), most).await?;
        transaction.fills(Queue::Changes);
        transaction.commit().await?;
        Ok(appended)
    }

    /// Appends what waits, so that a reader sees all events of completed changes. If that fails,
    /// for example because the disk is full, the reader goes on without them.
    pub(super) async fn append_waiting(&self) {
        const MOST: u16 = 500;
        // More waits only after an import, or if the worker does not get on.
        for _ in 0..20 {
            match self.append(MOST).await {
                Ok(appended) if appended >= usize::from(MOST) => {}
                Ok(_) => return,
                Err(problem) => {
                    error!(
                        error = %error_chain(&problem),
                        "a list of events lacks the newest, which could not be appended"
                    );
                    return;
                }
            }
        }
    }
}

impl Repositories {
    /// The entries that match `filter`, newest first: one more than the page has.
    pub(super) async fn newest(
        &self,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Vec<Entry>, StoreError> {
        use events::{at, position};
        let query =
            keyset!(filtered(filter), at, cursor_time, position, Direction::Descending, page.after);
        let mut reader = self.pools.read_long().await?;
        let found: Vec<EventRow> = query
            .limit(one_more(page.limit))
            .select(columns::<EventRow>())
            .load(reader.connection())
            .await?;
        with_details(reader.connection(), found).await
    }

    /// The entries of some kinds about an object, the last one first: one more than the page has.
    pub(super) async fn of_object(
        &self,
        object_kind: &str,
        object_id: String,
        kinds: &[&str],
        page: PageRequest,
    ) -> Result<Vec<Entry>, StoreError> {
        self.append_waiting().await;
        let mut query = events::table
            .filter(events::object_kind.eq(object_kind.to_owned()))
            .filter(events::object_id.eq(object_id))
            .filter(events::kind.eq_any(kinds.to_vec()))
            .into_boxed::<Db>();
        if let Some(after) = page.after {
            query = query.filter(events::position.lt(after.id));
        }
        let mut connection = self.pools.read().await?;
        let found: Vec<EventRow> = query
            .order(events::position.desc())
            .limit(one_more(page.limit))
            .select(columns::<EventRow>())
            .load(&mut connection)
            .await?;
        with_details(&mut connection, found).await
    }
}

fn filtered<'a>(filter: &EventFilter) -> events::BoxedQuery<'a, Db> {
    let mut query = events::table.into_boxed::<Db>();
    if let Some(kind) = &filter.kind {
        query = query.filter(events::kind.eq(kind.clone()));
    }
    if let Some(kind) = &filter.object_kind {
        query = query.filter(events::object_kind.eq(kind.clone()));
    }
    if let Some(id) = &filter.object_id {
        query = query.filter(events::object_id.eq(id.clone()));
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(events::actor.eq(actor.clone()));
    }
    if let Some(user) = filter.user {
        query = query.filter(events::user_id.eq(user.number()));
    }
    if let Some(from) = filter.from {
        query = query.filter(events::at.ge(Time::from(from)));
    }
    if let Some(before) = filter.before {
        query = query.filter(events::at.lt(Time::from(before)));
    }
    query
}

/// Adds the details to events, in one query.
async fn with_details(
    connection: &mut Conn,
    events: Vec<EventRow>,
) -> Result<Vec<Entry>, StoreError> {
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    let details: Vec<DetailsRow> = event_details::table
        .filter(event_details::position.eq_any(positions))
        .select(columns::<DetailsRow>())
        .load(connection)
        .await?;
    let mut details: std::collections::HashMap<i64, DetailsRow> =
        details.into_iter().map(|details| (details.position, details)).collect();
    let joined = events.into_iter().map(|event| {
        let details = details.remove(&event.position);
        (event, details)
    });
    Ok(joined.map(entry).collect())
}

/// The events of objects of these kinds after `from`, up to `to`, in order.
pub(super) async fn between(
    connection: &mut Conn,
    (from, to): (i64, i64),
    object_kinds: &[&str],
) -> Result<Vec<Event>, StoreError> {
    let found: Vec<EventRow> = events::table
        .filter(events::position.gt(from))
        .filter(events::position.le(to))
        .filter(events::object_kind.eq_any(object_kinds.to_vec()))
        .order(events::position)
        .select(columns::<EventRow>())
        .load(connection)
        .await?;
    let entries = with_details(connection, found).await?;
    Ok(entries.into_iter().map(Entry::into_event).collect())
}

#[async_trait]
impl EventLog for Repositories {
    async fn extend(&self, most: u16) -> Result<usize, PortError> {
        during("appending events to the chain", self.append(most)).await
    }

    async fn tip(&self) -> Result<Tip, PortError> {
        during("reading the end of the chain of events", async {
            let row: Option<(i64, Vec<u8>)> = event_chain::table
                .find(1)
                .select((event_chain::position, event_chain::hash))
                .first(&mut *self.pools.read().await?)
                .await
                .optional()?;
            // Somebody removed the row. A verification reports that the end is another one.
            let Some((position, last)) = row else { return Ok(Tip::START) };
            Ok(Tip { position, hash: hash(last) })
        })
        .await
    }

    async fn list(
        &self,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>, PortError> {
        during("listing events", async {
            self.append_waiting().await;
            let entries = self.newest(filter, page).await?;
            let events = entries.into_iter().map(Entry::into_event).collect();
            Ok(Page::from_one_more(events, page.limit, |event: &Event| Cursor {
                sort_value: event.at.timestamp_micros(),
                id: event.position,
            }))
        })
        .await
    }

    async fn place(&self) -> Result<Place, PortError> {
        during("reading the end of the chain of events", async {
            let (epoch, position) = event_chain::table
                .find(1)
                .select((event_chain::epoch, event_chain::position))
                .first(&mut *self.pools.read().await?)
                .await?;
            Ok(Place { epoch, position })
        })
        .await
    }

    async fn changes(&self, after: i64, most: u16) -> Result<Vec<Change>, PortError> {
        during("reading changes", async {
            let rows: Vec<ChangeRow> = events::table
                .filter(events::position.gt(after))
                .order(events::position)
                .limit(i64::from(most))
                .select(columns::<ChangeRow>())
                .load(&mut *self.pools.read().await?)
                .await?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    async fn entries(&self, after: i64, most: u16) -> Result<Vec<Entry>, PortError> {
        during("reading events", async {
            let mut connection = self.pools.read().await?;
            let found: Vec<EventRow> = events::table
                .filter(events::position.gt(after))
                .order(events::position)
                .limit(i64::from(most))
                .select(columns::<EventRow>())
                .load(&mut connection)
                .await?;
            with_details(&mut connection, found).await
        })
        .await
    }

    async fn heads(&self, after: i64, most: u16) -> Result<Vec<Head>, PortError> {
        during("reading signed heads", async {
            let rows: Vec<HeadRow> = event_heads::table
                .filter(event_heads::number.gt(after))
                .order(event_heads::number)
                .limit(i64::from(most))
                .select(columns::<HeadRow>())
                .load(&mut *self.pools.read().await?)
                .await?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    async fn latest_head(&self) -> Result<Option<Head>, PortError> {
        during("reading the latest signed head", async {
            let row: Option<HeadRow> = event_heads::table
                .order(event_heads::number.desc())
                .select(columns::<HeadRow>())
                .first(&mut *self.pools.read().await?)
                .await
                .optional()?;
            Ok(row.map(Into::into))
        })
        .await
    }

    async fn add_head(&self, head: &Head) -> Result<(), PortError> {
        during("storing a signed head", async {
            let row = HeadRow {
                number: head.number,
                position: head.tip.position,
                hash: head.tip.hash.to_vec(),
                signed_at: head.signed_at.into(),
                key: head.key.clone(),
                signature: head.signature.clone(),
            };
            let mut transaction = self.pools.write().await?;
            diesel::insert_into(event_heads::table)
                .values(row)
                .on_conflict_do_nothing()
                .execute(transaction.connection())
                .await?;
            transaction.commit().await
        })
        .await
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, PortError> {
        during("reading the checkpoint of the chain", self.stored_checkpoint()).await
    }

    async fn remove(
        &self,
        since: i64,
        checkpoint: &Checkpoint,
        event: &NewEvent,
    ) -> Result<bool, PortError> {
        during("removing old events", self.remove_to(since, checkpoint, event)).await
    }

    async fn renew(&self, checkpoint: &Checkpoint) -> Result<(), PortError> {
        during("storing a checkpoint of the chain", self.renew_checkpoint(checkpoint)).await
    }

    async fn actors_of(&self, user: UserId) -> Result<Vec<String>, PortError> {
        during("finding the tokens of a user", self.user_and_tokens(user)).await
    }

    async fn redact(&self, positions: &[i64], order: &RedactionOrder) -> Result<u64, PortError> {
        const DOING: &str = "redacting events";
        let redacted = during(DOING, self.remove_personal(positions, order)).await?;
        let problem = "very many events wait to be appended; try again later";
        redacted.ok_or_else(|| PortError::unavailable(DOING, problem))
    }
}
