//! The console in a real browser: Debian's Chromium, headless, with the built binary.
//!
//! Pictures of the pages are in `target/browser` afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]
#![expect(clippy::disallowed_methods, reason = "what is tested has the clock of the machine")]

mod account;
mod admin;
#[expect(dead_code, reason = "it serves other test binaries too")]
#[path = "../support/database.rs"]
mod database;
mod driver;
mod pages;
#[expect(dead_code, reason = "it serves other test binaries too")]
#[path = "../support/process.rs"]
mod process;
mod publishing;
mod review;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::database::{Database, Kind};
use crate::driver::{Browser, client};
use crate::process::{Process, command, token};

const PASSWORD: &str = "correct staple, battery horse";
const CONTROL: char = '\u{e009}';
const ALT: char = '\u{e00a}';
const ARROW_DOWN: &str = "\u{e015}";
const ARROW_UP: &str = "\u{e013}";
const DELETE: &str = "\u{e017}";
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// A server with a reviewer, and a batch of drafts.
struct Site {
    process: Process,
    database: Database,
    token: String,
    client: Client,
}

impl Site {
    async fn with_drafts(texts: &[&str]) -> Self {
        let site = Self::with_user("approver").await;
        site.submit("b-1", texts).await;
        site
    }

    /// With the user `ana`, who has this role.
    async fn with_user(role: &str) -> Self {
        let database = process::database(Kind::Sqlite).await;
        let process = Process::start(&database, &[("ALLOWED_DOMAIN", "hive.example")]);
        add_user(&database, "ana", role);
        let token = token(&database, &["admin"]);
        Self { process, database, token, client: client() }
    }

    /// Submits a batch, as a workflow does.
    async fn submit(&self, batch: &str, texts: &[&str]) {
        let tweets: Vec<Value> = (1..)
            .zip(texts)
            .map(|(number, text)| json!({ "id": format!("tweet-{number}"), "content": text }))
            .collect();
        let body = json!({ "campaign_batch": batch, "tweets": tweets });
        self.call(Method::POST, "/api/receive-tweets", Some(body)).await;
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}{path}", self.process.base);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// Changes a setting, and waits until the server uses it. `shown` is how the API shows it.
    async fn set(&self, key: &str, value: &str, shown: impl Into<Value>) {
        let change = ["settings", "set", key, value];
        let change = if value.is_empty() { &["settings", "unset", key][..] } else { &change };
        let status = command(&self.database).args(change).stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
        self.until(&format!("/api/v1/settings/{key}"), "value", shown).await;
    }

    /// Waits until a member of what the API shows is `wanted`.
    async fn until(&self, path: &str, member: &str, wanted: impl Into<Value>) {
        let wanted = wanted.into();
        let current = async || self.call(Method::GET, path, None).await[member].clone();
        for _ in 0..500 {
            if current().await == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{member} of {path} is {}", current().await);
    }

    async fn tweet(&self, id: i64) -> Value {
        self.call(Method::GET, &format!("/api/v1/generated-tweets/{id}"), None).await
    }

    async fn status(&self, id: i64) -> String {
        self.tweet(id).await["status"].as_str().unwrap().to_owned()
    }

    /// Signs ana in on the page to which a visitor of `path` is led, and follows it back.
    async fn sign_in(&self, browser: &Browser, path: &str) {
        self.sign_in_as("ana", browser, path).await;
    }

    async fn sign_in_as(&self, name: &str, browser: &Browser, path: &str) {
        browser.goto(&format!("{}{path}", self.process.base)).await;
        browser.until("document.querySelector('#sign-in')?.offsetParent").await;
        let fill = format!(
            "const form = document.getElementById('sign-in'); form.login.value = '{name}'; \
             form.password.value = '{PASSWORD}'; form.requestSubmit();"
        );
        browser.run(&fill).await;
        browser.until(&format!("location.pathname + location.search === '{path}'")).await;
        browser.until("document.getElementById('main')").await;
        // The account page asks first whether somebody is signed in.
        assert_eq!(browser.errors(&["/api/v1/me - "]).await, Vec::<String>::new());
    }
}

/// Adds a user to a database.
fn add_user(database: &Database, name: &str, role: &str) {
    let mut adding = command(database)
        .args(["users", "create", "--email", &format!("{name}@hive.example"), "--role", role])
        .arg("--password-stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    adding.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(adding.wait().unwrap().success());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Saves a picture, and checks what must hold of every page in every state.
async fn check(browser: &Browser, name: &str) {
    let folder = root().join("target/browser");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.png")), browser.picture().await).unwrap();
    assert_eq!(browser.run("return window.refused").await, json!([]), "{name}");
    assert_eq!(
        browser
            .errors(&[
                "409 (Conflict)",
                "422 (Unprocessable",
                "403 (Forbidden)",
                "401 (Unauthorized)"
            ])
            .await,
        Vec::<String>::new(),
        "{name}"
    );
    // Nothing is loaded from elsewhere.
    let foreign = "return performance.getEntriesByType('resource').map(({ name }) => name)\
                   .filter((name) => !name.startsWith('data:') && \
                   new URL(name).origin !== location.origin)";
    assert_eq!(browser.run(foreign).await, json!([]), "{name}");
    let wide = "return document.documentElement.scrollWidth > innerWidth";
    assert_eq!(browser.run(wide).await, false, "{name} scrolls sideways");
    let axe = root().join("target/test-tools/npm/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(axe).expect("axe-core is there; run `make test-tools`");
    browser.evaluate(&format!("{axe}; null")).await;
    let faults = browser
        .evaluate(
            "axe.run().then((found) => found.violations.map((fault) => \
             `${fault.id}: ${fault.nodes.map((node) => node.html).join(' ')}`))",
        )
        .await;
    assert_eq!(faults, json!([]), "{name}");
}
