//! Outcomes of the operations on source tweets, and of the sandbox.

use expect_test::expect;
use serde_json::json;

use super::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn source_tweets_are_listed() {
    let server = Server::empty().await;

    let said = server.call("GET /source-tweets").said().await;

    expect![[r#"200 {"items":[],"next_cursor":null}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn totals_are_shown() {
    let server = Server::empty().await;

    let said = server.call("GET /source-tweets/totals").said().await;

    expect![[r#"200 {"tweets":0,"likes":0,"retweets":0,"views":0,"executions":0}"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unknown_parameter_is_refused() {
    let server = Server::empty().await;

    let said = server.call("GET /source-tweets?serch=x").said().await;

    expect![[r#"
        400 the parameter 'serch' is unknown; known parameters are search, tweet_id,
        execution_id, date_from, date_before, status, min_likes, min_retweets, min_views,
        is_processed, lapsed, campaign_batch_id, sort, order, limit, cursor"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_source_tweet_that_does_not_exist_is_not_found() {
    let server = Server::empty().await;

    let said = server.call("GET /source-tweets/1").said().await;

    expect![[r#"404 there is no such source tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_source_tweet_that_does_not_exist_cannot_be_deleted() {
    let server = Server::empty().await;

    let said = server.call("DELETE /source-tweets/1").said().await;

    expect![[r#"404 there is no such source tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn source_tweets_that_do_not_exist_cannot_be_deleted() {
    let server = Server::empty().await;

    let said =
        server.call("POST /source-tweets/bulk-delete").body(json!({ "ids": [1, 2] })).said().await;

    expect![[r#"404 there is no such source tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_list_of_no_ids_is_refused() {
    let server = Server::empty().await;

    let said =
        server.call("POST /source-tweets/bulk-delete").body(json!({ "ids": [] })).said().await;

    expect![[r#"422 'ids' must not be empty"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_claim_of_an_empty_queue_finds_nothing() {
    let server = Server::empty().await;

    let said = server
        .call("POST /source-tweets/claim")
        .body(json!({ "limit": 5, "lease_seconds": 60 }))
        .finding_nothing()
        .said()
        .await;

    expect![[r#"200 {"lease":"<random>","leased_until":"<time>","items":[]}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lease_that_is_too_long_is_refused() {
    let server = Server::empty().await;

    let said = server
        .call("POST /source-tweets/claim")
        .body(json!({ "limit": 5, "lease_seconds": 100_000 }))
        .said()
        .await;

    expect![[r#"422 'lease_seconds' must be a whole number from 1 to 86400"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lease_that_is_not_held_is_not_acknowledged() {
    let server = Server::empty().await;

    let said = server
        .call("POST /source-tweets/acknowledge")
        .body(json!({ "lease": "l", "ids": [1] }))
        .said()
        .await;

    expect![[r#"409 the lease holds none of these tweets; it may have expired"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lease_that_is_not_held_is_not_released() {
    let server = Server::empty().await;

    let said = server
        .call("POST /source-tweets/release")
        .body(json!({ "lease": "l", "ids": [1] }))
        .said()
        .await;

    expect![[r#"409 the lease holds none of these tweets; it may have expired"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_timeline_of_the_sandbox_is_shown() {
    let server = Server::empty().await;

    let said = server.call("GET /sandbox/timeline").said().await;

    expect![[r#"200 {"items":[]}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_source_tweet_is_shown() {
    let server = Server::with_source_tweet().await;

    let said = server.call("GET /source-tweets/1").said().await;

    expect![[r#"
        200 {"id":1,"tweet_id":"19","url":"","tweet_url":"","content":"Hi","likes":0,
        "retweets":0,"replies":0,"quotes":0,"views":0,"total_engagement":0,"date":"<time>",
        "date_raw":"<time>","status":"success","execution_id":"e-1","source_url":"unknown",
        "received_from":"token:1:test","unauthenticated":false,"is_processed":false,
        "leased_until":"<time>","offers":1,"processed_at":"<time>","refreshed_at":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn source_tweets_are_exported() {
    let server = Server::with_source_tweet().await;

    let said = server.call("GET /source-tweets/export?format=jsonl").said().await;

    expect![[r#"
        200 {"id":1,"tweet_id":"19","url":"","tweet_url":"","content":"Hi","likes":0,
        "retweets":0,"replies":0,"quotes":0,"views":0,"total_engagement":0,"date":"<time>",
        "date_raw":"<time>","status":"success","execution_id":"e-1","source_url":"unknown",
        "unauthenticated":false,"is_processed":false,"processed_at":"<time>"}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_source_tweet_is_deleted() {
    let server = Server::with_source_tweet().await;

    let said = server.call("DELETE /source-tweets/1").said().await;

    expect![[r#"200 {"deleted_count":1,"deleted_tweet_ids":["19"]}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn several_source_tweets_are_deleted() {
    let server = Server::with_source_tweet().await;

    let said =
        server.call("POST /source-tweets/bulk-delete").body(json!({ "ids": [1, 2] })).said().await;

    expect![[r#"200 {"deleted_count":1,"deleted_tweet_ids":["19"]}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lease_is_acknowledged() {
    let server = Server::with_source_tweet().await;
    let claim = json!({ "limit": 1, "lease_seconds": 60 });
    let claimed = server.call("POST /source-tweets/claim").body(claim).ok().await;

    let said = server
        .call("POST /source-tweets/acknowledge")
        .body(json!({ "lease": claimed["lease"], "ids": [1] }))
        .said()
        .await;

    expect![[r#"200 {"count":1}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lease_is_released() {
    let server = Server::with_source_tweet().await;
    let claim = json!({ "limit": 1, "lease_seconds": 60 });
    let claimed = server.call("POST /source-tweets/claim").body(claim).ok().await;

    let said = server
        .call("POST /source-tweets/release")
        .body(json!({ "lease": claimed["lease"], "ids": [1] }))
        .said()
        .await;

    expect![[r#"200 {"count":1}"#]].assert_eq(&said);
}
