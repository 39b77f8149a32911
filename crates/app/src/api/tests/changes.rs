//! The stream of changes.

use std::time::Duration;

use expect_test::expect;
use poem::http::Method;
use tokio::time::Instant;
use waggle_accounts::Role;
use waggle_kernel::ids::TokenId;
use waggle_kernel::{Actor, Scope, Scopes};

use super::{Server, wrapped};
use crate::api::changes::Follower;

impl Server {
    /// A client that follows the changes, and its first message.
    async fn follow(&self, actor: &Actor, last_seen: Option<&str>) -> (String, Follower) {
        let request = poem::Request::builder().uri_str("/changes").finish();
        let app = self.app.clone();
        let begun = Follower::begin(app, &request, actor.clone(), last_seen).await;
        let (first, follower) = begun.unwrap();
        (without_epoch(&first), follower)
    }

    /// Appends all events, and tells of them.
    async fn tell(&self, last: &mut Option<i64>) {
        self.app.chain.catch_up(20).await.unwrap();
        self.app.new_changes.send(&self.app.changes, last).await.unwrap();
    }

    async fn epoch(&self) -> String {
        self.app.store.ports().events.place().await.unwrap().epoch
    }
}

/// The next messages, which must come at once.
async fn next(follower: &mut Follower) -> Option<String> {
    let next = tokio::time::timeout(Duration::from_secs(10), follower.next()).await;
    next.expect("there is a message").map(|text| without_epoch(&text))
}

fn without_epoch(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("id: ") {
        Some(("", id)) => format!("id: <epoch>-{}", id.split_once('-').unwrap().1),
        _ => wrapped(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn reader() -> Actor {
    Actor::token(TokenId::new(9), "page", Scopes::of(&[Scope::Read]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_is_told_to_all_who_follow() {
    let server = Server::with_drafts().await;
    server.app.chain.catch_up(20).await.unwrap();
    let (first, mut one) = server.follow(&reader(), None).await;
    let (_, mut other) = server.follow(&reader(), None).await;
    let mut last = None;

    server.tell(&mut last).await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    server.tell(&mut last).await;

    expect![[r#"
        id: <epoch>-3
        event: ready
        data: {"resumed":false}
    "#]]
    .assert_eq(&first);
    let said = next(&mut one).await.unwrap();
    expect![[r#"
        id: <epoch>-4
        data: {"position":4,"kind":"tweet.approved","object_kind":"generated_tweet",
        "object_id":"1","version":2}
    "#]]
    .assert_eq(&said);
    assert_eq!(next(&mut other).await.unwrap(), said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_missed_is_told_after_the_last_event_id() {
    let server = Server::with_drafts().await;
    let position = server.recorded().await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    server.call("POST /generated-tweets/2/reject").ok().await;
    server.app.chain.catch_up(20).await.unwrap();

    let seen = format!("{}-{position}", server.epoch().await);
    let (first, mut follower) = server.follow(&reader(), Some(&seen)).await;
    let (elsewhere, _) = server.follow(&reader(), Some(&format!("other-{position}"))).await;

    expect![[r#"
        id: <epoch>-3
        event: ready
        data: {"resumed":true}
    "#]]
    .assert_eq(&first);
    expect![[r#"
        id: <epoch>-4
        data: {"position":4,"kind":"tweet.approved","object_kind":"generated_tweet",
        "object_id":"1","version":2}

        id: <epoch>-5
        data: {"position":5,"kind":"tweet.rejected","object_kind":"generated_tweet",
        "object_id":"2","version":2}
    "#]]
    .assert_eq(&next(&mut follower).await.unwrap());
    expect![[r#"
        id: <epoch>-5
        event: ready
        data: {"resumed":false}
    "#]]
    .assert_eq(&elsewhere);
}

/// The first batch that a process sends begins where the chain ends at that time.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_happens_before_the_first_batch_is_told() {
    let server = Server::with_drafts().await;
    server.app.chain.catch_up(20).await.unwrap();
    let (_, mut follower) = server.follow(&reader(), None).await;
    // It finds that it is not behind.
    tokio::select! {
        biased;
        _ = follower.next() => panic!("there is nothing yet"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;

    server.tell(&mut None).await;

    assert!(next(&mut follower).await.unwrap().contains("tweet.approved"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_is_slow_misses_nothing() {
    let server = Server::with_drafts().await;
    server.app.chain.catch_up(20).await.unwrap();
    let (_, mut follower) = server.follow(&reader(), None).await;
    let mut last = None;
    server.tell(&mut last).await;

    // More batches than the process keeps for a client.
    for _ in 0..20 {
        for action in ["reject", "restore"] {
            server.call(&format!("POST /generated-tweets/1/{action}")).ok().await;
            server.tell(&mut last).await;
        }
    }

    let mut said = String::new();
    while said.matches("id: ").count() < 40 {
        said += &next(&mut follower).await.unwrap();
        said.push('\n');
    }
    let versions: Vec<&str> = said.split("\"version\":").skip(1).collect();
    let versions: Vec<i64> =
        versions.iter().map(|rest| rest.split('}').next().unwrap().parse().unwrap()).collect();
    assert_eq!(versions, (2..=41).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn changes_of_accounts_and_settings_are_not_told_to_everybody() {
    let server = Server::with_drafts().await;
    server.app.chain.catch_up(20).await.unwrap();
    let mut followers = Vec::new();
    for role in [Role::Viewer, Role::Admin] {
        let session = server.session(role).await;
        let request =
            poem::Request::builder().uri_str("/changes").header("cookie", session).finish();
        server.app.chain.catch_up(20).await.unwrap();
        let app = server.app.clone();
        followers.push(Follower::begin(app, &request, reader(), None).await.unwrap().1);
    }
    let (mut of_admin, mut of_reader) = (followers.remove(1), followers.remove(0));
    let mut last = None;

    server.tell(&mut last).await;
    server.session(Role::Editor).await;
    server.tell(&mut last).await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    server.tell(&mut last).await;

    expect![[r#"
        id: <epoch>-8
        data: {"position":8,"kind":"user.created","object_kind":"account","object_id":"3",
        "version":null}

        id: <epoch>-9
        data: {"position":9,"kind":"user.login_success","object_kind":"account",
        "object_id":"3","version":null}

        id: <epoch>-10
        data: {"position":10,"kind":"tweet.approved","object_kind":"generated_tweet",
        "object_id":"1","version":2}
    "#]]
    .assert_eq(&next(&mut of_admin).await.unwrap());
    expect![[r#"
        id: <epoch>-10
        data: {"position":10,"kind":"tweet.approved","object_kind":"generated_tweet",
        "object_id":"1","version":2}
    "#]]
    .assert_eq(&next(&mut of_reader).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_ends_with_the_session() {
    let server = Server::with_drafts().await;
    server.app.chain.catch_up(20).await.unwrap();
    let session = server.session(Role::Viewer).await;
    let request = poem::Request::builder().uri_str("/changes").header("cookie", &session).finish();
    let app = server.app.clone();
    let begun = Follower::begin(app, &request, reader(), None).await;
    let (_, mut follower) = begun.unwrap();
    server.app.chain.catch_up(20).await.unwrap();

    follower.next_check = Instant::now();
    let alive = next(&mut follower).await;
    server.call("POST /auth/logout").with_session(&session).ok().await;
    server.tell(&mut None).await;

    assert_eq!(alive.as_deref(), Some(":\n"));
    // Not only at the next check.
    assert_eq!(next(&mut follower).await, None);
}

/// The client resumes after what it could not see, which may be much.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sign_of_life_moves_the_last_event_id() {
    let server = Server::with_drafts().await;
    server.app.chain.catch_up(20).await.unwrap();
    let token = format!("Bearer {}", server.token);
    let request =
        poem::Request::builder().uri_str("/changes").header("authorization", token).finish();
    let (_, mut follower) =
        Follower::begin(server.app.clone(), &request, reader(), None).await.unwrap();
    server.session(Role::Viewer).await;
    server.app.chain.catch_up(20).await.unwrap();
    tokio::select! {
        biased;
        _ = follower.next() => panic!("there is nothing to see"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }

    follower.next_check = Instant::now();

    expect![[r#"
        id: <epoch>-5
    "#]]
    .assert_eq(&next(&mut follower).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn streams_end_when_the_server_stops() {
    let server = Server::empty().await;
    let (_, mut follower) = server.follow(&reader(), None).await;
    let stopping = async {
        tokio::task::yield_now().await;
        server.app.draining.send_replace(true);
    };

    let (end, ()) = tokio::join!(next(&mut follower), stopping);

    assert_eq!(end, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_is_answered_as_server_sent_events() {
    let server = Server::empty().await;
    server.app.draining.send_replace(true);

    let mut response = server.request(Method::GET, "/api/v1/changes").send().await;

    assert_eq!(response.content_type(), Some("text/event-stream"));
    assert_eq!(response.header("x-accel-buffering"), Some("no"));
    let body = response.take_body().into_string().await.unwrap();
    assert!(body.ends_with("event: ready\ndata: {\"resumed\":false}\n\n"), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn changes_need_the_scope_read() {
    let server = Server::empty().await;

    let said = server.call("GET /changes").nobody().said().await;

    assert!(said.starts_with("401"), "{said}");
}
