//! The way from an approved tweet to a published post: the queue, the ledger, and what people may do meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use waggle_content::ports::{ClaimRequest, LedgerError};
use waggle_content::{
    Claimed, DeliveryState, Platform, PostStatus, Prepared, Resolution, Settlement,
};
use waggle_kernel::ids::{DeliveryId, PostId};
use waggle_kernel::{Actor, Clock as _, FixedClock};
use waggle_store::Ports;
use waggle_twitter_n8n::ports::SaveError;
use waggle_twitter_n8n::testing::{batch, change, tweets_of};
use waggle_twitter_n8n::{Action, GeneratedTweet, QueueRefused, QueueRequest, Status, TweetFilter};

fn noon() -> DateTime<Utc> {
    FixedClock::noon().now()
}

/// Stores `count` tweets and approves them.
async fn approved(ports: &Ports, count: usize) -> Vec<GeneratedTweet> {
    let texts: Vec<(String, String)> =
        (0..count).map(|n| (format!("t-{n}"), format!("words {n}"))).collect();
    let tweets: Vec<(&str, &str)> =
        texts.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
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
        due_at,
        approval: tweet.approval().cloned().unwrap(),
        actor: "system".into(),
        now: noon(),
    }
}

async fn queued(ports: &Ports, tweet: &GeneratedTweet) -> PostId {
    ports.queue.queue(&request(tweet, noon())).await.unwrap().id
}

fn claim_at(now: DateTime<Utc>, most: u16) -> ClaimRequest {
    ClaimRequest {
        now,
        lease_until: now + Duration::seconds(60),
        most,
        missed_before: now - Duration::hours(6),
    }
}

async fn claim_one(ports: &Ports, now: DateTime<Utc>) -> Claimed {
    let mut claimed = ports.ledger.claim(&claim_at(now, 10)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

fn prepared(claimed: &Claimed) -> Prepared {
    Prepared {
        platform: Platform::Sandbox,
        channel: "sandbox".to_owned(),
        key: format!("post-{}", claimed.post.id),
        request: json!({ "text": claimed.post.publication.text }),
        hash: claimed.post.publication.hash(),
    }
}

async fn begun(ports: &Ports, claimed: &Claimed, now: DateTime<Utc>) -> DeliveryId {
    let until = now + Duration::seconds(20);
    ports.ledger.begin(claimed, &prepared(claimed), now, until).await.unwrap()
}

fn out() -> Settlement {
    Settlement::Published { id: "sandbox-1".into(), url: "/x".into() }
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
    assert!(ports.ledger.claim(&claim_at(noon(), 10)).await.unwrap().is_empty());
    let again = ports.queue.queue(&request(&tweet, noon())).await;
    assert!(matches!(again, Err(QueueRefused::NotApproved)), "{again:?}");
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

async fn a_queued_tweet_does_not_go_elsewhere_unasked(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let to_x = QueueRequest { platform: "x".into(), ..request(&tweet, noon()) };

    let refused = ports.queue.queue(&to_x).await;

    let elsewhere = matches!(&refused, Err(QueueRefused::QueuedElsewhere { platform }) if platform == "sandbox");
    assert!(elsewhere, "{refused:?}");
    assert!(ports.posts.cancel(post, "system", noon()).await.unwrap());
    assert_eq!(ports.queue.queue(&to_x).await.unwrap().id, post);
    let moved = ports.posts.find(post).await.unwrap().unwrap();
    assert_eq!(moved.platform, Platform::X);
}

async fn what_is_not_approved_is_not_queued(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let stale = request(&tweet, noon());
    let edited = tweet.clone().edit(Some("other".into()), None, noon()).unwrap();
    ports.tweets.save(&[change(Action::Edit, &tweet, edited)]).await.unwrap();

    let refused = ports.queue.queue(&stale).await;

    assert!(matches!(refused, Err(QueueRefused::NotApproved)), "{refused:?}");

    // Approved again, but with other words than the request was made for.
    let draft = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
    let again = draft.clone().approve(&Actor::system(), noon()).unwrap();
    ports.tweets.save(&[change(Action::Approve, &draft, again)]).await.unwrap();
    let refused = ports.queue.queue(&stale).await;
    assert!(matches!(refused, Err(QueueRefused::NotApproved)), "{refused:?}");
}

async fn an_edit_takes_a_waiting_post_out_of_the_queue(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let edited = tweet.clone().edit(Some("other".into()), None, noon()).unwrap();

    let saved = ports.tweets.save(&[change(Action::Edit, &tweet, edited)]).await.unwrap();

    assert!(saved[0].is_ok(), "{saved:?}");
    assert_eq!(status_of(&ports, post).await, PostStatus::Cancelled);
    assert!(ports.ledger.claim(&claim_at(noon(), 10)).await.unwrap().is_empty());

    // The same post goes out with the new words, once they are approved.
    let draft = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
    let again = draft.clone().approve(&Actor::system(), noon()).unwrap();
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
    assert!(!ports.posts.cancel(claimed.post.id, "system", noon()).await.unwrap());
    ports.ledger.settle(&claimed, Some(delivery), &out(), noon()).await.unwrap();
}

async fn no_post_is_in_two_hands(ports: Ports) {
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
                let claimed = ledger.claim(&claim_at(noon(), 3)).await.unwrap();
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
    // A hand that found every row locked by others went away early: what is left is for the next.
    while let Some(claimed) = ports.ledger.claim(&claim_at(noon(), 40)).await.unwrap().pop() {
        all.push(claimed.post.id);
    }

    let distinct: BTreeSet<PostId> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (distinct.len(), 40));
}

async fn a_hand_that_lost_its_lease_can_neither_begin_nor_settle(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let slow = claim_one(&ports, noon()).await;
    let later = noon() + Duration::seconds(61);

    // Too little time is left, though nobody has taken over yet.
    let late = noon() + Duration::seconds(50);
    let refused =
        ports.ledger.begin(&slow, &prepared(&slow), late, late + Duration::seconds(20)).await;
    assert!(matches!(refused, Err(LedgerError::NotHeld)), "{refused:?}");

    let quick = claim_one(&ports, later).await;
    assert!(quick.fence > slow.fence);
    let refused =
        ports.ledger.begin(&slow, &prepared(&slow), later, later + Duration::seconds(1)).await;
    assert!(matches!(refused, Err(LedgerError::NotHeld)), "{refused:?}");
    let failed = Settlement::Failed { reason: "of the slow hand".into() };
    let refused = ports.ledger.settle(&slow, None, &failed, later).await;
    assert!(matches!(refused, Err(LedgerError::NotHeld)), "{refused:?}");

    let delivery = begun(&ports, &quick, later).await;
    ports.ledger.settle(&quick, Some(delivery), &out(), later).await.unwrap();
    assert_eq!(status_of(&ports, post).await, PostStatus::Published);
}

async fn what_a_dead_hand_left_open_is_found_by_the_next(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let dead = claim_one(&ports, noon()).await;
    let delivery = begun(&ports, &dead, noon()).await;

    let next = claim_one(&ports, noon() + Duration::seconds(61)).await;

    let open = next.open.clone().unwrap();
    assert_eq!(open.id, delivery);
    assert_eq!(open.prepared, prepared(&dead));
    assert_eq!(open.started_at, noon());
    // Nothing can be begun while it is open, even by the hand that holds the post.
    let now = noon() + Duration::seconds(61);
    let twice = ports.ledger.begin(&next, &prepared(&next), now, now).await;
    assert!(matches!(twice, Err(LedgerError::NotHeld)), "{twice:?}");

    let look = Settlement::Look { again_at: now, reason: "no sign of it".into(), absent: true };
    ports.ledger.settle(&next, Some(delivery), &look, now).await.unwrap();
    let looking = claim_one(&ports, now).await;
    let open = looking.open.clone().unwrap();
    assert_eq!((open.looks, open.absences), (1, 1));
    let absent =
        Settlement::Retry { at: now, reason: "not there".into(), state: DeliveryState::Absent };
    ports.ledger.settle(&looking, Some(delivery), &absent, now).await.unwrap();
    let again = claim_one(&ports, now).await;
    assert_eq!(again.open, None);
    assert_eq!(again.first_doubt_at, Some(noon()));
    let second = begun(&ports, &again, now).await;
    ports.ledger.settle(&again, Some(second), &out(), now).await.unwrap();
    let states: Vec<DeliveryState> =
        ports.posts.deliveries(post).await.unwrap().iter().map(|one| one.state).collect();
    assert_eq!(states, [DeliveryState::Absent, DeliveryState::Published]);
}

async fn a_success_is_written_down_even_by_a_hand_that_lost_its_lease(ports: Ports) {
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

async fn a_post_that_was_due_long_ago_is_missed_and_not_sent(ports: Ports) {
    let tweets = approved(&ports, 2).await;
    let post = queued(&ports, &tweets[0]).await;
    let late = noon() + Duration::hours(7);

    assert!(ports.ledger.claim(&claim_at(late, 10)).await.unwrap().is_empty());

    assert_eq!(status_of(&ports, post).await, PostStatus::Missed);
    let again = ports.queue.queue(&QueueRequest { now: late, ..request(&tweets[0], late) }).await;
    assert_eq!(again.unwrap().id, post);
    assert_eq!(claim_one(&ports, late).await.post.id, post);
}

async fn a_post_that_is_not_due_waits(ports: Ports) {
    let tweet = approved(&ports, 1).await.remove(0);
    let due = noon() + Duration::hours(1);
    let post = ports.queue.queue(&request(&tweet, due)).await.unwrap().id;

    assert!(ports.ledger.claim(&claim_at(noon(), 10)).await.unwrap().is_empty());
    assert_eq!(ports.ledger.next_due().await.unwrap(), Some(due));
    assert!(ports.posts.cancel(post, "system", noon()).await.unwrap());
    assert!(!ports.posts.cancel(post, "system", noon()).await.unwrap());
    assert_eq!(ports.ledger.next_due().await.unwrap(), None);
    assert_eq!(status_of(&ports, post).await, PostStatus::Cancelled);
    assert!(ports.ledger.claim(&claim_at(due, 10)).await.unwrap().is_empty());
}

async fn a_doubt_is_settled_by_a_person(ports: Ports) {
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

        let first = ports.posts.resolve(post, &resolution, "token:1:me", noon()).await.unwrap();
        let second = ports.posts.resolve(post, &resolution, "token:1:me", noon()).await.unwrap();

        assert!(first && !second);
        let expected = if published { PostStatus::Published } else { PostStatus::Failed };
        assert_eq!(status_of(&ports, post).await, expected);
        let after = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
        assert_eq!(after.status() == Status::Posted, published);
    }
    assert!(!ports.queue.queue(&request(&tweets[1], noon())).await.unwrap().was_queued);
}

mod rules {
    crate::on_both! {
        a_published_post_makes_its_tweet_posted(ports) =>
            crate::publishing::a_published_post_makes_its_tweet_posted(ports);
        many_queueings_make_one_post(ports) =>
            crate::publishing::many_queueings_make_one_post(ports);
        a_queued_tweet_does_not_go_elsewhere_unasked(ports) =>
            crate::publishing::a_queued_tweet_does_not_go_elsewhere_unasked(ports);
        what_is_not_approved_is_not_queued(ports) =>
            crate::publishing::what_is_not_approved_is_not_queued(ports);
        an_edit_takes_a_waiting_post_out_of_the_queue(ports) =>
            crate::publishing::an_edit_takes_a_waiting_post_out_of_the_queue(ports);
        a_tweet_whose_post_is_on_its_way_does_not_change(ports) =>
            crate::publishing::a_tweet_whose_post_is_on_its_way_does_not_change(ports);
        no_post_is_in_two_hands(ports) =>
            crate::publishing::no_post_is_in_two_hands(ports);
        a_hand_that_lost_its_lease_can_neither_begin_nor_settle(ports) =>
            crate::publishing::a_hand_that_lost_its_lease_can_neither_begin_nor_settle(ports);
        what_a_dead_hand_left_open_is_found_by_the_next(ports) =>
            crate::publishing::what_a_dead_hand_left_open_is_found_by_the_next(ports);
        a_success_is_written_down_even_by_a_hand_that_lost_its_lease(ports) =>
            crate::publishing::a_success_is_written_down_even_by_a_hand_that_lost_its_lease(ports);
        a_post_that_was_due_long_ago_is_missed_and_not_sent(ports) =>
            crate::publishing::a_post_that_was_due_long_ago_is_missed_and_not_sent(ports);
        a_post_that_is_not_due_waits(ports) =>
            crate::publishing::a_post_that_is_not_due_waits(ports);
        a_doubt_is_settled_by_a_person(ports) =>
            crate::publishing::a_doubt_is_settled_by_a_person(ports);
    }
}
