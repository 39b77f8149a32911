//! The contracts of the ports, to run against every implementation.
//!
//! Each contract starts with an empty store.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a contract that is broken stops the test"
)]

pub mod batches;
pub mod generated_tweets;
pub mod leases;
pub mod many;
pub mod source_tweets;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use waggle_kernel::{
    Actor, ActorRef, Clock as _, Direction, FixedClock, Limit, NewEvent, PageRequest,
};

use crate::campaign_batch::{CampaignBatch, NewCampaignBatch};
use crate::events::batch_changed;
use crate::generated_tweet::{GeneratedTweet, NewGeneratedTweet, TweetFilter};
use crate::history::change_event;
use crate::ports::{GeneratedTweetRepository, ReviewedTweet};
use crate::sender::Sender;
use crate::source_tweet::{Engagement, NewSourceTweet, OfferPolicy, Run, RunKey};
use crate::status::Action;

const OFFERS: OfferPolicy = OfferPolicy { lease: Duration::hours(1), most: 2 };

fn noon() -> DateTime<Utc> {
    FixedClock::noon().now()
}

fn changed(before: &CampaignBatch, after: &CampaignBatch) -> NewEvent {
    batch_changed(before, after, &system(), noon())
}

fn system() -> ActorRef {
    Actor::system().reference()
}

/// The sender of this name, which has a token unless it is a network.
fn sender(name: &str, address: &str) -> Sender {
    Sender {
        by: ActorRef { key: name.to_owned(), shown: name.to_owned(), request_id: String::new() },
        address: address.to_owned(),
        is_unauthenticated: name.starts_with("network:"),
    }
}

fn run(key: RunKey) -> Run {
    Run {
        execution_id: match &key {
            RunKey::Execution(id) => id.clone(),
            RunKey::Body { .. } => "unknown".to_owned(),
        },
        key,
        source_url: "unknown".to_owned(),
        sender: sender("system", "10.0.0.7"),
    }
}

/// The run with this execution id.
pub fn execution(id: &str) -> Run {
    run(RunKey::Execution(id.to_owned()))
}

/// A report of the tweet with this number.
///
/// # Panics
///
/// Never; all texts are valid.
pub fn report(number: i64) -> NewSourceTweet {
    let engagement = Engagement {
        likes: number % 7,
        retweets: number % 5,
        replies: number % 3,
        quotes: number % 2,
        views: number * 10,
    };
    NewSourceTweet::new(
        &format!("{}", 1000 + number),
        "https://example.com".to_owned(),
        "https://x.com/i/web/status/1".to_owned(),
        format!("Tweet Number {number} 100% a_b Über Привет"),
        engagement,
        (noon() + Duration::minutes(number)).to_rfc3339(),
        if number % 4 == 0 { "error" } else { "success" }.to_owned(),
    )
    .expect("the report is right")
}

fn reports(count: i64) -> Vec<NewSourceTweet> {
    (0..count).map(report).collect()
}

/// Creates a batch with these tweets.
///
/// # Panics
///
/// If the batch is invalid.
pub fn batch(batch_id: &str, tweets: &[(&str, &str)]) -> NewCampaignBatch {
    NewCampaignBatch {
        batch_id: batch_id.to_owned(),
        analysis_summary: json!({ "themes": ["a", 1, null, 18_446_744_073_709_551_615_u64] }),
        brand_alignment_score: Some(9.25),
        total_tweets: 3,
        ready_for_deployment: 3,
        source_type: "multi_agent_automation".to_owned(),
        title: "A Title".to_owned(),
        description: String::new(),
        generated_at: None,
        execution_id: None,
        source_tweet_ids: Vec::new(),
        has_unreadable_names: false,
        tweets: tweets.iter().map(|(id, text)| NewGeneratedTweet::new(*id, *text)).collect(),
        sender: sender("system", "10.0.0.7"),
    }
    .checked()
    .expect("the batch is right")
}

/// The tweets of a batch, in the order of their ids.
///
/// # Panics
///
/// If the store does not answer.
pub async fn tweets_of(
    tweets: &dyn GeneratedTweetRepository,
    filter: &TweetFilter,
) -> Vec<GeneratedTweet> {
    let page = PageRequest::first(Limit::new(Limit::MOST).expect("it is 1 to 200"));
    tweets.list(filter, Direction::Ascending, page).await.expect("the store answers").items
}

/// The change from `before` to `after`, with its event.
pub fn change(action: Action, before: &GeneratedTweet, after: GeneratedTweet) -> ReviewedTweet {
    let event = change_event(action, &Actor::system().reference(), before, &after, None);
    ReviewedTweet { tweet: after, event }
}
