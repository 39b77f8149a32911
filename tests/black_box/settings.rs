//! Tests of settings that are changed while servers run.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::{EndpointExt as _, Request, Response, Server};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::database::{Database, Kind};
use crate::process::{Process, command, token};
use crate::{Answer, Waggle, answer, execute, on_both, run};

/// The maximum time for a change to reach every server.
const EVERYWHERE: Duration = Duration::from_secs(2);

impl Waggle {
    pub(crate) async fn put(&self, key: &str, value: Value) -> Answer {
        let path = format!("/api/v1/settings/{key}");
        self.send(Method::PUT, &path, Some(json!({ "value": value }))).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    async fn patch(&self, values: Value) -> Answer {
        self.send(Method::PATCH, "/api/v1/settings", Some(json!({ "values": values }))).await
    }

    async fn setting(&self, key: &str) -> Value {
        self.get(&format!("/api/v1/settings/{key}")).await.ok()
    }
}

#[track_caller]
fn ran(database: &Database, arguments: &[&str], input: &str) -> String {
    let output = run(database, arguments, input);
    assert!(output.status.success(), "{arguments:?} {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn failed(database: &Database, arguments: &[&str], input: &str) -> String {
    let output = run(database, arguments, input);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A server that responds like X for the account `@hive`, and records the credentials that it gets.
pub(crate) async fn fake_x() -> (String, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let endpoint = poem::endpoint::make_sync(move |request: Request| {
        let shown = request.header("authorization").unwrap_or_default().to_owned();
        let is_known = shown.starts_with("Bearer good-") || shown.starts_with("OAuth ");
        record.lock().unwrap().push(shown);
        let (status, body) = match (is_known, request.uri().path()) {
            (false, _) => (401, json!({ "title": "Unauthorized" })),
            (true, "/2/users/me") => (200, json!({ "data": { "id": "7", "username": "hive" } })),
            (true, _) => (201, json!({ "data": { "id": "42", "text": "words" } })),
        };
        Response::builder()
            .status(poem::http::StatusCode::from_u16(status).unwrap())
            .content_type("application/json")
            .body(body.to_string())
    });
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = acceptor.local_addr()[0].to_string();
    let address = address.trim_start_matches("socket://").to_owned();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint.map_to_response()));
    (format!("http://{address}"), seen)
}

async fn a_change_takes_effect_at_once(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let body = json!({ "execution_id": "run", "tweets": [
        { "id": "1", "text": "words", "createdAt": "2025-08-14T14:30:31Z" },
    ] });
    let unknown = || waggle.request(Method::POST, "/api/check-duplicate-tweet").json(&body);
    answer(unknown()).await.refused(401);

    let set = waggle.put("TRUSTED_INGEST_NETWORKS", json!("127.0.0.0/8")).await.ok();
    answer(unknown()).await.ok();
    waggle.delete("/api/v1/settings/TRUSTED_INGEST_NETWORKS").await.ok();
    answer(unknown()).await.refused(401);

    assert_eq!(set["value"], json!(["127.0.0.0/8"]));
    assert_eq!((&set["source"], &set["is_set"]), (&json!("database"), &json!(true)));
    assert!(set["updated_by"].as_str().unwrap().starts_with("user:"), "{set}");
    // Limits also take effect at once.
    waggle.put("INGEST_MAX_ITEMS", json!(1)).await.ok();
    let two = json!([body, body]);
    let refused = waggle.post("/api/check-duplicate-tweet", two.clone()).await;
    assert!(refused.status == 400 && refused.text.contains("more than 1"), "{refused:?}");
    waggle.put("INGEST_MAX_BYTES", json!(1024)).await.ok();
    let large = json!({ "tweet_id": "1", "text": "x".repeat(2_000) });
    waggle.post("/api/check-duplicate-tweet", large).await.refused(413);
    waggle.patch(json!({ "INGEST_MAX_ITEMS": null, "INGEST_MAX_BYTES": null })).await.ok();
    waggle.post("/api/check-duplicate-tweet", two).await.ok();
}

async fn x_is_connected_tested_and_disconnected_while_waggle_runs(kind: Kind) {
    let (url, seen) = fake_x().await;
    let waggle = Waggle::with(kind, &[("TWITTER_API_URL", &url)]).await;
    let tweets = waggle.batch("b", &["one", "two"]).await;
    let test = async |body: Value| waggle.post("/api/v1/settings/test/x", body).await;
    let nothing = test(json!({})).await.ok();
    assert_eq!(nothing["ok"], false, "{nothing}");
    assert!(nothing["detail"].as_str().unwrap().contains("no account is configured"), "{nothing}");

    let with_token = |token: &str| json!({ "values": { "TWITTER_OAUTH2_TOKEN": token } });
    let bad = test(with_token("bad-token")).await.ok();
    let good = test(with_token("good-token")).await.ok();
    assert!(bad["detail"].as_str().unwrap().contains("does not accept"), "{bad}");
    assert_eq!(good["ok"], true, "{good}");
    assert_eq!(
        waggle.setting("TWITTER_OAUTH2_TOKEN").await["is_set"],
        false,
        "a test keeps nothing"
    );

    waggle.put("TWITTER_OAUTH2_TOKEN", json!("good-token")).await.ok();
    let post = waggle.publish(tweets[0]).await;
    let published = waggle.until_published(post).await;
    assert_eq!(published["platform"], "x");
    let sent = waggle.get(&format!("/api/v1/posts/{post}/deliveries")).await.ok();
    assert!(sent["items"][0]["channel"].as_str().unwrap().starts_with("x:127.0.0.1:"), "{sent}");
    assert!(seen.lock().unwrap().iter().any(|shown| shown == "Bearer good-token"));
    let saved = test(json!({})).await.ok();
    assert_eq!(saved["ok"], true, "{saved}");

    // The token cannot be sent to another host: not by a change, not by a test, not by undo.
    let elsewhere = json!({ "TWITTER_API_URL": "https://elsewhere.example" });
    waggle.put("TWITTER_API_URL", elsewhere["TWITTER_API_URL"].clone()).await.refused(422);
    test(json!({ "values": elsewhere })).await.refused(422);
    let removed = waggle.delete("/api/v1/settings/TWITTER_OAUTH2_TOKEN").await.ok();
    assert_eq!(removed["is_set"], false);
    waggle.put("TWITTER_API_URL", elsewhere["TWITTER_API_URL"].clone()).await.ok();
    let history = waggle.get("/api/v1/settings/history?key=TWITTER_OAUTH2_TOKEN").await.ok();
    let undo = format!("/api/v1/settings/history/{}/undo", history["items"][0]["revision"]);
    waggle.post(&undo, json!({})).await.refused(422);
    waggle.delete("/api/v1/settings/TWITTER_API_URL").await.ok();
    waggle.post(&undo, json!({})).await.ok();
    assert_eq!(waggle.setting("TWITTER_OAUTH2_TOKEN").await["is_set"], true);
    // Addresses of this machine are not allowed over the API.
    let inside = json!({ "TWITTER_API_URL": "http://127.0.0.1:1", "TWITTER_OAUTH2_TOKEN": "x" });
    test(json!({ "values": inside })).await.refused(422);

    waggle.delete("/api/v1/settings/TWITTER_OAUTH2_TOKEN").await.ok();
    let post = waggle.publish(tweets[1]).await;
    assert_eq!(waggle.until_published(post).await["platform"], "sandbox");
    test(json!({ "values": 5 })).await.refused(422);
    waggle.post("/api/v1/settings/test/sandbox", json!({})).await.refused(404);
}

async fn invalid_values_are_rejected_with_the_reason(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let refused = [
        ("PUBLISH_AT_ONCE", json!("many"), 422, "PUBLISH_AT_ONCE"),
        ("PUBLISH_AT_ONCE", json!(0), 422, "1 to 200"),
        ("PUBLISH_AT_ONCE", json!(null), 422, "DELETE"),
        ("PUBLISH_AT_ONCE", json!("  "), 422, "DELETE"),
        ("PUBLISH_REQUEST_SECONDS", json!(60), 422, "twice"),
        ("NO_SUCH_SETTING", json!(1), 404, "NO_SUCH_SETTING"),
        ("custom.", json!(1), 404, "custom."),
        ("TWITTER_API_SECRET", json!("a\u{0}b"), 422, "NUL"),
        ("custom.large", json!("x".repeat(70_000)), 422, "65536"),
    ];
    for (key, value, status, part) in refused {
        let problem = waggle.put(key, value).await.refused(status);
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
    let checked = waggle
        .post(
            "/api/v1/settings/validate",
            json!({ "values": {
                "PUBLISH_AT_ONCE": 0, "EMAIL_PORT": "x", "EMAIL_HOST": "mail.example",
            } }),
        )
        .await
        .ok();
    assert_eq!(checked["valid"], false);
    assert_eq!(checked["problems"].as_array().unwrap().len(), 2, "{checked}");
    let together =
        json!({ "values": { "PUBLISH_REQUEST_SECONDS": 60, "PUBLISH_LEASE_SECONDS": "3m" } });
    assert_eq!(waggle.post("/api/v1/settings/validate", together).await.ok()["valid"], true);
    assert_eq!(waggle.setting("PUBLISH_REQUEST_SECONDS").await["value"], 20, "nothing was saved");
    assert_eq!(waggle.get("/api/v1/settings?group=nothing").await.status, 400);

    let list = waggle.get("/api/v1/settings?group=mail").await.ok();
    let keys: Vec<&Value> =
        list["items"].as_array().unwrap().iter().map(|setting| &setting["group"]).collect();
    assert!(keys.len() > 5 && keys.iter().all(|group| **group == "mail"), "{list}");
}

async fn changes_are_recorded_and_can_be_undone(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let first = waggle.put("PUBLISH_AT_ONCE", json!(3)).await.ok();
    let same = waggle.put("PUBLISH_AT_ONCE", json!("3")).await.ok();
    assert_eq!(first["version"], same["version"], "a value that is already set is not changed");
    let based_on = async |version: &str| {
        let call = waggle.by_admin(Method::PUT, "/api/v1/settings/PUBLISH_AT_ONCE").await;
        call.header("If-Match", version.to_owned()).json(&json!({ "value": 4 }))
    };
    let stale = answer(based_on("\"0\"").await).await.refused(409);
    assert_eq!(stale["current"]["value"], 3, "{stale}");
    let second = answer(based_on(&first["version"].to_string()).await).await.ok();
    waggle.put("EMAIL_HOST_PASSWORD", json!("hush-hush")).await.ok();

    let history = waggle.get("/api/v1/settings/history").await.ok();
    let told: Vec<(&str, &Value, &Value)> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            (change["key"].as_str().unwrap(), &change["from"]["value"], &change["to"]["value"])
        })
        .collect();
    assert_eq!(
        told,
        [
            ("EMAIL_HOST_PASSWORD", &Value::Null, &Value::Null),
            ("PUBLISH_AT_ONCE", &json!(3), &json!(4)),
            ("PUBLISH_AT_ONCE", &Value::Null, &json!(3)),
        ]
    );
    assert_eq!(history["items"][0]["to"]["is_secret"], true);
    let page = waggle.get("/api/v1/settings/history?key=PUBLISH_AT_ONCE&limit=1").await.ok();
    let next = page["next_cursor"].as_str().unwrap();
    let rest = format!("/api/v1/settings/history?key=PUBLISH_AT_ONCE&limit=1&cursor={next}");
    assert_eq!(waggle.get(&rest).await.ok()["items"][0]["to"]["value"], 3);

    let undo = |revision: &Value| format!("/api/v1/settings/history/{revision}/undo");
    waggle.post(&undo(&first["version"]), json!({})).await.refused(409);
    let undone = waggle.post(&undo(&second["version"]), json!({})).await.ok();
    assert_eq!(undone["items"][0]["action"], "undo");
    assert_eq!(waggle.setting("PUBLISH_AT_ONCE").await["value"], 3);
    waggle.post(&undo(&json!(999)), json!({})).await.refused(404);
}

async fn a_command_reaches_a_running_server(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let database = &waggle.database;

    ran(database, &["settings", "set", "PUBLISH_AT_ONCE", "7"], "");
    waggle.until("/api/v1/settings/PUBLISH_AT_ONCE", |shown| shown["value"] == 7).await;
    waggle.put("PUBLISH_AT_ONCE", json!(9)).await.ok();
    assert_eq!(ran(database, &["settings", "get", "PUBLISH_AT_ONCE"], "").trim(), "9");

    // A secret is accepted from standard input only.
    let refused = failed(database, &["settings", "set", "TWITTER_OAUTH2_TOKEN", "hush-hush"], "");
    assert!(refused.contains("secret") && !refused.contains("hush-hush"), "{refused}");
    ran(
        database,
        &["settings", "set", "TWITTER_OAUTH2_TOKEN", "-"],
        "a-long-secret-of-many-words\n",
    );
    let shown = waggle
        .until("/api/v1/settings/TWITTER_OAUTH2_TOKEN", |shown| shown["is_set"] == true)
        .await;
    assert_eq!((&shown["value"], &shown["last4"]), (&Value::Null, &json!("ords")));
    ran(database, &["settings", "unset", "TWITTER_OAUTH2_TOKEN", "PUBLISH_AT_ONCE"], "");
    waggle.until("/api/v1/settings/TWITTER_OAUTH2_TOKEN", |shown| shown["is_set"] == false).await;
}

async fn the_command_line_does_all_that_the_api_does(kind: Kind) {
    let database = crate::process::database(kind).await;
    let run = |arguments: &[&str], input: &str| ran(&database, arguments, input);
    run(&["migrate"], "");
    assert!(
        failed(&database, &["settings", "set", "EMAIL_PORT", "many"], "").contains("EMAIL_PORT")
    );
    assert!(failed(&database, &["settings", "set", "EMAIL_PORT", " "], "").contains("unset"));
    assert!(failed(&database, &["settings", "set", "EMAIL_PROT", "1"], "").contains("no setting"));
    assert!(failed(&database, &["settings", "get", "EMAIL_HOST_USER"], "").contains("not set"));
    assert!(failed(&database, &["settings", "unset", "EMAIL_PROT"], "").contains("no setting"));
    let large = "x".repeat(300_000);
    assert!(failed(&database, &["settings", "set", "custom.x", "-"], &large).contains("more than"));
    for (key, value, wanted) in [
        ("EMAIL_PORT", "25", "STARTTLS"),
        ("ALLOWED_DOMAIN", ".example.com", "not a domain"),
        ("ALLOWED_HOSTS", "a..example", "not a host name"),
        ("LIMITS", "registre.client=1/60", "the limits are register.client, "),
    ] {
        let said = failed(&database, &["settings", "set", key, value], "");
        assert!(said.contains(wanted), "{key} {said}");
    }
    assert!(failed(&database, &["settings", "set", "EMAIL_PORT", "587"], "").contains("STARTTLS"));
    run(&["settings", "set", "EMAIL_USE_TLS", "true"], "");
    run(&["settings", "set", "EMAIL_PORT", "587"], "");
    run(&["settings", "set", "custom.voice", "{\"tone\": \"dry\"}"], "");
    run(&["settings", "set", "SUPER_ADMIN_EMAILS", "a@b.example, c@d.example"], "");
    assert_eq!(run(&["settings", "get", "SUPER_ADMIN_EMAILS"], ""), "a@b.example, c@d.example\n");

    // An empty answer changes nothing.
    let missing: Value = serde_json::from_str(&run(&["settings", "init", "--json"], "")).unwrap();
    let missing = missing["missing"].as_array().unwrap();
    let before = missing.iter().position(|key| key == "DEFAULT_FROM_EMAIL").unwrap();
    let answers = "\n".repeat(before) + "not an address\nteam@b.example\n";
    let asked = run(&["settings", "init"], &answers);
    assert!(
        asked.contains("This value is invalid") && asked.contains("1 settings were set"),
        "{asked}"
    );
    assert_eq!(run(&["settings", "get", "DEFAULT_FROM_EMAIL"], ""), "team@b.example\n");
    run(&["settings", "set", "EMAIL_HOST_PASSWORD", "-"], "hush-hush");

    let file = database.folder.0.join("export.json");
    let path = file.to_str().unwrap();
    run(&["settings", "export", path], "");
    let exported: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(exported["settings"]["EMAIL_PORT"], 587, "{exported}");
    assert_eq!(exported["secrets_left_out"], json!(["EMAIL_HOST_PASSWORD"]));
    let other = crate::process::database(kind).await;
    ran(&other, &["migrate"], "");
    let dry = ran(&other, &["settings", "import", path, "--dry-run"], "");
    assert!(dry.contains("would be set"), "{dry}");
    assert!(ran(&other, &["settings", "history", "--json"], "").contains("[]"));
    ran(&other, &["settings", "import", path], "");
    assert_eq!(ran(&other, &["settings", "get", "custom.voice"], "").trim(), "{\"tone\":\"dry\"}");
    let mut bad = exported;
    bad["settings"]["EMAIL_PORT"] = json!("x");
    bad["settings"]["PUBLISH_AT_ONCE"] = json!(5);
    let refused = failed(&other, &["settings", "import", "-"], &bad.to_string());
    assert!(refused.contains("EMAIL_PORT"), "{refused}");
    assert_eq!(
        ran(&other, &["settings", "get", "PUBLISH_AT_ONCE"], "").trim(),
        "8",
        "all or nothing"
    );
    for bad in ["", "{", "[]", "{\"format\": \"waggle-settings-1\"}"] {
        failed(&other, &["settings", "import", "-"], bad);
    }

    let history: Value =
        serde_json::from_str(&run(&["settings", "history", "EMAIL_PORT", "--json"], "")).unwrap();
    let revision = history["changes"][0]["revision"].to_string();
    run(&["settings", "undo", &revision], "");
    assert_eq!(run(&["settings", "get", "EMAIL_PORT"], "").trim(), "465");
    let told = run(&["settings", "history"], "");
    assert!(told.contains("EMAIL_HOST_PASSWORD: (not set) -> (secret)"), "{told}");
    assert!(run(&["settings", "check"], "").contains("are valid"));
    let wrong = command(&database)
        .args(["settings", "check"])
        .env("EMAIL_PORT", "x")
        .env("PUBLISH_AT_ONCE", "y")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&wrong.stdout);
    assert!(
        !wrong.status.success() && text.contains("EMAIL_PORT") && text.contains("AT_ONCE"),
        "{text}"
    );
    let listed = run(&["settings", "list", "--group", "mail"], "");
    assert!(listed.contains("EMAIL_PORT") && !listed.contains("PUBLISH"), "{listed}");
}

async fn a_wrong_master_key_stops_the_start_and_harms_nothing(kind: Kind) {
    let mut waggle = Waggle::start(kind).await;
    waggle.put("TWITTER_OAUTH2_TOKEN", json!("a-long-secret-of-many-words")).await.ok();
    assert_eq!(waggle.process.terminate(), Some(0));
    let database = Arc::clone(&waggle.database);
    let serve = |name: &str, value: &str| {
        let output = command(&database).arg("serve").env(name, value).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };

    let wrong = serve("WAGGLE_MASTER_KEY", &"ab".repeat(32));
    let garbage = serve("WAGGLE_MASTER_KEY", "correct horse battery staple");
    let missing = serve("WAGGLE_MASTER_KEY_FILE", "/nonexistent/master.key");

    assert!(wrong.contains("TWITTER_OAUTH2_TOKEN is sealed with the master key"), "{wrong}");
    assert!(garbage.contains("32 random bytes") && !garbage.contains("horse"), "{garbage}");
    assert!(missing.contains("/nonexistent/master.key"), "{missing}");
    waggle.again(&[]);
    assert_eq!(waggle.setting("TWITTER_OAUTH2_TOKEN").await["last4"], "ords");

    // If the key is lost, the secrets that it sealed are named and removed, and the rest still
    // works.
    waggle.process.terminate();
    std::fs::remove_file(database.folder.0.join("master.key")).unwrap();
    let missing = failed(&database, &["serve"], "");
    assert!(missing.contains("sealed with the master key"), "{missing}");
    let refused = failed(&database, &["settings", "rotate-key"], "");
    assert!(refused.contains("TWITTER_OAUTH2_TOKEN"), "{refused}");
    let lost = ran(&database, &["settings", "rotate-key", "--discard-unreadable"], "");
    assert!(lost.contains("TWITTER_OAUTH2_TOKEN"), "{lost}");
    waggle.again(&[]);
    waggle.put("TWITTER_OAUTH2_TOKEN", json!("another-long-secret")).await.ok();
    let told = waggle.get("/api/v1/settings/history?key=TWITTER_OAUTH2_TOKEN").await.ok();
    assert_eq!(told["items"][1]["action"], "unset", "the history shows that it was lost: {told}");
}

async fn rotation_under_load_loses_nothing(kind: Kind) {
    let waggle = Arc::new(Waggle::start(kind).await);
    let replica = (kind == Kind::Postgres).then(|| replica(&waggle, &[]));
    let bases: Vec<String> =
        std::iter::once(&waggle.process).chain(&replica).map(|one| one.base.clone()).collect();
    let secrets = ["TWITTER_API_SECRET", "TWITTER_ACCESS_TOKEN_SECRET", "EMAIL_HOST_PASSWORD"];
    for key in secrets {
        waggle.put(key, json!(format!("a-secret-of-{key}-0000"))).await.ok();
    }

    // Each writer has its own secret, and writes to the servers in turn.
    let writers = secrets.map(|key| {
        let (waggle, bases) = (Arc::clone(&waggle), bases.clone());
        tokio::spawn(async move {
            for n in 1..=20 {
                let base = &bases[n % bases.len()];
                let call = waggle
                    .client
                    .put(format!("{base}/api/v1/settings/{key}"))
                    .header("cookie", waggle.admin().await)
                    .header("sec-fetch-site", "same-origin")
                    .json(&json!({ "value": format!("a-secret-of-{key}-{n:04}") }));
                answer(call).await.ok();
            }
        })
    });
    let database = Arc::clone(&waggle.database);
    let rotations = tokio::task::spawn_blocking(move || {
        for _ in 0..4 {
            ran(&database, &["settings", "rotate-key"], "");
        }
    });
    for writer in writers {
        writer.await.unwrap();
    }
    rotations.await.unwrap();
    ran(&waggle.database, &["settings", "rotate-key"], "");

    for base in &bases {
        for key in secrets {
            let path = format!("{base}/api/v1/settings/{key}");
            let call = || waggle.client.get(&path).bearer_auth(&waggle.token);
            let begun = Instant::now();
            while answer(call()).await.ok()["last4"] != "0020" {
                assert!(begun.elapsed() < crate::process::PATIENCE, "{path}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    // The newest key alone can decrypt all of them.
    let keys = std::fs::read_to_string(waggle.database.folder.0.join("master.key")).unwrap();
    let newest = keys.lines().find(|line| !line.starts_with('#')).unwrap();
    let check = command(&waggle.database)
        .args(["settings", "check"])
        .env("WAGGLE_MASTER_KEY", newest)
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    let undone = waggle.get("/api/v1/settings/history?key=EMAIL_HOST_PASSWORD&limit=1").await.ok();
    let revision = &undone["items"][0]["revision"];
    waggle.post(&format!("/api/v1/settings/history/{revision}/undo"), json!({})).await.ok();
    assert_eq!(waggle.setting("EMAIL_HOST_PASSWORD").await["last4"], "0019");
}

/// Another server on the same database, with the same master key.
fn replica(waggle: &Waggle, settings: &[(&str, &str)]) -> Process {
    Process::start(&waggle.database, settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_reaches_every_replica_within_two_seconds() {
    let waggle = Waggle::start(Kind::Postgres).await;
    let replica = replica(&waggle, &[]);
    let path = format!("{}/api/v1/settings/PUBLISH_AT_ONCE", replica.base);
    let there = || waggle.client.get(&path).bearer_auth(&waggle.token);

    for value in 11..16 {
        waggle.put("PUBLISH_AT_ONCE", json!(value)).await.ok();
        let begun = Instant::now();
        while answer(there()).await.ok()["value"] != value {
            assert!(begun.elapsed() < EVERYWHERE, "{value} did not arrive");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    // The listening connections are closed. The servers notice this when they poll, and listen
    // again. A busy server may listen only after a few polls.
    let (client, connection) = tokio_postgres::connect(&waggle.database.url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let listening = "FROM pg_stat_activity
                     WHERE datname = current_database() AND query = 'LISTEN waggle_settings'";
    let begun = Instant::now();
    while client.query(&format!("SELECT pid {listening}"), &[]).await.unwrap().len() < 2 {
        assert!(begun.elapsed() < crate::process::PATIENCE, "not both listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let cut = format!("SELECT pg_terminate_backend(pid) {listening}");
    assert_eq!(client.query(&cut, &[]).await.unwrap().len(), 2);
    drop(client);
    let _ = driver.await;
    waggle.put("PUBLISH_AT_ONCE", json!(17)).await.ok();
    let begun = Instant::now();
    while answer(there()).await.ok()["value"] != 17 {
        assert!(begun.elapsed() < crate::process::PATIENCE, "it did not arrive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_without_the_new_key_keeps_its_values() {
    let waggle = Waggle::with(Kind::Postgres, &[("WAGGLE_MASTER_KEY", &"01".repeat(32))]).await;
    waggle.put("TWITTER_OAUTH2_TOKEN", json!("a-long-secret-of-many-words")).await.ok();

    let refused = command(&waggle.database)
        .args(["settings", "rotate-key"])
        .env("WAGGLE_MASTER_KEY", "01".repeat(32))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && text.contains("WAGGLE_MASTER_KEY"), "{text}");
    let rotated = command(&waggle.database)
        .args(["settings", "rotate-key"])
        .env("WAGGLE_MASTER_KEY", format!("{},{}", "02".repeat(32), "01".repeat(32)))
        .output()
        .unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));

    let begun = Instant::now();
    while !waggle.log().contains("the previous value stays") {
        assert!(begun.elapsed() < crate::process::PATIENCE, "{}", waggle.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(waggle.setting("TWITTER_OAUTH2_TOKEN").await["last4"], "ords");
    waggle.put("TWITTER_OAUTH2_TOKEN", json!("another")).await.refused(409);
    waggle.put("PUBLISH_AT_ONCE", json!(5)).await.ok();
}

/// Secrets that the leak test sends by `PUT`.
const HUSH: [(&str, &str); 4] = [
    ("TWITTER_API_SECRET", "hush-by-put-1"),
    ("TWITTER_ACCESS_TOKEN_SECRET", "hush-by-put-2"),
    ("TWITTER_API_SECRET", "hush-by-put-3"),
    ("SECRET_KEY", "hush-by-put-4"),
];

/// Sends secrets in every way that the API has, valid and invalid, and returns all responses.
async fn answered_over_http(waggle: &Waggle) -> String {
    let mut out = String::new();
    for (key, secret) in HUSH {
        out += &waggle.put(key, json!(secret)).await.text;
    }
    for values in [
        json!({ "TWITTER_OAUTH2_TOKEN": "hush-by-patch", "EMAIL_PORT": 25 }),
        json!({ "TWITTER_OAUTH2_TOKEN": "hush-refused", "EMAIL_PORT": "x" }),
        json!("hush-in-no-object"),
    ] {
        out += &waggle.patch(values).await.text;
    }
    out += &waggle.put("TWITTER_OAUTH2_TOKEN", json!("hush-refused\u{0}")).await.text;
    for body in [json!("hush-alone"), json!(["hush-in-a-list"]), json!({ "hush-key": 1 })] {
        let one = "/api/v1/settings/EMAIL_HOST_PASSWORD";
        for (method, path) in [(Method::PUT, one), (Method::PATCH, "/api/v1/settings")] {
            let refused = waggle.send(method, path, Some(body.clone())).await;
            assert!(refused.status >= 400, "{refused:?}");
            // The name of a member is not a value.
            out += &refused.text.replace("hush-key", "");
        }
    }
    out += &waggle.post_raw("/api/v1/settings/validate", "{\"values\": \"hush-cut-off").await.text;
    let nowhere = json!({ "values": {
        "TWITTER_API_URL": "https://waggle.invalid", "TWITTER_OAUTH2_TOKEN": "hush-tested",
    } });
    out += &waggle.post("/api/v1/settings/test/x", nowhere.clone()).await.text;
    out += &waggle.post("/api/v1/settings/validate", nowhere).await.text;
    out
}

/// The same on the command line: returns all output.
fn said_by_commands(database: &Database) -> String {
    let mut out = String::new();
    for arguments in [
        &["settings", "set", "EMAIL_HOST_PASSWORD", "-"][..],
        &["settings", "set", "EMAIL_HOST_PASSWORD"],
        &["settings", "set", "EMAIL_PORT", "-"],
        &["settings", "rotate-key"],
        &["settings", "list"],
        &["settings", "list", "--json"],
        &["settings", "get", "EMAIL_HOST_PASSWORD"],
        &["settings", "history", "--json"],
        &["settings", "history"],
        &["settings", "export"],
        &["settings", "check"],
    ] {
        let output = run(database, arguments, "hush-by-standard-input");
        out += &String::from_utf8_lossy(&output.stdout);
        out += &String::from_utf8_lossy(&output.stderr);
    }
    let file = json!({
        "format": "waggle-settings-1",
        "settings": { "EMAIL_HOST_PASSWORD": "hush-by-import", "EMAIL_PORT": 26 },
    });
    out += &ran(database, &["settings", "import", "-", "--dry-run"], &file.to_string());
    out += &ran(database, &["settings", "import", "-"], &file.to_string());
    out
}

/// Searches all files of the data folder: the database, its write-ahead log, the log, the keys.
fn no_file_has_a_secret(database: &Database) {
    let mut searched = 0;
    for entry in std::fs::read_dir(&database.folder.0).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            searched += bytes.len();
            assert!(!bytes.windows(4).any(|four| four == b"hush"), "{}", path.display());
        }
    }
    assert!(searched > 0);
}

async fn no_secret_is_revealed(kind: Kind) {
    let environment = [("GOOGLE_OAUTH_CLIENT_SECRET", "hush-from-the-environment")];
    let mut waggle = Waggle::with(kind, &environment).await;
    let database = Arc::clone(&waggle.database);
    let mut out = answered_over_http(&waggle).await + &said_by_commands(&database);
    let undo = waggle.get("/api/v1/settings/history?key=TWITTER_API_SECRET").await.ok();
    let revision = &undo["items"][0]["revision"];
    out += &waggle.post(&format!("/api/v1/settings/history/{revision}/undo"), json!({})).await.text;
    for path in ["/api/v1/settings", "/api/v1/settings/history?limit=200", "/openapi.json"] {
        out += &waggle.get(path).await.text;
    }
    for (key, _) in HUSH {
        out += &waggle.setting(key).await.to_string();
    }
    waggle.process.terminate();
    waggle.again(&environment);
    waggle.process.terminate();

    assert!(out.len() > 10_000);
    assert!(!out.contains("hush"), "{out}");
    assert!(!waggle.log().contains("hush"), "{}", waggle.log());
    no_file_has_a_secret(&database);
    if kind == Kind::Postgres {
        let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        for table in ["app_settings", "setting_changes", "setting_state"] {
            let rows = client.query(&format!("SELECT t::text FROM {table} t"), &[]).await.unwrap();
            assert!(!rows.is_empty(), "{table}");
            for row in rows {
                let text: String = row.get(0);
                assert!(!text.contains("hush") && !text.contains("68757368"), "{text}");
            }
        }
        drop(client);
        let _ = driver.await;
    }
}

async fn secrets_that_another_program_stored_unencrypted_are_sealed(kind: Kind) {
    let mut waggle = Waggle::start(kind).await;
    waggle.process.terminate();
    let database = Arc::clone(&waggle.database);
    execute(
        &database,
        "INSERT INTO app_settings (key, value, description, created_at, updated_at)
         SELECT 'EMAIL_HOST_PASSWORD', 'hush-in-the-clear', '', created_at, created_at \
         FROM api_tokens LIMIT 1",
    )
    .await
    .unwrap();

    waggle.again(&[]);

    let shown = waggle.setting("EMAIL_HOST_PASSWORD").await;
    assert_eq!((&shown["is_set"], &shown["last4"]), (&json!(true), &json!("lear")));
    waggle.process.terminate();
    no_file_has_a_secret(&database);
    assert!(run(&database, &["settings", "history"], "").stdout.len() > 10);
}

async fn no_change_is_made_without_its_history_entry(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    waggle.put("PUBLISH_AT_ONCE", json!(3)).await.ok();
    execute(&waggle.database, "ALTER TABLE setting_changes RENAME TO lost").await.unwrap();

    waggle.put("PUBLISH_AT_ONCE", json!(4)).await.refused(500);

    assert_eq!(waggle.setting("PUBLISH_AT_ONCE").await["value"], 3);
    assert_eq!(ran(&waggle.database, &["settings", "get", "PUBLISH_AT_ONCE"], "").trim(), "3");
}

async fn only_admins_can_use_settings(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let scopes = ["ingest", "read", "write", "approve", "publish"];
    let token = token(&waggle.database, &scopes);
    let calls = [
        (Method::GET, "/api/v1/settings"),
        (Method::PATCH, "/api/v1/settings"),
        (Method::GET, "/api/v1/settings/EMAIL_PORT"),
        (Method::PUT, "/api/v1/settings/EMAIL_PORT"),
        (Method::DELETE, "/api/v1/settings/EMAIL_PORT"),
        (Method::POST, "/api/v1/settings/validate"),
        (Method::GET, "/api/v1/settings/history"),
        (Method::POST, "/api/v1/settings/history/1/undo"),
        (Method::POST, "/api/v1/settings/test/x"),
    ];
    for (method, path) in calls {
        let call = waggle.request(method, path).bearer_auth(&token).json(&json!({}));
        answer(call).await.refused(403);
    }
    // A token with all rights can read settings, but not change them.
    let shown = waggle.request(Method::GET, "/api/v1/settings").bearer_auth(&waggle.token);
    answer(shown).await.ok();
    let change = waggle.request(Method::PUT, "/api/v1/settings/EMAIL_PORT");
    answer(change.bearer_auth(&waggle.token).json(&json!({ "value": 25 }))).await.refused(403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_connections_are_accepted_when_the_limit_is_raised() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    waggle.put("HTTP_MAX_CONNECTIONS", json!(16)).await.ok();
    let address = waggle.process.base.trim_start_matches("http://").to_owned();
    let mut open = Vec::new();
    // The test's client has an open connection; the other places are taken here.
    for _ in 0..16 {
        open.push(TcpStream::connect(&address).unwrap());
    }
    let last = open.last_mut().unwrap();
    last.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    last.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut byte = [0];
    assert!(last.read(&mut byte).is_err(), "there is no free connection");

    waggle.put("HTTP_MAX_CONNECTIONS", json!(32)).await.ok();

    last.set_read_timeout(Some(crate::process::PATIENCE)).unwrap();
    assert_eq!(last.read(&mut byte).unwrap(), 1);
}

#[test]
fn the_page_of_all_settings_is_current() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_waggle"))
        .args(["settings", "reference"])
        .output()
        .unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");

    let written = std::fs::read_to_string(path).unwrap();

    let current = String::from_utf8(output.stdout).unwrap();
    assert!(written == current, "docs/settings.md is out of date: make reference");
}

on_both! {
    a_change_takes_effect_at_once,
    x_is_connected_tested_and_disconnected_while_waggle_runs,
    invalid_values_are_rejected_with_the_reason,
    changes_are_recorded_and_can_be_undone,
    a_command_reaches_a_running_server,
    the_command_line_does_all_that_the_api_does,
    a_wrong_master_key_stops_the_start_and_harms_nothing,
    rotation_under_load_loses_nothing,
    no_secret_is_revealed,
    secrets_that_another_program_stored_unencrypted_are_sealed,
    no_change_is_made_without_its_history_entry,
    only_admins_can_use_settings,
}
