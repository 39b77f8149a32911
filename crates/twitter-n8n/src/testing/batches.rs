//! The contract of stored campaign batches.

use std::sync::Arc;

use waggle_kernel::ids::Version;
use waggle_kernel::{Direction, Limit, PageRequest};

use super::{OFFERS, batch, changed, execution, noon, report, reports, run, sender};
use crate::campaign_batch::{BatchFilter, BatchStatus, Deleted, NewCampaignBatch};
use crate::ports::{CampaignBatchRepository, SaveError, SourceTweetRepository};
use crate::source_tweet::{NewSourceTweet, Run, RunKey, SourceTweetFilter, SourceTweetSort};
use crate::status::Status;

/// A batch that names neither a run nor tweets ends the open runs of its caller.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_batch_that_names_nothing_ends_the_runs_of_its_caller(
    tweets: Arc<dyn SourceTweetRepository>,
    batches: Arc<dyn CampaignBatchRepository>,
) {
    let nameless = Run {
        execution_id: "exec_success".to_owned(),
        ..run(RunKey::Body { hash: "abc".to_owned() })
    };
    let other = Run { sender: sender("token:9:n8n", "10.0.0.9"), ..execution("other") };
    tweets.record(&execution("mine"), &[report(1)], OFFERS, noon()).await.expect("it answers");
    tweets.record(&nameless, &[report(2)], OFFERS, noon()).await.expect("it answers");
    tweets.record(&other, &[report(3)], OFFERS, noon()).await.expect("it answers");
    let receive = async |name: &str, execution_id: Option<&str>| {
        let execution_id = execution_id.map(str::to_owned);
        let new = NewCampaignBatch { execution_id, ..batch(name, &[("t", name)]) };
        batches.receive(&new, noon()).await.expect("it answers")
    };

    // The name that was generated for a run without one matches only that run.
    let made_up = receive("a", Some("exec_success")).await;
    let unknown = receive("b", Some("no such run")).await;
    let nothing = receive("c", None).await;
    let replayed = receive("c", None).await;

    assert_eq!((made_up.processed_source_tweets, made_up.is_run_unknown), (1, false));
    assert_eq!((unknown.processed_source_tweets, unknown.is_run_unknown), (0, true));
    assert_eq!((nothing.processed_source_tweets, nothing.ended_runs), (1, 1));
    assert_eq!((replayed.processed_source_tweets, replayed.ended_runs), (0, 0));
    let open = SourceTweetFilter { is_processed: Some(false), ..SourceTweetFilter::default() };
    assert_eq!(tweets.totals(&open).await.expect("it answers").tweets, 1);
}

/// A batch ends runs with any number of source tweets.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_batch_ends_runs_with_many_source_tweets(
    tweets: Arc<dyn SourceTweetRepository>,
    batches: Arc<dyn CampaignBatchRepository>,
) {
    for run in 0..15 {
        let reports: Vec<NewSourceTweet> = (run * 100..(run + 1) * 100).map(report).collect();
        let run = execution(&run.to_string());
        tweets.record(&run, &reports, OFFERS, noon()).await.expect("it answers");
    }

    let received = batches.receive(&batch("b", &[("t", "t")]), noon()).await.expect("it answers");

    assert_eq!((received.processed_source_tweets, received.ended_runs), (1_500, 15));
    assert_eq!(batches.sources(received.id).await.expect("it answers").len(), 1_000);
    let open = SourceTweetFilter { is_processed: Some(false), ..SourceTweetFilter::default() };
    assert_eq!(tweets.totals(&open).await.expect("it answers").tweets, 0);
}

/// A batch is stored once. A replay stores nothing. Other content with the same name is stored
/// under another name.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_batch_loses_nothing(batches: Arc<dyn CampaignBatchRepository>) {
    let receive = async |batch: &NewCampaignBatch| {
        batches.receive(batch, noon()).await.expect("the store answers")
    };
    let one = batch("b", &[("t-1", "one"), ("t-2", "two")]);

    let first = receive(&one).await;
    let replay = receive(&one).await;
    let more = receive(&batch("b", &[("t-1", "one"), ("t-2", "other"), ("t-3", "three")])).await;
    let third = receive(&batch("b", &[("t-1", "third")])).await;
    let replayed_more = receive(&batch("b", &[("t-2", "other"), ("t-3", "three")])).await;
    let namesake = receive(&batch("b-v2", &[("t-9", "of its own")])).await;

    assert_eq!((first.stored, first.known, first.batch_id.as_str()), (2, 0, "b"));
    assert_eq!((replay.stored, replay.known, replay.id), (0, 2, first.id));
    assert_eq!((more.stored, more.known, more.batch_id.as_str()), (2, 1, "b-v2"));
    assert_eq!((third.stored, third.batch_id.as_str()), (1, "b-v3"));
    assert_eq!((replayed_more.stored, replayed_more.known), (0, 2));
    assert_eq!(namesake.stored, 1);
    assert_eq!(namesake.batch_id, "b-v2-v2");
    let found = batches.find(first.id).await.expect("it answers").expect("it is there");
    assert_eq!(found.analysis_summary, one.analysis_summary);
    assert_eq!(found.counts.of(Status::BrandAligned), 2);
    assert_eq!(found.status, BatchStatus::Draft);
    // Implementations store batches of different sizes in different ways.
    for size in [0_u32, 1, 11, 100, 101] {
        let ids: Vec<String> = (0..size).map(|number| format!("t-{number}")).collect();
        let tweets: Vec<(&str, &str)> = ids.iter().map(|id| (&**id, &**id)).collect();
        let sized = batch(&format!("of {size}"), &tweets);

        let first = receive(&sized).await;
        let replay = receive(&sized).await;

        assert_eq!((first.stored, first.known), (size, 0));
        assert_eq!((replay.stored, replay.known, replay.id), (0, size, first.id));
        let found = batches.find(first.id).await.expect("it answers").expect("it is there");
        assert_eq!(found.counts.of(Status::BrandAligned), i64::from(size));
    }
}

/// The same batch, submitted concurrently, is stored once. Different batches are all stored.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn concurrent_batches_lose_nothing(batches: Arc<dyn CampaignBatchRepository>) {
    let mut tasks = Vec::new();
    for number in 0..12 {
        let batches = Arc::clone(&batches);
        let text = format!("words {}", number % 3);
        tasks.push(tokio::spawn(async move {
            batches.receive(&batch("b", &[("t-1", &text)]), noon()).await
        }));
    }
    let mut stored = 0;
    for task in tasks {
        stored += task.await.expect("it does not panic").expect("the store answers").stored;
    }

    assert_eq!(stored, 3);
    let page = PageRequest::first(Limit::DEFAULT);
    let all = batches
        .list(&BatchFilter::default(), Direction::Ascending, page)
        .await
        .expect("it answers");
    assert_eq!(all.items.len(), 3);
}

/// A batch keeps the ids of its source tweets, and marks them as processed.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_batch_marks_its_source_tweets(
    tweets: Arc<dyn SourceTweetRepository>,
    batches: Arc<dyn CampaignBatchRepository>,
) {
    tweets.record(&execution("one"), &reports(3), OFFERS, noon()).await.expect("the store answers");
    let more: Vec<NewSourceTweet> = (3..6).map(report).collect();
    tweets.record(&execution("two"), &more, OFFERS, noon()).await.expect("the store answers");
    let made = NewCampaignBatch {
        execution_id: Some("one".to_owned()),
        source_tweet_ids: vec!["1000".to_owned(), "1004".to_owned(), "unheard-of".to_owned()],
        ..batch("b", &[("t-1", "one")])
    };

    let received = batches.receive(&made, noon()).await.expect("the store answers");
    let replay = batches.receive(&made, noon()).await.expect("the store answers");

    assert_eq!((received.processed_source_tweets, replay.processed_source_tweets), (4, 0));
    let sources = batches.sources(received.id).await.expect("it answers");
    assert_eq!(sources, ["1000", "1001", "1002", "1004"]);
    let processed = SourceTweetFilter { is_processed: Some(true), ..SourceTweetFilter::default() };
    assert_eq!(tweets.totals(&processed).await.expect("it answers").tweets, 4);
    let of_run =
        NewCampaignBatch { execution_id: Some("two".to_owned()), ..batch("of two", &[("t", "t")]) };
    let received = batches.receive(&of_run, noon()).await.expect("the store answers");
    assert_eq!((received.processed_source_tweets, received.ended_runs), (3, 0));
    let sources = batches.sources(received.id).await.expect("it answers");
    assert_eq!(sources, ["1003", "1004", "1005"]);
    assert_eq!(tweets.totals(&processed).await.expect("it answers").tweets, 6);
    let of_batch = SourceTweetFilter { batch: Some(received.id), ..SourceTweetFilter::default() };
    assert_eq!(tweets.totals(&of_batch).await.expect("it answers").tweets, 3);
    for sort in [SourceTweetSort::Date, SourceTweetSort::Views] {
        let page = PageRequest::first(Limit::DEFAULT);
        let found = tweets.list(&of_batch, sort, Direction::Descending, page).await;
        let found = found.expect("it answers").items.into_iter();
        let ids: Vec<String> = found.map(|tweet| tweet.report.tweet_id).collect();
        assert_eq!(ids, ["1005", "1004", "1003"], "{sort:?}");
    }
}

/// Batches of one run, each submitted several times at once, are stored once each, with all source
/// tweets of the run.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn concurrent_batches_of_a_run_are_stored_once(
    tweets: Arc<dyn SourceTweetRepository>,
    batches: Arc<dyn CampaignBatchRepository>,
) {
    tweets.record(&execution("one"), &reports(5), OFFERS, noon()).await.expect("it answers");
    let mut tasks = Vec::new();
    for number in 0..24 {
        let batches = Arc::clone(&batches);
        let name = format!("batch {}", number % 3);
        tasks.push(tokio::spawn(async move {
            let execution_id = Some("one".to_owned());
            let new = NewCampaignBatch { execution_id, ..batch(&name, &[("t-1", "text")]) };
            batches.receive(&new, noon()).await
        }));
    }
    let mut stored = 0;
    for task in tasks {
        let received = task.await.expect("it does not panic").expect("the store answers");
        assert_eq!(received.processed_source_tweets, if received.stored > 0 { 5 } else { 0 });
        assert_eq!(batches.sources(received.id).await.expect("it answers").len(), 5);
        stored += received.stored;
    }

    assert_eq!(stored, 3);
}

/// A batch is saved only over the version that was read, and is found by the right filters.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_batch_is_saved_only_over_its_version(batches: Arc<dyn CampaignBatchRepository>) {
    let id = batches.receive(&batch("b", &[]), noon()).await.expect("it answers").id;
    batches.receive(&batch("other", &[]), noon()).await.expect("it answers");
    let read = batches.find(id).await.expect("it answers").expect("it is there");
    let mut renamed = read.clone();
    "Über 100% new".clone_into(&mut renamed.title);
    renamed.deleted_at = Some(noon());

    let version = batches.save(&renamed, &changed(&read, &renamed)).await.expect("it is not stale");
    let stale = batches.save(&read, &changed(&read, &read)).await;

    assert_eq!(version, Version::FIRST.next());
    assert!(matches!(stale, Err(SaveError::Stale)), "{stale:?}");
    let list = async |filter: BatchFilter| {
        let page = PageRequest::first(Limit::DEFAULT);
        let found = batches.list(&filter, Direction::Descending, page).await.expect("it answers");
        found.items.len()
    };
    let with = || BatchFilter { deleted: Deleted::With, ..BatchFilter::default() };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(list(BatchFilter::default()).await, 1);
    assert_eq!(list(BatchFilter { deleted: Deleted::Only, ..with() }).await, 1);
    assert_eq!(list(with()).await, 2);
    assert_eq!(list(BatchFilter { search: text("100%"), ..with() }).await, 1);
    assert_eq!(list(BatchFilter { search: text("OTHER"), ..with() }).await, 1);
    assert_eq!(list(BatchFilter { status: Some(BatchStatus::Published), ..with() }).await, 0);
    assert_eq!(list(BatchFilter { min_score: Some(9.3), ..with() }).await, 0);
    assert_eq!(list(BatchFilter { min_score: Some(9.25), ..with() }).await, 2);
    assert_eq!(list(BatchFilter { source_type: text("manual"), ..with() }).await, 0);
    assert_eq!(list(BatchFilter { created_before: Some(noon()), ..with() }).await, 0);
    assert_eq!(list(BatchFilter { created_from: Some(noon()), ..with() }).await, 2);
}
