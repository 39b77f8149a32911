//! Drives Debian's Chromium over the `WebDriver` protocol (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::database::Folder;

/// How long a condition may take to become true.
const PATIENCE: Duration = Duration::from_secs(20);

/// Notes what the browser refuses, from the first script of each page on.
const WATCH: &str = "window.refused = []; document.addEventListener('securitypolicyviolation', \
                     (event) => window.refused.push(`${event.violatedDirective} \
                     ${event.blockedURI}`));";

/// A browser with an empty profile.
pub(crate) struct Browser {
    driver: Child,
    client: Client,
    /// The address of the session.
    session: String,
    _profile: Folder,
}

impl Browser {
    /// Opens a browser whose window has this size.
    pub(crate) async fn open(width: u32, height: u32, is_dark: bool) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Chromium is a child of the driver. Both end with their group.
            .process_group(0)
            .spawn()
            .expect("chromedriver is installed");
        let output = BufReader::new(driver.stdout.take().expect("its output is piped"));
        let port = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split("started successfully on port ").nth(1)?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("chromedriver says its port");
        let profile = Folder::new();
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.0.display()));
        arguments.push(format!("--window-size={width},{height}"));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let client = client();
        let base = format!("http://127.0.0.1:{port}");
        let begun = call(&client, Method::POST, &format!("{base}/session"), wanted).await;
        let id = begun["sessionId"].as_str().expect("a session has an id");
        let session = format!("{base}/session/{id}");
        let browser = Self { driver, client, session, _profile: profile };
        let script = json!({ "source": WATCH });
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", script).await;
        browser.look(width, height, is_dark).await;
        browser
    }

    /// Shows pages in a window of this size, and in this theme.
    pub(crate) async fn look(&self, width: u32, height: u32, is_dark: bool) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        call(&self.client, Method::POST, &format!("{}/{path}", self.session), body).await
    }

    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
        self.until("document.readyState === 'complete'").await;
    }

    /// Plugs in an authenticator that agrees to everything
    /// (<https://www.w3.org/TR/webauthn-3/#sctn-automation>).
    pub(crate) async fn add_authenticator(&self) {
        let authenticator = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true,
        });
        self.post("webauthn/authenticator", authenticator).await;
    }

    /// The tab that is used.
    pub(crate) async fn tab(&self) -> String {
        let url = format!("{}/window", self.session);
        let tab = call(&self.client, Method::GET, &url, Value::Null).await;
        tab.as_str().expect("a tab has a handle").to_owned()
    }

    /// Opens another tab, which is used from now on.
    pub(crate) async fn open_tab(&self) -> String {
        let opened = self.post("window/new", json!({ "type": "tab" })).await;
        let tab = opened["handle"].as_str().expect("a tab has a handle").to_owned();
        self.use_tab(&tab).await;
        tab
    }

    /// Brings a tab to the front, and uses it from now on.
    pub(crate) async fn use_tab(&self, tab: &str) {
        self.post("window", json!({ "handle": tab })).await;
        self.devtools("Page.bringToFront", json!({})).await;
    }

    /// What a script returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Evaluates a program that the content security policy of the page does not know.
    pub(crate) async fn evaluate(&self, program: &str) -> Value {
        let parameters =
            json!({ "expression": program, "awaitPromise": true, "returnByValue": true });
        let answer = self.devtools("Runtime.evaluate", parameters).await;
        assert!(answer.get("exceptionDetails").is_none(), "{answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&self, expression: &str) {
        let begun = Instant::now();
        while self.run(&format!("return Boolean({expression})")).await != true {
            if begun.elapsed() > PATIENCE {
                let page = self.run("return document.body.innerText").await;
                panic!("never true: {expression}\n{page}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Presses keys, one after the other. `held` is held down meanwhile.
    pub(crate) async fn press(&self, held: Option<char>, keys: &str) {
        let key = |kind: &str, value: char| json!({ "type": kind, "value": value.to_string() });
        let mut actions: Vec<Value> = held.map(|held| key("keyDown", held)).into_iter().collect();
        for value in keys.chars() {
            actions.extend([key("keyDown", value), key("keyUp", value)]);
        }
        actions.extend(held.map(|held| key("keyUp", held)));
        let actions = json!([{ "type": "key", "id": "keyboard", "actions": actions }]);
        self.post("actions", json!({ "actions": actions })).await;
    }

    /// Drags one element to this part of the height of another one, and presses a key before it is
    /// dropped there.
    pub(crate) async fn drag(&self, from: &str, to: &str, part: f64, key: Option<&str>) {
        let middle = async |selector: &str, part: f64| {
            let script = format!(
                "const box = document.querySelector('{selector}').getBoundingClientRect(); \
                 return [box.left + box.width / 2, box.top + box.height * {part}].map(Math.round)"
            );
            self.run(&script).await
        };
        let moves =
            |to: &Value| json!({ "type": "pointerMove", "duration": 50, "x": to[0], "y": to[1] });
        let act = async |actions: Value| {
            let pointer = json!({ "type": "pointer", "id": "mouse", "actions": actions });
            self.post("actions", json!({ "actions": [pointer] })).await;
        };
        let (from_at, to_at) = (middle(from, 0.5).await, middle(to, part).await);
        act(json!([moves(&from_at), { "type": "pointerDown", "button": 0 }])).await;
        self.until("document.querySelector('.card.moves')").await;
        act(json!([moves(&to_at)])).await;
        if let Some(key) = key {
            self.press(None, key).await;
        }
        act(json!([{ "type": "pointerUp", "button": 0 }])).await;
    }

    /// A picture of the window, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        use base64::Engine as _;
        let url = format!("{}/screenshot", self.session);
        let picture = call(&self.client, Method::GET, &url, Value::Null).await;
        let text = picture.as_str().expect("a picture is a text");
        base64::engine::general_purpose::STANDARD.decode(text).expect("it is Base64")
    }

    /// Errors in the console of the browser since this was asked last, without those of expected
    /// answers.
    pub(crate) async fn errors(&self, expected: &[&str]) -> Vec<String> {
        let log = self.post("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        let texts = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        let texts = texts.filter_map(|entry| entry["message"].as_str().map(str::to_owned));
        texts.filter(|text| !expected.iter().any(|part| text.contains(part))).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.driver.wait();
    }
}

/// A client of the driver and of the server.
pub(crate) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().expect("a client")
}

/// Calls the driver, and returns the value of its answer.
async fn call(client: &Client, method: Method, url: &str, body: Value) -> Value {
    let mut request = client.request(method, url);
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("the driver answers");
    let status = answer.status();
    let mut answer: Value = answer.json().await.expect("the driver answers JSON");
    let value = answer["value"].take();
    assert!(status.is_success(), "{url}: {value}");
    value
}
