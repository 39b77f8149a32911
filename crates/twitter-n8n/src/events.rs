//! The events of batches and of source tweets.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, Version};
use waggle_kernel::{ActorRef, NewEvent, ObjectRef, event_time};

use crate::campaign_batch::{CampaignBatch, NewCampaignBatch};
use crate::generated_tweet::{GeneratedTweet, NewGeneratedTweet};
use crate::lease::LeaseOutcome;
use crate::place::Place;
use crate::source_tweet::{Run, Sighting};

/// The kind of campaign batches as objects of events.
pub const CAMPAIGN_BATCH: &str = "campaign_batch";
/// The kind of runs as objects of events.
pub const RUN: &str = "run";
/// The kind of the object of an event about several source tweets. Its id is empty.
pub const SOURCE_TWEETS: &str = "source_tweets";

/// The event of a batch that was stored with these tweets, and as the batch named `name`.
pub fn batch_received(
    batch: &NewCampaignBatch,
    id: CampaignBatchId,
    name: &str,
    tweets: &[&NewGeneratedTweet],
    now: DateTime<Utc>,
) -> NewEvent {
    let tweets: Vec<Value> = tweets.iter().map(|tweet| received_tweet(tweet, id, now)).collect();
    NewEvent::new("batch.received", ObjectRef::new(CAMPAIGN_BATCH, &id), &batch.sender.by, now)
        .with_version(Version::FIRST)
        .with("batch_id", name)
        .with("title", batch.title.clone())
        .with("execution_id", batch.execution_id.clone())
        .with("tweets", tweets)
}

/// The id of a tweet in its batch, and its state.
fn received_tweet(tweet: &NewGeneratedTweet, batch: CampaignBatchId, now: DateTime<Utc>) -> Value {
    let id = GeneratedTweetId::new(0);
    let mut state = GeneratedTweet::received(id, batch, tweet.clone(), now).state();
    state.insert("tweet_id".to_owned(), tweet.tweet_id.clone().into());
    state.into()
}

/// What changes of a batch in the course of time, as events tell it.
fn state(batch: &CampaignBatch) -> Map<String, Value> {
    Map::from_iter([
        ("title".to_owned(), batch.title.clone().into()),
        ("deleted_at".to_owned(), batch.deleted_at.map(event_time).into()),
    ])
}

/// The event of the change from `before` to `after`.
pub fn batch_changed(
    before: &CampaignBatch,
    after: &CampaignBatch,
    by: &ActorRef,
    now: DateTime<Utc>,
) -> NewEvent {
    let kind = match (before.deleted_at, after.deleted_at) {
        (None, Some(_)) => "batch.archived",
        (Some(_), None) => "batch.restored",
        _ => "batch.edited",
    };
    NewEvent::new(kind, ObjectRef::new(CAMPAIGN_BATCH, &before.id), by, now)
        .with_version(before.version.next())
        .with("batch_id", before.batch_id.clone())
        .with_difference(state(before), &state(after))
}

/// The event of a tweet that was moved to another place among the tweets of its batch.
pub fn tweet_moved(
    batch: CampaignBatchId,
    tweet: GeneratedTweetId,
    place: Place,
    by: &ActorRef,
    now: DateTime<Utc>,
) -> NewEvent {
    let side = match place {
        Place::Before(_) => "before",
        Place::After(_) => "after",
    };
    NewEvent::new("batch.reordered", ObjectRef::new(CAMPAIGN_BATCH, &batch), by, now)
        .with("tweet", tweet.number())
        .with(side, place.neighbor().number())
}

/// The event of a report that changed something: one for all its tweets. `updated` of them have new
/// numbers.
pub fn reported(run: &Run, sightings: &[Sighting], updated: usize, now: DateTime<Utc>) -> NewEvent {
    let count = |of: Sighting| sightings.iter().filter(|&&sighting| sighting == of).count();
    let object = ObjectRef::new(RUN, &run.execution_id);
    NewEvent::new("source_tweets.reported", object, &run.sender.by, now)
        .with("new", count(Sighting::Stored))
        .with("offered_again", count(Sighting::OfferedAgain))
        .with("updated", updated)
        .with("tweets", sightings.len())
}

/// The event of source tweets that were leased by a claim. The name of the lease is a secret.
pub fn claimed(
    tweet_ids: &[&str],
    by: &ActorRef,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> NewEvent {
    of_many("source_tweets.claimed", by, now)
        .with("tweet_ids", json!(tweet_ids))
        .with("until", event_time(until))
}

/// The event of the end of leases of `tweets` source tweets.
pub fn leases_ended(
    outcome: LeaseOutcome,
    tweets: usize,
    by: &ActorRef,
    now: DateTime<Utc>,
) -> NewEvent {
    let kind = match outcome {
        LeaseOutcome::Processed => "source_tweets.processed",
        LeaseOutcome::Released => "source_tweets.released",
    };
    of_many(kind, by, now).with("tweets", tweets)
}

/// The event of source tweets that were deleted.
pub fn source_tweets_deleted(tweet_ids: &[String], by: &ActorRef, now: DateTime<Utc>) -> NewEvent {
    of_many("source_tweets.deleted", by, now).with("tweet_ids", json!(tweet_ids))
}

/// The event of source tweets whose last lease expired.
pub fn lapsed(tweet_ids: &[String], by: &ActorRef, now: DateTime<Utc>) -> NewEvent {
    of_many("source_tweets.lapsed", by, now).with("tweet_ids", json!(tweet_ids))
}

fn of_many(kind: &'static str, by: &ActorRef, now: DateTime<Utc>) -> NewEvent {
    NewEvent::new(kind, ObjectRef::new(SOURCE_TWEETS, &""), by, now)
}
