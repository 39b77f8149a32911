//! Tests of sign-in with Google: allowed accounts can sign in, and forged tokens are rejected.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::accounts::user;
use crate::database::Kind;
use crate::oidc::{CLIENT_ID, CLIENT_SECRET, Issuer, SignedWith};
use crate::{Answer, Waggle, answer, on_both};

const CALLBACK: &str = "/accounts/google/login/callback/";

/// A browser that is redirected to Google and back.
struct Browser {
    client: Client,
    cookie: String,
    /// The address of Google that the browser is sent to.
    url: String,
}

/// The response to a browser that comes back from Google.
struct Back {
    status: u16,
    location: String,
    session: Option<String>,
    text: String,
}

impl Waggle {
    async fn with_google(kind: Kind) -> (Self, Issuer) {
        let issuer = Issuer::start().await;
        (Self::with_issuer(kind, &issuer).await, issuer)
    }

    async fn with_issuer(kind: Kind, issuer: &Issuer) -> Self {
        // The environment sets the issuer, because the API does not allow secrets for this machine.
        let here = [("GOOGLE_OAUTH_ISSUER", issuer.base.as_str())];
        let waggle = Self::with_domain_and(kind, &here).await;
        let values = json!({
            "GOOGLE_OAUTH_CLIENT_ID": CLIENT_ID,
            "GOOGLE_OAUTH_CLIENT_SECRET": CLIENT_SECRET,
            "SECURITY_ADMIN_EMAILS": "watch@hive.example",
        });
        waggle.set(values).await;
        waggle
    }

    async fn set(&self, values: Value) {
        let body = Some(json!({ "values": values }));
        self.send(Method::PATCH, "/api/v1/settings", body).await.ok();
    }

    async fn to_google(&self, return_to: &str) -> Browser {
        let begin = self.request(Method::POST, "/api/v1/auth/google");
        let response = begin.json(&json!({ "return_to": return_to })).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let cookie = cookie(&response, "waggle_google=").unwrap();
        let url: Value = response.json().await.unwrap();
        let client = crate::client();
        Browser { client, cookie, url: url["url"].as_str().unwrap().to_owned() }
    }

    async fn back(&self, browser: &Browser, state: &str, code: &str) -> Back {
        self.back_with(browser, &format!("state={state}&code={code}")).await
    }

    async fn back_with(&self, browser: &Browser, query: &str) -> Back {
        let url = format!("{}{CALLBACK}?{query}", self.process.base);
        let call = browser.client.get(url).header("cookie", &browser.cookie);
        let response = call.header("sec-fetch-site", "cross-site").send().await.unwrap();
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
        Back {
            status: response.status().as_u16(),
            location: header("location").unwrap_or_default().to_owned(),
            session: cookie(&response, "waggle_session="),
            text: response.text().await.unwrap(),
        }
    }

    /// Signs in with a token that `forge` changed.
    async fn forged(
        &self,
        issuer: &Issuer,
        with: SignedWith,
        forge: impl FnOnce(&mut Value, &mut Value),
    ) -> Back {
        let browser = self.to_google("/").await;
        let (state, code) = issuer.agree(&browser.url, with, forge);
        self.back(&browser, &state, &code).await
    }

    async fn as_google_says(&self, issuer: &Issuer, claims: Value) -> Back {
        let change = |_: &mut Value, all: &mut Value| {
            for (name, value) in claims.as_object().unwrap() {
                all[name] = value.clone();
            }
        };
        self.forged(issuer, SignedWith::TheKey, change).await
    }

    async fn by_mail(&self, back: &Back, to: &str) -> Answer {
        let flow = back.location.strip_prefix("/account#google=").expect("a code was mailed");
        let code = self.mail(to, "verification code").await.code();
        let confirm = self.request(Method::POST, "/api/v1/auth/google/confirm");
        answer(confirm.json(&json!({ "flow": flow, "code": code }))).await
    }

    async fn told(&self, kind: &str) -> Vec<Value> {
        let path = format!("/api/v1/auth-events?event_type={kind}");
        let found = answer(self.by_admin(Method::GET, &path).await).await.ok();
        found["items"].as_array().unwrap().clone()
    }
}

fn cookie(response: &Response, name: &str) -> Option<String> {
    let mut all = response.headers().get_all("set-cookie").iter();
    let set = all.find(|one| one.to_str().unwrap().starts_with(name))?;
    let set = set.to_str().unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    set.split(';').next().map(str::to_owned)
}

async fn a_new_user_needs_a_code_only_the_first_time(kind: Kind) {
    let (waggle, issuer) = Waggle::with_google(kind).await;

    let first = waggle.as_google_says(&issuer, json!({})).await;
    assert_eq!((first.status, first.session.is_none()), (303, true), "{}", first.text);
    answer(waggle.login("joe", "whatever it may be")).await.refused(401);
    let signed_in = waggle.by_mail(&first, "joe@hive.example").await.ok();
    let made = &signed_in["user"];
    assert_eq!((&made["username"], &made["role"]), (&json!("joe"), &json!("viewer")));
    assert!(made["has_password"] == false && made["email_verified_at"].is_string());
    assert_eq!((&made["first_name"], &made["last_name"]), (&json!("Joe"), &json!("Doe")));

    let browser = waggle.to_google("/posts?x=1").await;
    let (state, code) = issuer.agree(&browser.url, SignedWith::TheKey, |_, _| {});
    let second = waggle.back(&browser, &state, &code).await;
    assert_eq!((second.status, second.location.as_str()), (303, "/posts?x=1"));
    let session = second.session.expect("they are signed in");
    let me = waggle.request(Method::GET, "/api/v1/me").header("cookie", session);
    assert_eq!(answer(me).await.ok()["user"]["id"], made["id"]);
    // A sign-in can be finished once, and only by the browser that began it.
    let replay = waggle.back(&browser, &state, &code).await;
    assert!(replay.status == 403 && replay.session.is_none(), "{}", replay.text);
    let (mine, theirs) = (waggle.to_google("/").await, waggle.to_google("/").await);
    let (state, code) = issuer.agree(&theirs.url, SignedWith::TheKey, |_, _| {});
    let stolen = waggle.back(&mine, &state, &code).await;
    assert!(stolen.status == 403 && stolen.session.is_none());
    let nowhere = waggle.to_google("https://evil.example/").await;
    let (state, code) = issuer.agree(&nowhere.url, SignedWith::TheKey, |_, _| {});
    assert_eq!(waggle.back(&nowhere, &state, &code).await.location, "/");
    // The Google account counts, not its address, which may get another owner at Google.
    let renamed = waggle.as_google_says(&issuer, json!({ "email": "joseph@hive.example" })).await;
    let session = renamed.session.expect("they are signed in");
    let me = waggle.request(Method::GET, "/api/v1/me").header("cookie", session);
    assert_eq!(answer(me).await.ok()["user"]["id"], made["id"]);
    let other = waggle.as_google_says(&issuer, json!({ "sub": "another" })).await;
    assert!(
        other.status == 403 && other.session.is_none(),
        "joe's user is linked to another account"
    );
    assert_eq!(waggle.told("GOOGLE_OAUTH_SUCCESS").await.len(), 4);
}

async fn an_existing_user_is_linked_only_with_a_code(kind: Kind) {
    let (waggle, issuer) = Waggle::with_google(kind).await;
    let joe = user(&waggle, "joe", "approver");
    user(&waggle, "eve", "viewer");
    waggle.set(json!({ "GOOGLE_VERIFICATION_ENABLED": false })).await;

    let first = waggle.as_google_says(&issuer, json!({})).await;
    assert!(first.session.is_none(), "an address alone is not enough to sign in");
    let signed_in = waggle.by_mail(&first, "joe@hive.example").await.ok();
    assert_eq!(
        (&signed_in["user"]["id"], &signed_in["user"]["role"]),
        (&json!(joe), &json!("approver"))
    );
    waggle.mail("joe@hive.example", "Google account was linked").await;
    assert!(waggle.as_google_says(&issuer, json!({})).await.session.is_some());
    // A password reset also blocks sign-in with Google until the next code.
    let ask = json!({ "email": "joe@hive.example" });
    answer(waggle.request(Method::POST, "/api/v1/auth/password-reset").json(&ask)).await.ok();
    let link = waggle.mail("joe@hive.example", "verification code").await.link("reset");
    let chosen = json!({ "link": link, "password": "quite another donkey, staple" });
    let confirm = waggle.request(Method::POST, "/api/v1/auth/password-reset/confirm");
    answer(confirm.json(&chosen)).await.ok();
    let again = waggle.as_google_says(&issuer, json!({})).await;
    assert!(again.session.is_none());
    waggle.by_mail(&again, "joe@hive.example").await.ok();
    // A new user needs no code while the setting is off.
    let new = json!({ "sub": "109", "email": "new@hive.example" });
    assert!(waggle.as_google_says(&issuer, new).await.session.is_some());
    // Deactivated users cannot sign in with Google either.
    let out = crate::run(&waggle.database, &["users", "deactivate", "joe"], "");
    assert!(out.status.success());
    let refused = waggle.as_google_says(&issuer, json!({})).await;
    assert!(refused.status == 403 && refused.session.is_none());
    let out = crate::run(&waggle.database, &["users", "deactivate", "eve"], "");
    assert!(out.status.success());
    let eve = json!({ "sub": "110", "email": "eve@hive.example" });
    assert_eq!(waggle.as_google_says(&issuer, eve).await.status, 403);
    waggle.set(json!({ "REGISTRATION_ENABLED": false })).await;
    let newer = json!({ "sub": "111", "email": "newer@hive.example" });
    let closed = waggle.as_google_says(&issuer, newer).await;
    assert!(closed.status == 403 && closed.text.contains("data-view=\"google-closed\""));
    let told = waggle.told("GOOGLE_OAUTH_FAILURE").await;
    assert_eq!(told[0]["email"], "newer@hive.example");
    assert_eq!(told[0]["metadata"]["why"], "registration is closed");
}

async fn forged_tokens_are_rejected(kind: Kind) {
    let (waggle, issuer) = Waggle::with_google(kind).await;
    waggle.set(json!({ "GOOGLE_VERIFICATION_ENABLED": false })).await;
    let now = chrono::Utc::now().timestamp();
    for wrong in [
        json!({ "aud": "another.apps.example" }),
        json!({ "aud": [CLIENT_ID, "another.apps.example"] }),
        json!({ "azp": "another.apps.example" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "exp": now - 1 }),
        json!({ "iat": now - 100_000, "exp": now + 1_000 }),
        json!({ "iat": now + 600 }),
        json!({ "email_verified": false }),
        json!({ "email_verified": "true" }),
        json!({ "email_verified": null }),
        json!({ "email": null }),
        json!({ "email": "\"joe\"@hive.example" }),
        json!({ "sub": "" }),
        json!({ "sub": null }),
    ] {
        let back = waggle.as_google_says(&issuer, wrong.clone()).await;
        assert!(
            back.status == 403 && back.session.is_none(),
            "{wrong} {} {}",
            back.status,
            back.text
        );
    }
    for (with, alg) in [
        (SignedWith::AnotherKey, "RS256"),
        (SignedWith::Nothing, "none"),
        (SignedWith::Nothing, "RS256"),
        (SignedWith::TheSecret, "HS256"),
        (SignedWith::TheKey, "RS512"),
    ] {
        let back = waggle.forged(&issuer, with, |header, _| header["alg"] = json!(alg)).await;
        assert!(back.status == 403 && back.session.is_none(), "{alg} {}", back.text);
    }
    let brought =
        |header: &mut Value, _: &mut Value| header["jku"] = json!("https://evil.example/keys");
    let back = waggle.forged(&issuer, SignedWith::AnotherKey, brought).await;
    assert_eq!(back.status, 403);
    // None of it created a user.
    let users = answer(waggle.by_admin(Method::GET, "/api/v1/users").await).await.ok();
    assert_eq!(users["items"].as_array().unwrap().len(), 1, "{users}");
    assert_eq!(waggle.told("GOOGLE_OAUTH_FAILURE").await.len(), 22);
    let log = std::fs::read_to_string(crate::process::log_path(&waggle.database)).unwrap();
    assert!(!log.contains("eyJ") && !log.contains(CLIENT_SECRET), "{log}");
    // A valid token still works.
    assert!(waggle.as_google_says(&issuer, json!({})).await.session.is_some());
}

async fn a_foreign_domain_is_rejected_and_recorded(kind: Kind) {
    let (waggle, issuer) = Waggle::with_google(kind).await;
    waggle.set(json!({ "GOOGLE_VERIFICATION_ENABLED": false })).await;
    for foreign in [
        json!({ "email": "joe@elsewhere.example", "hd": "elsewhere.example" }),
        json!({ "email": "joe@elsewhere.example", "hd": "hive.example" }),
        json!({ "hd": "elsewhere.example" }),
        json!({ "hd": null }),
    ] {
        let back = waggle.as_google_says(&issuer, foreign.clone()).await;
        assert!(back.status == 403 && back.session.is_none(), "{foreign}");
        assert!(back.text.contains("data-view=\"foreign-domain\" data-back-after=\"10\""));
        assert!(!back.text.contains("elsewhere.example"), "the page does not contain the address");
    }
    let events = waggle.told("GOOGLE_OAUTH_BREACH").await;
    assert_eq!(events.len(), 4);
    assert_eq!(events[3]["metadata"]["attempted_email"], "joe@elsewhere.example");
    assert_eq!(events[3]["metadata"]["oauth_uid"], "108");
    assert_eq!(events[3]["ip_address"], "127.0.0.1");
    let told = waggle.mail("watch@hive.example", "domain that is not allowed").await;
    assert!(told.text.contains("from 127.0.0.1"), "{told:?}");
    // A program gets the same error as a problem.
    let browser = waggle.to_google("/").await;
    let foreign = |_: &mut Value, claims: &mut Value| claims["hd"] = json!(null);
    let (state, code) = issuer.agree(&browser.url, SignedWith::TheKey, foreign);
    let path = format!("{CALLBACK}?state={state}&code={code}");
    let call = waggle.request(Method::GET, &path).header("cookie", &browser.cookie);
    answer(call.header("accept", "application/json")).await.refused(403);
    // An empty list allows no one, and without the restriction everyone is allowed.
    waggle.set(json!({ "ALLOWED_DOMAIN": "[]" })).await;
    assert_eq!(waggle.as_google_says(&issuer, json!({})).await.status, 403);
    waggle.set(json!({ "DOMAIN_RESTRICTION_ENABLED": false })).await;
    let free = json!({ "email": "joe@gmail.com", "hd": null });
    assert!(waggle.as_google_says(&issuer, free).await.session.is_some());
    // Google may be wrong about a mailbox that it does not run, so a code is required whatever the
    // setting is.
    let elsewhere = json!({ "sub": "112", "email": "joe@elsewhere.example", "hd": null });
    let sent = waggle.as_google_says(&issuer, elsewhere).await;
    assert!(sent.session.is_none() && sent.location.starts_with("/account#google="));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_google_settings_are_tested_and_errors_are_reported() {
    let (waggle, issuer) = Waggle::with_google(Kind::Sqlite).await;
    let test = async |values: Value| {
        let body = Some(json!({ "values": values }));
        waggle.send(Method::POST, "/api/v1/settings/test/google", body).await.ok()
    };
    assert_eq!(test(json!({})).await["ok"], true);
    let none = json!({ "GOOGLE_OAUTH_CLIENT_ID": null });
    assert_eq!(test(none).await["ok"], false);
    let elsewhere = json!({ "values": {
        "GOOGLE_OAUTH_ISSUER": "http://127.0.0.1:9/", "GOOGLE_OAUTH_CLIENT_SECRET": "x",
    } });
    let path = "/api/v1/settings/test/google";
    waggle.send(Method::POST, path, Some(elsewhere)).await.refused(422);
    for path in [
        CALLBACK.to_owned(),
        format!("{CALLBACK}?error=access_denied&error_description=%3Cscript%3E"),
        format!("{CALLBACK}?state=x&code={}", "x".repeat(5_000)),
    ] {
        let found = answer(waggle.request(Method::GET, &path)).await;
        assert!(found.status == 403 && !found.text.contains("%3Cscript"), "{found:?}");
        assert!(found.text.contains("google-stale") && !found.text.contains("<script>"));
    }
    assert_eq!(waggle.told("GOOGLE_OAUTH_FAILURE").await.len(), 3);
    // A key with a new name is fetched, but at most once a minute.
    assert_eq!(waggle.as_google_says(&issuer, json!({})).await.status, 303);
    issuer.rename_key("key-2");
    assert_eq!(waggle.as_google_says(&issuer, json!({})).await.status, 303);
    issuer.rename_key("key-3");
    assert_eq!(waggle.as_google_says(&issuer, json!({})).await.status, 403);
    let page = answer(waggle.request(Method::GET, "/account")).await;
    assert!(page.status == 200 && page.content_type.starts_with("text/html"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_whose_name_ends_in_a_slash_is_accepted() {
    let issuer = Issuer::start_as("/").await;
    let waggle = Waggle::with_issuer(Kind::Sqlite, &issuer).await;

    assert_eq!(waggle.as_google_says(&issuer, json!({})).await.status, 303);

    let other = Issuer::start_as("/of/another/name").await;
    let waggle = Waggle::with_issuer(Kind::Sqlite, &other).await;
    let begun = answer(waggle.request(Method::POST, "/api/v1/auth/google").json(&json!({}))).await;
    let said = begun.refused(503)["detail"].to_string();
    assert!(said.contains("GOOGLE_OAUTH_ISSUER"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_issuer_is_reported() {
    let (waggle, issuer) = Waggle::with_google(Kind::Sqlite).await;
    let begin = || waggle.request(Method::POST, "/api/v1/auth/google").json(&json!({}));
    issuer.set_down(true);
    let said = answer(begin()).await.refused(503)["detail"].to_string();
    assert!(said.contains("Google cannot be reached"), "{said}");
    issuer.set_down(false);
    let browser = waggle.to_google("/").await;
    let (state, code) = issuer.agree(&browser.url, SignedWith::TheKey, |_, _| {});
    issuer.set_down(true);

    let back = waggle.back(&browser, &state, &code).await;

    assert!(back.status == 503 && back.text.contains("data-view=\"google-unreachable\""));
    let told = waggle.told("GOOGLE_OAUTH_FAILURE").await;
    assert!(told[0]["metadata"]["why"].as_str().unwrap().contains("503"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_or_repeated_sign_in_is_reported() {
    let (waggle, issuer) = Waggle::with_google(Kind::Sqlite).await;
    let browser = waggle.to_google("/").await;
    let (state, code) = issuer.agree(&browser.url, SignedWith::TheKey, |_, _| {});
    let query = format!("state={state}&error=access_denied&error_description=%3Cb%3E");

    let denied = waggle.back_with(&browser, &query).await;
    let again = waggle.back(&browser, &state, &code).await;

    assert!(denied.status == 403 && denied.text.contains("data-view=\"google-denied\""));
    assert!(again.status == 403 && again.text.contains("data-view=\"google-stale\""));
    let told = waggle.told("GOOGLE_OAUTH_FAILURE").await;
    let whys: Vec<_> =
        told.iter().map(|event| event["metadata"]["why"].as_str().unwrap()).collect();
    assert_eq!(
        whys,
        [
            "it was already used, started in another browser, or has expired",
            "Google returned the error access_denied",
        ]
    );
}

on_both! {
    a_new_user_needs_a_code_only_the_first_time,
    an_existing_user_is_linked_only_with_a_code,
    forged_tokens_are_rejected,
    a_foreign_domain_is_rejected_and_recorded,
}
