//! Calls with an `Idempotency-Key`.

use chrono::TimeDelta;
use expect_test::expect;
use poem::http::StatusCode;
use serde_json::json;
use waggle_accounts::Role;

use super::{Call, Server};

/// Queues the first tweet for tomorrow.
fn publish(server: &Server) -> Call<'_> {
    let at = server.started + TimeDelta::days(1);
    let body = json!({ "platform": "sandbox", "at": at });
    server.call("POST /generated-tweets/1/publish").body(body)
}

async fn with_approved() -> Server {
    let server = Server::with_drafts().await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_repeated_call_gets_the_same_answer_and_changes_nothing() {
    let server = with_approved().await;

    let first = publish(&server).key("k-1").ok().await;
    let events = server.recorded().await;
    server.call("POST /posts/1/cancel").ok().await;
    let mut second = publish(&server).key("k-1").finding_nothing().send().await;

    assert_eq!(second.status(), StatusCode::OK);
    assert_eq!(second.content_type(), Some("application/json; charset=utf-8"));
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    let body = second.take_body().into_vec().await.unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap(), first);
    // That it was cancelled, and nothing else.
    assert_eq!(server.recorded().await, events + 2);
    assert_eq!(server.call("GET /posts/1").ok().await["status"], "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_of_another_call_is_refused() {
    let server = with_approved().await;
    publish(&server).key("k-1").ok().await;

    let other_body = publish(&server).body(json!({ "platform": "sandbox" })).key("k-1");
    let other_body = other_body.said().await;
    let other_version = publish(&server).if_match(2).key("k-1").said().await;
    let claim = json!({ "limit": 1, "lease_seconds": 60 });
    let elsewhere = server.call("POST /source-tweets/claim").body(claim).key("k-1").said().await;

    expect!["422 this Idempotency-Key was used for another call"].assert_eq(&other_body);
    assert_eq!(other_version, other_body);
    assert_eq!(elsewhere, other_body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_caller_has_its_own_keys() {
    let server = Server::with_source_tweet().await;
    let admin = server.session(Role::Admin).await;
    let claim = |session: Option<&str>| {
        let body = json!({ "limit": 1, "lease_seconds": 60 });
        let call = server.call("POST /source-tweets/claim").body(body).key("k-1").finding_nothing();
        match session {
            Some(session) => call.with_session(session),
            None => call,
        }
    };

    let of_token = claim(None).ok().await;
    let of_admin = claim(Some(&admin)).ok().await;

    assert_ne!(of_token["lease"], of_admin["lease"]);
    assert_eq!(claim(None).ok().await, of_token);
    assert_eq!(claim(Some(&admin)).ok().await, of_admin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_that_failed_can_be_made_with_its_key() {
    let server = Server::with_drafts().await;

    let refused = publish(&server).key("k-1").said().await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    let made = publish(&server).key("k-1").ok().await;

    assert!(refused.starts_with("409"), "{refused}");
    assert_eq!(made["post"]["status"], "scheduled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_user_is_created_once() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;
    let create = || {
        let body = json!({ "email": "ada@hive.example", "role": "editor" });
        server.call("POST /users").with_session(&admin).body(body).key("k-1").finding_nothing()
    };

    let first = create().ok().await;

    assert_eq!(create().ok().await, first);
    let users = server.call("GET /users").with_session(&admin).ok().await;
    assert_eq!(users["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_is_shown_once_and_not_stored() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;
    let create = || {
        let body = json!({ "name": "n8n", "scopes": ["ingest"] });
        server.call("POST /tokens").with_session(&admin).body(body).key("k-1")
    };

    let first = create().ok().await;
    let second = create().said().await;

    expect![[r#"
        409 the call with this Idempotency-Key was made before; its answer has a secret,
        which is shown once"#]]
    .assert_eq(&second);
    let tokens = server.call("GET /tokens").with_session(&admin).ok().await;
    assert_eq!(tokens["items"].as_array().unwrap().len(), 1);
    let secret = first["token"].as_str().unwrap();
    let mut stored = Vec::new();
    for end in ["", "-wal"] {
        stored.extend(std::fs::read(server.folder.join(format!("waggle.db{end}"))).unwrap());
    }
    assert!(!String::from_utf8_lossy(&stored).contains(secret));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_that_is_none_is_refused() {
    let server = with_approved().await;

    let said = publish(&server).key("").said().await;

    expect!["400 Idempotency-Key must be 1 to 255 characters of ASCII, and must be sent only once"]
        .assert_eq(&said);
}
