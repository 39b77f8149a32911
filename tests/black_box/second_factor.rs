//! Tests that users with a second factor need it at sign-in, and get no access before.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::accounts::{Browser, cookie, user};
use crate::api::{Operation, operations};
use crate::authenticator::{Authenticator, Lie};
use crate::database::Kind;
use crate::{Answer, Waggle, answer, on_both, run};

const PASSWORD: &str = "correct staple, battery horse";

/// An authenticator app.
struct App {
    totp: Totp,
    secret: String,
    /// The code that the app was set up with.
    used: String,
    /// The code after that, which is valid for a minute.
    next: String,
}

impl App {
    fn of(shown: &Value) -> Self {
        let (url, secret) = (shown["url"].as_str().unwrap(), shown["secret"].as_str().unwrap());
        assert!(url.starts_with("otpauth://totp/") && url.contains(secret), "{url}");
        let raw = Secret::try_from_base32(secret).unwrap();
        let totp = Builder::new().with_secret(raw).with_account_name("joe").build().unwrap();
        let mut app =
            Self { totp, secret: secret.to_owned(), used: String::new(), next: String::new() };
        (app.used, app.next) = (app.shows(0), app.shows(1));
        app
    }

    /// The code that the app shows `steps` times 30 seconds from now. Of the codes that are
    /// accepted, only the current and the next one stay so for the time of a test.
    fn shows(&self, steps: u64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.totp.generate(now + 30 * steps).to_string()
    }
}

impl Browser<'_> {
    /// Sends a code. After that, the browser has the new session.
    async fn show(&mut self, code: &str) -> Result<Value, u16> {
        let request = self.request(Method::POST, "/auth/second-factor");
        let response = request.json(&json!({ "code": code })).send().await.unwrap();
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        self.cookie = cookie(&response);
        Ok(response.json().await.unwrap())
    }

    /// Sets up an app. This uses its current code.
    async fn set_up(&self) -> (App, Vec<String>) {
        let begun = self.send(Method::POST, "/me/second-factor/totp", json!({})).await.ok();
        let app = App::of(&begun);
        let code = json!({ "code": app.used });
        let done = self.send(Method::POST, "/me/second-factor/totp/confirm", code).await.ok();
        let codes = done["recovery_codes"].as_array().unwrap();
        (app, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
    }
}

async fn the_second_factor_is_required(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    user(&waggle, "joe", "editor");
    let browser = waggle.browser("joe").await;
    let elsewhere = waggle.browser("joe").await;

    let confirm = |code: String| {
        let body = json!({ "code": code });
        browser.send(Method::POST, "/me/second-factor/totp/confirm", body)
    };
    confirm("123456".to_owned()).await.refused(409);
    browser
        .send(Method::POST, "/auth/second-factor", json!({ "code": "123456" }))
        .await
        .refused(409);
    browser.send(Method::POST, "/me/second-factor/totp", json!({})).await.ok();
    browser.send(Method::DELETE, "/me/second-factor/totp", json!({})).await.refused(409);
    elsewhere.get("/me").await.ok();
    let (app, codes) = browser.set_up().await;
    assert_eq!(codes.len(), 10);
    confirm(app.shows(1)).await.refused(409);
    browser.send(Method::POST, "/me/second-factor/totp", json!({})).await.refused(409);
    elsewhere.get("/me").await.refused(401);
    let me = browser.get("/me").await.ok();
    assert_eq!(me["user"]["has_second_factor"], true, "the one who set it up stays in");
    let told = waggle.mail("joe@hive.example", "second factor").await;
    assert!(told.text.contains("authenticator app was set up"), "{told:?}");

    let answered = answer(waggle.login("joe", PASSWORD)).await.ok();
    assert_eq!(answered["needs"], "second_factor");
    let mut joe = waggle.browser("joe").await;
    let refused = joe.get("/me").await.refused(403);
    assert_eq!(refused["needs"], "second_factor");
    assert_eq!(joe.show(&app.used).await, Err(403), "it was used to set the app up");
    assert_eq!(joe.show("").await, Err(403));
    assert_eq!(joe.show("aaaa-aaaa-aaaa-aaaa").await, Err(403));
    assert_eq!(joe.show(&"1".repeat(65)).await, Err(422));
    let pending = joe.cookie.clone();
    let shown = joe.show(&format!(" {} ", app.next)).await.unwrap();
    assert_eq!(shown["needs"], Value::Null, "{shown}");
    joe.get("/me").await.ok();
    assert_ne!(joe.cookie, pending);
    let before = Browser { waggle: &waggle, cookie: pending };
    before.get("/me").await.refused(401);
    let mut again = waggle.browser("joe").await;
    assert_eq!(again.show(&app.next).await, Err(403), "each code is valid once");

    again.show(&codes[3].to_uppercase().replace('-', " ")).await.unwrap();
    let mut once_more = waggle.browser("joe").await;
    assert_eq!(once_more.show(&codes[3]).await, Err(403), "each code is valid once");
    let state = again.get("/me/second-factor").await.ok();
    assert_eq!((&state["has_totp"], &state["recovery_codes_left"]), (&json!(true), &json!(9)));
    waggle.mail("joe@hive.example", "second factor").await;
    let renewed =
        again.send(Method::POST, "/me/second-factor/recovery-codes", json!({})).await.ok();
    let renewed = renewed["recovery_codes"][0].as_str().unwrap();
    assert_eq!(once_more.show(&codes[4]).await, Err(403), "there are new codes now");
    once_more.show(renewed).await.unwrap();
    // The password is not enough to remove the second factor.
    let password = json!({ "password": PASSWORD });
    let refused = again.send(Method::POST, "/auth/confirm", password).await.refused(403);
    assert_eq!(refused["needs"], "second_factor");
    again.send(Method::DELETE, "/me/second-factor/totp", json!({})).await.ok();
    assert_eq!(answer(waggle.login("joe", PASSWORD)).await.ok()["needs"], Value::Null);
    again.send(Method::DELETE, "/me/second-factor/totp", json!({})).await.refused(409);
}

async fn a_password_without_the_second_factor_gives_no_access(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    user(&waggle, "joe", "admin");
    let browser = waggle.browser("joe").await;
    browser.set_up().await;
    let half = waggle.browser("joe").await;
    user(&waggle, "ann", "admin");
    let ann = waggle.browser("ann").await;
    let body = json!({ "value": true });
    browser.send(Method::PUT, "/settings/ADMIN_SECOND_FACTOR_REQUIRED", body).await.ok();

    for Operation { method, path, text, scope, .. } in operations(&waggle).await {
        let path = path.trim_start_matches("/api/v1");
        if scope.is_none() || path == "/auth/logout" {
            continue;
        }
        let halfway = text.contains("or are asked for the second factor");
        let enrolling = text.contains("also if they have to set up");
        let call = async |browser: &Browser| {
            let found = answer(browser.request(method.clone(), path).body("{not json")).await;
            if found.status == 403 { found.refused(403)["needs"].clone() } else { Value::Null }
        };
        let needs = if halfway { Value::Null } else { json!("second_factor") };
        assert_eq!(call(&half).await, needs, "{method} {path}");
        let needs = if halfway || enrolling { Value::Null } else { json!("second_factor_setup") };
        assert_eq!(call(&ann).await, needs, "{method} {path}");
    }

    let answered = answer(waggle.login("ann", PASSWORD)).await.ok();
    assert_eq!(answered["needs"], "second_factor_setup");
    let state = ann.get("/me/second-factor").await.ok();
    assert_eq!(state["is_required"], true);
    ann.set_up().await;
    ann.get("/me").await.ok();
    half.send(Method::POST, "/auth/logout", json!({})).await.ok();
    half.get("/me").await.refused(401);
}

async fn guessing_is_limited_and_admins_can_remove_the_factor(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let id = user(&waggle, "joe", "editor");
    user(&waggle, "boss", "admin");
    let boss = waggle.browser("boss").await;
    let limit = json!({ "value": "factor.user=5/86400" });
    boss.send(Method::PUT, "/settings/LIMITS", limit).await.ok();
    let (app, codes) = waggle.browser("joe").await.set_up().await;
    let right = [app.shows(0), app.shows(1), app.shows(2)];
    let wrong = (0..4).map(|n| format!("{n:06}")).find(|code| !right.contains(code)).unwrap();
    let half = waggle.browser("joe").await;

    let guesses = (0..12).map(|_| {
        let body = json!({ "code": wrong });
        tokio::spawn(answer(half.request(Method::POST, "/auth/second-factor").json(&body)))
    });
    let mut found = Vec::new();
    for guess in guesses.collect::<Vec<_>>() {
        found.push(guess.await.unwrap().status);
    }
    found.sort_unstable();
    assert_eq!(found, [[403; 5].as_slice(), &[429; 7]].concat());
    let mut joe = waggle.browser("joe").await;
    assert_eq!(joe.show(&app.shows(1)).await, Err(429), "the right code is rejected, too");
    waggle.mail("joe@hive.example", "know your Waggle password").await;
    // A password reset by email does not reset the count.
    let ask = waggle.request(Method::POST, "/api/v1/auth/password-reset");
    let flow = answer(ask.json(&json!({ "email": "joe@hive.example" }))).await.ok();
    let code = waggle.mail("joe@hive.example", "verification code").await.code();
    let reset = json!({ "flow": flow["flow"], "code": code, "password": PASSWORD });
    let reset = waggle.request(Method::POST, "/api/v1/auth/password-reset/confirm").json(&reset);
    answer(reset).await.ok();
    let mut joe = waggle.browser("joe").await;
    assert_eq!(joe.show(&app.shows(1)).await, Err(429));
    assert_eq!(joe.show("no code at all").await, Err(403), "it is not counted");
    joe.show(&codes[0]).await.unwrap();

    let path = format!("/users/{id}/second-factor");
    joe.send(Method::DELETE, &path, json!({})).await.refused(403);
    let freed = boss.send(Method::DELETE, &path, json!({})).await.ok();
    assert_eq!(freed["has_second_factor"], false);
    joe.get("/me").await.refused(401);
    boss.send(Method::DELETE, &path, json!({})).await.refused(409);
    let joe = waggle.browser("joe").await;
    joe.get("/me").await.ok();
    joe.set_up().await;
    let lost = run(&waggle.database, &["users", "remove-second-factor", "joe"], "");
    assert!(lost.status.success(), "{lost:?}");
    joe.get("/me").await.refused(401);
    waggle.browser("joe").await.get("/me").await.ok();
    boss.set_up().await;
    let me = boss.get("/me").await.ok()["user"]["id"].as_i64().unwrap();
    let own = format!("/users/{me}/second-factor");
    boss.send(Method::DELETE, &own, json!({})).await.refused(403);

    let events = boss.get("/auth-events?limit=200").await.ok();
    let names: Vec<&str> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["event_type"].as_str().unwrap())
        .collect();
    for name in [
        "SECOND_FACTOR_ADDED",
        "SECOND_FACTOR_ASKED",
        "SECOND_FACTOR_FAILURE",
        "SECOND_FACTOR_LIMITED",
        "RECOVERY_CODE_USED",
        "SECOND_FACTOR_REMOVED",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let failures = names.iter().filter(|name| **name == "SECOND_FACTOR_FAILURE").count();
    let limited = names.iter().filter(|name| **name == "SECOND_FACTOR_LIMITED").count();
    assert_eq!((failures, limited), (5, 1), "further attempts do not fill the audit log");
    for secret in [&app.secret, &codes[0], &codes[1]] {
        assert!(!events.to_string().contains(secret.as_str()));
    }
}

/// After a rotation of the master key, authenticator apps still work.
async fn apps_work_after_a_rotation_of_the_master_key(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    user(&waggle, "joe", "viewer");
    let (app, _) = waggle.browser("joe").await.set_up().await;

    let rotated = run(&waggle.database, &["settings", "rotate-key", "--json"], "");
    let rotated: Value = serde_json::from_slice(&rotated.stdout).unwrap();

    assert_eq!((&rotated["totp_secrets"], &rotated["totp_secrets_lost"]), (&json!(1), &json!(0)));
    let mut joe = waggle.browser("joe").await;
    joe.show(&app.shows(1)).await.unwrap();
}

const ORIGIN: &str = "http://localhost:8080";

impl Browser<'_> {
    /// Adds the passkey of an authenticator.
    async fn add(&self, authenticator: &mut Authenticator, name: &str) -> Answer {
        let asked = self.send(Method::POST, "/me/second-factor/passkeys", json!({})).await.ok();
        let made = authenticator.create(&asked["options"], ORIGIN, &Lie::default()).unwrap();
        let body = json!({ "name": name, "credential": made });
        self.send(Method::POST, "/me/second-factor/passkeys/confirm", body).await
    }

    /// The answer of an authenticator to the challenge of this session.
    async fn ask(&self, authenticator: &mut Authenticator, lie: &Lie) -> Value {
        let asked = self.send(Method::POST, "/auth/second-factor/passkey", json!({})).await.ok();
        json!({ "credential": authenticator.get(&asked["options"], ORIGIN, lie) })
    }

    fn prove(&self, credential: &Value) -> RequestBuilder {
        self.request(Method::POST, "/auth/second-factor/passkey/confirm").json(credential)
    }
}

async fn a_passkey_is_a_second_factor(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    user(&waggle, "joe", "editor");
    let browser = waggle.browser("joe").await;
    let (mut phone, mut stick) = (Authenticator::new(1, 0), Authenticator::new(2, 1));

    let nowhere = browser.send(Method::POST, "/me/second-factor/passkeys", json!({})).await;
    let nowhere = nowhere.refused(409);
    assert!(nowhere["detail"].as_str().unwrap().contains("PUBLIC_URL"), "{nowhere}");
    assert_eq!(browser.get("/me/second-factor").await.ok()["can_have_passkeys"], false);
    let home = json!({ "value": ORIGIN });
    waggle.send(Method::PUT, "/api/v1/settings/PUBLIC_URL", Some(home)).await.ok();
    let added = browser.add(&mut phone, " phone ").await.ok();
    let codes = added["recovery_codes"].as_array().unwrap().clone();
    assert_eq!(codes.len(), 10);
    let second = browser.add(&mut stick, "stick").await.ok();
    assert_eq!(second["recovery_codes"], json!([]), "the earlier codes still work");
    waggle.mail("joe@hive.example", "second factor").await;
    browser.add(&mut Authenticator::new(4, 0), "").await.refused(422);
    user(&waggle, "eve", "editor");
    let eve = waggle.browser("eve").await;
    eve.add(&mut Authenticator::new(1, 0), "joe's").await.refused(409);

    let mut joe = waggle.browser("joe").await;
    assert_eq!(joe.get("/me").await.refused(403)["needs"], "second_factor");
    let right = joe.ask(&mut phone, &Lie::default()).await;
    answer(browser.prove(&right)).await.refused(403);
    let lie = Lie { origin: Some("http://localhost:8081"), ..Lie::default() };
    let wrong = joe.ask(&mut phone, &lie).await;
    answer(joe.prove(&right)).await.refused(403);
    answer(joe.prove(&wrong)).await.refused(403);
    let stranger = joe.ask(&mut Authenticator::new(3, 0), &Lie::default()).await;
    answer(joe.prove(&stranger)).await.refused(403);
    let right = joe.ask(&mut stick, &Lie::default()).await;
    let (first, second) = tokio::join!(joe.prove(&right).send(), joe.prove(&right).send());
    let (first, second) = (first.unwrap(), second.unwrap());
    let (shown, refused) = if first.status() == 200 { (first, second) } else { (second, first) };
    assert_eq!(shown.status(), 200);
    assert!([401, 403].contains(&refused.status().as_u16()), "one answer completes one session");
    joe.cookie = cookie(&shown);
    joe.get("/me").await.ok();

    let state = joe.get("/me/second-factor").await.ok();
    let names = [&state["passkeys"][0]["name"], &state["passkeys"][1]["name"]];
    assert_eq!(names, ["phone", "stick"]);
    assert_eq!(state["passkeys"][0]["last_used_at"], Value::Null);
    assert!(state["passkeys"][1]["last_used_at"].is_string());
    // A copy with its own counter is detected.
    let mut copy = waggle.browser("joe").await;
    let lie = Lie { counter: Some(2), ..Lie::default() };
    let copied = copy.ask(&mut stick, &lie).await;
    let copied = answer(copy.prove(&copied)).await.refused(403);
    assert!(copied["detail"].as_str().unwrap().contains("copied"), "{copied}");
    assert!(copy.show(codes[0].as_str().unwrap()).await.is_ok());

    for _ in 0..2 {
        let state = joe.get("/me/second-factor").await.ok();
        let path = format!("/me/second-factor/passkeys/{}", state["passkeys"][0]["id"]);
        eve.send(Method::DELETE, &path, json!({})).await.refused(409);
        joe.send(Method::DELETE, &path, json!({})).await.ok();
    }
    joe.send(Method::POST, "/auth/second-factor/passkey", json!({})).await.refused(409);
    assert_eq!(answer(waggle.login("joe", PASSWORD)).await.ok()["needs"], Value::Null);
}

on_both!(
    a_passkey_is_a_second_factor,
    the_second_factor_is_required,
    a_password_without_the_second_factor_gives_no_access,
    guessing_is_limited_and_admins_can_remove_the_factor,
    apps_work_after_a_rotation_of_the_master_key,
);
