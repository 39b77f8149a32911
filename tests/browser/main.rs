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

#[expect(dead_code, reason = "it serves other test binaries too")]
#[path = "../support/database.rs"]
mod database;
mod driver;
#[expect(dead_code, reason = "it serves other test binaries too")]
#[path = "../support/process.rs"]
mod process;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use chrono::{NaiveDateTime, TimeDelta};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use waggle_kernel::Zone;

use crate::database::{Database, Kind};
use crate::driver::{Browser, client};
use crate::process::{Process, command, token};

const PASSWORD: &str = "correct staple, battery horse";
const CONTROL: char = '\u{e009}';
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
        let mut adding = command(&database)
            .args(["users", "create", "--email", "ana@hive.example", "--role", role])
            .arg("--password-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        adding.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        assert!(adding.wait().unwrap().success());
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

    /// Changes a setting, and waits until the server uses it.
    async fn setting(&self, key: &str, value: &str) {
        let change = ["settings", "set", key, value];
        let change = if value.is_empty() { &["settings", "unset", key][..] } else { &change };
        let status = command(&self.database).args(change).stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
        let path = format!("/api/v1/settings/{key}");
        let current = async || self.call(Method::GET, &path, None).await["value"].clone();
        let wanted: Value = if value.is_empty() { json!([]) } else { value.split(',').collect() };
        for _ in 0..500 {
            if current().await == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{key} is {}", current().await);
    }

    async fn tweet(&self, id: i64) -> Value {
        self.call(Method::GET, &format!("/api/v1/generated-tweets/{id}"), None).await
    }

    async fn status(&self, id: i64) -> String {
        self.tweet(id).await["status"].as_str().unwrap().to_owned()
    }

    /// Signs in on the page to which a visitor of `path` is led, and follows it back.
    async fn sign_in(&self, browser: &Browser, path: &str) {
        browser.goto(&format!("{}{path}", self.process.base)).await;
        browser.until("document.querySelector('#sign-in')?.offsetParent").await;
        let fill = format!(
            "const form = document.getElementById('sign-in'); form.login.value = 'ana'; \
             form.password.value = '{PASSWORD}'; form.requestSubmit();"
        );
        browser.run(&fill).await;
        browser.until(&format!("location.pathname + location.search === '{path}'")).await;
        browser.until("document.getElementById('main')").await;
        // The account page asks first whether somebody is signed in.
        assert_eq!(browser.errors(&["/api/v1/me - "]).await, Vec::<String>::new());
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_reviewed_by_keyboard() {
    let site = Site::with_drafts(&["One idea", "Another idea", "A third idea"]).await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/review").await;
    check(&browser, "review").await;
    let focused = "document.activeElement.id";

    // Approves the first; the focus goes to the next that waits.
    browser.press(None, "j").await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    browser.press(None, "a").await;
    browser.until(&format!("{focused} === 'tweet-2'")).await;
    assert_eq!(site.status(1).await, "Approved");
    check(&browser, "review-approved").await;

    // Rejects the second, and undoes that.
    browser.press(None, "x").await;
    browser.until(&format!("{focused} === 'tweet-3'")).await;
    assert_eq!(site.status(2).await, "Rejected");
    browser.press(None, "u").await;
    browser.until(&format!("{focused} === 'tweet-2'")).await;
    assert_eq!(site.status(2).await, "Brand Aligned");

    // Undoes the approval, too. Then nothing is left to undo.
    browser.press(None, "u").await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    assert_eq!(site.status(1).await, "Brand Aligned");
    browser.press(None, "u").await;
    browser.until("document.getElementById('notice').innerText.includes('nothing')").await;

    // Edits, leaves the editor, saves, and undoes the edit.
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " and more ajx").await;
    browser.press(None, ESCAPE).await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    assert_eq!(site.status(1).await, "Brand Aligned", "letters in an editor do nothing else");
    browser.press(None, "e").await;
    check(&browser, "review-edit").await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until("document.getElementById('notice').innerText.includes('edited')").await;
    assert_eq!(site.tweet(1).await["content"], "One idea and more ajx");
    browser.press(None, "u").await;
    browser.until("document.getElementById('notice').innerText.includes('Undone')").await;
    assert_eq!(site.tweet(1).await["content"], "One idea");

    // Several steps on one tweet are undone one after the other.
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, "!").await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until("document.getElementById('notice').innerText.includes('edited')").await;
    browser.press(None, "a").await;
    browser.until(&format!("{focused} === 'tweet-2'")).await;
    browser.press(None, "u").await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    browser.until("document.getElementById('notice').innerText.includes('Undone')").await;
    browser.press(None, "u").await;
    browser.until("document.querySelector('#tweet-1 .text').innerText === 'One idea'").await;

    // The palette finds pages, and what can be done with the card that has the focus.
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(Some(CONTROL), "k").await;
    browser.until("document.getElementById('palette')?.open").await;
    check(&browser, "palette").await;
    browser.press(None, "reject tweet-1").await;
    browser
        .until("document.querySelector('#palette-list li').innerText.startsWith('Reject')")
        .await;
    browser.press(None, ENTER).await;
    browser.until("document.querySelector('#tweet-1 .state.off')").await;
    browser.press(None, "u").await;
    browser.until("document.querySelector('#tweet-1 .state.waits')").await;

    // With single keys off, no letter acts.
    browser.press(None, "?").await;
    browser.until("document.getElementById('keys').open").await;
    check(&browser, "keys").await;
    browser.run("document.getElementById('single-keys').click()").await;
    browser.press(None, ESCAPE).await;
    browser.until("!document.getElementById('keys').open").await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "a").await;
    browser.run("document.getElementById('single-keys').click()").await;
    assert_eq!(site.status(1).await, "Draft");

    browser.press(Some(CONTROL), "k").await;
    browser.until("document.getElementById('palette').open").await;
    browser.press(None, "publishing").await;
    browser.press(None, ENTER).await;
    browser.until("location.pathname === '/publishing'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approved_tweet_is_published_and_can_be_stopped_until_then() {
    let site = Site::with_drafts(&[
        "Most hardware sleeps most of the day. What would you build if idle machines found work?",
        "A market is a conversation. Software can hold it all night.",
        "Three questions for every automation: who notices, who stops it, who explains it?",
    ])
    .await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/batches/1").await;
    let says =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");
    let focus = |id: i64| format!("document.getElementById('tweet-{id}').focus()");
    let state = |id: i64, words: &str| {
        format!("document.querySelector('#tweet-{id}').innerText.includes('{words}')")
    };

    // What is published now can be stopped, and then the approval is undone.
    browser.run(&focus(2)).await;
    browser.press(None, "a").await;
    browser.until(&says("approved")).await;
    browser.run(&focus(2)).await;
    browser.press(None, "p").await;
    browser.until(&says("goes out in 10 seconds")).await;
    browser.until(&state(2, "scheduled in the sandbox")).await;
    check(&browser, "batch-queued").await;
    browser.press(None, "u").await;
    browser.until(&state(2, "cancelled in the sandbox")).await;
    browser.until(&says("Undone")).await;
    browser.press(None, "u").await;
    browser.until(&state(2, "Brand Aligned")).await;
    assert_eq!(site.call(Method::GET, "/api/v1/posts/1", None).await["status"], "cancelled");
    assert_eq!(site.status(2).await, "Brand Aligned");

    // A time is chosen by keyboard, and the post is cancelled by key.
    browser.run(&focus(3)).await;
    browser.press(None, "a").await;
    browser.until(&state(3, "Approved")).await;
    browser.run(&focus(3)).await;
    browser.press(None, "t").await;
    browser.until("document.activeElement.type === 'datetime-local'").await;
    let fill = "document.activeElement.value = new Date(Date.now() + 864e5).toISOString()\
                .slice(0, 16); document.activeElement.form.requestSubmit()";
    browser.run(fill).await;
    browser.until(&says("is scheduled")).await;
    browser.until(&state(3, "scheduled in the sandbox")).await;
    check(&browser, "batch-scheduled").await;
    browser.press(None, "c").await;
    browser.until(&state(3, "cancelled in the sandbox")).await;

    // A post goes out by itself, which every page shows.
    site.call(
        Method::POST,
        "/api/v1/generated-tweets/approve-many",
        Some(json!({
            "tweets": [{ "id": 1, "version": site.tweet(1).await["version"] }],
        })),
    )
    .await;
    site.call(Method::POST, "/api/v1/generated-tweets/1/publish", Some(json!({}))).await;
    browser.until(&state(1, "published in the sandbox")).await;
    browser.goto(&format!("{}/posts", site.process.base)).await;
    check(&browser, "posts").await;
    browser.run("document.querySelector('#post-3 a[rel]').click()").await;
    browser.until("location.pathname === '/sandbox' && document.querySelector('.card')").await;
    check(&browser, "sandbox").await;
    browser.goto(&format!("{}/publishing", site.process.base)).await;
    browser.until("document.querySelector('h1').innerText === 'Publishing'").await;
    check(&browser, "publishing-well").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_is_settled_in_two_clicks() {
    let site = Site::with_drafts(&["Lost on the way", "Refused"]).await;
    let browser = Browser::open(390, 844, true).await;
    let publish = async |id: i64, faults: &[&str]| {
        site.setting("SANDBOX_FAULTS", &faults.join(",")).await;
        let version = site.tweet(id).await["version"].clone();
        let tweets = json!({ "tweets": [{ "id": id, "version": version }] });
        site.call(Method::POST, "/api/v1/generated-tweets/approve-many", Some(tweets)).await;
        let path = format!("/api/v1/generated-tweets/{id}/publish");
        site.call(Method::POST, &path, Some(json!({}))).await["post"]["id"].as_i64().unwrap()
    };
    site.sign_in(&browser, "/publishing").await;
    let lost = publish(1, &["lost-request", "blind"]).await;
    browser.until("!document.getElementById('fresh').hidden").await;
    browser.run("document.querySelector('#fresh a').click()").await;
    let post = format!("document.querySelector('#attention ~ #post-{lost}')");
    browser.until(&post).await;
    check(&browser, "publishing-unknown-phone").await;
    let text = browser.run(&format!("return {post}.innerText")).await;
    let text = text.as_str().unwrap();
    assert!(text.contains("does not know") && text.contains("Attempt 1 began"), "{text}");

    // One click says that it is not there, the second publishes it again.
    site.setting("SANDBOX_FAULTS", "").await;
    let click = |label: &str| {
        format!(
            "[...document.querySelectorAll('button')].find((button) => \
             button.innerText.startsWith('{label}')).click()"
        )
    };
    browser.run(&click("It is not there")).await;
    browser.until("document.body.innerText.includes('Publish again')").await;
    browser.run(&click("Publish again")).await;
    browser.until(&format!("{post}.innerText.includes('published in the sandbox')")).await;
    assert_eq!(site.status(1).await, "Posted");

    // A refused post is listed with its reason.
    publish(2, &["refuse"]).await;
    browser.until("!document.getElementById('fresh').hidden").await;
    browser.run("document.querySelector('#fresh a').click()").await;
    browser.until("document.body.innerText.includes('configured to refuse')").await;
    check(&browser, "publishing-failed-phone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_runs_the_place_in_the_browser() {
    let site = Site::with_user("admin").await;
    let browser = Browser::open(1280, 900, false).await;
    let notice =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");
    site.sign_in(&browser, "/settings?group=mail").await;
    check(&browser, "settings").await;
    let port = "document.getElementById('value-EMAIL_PORT')";
    let save = |value: &str| format!("{port}.value = '{value}'; {port}.form.requestSubmit()");

    // A wrong value is refused with its reason, and stays in the field.
    browser.run(&save("many")).await;
    browser.until(&notice("EMAIL_PORT")).await;
    assert_eq!(browser.run(&format!("return {port}.value")).await, "many");
    // A right one is saved, and undone.
    browser.run(&save("2525")).await;
    browser.until(&notice("EMAIL_PORT is changed")).await;
    browser
        .until("document.getElementById('setting-EMAIL_PORT').innerText.includes('database')")
        .await;
    check(&browser, "settings-changed").await;
    browser.run("document.querySelector('#notice button').click()").await;
    browser.until(&notice("Undone")).await;
    browser.until(&format!("{port}.value === '465'")).await;
    // The history tells of both.
    browser.goto(&format!("{}/settings/history", site.process.base)).await;
    browser.until("document.querySelectorAll('#changes li').length >= 2").await;
    check(&browser, "settings-history").await;

    // A user is added, and gets another role.
    browser.goto(&format!("{}/users", site.process.base)).await;
    let add = "document.getElementById('new-user').open = true; \
               document.getElementById('new-email').value = 'ben@hive.example'; \
               document.getElementById('new-role').value = 'editor'; \
               document.querySelector('#new-user form').requestSubmit()";
    browser.run(add).await;
    browser.until("document.getElementById('users').innerText.includes('ben@hive.example')").await;
    check(&browser, "users").await;
    let role = "document.getElementById('role-2').value = 'approver'; \
                document.getElementById('role-2').form.requestSubmit()";
    browser.run(role).await;
    browser.until(&notice("ben has a new role")).await;
    browser.until("document.getElementById('user-2').innerText.includes('approver')").await;

    // A token is shown once.
    browser.goto(&format!("{}/tokens", site.process.base)).await;
    let create = "document.getElementById('new-token').open = true; \
                  document.getElementById('token-name').value = 'n8n here'; \
                  document.querySelector('[value=ingest]').checked = true; \
                  document.querySelector('#new-token form').requestSubmit()";
    browser.run(create).await;
    browser.until("document.getElementById('secret').open").await;
    let text = browser.run("return document.getElementById('secret-text').innerText").await;
    check(&browser, "tokens-secret").await;
    browser.run("document.querySelector('#secret button').click()").await;
    browser.until("document.getElementById('tokens').innerText.includes('n8n here')").await;
    let page = browser.run("return document.documentElement.outerHTML").await;
    assert!(text.as_str().unwrap().starts_with("wgl_"), "{text}");
    assert!(!page.as_str().unwrap().contains(text.as_str().unwrap()), "it is gone");
    check(&browser, "tokens").await;

    // The audit log says who changed what.
    let audit = "/audit?kind=setting.changed&actor=user%3A1";
    browser.goto(&format!("{}{audit}", site.process.base)).await;
    browser.until("document.body.innerText.includes('EMAIL_PORT')").await;
    check(&browser, "audit").await;
    browser.goto(&format!("{}/checks", site.process.base)).await;
    browser.until("document.querySelector('h1').innerText === 'Checks'").await;
    check(&browser, "checks").await;

    // Where an operation needs a recent authentication, it is asked for once. To wait until the
    // sign-in is not recent takes too long here, so the browser pretends to have been told so.
    browser.goto(&format!("{}/settings?group=mail", site.process.base)).await;
    let pretend = "const sent = window.fetch; window.fetch = (path, options) => { \
                   if (options?.method !== 'PUT') return sent(path, options); \
                   window.fetch = sent; \
                   const body = JSON.stringify({ needs: 'recent_authentication' }); \
                   return Promise.resolve(new Response(body, { status: 403 })); }";
    browser.run(pretend).await;
    browser.run(&save("2526")).await;
    browser.until("document.getElementById('proof').open").await;
    check(&browser, "proof").await;
    let prove = |password: &str| {
        format!(
            "document.getElementById('proof-password').value = '{password}'; \
             document.querySelector('#prove .first').click()"
        )
    };
    browser.run(&prove("wrong")).await;
    browser.until("document.getElementById('proof-problem').innerText").await;
    browser.run(&prove(PASSWORD)).await;
    browser.until(&notice("EMAIL_PORT is changed")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chosen_source_tweets_are_deleted() {
    let site = Site::with_user("editor").await;
    let tweets: Vec<Value> = (1..=3)
        .map(|number| {
            json!({ "Tweet ID": number.to_string(), "Content": format!("Idea {number}"),
                    "Date": "2025-08-14T14:30:00Z", "Likes": number })
        })
        .collect();
    let report = json!({ "execution_id": "run 1", "tweets": tweets });
    site.call(Method::POST, "/api/check-duplicate-tweet", Some(report)).await;
    let browser = Browser::open(1280, 900, true).await;
    site.sign_in(&browser, "/sources?sort=likes").await;
    browser.until("document.querySelectorAll('#sources li').length === 3").await;
    check(&browser, "sources").await;

    let delete = "document.querySelectorAll('[name=ids]')[0].click(); \
                  document.querySelectorAll('[name=ids]')[2].click(); \
                  document.getElementById('chosen').requestSubmit()";
    browser.run(delete).await;
    browser.until("document.querySelectorAll('#sources li').length === 1").await;
    browser.until("document.getElementById('sources').innerText.includes('Idea 2')").await;
    // The filters stay.
    assert_eq!(browser.run("return location.search").await, "?sort=likes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_admin_comes_by_link() {
    let database = process::database(Kind::Sqlite).await;
    let process = Process::start(&database, &[]);
    let printed = command(&database).args(["--json", "setup-link"]).output().unwrap();
    let link: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let token = link["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let browser = Browser::open(390, 844, false).await;

    browser.goto(&format!("{}/setup", process.base)).await;
    browser.until("!document.getElementById('no-token').hidden").await;
    check(&browser, "setup-without-link").await;
    browser.goto("about:blank").await;
    browser.goto(&format!("{}/setup#{token}", process.base)).await;
    browser.until("!document.getElementById('setup').hidden").await;
    check(&browser, "setup").await;
    let fill = format!(
        "const form = document.getElementById('setup'); form.email.value = 'ana@hive.example'; \
         form.password.value = '{PASSWORD}'; form.requestSubmit();"
    );
    browser.run(&fill).await;
    browser.until("location.pathname === '/' && document.getElementById('steps')").await;
    browser.until("document.querySelector('.bar').innerText.includes('ana')").await;
    check(&browser, "home-first").await;

    // From there, a sample batch is loaded, reviewed and published.
    browser.run("document.querySelector('[data-op=create_sample_batch] button').click()").await;
    browser.until("document.querySelector('#runs a')").await;
    check(&browser, "home-sample").await;
    browser.run("document.querySelector('#runs a').click()").await;
    browser.until("document.getElementById('tweet-1')").await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "a").await;
    browser.until("document.querySelector('#tweet-1 .state.good')").await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "p").await;
    browser.until("document.querySelector('#tweet-1').innerText.includes('scheduled in')").await;
    browser.until("document.querySelector('#tweet-1').innerText.includes('published in')").await;
    browser.goto(&format!("{}/sandbox", process.base)).await;
    browser.until("document.querySelector('.card').innerText.includes('Most hardware')").await;
    browser.goto(&format!("{}/sources", process.base)).await;
    browser.until("document.querySelector('.empty')").await;
    check(&browser, "sources-empty-phone").await;
    browser.goto(&format!("{}/help", process.base)).await;
    browser.until("document.body.innerText.includes('/api/receive-tweets')").await;
    check(&browser, "help-phone").await;
    browser.goto(&format!("{}/", process.base)).await;
    browser.until("document.querySelector('.button')").await;
    check(&browser, "home-phone").await;
    browser.goto(&format!("{}/setup#{token}", process.base)).await;
    browser.until("document.body.innerText.includes('set up already')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_ten_is_decided_by_keyboard() {
    let long = "word ".repeat(80);
    let ideas: Vec<String> = (1..=9).map(|number| format!("Idea {number}")).collect();
    let texts: Vec<&str> = ideas.iter().map(String::as_str).chain([long.as_str()]).collect();
    let site = Site::with_drafts(&texts).await;
    let browser = Browser::open(1280, 900, false).await;
    site.sign_in(&browser, "/batches/1").await;
    let notice =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");
    let focused = "document.activeElement.id";

    // The first is rejected with a reason, the second is edited, the third is left out.
    browser.press(None, "n").await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    browser.press(None, "X").await;
    browser.until("document.activeElement.name === 'reason'").await;
    browser.press(None, "off topic").await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until(&notice("rejected")).await;
    browser.until(&format!("{focused} === 'tweet-2'")).await;
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " improved").await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until(&notice("edited")).await;
    browser.press(None, "jm").await;
    browser.until("document.getElementById('tweet-3').matches('.out')").await;

    // While the question stands, somebody changes the fourth: it is not approved.
    browser.press(None, "A").await;
    browser.until("document.getElementById('approve-all').open").await;
    check(&browser, "approve-all").await;
    let count = "return document.getElementById('approve-count').innerText";
    assert_eq!(browser.run(count).await, "7");
    let change = Some(json!({ "content": "Idea 4 of Ben" }));
    site.call(Method::PATCH, "/api/v1/generated-tweets/4", change).await;
    browser.until("document.querySelector('#tweet-4 .text').innerText === 'Idea 4 of Ben'").await;
    browser.press(None, ENTER).await;
    browser.until(&notice("Approved: 6.")).await;
    check(&browser, "approved-all").await;
    let mut states = Vec::new();
    for id in 1..=10 {
        states.push(site.status(id).await);
    }
    let approved = ["Approved"; 5];
    let expected =
        [&["Rejected", "Approved", "Brand Aligned", "Draft"][..], &approved[..]].concat();
    assert_eq!(states[..9], expected[..], "{states:?}");
    assert_eq!(states[9], "Brand Aligned", "it is too long");

    // The question can be left, also after it was answered once.
    browser.press(None, "A").await;
    browser.until("document.getElementById('approve-all').open").await;
    browser.press(None, ESCAPE).await;
    browser.until("!document.getElementById('approve-all').open").await;
    assert_eq!(site.status(4).await, "Draft");

    // One undo takes all of them back, and the page keeps what was left out.
    browser.press(None, "u").await;
    browser.until(&notice("Undone")).await;
    for id in [2, 5, 6, 7, 8, 9] {
        assert_ne!(site.status(id).await, "Approved", "{id}");
    }
    browser.goto(&format!("{}/review", site.process.base)).await;
    browser.until("document.getElementById('tweet-3').matches('.out')").await;
    let history = site.call(Method::GET, "/api/v1/generated-tweets/1/history", None).await;
    assert_eq!(history["items"][0]["note"], "off topic", "{history}");

    // What is being written survives a reload.
    browser.run("document.getElementById('tweet-5').focus()").await;
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " unsaved").await;
    browser.goto(&format!("{}/review", site.process.base)).await;
    let field = "document.getElementById('tweet-5-text')";
    browser.until(&format!("{field}?.value === 'Idea 5 unsaved'")).await;
    browser.run(&format!("{field}.form.requestSubmit()")).await;
    browser.until(&notice("edited")).await;
    browser.goto(&format!("{}/review", site.process.base)).await;
    browser.until(&format!("{field}?.value === 'Idea 5 unsaved'")).await;
    let kept = "return Object.keys(sessionStorage).filter((key) => key.includes('tweet-5'))";
    assert_eq!(browser.run(kept).await, json!([]));
    browser.press(None, "gp").await;
    browser.until("location.pathname === '/publishing'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_do_is_seen_and_overwrites_nothing() {
    let site = Site::with_drafts(&["One idea", "Another idea"]).await;
    let browser = Browser::open(1280, 800, true).await;
    site.sign_in(&browser, "/review").await;
    let edit = |content: &str| Some(json!({ "content": content }));

    // A change elsewhere is drawn, and a new batch is announced.
    site.call(Method::PATCH, "/api/v1/generated-tweets/2", edit("Of Ben")).await;
    browser.until("document.querySelector('#tweet-2 .text').innerText === 'Of Ben'").await;
    site.submit("b-2", &["More"]).await;
    browser.until("!document.getElementById('fresh').hidden").await;
    check(&browser, "review-dark").await;

    // What is being written stays, and what somebody else saved is not overwritten.
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " of Ana").await;
    site.call(Method::PATCH, "/api/v1/generated-tweets/1", edit("One idea of Ben")).await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until("document.getElementById('notice').innerText.includes('somebody changed')").await;
    browser.until("document.querySelector('#tweet-1 .text').innerText === 'One idea of Ben'").await;
    let field = "document.getElementById('tweet-1-text').value";
    assert_eq!(browser.run(&format!("return {field}")).await, "One idea of Ana");
    assert_eq!(site.tweet(1).await["content"], "One idea of Ben");
    // The page shows how both differ.
    let parts = "return [...document.querySelectorAll('#tweet-1 .diff > *')].map((part) => \
                 `${part.localName} ${part.textContent.trim()}`)";
    assert_eq!(browser.run(parts).await, json!(["span One idea of", "del Ben", "ins Ana"]));
    check(&browser, "review-conflict").await;
    // The second time, the new version was seen.
    browser.run("document.getElementById('tweet-1-text').form.requestSubmit()").await;
    browser.until("document.getElementById('notice').innerText.includes('edited')").await;
    assert_eq!(site.tweet(1).await["content"], "One idea of Ana");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_fit_a_phone_and_show_markup_as_text() {
    let markup = "<img src=x onerror=alert(1)> \u{202e}turned <b>bold</b> https://example.com/a";
    let long = "word ".repeat(80);
    let site = Site::with_drafts(&[markup, &long]).await;
    let browser = Browser::open(360, 780, false).await;
    site.sign_in(&browser, "/tweets/1").await;
    check(&browser, "tweet-phone").await;
    assert_eq!(browser.run("return document.querySelectorAll('main img, main b').length").await, 0);

    browser.goto(&format!("{}/review", site.process.base)).await;
    check(&browser, "review-phone").await;
    let approve = "[data-op=approve_generated_tweet]";
    let of_long = format!("return document.querySelector('#tweet-2 {approve}')");
    assert_eq!(browser.run(&of_long).await, Value::Null, "it is too long");

    for id in [1, 2] {
        site.call(Method::POST, &format!("/api/v1/generated-tweets/{id}/reject"), Some(json!({})))
            .await;
    }
    browser.goto(&format!("{}/review", site.process.base)).await;
    browser.until("document.querySelector('.empty')").await;
    check(&browser, "review-empty").await;
    browser.goto(&format!("{}/tweets/2", site.process.base)).await;
    check(&browser, "tweet-rejected").await;
    browser.goto(&format!("{}/batches", site.process.base)).await;
    browser.run("document.querySelector('.lines a').click()").await;
    browser.until("location.pathname === '/batches/1' && document.querySelector('.card')").await;
    check(&browser, "batch-phone").await;
    browser.goto(&format!("{}/tweets/99", site.process.base)).await;
    browser.until("document.querySelector('h1').innerText.includes('no such page')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_told_until_a_matter_is_settled() {
    let site = Site::with_user("approver").await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/notifications").await;
    browser.until("document.getElementById('notifications').innerText.includes('Nothing')").await;
    check(&browser, "notifications-none").await;

    // The bell follows what happens.
    site.submit("b-1", &["One idea", "Another idea"]).await;
    browser.until("document.querySelector('#bell .unread')?.innerText.startsWith('1')").await;
    browser.until("document.querySelector('#notifications li')").await;
    check(&browser, "notifications").await;

    // A person chooses how to be told.
    browser.run("document.getElementById('choice-post_failed').value = 'console'").await;
    browser.run("document.getElementById('digest-hour').value = '17'").await;
    browser.run("document.getElementById('digest-hour').form.requestSubmit()").await;
    browser.until("document.getElementById('notice').innerText.includes('Saved')").await;
    let chosen = browser.evaluate("fetch('/api/v1/me/notifications').then((a) => a.json())").await;
    assert_eq!((&chosen["post_failed"], &chosen["digest_hour"]), (&json!("console"), &json!(17)));
    assert_eq!(chosen["batch_arrived"], "digest");

    // Opening it is reading it. It stays until nothing of the batch waits.
    browser.run("document.querySelector('#notifications li a').click()").await;
    browser.until("location.pathname === '/batches/1' && document.querySelector('.card')").await;
    browser.goto(&format!("{}/notifications", site.process.base)).await;
    let is_read = "document.querySelector('#notifications li') && \
                   !document.querySelector('#bell .unread')";
    browser.until(is_read).await;
    check(&browser, "notifications-read").await;
    for id in 1..=2 {
        site.call(Method::POST, &format!("/api/v1/generated-tweets/{id}/reject"), None).await;
    }
    browser.until("document.getElementById('notifications').innerText.includes('Nothing')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_in_the_zone_of_the_person() {
    let site = Site::with_drafts(&["One idea", "Another idea"]).await;
    let browser = Browser::open(390, 844, true).await;
    let zone = json!({ "timezoneId": "Europe/Berlin" });
    browser.devtools("Emulation.setTimezoneOverride", zone).await;
    site.sign_in(&browser, "/batches/1").await;
    let says =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");

    // The zone of the browser is taken over by one click.
    browser.until("!document.getElementById('other-zone').hidden").await;
    check(&browser, "other-zone").await;
    browser.run("document.querySelector('#other-zone form button').click()").await;
    browser.until("document.querySelector('[data-zone]')?.dataset.zone === 'Europe/Berlin'").await;
    browser.until("document.getElementById('other-zone')?.hidden").await;

    // What is entered is local time.
    let tweets = json!({ "tweets": [{ "id": 1, "version": 1 }] });
    site.call(Method::POST, "/api/v1/generated-tweets/approve-many", Some(tweets)).await;
    browser.until("document.getElementById('tweet-1-at')").await;
    let enter = |local: &str| {
        format!(
            "const at = document.getElementById('tweet-1-at'); at.value = '{local}'; \
             at.form.requestSubmit()"
        )
    };
    browser.run(&enter("2027-03-28T02:30")).await;
    browser.until(&says("clocks skip this time")).await;
    browser.run(&enter("2027-10-31T02:30")).await;
    browser.until("document.getElementById('twice').open").await;
    check(&browser, "twice").await;
    browser.run("document.querySelector('#twice button[value=\"1\"]').click()").await;
    browser.until(&says("is scheduled")).await;
    let post = site.call(Method::GET, "/api/v1/posts/1", None).await;
    assert_eq!(post["scheduled_time"], "2027-10-31T01:30:00+00:00");
    browser
        .until("document.getElementById('tweet-1').innerText.includes('31 Oct 2027, 02:30')")
        .await;

    // Scripts and server agree in 40 zones, over both changes of daylight saving.
    let zones: Vec<Zone> = Zone::all().step_by(15).take(40).collect();
    let mut wanted = Vec::new();
    for zone in &zones {
        for day in ["2027-03-28", "2027-10-31", "2027-04-04", "2027-09-05", "2027-07-01"] {
            for time in ["00:30", "01:15", "02:30", "03:00", "23:45"] {
                let local = format!("{day}T{time}");
                wanted.push(json!([zone.name(), &local, times_of(*zone, &local)]));
            }
        }
    }
    let cases: Vec<Value> = wanted.iter().map(|case| json!([case[0], case[1]])).collect();
    let program = format!(
        "import(document.querySelector('link[href$=\"zone.js\"]').href).then(({{ timesOf }}) => \
         {}.map(([zone, local]) => [zone, local, timesOf(local, zone)]))",
        json!(cases)
    );
    assert_eq!(browser.evaluate(&program).await, json!(wanted));
    assert_eq!(zones.len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_managed_in_the_browser() {
    let site = Site::with_user("editor").await;
    let browser = Browser::open(390, 844, true).await;
    let account = format!("{}/account", site.process.base);
    browser.goto(&account).await;
    for view in ["sign-in", "register", "reset", "link"] {
        let place = if view == "link" { "reset=token" } else { view };
        browser.run(&format!("location.hash = '{place}'")).await;
        browser
            .until(&format!("document.querySelector('[data-for={view}]').checkVisibility()"))
            .await;
        check(&browser, &format!("account-{view}")).await;
    }
    site.sign_in(&browser, "/posts").await;
    browser.goto(&account).await;
    browser.until("document.getElementById('sessions')").await;
    check(&browser, "account").await;
    let says =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");
    let submit = async |form: &str, fields: &[(&str, &str)]| {
        let fill = fields.iter().fold(String::new(), |fill, (name, value)| {
            fill + &format!("form.elements.{name}.value = '{value}';")
        });
        let script = format!("const form = document.querySelector('{form}'); {fill}");
        browser.run(&format!("{script} form.requestSubmit()")).await;
    };

    // Names and time zone are saved, and an empty name, too.
    let profile = "[data-op=update_me]:has(#zone)";
    submit(profile, &[("first_name", "Ana"), ("time_zone", "Asia/Kathmandu")]).await;
    browser.until("document.querySelector('[data-zone]').dataset.zone === 'Asia/Kathmandu'").await;
    browser.until("document.getElementById('first-name')?.value === 'Ana'").await;
    submit(profile, &[("first_name", "")]).await;
    browser.until("document.getElementById('first-name')?.value === ''").await;

    // The password is changed, which ends the other sessions.
    let other = Browser::open(1280, 800, false).await;
    site.sign_in(&other, "/review").await;
    browser.goto(&account).await;
    let sessions = "document.querySelectorAll('#sessions li').length";
    browser.until(&format!("{sessions} === 2")).await;
    let wanted = format!("{PASSWORD} again");
    submit("[data-op=change_own_password]", &[("present", PASSWORD), ("wanted", &wanted)]).await;
    browser.until(&says("password is changed")).await;
    browser.until(&format!("{sessions} === 1 && !document.getElementById('present').value")).await;

    // An authenticator app is added, after a proof with the new password if it is needed.
    submit("#add-totp", &[]).await;
    browser.until("document.getElementById('totp').open").await;
    check(&browser, "account-totp").await;
    submit("#confirm-totp", &[("code", "000000")]).await;
    browser.until("document.getElementById('totp-problem').innerText").await;
    let secret = browser.run("return document.getElementById('totp-secret').innerText").await;
    let secret = secret.as_str().unwrap().replace(' ', "");
    submit("#confirm-totp", &[("code", &code_of(&secret))]).await;
    browser.until("document.getElementById('secret').open").await;
    check(&browser, "account-codes").await;
    let codes = browser.run("return document.getElementById('secret-text').innerText").await;
    let codes: Vec<String> = codes.as_str().unwrap().lines().map(str::to_owned).collect();
    assert_eq!(codes.len(), 10);
    browser.press(None, ESCAPE).await;
    browser
        .until("document.getElementById('factors').innerText.includes('10 recovery codes')")
        .await;
    assert_eq!(browser.run("return document.getElementById('totp-secret').innerText").await, "");
    check(&browser, "account-factor").await;

    // A link for another account is shown, and its secret does not stay in the address.
    browser.goto(&format!("{account}?x=1#reset=secret-of-a-link")).await;
    browser.until("document.querySelector('[data-for=link]')?.checkVisibility()").await;
    let address = browser.run("return location.href").await;
    assert!(!address.as_str().unwrap().contains("secret"), "{address}");
    check(&browser, "account-link-signed-in").await;
    browser.goto(&account).await;

    // Signing in again asks for the second factor, and leads back.
    submit("#sign-out", &[]).await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
    browser.goto(&format!("{}/posts?status=failed", site.process.base)).await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
    submit("#sign-in", &[("login", "ana"), ("password", &wanted)]).await;
    browser.until("document.getElementById('factor').checkVisibility()").await;
    check(&browser, "account-second-factor").await;
    browser.goto(&account).await;
    browser.until("document.getElementById('factor')?.checkVisibility()").await;
    submit("#factor", &[("code", &codes[0])]).await;
    browser.until("location.pathname === '/' && document.getElementById('main')").await;
}

/// An admin who must have a second factor sets one up, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_sets_up_the_second_factor_that_is_required() {
    let site = Site::with_user("admin").await;
    let settings = ["settings", "set", "ADMIN_SECOND_FACTOR_REQUIRED", "true"];
    let set = command(&site.database).args(settings).stdout(Stdio::null()).status().unwrap();
    assert!(set.success());
    let browser = Browser::open(1280, 800, false).await;
    browser.goto(&format!("{}/account", site.process.base)).await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
    let fill = format!(
        "const form = document.getElementById('sign-in'); form.login.value = 'ana'; \
         form.password.value = '{PASSWORD}'; form.requestSubmit();"
    );
    browser.run(&fill).await;
    browser.until("document.getElementById('enrolling')").await;
    check(&browser, "account-enrolling").await;
    browser.run("document.getElementById('add-totp').requestSubmit()").await;
    browser.until("document.getElementById('totp').open").await;
    let secret = browser.run("return document.getElementById('totp-secret').innerText").await;
    let code = code_of(&secret.as_str().unwrap().replace(' ', ""));
    let confirm = format!(
        "const form = document.getElementById('confirm-totp'); \
         form.elements.code.value = '{code}'; form.requestSubmit()"
    );
    browser.run(&confirm).await;
    browser.until("document.getElementById('secret').open").await;

    browser.run("document.querySelector('#secret form').requestSubmit()").await;
    browser.until("location.pathname === '/' && document.querySelector('nav')").await;
}

/// The code that an authenticator app shows now.
fn code_of(secret: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp =
        totp_rs::Builder::new().with_secret(secret).with_account_name("ana").build().unwrap();
    totp.generate(u64::try_from(chrono::Utc::now().timestamp()).unwrap()).to_string()
}

/// The times at which the clocks of a zone show this, by looking at each quarter of an hour.
fn times_of(zone: Zone, local: &str) -> Vec<String> {
    let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%dT%H:%M").unwrap();
    (-26 * 4..=26 * 4)
        .map(|quarters| local.and_utc() + TimeDelta::minutes(quarters * 15))
        .filter(|time| zone.local(*time) == local)
        .map(|time| time.format("%Y-%m-%dT%H:%M:%S.000Z").to_string())
        .collect()
}

/// A page with 50 cards is small, and so is what a browser keeps of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_small() {
    let texts: Vec<String> = (0..50).map(|n| format!("Idea {n}: {}", "word ".repeat(40))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let site = Site::with_drafts(&texts).await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/posts").await;
    let measure = async |is_cold: bool| {
        browser.devtools("Network.setCacheDisabled", json!({ "cacheDisabled": is_cold })).await;
        browser.goto(&format!("{}/review", site.process.base)).await;
        browser.until("document.readyState === 'complete'").await;
        let measured = browser
            .evaluate(
                "(() => { const all = ['navigation', 'resource'].flatMap((kind) => \
                 performance.getEntriesByType(kind)).filter((one) => one.transferSize); \
                 return [all.length, all.reduce((sum, one) => sum + one.transferSize, 0)]; })()",
            )
            .await;
        (measured[0].as_u64().unwrap(), measured[1].as_u64().unwrap())
    };
    browser.devtools("Network.enable", json!({})).await;

    let (cold, warm) = (measure(true).await, measure(false).await);

    let cards = browser.run("return document.querySelectorAll('.card').length").await;
    assert_eq!(cards, 50);
    assert!(cold.0 <= 12 && cold.1 <= 60_000, "{cold:?}");
    assert!(warm.0 <= 1 && warm.1 <= 20_000, "{warm:?}");
}

/// Every page in both themes, on a screen, a phone, and a window as narrow as text of twice the
/// size makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_fits_every_window() {
    const PAGES: [&str; 18] = [
        "/",
        "/review",
        "/batches",
        "/batches/1",
        "/tweets/1",
        "/sources",
        "/posts",
        "/posts/1",
        "/publishing",
        "/sandbox",
        "/notifications",
        "/account",
        "/tokens",
        "/help",
        "/settings",
        "/users",
        "/audit",
        "/checks",
    ];
    let site = Site::with_user("admin").await;
    let tweet = json!({ "Tweet ID": "19", "Content": "Hi", "Date": "2026-08-14T14:30:00Z" });
    let report = json!({ "execution_id": "e-1", "tweets": [tweet] });
    site.call(Method::POST, "/api/check-duplicate-tweet", Some(report)).await;
    site.submit("b-1", &["One idea", "Another idea"]).await;
    let tweets = json!({ "tweets": [{ "id": 1, "version": 1 }] });
    site.call(Method::POST, "/api/v1/generated-tweets/approve-many", Some(tweets)).await;
    site.call(Method::POST, "/api/v1/generated-tweets/1/publish", Some(json!({}))).await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/posts").await;
    // Links within a text may be smaller (WCAG 2.2, 2.5.8).
    let small = "return [...document.querySelectorAll('button, summary, select, nav a, \
                 input:not([type=hidden], [type=checkbox])')].filter((one) => \
                 one.checkVisibility() && one.getBoundingClientRect().height < 24)\
                 .map((one) => one.outerHTML)";
    for path in PAGES {
        browser.goto(&format!("{}{path}", site.process.base)).await;
        let name = path.trim_matches('/').replace('/', "-");
        let name = if name.is_empty() { "home" } else { &name };
        for (width, height) in [(1280, 800), (390, 844), (320, 640)] {
            for is_dark in [false, true] {
                browser.look(width, height, is_dark).await;
                let theme = if is_dark { "dark" } else { "light" };
                check(&browser, &format!("all-{name}-{width}-{theme}")).await;
            }
            assert_eq!(browser.run(small).await, json!([]), "{path} at {width}");
        }
    }
}
