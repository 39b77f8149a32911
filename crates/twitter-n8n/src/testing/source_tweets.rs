//! The contract of stored source tweets: what a run is told, and what lists show.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Duration;
use waggle_kernel::{Direction, Limit, Page, PageRequest};

use super::{OFFERS, execution, noon, report, reports, run, system};
use crate::ports::SourceTweetRepository;
use crate::source_tweet::{
    NewSourceTweet, Run, RunKey, Sighting, SourceTweetFilter, SourceTweetSort,
};

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
