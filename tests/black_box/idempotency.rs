//! Tests of `Idempotency-Key`: a call is made once, whatever happens meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::database::Kind;
use crate::leases::until_lapsed;
use crate::n8n::{CHECK, item, report};
use crate::process::{PATIENCE, Process, token};
use crate::{Waggle, answer, count, on_both};

/// Claims one source tweet, and returns the lease of the answer if there is one.
async fn claim(client: &Client, base: &str, token: &str, key: &str) -> Option<String> {
    let request = client.post(format!("{base}/api/v1/source-tweets/claim")).bearer_auth(token);
    let body = json!({ "limit": 1, "lease_seconds": 3_600 });
    let sent = request.header("idempotency-key", key).json(&body).send().await.ok()?;
    // A killed server gives no answer, but never one of failure.
    assert_eq!(sent.status(), 200, "{key}");
    let made: Value = sent.json().await.ok()?;
    assert_eq!(made["items"].as_array().unwrap().len(), 1, "{made}");
    Some(made["lease"].as_str().unwrap().to_owned())
}

/// A server with source tweets that a worker may claim.
async fn with_source_tweets(kind: Kind, number: u32) -> Waggle {
    let waggle = Waggle::with(kind, &[("SOURCE_TWEET_LEASE_SECONDS", "1")]).await;
    let items = (1..=number).map(|n| item(i64::from(n))).collect();
    waggle.post(CHECK, report("run-1", items)).await.ok();
    until_lapsed(&waggle).await;
    waggle
}

/// The number of leases, which includes that of the run.
async fn leases(waggle: &Waggle) -> i64 {
    count(&waggle.database, "SELECT COUNT(DISTINCT lease) FROM source_tweets").await
}

/// Calls at the same time, on PostgreSQL to two servers.
async fn calls_with_one_key_at_the_same_time_are_one_call(kind: Kind) {
    let waggle = with_source_tweets(kind, 20).await;
    let other = (kind == Kind::Postgres).then(|| Process::start(&waggle.database, &[]));
    let bases = [&waggle.process, other.as_ref().unwrap_or(&waggle.process)];
    let before = count(&waggle.database, "SELECT COUNT(*) FROM idempotency_keys").await;

    let calls: Vec<_> = (0..16)
        .map(|number| {
            let base = bases[number % 2].base.clone();
            let (client, token) = (waggle.client.clone(), waggle.token.clone());
            tokio::spawn(async move { claim(&client, &base, &token, "k-1").await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap().expect("each call is answered"));
    }

    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(count(&waggle.database, "SELECT COUNT(*) FROM idempotency_keys").await, before + 1);
    let claimed = format!("SELECT COUNT(*) FROM source_tweets WHERE lease = '{}'", answers[0]);
    assert_eq!(count(&waggle.database, &claimed).await, 1);
}

/// The server is killed while calls are made. All of them are repeated, until each has an answer.
async fn a_call_that_a_kill_interrupts_is_made_once(kind: Kind) {
    const ROUNDS: usize = 3;
    const KEYS: usize = 24;
    let mut waggle = with_source_tweets(kind, 200).await;
    let before = leases(&waggle).await;
    let mut leased = Vec::new();
    for round in 0..ROUNDS {
        let answered = Arc::new(AtomicUsize::new(0));
        let calls: Vec<_> = (0..KEYS)
            .map(|number| {
                let (answered, client) = (Arc::clone(&answered), waggle.client.clone());
                let (base, token) = (waggle.process.base.clone(), waggle.token.clone());
                tokio::spawn(async move {
                    let lease = claim(&client, &base, &token, &format!("{round}-{number}")).await;
                    answered.fetch_add(1, Ordering::SeqCst);
                    lease
                })
            })
            .collect();
        let begun = Instant::now();
        while answered.load(Ordering::SeqCst) < 3 + 4 * round {
            assert!(begun.elapsed() < PATIENCE, "the calls are not answered");
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        waggle.process.kill();
        let mut first = Vec::new();
        for call in calls {
            first.push(call.await.unwrap());
        }
        waggle.again(&[]);
        for (number, first) in first.into_iter().enumerate() {
            let (base, key) = (&waggle.process.base, format!("{round}-{number}"));
            let again = claim(&waggle.client, base, &waggle.token, &key).await.unwrap();
            assert!(first.is_none_or(|first| first == again), "{key} has another answer");
            leased.push(again);
        }
    }

    leased.sort();
    leased.dedup();
    assert_eq!(leased.len(), ROUNDS * KEYS, "each key has a lease of its own");
    let made = i64::try_from(ROUNDS * KEYS).unwrap();
    assert_eq!(leases(&waggle).await, before + made, "no call was made twice");
    let names: Vec<String> = leased.iter().map(|lease| format!("'{lease}'")).collect();
    let claimed =
        format!("SELECT COUNT(*) FROM source_tweets WHERE lease IN ({})", names.join(", "));
    assert_eq!(count(&waggle.database, &claimed).await, made);
}

/// A token of another person cannot get the answer.
async fn keys_belong_to_their_caller(kind: Kind) {
    let waggle = with_source_tweets(kind, 2).await;
    let other = token(&waggle.database, &["ingest"]);
    let base = &waggle.process.base;

    let first = claim(&waggle.client, base, &waggle.token, "k-1").await.unwrap();
    let second = claim(&waggle.client, base, &other, "k-1").await.unwrap();
    let reader = token(&waggle.database, &["read"]);
    let path = "/api/v1/source-tweets/claim";
    let refused = waggle.request(Method::POST, path).bearer_auth(&reader);
    let refused = refused.header("idempotency-key", "k-1");
    let refused = answer(refused.json(&json!({ "limit": 1, "lease_seconds": 3_600 }))).await;

    assert_ne!(first, second);
    assert_eq!(refused.status, 403);
}

on_both! {
    calls_with_one_key_at_the_same_time_are_one_call,
    a_call_that_a_kill_interrupts_is_made_once,
    keys_belong_to_their_caller,
}
