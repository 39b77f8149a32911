//! Tells the workers of this process that a committed transaction filled their queue.

use std::sync::Arc;

use tokio::sync::Notify;

/// A queue in the database that a worker empties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Mails to send.
    Mails,
    /// Posts to publish.
    Posts,
    /// Events to append to the chain.
    Events,
    /// Events of the chain, of which clients are told.
    Changes,
}

/// The queues that the workers of this process wait for. Additions by other processes are not
/// announced here, so a worker also polls.
#[derive(Debug, Clone, Default)]
pub struct Queues {
    mails: Arc<Notify>,
    posts: Arc<Notify>,
    events: Arc<Notify>,
    changes: Arc<Notify>,
}

impl Queues {
    /// Waits until something was added to `queue` since the last call returned.
    pub async fn filled(&self, queue: Queue) {
        self.of(queue).notified().await;
    }

    /// Announces that `queue` contains something that is due, or that a reason to wait is gone.
    pub fn announce(&self, queue: Queue) {
        self.of(queue).notify_one();
    }

    fn of(&self, queue: Queue) -> &Notify {
        match queue {
            Queue::Mails => &self.mails,
            Queue::Posts => &self.posts,
            Queue::Events => &self.events,
            Queue::Changes => &self.changes,
        }
    }
}
