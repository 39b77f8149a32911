//! Tests of authentication: who can sign in, what each role can do, and what the audit log records.

use std::sync::Arc;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::database::{Database, Kind};
use crate::{Answer, Waggle, answer, execute, on_both, run};

const PASSWORD: &str = "correct staple, battery horse";

/// Creates a user on the command line and returns the id.
#[track_caller]
pub(crate) fn user(waggle: &Waggle, name: &str, role: &str) -> i64 {
    let email = format!("{name}@hive.example");
    let arguments =
        ["users", "create", "--email", &email, "--role", role, "--password-stdin", "--json"];
    let output = run(&waggle.database, &arguments, PASSWORD);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    made["id"].as_i64().unwrap()
}

/// The text that a query returns.
async fn text(database: &Database, sql: &str) -> String {
    if let Some(path) = database.url.strip_prefix("sqlite://") {
        let connection = rusqlite::Connection::open(path).unwrap();
        return connection.query_row(sql, [], |row| row.get(0)).unwrap();
    }
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let found = client.query_one(sql, &[]).await.unwrap().get(0);
    drop(client);
    let _ = driver.await;
    found
}

/// A browser with a signed-in user.
pub(crate) struct Browser<'a> {
    pub(crate) waggle: &'a Waggle,
    pub(crate) cookie: String,
}

/// The cookie in the response to a sign-in.
pub(crate) fn cookie(response: &Response) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

impl Waggle {
    pub(crate) fn login(&self, login: &str, password: &str) -> RequestBuilder {
        self.request(Method::POST, "/api/v1/auth/login")
            .json(&json!({ "login": login, "password": password }))
    }

    pub(crate) async fn browser(&self, login: &str) -> Browser<'_> {
        let response = self.login(login, PASSWORD).send().await.unwrap();
        assert_eq!(response.status(), 200);
        Browser { waggle: self, cookie: cookie(&response) }
    }
}

impl Browser<'_> {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.waggle
            .request(method, &format!("/api/v1{path}"))
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        answer(self.request(method, path).json(&body)).await
    }
}

async fn a_user_signs_in_and_out(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let id = user(&waggle, "joe", "editor");

    for login in ["joe", "JOE", "joe@hive.example", " Joe@Hive.Example "] {
        answer(waggle.login(login, PASSWORD)).await.ok();
    }
    let response = waggle.login("joe", PASSWORD).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    let browser = waggle.browser("joe").await;
    let me = browser.get("/me").await.ok();
    assert!(cookie.starts_with("waggle_session=wgs_"), "{cookie}");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=1209600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!((&me["user"]["id"], &me["actor"]), (&json!(id), &json!(format!("user:{id}:joe"))));
    assert_eq!(me["scopes"], json!(["ingest", "read", "write"]));
    assert!(!me.to_string().contains("argon2"), "{me}");

    let open = browser.get("/sessions").await.ok();
    assert_eq!(open["items"].as_array().unwrap().len(), 6);
    assert_eq!(open["items"][0]["is_this"], true, "{open}");
    let other = open["items"][1]["id"].as_i64().unwrap();
    browser.send(Method::DELETE, &format!("/sessions/{other}"), json!({})).await.ok();
    browser.send(Method::DELETE, &format!("/sessions/{other}"), json!({})).await.refused(404);
    let ended = browser.send(Method::DELETE, "/sessions", json!({})).await.ok();
    assert_eq!(ended["ended"], 4);
    let again = waggle.browser("joe").await;
    let gone = again.request(Method::POST, "/auth/logout").send().await.unwrap();
    assert!(gone.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    again.get("/me").await.refused(401);
    browser.get("/me").await.ok();
    // With TLS, the cookie is sent over TLS only.
    let settings = json!({ "value": "https://waggle.hive.example" });
    waggle.send(Method::PUT, "/api/v1/settings/PUBLIC_URL", Some(settings)).await.ok();
    let response = waggle.login("joe", PASSWORD).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-waggle_session=") && cookie.contains("; Secure"),
        "{cookie}"
    );
}

async fn every_failed_sign_in_gets_the_same_response(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    user(&waggle, "joe", "viewer");
    user(&waggle, "eve", "viewer");
    let shut = run(&waggle.database, &["users", "deactivate", "eve"], "");
    assert!(shut.status.success());

    let mut answers = Vec::new();
    for (login, password) in [
        ("joe", "not the password"),
        ("joe", ""),
        ("nobody", PASSWORD),
        ("eve", PASSWORD),
        ("eve", "not the password"),
        ("no@such@login", PASSWORD),
        ("", PASSWORD),
        ("joe\u{0}", PASSWORD),
    ] {
        let mut refused = answer(waggle.login(login, password)).await.refused(401);
        refused["request_id"] = Value::Null;
        answers.push(refused);
    }
    answer(waggle.login("joe", &"x".repeat(10_000))).await.refused(401);
    answer(waggle.login("joe", &"x".repeat(100_000))).await.refused(413);

    assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
    let unknown = json!({ "login": "joe", "password": PASSWORD, "role": "admin" });
    let request = waggle.request(Method::POST, "/api/v1/auth/login").json(&unknown);
    answer(request).await.refused(400);
}

async fn failed_sign_ins_are_counted_exactly_and_across_restarts(kind: Kind) {
    let mut waggle = Waggle::start(kind).await;
    user(&waggle, "joe", "viewer");
    user(&waggle, "eve", "viewer");
    waggle.admin().await;
    let enough = |most: u32| json!({ "values": { "LOGIN_FAILURES_PER_ACCOUNT": most } });
    // Sign-in is slowed down after half of this number, here after 8 guesses.
    waggle.send(Method::PATCH, "/api/v1/settings", Some(enough(16))).await.ok();

    let guesses = (0..16).map(|n| {
        // Upper and lower case are the same name.
        let login = ["joe", " JOE", "Joe ", "jOe"][n % 4];
        tokio::spawn(waggle.login(login, &format!("guess number {n}")).send())
    });
    let mut statuses = Vec::new();
    for guess in guesses.collect::<Vec<_>>() {
        statuses.push(guess.await.unwrap().unwrap().status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![401; 8], vec![429; 8]].concat());

    let response = waggle.login("joe", PASSWORD).send().await.unwrap();
    assert_eq!(response.status(), 429, "the right password does not help either");
    let seconds: i64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=301).contains(&seconds), "{seconds}");
    waggle.process.terminate();
    waggle.again(&[]);
    answer(waggle.login("joe", PASSWORD)).await.refused(429);
    // The other login of the same user does not help, and is rejected like an unknown one.
    answer(waggle.login("joe@hive.example", PASSWORD)).await.refused(401);
    // After half of the failures, there is a pause of a tenth of the window.
    assert_eq!(response.headers()["ratelimit-limit"], "8");
    assert!(seconds <= 31, "{seconds}");
    // Another account is not affected until the client has too many failures: 19 so far.
    answer(waggle.login("eve", PASSWORD)).await.ok();
    answer(waggle.login("eve", "wrong again, eve")).await.refused(401);
    answer(waggle.login("eve", PASSWORD)).await.refused(429);
    // A changed setting takes effect at once.
    let more = json!({ "values": {
        "LOGIN_FAILURES_PER_ACCOUNT": 900, "LOGIN_FAILURES_PER_CLIENT": 900,
    } });
    waggle.send(Method::PATCH, "/api/v1/settings", Some(more)).await.ok();
    answer(waggle.login("joe", PASSWORD)).await.ok();
}

async fn another_site_cannot_use_a_session(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    user(&waggle, "joe", "editor");
    let browser = waggle.browser("joe").await;
    let host = waggle.process.base.trim_start_matches("http://").to_owned();
    let call = |header: Option<(&str, String)>| {
        let request =
            waggle.request(Method::DELETE, "/api/v1/sessions").header("cookie", &browser.cookie);
        match header {
            Some((name, value)) => request.header(name, value),
            None => request,
        }
    };

    for header in [
        None,
        Some(("sec-fetch-site", "cross-site".to_owned())),
        Some(("sec-fetch-site", "same-site".to_owned())),
        Some(("origin", "https://evil.example".to_owned())),
        Some(("origin", "null".to_owned())),
        Some(("origin", format!("http://{host}.evil.example"))),
    ] {
        answer(call(header)).await.refused(403);
    }
    for header in [
        ("sec-fetch-site", "same-origin".to_owned()),
        ("sec-fetch-site", "none".to_owned()),
        ("origin", format!("http://{host}")),
    ] {
        answer(call(Some(header))).await.ok();
    }
    // Another site cannot sign a user in either.
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        answer(waggle.login("joe", PASSWORD).header(name, value)).await.refused(403);
    }
    // If there is a token as well as a cookie, the token decides.
    let token = crate::process::token(&waggle.database, &["ingest"]);
    let both = browser.request(Method::GET, "/me").bearer_auth(token);
    answer(both).await.refused(403);
    for cookie in ["waggle_session=", "waggle_session=wgs_x", "waggle_session=wgl_x; a=b", "x"] {
        let request = waggle.request(Method::GET, "/api/v1/me").header("cookie", cookie);
        answer(request).await.refused(401);
    }
}

async fn a_role_allows_what_it_includes(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let tweet = waggle.batch("b", &["words"]).await[0];
    let tweet = format!("/generated-tweets/{tweet}");
    let calls = [
        (Method::GET, "/posts".to_owned(), json!({}), 0),
        (Method::PATCH, tweet.clone(), json!({ "content": "other words" }), 1),
        (Method::POST, format!("{tweet}/approve"), json!({}), 2),
        (Method::POST, format!("{tweet}/publish"), json!({}), 2),
        (Method::GET, "/settings".to_owned(), json!({}), 3),
        (Method::GET, "/users".to_owned(), json!({}), 3),
        (Method::GET, "/auth-events".to_owned(), json!({}), 3),
    ];
    for (rank, role) in ["viewer", "editor", "approver", "admin"].into_iter().enumerate() {
        user(&waggle, role, role);
        let browser = waggle.browser(role).await;
        for (method, path, body, needed) in &calls {
            let found = browser.send(method.clone(), path, body.clone()).await;
            if rank < *needed {
                found.refused(403);
            } else {
                assert!(found.status != 403 && found.status != 401, "{role} {path} {found:?}");
            }
        }
    }
    // An API token cannot create users, whatever its scopes are.
    let made = json!({ "email": "x@hive.example", "role": "admin" });
    waggle.post("/api/v1/users", made).await.refused(403);
    let history = waggle.get(&format!("/api/v1{tweet}/history")).await.ok();
    assert!(history.to_string().contains("user:"), "the history names the user: {history}");
}

async fn admins_manage_users(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let boss = user(&waggle, "boss", "admin");
    let admin = waggle.browser("boss").await;
    let nobody = json!({ "email": "new@hive.example", "role": "viewer" });
    admin.send(Method::POST, "/users", nobody).await.refused(403);
    let domains = json!({ "values": { "ALLOWED_DOMAIN": ["hive.example", "b.example"] } });
    admin.send(Method::PATCH, "/settings", domains).await.ok();
    let body = json!({ "email": "New@Hive.example", "role": "viewer", "password": PASSWORD,
                       "first_name": "Νίκη" });
    let made = admin.send(Method::POST, "/users", body.clone()).await.ok();
    assert_eq!((&made["email"], &made["username"]), (&json!("new@hive.example"), &json!("new")));
    admin.send(Method::POST, "/users", body).await.refused(409);
    for (bad, status) in [
        (json!({ "email": "no address", "role": "viewer" }), 422),
        (json!({ "email": "a@b.example", "role": "root" }), 400),
        (json!({ "email": "a@b.example", "role": "viewer", "password": "short" }), 422),
        (json!({ "email": "a@b.example", "role": "viewer", "password": "password123" }), 422),
        (
            json!({ "email": "someone@b.example", "role": "viewer", "password": "I am Someone!" }),
            422,
        ),
        (json!({ "email": "a@b.example", "role": "viewer", "is_super_admin": true }), 400),
        (json!({ "email": "a@b.example", "role": "viewer", "first_name": "a\u{202e}b" }), 422),
    ] {
        admin.send(Method::POST, "/users", bad).await.refused(status);
    }

    let path = format!("/users/{}", made["id"]);
    let theirs = waggle.browser("new").await;
    let promoted = admin.send(Method::PATCH, &path, json!({ "role": "approver" })).await.ok();
    assert_eq!(promoted["role"], "approver");
    theirs.get("/me").await.refused(401);
    let theirs = waggle.browser("new").await;
    let stale = admin
        .request(Method::PATCH, &path)
        .header("If-Match", "1")
        .json(&json!({ "first_name": "x" }));
    assert_eq!(answer(stale).await.refused(409)["current"]["role"], "approver");
    admin.send(Method::PATCH, &path, json!({ "is_active": false })).await.ok();
    theirs.get("/me").await.refused(401);
    answer(waggle.login("new", PASSWORD)).await.refused(401);
    admin.send(Method::PATCH, &path, json!({ "is_active": true })).await.ok();

    // Admins cannot change their own role, and the last admin cannot be deactivated.
    let own = format!("/users/{boss}");
    admin.send(Method::PATCH, &own, json!({ "role": "viewer" })).await.refused(403);
    admin.send(Method::PATCH, &own, json!({ "first_name": "Boss" })).await.ok();
    assert!(!run(&waggle.database, &["users", "deactivate", "boss"], "").status.success());
    admin.get("/users/999").await.refused(404);

    // A change of the own password needs the current one, and ends all other sessions.
    let elsewhere = waggle.browser("boss").await;
    let wanted = "another staple, other horse";
    let change = |present: &str| json!({ "present": present, "wanted": wanted });
    admin.send(Method::POST, "/me/password", change("wrong")).await.refused(403);
    admin.send(Method::POST, "/me/password", change(PASSWORD)).await.ok();
    elsewhere.get("/me").await.refused(401);
    admin.get("/me").await.ok();
    answer(waggle.login("boss", wanted)).await.ok();
    let reset =
        run(&waggle.database, &["users", "reset-password", "boss", "--password-stdin"], PASSWORD);
    assert!(reset.status.success(), "{}", String::from_utf8_lossy(&reset.stderr));
    admin.get("/me").await.refused(401);
    let list = run(&waggle.database, &["users", "list"], "");
    assert!(String::from_utf8_lossy(&list.stdout).contains("boss@hive.example"));
}

async fn auth_events_are_recorded_or_nothing_happens(kind: Kind) {
    let waggle = Waggle::with(kind, &[("DOMAIN_RESTRICTION_ENABLED", "false")]).await;
    let id = user(&waggle, "boss", "admin");
    answer(waggle.login("boss", "not the password")).await.refused(401);
    answer(waggle.login("line\nbreak@hive.example", "x")).await.refused(401);
    let admin = waggle.browser("boss").await;

    let all = admin.get("/auth-events").await.ok();
    let told: Vec<(&str, &Value)> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["event_type"].as_str().unwrap(), &event["user_id"]))
        .collect();
    assert_eq!(
        told,
        [
            ("LOGIN_SUCCESS", &json!(id)),
            ("LOGIN_FAILURE", &Value::Null),
            ("LOGIN_FAILURE", &json!(id)),
            ("USER_CREATED", &json!(id)),
            ("TOKEN_CREATED", &Value::Null),
            ("TOKEN_CREATED", &Value::Null),
        ]
    );
    assert_eq!(all["items"][0]["ip_address"], "127.0.0.1");
    assert_eq!(all["items"][1]["email"], "", "text that is not an address may be a password");
    let failures = admin.get("/auth-events?event_type=LOGIN_FAILURE&limit=1").await.ok();
    assert_eq!(failures["items"].as_array().unwrap().len(), 1);
    assert!(failures["next_cursor"].is_string());
    admin.get("/auth-events?event_type=NONSENSE").await.refused(422);
    let csv = admin.get("/auth-events/export").await;
    assert!(csv.status == 200 && csv.content_type.starts_with("text/csv"), "{csv:?}");
    assert!(csv.text.starts_with("ID,Time,Event,User ID,Email,Actor,"), "{csv:?}");
    let lines = admin.get("/auth-events/export?format=jsonl&event_type=LOGIN_FAILURE").await;
    assert_eq!(lines.text.lines().count(), 2, "{lines:?}");
    let exported = admin.get("/auth-events?event_type=AUTH_EVENTS_EXPORTED").await.ok();
    assert_eq!(exported["items"].as_array().unwrap().len(), 2);

    // If an event cannot be recorded, the action fails.
    execute(&waggle.database, "ALTER TABLE new_events RENAME TO lost").await.unwrap();
    answer(waggle.login("boss", PASSWORD)).await.refused(500);
    let body = json!({ "email": "x@hive.example", "role": "viewer" });
    admin.send(Method::POST, "/users", body).await.refused(500);
    execute(&waggle.database, "ALTER TABLE lost RENAME TO new_events").await.unwrap();
    let users = admin.get("/users").await.ok();
    assert_eq!(users["items"].as_array().unwrap().len(), 1);
    assert!(!waggle.log().contains(PASSWORD) && !waggle.log().contains("not the password"));
    assert!(!waggle.log().contains("wgs_"));
}

async fn passwords_of_the_django_application_still_work(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let id = user(&waggle, "joe", "viewer");
    let set = |hash: &str| format!("UPDATE users SET password = '{hash}' WHERE id = {id}");
    // "lètmein-please", by Python's hashlib.pbkdf2_hmac.
    let django = "pbkdf2_sha256$1000$seasalt$szc9JykQ1PYPR/+L2AAHkdi5CvEFPBEm61xjRq7jOQI=";
    execute(&waggle.database, &set(django)).await.unwrap();

    answer(waggle.login("joe", "letmein-please")).await.refused(401);
    answer(waggle.login("joe", "lètmein-please")).await.ok();
    let kept = text(&waggle.database, "SELECT password FROM users").await;
    assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "it was rehashed: {kept}");
    answer(waggle.login("joe", "lètmein-please")).await.ok();
    for nothing in ["", "!", "!kXp0"] {
        execute(&waggle.database, &set(nothing)).await.unwrap();
        answer(waggle.login("joe", nothing)).await.refused(401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_expire() {
    let waggle = Arc::new(Waggle::start(Kind::Sqlite).await);
    user(&waggle, "joe", "viewer");
    let browser = waggle.browser("joe").await;
    browser.get("/me").await.ok();

    execute(&waggle.database, "UPDATE sessions SET idle_until = created_at").await.unwrap();
    browser.get("/me").await.refused(401);
    let browser = waggle.browser("joe").await;
    browser.get("/me").await.ok();
    execute(&waggle.database, "UPDATE sessions SET ends_at = created_at").await.unwrap();
    browser.get("/me").await.refused(401);
}

on_both! {
    a_user_signs_in_and_out,
    every_failed_sign_in_gets_the_same_response,
    failed_sign_ins_are_counted_exactly_and_across_restarts,
    another_site_cannot_use_a_session,
    a_role_allows_what_it_includes,
    admins_manage_users,
    auth_events_are_recorded_or_nothing_happens,
    passwords_of_the_django_application_still_work,
}
