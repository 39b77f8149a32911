//! Settings, their history, and their secrets, which the caller has sealed.

#![expect(
    clippy::ref_option_ref,
    reason = "Diesel's derive makes references to the fields of a row"
)]

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_kernel::{ActorRef, Cursor, NewEvent, Page, PageRequest, PortError};
use waggle_settings::events::changed;
use waggle_settings::ports::{SaveError, SettingRepository};
use waggle_settings::{
    Action, Change, Kept, KeyId, MASTER_KEY, NewChange, NewChanges, Resealed, Revision, Sealed,
    SealedAt, Stored, StoredSecret, StoredSetting,
};

use super::{Conn, Repositories, columns, dialect, events, one_more};
use crate::error::{StoreError, column, during};
use crate::insert_many::{CHUNK, OnConflict, insert_many};
use crate::run_query::RunQueryDsl;
use crate::schema::{app_settings, setting_changes, setting_state};
use crate::types::Time;

/// The id of the only row of `setting_state`.
const STATE: i64 = 1;

#[derive(Queryable, Selectable)]
#[diesel(table_name = app_settings)]
struct SettingRow {
    key: String,
    value: Option<String>,
    sealed: Option<Vec<u8>>,
    sealed_by: Option<String>,
    version: i64,
    updated_at: Time,
    updated_by: String,
}

#[derive(Insertable)]
#[diesel(table_name = app_settings, treat_none_as_default_value = false)]
struct NewSettingRow<'a> {
    key: &'a str,
    value: Option<&'a str>,
    sealed: Option<&'a [u8]>,
    sealed_by: Option<&'a str>,
    version: i64,
    created_at: Time,
    updated_at: Time,
    updated_by: &'a str,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = setting_changes)]
struct ChangeRow {
    id: i64,
    revision: i64,
    key: String,
    action: String,
    from_value: Option<String>,
    from_sealed: Option<Vec<u8>>,
    from_sealed_by: Option<String>,
    from_version: Option<i64>,
    to_value: Option<String>,
    is_set: bool,
    changed_at: Time,
    changed_by: String,
}

#[derive(Insertable)]
#[diesel(table_name = setting_changes, treat_none_as_default_value = false)]
struct NewChangeRow<'a> {
    revision: i64,
    key: &'a str,
    action: &'static str,
    from_value: Option<&'a str>,
    from_sealed: Option<&'a [u8]>,
    from_sealed_by: Option<&'a str>,
    from_version: Option<i64>,
    to_value: Option<&'a str>,
    is_set: bool,
    changed_at: Time,
    changed_by: &'a str,
}

fn kept(value: Option<String>, sealed: Option<Vec<u8>>, sealed_by: Option<String>) -> Option<Kept> {
    match (sealed, sealed_by) {
        (Some(bytes), Some(key)) => Some(Kept::Sealed(Sealed { key: KeyId(key), bytes })),
        _ => value.map(Kept::Clear),
    }
}

/// The three columns that store a value.
fn value_columns(kept: Option<&Kept>) -> (Option<&str>, Option<&[u8]>, Option<&str>) {
    match kept {
        None => (None, None, None),
        Some(Kept::Clear(text)) => (Some(text), None, None),
        Some(Kept::Sealed(sealed)) => (None, Some(&sealed.bytes), Some(&sealed.key.0)),
    }
}

impl TryFrom<ChangeRow> for Change {
    type Error = StoreError;

    fn try_from(row: ChangeRow) -> Result<Self, StoreError> {
        let action = Action::ALL.into_iter().find(|action| action.name() == row.action);
        let from = kept(row.from_value, row.from_sealed, row.from_sealed_by);
        Ok(Self {
            id: row.id,
            revision: Revision(row.revision),
            key: row.key,
            action: action.ok_or("is unknown").map_err(column("setting_changes.action"))?,
            from: from.zip(row.from_version.map(Revision)),
            to: row.to_value,
            is_set: row.is_set,
            at: row.changed_at.into(),
            by: row.changed_by,
        })
    }
}

/// The last revision, and the master key in use.
async fn state(connection: &mut Conn) -> Result<(Revision, Option<KeyId>), StoreError> {
    let (revision, master_key): (i64, Option<String>) = setting_state::table
        .find(STATE)
        .select((setting_state::revision, setting_state::master_key))
        .first(connection)
        .await?;
    Ok((Revision(revision), master_key.map(KeyId)))
}

/// Advances the revision from `based_on`. Returns `None` if another process was faster.
async fn advance(
    connection: &mut Conn,
    based_on: Revision,
    master_key: Option<&KeyId>,
) -> Result<Option<Revision>, StoreError> {
    let revision = based_on.next();
    let taken = diesel::update(setting_state::table.find(STATE))
        .filter(setting_state::revision.eq(based_on.0))
        .set((
            setting_state::revision.eq(revision.0),
            setting_state::master_key.eq(master_key.map(|id| id.0.as_str())),
        ))
        .execute(connection)
        .await?;
    Ok((taken > 0).then_some(revision))
}

async fn write_down(
    connection: &mut Conn,
    changes: &[NewChange],
    revision: Revision,
    by: &ActorRef,
    at: DateTime<Utc>,
) -> QueryResult<()> {
    for chunk in changes.chunks(CHUNK) {
        let rows: Vec<NewChangeRow<'_>> = chunk
            .iter()
            .map(|change| {
                let before = change.from.as_ref();
                let (from_value, from_sealed, from_sealed_by) =
                    value_columns(before.map(|(kept, _)| kept));
                NewChangeRow {
                    revision: revision.0,
                    key: &change.key,
                    action: change.action.name(),
                    from_value,
                    from_sealed,
                    from_sealed_by,
                    from_version: before.map(|(_, version)| version.0),
                    to_value: value_columns(change.to.as_ref()).0,
                    is_set: change.to.is_some(),
                    changed_at: at.into(),
                    changed_by: &by.shown,
                }
            })
            .collect();
        let _: Vec<i64> = insert_many(
            setting_changes::table,
            rows,
            setting_changes::id,
            OnConflict::DoNothing,
            setting_changes::id,
        )
        .get_results(connection)
        .await?;
        let events: Vec<NewEvent> =
            chunk.iter().map(|change| changed(change, revision, by, at)).collect();
        events::write(connection, &events).await?;
    }
    Ok(())
}

async fn write_settings(
    connection: &mut Conn,
    changes: &[NewChange],
    revision: Revision,
    at: Time,
    by: &str,
) -> QueryResult<()> {
    let is_unset = |change: &&NewChange| change.to.is_none();
    let gone: Vec<&str> =
        changes.iter().filter(is_unset).map(|change| change.key.as_str()).collect();
    for chunk in gone.chunks(CHUNK) {
        diesel::delete(app_settings::table.filter(app_settings::key.eq_any(chunk)))
            .execute(connection)
            .await?;
    }
    let set: Vec<&NewChange> = changes.iter().filter(|change| change.to.is_some()).collect();
    for chunk in set.chunks(CHUNK) {
        let rows: Vec<NewSettingRow<'_>> = chunk
            .iter()
            .map(|change| {
                let (value, sealed, sealed_by) = value_columns(change.to.as_ref());
                NewSettingRow {
                    key: &change.key,
                    value,
                    sealed,
                    sealed_by,
                    version: revision.0,
                    created_at: at,
                    updated_at: at,
                    updated_by: by,
                }
            })
            .collect();
        let _: Vec<String> = insert_many(
            app_settings::table,
            rows,
            app_settings::key,
            OnConflict::Update(&[
                "value",
                "sealed",
                "sealed_by",
                "version",
                "updated_at",
                "updated_by",
            ]),
            app_settings::key,
        )
        .get_results(connection)
        .await?;
    }
    Ok(())
}

async fn reseal(connection: &mut Conn, resealed: &Resealed) -> QueryResult<()> {
    for (at, sealed) in &resealed.secrets {
        let (bytes, by) = (sealed.bytes.as_slice(), sealed.key.0.as_str());
        match at {
            SealedAt::Setting(key) => {
                diesel::update(app_settings::table.find(key))
                    .set((app_settings::sealed.eq(bytes), app_settings::sealed_by.eq(by)))
                    .execute(connection)
                    .await?;
            }
            SealedAt::Change(id) => {
                diesel::update(setting_changes::table.find(id))
                    .set((
                        setting_changes::from_sealed.eq(bytes),
                        setting_changes::from_sealed_by.eq(by),
                    ))
                    .execute(connection)
                    .await?;
            }
        }
    }
    for at in &resealed.lost {
        match at {
            SealedAt::Setting(key) => {
                diesel::delete(app_settings::table.find(key)).execute(connection).await?;
            }
            SealedAt::Change(id) => {
                diesel::update(setting_changes::table.find(id))
                    .set((
                        setting_changes::from_sealed.eq(None::<Vec<u8>>),
                        setting_changes::from_sealed_by.eq(None::<String>),
                        setting_changes::from_version.eq(None::<i64>),
                    ))
                    .execute(connection)
                    .await?;
            }
        }
    }
    Ok(())
}

/// Converts an error of the store to that of a failed save.
fn failed(doing: &'static str) -> impl FnOnce(StoreError) -> SaveError {
    move |error| SaveError::Port(error.during(doing))
}

#[async_trait]
impl SettingRepository for Repositories {
    async fn load(&self) -> Result<Stored, PortError> {
        during("reading the settings", async {
            let mut connection = self.pools.read().await?;
            // The revision is read first. A change that is based on an older revision is then
            // rejected as stale.
            let (revision, master_key) = state(&mut connection).await?;
            let rows: Vec<SettingRow> = app_settings::table
                .order(app_settings::key)
                .select(columns::<SettingRow>())
                .load(&mut connection)
                .await?;
            let settings = rows
                .into_iter()
                .filter_map(|row| {
                    Some(StoredSetting {
                        value: kept(row.value, row.sealed, row.sealed_by)?,
                        key: row.key,
                        version: Revision(row.version),
                        updated_at: row.updated_at.into(),
                        updated_by: row.updated_by,
                    })
                })
                .collect();
            Ok(Stored { revision, master_key, settings })
        })
        .await
    }

    async fn save(&self, new: &NewChanges) -> Result<Revision, SaveError> {
        let work = async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let master_key = new.master_key.as_ref();
            let Some(revision) = advance(connection, new.based_on, master_key).await? else {
                return Ok(None);
            };
            write_down(connection, &new.changes, revision, &new.by, new.at).await?;
            let (at, by) = (Time::from(new.at), &new.by.shown);
            write_settings(connection, &new.changes, revision, at, by).await?;
            dialect::tell_of_settings(connection).await?;
            transaction.commit().await?;
            if new.changes.iter().any(|change| change.action == Action::Seal) {
                dialect::forget_old_pages(&self.pools).await?;
            }
            Ok(Some(revision))
        };
        work.await.map_err(failed("changing settings"))?.ok_or(SaveError::Stale)
    }

    async fn history(
        &self,
        key: Option<String>,
        page: PageRequest,
    ) -> Result<Page<Change>, PortError> {
        during("reading the history of settings", async {
            let mut connection = self.pools.read().await?;
            let mut query =
                setting_changes::table.select(columns::<ChangeRow>()).into_boxed::<super::Db>();
            if let Some(key) = key {
                query = query.filter(setting_changes::key.eq(key));
            }
            if let Some(after) = page.after {
                query = query.filter(setting_changes::id.lt(after.id));
            }
            let rows: Vec<ChangeRow> = query
                .order(setting_changes::id.desc())
                .limit(one_more(page.limit))
                .load(&mut connection)
                .await?;
            let changes =
                rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<Change>, _>>()?;
            let cursor = |change: &Change| Cursor { sort_value: 0, id: change.id };
            Ok(Page::from_one_more(changes, page.limit, cursor))
        })
        .await
    }

    async fn changes(&self, revision: Revision) -> Result<Vec<Change>, PortError> {
        during("reading a change of settings", async {
            let mut connection = self.pools.read().await?;
            let rows: Vec<ChangeRow> = setting_changes::table
                .filter(setting_changes::revision.eq(revision.0))
                .order(setting_changes::id)
                .select(columns::<ChangeRow>())
                .load(&mut connection)
                .await?;
            rows.into_iter().map(TryInto::try_into).collect()
        })
        .await
    }

    async fn secrets(&self) -> Result<(Revision, Vec<StoredSecret>), PortError> {
        during("reading the sealed settings", async {
            let mut connection = self.pools.read().await?;
            let (revision, _) = state(&mut connection).await?;
            let now: Vec<SettingRow> = app_settings::table
                .filter(app_settings::sealed.is_not_null())
                .select(columns::<SettingRow>())
                .load(&mut connection)
                .await?;
            let before: Vec<ChangeRow> = setting_changes::table
                .filter(setting_changes::from_sealed.is_not_null())
                .select(columns::<ChangeRow>())
                .load(&mut connection)
                .await?;
            let now = now.into_iter().filter_map(|row| {
                Some(StoredSecret {
                    at: SealedAt::Setting(row.key.clone()),
                    key: row.key,
                    version: Revision(row.version),
                    sealed: Sealed { key: KeyId(row.sealed_by?), bytes: row.sealed? },
                })
            });
            let before = before.into_iter().filter_map(|row| {
                Some(StoredSecret {
                    at: SealedAt::Change(row.id),
                    key: row.key,
                    version: Revision(row.from_version?),
                    sealed: Sealed { key: KeyId(row.from_sealed_by?), bytes: row.from_sealed? },
                })
            });
            Ok((revision, now.chain(before).collect()))
        })
        .await
    }

    async fn reseal(&self, resealed: &Resealed) -> Result<Revision, SaveError> {
        let work = async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let key = Some(&resealed.to);
            let Some(revision) = advance(connection, resealed.based_on, key).await? else {
                return Ok(None);
            };
            reseal(connection, resealed).await?;
            let told = NewChange {
                key: MASTER_KEY.to_owned(),
                action: Action::RotateKey,
                from: resealed
                    .from
                    .as_ref()
                    .map(|id| (Kept::Clear(id.0.clone()), resealed.based_on)),
                to: Some(Kept::Clear(resealed.to.0.clone())),
            };
            let lost = resealed.lost.iter().filter_map(|at| match at {
                SealedAt::Change(_) => None,
                SealedAt::Setting(key) => Some(NewChange {
                    key: key.clone(),
                    action: Action::Unset,
                    from: None,
                    to: None,
                }),
            });
            let told: Vec<NewChange> = lost.chain([told]).collect();
            write_down(connection, &told, revision, &resealed.by, resealed.at).await?;
            dialect::tell_of_settings(connection).await?;
            transaction.commit().await?;
            Ok(Some(revision))
        };
        work.await.map_err(failed("resealing the settings"))?.ok_or(SaveError::Stale)
    }
}

/// The last revision.
pub(crate) async fn revision(pools: &super::Pools) -> Result<Revision, StoreError> {
    let mut connection = pools.read().await?;
    Ok(state(&mut connection).await?.0)
}
