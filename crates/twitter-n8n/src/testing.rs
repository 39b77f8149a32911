//! The contracts of the ports, to run against every implementation.
//!
//! Each contract starts with an empty store.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a contract that is broken stops the test"
)]

pub mod many;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use waggle_kernel::ids::{GeneratedTweetId, Version};
use waggle_kernel::{
    Actor, ActorRef, Clock as _, Direction, FixedClock, Limit, NewEvent, Page, PageRequest,
};

use crate::campaign_batch::{BatchFilter, BatchStatus, CampaignBatch, Deleted, NewCampaignBatch};
use crate::events::batch_changed;
use crate::generated_tweet::{GeneratedTweet, NewGeneratedTweet, TweetFilter};
use crate::history::{HistoryAction, HistoryEntry, change_event};
use crate::lease::{Lease, LeaseOutcome};
use crate::ports::{
    CampaignBatchRepository, GeneratedTweetRepository, ReviewedTweet, SaveError,
    SourceTweetRepository,
};
use crate::sender::Sender;
use crate::source_tweet::{
    EndedRuns, Engagement, Lapsed, NewSourceTweet, OfferPolicy, Run, RunKey, RunsToEnd, Sighting,
    SourceTweetFilter, SourceTweetSort,
};
use crate::status::{Action, Status};

const OFFERS: OfferPolicy = OfferPolicy { lease: Duration::hours(1), most: 2 };

fn noon() -> DateTime<Utc> {
    FixedClock::noon().now()
}

/// The sender of this name, which has a token unless it is a network.
fn changed(before: &CampaignBatch, after: &CampaignBatch) -> NewEvent {
    batch_changed(before, after, &system(), noon())
}

fn system() -> ActorRef {
    Actor::system().reference()
}

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

/// A run gets its own tweets again, another run does not, and each tweet is stored once.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_tweet_is_new_to_the_run_that_brought_it(tweets: Arc<dyn SourceTweetRepository>) {
    let record = async |run: &Run, number, now| {
        tweets.record(run, &reports(number), OFFERS, now).await.expect("the store answers")
    };

    let first = record(&execution("one"), 3, noon()).await;
    let again = record(&execution("one"), 3, noon() + Duration::days(9)).await;
    let other = record(&execution("two"), 4, noon()).await;

    assert_eq!(first, [Sighting::Stored; 3]);
    assert_eq!(again, [Sighting::BroughtBefore; 3]);
    assert_eq!(other, [Sighting::Known, Sighting::Known, Sighting::Known, Sighting::Stored]);
    assert_eq!(tweets.record(&execution("x"), &[], OFFERS, noon()).await.expect("it answers"), []);
}

/// A run without a name is recognized by its request body, for an hour.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_run_without_a_name_is_known_for_an_hour(tweets: Arc<dyn SourceTweetRepository>) {
    let nameless = run(RunKey::Body { hash: "abc".to_owned() });
    let record = async |now| {
        tweets.record(&nameless, &reports(1), OFFERS, now).await.expect("the store answers")
    };

    assert_eq!(record(noon()).await, [Sighting::Stored]);
    assert_eq!(record(noon() + Duration::minutes(59)).await, [Sighting::BroughtBefore]);
    // After that, it is another run, and the tweet is offered to it again.
    assert_eq!(record(noon() + Duration::minutes(61)).await, [Sighting::OfferedAgain]);
    assert_eq!(record(noon() + Duration::minutes(119)).await, [Sighting::BroughtBefore]);
    assert_eq!(record(noon() + Duration::minutes(122)).await, [Sighting::Known]);
}

/// Identical concurrent calls all get every tweet; concurrent calls of different runs share them.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn concurrent_reports_lose_nothing(tweets: Arc<dyn SourceTweetRepository>) {
    let mut twins = Vec::new();
    for _ in 0..6 {
        let tweets = Arc::clone(&tweets);
        twins.push(tokio::spawn(async move {
            tweets.record(&execution("twin"), &reports(40), OFFERS, noon()).await
        }));
    }
    let mut stored = 0;
    for twin in twins {
        let sightings = twin.await.expect("it does not panic").expect("the store answers");
        assert!(!sightings.contains(&Sighting::Known), "a tweet was hidden from its own run");
        stored += sightings.iter().filter(|&&sighting| sighting == Sighting::Stored).count();
    }
    assert_eq!(stored, 40);

    let mut rivals = Vec::new();
    for number in 0..4 {
        let tweets = Arc::clone(&tweets);
        let rival = execution(&format!("rival-{number}"));
        rivals.push(tokio::spawn(async move {
            let mut mine: Vec<NewSourceTweet> = (40..80).map(report).collect();
            if number % 2 == 1 {
                mine.reverse();
            }
            tweets.record(&rival, &mine, OFFERS, noon()).await
        }));
    }
    let mut stored = 0;
    for rival in rivals {
        let sightings = rival.await.expect("it does not panic").expect("the store answers");
        stored += sightings.iter().filter(|&&sighting| sighting == Sighting::Stored).count();
    }
    assert_eq!(stored, 40);
    assert_eq!(tweets.totals(&SourceTweetFilter::default()).await.expect("it answers").tweets, 80);
}

/// A later report updates the counters of a tweet and nothing else.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_later_report_updates_only_the_numbers(tweets: Arc<dyn SourceTweetRepository>) {
    tweets
        .record(&execution("one"), &reports(250), OFFERS, noon())
        .await
        .expect("the store answers");
    let mut later = reports(250);
    for report in &mut later {
        report.engagement.likes += 100;
        "other words".clone_into(&mut report.content);
    }
    let then = noon() + Duration::minutes(59);

    tweets.record(&execution("two"), &later, OFFERS, then).await.expect("the store answers");

    let filter = SourceTweetFilter { min_likes: Some(100), ..SourceTweetFilter::default() };
    assert_eq!(tweets.totals(&filter).await.expect("it answers").tweets, 250);
    // Known tweets between new ones are also recognized and updated.
    let mut between = reports(60);
    for report in &mut between {
        report.engagement.likes += 200;
    }
    let first = NewSourceTweet { tweet_id: "001".to_owned(), ..report(1) };
    between.insert(0, first.clone());
    between.push(NewSourceTweet { tweet_id: "002".to_owned(), ..first });
    let seen =
        tweets.record(&execution("three"), &between, OFFERS, then).await.expect("it answers");
    let new = seen.iter().filter(|&&sighting| sighting == Sighting::Stored).count();
    assert_eq!(
        (new, seen.first(), seen.last()),
        (2, Some(&Sighting::Stored), Some(&Sighting::Stored))
    );
    let more = SourceTweetFilter { min_likes: Some(200), ..SourceTweetFilter::default() };
    assert_eq!(tweets.totals(&more).await.expect("it answers").tweets, 60);
    let page = PageRequest::first(Limit::DEFAULT);
    let sort = SourceTweetSort::TotalEngagement;
    let found = tweets.list(&filter, sort, Direction::Descending, page).await.expect("it answers");
    for tweet in found.items {
        assert!(tweet.report.content.starts_with("Tweet Number"), "{tweet:?}");
        assert_eq!(tweet.execution_id, "one");
        assert_eq!(tweet.refreshed_at, Some(then));
    }
}

async fn all_pages(
    tweets: &dyn SourceTweetRepository,
    filter: &SourceTweetFilter,
    sort: SourceTweetSort,
    direction: Direction,
) -> Vec<crate::source_tweet::SourceTweet> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest { limit: Limit::new(7).expect("it is 1 to 200"), after };
        let Page { items, next } =
            tweets.list(filter, sort, direction, page).await.expect("the store answers");
        all.extend(items);
        after = next;
        if after.is_none() {
            return all;
        }
    }
}

/// Every sort order, in both directions, lists every tweet once and in order, page by page.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn pages_show_every_tweet_once_and_in_order(tweets: Arc<dyn SourceTweetRepository>) {
    tweets
        .record(&execution("one"), &reports(50), OFFERS, noon())
        .await
        .expect("the store answers");
    let sorts = [
        SourceTweetSort::Date,
        SourceTweetSort::Likes,
        SourceTweetSort::Retweets,
        SourceTweetSort::Views,
        SourceTweetSort::TotalEngagement,
    ];
    for sort in sorts {
        for direction in [Direction::Ascending, Direction::Descending] {
            let found = all_pages(&*tweets, &SourceTweetFilter::default(), sort, direction).await;

            let ids: BTreeSet<i64> = found.iter().map(|tweet| tweet.id.number()).collect();
            assert_eq!((found.len(), ids.len()), (50, 50), "{sort:?} {direction:?}");
            let mut keys: Vec<(i64, i64)> =
                found.iter().map(|tweet| (sort.value(tweet), tweet.id.number())).collect();
            if direction == Direction::Descending {
                keys.reverse();
            }
            assert!(keys.is_sorted(), "{sort:?} {direction:?}");
        }
    }
}

/// Each filter selects the right tweets, and the totals are those of the selected tweets.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn each_filter_shows_what_it_means(tweets: Arc<dyn SourceTweetRepository>) {
    tweets
        .record(&execution("one"), &reports(20), OFFERS, noon())
        .await
        .expect("the store answers");
    let more: Vec<NewSourceTweet> = (20..30).map(report).collect();
    tweets.record(&execution("two"), &more, OFFERS, noon()).await.expect("the store answers");
    let none = SourceTweetFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let cases: Vec<(SourceTweetFilter, i64)> = vec![
        (none(), 30),
        (SourceTweetFilter { search: text("NUMBER 7 "), ..none() }, 1),
        (SourceTweetFilter { search: text("100%"), ..none() }, 30),
        (SourceTweetFilter { search: text("100_"), ..none() }, 0),
        (SourceTweetFilter { search: text("a_b"), ..none() }, 30),
        (SourceTweetFilter { search: text("\\"), ..none() }, 0),
        (SourceTweetFilter { search: text("Über Привет"), ..none() }, 30),
        (SourceTweetFilter { tweet_id: text("101"), ..none() }, 10),
        (SourceTweetFilter { tweet_id: text("1015"), ..none() }, 1),
        (SourceTweetFilter { tweet_id: text("9"), ..none() }, 0),
        (SourceTweetFilter { execution_id: text("two"), ..none() }, 10),
        (SourceTweetFilter { date_from: Some(noon() + Duration::minutes(28)), ..none() }, 2),
        (SourceTweetFilter { date_before: Some(noon() + Duration::minutes(2)), ..none() }, 2),
        (SourceTweetFilter { status: text("error"), ..none() }, 8),
        (SourceTweetFilter { min_likes: Some(6), ..none() }, 4),
        (SourceTweetFilter { min_retweets: Some(4), ..none() }, 6),
        (SourceTweetFilter { min_views: Some(290), ..none() }, 1),
        (SourceTweetFilter { is_processed: Some(true), ..none() }, 0),
        (SourceTweetFilter { is_processed: Some(false), status: text("error"), ..none() }, 8),
    ];

    for (filter, expected) in cases {
        let found =
            all_pages(&*tweets, &filter, SourceTweetSort::Date, Direction::Descending).await;
        let totals = tweets.totals(&filter).await.expect("the store answers");

        assert_eq!(found.len(), usize::try_from(expected).expect("it is small"), "{filter:?}");
        assert_eq!(totals.tweets, expected, "{filter:?}");
        let views: i64 = found.iter().map(|tweet| tweet.report.engagement.views).sum();
        assert_eq!(totals.views, views, "{filter:?}");
    }
}

/// A tweet is found by its id until it is deleted. After that, it is new again.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_deleted_tweet_is_gone(tweets: Arc<dyn SourceTweetRepository>) {
    tweets.record(&execution("one"), &reports(3), OFFERS, noon()).await.expect("the store answers");
    let all = all_pages(
        &*tweets,
        &SourceTweetFilter::default(),
        SourceTweetSort::Date,
        Direction::Ascending,
    )
    .await;
    let (gone, kept) = (all[0].id, all[1].id);

    let mut deleted =
        tweets.delete(&[gone, gone], &system(), noon()).await.expect("the store answers");

    assert_eq!(deleted.pop().as_deref(), Some("1000"));
    assert_eq!(tweets.find(gone).await.expect("it answers"), None);
    assert_eq!(tweets.find(kept).await.expect("it answers").as_ref(), Some(&all[1]));
    assert!(tweets.delete(&[gone], &system(), noon()).await.expect("it answers").is_empty());
    let again =
        tweets.record(&execution("one"), &reports(1), OFFERS, noon()).await.expect("it answers");
    assert_eq!(again, [Sighting::Stored]);
}

fn lease(name: &str, until: DateTime<Utc>) -> Lease {
    Lease { name: name.to_owned(), until, holder: system() }
}

/// No tweet has two leases. A lease that is not ended in time is given to the next claim. A
/// processed tweet is never leased again.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_tweet_is_leased_once(tweets: Arc<dyn SourceTweetRepository>) {
    tweets
        .record(&execution("one"), &reports(30), OFFERS, noon())
        .await
        .expect("the store answers");
    let soon = noon() + Duration::minutes(1);
    let mut tasks = Vec::new();
    for number in 0..5 {
        let tweets = Arc::clone(&tweets);
        let lease = lease(&format!("lease-{number}"), soon);
        tasks.push(tokio::spawn(async move { tweets.lease(&lease, 6, noon()).await }));
    }
    let mut given = Vec::new();
    for task in tasks {
        let leased = task.await.expect("it does not panic").expect("the store answers");
        given.extend(leased.into_iter().map(|tweet| tweet.id));
    }
    // Rows locked by others are skipped, so a claim may get fewer tweets than it asked for, but
    // never the same ones.
    let rest = tweets.lease(&lease("rest", soon), 30, noon()).await.expect("it answers");
    given.extend(rest.into_iter().map(|tweet| tweet.id));
    let distinct: BTreeSet<_> = given.iter().copied().collect();
    assert_eq!((given.len(), distinct.len()), (30, 30));
    let none = tweets.lease(&lease("late", soon), 5, noon()).await.expect("it answers");
    assert!(none.is_empty());

    // No lease was ended. After they expire, all tweets are leased again, and the old leases hold
    // none.
    let later = soon + Duration::minutes(5);
    let second = tweets.lease(&lease("second", later), 30, soon).await.expect("it answers");
    assert_eq!(second.len(), 30);
    assert!(second.is_sorted_by_key(|tweet| tweet.id.number()));
    let stale = tweets
        .end_lease("lease-0", None, LeaseOutcome::Processed, &system(), soon)
        .await
        .expect("it answers");
    assert_eq!(stale, 0);

    let some = vec![second[0].id, second[1].id];
    let done = tweets
        .end_lease("second", Some(some), LeaseOutcome::Processed, &system(), soon)
        .await
        .expect("it answers");
    let released = tweets
        .end_lease("second", None, LeaseOutcome::Released, &system(), soon)
        .await
        .expect("it answers");
    assert_eq!((done, released), (2, 28));
    let twice = tweets
        .end_lease("second", None, LeaseOutcome::Released, &system(), soon)
        .await
        .expect("it answers");
    assert_eq!(twice, 0);
    let third = tweets.lease(&lease("third", later), 200, soon).await.expect("it answers");
    assert_eq!(third.len(), 28);
}

/// Tweets that are new to a run are leased to it. The next run gets them if the lease lapsed or was
/// released, as long as there are offers, but never if they were processed.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn what_a_run_lets_lapse_is_offered_to_the_next(tweets: Arc<dyn SourceTweetRepository>) {
    use Sighting::{BroughtBefore, Known, OfferedAgain, Stored};
    let record = async |run: &str, minutes| {
        let now = noon() + Duration::minutes(minutes);
        tweets.record(&execution(run), &reports(2), OFFERS, now).await.expect("it answers")
    };
    let end = async |run: &str, outcome, minutes| {
        let (run, now) = (RunsToEnd::Named(run.to_owned()), noon() + Duration::minutes(minutes));
        tweets.end_runs(&run, outcome, &system(), now).await.expect("it answers")
    };
    let lapsed = async |minutes, is| {
        let now = noon() + Duration::minutes(minutes);
        let lapsed = Some(Lapsed { now, offers: OFFERS.most, is });
        let filter = SourceTweetFilter { lapsed, ..SourceTweetFilter::default() };
        tweets.totals(&filter).await.expect("it answers").tweets
    };

    assert_eq!(record("one", 0).await, [Stored, Stored]);
    assert_eq!(record("two", 59).await, [Known, Known]);
    assert_eq!(record("two", 60).await, [OfferedAgain, OfferedAgain]);
    // The second run keeps its tweets, because it has the lease now.
    assert_eq!(record("two", 61).await, [BroughtBefore, BroughtBefore]);
    assert_eq!(record("one", 61).await, [Known, Known]);
    assert_eq!(lapsed(119, true).await, 0);
    assert_eq!(lapsed(120, true).await, 2);
    assert_eq!(lapsed(120, false).await, 0);
    assert_eq!(record("three", 200).await, [Known, Known]);
    let now = noon() + Duration::minutes(200);
    let marked = tweets.mark_lapsed(OFFERS.most, 100, now).await.expect("it answers");
    assert_eq!(marked.len(), 2);
    let again = tweets.mark_lapsed(OFFERS.most, 100, now).await.expect("it answers");
    assert!(again.is_empty(), "each is marked once");
    // The run itself may still report again, no matter how late.
    assert_eq!(record("two", 300).await, [BroughtBefore, BroughtBefore]);
    assert_eq!(lapsed(300, true).await, 0);
    let ended = end("two", LeaseOutcome::Processed, 300).await;
    assert_eq!(ended, EndedRuns { runs: 1, tweets: 2 });
    assert_eq!(record("four", 900).await, [Known, Known]);
    assert_eq!(lapsed(900, true).await, 0);
    // A tweet that lapsed, is offered again because more offers are allowed, and lapses again, is
    // marked again.
    let more = OfferPolicy { most: 3, ..OFFERS };
    for (run, offers, hour) in [("a", OFFERS, 20), ("b", OFFERS, 22), ("c", more, 24)] {
        let at = noon() + Duration::hours(hour);
        tweets.record(&execution(run), &[report(9)], offers, at).await.expect("it answers");
        let later = at + Duration::minutes(61);
        let marked = tweets.mark_lapsed(offers.most, 100, later).await.expect("it answers");
        assert_eq!(marked.len(), usize::from(run != "a"), "{run}");
    }
}

/// A failed run releases its tweets at once. Runs without a name are ended by their caller.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_run_that_failed_releases_its_tweets(tweets: Arc<dyn SourceTweetRepository>) {
    use Sighting::{Known, OfferedAgain, Stored};
    let of = |name: &str, received_from: &str, address: &str| Run {
        sender: sender(received_from, address),
        ..execution(name)
    };
    let record = async |run: &Run, number: i64| {
        tweets.record(run, &[report(number)], OFFERS, noon()).await.expect("it answers").remove(0)
    };
    let end = async |received_from: &str, address: &str, outcome| {
        let runs = RunsToEnd::OfSender(sender(received_from, address));
        tweets.end_runs(&runs, outcome, &system(), noon()).await.expect("it answers")
    };
    assert_eq!(record(&of("a", "token:1:n8n", "10.0.0.1"), 1).await, Stored);
    assert_eq!(record(&of("b", "token:2:n8n", "10.0.0.1"), 2).await, Stored);
    assert_eq!(record(&of("c", "token:3:n8n", ""), 3).await, Stored);
    assert_eq!(record(&of("d", "token:4:n8n", ""), 4).await, Stored);

    let released = end("token:1:n8n", "10.0.0.9", LeaseOutcome::Released).await;
    let nobody = end("network:10.0.0.9", "", LeaseOutcome::Released).await;
    // Another token from the same address ends nothing. A call without a token is identified by its
    // address.
    let foreign = end("token:9:n8n", "10.0.0.1", LeaseOutcome::Processed).await;
    let processed = end("network:10.0.0.1", "10.0.0.1", LeaseOutcome::Processed).await;

    assert_eq!(released, EndedRuns { runs: 1, tweets: 1 });
    assert_eq!((nobody, foreign), (EndedRuns::default(), EndedRuns::default()));
    // The released run is no longer open.
    assert_eq!(processed, EndedRuns { runs: 1, tweets: 1 });
    let other = of("z", "token:9:n8n", "10.0.0.2");
    assert_eq!(record(&other, 1).await, OfferedAgain);
    for number in [2, 3, 4] {
        assert_eq!(record(&other, number).await, Known, "{number}");
    }
}

/// A claim leases what its caller reported, and not what is leased to another caller's run.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_claim_does_not_take_tweets_of_other_runs(tweets: Arc<dyn SourceTweetRepository>) {
    let other = Run { sender: sender("token:9:n8n", "10.0.0.7"), ..execution("other") };
    tweets.record(&execution("mine"), &[report(1)], OFFERS, noon()).await.expect("it answers");
    tweets.record(&other, &[report(2)], OFFERS, noon()).await.expect("it answers");
    let until = noon() + Duration::minutes(5);
    let claim = async |name: &str, now| {
        let leased = tweets.lease(&lease(name, until), 10, now).await.expect("it answers");
        leased.into_iter().map(|tweet| tweet.report.tweet_id).collect::<Vec<_>>()
    };

    assert_eq!(claim("first", noon()).await, ["1001"]);
    assert_eq!(claim("second", noon()).await, Vec::<String>::new());
    let lapsed = noon() + Duration::hours(1);
    assert_eq!(claim("third", lapsed).await, ["1001", "1002"]);
}

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
