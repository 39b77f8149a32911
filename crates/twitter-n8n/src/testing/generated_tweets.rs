//! The contract of stored generated tweets.

use std::collections::BTreeSet;
use std::sync::Arc;

use waggle_kernel::ids::{GeneratedTweetId, Version};
use waggle_kernel::{Actor, Direction, Limit, PageRequest};

use super::{batch, change, changed, noon, system, tweets_of};
use crate::campaign_batch::{BatchStatus, CampaignBatch};
use crate::events::tweet_moved;
use crate::generated_tweet::{GeneratedTweet, TweetFilter};
use crate::history::{HistoryAction, HistoryEntry};
use crate::place::Place;
use crate::ports::{CampaignBatchRepository, GeneratedTweetRepository, SaveError};
use crate::status::{Action, Status};

/// A change is saved only over the version that was read, with its history, and the status of the
/// batch is updated.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_tweet_is_saved_only_over_its_version(
    batches: Arc<dyn CampaignBatchRepository>,
    tweets: Arc<dyn GeneratedTweetRepository>,
) {
    let made = batch("b", &[("t-1", "one"), ("t-2", "two")]);
    let id = batches.receive(&made, noon()).await.expect("the store answers").id;
    let all = tweets_of(&*tweets, &TweetFilter::default()).await;
    let approve = |tweet: &GeneratedTweet| {
        let after = tweet.clone().approve(&Actor::system(), noon()).expect("it is allowed");
        change(Action::Approve, tweet, after)
    };
    let reject = |tweet: &GeneratedTweet| {
        let after = tweet.clone().reject(noon()).expect("it is allowed");
        change(Action::Reject, tweet, after)
    };

    let first = tweets.save(&[approve(&all[0]), reject(&all[1])]).await.expect("it answers");
    let stale = tweets.save(&[reject(&all[0])]).await.expect("it answers");

    assert!(first.iter().all(Result::is_ok), "{first:?}");
    assert!(matches!(stale[0], Err(SaveError::Stale)), "{stale:?}");
    let saved = tweets.find(all[0].id()).await.expect("it answers").expect("it is there");
    assert_eq!(saved.status(), Status::Approved);
    assert_eq!(saved.approval().map(|approval| approval.hash), Some(saved.publication().hash()));
    assert_eq!(saved.version(), Version::FIRST.next());
    let page = PageRequest::first(Limit::DEFAULT);
    let history = tweets.history(all[0].id(), page).await.expect("it answers").items;
    assert_eq!(history.len(), 1);
    let hash = all[0].publication().hash();
    let expected = HistoryEntry {
        id: history[0].id,
        action: HistoryAction::Moved(Action::Approve),
        actor: "system".to_owned(),
        at: noon(),
        from: Status::BrandAligned,
        to: Status::Approved,
        content_before: None,
        content_after: None,
        note: Some(format!("sha256 {hash}")),
    };
    assert_eq!(history[0], expected);
    let parent = batches.find(id).await.expect("it answers").expect("it is there");
    assert_eq!(parent.status, BatchStatus::Reviewed);
    assert_eq!(parent.counts.of(Status::Rejected), 1);
}

/// Of many concurrent decisions on one version, only one is saved.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn concurrent_decisions_do_not_overwrite(
    batches: Arc<dyn CampaignBatchRepository>,
    tweets: Arc<dyn GeneratedTweetRepository>,
) {
    let made = batch("b", &[("t-1", "one")]);
    batches.receive(&made, noon()).await.expect("the store answers");
    let read = tweets_of(&*tweets, &TweetFilter::default()).await.remove(0);
    let mut tasks = Vec::new();
    for number in 0..8 {
        let (tweets, read) = (Arc::clone(&tweets), read.clone());
        tasks.push(tokio::spawn(async move {
            let words = Some(format!("words {number}"));
            let after = read.clone().edit(words, None, noon()).expect("it is allowed");
            tweets.save(&[change(Action::Edit, &read, after)]).await
        }));
    }
    let mut written = 0;
    for task in tasks {
        let results = task.await.expect("it does not panic").expect("the store answers");
        written += results.iter().filter(|result| result.is_ok()).count();
    }

    assert_eq!(written, 1);
}

/// Each filter selects the right tweets. Tweets of a deleted batch are listed only if that batch is
/// selected.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn each_filter_of_tweets_shows_what_it_means(
    batches: Arc<dyn CampaignBatchRepository>,
    tweets: Arc<dyn GeneratedTweetRepository>,
) {
    let long = "x".repeat(300);
    let first = batch("b", &[("t-1", "One Word"), ("t-2", &long)]);
    let first = batches.receive(&first, noon()).await.expect("the store answers").id;
    let second = batch("c", &[("t-1", "another")]);
    let second = batches.receive(&second, noon()).await.expect("the store answers").id;
    let none = TweetFilter::default;
    let count = async |filter: TweetFilter| tweets_of(&*tweets, &filter).await.len();

    assert_eq!(count(none()).await, 3);
    assert_eq!(count(TweetFilter { search: Some("one w".to_owned()), ..none() }).await, 1);
    assert_eq!(count(TweetFilter { batch: Some(first), ..none() }).await, 2);
    assert_eq!(count(TweetFilter { ready: Some(false), ..none() }).await, 1);
    assert_eq!(count(TweetFilter { status: Some(Status::BrandAligned), ..none() }).await, 3);
    assert_eq!(count(TweetFilter { status: Some(Status::Posted), ..none() }).await, 0);
    assert_eq!(count(TweetFilter { kind: Some("generated".to_owned()), ..none() }).await, 3);
    assert_eq!(count(TweetFilter { is_edited: Some(true), ..none() }).await, 0);
    assert_eq!(count(TweetFilter { created_from: Some(noon()), ..none() }).await, 3);
    assert_eq!(count(TweetFilter { created_before: Some(noon()), ..none() }).await, 0);

    let there = batches.find(second).await.expect("it answers").expect("it is there");
    let away = CampaignBatch { deleted_at: Some(noon()), ..there.clone() };
    batches.save(&away, &changed(&there, &away)).await.expect("it is not stale");
    assert_eq!(count(none()).await, 2);
    assert_eq!(count(TweetFilter { batch: Some(second), ..none() }).await, 1);
    let missing = [GeneratedTweetId::new(i64::MAX)];
    assert!(tweets.find_many(&missing).await.expect("it answers").is_empty());
}

/// Moves a tweet next to another one, and returns where it was.
async fn reorder(
    tweets: &dyn GeneratedTweetRepository,
    tweet: &GeneratedTweet,
    place: Place,
) -> Option<Place> {
    let event = tweet_moved(tweet.view().batch, tweet.id(), place, &system(), noon());
    tweets.reorder(tweet, place, &event).await.expect("the store answers")
}

/// The tweets of a batch are listed in the order that people gave them, page by page and in both
/// directions. Other batches keep their order.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn tweets_are_listed_in_the_order_of_people(
    batches: Arc<dyn CampaignBatchRepository>,
    tweets: Arc<dyn GeneratedTweetRepository>,
) {
    let made = batch("b", &[("t-1", "1"), ("t-2", "2"), ("t-3", "3"), ("t-4", "4")]);
    let id = batches.receive(&made, noon()).await.expect("the store answers").id;
    let other = batch("c", &[("t-1", "5"), ("t-2", "6")]);
    batches.receive(&other, noon()).await.expect("the store answers");
    let all = tweets_of(&*tweets, &TweetFilter::default()).await;
    let of_batch = TweetFilter { batch: Some(id), ..TweetFilter::default() };
    let waiting = TweetFilter { waiting: Some(true), ..TweetFilter::default() };
    let none = TweetFilter::default();
    let texts = async |filter: &TweetFilter, direction: Direction| {
        let mut page = PageRequest::first(Limit::new(1).expect("it is 1 to 200"));
        let mut texts = String::new();
        loop {
            let found = tweets.list(filter, direction, page).await.expect("the store answers");
            texts.extend(found.items.iter().map(|tweet| tweet.view().tweet.content.clone()));
            page.after = found.next;
            if page.after.is_none() {
                return texts;
            }
        }
    };

    let former = reorder(&*tweets, &all[3], Place::Before(all[0].id())).await;
    let unchanged = reorder(&*tweets, &all[3], Place::Before(all[0].id())).await;
    reorder(&*tweets, &all[0], Place::After(all[2].id())).await;

    assert_eq!((former, unchanged), (Some(Place::After(all[2].id())), None));
    for filter in [&none, &waiting] {
        assert_eq!(texts(filter, Direction::Ascending).await, "423156", "{filter:?}");
        assert_eq!(texts(filter, Direction::Descending).await, "651324", "{filter:?}");
    }
    assert_eq!(texts(&of_batch, Direction::Ascending).await, "4231");
    let moved = tweets.find(all[3].id()).await.expect("it answers").expect("it is there");
    assert_eq!(moved, all[3], "nothing else of the tweet changes");
}

/// Concurrent moves and decisions lose no tweet and no decision.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn concurrent_moves_lose_no_tweet(
    batches: Arc<dyn CampaignBatchRepository>,
    tweets: Arc<dyn GeneratedTweetRepository>,
) {
    let names: Vec<String> = (0..12).map(|number| format!("t-{number}")).collect();
    let texts: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &**name)).collect();
    batches.receive(&batch("b", &texts), noon()).await.expect("the store answers");
    let all = tweets_of(&*tweets, &TweetFilter::default()).await;
    let mut tasks = Vec::new();
    for (number, tweet) in all.iter().enumerate() {
        let (tweets, tweet) = (Arc::clone(&tweets), tweet.clone());
        let place = Place::Before(all[(number * 5 + 3) % all.len()].id());
        tasks.push(tokio::spawn(async move {
            if number % 3 == 0 {
                let after = tweet.clone().reject(noon()).expect("it is allowed");
                let saved = tweets.save(&[change(Action::Reject, &tweet, after)]).await;
                assert!(saved.expect("the store answers").iter().all(Result::is_ok));
            }
            reorder(&*tweets, &tweet, place).await;
        }));
    }
    for task in tasks {
        task.await.expect("it does not panic");
    }

    // Page by page: two tweets of one place would be on none.
    let mut moved = Vec::new();
    let mut page = PageRequest::first(Limit::new(1).expect("it is 1 to 200"));
    loop {
        let listed = tweets.list(&TweetFilter::default(), Direction::Ascending, page).await;
        let listed = listed.expect("the store answers");
        moved.extend(listed.items);
        page.after = listed.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(moved.len(), all.len());
    let ids = |tweets: &[GeneratedTweet]| -> BTreeSet<GeneratedTweetId> {
        tweets.iter().map(GeneratedTweet::id).collect()
    };
    assert_eq!(ids(&moved), ids(&all));
    let rejected = moved.iter().filter(|tweet| tweet.status() == Status::Rejected).count();
    assert_eq!(rejected, 4);
}
