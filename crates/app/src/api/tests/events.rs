//! Outcomes of the operations on events.

use expect_test::expect;
use serde_json::{Value, json};
use waggle_accounts::Role;

use super::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_are_listed() {
    let server = Server::with_drafts().await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    let session = server.session(Role::Admin).await;

    let said = server
        .call("GET /events?object_kind=generated_tweet&object_id=1")
        .with_session(&session)
        .said()
        .await;

    expect![[r#"
        200 {"items":[{"position":4,"kind":"tweet.approved","object_kind":"generated_tweet",
        "object_id":"1","version":2,"actor":"token:1","user_id":null,
        "request_id":"<random>","at":"<time>","change":{"from":"Brand Aligned",
        "to":"Approved","batch":1,"tweet_id":"t-1","before":{"status":"Brand Aligned",
        "approved_at":null,"approved_hash":null},"after":{"status":"Approved",
        "approved_at":"<time>",
        "approved_hash":"870a975aa02aba0d7c6455960c9ebeebdd80695627ac11abaef7f69b14a17f39"}},
        "personal":{"actor":"token:1:test","note":"sha256
        870a975aa02aba0d7c6455960c9ebeebdd80695627ac11abaef7f69b14a17f39"}}],
        "next_cursor":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_object_id_without_a_kind_is_refused() {
    let server = Server::empty().await;
    let session = server.session(Role::Admin).await;

    let said = server.call("GET /events?object_id=1").with_session(&session).said().await;

    expect!["422 object_id needs object_kind"].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_are_for_admins() {
    let server = Server::empty().await;
    let session = server.session(Role::Approver).await;

    let said = server.call("GET /events").with_session(&session).said().await;

    expect![[r#"
        403 this operation needs the scope 'admin', which the API token or the role does
        not have"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_are_not_for_tokens() {
    let server = Server::empty().await;

    let said = server.call("GET /events").said().await;

    expect!["403 this operation is for signed-in users, not for API tokens"].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_export_has_the_events_of_the_filter_and_is_recorded() {
    let server = Server::with_drafts().await;
    let session = server.session(Role::Admin).await;
    server.call("POST /generated-tweets/1/reject").ok().await;
    let path = "GET /events/export?object_kind=generated_tweet&format=";

    let mut csv = server.call(&format!("{path}csv")).with_session(&session).send().await;
    let lines = server.call(&format!("{path}jsonl")).with_session(&session).ok().await;

    let csv = csv.take_body().into_string().await.unwrap();
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 2, "{csv}");
    assert!(rows[0].starts_with("Position,Time,Event,Object,"), "{csv}");
    assert!(rows[1].contains(",tweet.rejected,generated_tweet,1,2,token:1,"), "{csv}");
    assert_eq!(lines["kind"], "tweet.rejected");
    let exports = server.call("GET /events?kind=user.auth_events_exported").with_session(&session);
    assert_eq!(exports.ok().await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn personal_data_of_events_is_redacted() {
    let server = Server::with_drafts().await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    let session = server.session(Role::Admin).await;
    let body = json!({ "positions": [4, 4, 1000], "reason": "asked" });

    let said = server.call("POST /events/redact").with_session(&session).body(body).said().await;

    expect![[r#"200 {"redacted":1}"#]].assert_eq(&said);
    let events = server.call("GET /events?object_kind=generated_tweet").with_session(&session);
    let event = events.ok().await["items"][0].take();
    assert_eq!((&event["position"], &event["personal"]), (&json!(4), &json!(null)));
    let events = server.call("GET /events?kind=events.redacted").with_session(&session);
    let event = events.ok().await["items"][0].take();
    assert_eq!(event["change"], json!({ "positions": [[4, 4]] }));
    assert_eq!(event["personal"]["reason"], "asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_user_is_forgotten() {
    let server = Server::empty().await;
    server.session(Role::Viewer).await;
    let session = server.session(Role::Admin).await;
    let body = json!({ "user_id": 1 });

    server.call("POST /events/redact").with_session(&session).body(body).ok().await;

    let events = server.call("GET /events?user_id=1").with_session(&session).ok().await;
    let events = events["items"].as_array().unwrap();
    assert!(events.len() > 1);
    assert!(events.iter().all(|event| event["personal"].is_null()), "{events:?}");
    let others = server.call("GET /events?user_id=2").with_session(&session).ok().await;
    assert!(others["items"][0]["personal"]["email"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_redaction_that_selects_nothing_or_too_much_is_refused() {
    let server = Server::empty().await;
    let session = server.session(Role::Admin).await;
    let said = async |body: Value| {
        server.call("POST /events/redact").with_session(&session).body(body).said().await
    };

    let either = "422 send either positions or user_id";
    assert_eq!(said(json!({})).await, either);
    assert_eq!(said(json!({ "positions": [1], "user_id": 1 })).await, either);
    expect!["422 'positions' must not be empty"].assert_eq(&said(json!({ "positions": [] })).await);
    expect!["422 'positions' has more than 200 entries"]
        .assert_eq(&said(json!({ "positions": vec![1; 201] })).await);
    expect!["400 'positions[0]' must be a whole number"]
        .assert_eq(&said(json!({ "positions": ["1"] })).await);
    let long = json!({ "user_id": 1, "reason": "x".repeat(501) });
    expect!["422 reason is longer than 500 characters"].assert_eq(&said(long).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn only_admins_who_are_signed_in_redact() {
    let server = Server::with_drafts().await;
    let session = server.session(Role::Approver).await;
    let call = || server.call("POST /events/redact").body(json!({ "positions": [1] }));

    let by_token = call().said().await;
    let by_approver = call().with_session(&session).said().await;

    expect!["403 this operation is for signed-in users, not for API tokens"].assert_eq(&by_token);
    expect![[r#"
        403 this operation needs the scope 'admin', which the API token or the role does
        not have"#]]
    .assert_eq(&by_approver);
}
