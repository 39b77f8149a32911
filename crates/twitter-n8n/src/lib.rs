//! Source tweets, campaign batches and generated tweets: n8n submits them, people review them.
//!
//! A workflow reports the tweets of monitored accounts ([`CheckDuplicates`]) and submits batches of
//! generated tweets ([`ReceiveBatch`]). People review them ([`ReviewTweets`]) and queue approved
//! tweets for publishing ([`PublishTweet`]). The crate performs no I/O. Everything it needs is
//! behind the traits in [`ports`], so any program can provide its own database.
//!
//! ```
//! use chrono::Utc;
//! use waggle_kernel::{Actor, ids::{CampaignBatchId, GeneratedTweetId}};
//! use waggle_twitter_n8n::{Action, GeneratedTweet, NewGeneratedTweet, Status};
//!
//! let submitted = NewGeneratedTweet::new("batch-tweet-1", "Compute that finds its own work.");
//! let tweet = GeneratedTweet::received(
//!     GeneratedTweetId::new(1),
//!     CampaignBatchId::new(1),
//!     submitted,
//!     Utc::now(),
//! );
//!
//! let approved = tweet.approve(&Actor::system(), Utc::now())?;
//!
//! assert_eq!(approved.status(), Status::Approved);
//! let hash = approved.publication().hash();
//! assert!(approved.approval().is_some_and(|approval| approval.hash == hash));
//! // An edit withdraws the approval.
//! let edited = approved.edit(Some("Other words.".into()), None, Utc::now())?;
//! assert_eq!(edited.status(), Status::Draft);
//! assert!(edited.approval().is_none());
//! assert!(edited.status().after(Action::Publish).is_none());
//! # Ok::<(), waggle_twitter_n8n::MoveRefused>(())
//! ```

mod campaign_batch;
mod check_duplicates;
mod end_run;
pub mod events;
mod generated_tweet;
mod history;
mod lease;
mod manage_batches;
mod place;
pub mod ports;
mod publish_tweet;
mod queued_post;
mod receive_batch;
mod review_tweets;
mod sample;
mod sender;
mod source_tweet;
mod source_tweets;
mod status;
#[cfg(feature = "testing")]
pub mod testing;
mod tweet_date;
mod unrendered;
mod work_queue;

pub use campaign_batch::{
    BatchFilter, BatchStatus, CampaignBatch, Deleted, InvalidBatch, NewCampaignBatch, Received,
    StatusCounts,
};
pub use check_duplicates::{CheckDuplicates, CheckDuplicatesError, Verdict};
pub use end_run::EndRun;
pub use generated_tweet::{
    Approval, GeneratedTweet, MoveRefused, NewGeneratedTweet, StoredTweet, TweetFilter, Unfit,
};
pub use history::{GENERATED_TWEET, HistoryAction, HistoryEntry, change_event, tweet_event};
pub use lease::{Lease, LeaseOutcome};
pub use manage_batches::{ManageBatches, ManageBatchesError};
pub use place::Place;
pub use publish_tweet::{PublishTime, PublishTweet, PublishTweetError, QueuedMany};
pub use queued_post::{NoDestination, QueueRefused, QueueRequest, QueuedPost};
pub use receive_batch::{ReceiveBatch, ReceiveBatchError};
pub use review_tweets::{Refused, ReviewError, ReviewTweets, ReviewedMany};
pub use sender::Sender;
pub use source_tweet::{
    EndedRuns, Engagement, InvalidSourceTweet, Lapsed, NewSourceTweet, OfferPolicy, Run, RunKey,
    RunsToEnd, Sighting, SourceTweet, SourceTweetFilter, SourceTweetSort, SourceTweetTotals,
};
pub use source_tweets::{BrowseSourceTweets, SourceTweetsError};
pub use status::{Action, Status};
pub use tweet_date::{UnreadableDate, parse_tweet_date};
pub use unrendered::{is_unrendered, unrendered_part};
pub use work_queue::{InvalidLease, LeasedTweets, WorkQueue, WorkQueueError};
