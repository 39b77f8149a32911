//! From an approved tweet to a published post: the queue, the ledger, and what people can do
//! meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use waggle_audit::EventFilter;
use waggle_content::ClaimRequest;
use waggle_content::ports::LedgerError;
use waggle_content::{
    Changed, Claimed, DeliveryState, EarlierAttempts, Looked, Marker, Platform, PostFilter,
    PostStatus, Prepared, Recorded, Resolution, Settlement,
};
use waggle_kernel::ids::{DeliveryId, PostId, TokenId, Version};
use waggle_kernel::{Actor, ActorRef, Clock as _, FixedClock, Limit, PageRequest, Scopes};
use waggle_store::Ports;
use waggle_twitter_n8n::ports::SaveError;
use waggle_twitter_n8n::testing::{batch, change, tweets_of};
use waggle_twitter_n8n::{Action, GeneratedTweet, QueueRefused, QueueRequest, Status, TweetFilter};

fn noon() -> DateTime<Utc> {
    FixedClock::noon().now()
}

fn system() -> ActorRef {
    Actor::system().reference()
}

fn token() -> ActorRef {
    Actor::token(TokenId::new(1), "me", Scopes::NONE).reference()
}

/// Stores `count` tweets and approves them.
pub(crate) async fn approved(ports: &Ports, count: usize) -> Vec<GeneratedTweet> {
    let texts: Vec<String> = (0..count).map(|n| format!("words {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    approved_texts(ports, &texts).await
}

/// Stores tweets with these texts and approves them.
async fn approved_texts(ports: &Ports, texts: &[&str]) -> Vec<GeneratedTweet> {
    let ids: Vec<String> = (0..texts.len()).map(|n| format!("t-{n}")).collect();
    let tweets: Vec<(&str, &str)> =
        ids.iter().map(String::as_str).zip(texts.iter().copied()).collect();
    ports.batches.receive(&batch("b", &tweets), noon()).await.unwrap();
    let waiting = tweets_of(&*ports.tweets, &TweetFilter::default()).await;
    let changes: Vec<_> = waiting
        .iter()
        .map(|tweet| {
            let after = tweet.clone().approve(&Actor::system(), noon()).unwrap();
            change(Action::Approve, tweet, after)
        })
        .collect();
    ports.tweets.save(&changes).await.unwrap();
    tweets_of(&*ports.tweets, &TweetFilter::default()).await
}

fn request(tweet: &GeneratedTweet, due_at: DateTime<Utc>) -> QueueRequest {
    QueueRequest {
        tweet: tweet.id(),
        platform: "sandbox".into(),
        at: Some(due_at),
        expected: None,
        approval: tweet.approval().cloned().unwrap(),
        by: system(),
        now: noon(),
    }
}

pub(crate) async fn queued(ports: &Ports, tweet: &GeneratedTweet) -> PostId {
    ports.queue.queue(&request(tweet, noon())).await.unwrap().id
}

/// The request of a caller who has seen the tweet as it is now.
pub(crate) async fn seen(
    ports: &Ports,
    tweet: &GeneratedTweet,
    due_at: DateTime<Utc>,
) -> QueueRequest {
    let version = ports.tweets.find(tweet.id()).await.unwrap().unwrap().version();
    QueueRequest { expected: Some(version), ..request(tweet, due_at) }
}

fn claim_at(now: DateTime<Utc>, most: u16) -> ClaimRequest {
    ClaimRequest { now, lease_until: now + Duration::seconds(60), most }
}

pub(crate) async fn claim_one(ports: &Ports, now: DateTime<Utc>) -> Claimed {
    let mut claimed = claim(ports, now, 10).await;
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

async fn claim(ports: &Ports, now: DateTime<Utc>, most: u16) -> Vec<Claimed> {
    let claimed = ports.ledger.claim(&claim_at(now, most)).await.unwrap();
    assert_eq!(claimed.unreadable, []);
    claimed.posts
}

fn prepared(claimed: &Claimed) -> Prepared {
    Prepared {
        platform: Platform::Sandbox,
        channel: "sandbox".to_owned(),
        key: format!("post-{}", claimed.post.id),
        request: json!({ "text": claimed.post.publication.text }),
        hash: claimed.post.publication.hash(),
        marker: Some(Marker("7".to_owned())),
    }
}

pub(crate) async fn begun(ports: &Ports, claimed: &Claimed, now: DateTime<Utc>) -> DeliveryId {
    let until = now + Duration::seconds(20);
    ports.ledger.begin(claimed, &prepared(claimed), now, until).await.unwrap()
}

/// Publishes all posts that are due at noon.
pub(crate) async fn publish_due(ports: &Ports) {
    for claimed in claim(ports, noon(), 100).await {
        let delivery = begun(ports, &claimed, noon()).await;
        let id = format!("sandbox-{}", claimed.post.id);
        let published = Settlement::Published { id, url: String::new() };
        ports.ledger.settle(&claimed, Some(delivery), &published, noon()).await.unwrap();
    }
}

fn out() -> Settlement {
    Settlement::Published { id: "sandbox-1".into(), url: "/x".into() }
}

async fn cancelled(ports: &Ports, post: PostId) -> bool {
    ports.posts.cancel(post, None, &system(), noon()).await.unwrap() == Changed::Done
}

async fn resolve(ports: &Ports, post: PostId, resolution: &Resolution) -> Changed {
    ports.posts.resolve(post, None, resolution, &token(), noon()).await.unwrap()
}

async fn status_of(ports: &Ports, post: PostId) -> PostStatus {
    ports.posts.find(post).await.unwrap().unwrap().status
}

async fn a_published_post_makes_its_tweet_posted(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let queued = queued(&ports, &tweet).await;
    let claimed = claim_one(&ports, noon()).await;
    let delivery = begun(&ports, &claimed, noon()).await;

    ports.ledger.settle(&claimed, Some(delivery), &out(), noon()).await.unwrap();

    let out = ports.posts.find(queued).await.unwrap().unwrap();
    assert_eq!(out.status, PostStatus::Published);
    assert_eq!(out.platform_post_id, "sandbox-1");
    let twitter = out.twitter.unwrap();
    assert_eq!(twitter.generated_tweet, Some(tweet.id()));
    assert_eq!(twitter.campaign_batch, Some(tweet.view().batch));
    assert_eq!(twitter.brand_alignment_score, Some(9.25));
    let posted = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
    assert_eq!(posted.status(), Status::Posted);
    assert_eq!(posted.view().published_at, Some(noon()));
    assert_eq!(posted.view().x_com_post_id.as_deref(), Some("sandbox-1"));
    let parent = ports.batches.find(tweet.view().batch).await.unwrap().unwrap();
    assert_eq!(parent.status.name(), "Published");
    assert!(claim(&ports, noon(), 10).await.is_empty());
    let again = ports.queue.queue(&request(&tweet, noon())).await;
    assert!(matches!(again, Err(QueueRefused::NotApproved)), "{again:?}");
}

/// What people are shown of posts: those of tweets, those that come next, and those that need them.
async fn posts_are_found_by_what_they_wait_for(ports: Ports) {
    let tweets = approved(&ports, 6).await;
    let minutes = |minutes| noon() + Duration::minutes(minutes);
    let mut made = Vec::new();
    for (tweet, due) in tweets.iter().zip([0, 0, 0, 0, 9, 8]) {
        made.push(ports.queue.queue(&request(tweet, minutes(due))).await.unwrap().id);
    }
    assert!(!ports.posts.needs_person().await.unwrap());
    let reason = || "because".to_owned();
    for claimed in claim(&ports, noon(), 10).await {
        let settlement = match made.iter().position(|post| *post == claimed.post.id).unwrap() {
            0 => Settlement::Missed { reason: reason() },
            1 => Settlement::Failed { reason: reason(), state: DeliveryState::Refused },
            2 => Settlement::Held { at: minutes(2), reason: reason() },
            _ => continue,
        };
        ports.ledger.settle(&claimed, None, &settlement, noon()).await.unwrap();
    }

    let backlog = ports.posts.backlog().await.unwrap();
    let numbers = (backlog.scheduled, backlog.publishing, backlog.held, backlog.unknown);
    assert_eq!(numbers, (2, 1, 1, 0));
    assert_eq!((backlog.missed, backlog.failed), (1, 1));
    // The lease of the one that is being published ends first.
    assert_eq!(backlog.lag(minutes(3)), Duration::minutes(2));
    assert_eq!(backlog.lag(noon()), Duration::zero());
    assert!(ports.posts.needs_person().await.unwrap());
    let next = ports.posts.upcoming(Limit::DEFAULT).await.unwrap();
    assert_eq!(next.iter().map(|post| post.id).collect::<Vec<_>>(), [3, 5, 4].map(|at| made[at]));
    let held = |is_held| {
        let filter = PostFilter { is_held: Some(is_held), ..PostFilter::default() };
        let list = ports.posts.clone();
        async move {
            let page = list.list(&filter, PageRequest::first(Limit::DEFAULT)).await.unwrap();
            page.items.iter().map(|post| post.id).collect::<BTreeSet<_>>()
        }
    };
    assert_eq!(held(true).await, BTreeSet::from([made[2]]));
    assert_eq!(held(false).await.len(), 5);
    let ids: Vec<_> = tweets.iter().skip(4).map(GeneratedTweet::id).collect();
    let found = ports.posts.of_tweets(&ids).await.unwrap();
    let found: BTreeSet<_> = found.iter().map(|post| post.id).collect();
    assert_eq!(found, made[4..].iter().copied().collect());
    assert_eq!(ports.posts.of_tweets(&[]).await.unwrap(), []);
    assert_eq!(ports.posts.deliveries(&made).await.unwrap(), []);
}

async fn many_queueings_make_one_post(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (queue, wanted) = (Arc::clone(&ports.queue), request(&tweet, noon()));
        tasks.push(tokio::spawn(async move { queue.queue(&wanted).await }));
    }
    let mut ids = BTreeSet::new();
    let mut new = 0;
    for task in tasks {
        let queued = task.await.unwrap().unwrap();
        ids.insert(queued.id);
        new += usize::from(!queued.was_queued);
    }

    assert_eq!((ids.len(), new), (1, 1));
}

async fn publishing_again_moves_a_post_that_waits(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let first = request(&tweet, noon() + Duration::hours(1));
    let post = ports.queue.queue(&first).await.unwrap();
    let repeated = ports.queue.queue(&first).await.unwrap();
    let to_x = QueueRequest {
        platform: "x".into(),
        ..seen(&ports, &tweet, noon() + Duration::hours(2)).await
    };

    let moved = ports.queue.queue(&to_x).await.unwrap();

    assert_eq!((post.was_queued, repeated.was_queued, moved.was_queued), (false, true, false));
    assert_eq!((post.id, post.id), (repeated.id, moved.id));
    let found = ports.posts.find(post.id).await.unwrap().unwrap();
    assert_eq!(found.platform, Platform::X);
    let time = Some(noon() + Duration::hours(2));
    assert_eq!((found.scheduled_time, found.due_at), (time, time));
    // The first caller's version is outdated.
    let late = QueueRequest { expected: Some(tweet.version()), ..first.clone() };
    let stale = ports.queue.queue(&late).await;
    assert!(matches!(stale, Err(QueueRefused::Stale)), "{stale:?}");
    // "At once" is another time, too.
    let at_once =
        QueueRequest { at: None, platform: "x".into(), ..seen(&ports, &tweet, noon()).await };
    assert!(!ports.queue.queue(&at_once).await.unwrap().was_queued);
    assert!(ports.queue.queue(&at_once).await.unwrap().was_queued);
    let claimed = claim_one(&ports, noon()).await;
    let elsewhere =
        ports.queue.queue(&QueueRequest { platform: "sandbox".into(), ..at_once }).await;
    assert!(
        matches!(elsewhere, Err(QueueRefused::Stale | QueueRefused::OnItsWay)),
        "{elsewhere:?}"
    );
    let seen_now = seen(&ports, &tweet, noon() + Duration::hours(3)).await;
    let on_its_way = ports.queue.queue(&seen_now).await;
    assert!(matches!(on_its_way, Err(QueueRefused::OnItsWay)), "{on_its_way:?}");
    assert_eq!(claimed.post.platform, Platform::X);
}

async fn a_late_call_does_not_queue_a_cancelled_post(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let late = QueueRequest { expected: Some(tweet.version()), ..request(&tweet, noon()) };
    let post = ports.queue.queue(&late).await.unwrap().id;
    assert!(cancelled(&ports, post).await);

    let repeated = ports.queue.queue(&late).await;
    let without = ports.queue.queue(&request(&tweet, noon())).await;

    assert!(matches!(repeated, Err(QueueRefused::Stale)), "{repeated:?}");
    let asked = matches!(without, Err(QueueRefused::NeedsVersion { status: "cancelled" }));
    assert!(asked, "{without:?}");
    assert_eq!(status_of(&ports, post).await, PostStatus::Cancelled);
    let again = seen(&ports, &tweet, noon()).await;
    assert_eq!(ports.queue.queue(&again).await.unwrap().id, post);
    assert_eq!(status_of(&ports, post).await, PostStatus::Scheduled);
}

async fn only_what_the_caller_saw_is_cancelled_or_resolved(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let version = ports.posts.find(post).await.unwrap().unwrap().version;
    let other = Some(Version::new(version.number() + 1));

    let stale = ports.posts.cancel(post, other, &system(), noon()).await.unwrap();
    let done = ports.posts.cancel(post, Some(version), &system(), noon()).await.unwrap();
    let not_published = Resolution::NotPublished;
    let resolved =
        ports.posts.resolve(post, other, &not_published, &system(), noon()).await.unwrap();

    assert_eq!((stale, done), (Changed::Stale, Changed::Done));
    assert_eq!(resolved, Changed::NotAllowed);
}

async fn what_is_not_approved_is_not_queued(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let stale = request(&tweet, noon());
    let edited = tweet.clone().edit(Some("other".into()), None, noon()).unwrap();
    ports.tweets.save(&[change(Action::Edit, &tweet, edited)]).await.unwrap();

    let refused = ports.queue.queue(&stale).await;

    assert!(matches!(refused, Err(QueueRefused::NotApproved)), "{refused:?}");

    // The tweet is approved again, but with other words than the request was made for.
    let draft = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
    let again = draft.clone().approve(&Actor::system(), noon()).unwrap();
    ports.tweets.save(&[change(Action::Approve, &draft, again)]).await.unwrap();
    let refused = ports.queue.queue(&stale).await;
    assert!(matches!(refused, Err(QueueRefused::NotApproved)), "{refused:?}");
}

async fn an_edit_removes_a_waiting_post_from_the_queue(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let tweet = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
    let edited = tweet.clone().edit(Some("other".into()), None, noon()).unwrap();

    let saved = ports.tweets.save(&[change(Action::Edit, &tweet, edited)]).await.unwrap();

    assert!(saved[0].is_ok(), "{saved:?}");
    assert_eq!(status_of(&ports, post).await, PostStatus::Cancelled);
    assert!(claim(&ports, noon(), 10).await.is_empty());

    // The same post is queued with the new words, once they are approved.
    let draft = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
    let later = noon() + Duration::seconds(1);
    let again = draft.clone().approve(&Actor::system(), later).unwrap();
    ports.tweets.save(&[change(Action::Approve, &draft, again)]).await.unwrap();
    let tweet = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
    assert_eq!(queued(&ports, &tweet).await, post);
    assert_eq!(claim_one(&ports, noon()).await.post.publication.text, "other");
}

async fn a_tweet_whose_post_is_on_its_way_does_not_change(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    queued(&ports, &tweet).await;
    let claimed = claim_one(&ports, noon()).await;
    let change_it = async || {
        let rejected = tweet.clone().reject(noon()).unwrap();
        ports.tweets.save(&[change(Action::Reject, &tweet, rejected)]).await.unwrap().remove(0)
    };

    let while_claimed = change_it().await;
    let delivery = begun(&ports, &claimed, noon()).await;
    let while_sent = change_it().await;

    assert!(matches!(while_claimed, Err(SaveError::InFlight)), "{while_claimed:?}");
    assert!(matches!(while_sent, Err(SaveError::InFlight)), "{while_sent:?}");
    assert!(!cancelled(&ports, claimed.post.id).await);
    ports.ledger.settle(&claimed, Some(delivery), &out(), noon()).await.unwrap();
}

async fn no_post_has_two_leases(ports: Ports) {
    let tweets = approved(&ports, 40).await;
    for tweet in &tweets {
        queued(&ports, tweet).await;
    }
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let ledger = Arc::clone(&ports.ledger);
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = ledger.claim(&claim_at(noon(), 3)).await.unwrap().posts;
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|claimed| claimed.post.id));
            }
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    // A worker that found every row locked stopped early. The remaining posts are claimed here.
    while let Some(claimed) = claim(&ports, noon(), 40).await.pop() {
        all.push(claimed.post.id);
    }

    let distinct: BTreeSet<PostId> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (distinct.len(), 40));
}

async fn a_worker_that_lost_its_lease_can_neither_begin_nor_settle(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let slow = claim_one(&ports, noon()).await;
    let later = noon() + Duration::seconds(61);

    // Too little time is left, although no other worker has taken over yet.
    let late = noon() + Duration::seconds(50);
    let refused =
        ports.ledger.begin(&slow, &prepared(&slow), late, late + Duration::seconds(20)).await;
    assert!(matches!(refused, Err(LedgerError::NotHeld)), "{refused:?}");

    let quick = claim_one(&ports, later).await;
    assert!(quick.fence > slow.fence);
    let refused =
        ports.ledger.begin(&slow, &prepared(&slow), later, later + Duration::seconds(1)).await;
    assert!(matches!(refused, Err(LedgerError::NotHeld)), "{refused:?}");
    let failed =
        Settlement::Failed { reason: "of the slow worker".into(), state: DeliveryState::NotSent };
    let refused = ports.ledger.settle(&slow, None, &failed, later).await;
    assert!(matches!(refused, Err(LedgerError::NotHeld)), "{refused:?}");

    let delivery = begun(&ports, &quick, later).await;
    ports.ledger.settle(&quick, Some(delivery), &out(), later).await.unwrap();
    assert_eq!(status_of(&ports, post).await, PostStatus::Published);
}

async fn what_a_dead_worker_left_open_is_found_by_the_next(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let dead = claim_one(&ports, noon()).await;
    let delivery = begun(&ports, &dead, noon()).await;

    let next = claim_one(&ports, noon() + Duration::seconds(61)).await;

    let open = next.open.clone().unwrap();
    assert_eq!(open.id, delivery);
    assert_eq!(open.prepared, prepared(&dead));
    assert_eq!(open.started_at, noon());
    // No delivery can be started while another one is open, not even by the worker that holds the
    // lease.
    let now = noon() + Duration::seconds(61);
    let twice = ports.ledger.begin(&next, &prepared(&next), now, now).await;
    assert!(matches!(twice, Err(LedgerError::NotHeld)), "{twice:?}");

    let look = Settlement::Look {
        again_at: now,
        reason: "no sign of it".into(),
        looked: Looked::Absent,
        is_held: false,
    };
    ports.ledger.settle(&next, Some(delivery), &look, now).await.unwrap();
    let looking = claim_one(&ports, now).await;
    let open = looking.open.clone().unwrap();
    assert_eq!((open.looks, open.absences), (1, 1));
    let absent =
        Settlement::Retry { at: now, reason: "not there".into(), state: DeliveryState::Absent };
    ports.ledger.settle(&looking, Some(delivery), &absent, now).await.unwrap();
    let again = claim_one(&ports, now).await;
    assert_eq!(again.open, None);
    assert_eq!(again.earlier, Some(EarlierAttempts { since: Some(Marker("7".to_owned())) }));
    let second = begun(&ports, &again, now).await;
    ports.ledger.settle(&again, Some(second), &out(), now).await.unwrap();
    let states: Vec<DeliveryState> =
        ports.posts.deliveries(&[post]).await.unwrap().iter().map(|one| one.state).collect();
    assert_eq!(states, [DeliveryState::Absent, DeliveryState::Published]);
}

async fn a_success_is_written_down_even_by_a_worker_that_lost_its_lease(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let slow = claim_one(&ports, noon()).await;
    let delivery = begun(&ports, &slow, noon()).await;
    let later = noon() + Duration::seconds(61);
    let next = claim_one(&ports, later).await;

    ports.ledger.settle(&slow, Some(delivery), &out(), later).await.unwrap();

    assert_eq!(status_of(&ports, post).await, PostStatus::Published);
    let absent = Settlement::Retry { at: later, reason: "no".into(), state: DeliveryState::Absent };
    let refused = ports.ledger.settle(&next, Some(delivery), &absent, later).await;
    assert!(matches!(refused, Err(LedgerError::NotHeld)), "{refused:?}");
    assert_eq!(status_of(&ports, post).await, PostStatus::Published);
}

async fn a_missed_post_is_queued_again_by_a_person(ports: Ports) {
    let tweets = approved(&ports, 2).await;
    let post = queued(&ports, &tweets[0]).await;
    let late = noon() + Duration::hours(7);
    let claimed = claim_one(&ports, late).await;
    assert_eq!(claimed.post.scheduled_time, Some(noon()));

    let missed = Settlement::Missed { reason: "too late".into() };
    ports.ledger.settle(&claimed, None, &missed, late).await.unwrap();

    assert_eq!(status_of(&ports, post).await, PostStatus::Missed);
    let again = QueueRequest { now: late, ..seen(&ports, &tweets[0], late).await };
    assert_eq!(ports.queue.queue(&again).await.unwrap().id, post);
    assert_eq!(claim_one(&ports, late).await.post.id, post);
}

/// Queues a tweet, sends it, and leaves its outcome unknown.
async fn lost(ports: &Ports, tweet: &GeneratedTweet) -> (Claimed, DeliveryId) {
    queued(ports, tweet).await;
    let claimed = claim_one(ports, noon()).await;
    let delivery = begun(ports, &claimed, noon()).await;
    (claimed, delivery)
}

fn not_there() -> Settlement {
    Settlement::Retry { at: noon(), reason: "not there".into(), state: DeliveryState::Absent }
}

async fn an_id_belongs_to_one_post(ports: Ports) {
    let tweets = approved(&ports, 2).await;
    let (first, of_first) = lost(&ports, &tweets[0]).await;
    let (second, of_second) = lost(&ports, &tweets[1]).await;
    ports.ledger.settle(&first, Some(of_first), &out(), noon()).await.unwrap();
    let ids = ["sandbox-1".to_owned(), "sandbox-2".to_owned()];

    let ownership = ports.ledger.ownership(second.post.id, &prepared(&second), &ids).await.unwrap();
    let own = ports.ledger.ownership(first.post.id, &prepared(&first), &ids).await.unwrap();
    let recorded = ports.ledger.settle(&second, Some(of_second), &out(), noon()).await.unwrap();

    assert_eq!(ownership.taken, BTreeSet::from(["sandbox-1".to_owned()]));
    assert!(own.taken.is_empty(), "{own:?}");
    let (id, by) = ("sandbox-1".to_owned(), first.post.id);
    assert_eq!(recorded, Recorded::IdTaken { id, by });
    assert_eq!(status_of(&ports, second.post.id).await, PostStatus::Unknown);
    let same = Resolution::Published { id: "sandbox-1".into(), url: String::new() };
    assert_eq!(resolve(&ports, second.post.id, &same).await, Changed::Taken(first.post.id));
    let other = Resolution::Published { id: "sandbox-2".into(), url: String::new() };
    assert_eq!(resolve(&ports, second.post.id, &other).await, Changed::Done);
    assert_eq!(status_of(&ports, second.post.id).await, PostStatus::Published);
}

async fn deliveries_of_unknown_outcome_are_rivals(ports: Ports) {
    let tweets = approved_texts(&ports, &["same", "same", "other"]).await;
    let mut all = Vec::new();
    for tweet in &tweets {
        all.push(lost(&ports, tweet).await);
    }
    let rivals = async |of: &Claimed| {
        ports.ledger.ownership(of.post.id, &prepared(of), &[]).await.unwrap().rivals
    };

    let before = (rivals(&all[0].0).await, rivals(&all[2].0).await);
    ports.ledger.settle(&all[1].0, Some(all[1].1), &not_there(), noon()).await.unwrap();

    assert_eq!((before, rivals(&all[0].0).await), ((1, 0), 0));
}

async fn what_arrives_late_is_recorded_and_stops_the_repetition(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let (sleeper, first) = lost(&ports, &tweet).await;
    let looking = claim_one(&ports, noon() + Duration::seconds(61)).await;
    ports.ledger.settle(&looking, Some(first), &not_there(), noon()).await.unwrap();
    assert_eq!(status_of(&ports, sleeper.post.id).await, PostStatus::Scheduled);

    let recorded = ports.ledger.settle(&sleeper, Some(first), &out(), noon()).await.unwrap();

    assert_eq!(recorded, Recorded::PublicBefore { id: "sandbox-1".into() });
    let post = ports.posts.find(sleeper.post.id).await.unwrap().unwrap();
    assert_eq!(post.status, PostStatus::Published);
    assert_eq!(post.platform_post_id, "sandbox-1");
    assert!(claim(&ports, noon(), 10).await.is_empty(), "it is not sent again");
    let states: Vec<DeliveryState> =
        ports.posts.deliveries(&[post.id]).await.unwrap().iter().map(|one| one.state).collect();
    assert_eq!(states, [DeliveryState::AlsoPublished]);
    let posted = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
    assert_eq!(posted.status(), Status::Posted);
}

/// A worker was suspended while others looked for its post twice, and another worker sent the post
/// again. Both attempts arrived. Their answers are recorded in either order.
async fn a_post_that_is_public_twice_shows_both_ids_and_asks_a_person(ports: Ports) {
    let tweets = approved(&ports, 2).await;
    for (tweet, sleeper_first) in tweets.iter().zip([true, false]) {
        let (sleeper, first) = lost(&ports, tweet).await;
        let looking = claim_one(&ports, noon() + Duration::seconds(61)).await;
        ports.ledger.settle(&looking, Some(first), &not_there(), noon()).await.unwrap();
        let again = claim_one(&ports, noon()).await;
        let second = begun(&ports, &again, noon()).await;
        let published = |id: &str| Settlement::Published {
            id: format!("{id}-{sleeper_first}"),
            url: String::new(),
        };
        let (a, b) = (published("a"), published("b"));
        let mut answers = [(&sleeper, first, a), (&again, second, b)];
        if !sleeper_first {
            answers.reverse();
        }

        let [(of, delivery, answer), last] = &answers;
        ports.ledger.settle(of, Some(*delivery), answer, noon()).await.unwrap();
        let (of, delivery, answer) = last;
        let recorded = ports.ledger.settle(of, Some(*delivery), answer, noon()).await.unwrap();

        assert!(
            matches!(&recorded, Recorded::PublicTwice { ids } if ids.len() == 2),
            "{recorded:?}"
        );
        let post = ports.posts.find(sleeper.post.id).await.unwrap().unwrap();
        assert_eq!(post.status, PostStatus::Unknown);
        assert_eq!(post.public.len(), 2);
        let reason = post.last_error.unwrap();
        for public in &post.public {
            assert!(reason.contains(&public.platform_post_id), "{reason}");
        }
        let id = post.public[1].platform_post_id.clone();
        let one = Resolution::Published { id: id.clone(), url: String::new() };
        assert_eq!(resolve(&ports, post.id, &one).await, Changed::Done);
        let resolved = ports.posts.find(post.id).await.unwrap().unwrap();
        assert_eq!((resolved.status, resolved.platform_post_id), (PostStatus::Published, id));
    }
}

/// The answer of the suspended worker arrives while another attempt is in progress. The outcome of
/// that attempt decides the status of the post.
async fn an_attempt_under_way_ends_before_a_late_one_decides(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let (sleeper, first) = lost(&ports, &tweet).await;
    let looking = claim_one(&ports, noon() + Duration::seconds(61)).await;
    ports.ledger.settle(&looking, Some(first), &not_there(), noon()).await.unwrap();
    let again = claim_one(&ports, noon()).await;
    let second = begun(&ports, &again, noon()).await;

    ports.ledger.settle(&sleeper, Some(first), &out(), noon()).await.unwrap();
    let between = status_of(&ports, sleeper.post.id).await;
    let refused = Settlement::Failed { reason: "no".into(), state: DeliveryState::Refused };
    let recorded = ports.ledger.settle(&again, Some(second), &refused, noon()).await.unwrap();

    assert_eq!(between, PostStatus::Publishing);
    assert_eq!(recorded, Recorded::PublicBefore { id: "sandbox-1".into() });
    assert_eq!(status_of(&ports, sleeper.post.id).await, PostStatus::Published);
}

async fn what_was_resolved_belongs_to_its_round(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let (claimed, delivery) = lost(&ports, &tweet).await;
    let ask = Settlement::Ask { reason: "who knows".into() };
    ports.ledger.settle(&claimed, Some(delivery), &ask, noon()).await.unwrap();
    resolve(&ports, claimed.post.id, &Resolution::NotPublished).await;
    let again = seen(&ports, &tweet, noon()).await;
    ports.queue.queue(&again).await.unwrap();

    let next = claim_one(&ports, noon()).await;

    assert_eq!((next.earlier, next.open, next.attempts), (None, None, 0));
}

async fn a_failed_delivery_keeps_its_true_end(ports: Ports) {
    let states = [DeliveryState::Refused, DeliveryState::NotSent, DeliveryState::Absent];
    for (tweet, state) in approved(&ports, 3).await.iter().zip(states) {
        let (claimed, delivery) = lost(&ports, tweet).await;

        let failed = Settlement::Failed { reason: "over".into(), state };
        ports.ledger.settle(&claimed, Some(delivery), &failed, noon()).await.unwrap();

        let found = ports.posts.deliveries(&[claimed.post.id]).await.unwrap();
        assert_eq!(found[0].state, state);
        assert_eq!(status_of(&ports, claimed.post.id).await, PostStatus::Failed);
    }
}

async fn what_waits_for_an_account_uses_up_nothing_and_is_released(ports: Ports) {
    let tweets = approved(&ports, 2).await;
    let later = noon() + Duration::minutes(15);
    let (sent, delivery) = lost(&ports, &tweets[0]).await;
    let held = Settlement::Held { at: later, reason: "401".into() };
    ports.ledger.settle(&sent, Some(delivery), &held, noon()).await.unwrap();
    let (_, delivery) = lost(&ports, &tweets[1]).await;
    let sought = claim_one(&ports, noon() + Duration::seconds(61)).await;
    let look = Settlement::Look {
        again_at: later,
        reason: "401".into(),
        looked: Looked::NotAsked,
        is_held: true,
    };
    ports.ledger.settle(&sought, Some(delivery), &look, noon()).await.unwrap();
    let post = ports.posts.find(sent.post.id).await.unwrap().unwrap();
    assert!(post.is_held);
    assert_eq!((post.attempts, post.last_error.as_deref()), (0, Some("401")));
    assert!(claim(&ports, noon(), 10).await.is_empty());

    let elsewhere = ports.ledger.release_held(Platform::X, noon()).await.unwrap();
    let here = ports.ledger.release_held(Platform::Sandbox, noon()).await.unwrap();

    assert_eq!((elsewhere, here), (0, 2));
    let due = claim(&ports, noon(), 10).await;
    assert_eq!(due.len(), 2);
    let open = due.iter().find_map(|claimed| claimed.open.as_ref()).unwrap();
    assert_eq!(open.looks, 0);
    assert!(!ports.posts.find(sent.post.id).await.unwrap().unwrap().is_held);
}

async fn a_post_that_is_not_due_waits(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let due = noon() + Duration::hours(1);
    let post = ports.queue.queue(&request(&tweet, due)).await.unwrap().id;

    assert!(claim(&ports, noon(), 10).await.is_empty());
    assert_eq!(ports.ledger.next_due().await.unwrap(), Some(due));
    assert!(cancelled(&ports, post).await);
    assert!(!cancelled(&ports, post).await);
    assert_eq!(ports.ledger.next_due().await.unwrap(), None);
    assert_eq!(status_of(&ports, post).await, PostStatus::Cancelled);
    assert!(claim(&ports, due, 10).await.is_empty());
}

/// The number of events of a kind about a post.
async fn events_of(ports: &Ports, post: PostId, kind: &str) -> usize {
    let filter = EventFilter {
        kind: Some(kind.to_owned()),
        object_kind: Some("post".to_owned()),
        object_id: Some(post.to_string()),
        ..EventFilter::default()
    };
    ports.events.list(&filter, PageRequest::first(Limit::DEFAULT)).await.unwrap().items.len()
}

async fn an_unknown_outcome_is_resolved_by_a_person(ports: Ports) {
    let tweets = approved(&ports, 2).await;
    for (tweet, published) in tweets.iter().zip([true, false]) {
        let post = queued(&ports, tweet).await;
        let claimed = claim_one(&ports, noon()).await;
        let delivery = begun(&ports, &claimed, noon()).await;
        let ask = Settlement::Ask { reason: "who knows".into() };
        ports.ledger.settle(&claimed, Some(delivery), &ask, noon()).await.unwrap();
        assert_eq!(status_of(&ports, post).await, PostStatus::Unknown);
        let queued_again = ports.queue.queue(&request(tweet, noon())).await;
        assert!(matches!(queued_again, Err(QueueRefused::AlreadyOut)), "{queued_again:?}");
        let resolution = if published {
            Resolution::Published { id: "777".into(), url: "https://x.com/1".into() }
        } else {
            Resolution::NotPublished
        };

        let first = resolve(&ports, post, &resolution).await;
        let second = resolve(&ports, post, &resolution).await;

        assert_eq!((first, second), (Changed::Done, Changed::NotAllowed));
        let expected = if published { PostStatus::Published } else { PostStatus::Failed };
        assert_eq!(status_of(&ports, post).await, expected);
        let after = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
        assert_eq!(after.status() == Status::Posted, published);
        let kind = if published { "post.published" } else { "post.failed" };
        assert_eq!(events_of(&ports, post, kind).await, 1);
    }
    let again = seen(&ports, &tweets[1], noon()).await;
    assert!(!ports.queue.queue(&again).await.unwrap().was_queued);
}

mod rules {
    crate::on_both! {
        a_published_post_makes_its_tweet_posted(ports) =>
            crate::publishing::a_published_post_makes_its_tweet_posted(ports);
        posts_are_found_by_what_they_wait_for(ports) =>
            crate::publishing::posts_are_found_by_what_they_wait_for(ports);
        many_queueings_make_one_post(ports) =>
            crate::publishing::many_queueings_make_one_post(ports);
        publishing_again_moves_a_post_that_waits(ports) =>
            crate::publishing::publishing_again_moves_a_post_that_waits(ports);
        a_late_call_does_not_queue_a_cancelled_post(ports) =>
            crate::publishing::a_late_call_does_not_queue_a_cancelled_post(ports);
        only_what_the_caller_saw_is_cancelled_or_resolved(ports) =>
            crate::publishing::only_what_the_caller_saw_is_cancelled_or_resolved(ports);
        what_is_not_approved_is_not_queued(ports) =>
            crate::publishing::what_is_not_approved_is_not_queued(ports);
        an_edit_removes_a_waiting_post_from_the_queue(ports) =>
            crate::publishing::an_edit_removes_a_waiting_post_from_the_queue(ports);
        a_tweet_whose_post_is_on_its_way_does_not_change(ports) =>
            crate::publishing::a_tweet_whose_post_is_on_its_way_does_not_change(ports);
        no_post_has_two_leases(ports) =>
            crate::publishing::no_post_has_two_leases(ports);
        a_worker_that_lost_its_lease_can_neither_begin_nor_settle(ports) =>
            crate::publishing::a_worker_that_lost_its_lease_can_neither_begin_nor_settle(ports);
        what_a_dead_worker_left_open_is_found_by_the_next(ports) =>
            crate::publishing::what_a_dead_worker_left_open_is_found_by_the_next(ports);
        a_success_is_written_down_even_by_a_worker_that_lost_its_lease(ports) =>
            crate::publishing::a_success_is_written_down_even_by_a_worker_that_lost_its_lease(
                ports,
            );
        a_missed_post_is_queued_again_by_a_person(ports) =>
            crate::publishing::a_missed_post_is_queued_again_by_a_person(ports);
        an_id_belongs_to_one_post(ports) =>
            crate::publishing::an_id_belongs_to_one_post(ports);
        deliveries_of_unknown_outcome_are_rivals(ports) =>
            crate::publishing::deliveries_of_unknown_outcome_are_rivals(ports);
        what_arrives_late_is_recorded_and_stops_the_repetition(ports) =>
            crate::publishing::what_arrives_late_is_recorded_and_stops_the_repetition(ports);
        a_post_that_is_public_twice_shows_both_ids_and_asks_a_person(ports) =>
            crate::publishing::a_post_that_is_public_twice_shows_both_ids_and_asks_a_person(ports);
        an_attempt_under_way_ends_before_a_late_one_decides(ports) =>
            crate::publishing::an_attempt_under_way_ends_before_a_late_one_decides(ports);
        what_was_resolved_belongs_to_its_round(ports) =>
            crate::publishing::what_was_resolved_belongs_to_its_round(ports);
        a_failed_delivery_keeps_its_true_end(ports) =>
            crate::publishing::a_failed_delivery_keeps_its_true_end(ports);
        what_waits_for_an_account_uses_up_nothing_and_is_released(ports) =>
            crate::publishing::what_waits_for_an_account_uses_up_nothing_and_is_released(ports);
        a_post_that_is_not_due_waits(ports) =>
            crate::publishing::a_post_that_is_not_due_waits(ports);
        an_unknown_outcome_is_resolved_by_a_person(ports) =>
            crate::publishing::an_unknown_outcome_is_resolved_by_a_person(ports);
    }
}
