//! The outcomes of each operation, in process: a call, and the response that it gets.
//!
//! `UPDATE_EXPECT=1 cargo test -p waggle --bin waggle` rewrites the expected responses.

#![expect(clippy::needless_raw_string_hashes, reason = "UPDATE_EXPECT writes literals in one form")]

mod accounts;
#[path = "../../../../tests/support/authenticator.rs"]
mod authenticator;
mod campaign_batches;
mod changes;
mod confirmations;
mod console;
mod events;
mod generated_tweets;
mod idempotency;
mod notifications;
mod posts;
mod reach;
mod settings;
mod source_tweets;
mod tokens;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem::test::TestClient;
use poem::{EndpointExt as _, Response};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use waggle_accounts::{Admission, Client, Role, Wanted};
use waggle_kernel::{Actor, Clock as _};
use waggle_settings::{Action, Given, Wish};
use waggle_store::{Mode, Store};
use waggle_system::{MasterKeyPlace, SystemClock};

use crate::config::{Config, LogFormat};
use crate::http::{self, API, Shares};
use crate::use_cases::UseCases;
use crate::{routes, wiring};

/// The password of the users of [`Server::session`].
const PASSWORD: &str = "a long night in March";

/// A server in process, on an SQLite database of its own.
struct Server {
    client: TestClient<BoxEndpoint<'static, Response>>,
    app: Arc<UseCases>,
    token: String,
    folder: PathBuf,
    started: DateTime<Utc>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    /// With an empty database.
    async fn empty() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let folder = format!("waggle-api-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let database_url = format!("sqlite://{}/waggle.db", folder.display());
        let store = Store::open(&database_url).await.unwrap();
        store.migrate(Mode::Run).await.unwrap();
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            database_url,
            data_dir: folder.clone(),
            log: "off".to_owned(),
            log_format: LogFormat::Text,
            events_keep_days: 0,
            master_key: MasterKeyPlace::DataDir(folder.join("master.key")),
        };
        let app = Arc::new(wiring::use_cases(&store, &config).await.unwrap());
        let domain = Wish::new("ALLOWED_DOMAIN", Given::Json(json!(["hive.example"])));
        app.settings.change(&Actor::system(), &[domain], Action::Set).await.unwrap();
        let first = app.people.tokens.create_first(&Actor::system(), "test").await.unwrap();
        let token = first.unwrap().secret.expose_secret().to_owned();
        let endpoint = http::framed(routes::tree(), Arc::clone(&app), &Shares::default());
        let (client, started) = (TestClient::new(endpoint.boxed()), SystemClock.now());
        Self { client, app, token, folder, started }
    }

    /// With a batch of two drafts, which have the ids 1 and 2.
    async fn with_drafts() -> Self {
        let server = Self::empty().await;
        let batch = json!({ "campaign_batch": "b-1", "tweets": [
            { "id": "t-1", "content": "One" }, { "id": "t-2", "content": "Two" },
        ] });
        let received = server.request(Method::POST, "/api/receive-tweets").body(batch).response();
        assert_eq!(received.await.0, 200);
        server
    }

    /// With a batch of two tweets, of which the first is approved and waits in the queue as post 1.
    async fn with_post() -> Self {
        let server = Self::with_drafts().await;
        server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
        let at = SystemClock.now() + TimeDelta::days(1);
        let body = json!({ "platform": "sandbox", "at": at });
        server.call("POST /generated-tweets/1/publish").body(body).ok().await;
        server
    }

    /// With a source tweet, which has the id 1 and is leased to a run.
    async fn with_source_tweet() -> Self {
        let server = Self::empty().await;
        let tweet = json!({ "Tweet ID": "19", "Content": "Hi", "Date": "2025-08-14T14:30:00Z" });
        let report = json!({ "execution_id": "e-1", "tweets": [tweet] });
        server.request(Method::POST, "/api/check-duplicate-tweet").body(report).ok().await;
        server
    }

    fn request(&self, method: Method, path: &str) -> Call<'_> {
        let credential = Credential::Token(self.token.clone());
        Call {
            server: self,
            method,
            path: path.to_owned(),
            version: None,
            body: None,
            credential,
            finds_nothing: false,
            key: None,
        }
    }

    /// A call of the API with a token that has all scopes, such as `GET /posts/1`.
    fn call(&self, line: &str) -> Call<'_> {
        let (method, path) = line.split_once(' ').unwrap();
        self.request(method.parse().unwrap(), &format!("{API}{path}"))
    }

    /// The number of events.
    async fn recorded(&self) -> i64 {
        self.app.chain.catch_up(20).await.unwrap();
        self.app.store.ports().events.tip().await.unwrap().position
    }

    /// The session of a new user with this role.
    async fn session(&self, role: Role) -> String {
        let wanted = Wanted {
            email: format!("{role}@hive.example"),
            username: None,
            first_name: String::new(),
            last_name: String::new(),
            role,
            password: Some(PASSWORD.into()),
        };
        let (system, client) = (Actor::system(), Client::default());
        let users = &self.app.people.users;
        users.create(&system, &wanted, &client, &Admission::default()).await.unwrap();
        let body = json!({ "login": format!("{role}@hive.example"), "password": PASSWORD });
        let call = self.call("POST /auth/login").nobody().body(body);
        let cookie = call.send().await.header("set-cookie").unwrap().to_owned();
        cookie.split(';').next().unwrap().to_owned()
    }
}

enum Credential {
    None,
    Token(String),
    Session(String),
}

/// A call that is not sent yet.
struct Call<'a> {
    server: &'a Server,
    method: Method,
    path: String,
    version: Option<i64>,
    body: Option<Value>,
    credential: Credential,
    finds_nothing: bool,
    key: Option<String>,
}

impl Call<'_> {
    fn if_match(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// With an `Idempotency-Key`.
    fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Finds nothing to change.
    fn finding_nothing(mut self) -> Self {
        self.finds_nothing = true;
        self
    }

    /// Without credentials.
    fn nobody(mut self) -> Self {
        self.credential = Credential::None;
        self
    }

    /// With another token.
    fn token(mut self, token: &str) -> Self {
        self.credential = Credential::Token(token.to_owned());
        self
    }

    /// With the cookie of a session.
    fn with_session(mut self, session: &str) -> Self {
        self.credential = Credential::Session(session.to_owned());
        self
    }

    /// Sends the call. If it succeeds, it must have written an event, unless it changes nothing.
    async fn send(self) -> Response {
        let (server, method, path) = (self.server, self.method.clone(), self.path.clone());
        let (before, finds_nothing) = (server.recorded().await, self.finds_nothing);
        let response = self.send_unchecked().await;
        let may_be_silent =
            finds_nothing || method == Method::GET || reach::changes_nothing(&method, &path);
        if response.status().is_success() && !may_be_silent {
            assert!(server.recorded().await > before, "{method} {path} wrote no event");
        }
        response
    }

    async fn send_unchecked(self) -> Response {
        let mut request = self.server.client.request(self.method, self.path);
        request = match self.credential {
            Credential::None => request,
            Credential::Token(token) => request.header("authorization", format!("Bearer {token}")),
            Credential::Session(cookie) => {
                request.header("cookie", cookie).header("sec-fetch-site", "same-origin")
            }
        };
        if let Some(version) = self.version {
            request = request.header("if-match", version.to_string());
        }
        if let Some(key) = self.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = self.body {
            request = request.body_json(&body);
        }
        request.header("host", "localhost").send().await.0
    }

    async fn response(self) -> (u16, Value) {
        let mut response = self.send().await;
        let body = response.take_body().into_vec().await.unwrap();
        (response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    /// The body of a response that must be 200.
    async fn ok(self) -> Value {
        let (status, body) = self.response().await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The response in short: the status and, of a problem, the detail, of anything else the body.
    async fn said(self) -> String {
        let (status, mut body) = self.response().await;
        if status >= 400 {
            return wrapped(&format!("{status} {}", body["detail"].as_str().unwrap_or_default()));
        }
        hide_what_differs(&mut body);
        wrapped(&format!("{status} {body}"))
    }
}

/// The names of members that are random, where they are strings.
const RANDOM: [&str; 8] =
    ["flow", "id", "lease", "next_cursor", "qr", "request_id", "secret", "token"];

/// Replaces times, cursors and the random names of leases and flows, which differ from run to run.
fn hide_what_differs(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide_what_differs),
        Value::Object(members) => {
            for (name, member) in members {
                let is_random = RANDOM.contains(&&**name)
                    || member.as_str().is_some_and(|text| text.starts_with("otpauth"));
                match member {
                    Value::String(text) if is_random => "<random>".clone_into(text),
                    _ => hide_what_differs(member),
                }
            }
        }
        Value::String(text) if text.parse::<DateTime<Utc>>().is_ok() => *value = json!("<time>"),
        _ => {}
    }
}

/// Breaks a long line after commas and spaces, so that it can be read in a test.
fn wrapped(line: &str) -> String {
    const WIDTH: usize = 84;
    let (mut text, mut column) = (String::new(), 0);
    for piece in line.split_inclusive([',', ' ']) {
        let length = piece.chars().count();
        if column > 0 && column + length > WIDTH {
            text.truncate(text.trim_end().len());
            text.push('\n');
            column = 0;
        }
        text.push_str(piece);
        column += length;
    }
    text
}
