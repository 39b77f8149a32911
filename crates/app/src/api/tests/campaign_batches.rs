//! Outcomes of the operations on campaign batches.

use expect_test::expect;
use serde_json::json;

use super::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn batches_are_listed() {
    let server = Server::with_drafts().await;

    let said = server.call("GET /campaign-batches").said().await;

    expect![[r#"
        200 {"items":[{"id":1,"batch_id":"b-1","claimed_batch_id":"b-1","title":"Generated
        Content","description":"","status":"Draft","status_counts":{"total":2,
        "brand_aligned":2,"draft":0,"approved":0,"posted":0,"rejected":0,"deleted":0},
        "brand_alignment_score":null,"analysis_summary":{},"total_tweets":0,
        "ready_for_deployment":0,"source_type":"multi_agent_automation","generated_at":null,
        "execution_id":null,"received_from":"token:1:test","unauthenticated":false,
        "created_at":"<time>","deleted_at":null,"version":1}],"next_cursor":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_is_shown() {
    let server = Server::with_drafts().await;

    let said = server.call("GET /campaign-batches/1").said().await;

    expect![[r#"
        200 {"id":1,"batch_id":"b-1","claimed_batch_id":"b-1","title":"Generated Content",
        "description":"","status":"Draft","status_counts":{"total":2,"brand_aligned":2,
        "draft":0,"approved":0,"posted":0,"rejected":0,"deleted":0},
        "brand_alignment_score":null,"analysis_summary":{},"total_tweets":0,
        "ready_for_deployment":0,"source_type":"multi_agent_automation","generated_at":null,
        "execution_id":null,"received_from":"token:1:test","unauthenticated":false,
        "created_at":"<time>","deleted_at":null,"version":1,"source_tweet_ids":[]}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_that_does_not_exist_is_not_found() {
    let server = Server::empty().await;

    let said = server.call("GET /campaign-batches/1").said().await;

    expect![[r#"404 there is no such campaign batch"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_id_that_is_not_a_number_is_refused() {
    let server = Server::empty().await;

    let said = server.call("GET /campaign-batches/one").said().await;

    expect![[r#"400 the parameter 'id' must be a whole number"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_is_renamed() {
    let server = Server::with_drafts().await;

    let said = server
        .call("PATCH /campaign-batches/1")
        .if_match(1)
        .body(json!({ "title": "Spring" }))
        .said()
        .await;

    expect![[r#"
        200 {"id":1,"batch_id":"b-1","claimed_batch_id":"b-1","title":"Spring",
        "description":"","status":"Draft","status_counts":{"total":2,"brand_aligned":2,
        "draft":0,"approved":0,"posted":0,"rejected":0,"deleted":0},
        "brand_alignment_score":null,"analysis_summary":{},"total_tweets":0,
        "ready_for_deployment":0,"source_type":"multi_agent_automation","generated_at":null,
        "execution_id":null,"received_from":"token:1:test","unauthenticated":false,
        "created_at":"<time>","deleted_at":null,"version":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_needs_a_title() {
    let server = Server::with_drafts().await;

    let said = server.call("PATCH /campaign-batches/1").body(json!({ "title": " " })).said().await;

    expect![[r#"422 the title is empty"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_that_has_changed_is_not_renamed() {
    let server = Server::with_drafts().await;

    let said = server
        .call("PATCH /campaign-batches/1")
        .if_match(99)
        .body(json!({ "title": "Spring" }))
        .said()
        .await;

    expect![[r#"409 the batch has changed since you read it; its version is now 1"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_that_does_not_exist_cannot_be_renamed() {
    let server = Server::empty().await;

    let said =
        server.call("PATCH /campaign-batches/1").body(json!({ "title": "Spring" })).said().await;

    expect![[r#"404 there is no such campaign batch"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_is_deleted() {
    let server = Server::with_drafts().await;

    let said = server.call("DELETE /campaign-batches/1").said().await;

    expect![[r#"
        200 {"id":1,"batch_id":"b-1","claimed_batch_id":"b-1","title":"Generated Content",
        "description":"","status":"Draft","status_counts":{"total":2,"brand_aligned":2,
        "draft":0,"approved":0,"posted":0,"rejected":0,"deleted":0},
        "brand_alignment_score":null,"analysis_summary":{},"total_tweets":0,
        "ready_for_deployment":0,"source_type":"multi_agent_automation","generated_at":null,
        "execution_id":null,"received_from":"token:1:test","unauthenticated":false,
        "created_at":"<time>","deleted_at":"<time>","version":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_that_has_changed_is_not_deleted() {
    let server = Server::with_drafts().await;

    let said = server.call("DELETE /campaign-batches/1").if_match(99).said().await;

    expect![[r#"409 the batch has changed since you read it; its version is now 1"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_that_does_not_exist_cannot_be_deleted() {
    let server = Server::empty().await;

    let said = server.call("DELETE /campaign-batches/1").said().await;

    expect![[r#"404 there is no such campaign batch"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deleted_batch_is_restored() {
    let server = Server::with_drafts().await;
    server.call("DELETE /campaign-batches/1").ok().await;

    let said = server.call("POST /campaign-batches/1/restore").said().await;

    expect![[r#"
        200 {"id":1,"batch_id":"b-1","claimed_batch_id":"b-1","title":"Generated Content",
        "description":"","status":"Draft","status_counts":{"total":2,"brand_aligned":2,
        "draft":0,"approved":0,"posted":0,"rejected":0,"deleted":0},
        "brand_alignment_score":null,"analysis_summary":{},"total_tweets":0,
        "ready_for_deployment":0,"source_type":"multi_agent_automation","generated_at":null,
        "execution_id":null,"received_from":"token:1:test","unauthenticated":false,
        "created_at":"<time>","deleted_at":null,"version":3}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_that_does_not_exist_cannot_be_restored() {
    let server = Server::empty().await;

    let said = server.call("POST /campaign-batches/1/restore").said().await;

    expect![[r#"404 there is no such campaign batch"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_that_has_changed_is_not_restored() {
    let server = Server::with_drafts().await;

    let said = server.call("POST /campaign-batches/1/restore").if_match(99).said().await;

    expect![[r#"409 the batch has changed since you read it; its version is now 1"#]]
        .assert_eq(&said);
}
