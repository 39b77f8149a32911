//! Outcomes of the operations on API tokens.

use expect_test::expect;
use serde_json::json;
use waggle_accounts::Role;

use super::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn own_tokens_are_listed() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("GET /tokens").with_session(&admin).said().await;

    expect![[r#"200 {"items":[]}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_cannot_list_tokens() {
    let server = Server::empty().await;

    let said = server.call("GET /tokens").said().await;

    expect![[r#"403 this operation is for signed-in users, not for API tokens"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_needs_a_scope() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("POST /tokens")
        .with_session(&admin)
        .body(json!({ "name": "n8n", "scopes": [] }))
        .said()
        .await;

    expect![[r#"422 a token needs at least one scope"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_needs_a_name() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("POST /tokens")
        .with_session(&admin)
        .body(json!({ "name": "", "scopes": ["ingest"] }))
        .said()
        .await;

    expect![[r#"422 the name of a token cannot be empty"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unknown_scope_is_refused() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("POST /tokens")
        .with_session(&admin)
        .body(json!({ "name": "n8n", "scopes": ["root"] }))
        .said()
        .await;

    expect![[r#"400 'scopes[0]' must be one of ingest, read, write, approve, publish, admin"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_that_does_not_exist_cannot_be_revoked() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("DELETE /tokens/0123456789ab").with_session(&admin).said().await;

    expect![[r#"404 there is no active token with this id"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_of_others_that_does_not_exist_cannot_be_revoked() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("DELETE /users/tokens/0123456789ab").with_session(&admin).said().await;

    expect![[r#"404 there is no active token with this id"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_is_created() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("POST /tokens")
        .with_session(&admin)
        .body(json!({ "name": "n8n", "scopes": ["ingest"] }))
        .said()
        .await;

    expect![[r#"
        200 {"id":"<random>","name":"n8n","scopes":["ingest"],"expires_at":null,
        "token":"<random>"}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_own_token_is_revoked() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;
    let wanted = json!({ "name": "n8n", "scopes": ["ingest"] });
    let created = server.call("POST /tokens").with_session(&admin).body(wanted).ok().await;
    let path = format!("DELETE /tokens/{}", created["id"].as_str().unwrap());

    let said = server.call(&path).with_session(&admin).said().await;

    expect![[r#"200 {"message":"the token was revoked"}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_of_another_user_is_revoked_by_an_admin() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;
    let listed = server.call("GET /users/tokens").with_session(&admin).ok().await;
    let path = format!("DELETE /users/tokens/{}", listed["items"][0]["id"].as_str().unwrap());

    let said = server.call(&path).with_session(&admin).said().await;

    expect![[r#"200 {"message":"the token was revoked"}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_tokens_are_listed() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("GET /users/tokens").with_session(&admin).said().await;

    expect![[r#"
        200 {"items":[{"id":"<random>","name":"test","user_id":null,"username":null,
        "scopes":["admin"],"unusable_scopes":[],"created_at":"<time>","expires_at":null,
        "revoked_at":null,"last_used_at":null}]}"#]]
    .assert_eq(&said);
}
