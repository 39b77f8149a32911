//! What follows from restoring a backup.

use chrono::{DateTime, Utc};
use waggle_content::PostStatus;
use waggle_kernel::ids::PostId;

/// What was changed because a backup was restored, so that nothing goes out by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The posts that were taken out of the queue.
    pub posts: Vec<RestoredPost>,
    /// The number of mails that are not sent any more.
    pub mails: usize,
    /// The number of sessions that were ended.
    pub sessions: usize,
}

/// A post that was taken out of the queue. It may have been published since the backup was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredPost {
    pub id: PostId,
    pub platform: String,
    /// [`PostStatus::Unknown`] if its delivery had begun, otherwise [`PostStatus::Missed`].
    pub status: PostStatus,
    /// When the post should be published.
    pub scheduled_time: Option<DateTime<Utc>>,
    /// The text.
    pub content: String,
}
