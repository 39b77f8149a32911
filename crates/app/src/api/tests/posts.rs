//! Outcomes of the operations on posts.

use expect_test::expect;
use serde_json::json;

use super::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn posts_are_listed() {
    let server = Server::with_post().await;

    let said = server.call("GET /posts").said().await;

    expect![[r#"
        200 {"items":[{"id":1,"platform":"sandbox","content":"One","status":"scheduled",
        "scheduled_time":"<time>","published_time":null,"due_at":"<time>","is_held":false,
        "platform_post_id":"","url":"","public":[],"attempts":0,"last_error":null,
        "approved_hash":"870a975aa02aba0d7c6455960c9ebeebdd80695627ac11abaef7f69b14a17f39",
        "approved_by":"token:1:test","approved_at":"<time>","likes":0,"shares":0,
        "comments":0,"views":0,"hashtags":[],"mentions":[],"media_urls":[],
        "twitter":{"reply_to_tweet_id":"","quoted_tweet_id":"","is_thread":false,
        "thread_position":0,"retweets":0,"quote_tweets":0,"bookmarks":0,"impressions":0,
        "generated_tweet_id":1,"campaign_batch_id":1,"brand_alignment_score":null,
        "audience_target":"generated","coophive_elements":[]},"created_at":"<time>",
        "updated_at":"<time>","version":1}],"next_cursor":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_status_that_does_not_exist_is_refused() {
    let server = Server::empty().await;

    let said = server.call("GET /posts?status=gone").said().await;

    expect![[r#"
        400 the parameter 'status' must be one of scheduled, publishing, published, failed,
        unknown, missed, cancelled"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_limit_out_of_bounds_is_refused() {
    let server = Server::empty().await;

    let said = server.call("GET /posts?limit=201").said().await;

    expect![[r#"422 the parameter 'limit' must be a whole number from 1 to 200"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_post_is_shown() {
    let server = Server::with_post().await;

    let said = server.call("GET /posts/1").said().await;

    expect![[r#"
        200 {"id":1,"platform":"sandbox","content":"One","status":"scheduled",
        "scheduled_time":"<time>","published_time":null,"due_at":"<time>","is_held":false,
        "platform_post_id":"","url":"","public":[],"attempts":0,"last_error":null,
        "approved_hash":"870a975aa02aba0d7c6455960c9ebeebdd80695627ac11abaef7f69b14a17f39",
        "approved_by":"token:1:test","approved_at":"<time>","likes":0,"shares":0,
        "comments":0,"views":0,"hashtags":[],"mentions":[],"media_urls":[],
        "twitter":{"reply_to_tweet_id":"","quoted_tweet_id":"","is_thread":false,
        "thread_position":0,"retweets":0,"quote_tweets":0,"bookmarks":0,"impressions":0,
        "generated_tweet_id":1,"campaign_batch_id":1,"brand_alignment_score":null,
        "audience_target":"generated","coophive_elements":[]},"created_at":"<time>",
        "updated_at":"<time>","version":1}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_post_that_does_not_exist_is_not_found() {
    let server = Server::empty().await;

    let said = server.call("GET /posts/1").said().await;

    expect![[r#"404 there is no such post"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn deliveries_are_listed() {
    let server = Server::with_post().await;

    let said = server.call("GET /posts/1/deliveries").said().await;

    expect![[r#"200 {"items":[]}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn deliveries_of_a_post_that_does_not_exist_are_not_found() {
    let server = Server::empty().await;

    let said = server.call("GET /posts/1/deliveries").said().await;

    expect![[r#"404 there is no such post"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_waiting_post_is_cancelled() {
    let server = Server::with_post().await;

    let said = server.call("POST /posts/1/cancel").said().await;

    expect![[r#"
        200 {"id":1,"platform":"sandbox","content":"One","status":"cancelled",
        "scheduled_time":"<time>","published_time":null,"due_at":null,"is_held":false,
        "platform_post_id":"","url":"","public":[],"attempts":0,"last_error":"cancelled by
        token:1:test",
        "approved_hash":"870a975aa02aba0d7c6455960c9ebeebdd80695627ac11abaef7f69b14a17f39",
        "approved_by":"token:1:test","approved_at":"<time>","likes":0,"shares":0,
        "comments":0,"views":0,"hashtags":[],"mentions":[],"media_urls":[],
        "twitter":{"reply_to_tweet_id":"","quoted_tweet_id":"","is_thread":false,
        "thread_position":0,"retweets":0,"quote_tweets":0,"bookmarks":0,"impressions":0,
        "generated_tweet_id":1,"campaign_batch_id":1,"brand_alignment_score":null,
        "audience_target":"generated","coophive_elements":[]},"created_at":"<time>",
        "updated_at":"<time>","version":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_post_that_does_not_exist_cannot_be_cancelled() {
    let server = Server::empty().await;

    let said = server.call("POST /posts/1/cancel").said().await;

    expect![[r#"404 there is no such post"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_post_that_has_changed_is_not_cancelled() {
    let server = Server::with_post().await;

    let said = server.call("POST /posts/1/cancel").if_match(99).said().await;

    expect![[r#"409 the post has changed since you read it; read it again"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_waiting_post_cannot_be_resolved() {
    let server = Server::with_post().await;

    let said =
        server.call("POST /posts/1/resolve").body(json!({ "published": false })).said().await;

    expect![[r#"409 cannot resolve the post: its status is scheduled, not unknown"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_resolution_must_say_whether_the_post_is_published() {
    let server = Server::with_post().await;

    let said = server.call("POST /posts/1/resolve").body(json!({})).said().await;

    expect![[r#"400 'published' is missing"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_post_that_does_not_exist_cannot_be_resolved() {
    let server = Server::empty().await;

    let said =
        server.call("POST /posts/1/resolve").body(json!({ "published": false })).said().await;

    expect![[r#"404 there is no such post"#]].assert_eq(&said);
}
