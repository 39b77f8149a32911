//! Tests of the native API and of the review endpoints: access, reviews, publishing, invalid
//! requests.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::accounts::user;
use crate::database::Kind;
use crate::process::token;
use crate::{Answer, Waggle, answer, on_both};

async fn source_tweets(waggle: &Waggle, run: &str, contents: &[&str]) {
    let tweets: Vec<Value> = contents
        .iter()
        .enumerate()
        .map(|(n, content)| {
            let id = format!("{}{n}", u32::from(run.as_bytes()[0]));
            let date = format!("2025-08-{:02}T10:00:00Z", n + 1);
            json!({
                "Tweet ID": id, "Content": content, "Likes": n * 10, "Views": n, "Date": date,
            })
        })
        .collect();
    let body = json!({ "execution_id": run, "tweets": tweets });
    waggle.post("/api/check-duplicate-tweet", body).await.ok();
}

/// An operation, and who can call it according to the API document.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The required scope; `None` if the operation needs no credentials.
    pub(crate) scope: Option<String>,
    pub(crate) is_for_people: bool,
    /// The description, which states the required second factor.
    pub(crate) text: String,
}

/// All operations of the API document, with numbers as ids.
pub(crate) async fn operations(waggle: &Waggle) -> Vec<Operation> {
    let document = answer(waggle.request(Method::GET, "/openapi.json")).await.ok();
    let mut operations = Vec::new();
    let paths = document["paths"].as_object().unwrap().iter();
    for (path, methods) in paths.filter(|(path, _)| path.starts_with("/api/v1/")) {
        for (method, operation) in methods.as_object().unwrap() {
            let text = operation["description"].as_str().unwrap();
            let is_for_people = text.starts_with("For people") || text.starts_with("For admins");
            let scope = match text.strip_prefix("Scope: `") {
                Some(rest) => rest.split('`').next().map(str::to_owned),
                None if text.starts_with("For admins") => Some("admin".to_owned()),
                None if is_for_people => Some("read".to_owned()),
                None => None,
            };
            let path =
                path.split('/').map(|part| if part.starts_with('{') { "9999" } else { part });
            operations.push(Operation {
                method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
                path: path.collect::<Vec<_>>().join("/"),
                scope,
                is_for_people,
                text: text.replace('\n', " "),
            });
        }
    }
    assert!(operations.len() > 50);
    operations
}

async fn every_operation_is_open_to_the_documented_callers(kind: Kind) {
    // It calls each operation as each caller, which is more than a minute allows.
    let waggle = Waggle::with(kind, &[("REQUESTS_PER_MINUTE", "0")]).await;
    let operations = operations(&waggle).await;
    let scopes = ["ingest", "read", "write", "approve", "publish", "admin"];
    let tokens = scopes.map(|scope| (scope, token(&waggle.database, &[scope])));
    let mut people = Vec::new();
    for (role, rights) in [
        ("viewer", vec!["read"]),
        ("editor", vec!["read", "write", "ingest"]),
        ("approver", vec!["read", "write", "ingest", "approve", "publish"]),
        ("admin", scopes.to_vec()),
    ] {
        user(&waggle, role, role);
        people.push((rights, waggle.browser(role).await.cookie));
    }
    for Operation { method, path, scope, is_for_people, .. } in &operations {
        let call = || waggle.request(method.clone(), path).body("{not json");
        let refused = |found: &Answer| found.status == 401 || found.status == 403;
        let Some(scope) = scope else {
            assert!(!refused(&answer(call()).await), "{path} needs no credentials");
            let foreign = call().header("origin", "https://evil.example");
            answer(foreign).await.refused(403);
            continue;
        };
        answer(call()).await.refused(401);
        answer(call().bearer_auth("nonsense")).await.refused(401);
        for (of, token) in &tokens {
            let found = answer(call().bearer_auth(token)).await;
            let is_open = !is_for_people && (of == scope || *of == "admin");
            assert_eq!(!refused(&found), is_open, "{method} {path} with {of}: {found:?}");
        }
        if path.ends_with("/logout") {
            continue;
        }
        for (rights, cookie) in &people {
            let own = || call().header("cookie", cookie);
            let found = answer(own().header("sec-fetch-site", "same-origin")).await;
            let is_open = rights.contains(&scope.as_str());
            assert_eq!(!refused(&found), is_open, "{method} {path} with {rights:?}: {found:?}");
            if *method != Method::GET {
                answer(own().header("sec-fetch-site", "cross-site")).await.refused(403);
            }
        }
    }
}

async fn too_many_calls_are_refused(kind: Kind) {
    let limits = [("REQUESTS_PER_MINUTE", "40"), ("TRUSTED_PROXIES", "127.0.0.1/32")];
    let waggle = Waggle::with(kind, &limits).await;
    let other = token(&waggle.database, &["read"]);
    let call = |token: &str, from: &str| {
        waggle
            .request(Method::GET, "/api/v1/posts")
            .bearer_auth(token)
            .header("x-forwarded-for", from.to_owned())
    };

    let mut taken = 0;
    let late = loop {
        let response = call(&waggle.token, "192.0.2.1").send().await.unwrap();
        if response.status() == 429 {
            break response;
        }
        taken += 1;
        assert!(response.status() == 200 && taken < 100);
    };
    assert!(taken >= 40, "{taken}");
    let header = |name: &str| late.headers()[name].to_str().unwrap().to_owned();
    let seconds: u32 = header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(
        (header("ratelimit-limit"), header("ratelimit-remaining")),
        ("40".into(), "0".into())
    );
    assert_eq!(header("content-type"), "application/problem+json");
    answer(call(&other, "192.0.2.1")).await.refused(429);
    answer(call(&waggle.token, "192.0.2.2")).await.refused(429);
    answer(call(&other, "192.0.2.2")).await.ok();
    let old = waggle.request(Method::POST, "/api/receive-tweets").bearer_auth(&waggle.token);
    answer(old.header("x-forwarded-for", "192.0.2.3").body("[]")).await.refused(429);
    let alive = waggle.request(Method::GET, "/health/live").header("x-forwarded-for", "192.0.2.1");
    answer(alive).await.ok();
}

async fn the_review_endpoints_need_a_token(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let mut operations = Vec::new();
    for path in ["/twitter/api/tweet-details/1/", "/twitter/sourcetweet/export/"] {
        operations.push((Method::GET, path));
    }
    for path in [
        "/twitter/api/bulk-delete-tweets/",
        "/twitter/api/save-generated-tweet/1/",
        "/twitter/api/approve-generated-tweet/1/",
        "/twitter/api/reject-generated-tweet/1/",
        "/twitter/api/post-tweet-to-x/1/",
    ] {
        operations.push((Method::POST, path));
    }
    for path in ["/twitter/api/delete-tweet/1/", "/twitter/api/delete-generated-tweet/1/"] {
        operations.push((Method::DELETE, path));
    }
    let nothing = token(&waggle.database, &["ingest"]);
    for (method, path) in operations {
        let call = || waggle.request(method.clone(), path).body("{not json");

        answer(call()).await.refused(401);
        answer(call().bearer_auth("nonsense")).await.refused(401);
        answer(call().bearer_auth(&nothing)).await.refused(403);
    }
}

async fn a_token_allows_what_its_scopes_include(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let tweet = waggle.batch("b", &["words"]).await[0];
    let calls: Vec<(&str, Method, String, Option<Value>)> = vec![
        ("read", Method::GET, format!("/api/v1/generated-tweets/{tweet}"), None),
        (
            "write",
            Method::PATCH,
            format!("/api/v1/generated-tweets/{tweet}"),
            Some(json!({ "content": "w" })),
        ),
        ("approve", Method::POST, format!("/api/v1/generated-tweets/{tweet}/approve"), None),
        (
            "publish",
            Method::POST,
            format!("/api/v1/generated-tweets/{tweet}/publish"),
            Some(json!({ "at": "2027-01-01T00:00:00Z" })),
        ),
    ];
    for (needed, method, path, body) in calls {
        for scope in ["ingest", "read", "write", "approve", "publish"] {
            if scope == needed {
                continue;
            }
            let token = token(&waggle.database, &[scope]);
            let call = waggle.request(method.clone(), &path).bearer_auth(&token);
            let refused = answer(call.json(&body.clone().unwrap_or_default())).await.refused(403);
            assert!(refused["detail"].as_str().unwrap().contains(needed), "{refused}");
        }
        let token = token(&waggle.database, &[needed]);
        let mut call = waggle.request(method, &path).bearer_auth(&token);
        if let Some(body) = body {
            call = call.json(&body);
        }
        if needed == "approve" {
            call = call.header("If-Match", "\"2\"");
        }
        answer(call).await.ok();
    }
}

async fn a_tweet_is_edited_approved_rejected_and_restored(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let tweets = waggle.batch("b", &["one", "two", "three", &"x".repeat(281)]).await;
    let [one, two, three, long] = tweets[..] else { panic!("{tweets:?}") };
    let path = |id: i64| format!("/api/v1/generated-tweets/{id}");

    // An edit that is based on an old version is rejected with the current state.
    let edit = |content: &str| json!({ "content": content });
    waggle.send(Method::PATCH, &path(one), Some(edit("1"))).await.ok();
    let stale = waggle
        .request(Method::PATCH, &path(one))
        .bearer_auth(&waggle.token)
        .header("If-Match", "\"1\"")
        .json(&edit("lost"));
    let stale = answer(stale).await.refused(409);
    assert_eq!(stale["current"]["content"], "1", "{stale}");
    assert_eq!(stale["current"]["version"], 2);

    // The error of an invalid action names the status and the allowed actions.
    waggle.act(two, "reject").await.ok();
    let illegal = waggle.act(two, "approve").await.refused(409);
    assert_eq!(illegal["current_status"], "Rejected");
    assert_eq!(illegal["allowed"], json!(["delete", "restore"]));
    let unapproved = waggle.act(one, "publish").await.refused(409);
    assert_eq!(unapproved["current_status"], "Draft");
    assert_eq!(waggle.act(two, "restore").await.ok()["status"], "Brand Aligned");
    waggle.act(long, "approve").await.refused(422);

    // Approve many at once. The one that is too long does not affect the others.
    let mut seen = Vec::new();
    for id in [one, two, three, long] {
        seen.push(json!({ "id": id, "version": waggle.get(&path(id)).await.ok()["version"] }));
    }
    seen.push(json!({ "id": 999_999, "version": 1 }));
    // The third is edited before the approval.
    waggle.send(Method::PATCH, &path(three), Some(edit("3"))).await.ok();
    let many = json!({ "tweets": seen });
    let many = waggle.post("/api/v1/generated-tweets/approve-many", many).await.ok();
    let ids = |list: &Value| -> Vec<i64> {
        let ids = list.as_array().unwrap().iter();
        let mut ids: Vec<i64> = ids.map(|tweet| tweet["id"].as_i64().unwrap()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&many["approved"]), [one, two]);
    assert_eq!(ids(&many["refused"]), [three, long, 999_999]);
    assert_eq!(waggle.get(&path(three)).await.ok()["status"], "Draft");
    // Without the versions that the caller has seen, nothing is approved.
    for unseen in [json!({ "ids": [three] }), json!({ "campaign_batch_id": 1 })] {
        let refused = waggle.post("/api/v1/generated-tweets/approve-many", unseen).await;
        refused.refused(428);
    }
    waggle.send(Method::POST, &format!("{}/approve", path(three)), None).await.refused(428);

    // A deleted tweet can be restored.
    waggle.send(Method::DELETE, &path(three), None).await.ok();
    let restored = waggle.act(three, "restore").await.ok();
    assert_eq!(restored["status"], "Draft");
    // A reason is kept in the history.
    let reason = json!({ "reason": "The claim has no source." });
    waggle.send(Method::POST, &format!("{}/reject", path(three)), Some(reason)).await.ok();
    let rejected = waggle.get(&format!("{}/history?limit=1", path(three))).await.ok();
    assert_eq!(rejected["items"][0]["action"], "reject");
    assert!(rejected.to_string().contains("The claim has no source."), "{rejected}");

    let history = waggle.get(&format!("{}/history?limit=2", path(one))).await.ok();
    let actions: Vec<&str> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["approve", "edit"]);
    assert_eq!(history["items"][1]["content_before"], "one");
    assert!(history["items"][0]["actor"].as_str().unwrap().starts_with("token:"));
    for missing in ["", "/history"] {
        waggle.get(&format!("/api/v1/generated-tweets/999999{missing}")).await.refused(404);
    }
    let approved = waggle.get("/api/v1/generated-tweets?status=Approved").await.ok();
    assert_eq!(approved["items"].as_array().unwrap().len(), 2);
}

async fn batches_are_renamed_deleted_and_restored(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    waggle.batch("b", &["one"]).await;
    let list = waggle.get("/api/v1/campaign-batches").await.ok();
    let path = format!("/api/v1/campaign-batches/{}", list["items"][0]["id"]);

    let renamed =
        waggle.send(Method::PATCH, &path, Some(json!({ "title": "Ein Titel 🐝" }))).await.ok();
    assert_eq!(renamed["title"], "Ein Titel 🐝");
    waggle.send(Method::PATCH, &path, Some(json!({ "title": " " }))).await.refused(422);
    waggle.send(Method::PATCH, &path, Some(json!({ "title": "a\u{0}b" }))).await.refused(422);
    waggle
        .send(Method::PATCH, &path, Some(json!({ "title": "x", "status": "Published" })))
        .await
        .refused(400);
    waggle.send(Method::DELETE, &path, None).await.ok();
    assert_eq!(waggle.get("/api/v1/campaign-batches").await.ok()["items"], json!([]));
    assert_eq!(waggle.get("/api/v1/generated-tweets").await.ok()["items"], json!([]));
    let only = waggle.get("/api/v1/campaign-batches?deleted=only").await.ok();
    assert_eq!(only["items"].as_array().unwrap().len(), 1);
    let restored = waggle.post(&format!("{path}/restore"), Value::Null).await.ok();
    assert_eq!(restored["deleted_at"], Value::Null);
    assert_eq!(restored["status_counts"]["brand_aligned"], 1);
    let stale =
        waggle.request(Method::DELETE, &path).bearer_auth(&waggle.token).header("If-Match", "1");
    assert_eq!(answer(stale).await.refused(409)["current"]["title"], "Ein Titel 🐝");
}

async fn an_export_is_the_list(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    source_tweets(&waggle, "a", &["=1+1", "+1", "plain, \"quoted\"\nlines", "@SUM(A1)"]).await;
    source_tweets(&waggle, "b", &["other"]).await;

    let csv = waggle.get("/api/v1/source-tweets/export?format=csv&execution_id=a&sort=likes").await;
    let lines = waggle.get("/api/v1/source-tweets/export?format=jsonl&min_likes=10").await;

    assert!(csv.content_type.starts_with("text/csv"), "{csv:?}");
    let mut reader = csv::Reader::from_reader(csv.text.as_bytes());
    let contents: Vec<String> =
        reader.records().map(|row| row.unwrap().get(1).unwrap().to_owned()).collect();
    assert_eq!(contents, ["'@SUM(A1)", "plain, \"quoted\"\nlines", "'+1", "'=1+1"]);
    let exported: BTreeSet<String> = lines
        .text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["tweet_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(exported, ["971", "972", "973"].map(str::to_owned).into());
    let old = waggle.get("/twitter/sourcetweet/export/?type=all&execution_id=b").await;
    assert_eq!(old.text.lines().count(), 2, "{old:?}");
}

async fn an_export_covers_many_pages(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let many = vec!["words"; 450];
    let tweets: Vec<Value> = many
        .iter()
        .enumerate()
        .map(|(n, content)| json!({ "Tweet ID": n, "Content": content, "Date": "2025-08-14" }))
        .collect();
    let body = json!({ "execution_id": "e", "tweets": tweets });
    waggle.post("/api/check-duplicate-tweet", body).await.ok();

    let lines = waggle.get("/api/v1/source-tweets/export?format=jsonl").await;

    let ids: BTreeSet<&str> = lines.text.lines().collect();
    assert_eq!(ids.len(), 450);
}

async fn invalid_requests_get_a_reason(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    for (path, status) in [
        ("/api/v1/source-tweets?limit=0", 422),
        ("/api/v1/source-tweets?limit=201", 422),
        ("/api/v1/source-tweets?limit=many", 400),
        ("/api/v1/source-tweets?cursor=nonsense", 422),
        ("/api/v1/source-tweets?sort=password", 400),
        ("/api/v1/source-tweets?date_from=yesterday", 400),
        ("/api/v1/source-tweets?search=%00", 400),
        ("/api/v1/source-tweets?min_likes=9223372036854775808", 400),
        ("/api/v1/source-tweets?date_from=-262143-01-01T00:00:00Z", 422),
        ("/api/v1/generated-tweets?created_from=-4800-01-01T00:00:00Z", 422),
        ("/api/v1/campaign-batches?created_before=-4800-01-01T00:00:00Z", 422),
        ("/api/v1/source-tweets/nonsense", 400),
        ("/api/v1/generated-tweets?status=approved", 400),
        ("/api/v1/nothing", 404),
        ("/nothing", 404),
        ("/api/v1/source-tweets/9223372036854775807", 404),
    ] {
        let refused = waggle.get(path).await.refused(status);
        assert_eq!(refused["status"], status, "{path} {refused}");
        assert!(!refused.to_string().contains("waggle_"), "{refused}");
    }
    waggle.post("/api/v1/source-tweets", Value::Null).await.refused(405);
    let claim = "/api/v1/source-tweets/claim";
    waggle.post_raw(claim, "{\"limit\": 1").await.refused(400);
    waggle.post_raw(claim, format!("{}1{}", "[".repeat(65), "]".repeat(65))).await.refused(422);
    waggle.post_raw(claim, vec![b' '; 1024 * 1024 + 1]).await.refused(413);
    waggle.post(claim, json!({ "limit": 1, "lease_seconds": 1, "more": 1 })).await.refused(400);
    let encoded = waggle
        .request(Method::POST, claim)
        .bearer_auth(&waggle.token)
        .header("content-encoding", "gzip")
        .body("x");
    answer(encoded).await.refused(415);
    let cross = waggle
        .request(Method::POST, claim)
        .bearer_auth(&waggle.token)
        .header("sec-fetch-site", "cross-site")
        .json(&json!({}));
    answer(cross).await.refused(403);
    let page = waggle.request(Method::GET, "/docs").send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = page.text().await.unwrap();
    assert!(!page.contains("https:") && !page.contains("<style") && !page.contains("<script>"));
    for (file, start) in [("swagger-ui.js", "SwaggerUIBundle"), ("swagger-ui.css", ".swagger-ui")] {
        let file = waggle.get(&format!("/docs/{file}")).await;
        assert!(file.status == 200 && file.text.len() > 100_000 && file.text.contains(start));
    }
    assert_eq!(waggle.get("/health/live").await.ok()["status"], "live");
    assert_eq!(waggle.get("/health/ready").await.ok()["status"], "ready");
}

impl Waggle {
    /// Why a call is refused as malformed (400) or invalid (422).
    async fn refusal(&self, method: Method, path: &str, body: Option<&str>) -> String {
        let mut call = self.request(method, path).bearer_auth(&self.token);
        if let Some(body) = body {
            call = call.header("content-type", "application/json").body(body.to_owned());
        }
        let found = answer(call).await;
        // A value of the right type that is out of bounds gives a 422.
        let status = if found.status == 422 { 422 } else { 400 };
        found.refused(status)["detail"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_name_the_field_and_what_is_allowed() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    let said = async |method, path: &str, body| waggle.refusal(method, path, body).await;
    for (path, wanted) in [
        (
            "posts?stauts=failed",
            "the parameter 'stauts' is unknown; known parameters are status, platform, ",
        ),
        ("posts/1?x=1", "the parameter 'x' is unknown: this operation has no parameters"),
        ("posts?limit=x", "the parameter 'limit' must be a whole number from 1 to 200"),
        ("posts?limit=201", "the parameter 'limit' must be a whole number from 1 to 200"),
        ("posts?limit=1&limit=2", "the parameter 'limit' is given more than once"),
        ("posts?platform=myspace", "the parameter 'platform' must be one of x, sandbox"),
        ("posts/abc", "the parameter 'id' must be a whole number"),
        ("posts/9223372036854775808", "the parameter 'id' must be a whole number"),
        ("source-tweets?lapsed=7", "the parameter 'lapsed' must be true or false"),
        (
            "source-tweets?date_from=2026-01-01T10:00",
            "the parameter 'date_from' must be a time with its offset from UTC, such as ",
        ),
    ] {
        let said = said(Method::GET, &format!("/api/v1/{path}"), None).await;
        assert!(said.starts_with(wanted), "{path}: {said}");
    }
    let hush = "hush, a secret";
    for (path, body, wanted) in [
        (
            "source-tweets/claim",
            "{\"limit\": \"x\"}",
            "'limit' must be a whole number from 1 to 200",
        ),
        ("source-tweets/claim", "{\"limit\": -1}", "'limit' must be a whole number from 1 to 200"),
        (
            "source-tweets/claim",
            "{\"foo\": 2}",
            "'foo' is unknown; known fields are limit, lease_seconds",
        ),
        ("source-tweets/claim", "[]", "the body must be an object"),
        ("source-tweets/claim", "{\"limit\": 1", "the body is not JSON: it ends too early"),
        ("source-tweets/claim", "{\"limit\"; 1}", "the body is not JSON: see byte 9"),
        (
            "posts/1/cancel",
            "{\"reason\": \"late\"}",
            "'reason' is unknown: this operation accepts no fields",
        ),
        ("posts/1/cancel", "[1]", "this operation accepts no body"),
        (
            "generated-tweets/approve-many",
            "{\"tweets\": [{\"id\": 1, \"version\": 1}, {\"id\": 2}]}",
            "'tweets[1].version' is missing",
        ),
        ("generated-tweets/approve-many", "{\"tweets\": {}}", "'tweets' must be a list"),
        (
            "generated-tweets/1/publish",
            "{\"at\": \"2026-12-01T10:00\"}",
            "'at' must be a time with its offset from UTC, such as 2026-11-26T12:00:00Z",
        ),
        ("auth/login", "{\"login\": 1, \"password\": \"x\"}", "'login' must be a text"),
        (
            "auth/register/confirm",
            "{\"flow\": \"f\", \"code\": 123456}",
            "'code' must be the digits",
        ),
        (
            "auth/login",
            &format!("{{\"login\": \"a\", \"password\": [\"{hush}\"]}}"),
            "'password' must ",
        ),
    ] {
        let said = said(Method::POST, &format!("/api/v1/{path}"), Some(body)).await;
        assert!(said.starts_with(wanted), "{path} {body}: {said}");
        assert!(!said.contains(hush) && !said.contains("Body"), "{said}");
    }
    // Some clients send a content type, or even a body, with a GET.
    for body in ["", "{\"a\": 1}"] {
        let read = waggle.request(Method::GET, "/api/v1/posts").bearer_auth(&waggle.token);
        answer(read.header("content-type", "application/json").body(body)).await.ok();
    }
    // A body with another content type is rejected, not ignored.
    for kind in ["text/plain", "application/vnd.api+json", "application/octet-stream"] {
        let call =
            waggle.request(Method::POST, "/api/v1/posts/1/cancel").bearer_auth(&waggle.token);
        answer(call.header("content-type", kind).body("{\"a\": 1}")).await.refused(415);
    }
    // An unreadable version does not count as missing.
    let reject = || {
        let path = "/api/v1/generated-tweets/1/reject";
        waggle.request(Method::POST, path).bearer_auth(&waggle.token)
    };
    let odd = reqwest::header::HeaderValue::from_bytes(b"\xff").unwrap();
    answer(reject().header("if-match", odd)).await.refused(400);
    answer(reject().header("if-match", "1").header("if-match", "2")).await.refused(400);
    answer(reject().header("if-match", "1")).await.refused(404);
    // Optional fields can be null.
    let path = "/api/v1/generated-tweets/1/publish";
    waggle.post(path, json!({ "platform": null, "at": null })).await.refused(404);
}

async fn repeated_publish_calls_publish_once(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let tweet = waggle.batch("b", &["words"]).await[0];
    waggle.act(tweet, "approve").await.ok();

    let pressed =
        futures_util::future::join_all((0..16).map(|_| waggle.act(tweet, "publish"))).await;

    let mut posts = BTreeSet::new();
    for answer in pressed {
        // Calls after publication get a 409.
        if answer.status != 409 {
            posts.insert(answer.ok()["post"]["id"].as_i64().unwrap());
        }
    }
    assert_eq!(posts.len(), 1);
    waggle.until_published(*posts.first().unwrap()).await;
    assert_eq!(waggle.timeline().await, ["words"]);
}

async fn a_post_waits_for_its_time_and_can_be_cancelled(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let tweets = waggle.batch("b", &["one", "two"]).await;
    let later = (chrono::Utc::now() + chrono::Duration::hours(1)).to_rfc3339();
    let mut posts = Vec::new();
    for tweet in &tweets {
        waggle.act(*tweet, "approve").await.ok();
        let path = format!("/api/v1/generated-tweets/{tweet}/publish");
        let queued = waggle.post(&path, json!({ "at": later })).await.ok();
        posts.push(queued["post"]["id"].as_i64().unwrap());
    }

    let cancelled =
        waggle.post(&format!("/api/v1/posts/{}/cancel", posts[0]), Value::Null).await.ok();
    assert_eq!(cancelled["status"], "cancelled");
    waggle.post(&format!("/api/v1/posts/{}/cancel", posts[0]), Value::Null).await.refused(409);
    // An edit withdraws the approval, which cancels the post.
    let path = format!("/api/v1/generated-tweets/{}", tweets[1]);
    waggle.send(Method::PATCH, &path, Some(json!({ "content": "other" }))).await.ok();
    let post = waggle.get(&format!("/api/v1/posts/{}", posts[1])).await.ok();
    assert_eq!(post["status"], "cancelled");

    let to_x = json!({ "platform": "x" });
    waggle.act(tweets[1], "approve").await.ok();
    let path = format!("/api/v1/generated-tweets/{}/publish", tweets[1]);
    waggle.post(&path, to_x).await.refused(409);
    waggle.post(&path, json!({ "platform": "myspace" })).await.refused(422);
    for at in ["2999-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "-5000-01-01T00:00:00Z"] {
        waggle.post(&path, json!({ "at": at })).await.refused(422);
    }
    assert!(waggle.timeline().await.is_empty());
    let list = waggle.get("/api/v1/posts?status=cancelled&platform=sandbox").await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

async fn a_deleted_batch_publishes_nothing(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let tweet = waggle.batch("b", &["words"]).await[0];
    waggle.act(tweet, "approve").await.ok();
    let later = (chrono::Utc::now() + chrono::Duration::hours(1)).to_rfc3339();
    let path = format!("/api/v1/generated-tweets/{tweet}/publish");
    let queued = waggle.post(&path, json!({ "at": later })).await.ok();
    let batch =
        format!("/api/v1/campaign-batches/{}", queued["post"]["twitter"]["campaign_batch_id"]);

    waggle.send(Method::DELETE, &batch, None).await.ok();

    let post = waggle.get(&format!("/api/v1/posts/{}", queued["post"]["id"])).await.ok();
    assert_eq!(post["status"], "cancelled");
    waggle.act(tweet, "publish").await.refused(409);
    waggle.post(&format!("{batch}/restore"), Value::Null).await.ok();
    waggle.act(tweet, "publish").await.refused(428);
    let seen = waggle.get(&format!("/api/v1/generated-tweets/{tweet}")).await.ok();
    let again = waggle.publish_at(tweet, seen["version"].as_i64(), json!({})).await.ok();
    waggle.until_published(again["post"]["id"].as_i64().unwrap()).await;
    assert_eq!(waggle.timeline().await, ["words"]);
}

async fn the_review_endpoints_still_work(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    source_tweets(&waggle, "a", &["one", "two", "three"]).await;
    let tweets = waggle.batch("b", &["one", "two"]).await;
    let ids: Vec<i64> = waggle.get("/api/v1/source-tweets?order=asc").await.ok()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tweet| tweet["id"].as_i64().unwrap())
        .collect();

    let details = waggle.get(&format!("/twitter/api/tweet-details/{}/", ids[0])).await.ok();
    assert_eq!(details["tweet"]["content"], "one");
    let deleted = waggle
        .send(Method::DELETE, &format!("/twitter/api/delete-tweet/{}/", ids[0]), None)
        .await
        .ok();
    assert_eq!(deleted["message"], "Tweet 970 deleted successfully");
    for path in ["tweet-details/999/", "tweet-details/nonsense/"] {
        let missing = waggle.get(&format!("/twitter/api/{path}")).await.refused(404);
        assert_eq!(missing["success"], false);
    }
    let bulk = "/twitter/api/bulk-delete-tweets/";
    let body = |ids: Value| Some(json!({ "tweet_ids": ids }));
    let done = waggle
        .send(Method::DELETE, bulk, body(json!([ids[1], ids[2].to_string(), 999])))
        .await
        .ok();
    assert_eq!(done["deleted_count"], 2);
    waggle.send(Method::POST, bulk, body(json!([ids[1]]))).await.refused(404);
    waggle.send(Method::POST, bulk, body(json!([]))).await.refused(400);
    waggle.send(Method::POST, bulk, body(json!("5"))).await.refused(422);
    waggle.send(Method::POST, bulk, body(json!(["x"]))).await.refused(422);

    let path = |action: &str, id: i64| format!("/twitter/api/{action}/{id}/");
    let saved = waggle
        .post(&path("save-generated-tweet", tweets[0]), json!({ "content": "né" }))
        .await
        .ok();
    assert_eq!(saved["character_count"], 2);
    waggle
        .post(&path("save-generated-tweet", tweets[0]), json!({ "content": null }))
        .await
        .refused(422);
    waggle.post(&path("post-tweet-to-x", tweets[0]), Value::Null).await.refused(409);
    waggle.post(&path("approve-generated-tweet", tweets[0]), Value::Null).await.ok();
    let queued = waggle.post(&path("post-tweet-to-x", tweets[0]), Value::Null).await.ok();
    assert_eq!(queued["platform"], "sandbox");
    waggle.until_published(queued["post_id"].as_i64().unwrap()).await;
    waggle.post(&path("reject-generated-tweet", tweets[1]), Value::Null).await.ok();
    waggle.send(Method::DELETE, &path("delete-generated-tweet", tweets[1]), None).await.ok();
    let refused =
        waggle.post(&path("approve-generated-tweet", 999), Value::Null).await.refused(404);
    assert_eq!(refused["success"], false);
}

/// Calls actions in a random order. Only approved texts are published, unchanged and once.
async fn only_approved_texts_are_published(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let tweets = waggle.batch("b", &["a 0", "b 0", "c 0", "d 0"]).await;
    let mut approved = BTreeSet::new();
    // A fixed sequence of pseudorandom numbers, so that each run makes the same calls.
    let mut state = 42_u64;
    let mut chance = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for step in 0..240 {
        let tweet = tweets[usize::try_from(chance(4)).unwrap()];
        let path = format!("/api/v1/generated-tweets/{tweet}");
        let answer = match chance(12) {
            0..=2 => {
                let words = json!({ "content": format!("words {step} of {tweet}") });
                waggle.send(Method::PATCH, &path, Some(words)).await
            }
            3..=5 => {
                let answer = waggle.act(tweet, "approve").await;
                if answer.status == 200 {
                    approved.insert(answer.json()["content"].as_str().unwrap().to_owned());
                }
                answer
            }
            6 => waggle.act(tweet, "reject").await,
            7..=8 => waggle.act(tweet, "restore").await,
            9 => waggle.send(Method::DELETE, &path, None).await,
            10 => waggle.act(tweet, "publish").await,
            _ => {
                let at = chrono::Utc::now() + chrono::Duration::milliseconds(200);
                waggle.post(&format!("{path}/publish"), json!({ "at": at.to_rfc3339() })).await
            }
        };
        assert!(matches!(answer.status, 200 | 409 | 428), "{answer:?}");
    }
    // Every queued post is published or was cancelled.
    waggle.until("/api/v1/posts?status=scheduled", |posts| posts["items"] == json!([])).await;
    waggle.until("/api/v1/posts?status=publishing", |posts| posts["items"] == json!([])).await;

    let public = waggle.timeline().await;
    assert!(!public.is_empty(), "the sequence publishes something");
    assert!(public.len() <= tweets.len());
    for text in &public {
        assert!(approved.contains(text), "{text} was never approved");
    }
    let posted = waggle.get("/api/v1/generated-tweets?status=Posted").await.ok();
    assert_eq!(posted["items"].as_array().unwrap().len(), public.len());
}

async fn no_secret_and_no_body_is_logged(kind: Kind) {
    let settings = [
        ("WAGGLE_LOG", "trace"),
        ("TWITTER_API_SECRET", "hush-hush-consumer"),
        ("TWITTER_OAUTH2_TOKEN", ""),
    ];
    let waggle = Waggle::with(kind, &settings).await;
    source_tweets(&waggle, "a", &["content-nobody-logs"]).await;
    let tweet = waggle.batch("b", &["words-nobody-logs"]).await[0];
    let post = waggle.publish(tweet).await;
    waggle.until_published(post).await;
    waggle.post_raw("/api/receive-tweets", "broken-body-nobody-logs").await.refused(400);
    let wrong = "wgl_0123456789ab_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    answer(waggle.request(Method::GET, "/api/v1/posts").bearer_auth(wrong)).await.refused(401);

    let log = waggle.log();

    // Delete the file, as the operator is told to.
    let path = waggle.database.folder.0.join("first-token");
    let first = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    let secrets = [
        waggle.token.as_str(),
        first.trim(),
        wrong,
        "hush-hush-consumer",
        "broken-body-nobody-logs",
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "the log has {secret}");
    }
    assert!(log.contains("request.id"), "{log}");
    let bytes: Vec<u8> = std::fs::read_dir(&waggle.database.folder.0)
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.unwrap().path()).ok())
        .flatten()
        .collect();
    for secret in [waggle.token.as_str(), first.trim()] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "a token is stored unencrypted");
    }
}

/// A caller without a token gets an error before the body arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_without_a_token_is_rejected_before_the_body_arrives() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    let address = waggle.process.base.trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "POST /api/v1/source-tweets/claim HTTP/1.1\r\nHost: x\r\n\
                Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();

    let mut answer = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await;

    read.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

/// A field that can be missing, but not null, does not have null as its default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_has_no_default_that_its_schemas_reject() {
    let waggle = Waggle::start(Kind::Sqlite).await;

    let document = waggle.get("/openapi.json").await;

    assert_eq!(document.status, 200);
    assert!(
        !document.text.contains("\"default\":null") && !document.text.contains("\"default\": null")
    );
}

/// An invalid request is an error of the caller, never of the database.
async fn malformed_requests_get_a_400(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let address = waggle.process.base.trim_start_matches("http://").to_owned();
    let said = async |line: &str, hosts: &str| {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "{line}\r\n{hosts}Authorization: Bearer {}\r\nConnection: close\r\n\r\n",
            waggle.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    for path in [
        "/api/v1/settings/custom.a%00b",
        "/api/generated-tweets/a%00b",
        "/api/v1/source-tweets?q=a%00b",
        "/%00",
    ] {
        let answer = said(&format!("GET {path} HTTP/1.1"), "Host: x\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("NUL"), "{path} {answer}");
    }
    for hosts in ["", "Host: x\r\nHost: y\r\n"] {
        let answer = said("GET /api/v1/posts HTTP/1.1", hosts).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("Host"), "{answer}");
    }
    let answer = said("GET /api/v1/posts HTTP/1.0", "").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    // A long path is shortened in the log.
    let endless = format!("GET /{} HTTP/1.1", "x".repeat(5_000));
    assert!(said(&endless, "Host: x\r\n").await.starts_with("HTTP/1.1 404 "));
    let log = waggle.log();
    assert!(log.contains("xxxx") && !log.contains(&"x".repeat(300)), "{log}");
}

/// A head that arrives byte by byte does not hold a connection forever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_request_head_is_cut_off() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    let address = waggle.process.base.trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let begun = Instant::now();
    let (mut reader, mut writer) = stream.into_split();

    let closed = tokio::spawn(async move { reader.read_to_end(&mut Vec::new()).await });
    while !closed.is_finished() && begun.elapsed() < Duration::from_secs(30) {
        let _ = writer.write_all(b"X-Drip: 1\r\n").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    assert!(closed.is_finished(), "still open after {:?}", begun.elapsed());
}

on_both! {
    malformed_requests_get_a_400,
    every_operation_is_open_to_the_documented_callers,
    too_many_calls_are_refused,
    the_review_endpoints_need_a_token,
    a_token_allows_what_its_scopes_include,
    a_tweet_is_edited_approved_rejected_and_restored,
    batches_are_renamed_deleted_and_restored,
    an_export_is_the_list,
    an_export_covers_many_pages,
    invalid_requests_get_a_reason,
    repeated_publish_calls_publish_once,
    a_post_waits_for_its_time_and_can_be_cancelled,
    a_deleted_batch_publishes_nothing,
    the_review_endpoints_still_work,
    only_approved_texts_are_published,
    no_secret_and_no_body_is_logged,
}
