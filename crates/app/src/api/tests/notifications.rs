//! Outcomes of the operations on notifications, and on the time zone that digests follow.

use expect_test::expect;
use serde_json::json;
use waggle_accounts::Role;

use super::Server;

impl Server {
    /// Considers all events, as the worker does.
    async fn tell_people(&self) {
        self.recorded().await;
        while self.app.tell_people.step(self.app.default_zone()).await.unwrap() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_approver_hears_of_a_batch_and_reads_it() {
    let server = Server::with_drafts().await;
    let approver = server.session(Role::Approver).await;
    server.tell_people().await;

    let listed = server.call("GET /notifications").with_session(&approver).said().await;
    let read = server
        .call("POST /notifications/read")
        .with_session(&approver)
        .body(json!({ "ids": [1] }))
        .said()
        .await;
    let unread =
        server.call("GET /notifications?is_unread=true").with_session(&approver).said().await;

    expect![[r#"
        200 {"items":[{"id":1,"kind":"batch_arrived","object_id":"1","summary":"The batch
        b-1 (Generated Content) arrived with 2 tweets","path":"/batches/1",
        "created_at":"<time>","read_at":null}],"next_cursor":null,"unread":1}"#]]
    .assert_eq(&listed);
    expect![[r#"200 {"read":1}"#]].assert_eq(&read);
    expect![[r#"200 {"items":[],"next_cursor":null,"unread":0}"#]].assert_eq(&unread);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_read_is_named_in_one_way() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;
    let read = async |body| {
        server.call("POST /notifications/read").with_session(&viewer).body(body).said().await
    };

    expect!["422 send either ids or up_to"].assert_eq(&read(json!({})).await);
    expect!["422 send either ids or up_to"]
        .assert_eq(&read(json!({ "ids": [1], "up_to": 1 })).await);
    expect!["422 'ids' must not be empty"].assert_eq(&read(json!({ "ids": [] })).await);
    expect![[r#"200 {"read":0}"#]].assert_eq(&read(json!({ "up_to": 9_000 })).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn people_choose_how_they_are_told() {
    let server = Server::empty().await;
    let editor = server.session(Role::Editor).await;
    let choose = async |body| {
        server.call("PATCH /me/notifications").with_session(&editor).body(body).said().await
    };

    let at_first = server.call("GET /me/notifications").with_session(&editor).said().await;
    expect![[r#"
        200 {"digest_hour":8,"time_zone":"UTC","batch_arrived":null,
        "decision_requested":null,"post_failed":null,"post_unknown":null,"post_missed":null,
        "posts_held":null,"source_tweets_lapsed":"digest"}"#]]
    .assert_eq(&at_first);
    let chosen = choose(json!({ "digest_hour": 17, "source_tweets_lapsed": "at_once" })).await;
    expect![[r#"
        200 {"digest_hour":17,"time_zone":"UTC","batch_arrived":null,
        "decision_requested":null,"post_failed":null,"post_unknown":null,"post_missed":null,
        "posts_held":null,"source_tweets_lapsed":"at_once"}"#]]
    .assert_eq(&chosen);
    expect!["403 notifications of the kind 'post_failed' are not for your role"]
        .assert_eq(&choose(json!({ "post_failed": "off" })).await);
    expect!["422 digest_hour must be between 0 and 23"]
        .assert_eq(&choose(json!({ "digest_hour": 24 })).await);
    expect!["400 'source_tweets_lapsed' must be one of at_once, digest, console, off"]
        .assert_eq(&choose(json!({ "source_tweets_lapsed": "by owl" })).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tokens_have_no_notifications() {
    let server = Server::empty().await;

    let said = server.call("GET /notifications").said().await;

    expect!["403 this operation is for signed-in users, not for API tokens"].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn people_choose_their_names_and_preferences() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;
    let update = async |version, body| {
        let call = server.call("PATCH /me").with_session(&viewer).if_match(version).body(body);
        call.said().await
    };

    let zone = json!({ "first_name": "Ada", "time_zone": "Europe/Berlin" });
    expect![[r#"
        200 {"id":1,"username":"viewer","email":"viewer@hive.example",
        "email_verified_at":null,"first_name":"Ada","last_name":"","role":"viewer",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":false,"time_zone":"Europe/Berlin","after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":2}"#]]
    .assert_eq(&update(1, zone.clone()).await);
    expect!["409 the user was changed in the meantime"].assert_eq(&update(1, zone).await);
    expect![[r#"
        422 a time zone must have its name in the IANA database, such as 'Europe/Berlin' or
        'UTC'"#]]
    .assert_eq(&update(2, json!({ "time_zone": "Berlin" })).await);
    expect![[r#"
        200 {"id":1,"username":"viewer","email":"viewer@hive.example",
        "email_verified_at":null,"first_name":"Ada","last_name":"","role":"viewer",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":false,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":3}"#]]
    .assert_eq(&update(2, json!({ "time_zone": "" })).await);
    let chosen = update(3, json!({ "after_approval": "schedule" })).await;
    assert!(chosen.contains(r#""after_approval":"schedule""#), "{chosen}");
    expect!["400 'after_approval' must be one of nothing, publish, schedule"]
        .assert_eq(&update(4, json!({ "after_approval": "tweet" })).await);
}
