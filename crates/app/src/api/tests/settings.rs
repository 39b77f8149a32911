//! Outcomes of the operations on settings.

use expect_test::expect;
use serde_json::{Value, json};
use waggle_accounts::Role;

use super::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_setting_is_shown() {
    let server = Server::empty().await;

    let said = server.call("GET /settings/PUBLISH_AT_ONCE").said().await;

    expect![[r#"
        200 {"key":"PUBLISH_AT_ONCE","group":"publishing","type":"integer",
        "schema":{"type":"integer","minimum":1,"maximum":200},"description":"How many posts
        one process delivers at the same time.","environment":"PUBLISH_AT_ONCE",
        "is_secret":false,"is_set":true,"value":8,"default":8,"last4":null,
        "source":"default","version":0,"updated_at":null,"updated_by":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_setting_that_does_not_exist_is_not_found() {
    let server = Server::empty().await;

    let said = server.call("GET /settings/PUBLISH_AT_TWICE").said().await;

    expect![[r#"
        404 there is no setting 'PUBLISH_AT_TWICE'; keys of custom settings begin with
        'custom.'"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn settings_of_an_unknown_group_are_refused() {
    let server = Server::empty().await;

    let said = server.call("GET /settings?group=none").said().await;

    expect![[r#"
        400 the parameter 'group' must be one of ingest, http, publishing, x, sandbox, mail,
         google, sessions, access, legacy, custom"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_setting_is_set() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PUT /settings/PUBLISH_AT_ONCE")
        .with_session(&admin)
        .body(json!({ "value": 3 }))
        .said()
        .await;

    expect![[r#"
        200 {"key":"PUBLISH_AT_ONCE","group":"publishing","type":"integer",
        "schema":{"type":"integer","minimum":1,"maximum":200},"description":"How many posts
        one process delivers at the same time.","environment":"PUBLISH_AT_ONCE",
        "is_secret":false,"is_set":true,"value":3,"default":8,"last4":null,
        "source":"database","version":3,"change":3,"updated_at":"<time>",
        "updated_by":"user:1:admin"}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_invalid_value_is_refused() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PUT /settings/PUBLISH_AT_ONCE")
        .with_session(&admin)
        .body(json!({ "value": "many" }))
        .said()
        .await;

    expect![[r#"422 PUBLISH_AT_ONCE must be a whole number from 1 to 200"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_blank_value_is_refused() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PUT /settings/PUBLISH_AT_ONCE")
        .with_session(&admin)
        .body(json!({ "value": " " }))
        .said()
        .await;

    expect![[r#"422 value is missing; use DELETE to remove a value"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_setting_that_has_changed_is_not_set() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PUT /settings/PUBLISH_AT_ONCE")
        .with_session(&admin)
        .if_match(99)
        .body(json!({ "value": 3 }))
        .said()
        .await;

    expect![[r#"409 PUBLISH_AT_ONCE has been changed: its version is now 0"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_setting_that_does_not_exist_cannot_be_set() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PUT /settings/PUBLISH_AT_TWICE")
        .with_session(&admin)
        .body(json!({ "value": 3 }))
        .said()
        .await;

    expect![[r#"
        404 there is no setting 'PUBLISH_AT_TWICE'; keys of custom settings begin with
        'custom.'"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_cannot_set_a_setting() {
    let server = Server::empty().await;

    let said =
        server.call("PUT /settings/PUBLISH_AT_ONCE").body(json!({ "value": 3 })).said().await;

    expect![[r#"403 this operation is for signed-in users, not for API tokens"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_setting_is_unset() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let set = server.call("PUT /settings/PUBLISH_AT_ONCE").with_session(&admin);
    set.body(json!({ "value": 9 })).ok().await;

    let said = server.call("DELETE /settings/PUBLISH_AT_ONCE").with_session(&admin).said().await;

    expect![[r#"
        200 {"key":"PUBLISH_AT_ONCE","group":"publishing","type":"integer",
        "schema":{"type":"integer","minimum":1,"maximum":200},"description":"How many posts
        one process delivers at the same time.","environment":"PUBLISH_AT_ONCE",
        "is_secret":false,"is_set":true,"value":8,"default":8,"last4":null,
        "source":"default","version":0,"change":4,"updated_at":null,"updated_by":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_setting_that_does_not_exist_cannot_be_unset() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("DELETE /settings/PUBLISH_AT_TWICE").with_session(&admin).said().await;

    expect![[r#"
        404 there is no setting 'PUBLISH_AT_TWICE'; keys of custom settings begin with
        'custom.'"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn several_settings_are_set_or_none() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PATCH /settings")
        .with_session(&admin)
        .body(json!({ "values": { "PUBLISH_AT_ONCE": 3, "PUBLISH_AT_TWICE": 3 } }))
        .said()
        .await;

    expect![[r#"
        404 there is no setting 'PUBLISH_AT_TWICE'; keys of custom settings begin with
        'custom.'"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn values_are_validated() {
    let server = Server::empty().await;

    let said = server
        .call("POST /settings/validate")
        .body(json!({ "values": { "PUBLISH_AT_ONCE": 0 } }))
        .said()
        .await;

    expect![[r#"
        200 {"valid":false,"problems":[{"key":"PUBLISH_AT_ONCE","detail":"PUBLISH_AT_ONCE
        must be a whole number from 1 to 200"}]}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_history_of_settings_is_shown() {
    let server = Server::empty().await;

    let said = server.call("GET /settings/history?key=PUBLISH_AT_ONCE").said().await;

    expect![[r#"200 {"items":[],"next_cursor":null}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_that_does_not_exist_cannot_be_undone() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("POST /settings/history/99/undo").with_session(&admin).said().await;

    expect![[r#"404 there is no change 99"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_group_without_a_counterpart_cannot_be_tested() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said =
        server.call("POST /settings/test/http").with_session(&admin).body(json!({})).said().await;

    expect![[r#"404 this group cannot be tested; only x, mail and google can"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_group_that_is_not_configured_fails_its_test() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said =
        server.call("POST /settings/test/google").with_session(&admin).body(json!({})).said().await;

    expect![[r#"
        200 {"ok":false,"detail":"Google is not configured: set GOOGLE_OAUTH_CLIENT_ID,
        GOOGLE_OAUTH_CLIENT_SECRET and PUBLIC_URL"}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn settings_of_a_group_are_listed() {
    let server = Server::empty().await;

    let said = server.call("GET /settings?group=sandbox").said().await;

    expect![[r#"
        200 {"items":[{"key":"SANDBOX_FAULTS","group":"sandbox","type":"list",
        "schema":{"type":"array","items":{"type":"string"}},"description":"Faults that the
        sandbox simulates, for testing: refuse, wait, channel, lost-request, lost-answer,
        slow-prepare, slow-request, slow-answer, slow-look, blind.",
        "environment":"SANDBOX_FAULTS","is_secret":false,"is_set":true,"value":[],
        "default":[],"last4":null,"source":"default","version":0,"updated_at":null,
        "updated_by":null}],"revision":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_setting_that_has_changed_is_not_unset() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("DELETE /settings/PUBLISH_AT_ONCE")
        .with_session(&admin)
        .if_match(99)
        .said()
        .await;

    expect![[r#"409 PUBLISH_AT_ONCE has been changed: its version is now 0"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn several_settings_are_set() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PATCH /settings")
        .with_session(&admin)
        .body(json!({ "values": { "PUBLISH_AT_ONCE": 3, "custom.colour": "red" } }))
        .said()
        .await;

    expect![[r#"
        200 {"items":[{"key":"PUBLISH_AT_ONCE","group":"publishing","type":"integer",
        "schema":{"type":"integer","minimum":1,"maximum":200},"description":"How many posts
        one process delivers at the same time.","environment":"PUBLISH_AT_ONCE",
        "is_secret":false,"is_set":true,"value":3,"default":8,"last4":null,
        "source":"database","version":3,"updated_at":"<time>","updated_by":"user:1:admin"},
        {"key":"custom.colour","group":"custom","type":"json","schema":true,
        "description":"","environment":null,"is_secret":false,"is_set":true,"value":"red",
        "default":null,"last4":null,"source":"database","version":3,"updated_at":"<time>",
        "updated_by":"user:1:admin"}],"revision":3}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_is_undone() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;
    server
        .call("PUT /settings/PUBLISH_AT_ONCE")
        .with_session(&admin)
        .body(json!({ "value": 3 }))
        .ok()
        .await;

    let said = server.call("POST /settings/history/3/undo").with_session(&admin).said().await;

    expect![[r#"
        200 {"items":[{"revision":4,"key":"PUBLISH_AT_ONCE","action":"undo",
        "from":{"is_set":true,"is_secret":false,"value":3},"to":{"is_set":false,
        "is_secret":false,"value":null},"at":"<time>","by":"user:1:admin"}],
        "next_cursor":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_that_was_followed_by_another_is_not_undone() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;
    server
        .call("PUT /settings/PUBLISH_AT_ONCE")
        .with_session(&admin)
        .body(json!({ "value": 3 }))
        .ok()
        .await;
    server
        .call("PUT /settings/PUBLISH_AT_ONCE")
        .with_session(&admin)
        .body(json!({ "value": 4 }))
        .ok()
        .await;

    let said = server.call("POST /settings/history/3/undo").with_session(&admin).said().await;

    expect![[r#"409 change 3 cannot be undone: PUBLISH_AT_ONCE has been changed since"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn more_custom_settings_than_are_allowed_are_not_valid() {
    let server = Server::empty().await;
    let values: serde_json::Map<_, _> =
        (0..=1_000).map(|number| (format!("custom.k{number}"), json!(1))).collect();

    let said =
        server.call("POST /settings/validate").body(json!({ "values": values })).said().await;

    expect![[r#"409 there are already 1000 settings under 'custom.', which is the maximum"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_installation_is_checked() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let checked = server.call("GET /checks").with_session(&admin).ok().await;
    let refused = server.call("GET /checks").said().await;

    let found = |check: &Value| format!("{}: {}", check["title"], check["state"]);
    let items: Vec<String> = checked["items"].as_array().unwrap().iter().map(found).collect();
    expect![[r#"
        "Address": "warning"
        "Proxy": "ok"
        "Session cookie": "failed"
        "Email": "warning"
        "Master key": "ok"
        "Database": "ok"
        "Clock": "ok"
        "Background work": "ok"
        "X": "warning""#]]
    .assert_eq(&items.join("\n"));
    expect!["403 this operation is for signed-in users, not for API tokens"].assert_eq(&refused);
}
