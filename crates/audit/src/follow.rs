//! Follows the events as they are appended.

use std::sync::Arc;

use waggle_kernel::PortError;

use crate::change::{Change, Place};
use crate::ports::EventLog;

/// Where a client begins to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    pub place: Place,
    /// Whether the client gets everything since the place that it named. If not, it must read again
    /// what it has read before.
    pub is_resumed: bool,
}

/// Follows the events.
pub struct FollowChanges {
    pub log: Arc<dyn EventLog>,
}

impl FollowChanges {
    /// The maximum number of events that a client may have missed and still resume.
    pub const MOST_MISSED: i64 = 10_000;
    /// The maximum number of changes that are read at once.
    pub const MOST: u16 = 500;

    /// Where a client begins: after the last place that it saw, or at the end if it saw none, too
    /// many events were appended since, some of them were removed because of their age, or its
    /// place is not in this course of events.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails.
    pub async fn begin(&self, seen: Option<&str>) -> Result<Beginning, PortError> {
        let end = self.log.place().await?;
        let mut seen = seen.and_then(|seen| seen.parse::<Place>().ok()).filter(|seen| {
            let missed = end.position.checked_sub(seen.position);
            seen.epoch == end.epoch && missed.is_some_and(|n| (0..=Self::MOST_MISSED).contains(&n))
        });
        if seen.is_some() {
            let checkpoint = self.log.checkpoint().await?;
            let removed_to = checkpoint.map_or(0, |checkpoint| checkpoint.tip.position);
            seen = seen.filter(|seen| seen.position >= removed_to);
        }
        let is_resumed = seen.is_some();
        Ok(Beginning { place: seen.unwrap_or(end), is_resumed })
    }

    /// Up to [`MOST`](Self::MOST) changes after a position, in order.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails.
    pub async fn after(&self, position: i64) -> Result<Vec<Change>, PortError> {
        self.log.changes(position, Self::MOST).await
    }
}

#[cfg(test)]
mod tests {
    use waggle_kernel::{Clock as _, FixedClock};

    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::entry::Tip;
    use crate::head::HeadRef;
    use crate::ports::MockEventLog;

    fn following(epoch: &'static str, position: i64, removed_to: i64) -> FollowChanges {
        let mut log = MockEventLog::new();
        log.expect_place().returning(move || Ok(Place { epoch: epoch.to_owned(), position }));
        log.expect_checkpoint().returning(move || {
            let (tip, head) = (Tip { position: removed_to, hash: [1; 32] }, HeadRef::NONE);
            let (signed_at, key) = (FixedClock::noon().now(), String::new());
            Ok(Some(Checkpoint { tip, head, signed_at, key, signature: Vec::new() }))
        });
        FollowChanges { log: Arc::new(log) }
    }

    async fn begins(seen: &str) -> (String, bool) {
        let beginning = following("e2", 20_000, 0).begin(Some(seen)).await.unwrap();
        (beginning.place.to_string(), beginning.is_resumed)
    }

    #[tokio::test]
    async fn a_client_resumes_after_the_last_place_that_it_saw() {
        assert_eq!(begins("e2-19998").await, ("e2-19998".to_owned(), true));
        assert_eq!(begins("e2-20000").await, ("e2-20000".to_owned(), true));
        assert_eq!(begins("e2-10000").await, ("e2-10000".to_owned(), true));
    }

    #[tokio::test]
    async fn a_client_begins_at_the_end_if_its_place_is_of_no_use() {
        let places = [
            "e1-19998",
            "e2-9999",
            "e2-20001",
            "e2--9223372036854775808",
            "e2-99999999999999999999",
            "19998",
            "",
            "-",
            "é-1",
        ];
        for seen in places {
            assert_eq!(begins(seen).await, ("e2-20000".to_owned(), false), "{seen}");
        }
        let beginning = following("e2", 0, 0).begin(None).await.unwrap();
        assert_eq!((beginning.place.position, beginning.is_resumed), (0, false));
    }

    #[tokio::test]
    async fn a_client_that_missed_removed_events_begins_at_the_end() {
        let resumes = async |seen: &str| {
            following("e2", 20_000, 15_000).begin(Some(seen)).await.unwrap().is_resumed
        };

        assert!(resumes("e2-15000").await);
        assert!(!resumes("e2-14999").await);
    }
}
