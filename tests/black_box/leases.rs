//! Tests of the leases of source tweets: a run that dies between its two calls loses none of them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database::Kind;
use crate::n8n::{CHECK, RECEIVE, item, new_ids, report};
use crate::process::token;
use crate::{Waggle, answer, on_both};

const ONE_SECOND: [(&str, &str); 1] = [("SOURCE_TWEET_LEASE_SECONDS", "1")];

async fn count(waggle: &Waggle, query: &str) -> i64 {
    let path = format!("/api/v1/source-tweets/totals?{query}");
    waggle.get(&path).await.ok()["tweets"].as_i64().unwrap()
}

/// Waits until all leases have expired.
pub(crate) async fn until_lapsed(waggle: &Waggle) {
    waggle
        .until("/api/v1/source-tweets?is_processed=false", |list| {
            list["items"].as_array().unwrap().iter().all(|tweet| {
                let until = tweet["leased_until"].as_str().unwrap_or_default();
                let until = until.parse::<chrono::DateTime<chrono::Utc>>();
                until.is_ok_and(|until| until < chrono::Utc::now())
            })
        })
        .await;
}

fn batch(name: &str) -> Value {
    json!({ "campaign_batch": name, "tweets": [{ "id": "t", "content": name }] })
}

async fn a_run_that_dies_between_its_calls_loses_no_tweet(kind: Kind) {
    let waggle = Waggle::with(kind, &ONE_SECOND).await;
    let first = waggle.post(CHECK, report("run-1", vec![item(1), item(2)])).await.ok();
    assert_eq!(first["summary"]["offered_again"], 0);

    until_lapsed(&waggle).await;
    let second = waggle.post(CHECK, report("run-2", vec![item(1), item(2), item(3)])).await.ok();

    assert_eq!(new_ids(&second), ["1", "2", "3"]);
    assert_eq!(second["summary"]["offered_again"], 2);
    assert_eq!(second["summary"]["new_tweets_found"], 3);
    // The batch of the second run takes all of its tweets; the first run has none left.
    let made = json!({
        "campaign_batch": "b", "execution_id": "run-2",
        "tweets": [{ "id": "t", "content": "x" }],
    });
    assert_eq!(waggle.post(RECEIVE, made).await.ok()["processed_source_tweets"], 3);
    let third = waggle.post(CHECK, report("run-3", vec![item(1), item(2), item(3)])).await.ok();
    assert_eq!(new_ids(&third), Vec::<String>::new());
    assert_eq!(count(&waggle, "lapsed=true").await, 0);
}

async fn lapsed_tweets_can_be_counted(kind: Kind) {
    let mut settings = ONE_SECOND.to_vec();
    settings.push(("SOURCE_TWEET_OFFERS", "1"));
    let waggle = Waggle::with(kind, &settings).await;
    waggle.post(CHECK, report("run-1", vec![item(1), item(2)])).await.ok();
    assert_eq!(count(&waggle, "lapsed=false").await, 2);

    until_lapsed(&waggle).await;

    let again = waggle.post(CHECK, report("run-2", vec![item(1)])).await.ok();
    assert_eq!(again["data"]["duplicate_ids"], json!(["1"]));
    assert_eq!(count(&waggle, "lapsed=true").await, 2);
    assert_eq!(count(&waggle, "lapsed=false").await, 0);
    let list = waggle.get("/api/v1/source-tweets?lapsed=true").await.ok();
    assert_eq!(list["items"][0]["offers"], 1);
    // The run that the tweets were offered to can still finish them, late.
    let late = json!({ "execution_id": "run-1", "done": true });
    assert_eq!(waggle.post(RECEIVE, late).await.ok()["processed_source_tweets"], 2);
    assert_eq!(count(&waggle, "lapsed=true").await, 0);
}

/// The existing workflow: its first call has a credential, and its second call has none and names
/// no run.
async fn a_batch_without_a_run_ends_the_runs_of_its_address(kind: Kind) {
    let settings = [("TRUSTED_INGEST_NETWORKS", "127.0.0.0/8")];
    let waggle = Waggle::with(kind, &settings).await;
    let ingest = token(&waggle.database, &["ingest"]);
    let check = async |run: &str, id: i64| {
        let body = report(run, vec![item(id)]);
        let request = waggle.request(Method::POST, CHECK).bearer_auth(&ingest).json(&body);
        answer(request).await.ok()
    };
    let receive =
        async |body: Value| answer(waggle.request(Method::POST, RECEIVE).json(&body)).await.ok();

    check("run-1", 1).await;
    let one = receive(batch("b-1")).await;
    check("run-2", 2).await;
    check("run-3", 3).await;
    let several = receive(batch("b-2")).await;
    let repeated = receive(batch("b-2")).await;

    assert_eq!((&one["processed_source_tweets"], &one["warnings"]), (&json!(1), &Value::Null));
    assert_eq!(several["processed_source_tweets"], 2);
    assert!(several["warnings"].to_string().contains("2 open runs"), "{several}");
    assert_eq!(repeated["processed_source_tweets"], 0);
    assert_eq!(count(&waggle, "is_processed=false").await, 0);
}

/// Neither an unreadable name nor the batch of another token may end the runs of others.
async fn a_batch_without_a_readable_run_ends_no_run_of_others(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let other = token(&waggle.database, &["ingest"]);
    waggle.post(CHECK, report("run-1", vec![item(1)])).await.ok();

    let request = waggle.request(Method::POST, RECEIVE).bearer_auth(&other).json(&batch("other"));
    assert_eq!(answer(request).await.ok()["processed_source_tweets"], 0);
    for name in [json!(["run-1"]), json!("x".repeat(300)), json!("{{ $execution.id }}")] {
        let done = json!({ "execution_id": name, "done": true });
        let refused = waggle.post(RECEIVE, done).await.refused(422);
        assert!(refused["message"].as_str().unwrap().contains("does not name a run"), "{refused}");
        let failed = json!({ "execution_id": name, "error": true });
        let refused = waggle.post(RECEIVE, failed).await.refused(422);
        assert!(refused["message"].as_str().unwrap().contains("no run was ended"), "{refused}");
    }
    for (member, value) in [
        ("execution_id", json!(["run-1"])),
        ("source_tweet_ids", json!([1_955_939_434_343_434_240_u64])),
    ] {
        let mut unreadable = batch(member);
        unreadable[member] = value;
        let answer = waggle.post(RECEIVE, unreadable).await.ok();
        assert_eq!(answer["processed_source_tweets"], 0, "{answer}");
        assert_eq!(answer["warning_count"], 1, "{answer}");
    }
    let mut foreign = batch("foreign");
    foreign["source_tweet_ids"] = json!(["999", "999"]);
    let warned = waggle.post(RECEIVE, foreign).await.ok();
    let warning = warned["warnings"][0]["message"].as_str().unwrap().to_owned();
    assert!(warning.starts_with("1 of the source_tweet_ids"), "{warned}");

    assert_eq!(count(&waggle, "is_processed=false").await, 1);
    // This call can also name the run in the header.
    waggle.post(CHECK, report("run-2", vec![item(2)])).await.ok();
    let named = waggle.request(Method::POST, RECEIVE).header("X-Execution-ID", "run-2");
    let named = answer(named.bearer_auth(&waggle.token).json(&batch("named"))).await.ok();
    assert_eq!(named["processed_source_tweets"], 1);
    assert_eq!(count(&waggle, "is_processed=false").await, 1);
}

async fn an_agent_can_finish_without_drafts_or_release_its_tweets(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    waggle.post(CHECK, report("done", vec![item(1)])).await.ok();
    waggle.post(CHECK, report("failed", vec![item(2)])).await.ok();
    waggle.post(CHECK, report("other", vec![item(3)])).await.ok();

    let done = waggle.post(RECEIVE, json!({ "execution_id": "done", "done": true })).await.ok();
    let error = json!({ "execution_id": "failed", "error": true, "message": "LLM said no" });
    let failed = waggle.post(RECEIVE, error).await.refused(422);
    let again = waggle.post(CHECK, report("next", vec![item(1), item(2), item(3)])).await.ok();

    assert_eq!(done["processed_source_tweets"], 1);
    assert_eq!(failed["released_source_tweets"], 1);
    assert!(failed["message"].as_str().unwrap().contains("LLM said no"), "{failed}");
    assert_eq!(new_ids(&again), ["2"]);
    assert_eq!(again["summary"]["offered_again"], 1);
    // Without a name, all open runs of this caller are meant: "other" and "next".
    let all = waggle.post(RECEIVE, json!({ "error": "timeout" })).await.refused(422);
    assert_eq!(all["released_source_tweets"], 2);
    let nothing = waggle.post(RECEIVE, json!({ "done": true })).await.ok();
    assert_eq!(nothing["processed_source_tweets"], 0);
    let unknown = batch("x");
    let mut unknown = unknown;
    unknown["execution_id"] = json!("nobody");
    let unknown = waggle.post(RECEIVE, unknown).await.ok();
    assert!(unknown["warnings"].to_string().contains("nobody"), "{unknown}");
}

on_both! {
    a_batch_without_a_readable_run_ends_no_run_of_others,
    a_run_that_dies_between_its_calls_loses_no_tweet,
    lapsed_tweets_can_be_counted,
    a_batch_without_a_run_ends_the_runs_of_its_address,
    an_agent_can_finish_without_drafts_or_release_its_tweets,
}
