//! The pages of the console: who sees them, and with which headers.

use expect_test::expect;
use poem::http::Method;
use serde_json::json;
use waggle_accounts::Role;
use waggle_console::OPS;

use super::{Credential, Server};
use crate::http::pages;
use crate::routes::api_document;

impl Server {
    /// A page, as the owner of a session sees it.
    async fn page(&self, path: &str, session: &str) -> (u16, String) {
        let call = self.request(Method::GET, path).with_session(session);
        let mut response = call.send().await;
        let body = response.take_body().into_string().await.unwrap();
        (response.status().as_u16(), body)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn visitors_are_led_to_the_sign_in_and_back() {
    let server = Server::empty().await;
    let path = "/review?cursor=a%26b";
    let location = async |credential: Option<Credential>| {
        let mut call = server.request(Method::GET, path).nobody();
        if let Some(credential) = credential {
            call.credential = credential;
        }
        let response = call.send().await;
        assert_eq!(response.status().as_u16(), 303);
        response.header("location").unwrap().to_owned()
    };

    let expected = "/account?return_to=%2Freview%3Fcursor%3Da%2526b";
    assert_eq!(location(None).await, expected);
    let token = Credential::Token(server.token.clone());
    assert_eq!(location(Some(token)).await, expected, "API tokens see no pages");
    let old = Credential::Session("waggle_session=ended".to_owned());
    assert_eq!(location(Some(old)).await, expected);
}

/// A path can be written in many ways. All of them together must not fill the memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_is_kept_compressed_once_however_its_path_is_written() {
    let server = Server::empty().await;
    let (_, page) = server.page("/setup", "none=1").await;
    let path = page.split('"').find(|part| part.ends_with("/console.css")).unwrap().to_owned();
    let written = path.replace("console", "c%6fnsole");
    let packed = async |path: &str| {
        let call = server.client.get(path).header("host", "localhost");
        let response = call.header("accept-encoding", "gzip").send().await.0;
        assert_eq!(response.header("content-encoding"), Some("gzip"), "{path}");
        response.into_body().into_vec().await.unwrap()
    };

    assert_eq!(packed(&path).await, packed(&written).await);

    let kept = crate::http::kept_files();
    assert_eq!(kept.iter().filter(|name| name.ends_with("nsole.css")).count(), 1, "{kept:?}");
}

/// After the sign-in, people stay on this server.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_sign_in_leads_to_pages_of_this_server_only() {
    let server = Server::empty().await;
    let session = server.session(Role::Viewer).await;
    let page = async |path: &str| server.page(path, "none=1").await.1;

    let (_, account) = server.page("/account", &session).await;
    assert!(account.contains("viewer@hive.example") && account.contains("this session"));
    assert!(
        page("/account?return_to=/posts%3Fstatus%3Dfailed")
            .await
            .contains(r#"data-return-to="/posts?status=failed""#)
    );
    for elsewhere in ["/.//evil.example", "//evil.example", "https://evil.example", "/%5Cevil"] {
        let page = page(&format!("/account?return_to={elsewhere}")).await;
        assert!(page.contains(r#"data-return-to="/""#), "{elsewhere}: {page}");
    }
    let response = server
        .request(Method::GET, "/account?return_to=/.//evil.example")
        .with_session(&session)
        .send()
        .await;
    assert_eq!(response.header("location"), Some("/"));
    // A link for another account is followed without ending the session.
    let (_, link) = server.page("/account?as=visitor", &session).await;
    assert!(link.contains("You are signed in as") && link.contains(r#"data-for="link""#), "{link}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_waits_is_reviewed() {
    let server = Server::with_drafts().await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    let session = server.session(Role::Approver).await;

    let (status, review) = server.page("/review", &session).await;
    let (_, tweet) = server.page("/tweets/1", &session).await;

    assert_eq!(status, 200);
    assert!(review.contains(r#"id="tweet-2""#) && !review.contains(r#"id="tweet-1""#), "{review}");
    assert!(
        review.contains(">b-1</span> · received") && review.contains("1 of 2 wait"),
        "{review}"
    );
    assert!(review.contains(r#"data-path="/api/v1/generated-tweets/2/approve" data-version="1""#));
    assert!(tweet.contains(r#"data-op="withdraw_generated_tweet""#), "{tweet}");
    assert!(tweet.contains("token test</span> approved"), "{tweet}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn viewers_see_no_controls() {
    let server = Server::with_drafts().await;
    let session = server.session(Role::Viewer).await;

    let (status, page) = server.page("/review", &session).await;

    assert_eq!(status, 200);
    assert!(page.contains(r#"id="tweet-2""#) && !page.contains("/generated-tweets/"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_not_there_is_told_on_a_page() {
    let server = Server::empty().await;
    let session = server.session(Role::Viewer).await;

    for (path, status, text) in [
        ("/tweets/7", 404, "there is no such generated tweet"),
        ("/tweets/x", 404, "there is no such generated tweet"),
        ("/batches/7", 404, "there is no such campaign batch"),
        ("/batches/x", 404, "there is no such campaign batch"),
        ("/posts/7", 404, "there is no such post"),
        ("/posts/x", 404, "there is no such post"),
        ("/review?cursor=x", 422, "cursor: the cursor is invalid"),
    ] {
        let (found, page) = server.page(path, &session).await;
        assert_eq!(found, status, "{path}");
        assert!(page.contains("<h1>") && page.contains(text), "{path}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn pages_are_read_only_and_run_no_foreign_script() {
    let server = Server::with_drafts().await;
    let session = server.session(Role::Admin).await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    server.call("POST /generated-tweets/1/publish").body(json!({})).ok().await;

    for path in pages().map(|path| path.replace(":id", "1")) {
        let shown = server.request(Method::GET, &path).with_session(&session).send().await;
        let policy = shown.header("content-security-policy").unwrap();
        assert_eq!(
            (shown.status().as_u16(), shown.header("cache-control")),
            (200, Some("no-store"))
        );
        assert!(policy.contains("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(policy.contains("require-trusted-types-for 'script'"), "{path}: {policy}");
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let call = server.request(method.clone(), &path).with_session(&session);
            assert_eq!(call.send().await.status().as_u16(), 405, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn files_are_kept_until_they_change() {
    let server = Server::with_drafts().await;
    let session = server.session(Role::Viewer).await;
    let (_, page) = server.page("/review", &session).await;
    let script = page.split('"').find(|part| part.ends_with("/keys.js")).unwrap();

    let found = server.request(Method::GET, script).nobody().send().await;
    let other = script.replace("keys.js", "other.js");
    let missing = server.request(Method::GET, &other).nobody().send().await;

    assert_eq!(found.content_type(), Some("text/javascript"));
    let caching = found.header("cache-control");
    assert_eq!(caching, Some("public, max-age=31536000, immutable"));
    assert_eq!(
        (missing.status().as_u16(), missing.header("cache-control")),
        (404, Some("no-store"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn posts_are_filtered_by_the_address_and_what_is_not_understood_is_named() {
    let server = Server::with_drafts().await;
    let session = server.session(Role::Approver).await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    let soon = json!({ "in_seconds": 600 });
    let queued = server.call("POST /generated-tweets/1/publish").body(soon).ok().await;
    assert_eq!(queued["post"]["status"], "scheduled");

    let (_, all) = server.page("/posts", &session).await;
    let (_, none) = server.page("/posts?status=failed&platform=sandbox", &session).await;
    let (status, lenient) = server.page("/posts?status=%3Cb%3E&platform=", &session).await;
    let (_, publishing) = server.page("/publishing", &session).await;
    let (_, batch) = server.page("/batches/1", &session).await;

    assert!(all.contains(r#"id="post-1""#) && all.contains(r#"data-op="cancel_post""#), "{all}");
    assert!(!none.contains("post-1") && none.contains("No post is like this"), "{none}");
    assert_eq!(status, 200);
    assert!(lenient.contains("status=&#60;b&#62;") && lenient.contains("post-1"), "{lenient}");
    assert!(publishing.contains("1 scheduled, 0 being published"), "{publishing}");
    assert!(!publishing.contains("state needed"), "{publishing}");
    assert!(batch.contains(r#"data-objects="generated_tweet:1 post:1""#), "{batch}");
    let both = json!({ "in_seconds": 1, "at": "2027-01-01T00:00:00Z" });
    let refused = server.call("POST /generated-tweets/1/publish").body(both).response().await;
    assert_eq!(refused.0, 422, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn pages_for_admins_are_for_admins_and_filters_are_kept() {
    let server = Server::with_drafts().await;
    let approver = server.session(Role::Approver).await;
    for path in ["/settings", "/settings/history", "/users", "/audit", "/checks"] {
        let (status, page) = server.page(path, &approver).await;
        assert_eq!(status, 403, "{path}");
        assert!(page.contains("admin") && !page.contains("data-op"), "{path}: {page}");
    }
    let (_, tokens) = server.page("/tokens", &approver).await;
    assert!(tokens.contains("There are no tokens"), "others' tokens are not shown: {tokens}");

    let admin = server.session(Role::Admin).await;
    let (_, tokens) = server.page("/tokens", &admin).await;
    assert!(tokens.contains(r#"data-op="revoke_any_token""#), "{tokens}");
    let (_, users) = server.page("/users", &admin).await;
    assert!(users.contains("approver@hive.example"), "{users}");
    let (_, checks) = server.page("/checks", &admin).await;
    assert!(checks.contains("No mail server is set") && checks.contains("failed"), "{checks}");
    let (_, mail) = server.page("/settings?group=mail", &admin).await;
    assert!(mail.contains(r#"data-path="/api/v1/settings/EMAIL_HOST""#), "{mail}");
    let (status, settings) = server.page("/settings?group=none", &admin).await;
    assert!(status == 200 && settings.contains("group=none"), "{settings}");
    let query = "/audit?kind=user.user_created&from=2026-01-01T00:00&user_id=x&object_id=3";
    let (status, audit) = server.page(query, &admin).await;
    assert_eq!(status, 200);
    for part in ["<strong>user.created</strong>", "user_id=x", "object_id=3"] {
        assert!(audit.contains(part) == part.contains('='), "{part}: {audit}");
    }
    let (_, audit) = server.page("/audit?kind=user.created&from=2026-01-01T00:00", &admin).await;
    assert!(audit.contains("<strong>user.created</strong>"), "{audit}");
    let export =
        "export?format=csv&amp;kind=user.created&#38;from=2026-01-01T00%3A00%3A00%2B00%3A00";
    assert!(audit.contains(export), "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn source_tweets_are_found_by_filters_of_the_address() {
    let server = Server::with_source_tweet().await;
    let session = server.session(Role::Editor).await;

    let (_, all) = server.page("/sources?totals=yes", &session).await;
    assert!(all.contains(">Hi</p>") && all.contains("1 tweets of 1 runs"), "{all}");
    assert!(all.contains(r#"data-op="delete_source_tweets""#), "{all}");
    let (_, none) = server.page("/sources?min_likes=7&sort=likes&order=asc", &session).await;
    assert!(none.contains("No tweet is like this"), "{none}");
    let query = "/sources?min_likes=many&sort=none&date_from=yesterday&execution_id=e-1";
    let (status, lenient) = server.page(query, &session).await;
    assert_eq!(status, 200);
    for part in [">Hi</p>", "min_likes=many", "sort=none", "date_from=yesterday"] {
        assert!(lenient.contains(part), "{part}: {lenient}");
    }
    let long = format!("/sources?search={}", "x".repeat(600));
    let (status, page) = server.page(&long, &session).await;
    assert!(status == 200 && page.contains("search: longer than 500 characters"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_sample_batch_is_loaded_once_and_reviewed() {
    let server = Server::empty().await;
    let session = server.session(Role::Approver).await;
    let (_, home) = server.page("/", &session).await;
    assert!(home.contains(r#"data-op="create_sample_batch""#), "{home}");
    assert!(!home.contains("Set up"), "only admins set it up: {home}");

    let first = server.call("POST /campaign-batches/sample").ok().await;
    let again = server.call("POST /campaign-batches/sample").finding_nothing().ok().await;

    assert_eq!((&first["title"], &first["id"]), (&json!("Sample batch"), &again["id"]));
    let (_, home) = server.page("/", &session).await;
    assert!(home.contains("Review 5 drafts") && !home.contains("create_sample_batch"), "{home}");
    let (_, batches) = server.page("/batches?search=SAMPLE&status=none", &session).await;
    assert!(batches.contains("Sample batch") && batches.contains("status=none"), "{batches}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn old_addresses_lead_to_their_pages() {
    let server = Server::empty().await;
    for (old, new) in [
        ("/twitter/generate-tweets/", "/batches"),
        ("/twitter/generate-tweets", "/batches"),
        ("/twitter/review/batch_2026-11-26_0800/", "/batches?search=batch_2026-11-26_0800"),
        ("/twitter/review/a%20b%26c/", "/batches?search=a+b%26c"),
        ("/twitter/sourcetweet/", "/sources"),
        ("/accounts/login/", "/account"),
    ] {
        let response = server.request(Method::GET, old).nobody().send().await;
        assert_eq!(response.status().as_u16(), 302, "{old}");
        assert_eq!(response.header("location"), Some(new), "{old}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn people_get_a_page_where_there_is_nothing_and_programs_a_problem() {
    let server = Server::empty().await;
    let ask = async |path: &str, accept: &'static str| {
        let call = server.client.get(path).header("host", "localhost").header("accept", accept);
        let mut response = call.send().await.0;
        let body = response.take_body().into_string().await.unwrap();
        let header = |name| response.header(name).unwrap_or_default().to_owned();
        (response.status().as_u16(), header("location"), header("content-type"), body)
    };

    let (status, _, kind, page) = ask("/nonsense", "text/html,*/*;q=0.8").await;
    assert!(status == 404 && kind.starts_with("text/html"), "{status} {kind}");
    assert!(page.contains("There is no such page"), "{page}");
    let (status, _, kind, _) = ask("/nonsense", "*/*").await;
    assert_eq!((status, kind.as_str()), (404, "application/problem+json"));
    let (status, _, kind, _) = ask("/api/v1/nonsense", "text/html").await;
    assert!(status != 200 && kind == "application/problem+json", "{status} {kind}");
    for (path, place) in [("/posts/", "/posts"), ("/batches/1/?a=b", "/batches/1?a=b")] {
        let (status, location, ..) = ask(path, "text/html").await;
        assert_eq!((status, location.as_str()), (303, place));
    }
}

/// What pages call is what the API document describes.
#[test]
fn each_operation_of_the_pages_is_in_the_document() {
    let document = api_document();
    for op in OPS {
        let operation = &document["paths"][op.path][op.method.to_lowercase()];
        assert_eq!(operation["operationId"], op.id, "{op:?}");
    }
    expect!["34"].assert_eq(&OPS.len().to_string());
}
