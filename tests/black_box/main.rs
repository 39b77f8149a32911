//! Tests of the built binary over HTTP, as its users call it, on SQLite and on PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]
#![expect(clippy::disallowed_methods, reason = "what is tested has the clock of the machine")]

#[path = "../support/authenticator.rs"]
mod authenticator;
#[path = "../support/database.rs"]
mod database;
#[path = "../support/oidc.rs"]
mod oidc;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/smtp.rs"]
mod smtp;

mod accounts;
mod api;
mod backup;
mod changes;
mod commands;
mod document;
mod google;
mod idempotency;
mod joining;
mod kill;
mod leases;
mod ledger;
mod metrics;
mod n8n;
mod notifications;
mod odd_input;
mod outages;
mod quick_start;
mod second_factor;
mod settings;

use std::io::Write as _;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::database::{Database, Kind};
use crate::process::{PATIENCE, Process, token};

/// A server with a token that has all rights.
pub(crate) struct Waggle {
    pub(crate) process: Process,
    pub(crate) database: Arc<Database>,
    pub(crate) client: Client,
    pub(crate) token: String,
    /// The session of an admin, who is created when needed.
    admin: OnceCell<String>,
}

/// A complete response.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let body = self.json();
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        assert!(body["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{body}");
        body
    }
}

impl Waggle {
    pub(crate) async fn start(kind: Kind) -> Self {
        Self::with(kind, &[]).await
    }

    pub(crate) async fn with(kind: Kind, settings: &[(&str, &str)]) -> Self {
        Self::on(process::database(kind).await, settings)
    }

    /// Starts a server on this database.
    pub(crate) fn on(database: Database, settings: &[(&str, &str)]) -> Self {
        let database = Arc::new(database);
        let process = Process::start(&database, settings);
        let token = token(&database, &["admin"]);
        Self { process, database, client: client(), token, admin: OnceCell::new() }
    }

    /// Starts another server on the same data.
    pub(crate) fn again(&mut self, settings: &[(&str, &str)]) {
        self.process = Process::start(&self.database, settings);
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.process.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path).bearer_auth(&self.token)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// The cookie of a signed-in admin.
    pub(crate) async fn admin(&self) -> &str {
        let open = async || {
            accounts::user(self, "settings-admin", "admin");
            self.browser("settings-admin").await.cookie
        };
        self.admin.get_or_init(open).await
    }

    /// A request by a signed-in admin.
    pub(crate) async fn by_admin(&self, method: Method, path: &str) -> RequestBuilder {
        let cookie = self.admin().await;
        self.request(method, path).header("cookie", cookie).header("sec-fetch-site", "same-origin")
    }

    /// Sends a request: to settings as an admin, because only people change them, and else with the
    /// token.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = if path.starts_with("/api/v1/settings") {
            self.by_admin(method, path).await
        } else {
            self.request(method, path).bearer_auth(&self.token)
        };
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    /// Sends a body as it is, with the content type of JSON.
    pub(crate) async fn post_raw(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self
            .request(Method::POST, path)
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .body(body);
        answer(request).await
    }

    /// Submits a batch and returns the ids of its tweets, in order.
    pub(crate) async fn batch(&self, batch_id: &str, texts: &[&str]) -> Vec<i64> {
        let tweets: Vec<Value> = texts
            .iter()
            .enumerate()
            .map(
                |(n, text)| json!({ "id": format!("{batch_id}-tweet-{}", n + 1), "content": text }),
            )
            .collect();
        let body = json!({ "campaign_batch": batch_id, "tweets": tweets });
        let received = self.post("/api/receive-tweets", body).await.ok();
        let batch = &received["campaign_batch_id"];
        let path =
            format!("/api/v1/generated-tweets?campaign_batch_id={batch}&order=asc&limit=200");
        let list = self.get(&path).await.ok();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tweet| tweet["id"].as_i64().unwrap())
            .collect()
    }

    pub(crate) async fn act(&self, tweet: i64, action: &str) -> Answer {
        let path = format!("/api/v1/generated-tweets/{tweet}/{action}");
        if action == "approve" {
            let seen = self.get(&format!("/api/v1/generated-tweets/{tweet}")).await.json();
            let request = self.request(Method::POST, &path).bearer_auth(&self.token);
            return answer(request.header("if-match", seen["version"].to_string())).await;
        }
        let body = (action == "publish").then(|| json!({}));
        self.send(Method::POST, &path, body).await
    }

    /// Approves and queues a tweet, and returns its post.
    pub(crate) async fn publish(&self, tweet: i64) -> i64 {
        self.act(tweet, "approve").await.ok();
        self.act(tweet, "publish").await.ok()["post"]["id"].as_i64().unwrap()
    }

    /// Publishes a tweet at the version that the caller saw.
    pub(crate) async fn publish_at(&self, tweet: i64, version: Option<i64>, body: Value) -> Answer {
        let path = format!("/api/v1/generated-tweets/{tweet}/publish");
        let mut request = self.request(Method::POST, &path).bearer_auth(&self.token).json(&body);
        if let Some(version) = version {
            request = request.header("if-match", format!("\"{version}\""));
        }
        answer(request).await
    }

    /// Requests `path` until `is_right` is true.
    pub(crate) async fn until(&self, path: &str, is_right: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.get(path).await.ok();
            if is_right(&found) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} stays {found}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    pub(crate) async fn until_published(&self, post: i64) -> Value {
        let path = format!("/api/v1/posts/{post}");
        self.until(&path, |post| post["status"] == "published").await
    }

    /// The texts on the timeline of the sandbox, newest first.
    pub(crate) async fn timeline(&self) -> Vec<String> {
        let timeline = self.get("/api/v1/sandbox/timeline?limit=200").await.ok();
        let items = timeline["items"].as_array().unwrap();
        items.iter().map(|post| post["text"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(process::log_path(&self.database)).unwrap()
    }
}

pub(crate) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the server answers");
    let content_type = response
        .headers()
        .get("content-type")
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let status = response.status().as_u16();
    // A stream of changes does not end.
    let text = if content_type.starts_with("text/event-stream") {
        String::new()
    } else {
        response.text().await.expect("the answer is whole")
    };
    Answer { status, content_type, text }
}

/// The resident memory of a process, in bytes: now, and at its highest.
#[cfg(target_os = "linux")]
pub(crate) fn memory(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// Runs a command with `input` on its standard input.
pub(crate) fn run(database: &Database, arguments: &[&str], input: &str) -> Output {
    let mut child = process::command(database)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Changes the database without Waggle.
pub(crate) async fn execute(database: &Database, sql: &str) -> Result<(), String> {
    if let Some(path) = database.url.strip_prefix("sqlite://") {
        let connection = rusqlite::Connection::open(path).unwrap();
        return connection.execute_batch(sql).map_err(|error| error.to_string());
    }
    let client = postgres(database).await;
    client.batch_execute(sql).await.map_err(|error| format!("{error:?}"))
}

/// The number that a query returns.
pub(crate) async fn count(database: &Database, sql: &str) -> i64 {
    if let Some(path) = database.url.strip_prefix("sqlite://") {
        let connection = rusqlite::Connection::open(path).unwrap();
        return connection.query_row(sql, [], |row| row.get(0)).unwrap();
    }
    postgres(database).await.query_one(sql, &[]).await.unwrap().get(0)
}

pub(crate) async fn postgres(database: &Database) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(&database.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Runs each test on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::Kind::Sqlite).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::Kind::Postgres).await;
                }
            )+
        }
    };
}
pub(crate) use on_both;
