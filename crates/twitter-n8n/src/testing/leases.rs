//! The contract of source tweets that are leased to runs and callers.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::{OFFERS, execution, noon, report, reports, sender, system};
use crate::lease::{Lease, LeaseOutcome};
use crate::ports::SourceTweetRepository;
use crate::source_tweet::{
    EndedRuns, Lapsed, OfferPolicy, Run, RunsToEnd, Sighting, SourceTweetFilter,
};

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
