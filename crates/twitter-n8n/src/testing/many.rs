//! The contract of lists and totals with so many source tweets that an implementation may read them
//! in other ways than a few.

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use waggle_kernel::ids::SourceTweetId;
use waggle_kernel::{Actor, Clock as _, Cursor, Direction, FixedClock, Limit, PageRequest};

use crate::ports::SourceTweetRepository;
use crate::sender::Sender;
use crate::source_tweet::{
    Engagement, NewSourceTweet, OfferPolicy, Run, RunKey, SourceTweet, SourceTweetFilter,
    SourceTweetSort, SourceTweetTotals,
};

/// The number of tweets in a call.
const CALL: i64 = 500;
/// The number of recorded tweets.
const RECORDED: i64 = 13_000;
/// The recorded tweets that are deleted again, as positions: many in a row, and some at the end.
const DELETED: [std::ops::Range<i64>; 2] = [4_000..8_300, 12_900..12_950];

const SORTS: [SourceTweetSort; 5] = [
    SourceTweetSort::Date,
    SourceTweetSort::Likes,
    SourceTweetSort::Retweets,
    SourceTweetSort::Views,
    SourceTweetSort::TotalEngagement,
];

fn noon() -> DateTime<Utc> {
    FixedClock::noon().now()
}

/// A tweet with counts in no order. Many tweets have the same count.
fn report(number: i64) -> NewSourceTweet {
    let engagement = Engagement {
        likes: number * 7_919 % 101,
        retweets: number % 3,
        replies: number % 2,
        quotes: 0,
        views: number * 2_654_435_761 % 1_000_003,
    };
    let word = if number % 1_000 == 7 { "Heron" } else { "herring" };
    NewSourceTweet::new(
        &format!("{}", 100_000 + number),
        "https://example.com".to_owned(),
        "https://x.com/i/web/status/1".to_owned(),
        format!("The {word} {number} stands ÄGÄISCH in the water"),
        engagement,
        (noon() + Duration::minutes(number * 31 % 20_000)).to_rfc3339(),
        if number % 900 == 0 { "error" } else { "success" }.to_owned(),
    )
    .expect("the report is right")
}

fn run(number: i64) -> Run {
    let name = format!("run-{number}");
    Run {
        execution_id: name.clone(),
        key: RunKey::Execution(name),
        source_url: "unknown".to_owned(),
        sender: Sender {
            by: Actor::system().reference(),
            address: String::new(),
            is_unauthenticated: false,
        },
    }
}

fn passes(filter: &SourceTweetFilter, tweet: &SourceTweet) -> bool {
    let (report, engagement) = (&tweet.report, tweet.report.engagement);
    let text = report.content.to_lowercase();
    filter.search.as_ref().is_none_or(|part| text.contains(&part.to_lowercase()))
        && filter.tweet_id.as_ref().is_none_or(|start| report.tweet_id.starts_with(start))
        && filter.execution_id.as_ref().is_none_or(|run| tweet.execution_id == *run)
        && filter.date_from.is_none_or(|from| report.date >= from)
        && filter.date_before.is_none_or(|before| report.date < before)
        && filter.status.as_ref().is_none_or(|status| report.status == *status)
        && filter.min_likes.is_none_or(|least| engagement.likes >= least)
        && filter.min_retweets.is_none_or(|least| engagement.retweets >= least)
        && filter.min_views.is_none_or(|least| engagement.views >= least)
        && filter.is_processed.is_none_or(|is| tweet.is_processed == is)
}

fn filters() -> Vec<SourceTweetFilter> {
    let none = SourceTweetFilter::default;
    let text = |text: &str| Some(text.to_owned());
    vec![
        none(),
        SourceTweetFilter { min_likes: Some(20), ..none() },
        SourceTweetFilter { min_likes: Some(99), ..none() },
        SourceTweetFilter { min_views: Some(100_000), status: text("success"), ..none() },
        SourceTweetFilter { min_views: Some(999_000), min_retweets: Some(1), ..none() },
        SourceTweetFilter { min_views: Some(2_000_000), ..none() },
        SourceTweetFilter { status: text("error"), ..none() },
        SourceTweetFilter { is_processed: Some(false), min_retweets: Some(2), ..none() },
        SourceTweetFilter { is_processed: Some(true), ..none() },
        SourceTweetFilter {
            date_from: Some(noon() + Duration::hours(20)),
            date_before: Some(noon() + Duration::hours(200)),
            ..none()
        },
        SourceTweetFilter { date_from: Some(noon() + Duration::hours(300)), ..none() },
        SourceTweetFilter { date_before: Some(noon() + Duration::hours(12 + 24 * 4)), ..none() },
        SourceTweetFilter {
            date_from: Some(noon() + Duration::hours(1)),
            date_before: Some(noon() + Duration::hours(2)),
            ..none()
        },
        SourceTweetFilter { execution_id: text("run-3"), ..none() },
        SourceTweetFilter { tweet_id: text("1001"), ..none() },
        SourceTweetFilter { search: text("heron"), ..none() },
        SourceTweetFilter { search: text("HERRING"), min_likes: Some(50), ..none() },
        SourceTweetFilter { search: text("stands ÄGÄISCH in"), status: text("error"), ..none() },
        SourceTweetFilter { search: text("stands in the water"), ..none() },
        SourceTweetFilter { search: text("7 "), ..none() },
        SourceTweetFilter {
            search: text("herring"),
            date_from: Some(noon() + Duration::hours(20)),
            date_before: Some(noon() + Duration::hours(200)),
            ..none()
        },
        SourceTweetFilter {
            search: text("heron"),
            date_from: Some(noon() + Duration::hours(30)),
            ..none()
        },
        SourceTweetFilter { search: text("herring"), execution_id: text("run-3"), ..none() },
    ]
}

/// Records many tweets, of which some are deleted and some reported again with other counts.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn record_many_tweets(tweets: &dyn SourceTweetRepository) {
    let offers = OfferPolicy { lease: Duration::hours(1), most: 1 };
    for call in 0..RECORDED / CALL {
        let reports: Vec<NewSourceTweet> = (call * CALL..(call + 1) * CALL).map(report).collect();
        tweets.record(&run(call), &reports, offers, noon()).await.expect("it answers");
    }
    let changed: Vec<NewSourceTweet> = (0..CALL)
        .map(|number| {
            let mut tweet = report(number * 20);
            tweet.engagement.likes += 60;
            tweet.engagement.views /= 2;
            tweet
        })
        .collect();
    tweets.record(&run(999), &changed, offers, noon()).await.expect("it answers");
    let all = all(tweets).await;
    for range in DELETED {
        let is_in = |tweet: &&SourceTweet| {
            tweet.report.tweet_id.parse::<i64>().is_ok_and(|id| range.contains(&(id - 100_000)))
        };
        let ids: Vec<SourceTweetId> = all.iter().filter(is_in).map(|tweet| tweet.id).collect();
        tweets.delete(&ids, &Actor::system().reference(), noon()).await.expect("it answers");
    }
}

async fn all(tweets: &dyn SourceTweetRepository) -> Vec<SourceTweet> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let filter = SourceTweetFilter::default();
        let (sort, way) = (SourceTweetSort::Date, Direction::Ascending);
        let page = PageRequest { limit: Limit::new(200).expect("it is 1 to 200"), after };
        let page = tweets.list(&filter, sort, way, page).await.expect("it answers");
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// With many tweets stored, each filter in each order lists the right tweets, and its totals are
/// theirs.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn many_tweets_are_listed_and_added_up(tweets: Arc<dyn SourceTweetRepository>) {
    record_many_tweets(&*tweets).await;
    check_many_tweets(&*tweets).await;
}

/// Checks the lists and totals of the tweets of [`record_many_tweets`].
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn check_many_tweets(tweets: &dyn SourceTweetRepository) {
    let all = all(tweets).await;
    let deleted: i64 = DELETED.iter().map(|range| range.end - range.start).sum();
    assert_eq!(i64::try_from(all.len()), Ok(RECORDED - deleted));

    check_position_outside(tweets).await;
    for filter in filters() {
        let mut expected: Vec<&SourceTweet> =
            all.iter().filter(|tweet| passes(&filter, tweet)).collect();
        check_totals(tweets, &filter, &expected).await;
        for sort in SORTS {
            let key = |tweet: &SourceTweet| (sort.value(tweet), tweet.id.number());
            expected.sort_by_key(|tweet| key(tweet));
            check_pages(tweets, &filter, sort, Direction::Ascending, &expected).await;
            expected.sort_by_key(|tweet| Reverse(key(tweet)));
            check_pages(tweets, &filter, sort, Direction::Descending, &expected).await;
        }
    }
}

/// A position outside what the filter matches is the start or the end of the list.
async fn check_position_outside(tweets: &dyn SourceTweetRepository) {
    let filter = SourceTweetFilter { min_likes: Some(50), ..SourceTweetFilter::default() };
    let after = Some(Cursor { sort_value: 3, id: 70 });
    let page = PageRequest { limit: Limit::DEFAULT, after };
    let list = async |direction| {
        let found = tweets.list(&filter, SourceTweetSort::Likes, direction, page).await;
        found.expect("it answers").items
    };
    assert!(list(Direction::Descending).await.is_empty());
    let first = list(Direction::Ascending).await;
    assert_eq!(first.first().map(|tweet| tweet.report.engagement.likes), Some(50));
}

async fn check_totals(
    tweets: &dyn SourceTweetRepository,
    filter: &SourceTweetFilter,
    expected: &[&SourceTweet],
) {
    let sum = |value: fn(Engagement) -> i64| {
        expected.iter().map(|tweet| value(tweet.report.engagement)).sum()
    };
    let mut runs: Vec<&str> = expected.iter().map(|tweet| &*tweet.execution_id).collect();
    runs.sort_unstable();
    runs.dedup();
    let expected = SourceTweetTotals {
        tweets: i64::try_from(expected.len()).expect("it is small"),
        likes: sum(|engagement| engagement.likes),
        retweets: sum(|engagement| engagement.retweets),
        views: sum(|engagement| engagement.views),
        executions: i64::try_from(runs.len()).expect("it is small"),
    };
    assert_eq!(tweets.totals(filter).await.expect("it answers"), expected, "{filter:?}");
}

/// Checks the first page, a page in the middle, and the last page.
async fn check_pages(
    tweets: &dyn SourceTweetRepository,
    filter: &SourceTweetFilter,
    sort: SourceTweetSort,
    direction: Direction,
    expected: &[&SourceTweet],
) {
    for start in [0, expected.len() / 2, expected.len().saturating_sub(30)] {
        let after = start.checked_sub(1).map(|last| Cursor {
            sort_value: sort.value(expected[last]),
            id: expected[last].id.number(),
        });
        let page = PageRequest { limit: Limit::DEFAULT, after };
        let found = tweets.list(filter, sort, direction, page).await.expect("it answers");
        let ids = |tweets: &mut dyn Iterator<Item = &SourceTweet>| -> Vec<i64> {
            tweets.map(|tweet| tweet.id.number()).collect()
        };
        let rows = usize::from(Limit::DEFAULT.rows());
        let wanted = ids(&mut expected.iter().skip(start).take(rows).copied());
        let at = format!("{filter:?} {sort:?} {direction:?} from {start}");
        assert_eq!(ids(&mut found.items.iter()), wanted, "{at}");
        assert_eq!(found.next.is_some(), expected.len() > start + rows, "{at}");
    }
}

/// Totals stay those of the tweets while calls report the same tweets with other counts and in
/// other runs, and tweets are deleted.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn concurrent_changes_keep_the_totals(tweets: Arc<dyn SourceTweetRepository>) {
    // A lease that ends at once, so that each run is offered the tweets of the others.
    let offers = OfferPolicy { lease: Duration::zero(), most: 1_000 };
    let reports = |shift: i64| -> Vec<NewSourceTweet> {
        let mut reports: Vec<NewSourceTweet> = (0..150).map(report).collect();
        for tweet in &mut reports {
            tweet.engagement.likes += shift;
        }
        reports
    };
    let mut tasks = Vec::new();
    for number in 0..4 {
        let (tweets, reports) = (Arc::clone(&tweets), reports(number));
        tasks.push(tokio::spawn(async move {
            for round in 0..5 {
                let now = noon() + Duration::minutes(round);
                tweets.record(&run(number), &reports, offers, now).await.expect("it answers");
            }
        }));
    }
    let deleter = Arc::clone(&tweets);
    tasks.push(tokio::spawn(async move {
        for _ in 0..5 {
            let ids: Vec<SourceTweetId> =
                all(&*deleter).await.iter().step_by(3).map(|tweet| tweet.id).collect();
            deleter.delete(&ids, &Actor::system().reference(), noon()).await.expect("it answers");
        }
    }));
    for task in tasks {
        task.await.expect("it does not panic");
    }

    let all = all(&*tweets).await;
    let all: Vec<&SourceTweet> = all.iter().collect();
    check_totals(&*tweets, &SourceTweetFilter::default(), &all).await;
}
