//! Tests that a process that is killed at any step loses no post and publishes none twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::database::Kind;
use crate::process::{PATIENCE, Process};
use crate::{Waggle, count, on_both};

/// A lease that is short enough to wait for its end. On SQLite, the next process ends the leases of
/// a dead one at once.
const SHORT: [(&str, &str); 2] = [("PUBLISH_LEASE_SECONDS", "3"), ("PUBLISH_REQUEST_SECONDS", "1")];

fn with(fault: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut settings = SHORT.to_vec();
    settings.push(("SANDBOX_FAULTS", fault));
    settings
}

fn arrived(waggle: &Waggle) -> usize {
    let path = waggle.database.folder.0.join("sandbox/timeline.jsonl");
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn is_in_flight(deliveries: &Value) -> bool {
    deliveries["items"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["state"] == "in_flight"))
}

async fn wait_for_arrivals(waggle: &Waggle, count: usize) {
    let begun = Instant::now();
    while arrived(waggle) < count {
        assert!(begun.elapsed() < PATIENCE, "{} of {count} arrived", arrived(waggle));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Kills the server and starts another one.
fn replace(waggle: &mut Waggle, settings: &[(&str, &str)]) {
    waggle.process.kill();
    waggle.again(settings);
}

/// How often a server is killed at each step.
const TIMES: usize = 3;

/// The states of the ledger on disk between two steps, each of which a test can observe.
#[derive(Clone, Copy)]
enum Step {
    /// The post is claimed, and no intent is recorded.
    Claimed,
    /// The intent is recorded, and the post has not arrived.
    Begun,
    /// The post has arrived, and the response has not.
    Arrived,
    /// The post has arrived, and the next process is looking for it.
    Looking,
}

/// Kills the server at `step` several times, and lets another one finish. Each post is published
/// once.
async fn killed_at(kind: Kind, step: Step) {
    let fault = match step {
        Step::Claimed => "slow-prepare",
        Step::Begun => "slow-request",
        Step::Arrived | Step::Looking => "slow-answer",
    };
    let mut waggle = Waggle::with(kind, &with(fault)).await;
    let texts: Vec<String> = (0..TIMES).map(|n| format!("words {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (there, tweet) in waggle.batch("b", &texts).await.into_iter().enumerate() {
        let post = waggle.publish(tweet).await;
        let path = format!("/api/v1/posts/{post}");
        let deliveries = format!("{path}/deliveries");
        match step {
            Step::Claimed => {
                waggle.until(&path, |post| post["status"] == "publishing").await;
                let begun = waggle.get(&deliveries).await.ok();
                assert_eq!(begun["items"], serde_json::json!([]));
            }
            Step::Begun => {
                waggle.until(&deliveries, is_in_flight).await;
                assert_eq!(arrived(&waggle), there);
            }
            Step::Arrived => wait_for_arrivals(&waggle, there + 1).await,
            Step::Looking => {
                wait_for_arrivals(&waggle, there + 1).await;
                let version = waggle.get(&path).await.ok()["version"].as_i64().unwrap();
                replace(&mut waggle, &with("slow-look"));
                // Another worker has leased the post and is looking for it.
                waggle.until(&path, |post| post["version"].as_i64().unwrap() > version).await;
            }
        }

        replace(&mut waggle, &SHORT);
        let published = waggle.until_published(post).await;

        assert_eq!(arrived(&waggle), there + 1);
        let timeline = waggle.get("/api/v1/sandbox/timeline?limit=1").await.ok();
        assert_eq!(published["platform_post_id"], timeline["items"][0]["id"]);
        let tweet = waggle.get(&format!("/api/v1/generated-tweets/{tweet}")).await.ok();
        assert_eq!(tweet["status"], "Posted");
        assert_eq!(tweet["x_com_post_id"], timeline["items"][0]["id"]);
        replace(&mut waggle, &with(fault));
    }
    let mut timeline = waggle.timeline().await;
    timeline.reverse();
    assert_eq!(timeline, texts);
}

async fn killed_before_the_intent_was_recorded(kind: Kind) {
    killed_at(kind, Step::Claimed).await;
}

async fn killed_before_the_request_arrived(kind: Kind) {
    killed_at(kind, Step::Begun).await;
}

async fn killed_before_the_response_arrived(kind: Kind) {
    killed_at(kind, Step::Arrived).await;
}

async fn killed_while_reconciling(kind: Kind) {
    killed_at(kind, Step::Looking).await;
}

/// Publishes many posts, and kills the server after a delay that grows each round, so that it ends
/// between any two steps.
async fn killed_at_any_moment(kind: Kind) {
    let rounds = 14;
    let mut waggle = Waggle::with(kind, &SHORT).await;
    let texts: Vec<String> = (0..rounds * 3).map(|n| format!("words {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let tweets = waggle.batch("b", &texts).await;
    let mut posts = Vec::new();
    for (round, three) in (0_u64..).zip(tweets.chunks(3)) {
        for &tweet in three {
            waggle.act(tweet, "approve").await.ok();
        }
        for &tweet in three {
            posts.push(waggle.act(tweet, "publish").await.ok()["post"]["id"].as_i64().unwrap());
        }
        tokio::time::sleep(Duration::from_micros(round * 700)).await;
        replace(&mut waggle, &SHORT);
    }

    for post in posts {
        waggle.until_published(post).await;
    }
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for text in waggle.timeline().await {
        *times.entry(text).or_default() += 1;
    }
    assert_eq!(times.len(), texts.len());
    assert!(times.values().all(|&count| count == 1), "{times:?}");
}

async fn a_lost_response_is_reconciled(kind: Kind) {
    let waggle = Waggle::with(kind, &[("SANDBOX_FAULTS", "lost-answer")]).await;
    let tweet = waggle.batch("b", &["words"]).await[0];

    let post = waggle.publish(tweet).await;

    waggle.until_published(post).await;
    assert_eq!(waggle.timeline().await, ["words"]);
}

async fn a_person_resolves_what_cannot_be_reconciled(kind: Kind) {
    let waggle = Waggle::with(kind, &[("SANDBOX_FAULTS", "lost-answer,blind")]).await;
    let tweet = waggle.batch("b", &["words"]).await[0];
    let post = waggle.publish(tweet).await;
    let path = format!("/api/v1/posts/{post}");
    waggle.until(&path, |post| post["status"] == "unknown").await;

    waggle.act(tweet, "publish").await.refused(409);
    waggle.act(tweet, "reject").await.refused(409);
    let resolve = format!("{path}/resolve");
    waggle.post(&resolve, serde_json::json!({ "published": true })).await.refused(422);
    let body =
        serde_json::json!({ "published": true, "platform_post_id": "sandbox-1", "url": "/x" });
    for id in ["\u{200b}sandbox-9", " sandbox-9", "sandbox-9\n", "sändbox-9", ""] {
        let odd = serde_json::json!({ "published": true, "platform_post_id": id });
        waggle.post(&resolve, odd).await.refused(422);
    }
    let resolved = waggle.post(&resolve, body.clone()).await.ok();

    assert_eq!(resolved["status"], "published");
    waggle.post(&resolve, body).await.refused(409);
    let tweet = waggle.get(&format!("/api/v1/generated-tweets/{tweet}")).await.ok();
    assert_eq!(tweet["status"], "Posted");
    assert_eq!(waggle.timeline().await, ["words"]);
}

async fn a_refused_post_fails_and_can_be_tried_again(kind: Kind) {
    let mut waggle = Waggle::with(kind, &[("SANDBOX_FAULTS", "refuse")]).await;
    let tweet = waggle.batch("b", &["words"]).await[0];
    let post = waggle.publish(tweet).await;
    let failed =
        waggle.until(&format!("/api/v1/posts/{post}"), |post| post["status"] == "failed").await;
    assert!(failed["last_error"].as_str().unwrap().contains("refuse"), "{failed}");

    replace(&mut waggle, &[]);
    // A late call does not queue it again. A call with the current version of the tweet does.
    waggle.act(tweet, "publish").await.refused(428);
    let version =
        waggle.get(&format!("/api/v1/generated-tweets/{tweet}")).await.ok()["version"].clone();
    let again = waggle.publish_at(tweet, version.as_i64(), serde_json::json!({})).await.ok();

    assert_eq!(again["post"]["id"], post);
    waggle.until_published(post).await;
    assert_eq!(waggle.timeline().await, ["words"]);
}

async fn a_stopping_server_finishes_deliveries_in_progress(kind: Kind) {
    let mut waggle = Waggle::with(kind, &[("SANDBOX_FAULTS", "slow-answer")]).await;
    let tweet = waggle.batch("b", &["words"]).await[0];
    let post = waggle.publish(tweet).await;
    wait_for_arrivals(&waggle, 1).await;
    let later = waggle.batch("c", &["later words"]).await[0];

    assert_eq!(waggle.process.terminate(), Some(0));

    waggle.again(&[]);
    let published = waggle.get(&format!("/api/v1/posts/{post}")).await.ok();
    assert_eq!(published["status"], "published", "it was delivered before the process ended");
    assert_eq!(waggle.timeline().await, ["words"]);
    let later = waggle.get(&format!("/api/v1/generated-tweets/{later}")).await.ok();
    assert_eq!(later["status"], "Brand Aligned");
}

/// One of two replicas is paused past its lease while it sends, and the other takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_paused_past_its_lease_publishes_nothing_twice() {
    let waggle = Waggle::with(Kind::Postgres, &with("slow-request")).await;
    let tweet = waggle.batch("b", &["words"]).await[0];
    let post = waggle.publish(tweet).await;
    waggle.until(&format!("/api/v1/posts/{post}/deliveries"), is_in_flight).await;

    waggle.process.signal("STOP");
    let second = Waggle {
        process: Process::start(&waggle.database, &SHORT),
        database: waggle.database.clone(),
        client: crate::client(),
        token: waggle.token.clone(),
        admin: tokio::sync::OnceCell::new(),
    };
    second.until_published(post).await;
    waggle.process.signal("CONT");
    // The first one continues, and logs that it is too late.
    let begun = Instant::now();
    while !waggle.log().contains("another worker has taken over") {
        assert!(begun.elapsed() < PATIENCE, "{}", waggle.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    assert_eq!(second.timeline().await, ["words"]);
}

/// A change and its event are stored together or not at all, and each event gets one position, also
/// if the server is killed at any moment.
async fn each_change_has_its_event_after_a_kill(kind: Kind) {
    const ROUNDS: usize = 4;
    let mut waggle = Waggle::start(kind).await;
    for round in 0..ROUNDS {
        let answered = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let (answered, http) = (Arc::clone(&answered), waggle.client.clone());
                let (base, token) = (waggle.process.base.clone(), waggle.token.clone());
                tokio::spawn(async move {
                    for number in 0.. {
                        let name = format!("b-{round}-{client}-{number}");
                        let body = json!({ "campaign_batch": name, "tweets": [
                            { "id": "t-1", "content": "words" },
                        ] });
                        let request = http.post(format!("{base}/api/receive-tweets"));
                        let sent = request.bearer_auth(&token).json(&body).send().await;
                        if !sent.is_ok_and(|response| response.status() == 200) {
                            break;
                        }
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        let begun = Instant::now();
        while answered.load(Ordering::SeqCst) < 40 + 7 * round {
            assert!(begun.elapsed() < PATIENCE, "the batches are not answered");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waggle.process.kill();
        for client in clients {
            client.await.unwrap();
        }
        waggle.again(&[]);
    }
    assert_eq!(waggle.process.terminate(), Some(0));

    let database = &waggle.database;
    let report = crate::run(database, &["audit", "verify", "--json"], "");
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["intact"], true, "{report}");
    assert_eq!(report["events"], report["end"], "{report}");
    let of_batches = "FROM events WHERE kind = 'batch.received'";
    let batches = count(database, "SELECT COUNT(*) FROM campaign_batches").await;
    assert!(batches >= 40 * i64::try_from(ROUNDS).unwrap(), "{batches}");
    for what in ["COUNT(*)", "COUNT(DISTINCT object_id)"] {
        assert_eq!(
            count(database, &format!("SELECT {what} {of_batches}")).await,
            batches,
            "{what}"
        );
    }
    let waiting = count(database, "SELECT COUNT(*) FROM new_events").await;
    assert_eq!(waiting, 0);
}

/// Each of many posts is delivered by one of two replicas.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_the_work() {
    let first = Waggle::start(Kind::Postgres).await;
    let second = Process::start(&first.database, &[]);
    let texts: Vec<String> = (0..30).map(|n| format!("words {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let tweets = first.batch("b", &texts).await;
    let mut posts = Vec::new();
    for tweet in tweets {
        posts.push(first.publish(tweet).await);
    }

    for post in posts {
        first.until_published(post).await;
    }

    let mut timeline = first.timeline().await;
    timeline.sort();
    timeline.dedup();
    assert_eq!((timeline.len(), first.timeline().await.len()), (30, 30));
    drop(second);
}

on_both! {
    killed_before_the_intent_was_recorded,
    killed_before_the_request_arrived,
    killed_before_the_response_arrived,
    killed_while_reconciling,
    killed_at_any_moment,
    each_change_has_its_event_after_a_kill,
    a_lost_response_is_reconciled,
    a_person_resolves_what_cannot_be_reconciled,
    a_refused_post_fails_and_can_be_tried_again,
    a_stopping_server_finishes_deliveries_in_progress,
}
