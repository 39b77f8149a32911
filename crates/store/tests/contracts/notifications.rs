//! People are told once of each matter that needs them, until it is settled.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use waggle_accounts::testing::made;
use waggle_accounts::{EventKind, Letter, NewAuthEvent, QueuedMail, Role, User};
use waggle_content::{DeliveryState, Looked, Resolution, Settlement};
use waggle_kernel::ids::SourceTweetId;
use waggle_kernel::{Actor, Clock as _, FixedClock, Hour, Limit, Page, PageRequest, Zone};
use waggle_notifications::{
    ChoicesChange, Delivery, Kind as Matter, ManageNotifications, Notification, Read,
};
use waggle_store::Ports;
use waggle_twitter_n8n::testing::{batch, change, execution, report, tweets_of};
use waggle_twitter_n8n::{Action, GeneratedTweet, OfferPolicy, QueueRequest, TweetFilter};

use crate::database::Kind;
use crate::events::{decide, received};
use crate::fresh;
use crate::publishing::{approved, begun, claim_one, queued, seen};

fn noon() -> DateTime<Utc> {
    FixedClock::noon().now()
}

/// The people of these tests: an admin, an approver, an editor and a viewer.
struct Team {
    ann: User,
    ben: User,
    ed: User,
    vic: User,
}

async fn team(ports: &Ports) -> Team {
    Team {
        ann: made(&ports.users, "ann", Role::Admin).await,
        ben: made(&ports.users, "ben", Role::Approver).await,
        ed: made(&ports.users, "ed", Role::Editor).await,
        vic: made(&ports.users, "vic", Role::Viewer).await,
    }
}

/// Considers all events, in small steps.
async fn consider(ports: &Ports, now: DateTime<Utc>) {
    while ports.events.extend(7).await.unwrap() > 0 {}
    while ports.notifications.consider_events(2, Zone::UTC, now).await.unwrap() {}
}

async fn shown(ports: &Ports, user: &User) -> Page<Notification> {
    let page = PageRequest::first(Limit::new(Limit::MOST).unwrap());
    manage(ports).list(&user.actor(), None, page).await.unwrap()
}

fn manage(ports: &Ports) -> ManageNotifications {
    let clock = Arc::new(FixedClock::noon());
    ManageNotifications { notifications: Arc::clone(&ports.notifications), clock }
}

/// What each of the team is told of: the kinds, newest first.
async fn told(ports: &Ports, team: &Team) -> [Vec<Matter>; 4] {
    consider(ports, noon()).await;
    let mut told = [const { Vec::new() }; 4];
    for (told, user) in told.iter_mut().zip([&team.ann, &team.ben, &team.ed, &team.vic]) {
        *told = shown(ports, user).await.items.into_iter().map(|item| item.kind).collect();
    }
    told
}

async fn change_of(ports: &Ports, tweet: &GeneratedTweet, action: Action) -> GeneratedTweet {
    let after = match action {
        Action::Approve => tweet.clone().approve(&Actor::system(), noon()),
        Action::Withdraw => tweet.clone().withdraw(noon()),
        _ => tweet.clone().reject(noon()),
    };
    let saved = [change(action, tweet, after.unwrap())];
    let version = ports.tweets.save(&saved).await.unwrap().pop().unwrap().unwrap();
    let [saved] = saved;
    saved.tweet.saved_as(version)
}

pub(crate) async fn a_batch_is_told_until_nothing_of_it_waits(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    let tweets = received(&ports, 2).await;
    let (arrived, requested) = (vec![Matter::BatchArrived], vec![Matter::DecisionRequested]);
    let nobody = Vec::new;

    assert_eq!(told(&ports, &team).await, [arrived.clone(), arrived.clone(), nobody(), nobody()]);
    let first = &shown(&ports, &team.ann).await.items[0];
    assert_eq!(first.summary, "The batch b (A Title) arrived with 2 tweets");
    assert_eq!((first.path(), first.created_at), ("/batches/1".to_owned(), noon()));

    // Its tweets are not told besides.
    decide(&ports, tweets[0].clone(), 2).await;
    let approved = change_of(&ports, &tweets[1], Action::Approve).await;
    assert_eq!(told(&ports, &team).await, [arrived.clone(), arrived, nobody(), nobody()]);

    let tweet = ports.tweets.find(tweets[0].id()).await.unwrap().unwrap();
    change_of(&ports, &tweet, Action::Reject).await;
    assert_eq!(told(&ports, &team).await, [nobody(), nobody(), nobody(), nobody()]);

    let waits = change_of(&ports, &approved, Action::Withdraw).await;
    assert_eq!(
        told(&ports, &team).await,
        [requested.clone(), requested.clone(), nobody(), nobody()]
    );
    change_of(&ports, &waits, Action::Approve).await;
    assert_eq!(told(&ports, &team).await, [nobody(), nobody(), nobody(), nobody()]);
}

async fn an_archived_batch_is_settled_and_a_restored_one_is_told(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    received(&ports, 1).await;
    assert_eq!(told(&ports, &team).await[0], [Matter::BatchArrived]);
    let manage = waggle_twitter_n8n::ManageBatches {
        batches: Arc::clone(&ports.batches),
        clock: Arc::new(FixedClock::noon()),
    };
    let id = waggle_kernel::ids::CampaignBatchId::new(1);

    manage.delete(&team.ann.actor(), id, None).await.unwrap();
    assert_eq!(told(&ports, &team).await[0], []);
    manage.restore(&team.ann.actor(), id, None).await.unwrap();

    let told = told(&ports, &team).await;
    assert_eq!(told[0], [], "she restored it herself");
    assert_eq!(told[1], [Matter::BatchArrived]);
}

pub(crate) async fn posts_that_need_a_person_are_told(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    let tweet = approved(&ports, 1).await.remove(0);
    queued(&ports, &tweet).await;
    let nobody = Vec::new;
    assert_eq!(told(&ports, &team).await, [nobody(), nobody(), nobody(), nobody()]);

    let claimed = claim_one(&ports, noon()).await;
    let held = Settlement::Held { reason: "the token expired".into(), at: noon() };
    ports.ledger.settle(&claimed, None, &held, noon()).await.unwrap();
    let matter = vec![Matter::PostsHeld];
    assert_eq!(told(&ports, &team).await, [matter, nobody(), nobody(), nobody()]);
    let item = &shown(&ports, &team.ann).await.items[0];
    assert_eq!(
        item.summary,
        "Posts in the sandbox wait for the owner of the account: the token expired"
    );

    ports.ledger.release_held(waggle_content::Platform::Sandbox, noon()).await.unwrap();
    assert_eq!(told(&ports, &team).await, [nobody(), nobody(), nobody(), nobody()]);

    let claimed = claim_one(&ports, noon()).await;
    let failed = Settlement::Failed { reason: "403".into(), state: DeliveryState::Refused };
    ports.ledger.settle(&claimed, None, &failed, noon()).await.unwrap();
    let matter = || vec![Matter::PostFailed];
    assert_eq!(told(&ports, &team).await, [matter(), matter(), nobody(), nobody()]);

    let read = Read::UpTo(i64::MAX);
    manage(&ports).mark_read(&team.ann.actor(), &read).await.unwrap();

    // If it fails again before anybody is told that it was queued again, that is another matter.
    let fail_again = async |reason: &str| {
        let request = seen(&ports, &tweet, noon()).await;
        ports.queue.queue(&request).await.unwrap();
        let claimed = claim_one(&ports, noon()).await;
        let failed = Settlement::Failed { reason: reason.into(), state: DeliveryState::Refused };
        ports.ledger.settle(&claimed, None, &failed, noon()).await.unwrap();
    };
    fail_again("404.").await;
    assert_eq!(told(&ports, &team).await, [matter(), matter(), nobody(), nobody()]);
    let item = &shown(&ports, &team.ann).await.items[0];
    assert_eq!((item.read_at, item.summary.as_str()), (None, "Post 1 in the sandbox failed: 404"));

    // Publishing it again settles the matter, and so does giving up its tweet.
    let request = seen(&ports, &tweet, noon()).await;
    ports.queue.queue(&request).await.unwrap();
    assert_eq!(told(&ports, &team).await, [nobody(), nobody(), nobody(), nobody()]);
    let claimed = claim_one(&ports, noon()).await;
    let missed = Settlement::Missed { reason: "too late".into() };
    ports.ledger.settle(&claimed, None, &missed, noon()).await.unwrap();
    let matter = || vec![Matter::PostMissed];
    assert_eq!(told(&ports, &team).await, [matter(), matter(), nobody(), nobody()]);
    let current = ports.tweets.find(tweet.id()).await.unwrap().unwrap();
    change_of(&ports, &current, Action::Reject).await;
    assert_eq!(told(&ports, &team).await, [nobody(), nobody(), nobody(), nobody()]);
}

async fn unknown_outcomes_are_told_until_they_are_resolved(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    let tweet = approved(&ports, 1).await.remove(0);
    let post = queued(&ports, &tweet).await;
    let nobody = Vec::new;

    // The outcome is unknown, and the account does not answer: its owner is told.
    let claimed = claim_one(&ports, noon()).await;
    let delivery = begun(&ports, &claimed, noon()).await;
    let held = Settlement::Look {
        again_at: noon(),
        reason: "401".into(),
        looked: Looked::NotAsked,
        is_held: true,
    };
    ports.ledger.settle(&claimed, Some(delivery), &held, noon()).await.unwrap();
    let matter = vec![Matter::PostsHeld];
    assert_eq!(told(&ports, &team).await, [matter.clone(), nobody(), nobody(), nobody()]);

    // While it is tried again, nothing changes.
    let claimed = claim_one(&ports, noon()).await;
    let id = claimed.open.as_ref().unwrap().id;
    let other = batch("c", &[("t", "text")]);
    ports.batches.receive(&other, noon()).await.unwrap();
    assert_eq!(told(&ports, &team).await[0], [Matter::BatchArrived, Matter::PostsHeld]);
    let ask = Settlement::Ask { reason: "nobody knows".into() };
    ports.ledger.settle(&claimed, Some(id), &ask, noon()).await.unwrap();
    let told_now = told(&ports, &team).await;
    assert_eq!(told_now[0], [Matter::PostUnknown, Matter::BatchArrived]);
    assert_eq!(told_now[1], [Matter::PostUnknown, Matter::BatchArrived]);

    let found = Resolution::Published { id: "sandbox-1".into(), url: "/x".into() };
    let by = team.ben.actor().reference();
    ports.posts.resolve(post, None, &found, &by, noon()).await.unwrap();
    assert_eq!(told(&ports, &team).await[1], [Matter::BatchArrived]);
}

/// A post that is held on one platform and published on another leaves nothing behind.
async fn a_held_post_that_moves_is_settled(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    let tweet = approved(&ports, 1).await.remove(0);
    let on = |platform: &str, request: QueueRequest| QueueRequest {
        platform: platform.into(),
        ..request
    };
    let request = seen(&ports, &tweet, noon()).await;
    ports.queue.queue(&on("x", request)).await.unwrap();
    let claimed = claim_one(&ports, noon()).await;
    let later = noon() + Duration::hours(1);
    let held = Settlement::Held { reason: "the token expired".into(), at: later };
    ports.ledger.settle(&claimed, None, &held, noon()).await.unwrap();
    assert_eq!(told(&ports, &team).await[0], [Matter::PostsHeld]);

    let request = seen(&ports, &tweet, noon()).await;
    ports.queue.queue(&on("sandbox", request)).await.unwrap();

    assert_eq!(told(&ports, &team).await[0], []);
}

async fn a_restored_backup_mails_nothing_again(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    received(&ports, 1).await;
    assert_eq!(told(&ports, &team).await[1], [Matter::BatchArrived]);

    fresh.store.after_restore(&Actor::system().reference(), noon()).await.unwrap();

    assert_eq!(mails(&ports, noon() + Duration::days(2)).await, []);
    assert_eq!(told(&ports, &team).await[1], [Matter::BatchArrived]);
}

pub(crate) async fn source_tweets_that_lapse_are_told_each_time(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    let offers = OfferPolicy { lease: Duration::hours(1), most: 1 };
    let lapsed = async |run: &str, number: i64| {
        let (run, tweets) = (execution(run), [report(number)]);
        ports.source_tweets.record(&run, &tweets, offers, noon()).await.unwrap();
        let later = noon() + Duration::hours(2);
        assert_eq!(ports.source_tweets.mark_lapsed(1, 100, later).await.unwrap().len(), 1);
    };

    lapsed("one", 1).await;
    let once = told(&ports, &team).await;
    assert_eq!(once[2], [Matter::SourceTweetsLapsed]);
    let read = Read::UpTo(i64::MAX);
    assert_eq!(manage(&ports).mark_read(&team.ed.actor(), &read).await.unwrap(), 1);
    assert_eq!(manage(&ports).count_unread(&team.ed.actor()).await.unwrap(), 0);

    lapsed("two", 2).await;
    assert_eq!(told(&ports, &team).await[2], [Matter::SourceTweetsLapsed]);
    assert_eq!(manage(&ports).count_unread(&team.ed.actor()).await.unwrap(), 1, "it grew");
    assert_eq!(told(&ports, &team).await[3], []);

    let (ids, by) = ([1].map(SourceTweetId::new), team.ann.actor().reference());
    assert_eq!(ports.source_tweets.delete(&ids, &by, noon()).await.unwrap().len(), 1);
    assert_eq!(told(&ports, &team).await[2], [Matter::SourceTweetsLapsed], "one is left");
    // A batch that was made of it processes it.
    let mut late = batch("late", &[("t", "text")]);
    late.source_tweet_ids = vec![report(2).tweet_id];
    ports.batches.receive(&late, noon()).await.unwrap();
    assert_eq!(told(&ports, &team).await[2], []);
}

/// Several processes consider the same events at the same time.
async fn each_event_is_considered_once(kind: Kind) {
    const BATCHES: usize = 60;
    let fresh = fresh(kind).await;
    let team = team(&fresh.ports).await;
    let other = match kind {
        Kind::Sqlite => fresh.store.clone(),
        Kind::Postgres => waggle_store::Store::open(&fresh.database.url).await.unwrap(),
    };
    let ports = [fresh.ports.clone(), other.ports()];
    for number in 0..BATCHES {
        let new = batch(&format!("b-{number}"), &[("t", "text")]);
        ports[0].batches.receive(&new, noon()).await.unwrap();
    }
    while ports[0].events.extend(100).await.unwrap() > 0 {}

    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let notifications = Arc::clone(&ports[worker % 2].notifications);
            tokio::spawn(async move {
                while notifications.consider_events(3, Zone::UTC, noon()).await.unwrap() {}
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }

    for user in [&team.ann, &team.ben] {
        let mut objects: Vec<i64> = shown(&ports[0], user)
            .await
            .items
            .iter()
            .map(|item| item.object.parse().unwrap())
            .collect();
        objects.sort_unstable();
        let all: Vec<i64> = (1..=i64::try_from(BATCHES).unwrap()).collect();
        assert_eq!(objects, all, "{}", user.username);
    }
}

/// The lines of the emails that are queued now, by recipient.
async fn mails(ports: &Ports, now: DateTime<Utc>) -> Vec<(String, Vec<String>, u32)> {
    let notifications = &ports.notifications;
    notifications.queue_mails(10, now).await.unwrap();
    let claimed = ports.mails.claim(now, now + Duration::days(30), 100).await.unwrap();
    let mut mails = Vec::new();
    for QueuedMail { id, to, letter, .. } in claimed.mails {
        ports.mails.sent(id).await.unwrap();
        assert_eq!(letter.name(), "MATTERS");
        let Letter::Matters { lines, more } = letter else { continue };
        let lines = lines.into_iter().map(|line| format!("{} {}", line.path, line.text));
        mails.push((to.to_string(), lines.collect(), more));
    }
    mails.sort();
    mails
}

async fn chosen(ports: &Ports, user: &User, kind: Matter, delivery: Delivery) {
    let change = ChoicesChange { digest_hour: None, deliveries: vec![(kind, delivery)] };
    manage(ports).choose(&user.actor(), Zone::UTC, &change).await.unwrap();
}

pub(crate) async fn each_matter_is_in_one_email(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    chosen(&ports, &team.ann, Matter::BatchArrived, Delivery::AtOnce).await;
    chosen(&ports, &team.ben, Matter::BatchArrived, Delivery::Digest).await;
    let receive = async |name: &str, now| {
        ports.batches.receive(&batch(name, &[("t", "text")]), noon()).await.unwrap();
        consider(&ports, now).await;
    };
    let line = |id| format!("/batches/{id} The batch b-{id} (A Title) arrived with 1 tweet");
    let (ann, ben) = ("ann@example.com".to_owned(), "ben@example.com".to_owned());
    let none: Vec<(String, Vec<String>, u32)> = Vec::new();

    receive("b-1", noon()).await;
    assert_eq!(mails(&ports, noon()).await, [(ann.clone(), vec![line(1)], 0)]);
    assert_eq!(mails(&ports, noon() + Duration::hours(1)).await, none, "it was told");

    // What comes within a minute is gathered.
    let next = noon() + Duration::hours(2);
    receive("b-2", next).await;
    assert_eq!(mails(&ports, next).await.len(), 1);
    receive("b-3", next).await;
    receive("b-4", next).await;
    assert_eq!(mails(&ports, next + Duration::seconds(59)).await, none);
    let gathered = mails(&ports, next + Duration::seconds(60)).await;
    assert_eq!(gathered, [(ann, vec![line(4), line(3)], 0)]);

    // A digest has what is still open.
    let first = tweets_of(&*ports.tweets, &TweetFilter::default()).await.remove(0);
    change_of(&ports, &first, Action::Reject).await;
    consider(&ports, next).await;
    let morning = "2026-01-02T08:00:00Z".parse::<DateTime<Utc>>().unwrap();
    assert!(morning > next && morning - next < Duration::days(1), "{}", noon());
    assert_eq!(mails(&ports, morning - Duration::seconds(1)).await, none);
    assert_eq!(mails(&ports, morning).await, [(ben, vec![line(4), line(3), line(2)], 0)]);
    assert_eq!(mails(&ports, morning + Duration::days(1)).await, none);

    // While an email waits for the mail server, there is no other one.
    let later = morning + Duration::days(2);
    receive("b-5", later).await;
    assert_eq!(ports.notifications.queue_mails(10, later).await.unwrap(), 1);
    receive("b-6", later).await;
    let much_later = later + Duration::hours(1);
    assert_eq!(ports.notifications.queue_mails(10, much_later).await.unwrap(), 0);
    assert_eq!(mails(&ports, much_later).await[0].1, [line(5)]);
    assert_eq!(mails(&ports, much_later).await[0].1, [line(6)]);
}

pub(crate) async fn choices_apply_to_what_waits(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    received(&ports, 1).await;
    consider(&ports, noon()).await;
    let default = manage(&ports).choices(&team.ben.actor()).await.unwrap();
    assert_eq!(default.of(Matter::BatchArrived), Delivery::Digest);

    chosen(&ports, &team.ben, Matter::BatchArrived, Delivery::AtOnce).await;
    chosen(&ports, &team.ann, Matter::BatchArrived, Delivery::Off).await;

    let ben = "ben@example.com";
    let sent = mails(&ports, noon()).await;
    assert_eq!(sent.iter().map(|(to, _, _)| to.as_str()).collect::<Vec<_>>(), [ben]);
    assert_eq!(told(&ports, &team).await[..2], [vec![], vec![Matter::BatchArrived]]);
    // The other choices stay.
    let later = ChoicesChange { digest_hour: Hour::new(17), deliveries: Vec::new() };
    let choices = manage(&ports).choose(&team.ben.actor(), Zone::UTC, &later).await.unwrap();
    assert_eq!(choices.of(Matter::BatchArrived), Delivery::AtOnce);
    assert_eq!(manage(&ports).choices(&team.ben.actor()).await.unwrap(), choices);
    assert_eq!(choices.digest_hour.number(), 17);
}

/// A new time zone moves what waits, but not what is due already.
async fn a_digest_follows_the_zone(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    received(&ports, 1).await;
    consider(&ports, noon()).await;
    let at = |time: &str| time.parse::<DateTime<Utc>>().unwrap();
    let tokyo = "Asia/Tokyo".parse().unwrap();

    // The next 08:00 in Tokyo is 23:00 in UTC.
    let moved = ports.notifications.move_digest(team.ben.id, tokyo, noon()).await;
    moved.unwrap();
    assert_eq!(mails(&ports, at("2026-01-01T22:59:59Z")).await, []);
    let late = at("2026-01-01T23:00:00Z");
    let moved = ports.notifications.move_digest(team.ben.id, Zone::UTC, late).await;
    moved.unwrap();
    let sent = mails(&ports, late).await;
    assert_eq!(sent.iter().map(|(to, ..)| to.as_str()).collect::<Vec<_>>(), ["ben@example.com"]);
}

/// Two changes of one person at the same time are both kept.
async fn concurrent_choices_are_kept(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    let choosing: Vec<_> = Matter::ALL
        .into_iter()
        .map(|kind| {
            let (ports, ann) = (ports.clone(), team.ann.clone());
            tokio::spawn(async move { chosen(&ports, &ann, kind, Delivery::Console).await })
        })
        .collect();
    for task in choosing {
        task.await.unwrap();
    }

    let choices = manage(&ports).choices(&team.ann.actor()).await.unwrap();

    assert!(Matter::ALL.iter().all(|kind| choices.of(*kind) == Delivery::Console), "{choices:?}");
}

async fn those_who_lost_a_right_are_told_no_more(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    received(&ports, 1).await;
    consider(&ports, noon()).await;
    let event = |user: &User| NewAuthEvent {
        kind: EventKind::RoleChanged,
        user: Some(user.id),
        email: String::new(),
        by: Actor::system().reference(),
        client: waggle_accounts::Client::default(),
        metadata: serde_json::json!({}),
        at: noon(),
        mails: Vec::new(),
    };
    let viewer = User { role: Role::Viewer, ..team.ben.clone() };
    let gone = User { is_active: false, ..team.ann.clone() };
    made(&ports.users, "cleo", Role::Admin).await;
    for user in [&viewer, &gone] {
        let all = waggle_accounts::ports::EndSessions::All;
        ports.users.save(user, all, &event(user)).await.unwrap();
    }

    let later = noon() + Duration::days(2);
    assert_eq!(mails(&ports, later).await, []);
    assert_eq!(shown(&ports, &viewer).await.items, []);
    assert_eq!(manage(&ports).count_unread(&viewer.actor()).await.unwrap(), 0);
}

async fn people_read_only_their_own(kind: Kind) {
    let fresh = fresh(kind).await;
    let ports = fresh.ports.clone();
    let team = team(&ports).await;
    received(&ports, 1).await;
    consider(&ports, noon()).await;
    let of_ben = shown(&ports, &team.ben).await.items[0].id;

    let read = Read::These(vec![of_ben, of_ben, 999]);
    assert_eq!(manage(&ports).mark_read(&team.ann.actor(), &read).await.unwrap(), 0);
    assert_eq!(manage(&ports).count_unread(&team.ben.actor()).await.unwrap(), 1);
    assert_eq!(manage(&ports).mark_read(&team.ben.actor(), &read).await.unwrap(), 1);
    assert_eq!(manage(&ports).mark_read(&team.ben.actor(), &read).await.unwrap(), 0);
    let page = PageRequest::first(Limit::DEFAULT);
    let unread = manage(&ports).list(&team.ben.actor(), Some(true), page).await.unwrap();
    assert_eq!(unread.items, []);
    let read = manage(&ports).list(&team.ben.actor(), Some(false), page).await.unwrap();
    assert_eq!(read.items[0].read_at, Some(noon()));
}

on_both_kinds! {
    a_batch_is_told_until_nothing_of_it_waits,
    an_archived_batch_is_settled_and_a_restored_one_is_told,
    posts_that_need_a_person_are_told,
    unknown_outcomes_are_told_until_they_are_resolved,
    a_held_post_that_moves_is_settled,
    a_restored_backup_mails_nothing_again,
    a_digest_follows_the_zone,
    source_tweets_that_lapse_are_told_each_time,
    each_event_is_considered_once,
    each_matter_is_in_one_email,
    choices_apply_to_what_waits,
    concurrent_choices_are_kept,
    those_who_lost_a_right_are_told_no_more,
    people_read_only_their_own,
}
