//! The contract of the repository, to run against every implementation, and in-memory
//! implementations of the ports.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a contract that is broken stops the test"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waggle_kernel::{Actor, Clock as _, Cursor, FixedClock, Limit, Page, PageRequest, PortError};

use crate::ports::{Environment, MasterKeySource, SaveError, SettingRepository};
use crate::revision::Revision;
use crate::stored::{
    Action, Change, Kept, MASTER_KEY, NewChange, NewChanges, Resealed, SealedAt, Stored,
    StoredSecret, StoredSetting,
};
use crate::vault::{KeyId, MasterKey, MasterKeys, Sealed};

/// Stores settings in memory.
#[derive(Default)]
pub struct MemorySettings {
    kept: Mutex<(Stored, Vec<Change>)>,
}

impl MemorySettings {
    /// A store that contains these texts, as if another program had written them.
    pub fn with<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let memory = Self::default();
        let settings = texts
            .into_iter()
            .map(|(key, text)| StoredSetting {
                key: key.to_owned(),
                value: Kept::Clear(text.to_owned()),
                version: Revision(0),
                updated_at: FixedClock::noon().now(),
                updated_by: String::new(),
            })
            .collect();
        memory.lock().0.settings = settings;
        memory
    }

    /// Replaces the contents with those of `backup`.
    pub fn restore(&self, backup: &Self) {
        let backup = backup.lock().clone();
        *self.lock() = backup;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Stored, Vec<Change>)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SettingRepository for MemorySettings {
    async fn load(&self) -> Result<Stored, PortError> {
        Ok(self.lock().0.clone())
    }

    async fn save(&self, new: &NewChanges) -> Result<Revision, SaveError> {
        let mut kept = self.lock();
        let (stored, history) = &mut *kept;
        if stored.revision != new.based_on {
            return Err(SaveError::Stale);
        }
        stored.revision = new.based_on.next();
        stored.master_key.clone_from(&new.master_key);
        for change in &new.changes {
            stored.settings.retain(|setting| setting.key != change.key);
            if let Some(value) = &change.to {
                stored.settings.push(StoredSetting {
                    key: change.key.clone(),
                    value: value.clone(),
                    version: stored.revision,
                    updated_at: new.at,
                    updated_by: new.by.shown.clone(),
                });
            }
            history.push(Change {
                id: i64::try_from(history.len()).unwrap_or(i64::MAX),
                revision: stored.revision,
                key: change.key.clone(),
                action: change.action,
                from: change.from.clone(),
                to: match &change.to {
                    Some(Kept::Clear(text)) => Some(text.clone()),
                    _ => None,
                },
                is_set: change.to.is_some(),
                at: new.at,
                by: new.by.shown.clone(),
            });
        }
        Ok(stored.revision)
    }

    async fn history(
        &self,
        key: Option<String>,
        page: PageRequest,
    ) -> Result<Page<Change>, PortError> {
        let kept = self.lock();
        let rows: Vec<Change> = kept
            .1
            .iter()
            .rev()
            .filter(|change| key.as_ref().is_none_or(|key| *key == change.key))
            .filter(|change| page.after.is_none_or(|after| change.id < after.id))
            .take(usize::from(page.limit.rows()) + 1)
            .cloned()
            .collect();
        let cursor = |change: &Change| Cursor { sort_value: 0, id: change.id };
        Ok(Page::from_one_more(rows, page.limit, cursor))
    }

    async fn changes(&self, revision: Revision) -> Result<Vec<Change>, PortError> {
        let kept = self.lock();
        Ok(kept.1.iter().filter(|change| change.revision == revision).cloned().collect())
    }

    async fn secrets(&self) -> Result<(Revision, Vec<StoredSecret>), PortError> {
        let kept = self.lock();
        let (stored, history) = &*kept;
        let now = stored.settings.iter().filter_map(|setting| match &setting.value {
            Kept::Clear(_) => None,
            Kept::Sealed(sealed) => Some(StoredSecret {
                at: SealedAt::Setting(setting.key.clone()),
                key: setting.key.clone(),
                version: setting.version,
                sealed: sealed.clone(),
            }),
        });
        let before = history.iter().filter_map(|change| match &change.from {
            Some((Kept::Sealed(sealed), version)) => Some(StoredSecret {
                at: SealedAt::Change(change.id),
                key: change.key.clone(),
                version: *version,
                sealed: sealed.clone(),
            }),
            _ => None,
        });
        Ok((stored.revision, now.chain(before).collect()))
    }

    async fn reseal(&self, resealed: &Resealed) -> Result<Revision, SaveError> {
        let mut kept = self.lock();
        let (stored, history) = &mut *kept;
        if stored.revision != resealed.based_on {
            return Err(SaveError::Stale);
        }
        stored.revision = resealed.based_on.next();
        stored.master_key = Some(resealed.to.clone());
        for (at, sealed) in &resealed.secrets {
            match at {
                SealedAt::Setting(key) => {
                    for setting in stored.settings.iter_mut().filter(|set| set.key == *key) {
                        setting.value = Kept::Sealed(sealed.clone());
                    }
                }
                SealedAt::Change(id) => {
                    for change in history.iter_mut().filter(|change| change.id == *id) {
                        if let Some((kept, _)) = &mut change.from {
                            *kept = Kept::Sealed(sealed.clone());
                        }
                    }
                }
            }
        }
        for at in &resealed.lost {
            match at {
                SealedAt::Setting(key) => {
                    stored.settings.retain(|setting| setting.key != *key);
                    history.push(Change {
                        id: i64::try_from(history.len()).unwrap_or(i64::MAX),
                        revision: stored.revision,
                        key: key.clone(),
                        action: Action::Unset,
                        from: None,
                        to: None,
                        is_set: false,
                        at: resealed.at,
                        by: resealed.by.shown.clone(),
                    });
                }
                SealedAt::Change(id) => {
                    for change in history.iter_mut().filter(|change| change.id == *id) {
                        change.from = None;
                    }
                }
            }
        }
        history.push(Change {
            id: i64::try_from(history.len()).unwrap_or(i64::MAX),
            revision: stored.revision,
            key: MASTER_KEY.to_owned(),
            action: Action::RotateKey,
            from: resealed.from.as_ref().map(|id| (Kept::Clear(id.0.clone()), resealed.based_on)),
            to: Some(resealed.to.0.clone()),
            is_set: true,
            at: resealed.at,
            by: resealed.by.shown.clone(),
        });
        Ok(stored.revision)
    }
}

/// An environment with these variables.
#[derive(Debug, Default, Clone)]
pub struct Variables(pub BTreeMap<String, String>);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.0.get(name).map(OsString::from)
    }
}

/// Stores master keys in memory.
#[derive(Default)]
pub struct MemoryKeys(pub Mutex<String>);

#[async_trait]
impl MasterKeySource for MemoryKeys {
    async fn keys(&self) -> Result<MasterKeys, PortError> {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        MasterKeys::parse(&text).map_err(|error| PortError::broken("reading master keys", error))
    }

    async fn add(&self, key: &MasterKey) -> Result<MasterKeys, PortError> {
        {
            let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *text = format!("{},{text}", secrecy::ExposeSecret::expose_secret(&key.text()));
        }
        self.keys().await
    }
}

fn noon() -> DateTime<Utc> {
    FixedClock::noon().now()
}

fn change(key: &str, from: Option<(Kept, Revision)>, to: Option<Kept>) -> NewChange {
    let action = if to.is_some() { Action::Set } else { Action::Unset };
    NewChange { key: key.to_owned(), action, from, to }
}

fn changes(based_on: Revision, changes: Vec<NewChange>) -> NewChanges {
    NewChanges { based_on, at: noon(), by: Actor::system().reference(), master_key: None, changes }
}

fn clear(text: &str) -> Kept {
    Kept::Clear(text.to_owned())
}

fn sealed(key: &str, byte: u8) -> Sealed {
    Sealed { key: KeyId(key.to_owned()), bytes: vec![byte; 41] }
}

/// Saved settings are loaded again with their revision, and settings that are unset are removed.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_setting_is_kept_written_over_and_removed(settings: Arc<dyn SettingRepository>) {
    let begin = settings.load().await.expect("the store answers");
    assert!(begin.settings.is_empty() && begin.master_key.is_none());

    let mut last = begin.revision;
    for text in ["one", "two ' \" 🐝", "three"] {
        last = settings
            .save(&changes(last, vec![change("KEY", None, Some(clear(text)))]))
            .await
            .expect("it is saved");
        let stored = settings.load().await.expect("the store answers");
        assert_eq!(stored.revision, last);
        assert_eq!(
            stored.settings,
            [StoredSetting {
                key: "KEY".to_owned(),
                value: Kept::Clear(text.to_owned()),
                version: last,
                updated_at: noon(),
                updated_by: "system".to_owned(),
            }]
        );
    }
    assert_eq!(last.0, begin.revision.0 + 3);

    let last =
        settings.save(&changes(last, vec![change("KEY", None, None)])).await.expect("it is saved");
    let stored = settings.load().await.expect("the store answers");
    assert_eq!((stored.settings, stored.revision), (vec![], last));
}

/// Of several changes that are saved at the same time, each is either saved completely or rejected
/// as stale.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_stale_change_of_settings_changes_nothing(settings: Arc<dyn SettingRepository>) {
    let begin = settings.load().await.expect("the store answers").revision;
    let all = (0..8).map(|n| {
        let settings = Arc::clone(&settings);
        tokio::spawn(async move {
            let new = vec![
                change(&format!("KEY_{n}"), None, Some(clear("x"))),
                change("SHARED", None, Some(clear(&n.to_string()))),
            ];
            settings.save(&changes(begin, new)).await
        })
    });
    let mut saved = 0;
    for one in all.collect::<Vec<_>>() {
        let result = one.await.expect("no panic");
        assert!(matches!(result, Ok(_) | Err(SaveError::Stale)), "{result:?}");
        saved += i32::from(result.is_ok());
    }

    let stored = settings.load().await.expect("the store answers");
    assert_eq!(saved, 1);
    assert_eq!(stored.settings.len(), 2, "all of one change and nothing of the others");
    assert_eq!(stored.revision, begin.next());
}

/// The history contains each change with the value that it replaced: newest first, by key and by
/// revision.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn every_change_of_a_setting_is_in_the_history(settings: Arc<dyn SettingRepository>) {
    let first = settings.load().await.expect("the store answers").revision;
    let one = settings
        .save(&changes(
            first,
            vec![change("A", None, Some(clear("1"))), change("B", None, Some(clear("2")))],
        ))
        .await
        .expect("it is saved");
    let secret = Kept::Sealed(sealed("k1", 1));
    let two = settings
        .save(&changes(one, vec![change("S", None, Some(secret.clone()))]))
        .await
        .expect("it is saved");
    let from = Some((clear("1"), one));
    let three =
        settings.save(&changes(two, vec![change("A", from, None)])).await.expect("it is saved");
    let four = settings
        .save(&changes(three, vec![change("S", Some((secret.clone(), two)), None)]))
        .await
        .expect("it is saved");

    let mut seen = Vec::new();
    let mut page = PageRequest::first(Limit::new(2).expect("it is a limit"));
    loop {
        let found = settings.history(None, page).await.expect("the store answers");
        seen.extend(found.items);
        let Some(next) = found.next else { break };
        page.after = Some(next);
    }

    let keys: Vec<_> = seen.iter().map(|change| (change.key.as_str(), change.revision)).collect();
    assert_eq!(keys, [("S", four), ("A", three), ("S", two), ("B", one), ("A", one)]);
    assert_eq!(seen[0].from, Some((secret, two)));
    assert_eq!((seen[0].to.as_deref(), seen[0].is_set), (None, false));
    assert_eq!(seen[1].from, Some((clear("1"), one)));
    assert_eq!((seen[2].to.as_deref(), seen[2].is_set), (None, true));
    assert_eq!((seen[4].to.as_deref(), seen[4].is_set), (Some("1"), true));
    let of_a = settings
        .history(Some("A".to_owned()), PageRequest::first(Limit::DEFAULT))
        .await
        .expect("the store answers");
    assert_eq!(of_a.items.len(), 2);
    let at_once = settings.changes(one).await.expect("the store answers");
    assert_eq!(at_once.len(), 2);
    assert!(settings.changes(Revision(99)).await.expect("the store answers").is_empty());
}

/// All secrets are resealed in one step, or none if there was a change in between.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn either_all_secrets_are_resealed_or_none(settings: Arc<dyn SettingRepository>) {
    let begin = settings.load().await.expect("the store answers").revision;
    let old = Kept::Sealed(sealed("k1", 1));
    let one = settings
        .save(&NewChanges {
            master_key: Some(KeyId("k1".to_owned())),
            ..changes(begin, vec![change("S", None, Some(old.clone()))])
        })
        .await
        .expect("it is saved");
    let two = settings
        .save(&NewChanges {
            master_key: Some(KeyId("k1".to_owned())),
            ..changes(one, vec![change("S", Some((old, one)), Some(Kept::Sealed(sealed("k1", 2))))])
        })
        .await
        .expect("it is saved");
    let (read_at, secrets) = settings.secrets().await.expect("the store answers");
    assert_eq!((read_at, secrets.len()), (two, 2));
    let mut versions: Vec<_> = secrets.iter().map(|secret| secret.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, [one, two]);
    let resealed = |based_on| Resealed {
        based_on,
        at: noon(),
        by: Actor::system().reference(),
        from: Some(KeyId("k1".to_owned())),
        to: KeyId("k2".to_owned()),
        secrets: secrets.iter().map(|secret| (secret.at.clone(), sealed("k2", 9))).collect(),
        lost: vec![],
    };

    let stale = settings.reseal(&resealed(one)).await;
    let untouched = settings.load().await.expect("the store answers");
    let done = settings.reseal(&resealed(two)).await.expect("it is saved");

    assert!(matches!(stale, Err(SaveError::Stale)), "{stale:?}");
    assert_eq!(untouched.master_key, Some(KeyId("k1".to_owned())));
    assert_eq!(done, two.next());
    let stored = settings.load().await.expect("the store answers");
    assert_eq!(stored.master_key, Some(KeyId("k2".to_owned())));
    assert_eq!(stored.settings[0].version, two, "the version is what the secret is bound to");
    let (_, secrets) = settings.secrets().await.expect("the store answers");
    assert!(secrets.iter().all(|secret| secret.sealed == sealed("k2", 9)), "{secrets:?}");
    let newest = PageRequest::first(Limit::new(1).expect("it is a limit"));
    let told = settings.history(None, newest).await.expect("the store answers").items;
    assert_eq!(told[0].action, Action::RotateKey);
    assert_eq!(told[0].to.as_deref(), Some("k2"));
}

/// When the master key is rotated, a secret that no key decrypts is removed, also from the history.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_lost_secret_is_removed(settings: Arc<dyn SettingRepository>) {
    let begin = settings.load().await.expect("the store answers").revision;
    let old = Kept::Sealed(sealed("k1", 1));
    let new = Kept::Sealed(sealed("k1", 2));
    let one = settings
        .save(&changes(begin, vec![change("S", None, Some(old.clone()))]))
        .await
        .expect("it is saved");
    let two = settings
        .save(&changes(one, vec![change("S", Some((old, one)), Some(new))]))
        .await
        .expect("it is saved");
    let (_, secrets) = settings.secrets().await.expect("the store answers");

    let lost = Resealed {
        based_on: two,
        at: noon(),
        by: Actor::system().reference(),
        from: None,
        to: KeyId("k2".to_owned()),
        secrets: vec![],
        lost: secrets.into_iter().map(|secret| secret.at).collect(),
    };
    let done = settings.reseal(&lost).await.expect("it is saved");

    assert!(settings.load().await.expect("the store answers").settings.is_empty());
    assert!(settings.secrets().await.expect("the store answers").1.is_empty());
    let of_two = settings.changes(two).await.expect("the store answers");
    assert_eq!(of_two[0].from, None);
    let told = settings.changes(done).await.expect("the store answers");
    let told: Vec<_> = told.iter().map(|change| (change.key.as_str(), change.action)).collect();
    assert!(
        told.contains(&("S", Action::Unset)) && told.contains(&(MASTER_KEY, Action::RotateKey))
    );
}
