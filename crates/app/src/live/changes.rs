//! Passes new changes on to the open streams of this process, which so need no reads of their own.

use std::sync::Arc;

use tokio::sync::broadcast;
use waggle_audit::{Change, FollowChanges};
use waggle_kernel::PortError;

/// How many batches may wait for a slow stream. It reads what it misses from the database.
const MOST_BATCHES: usize = 32;

/// The changes after one position, up to another one.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) after: i64,
    pub(crate) to: i64,
    pub(crate) changes: Vec<Change>,
}

/// Sends new changes to all streams.
pub(crate) struct NewChanges {
    sender: broadcast::Sender<Arc<Batch>>,
}

impl Default for NewChanges {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(MOST_BATCHES) }
    }
}

impl NewChanges {
    /// All batches that are sent from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.sender.subscribe()
    }

    /// The number of streams.
    pub(crate) fn streams(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Sends everything after the position `last`, and moves it. `last` is `None` at first, and
    /// while there are no streams. Then nothing is read.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails.
    pub(crate) async fn send(
        &self,
        changes: &FollowChanges,
        last: &mut Option<i64>,
    ) -> Result<(), PortError> {
        if self.sender.receiver_count() == 0 {
            *last = None;
            return Ok(());
        }
        let mut after = if let Some(last) = *last {
            last
        } else {
            // Streams that are not that far read the rest from the database.
            let end = changes.begin(None).await?.place.position;
            let nothing = Batch { after: end, to: end, changes: Vec::new() };
            let _ = self.sender.send(Arc::new(nothing));
            end
        };
        *last = Some(after);
        loop {
            let new = changes.after(after).await?;
            let Some(to) = new.last().map(|change| change.position) else { return Ok(()) };
            // It fails if the last stream has just ended.
            let _ = self.sender.send(Arc::new(Batch { after, to, changes: new }));
            *last = Some(to);
            after = to;
        }
    }
}
