//! Tests of registration, password reset and change of address, each of which is confirmed by
//! email.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::accounts::user;
use crate::database::Kind;
use crate::process::PATIENCE;
use crate::smtp::{self, Begins, SmtpServer};
use crate::{Answer, Waggle, answer, count, on_both, run};

const PASSWORD: &str = "correct staple, battery horse";
const OTHER: &str = "quite another donkey, staple";

/// An email as a person sees it.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) text: String,
}

impl Mail {
    /// Decodes quoted-printable, as far as these emails use it.
    pub(crate) fn read(source: &str) -> Self {
        let text = source.replace("=\r\n", "").replace("=3D", "=").replace("\r\n", "\n");
        Self { text }
    }

    /// The code, which is on a line of its own.
    pub(crate) fn code(&self) -> String {
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit());
        self.text.lines().map(str::trim).find(is_code).expect("it has a code").to_owned()
    }

    /// The secret in the link.
    pub(crate) fn link(&self, to: &str) -> String {
        let start = self.text.find(&format!("/account#{to}=")).expect("it has a link");
        let rest = &self.text[start..];
        rest.split_once('=').unwrap().1.split_whitespace().next().unwrap().to_owned()
    }
}

impl Waggle {
    fn open(&self, path: &str, body: impl serde::Serialize) -> RequestBuilder {
        self.request(Method::POST, &format!("/api/v1/auth/{path}")).json(&body)
    }

    /// Waits for an email to this address whose subject contains these words, and removes it from
    /// the outbox.
    pub(crate) async fn mail(&self, to: &str, subject: &str) -> Mail {
        let outbox = self.database.folder.0.join("outbox");
        let begun = Instant::now();
        loop {
            let files = std::fs::read_dir(&outbox).into_iter().flatten().flatten();
            for file in files.filter(|file| file.path().extension().is_some_and(|e| e == "eml")) {
                let source = std::fs::read_to_string(file.path()).unwrap();
                let has = |name: &str, value: &str| {
                    source.lines().any(|line| line.starts_with(name) && line.contains(value))
                };
                if has("To:", to) && has("Subject:", subject) {
                    std::fs::remove_file(file.path()).unwrap();
                    return Mail::read(&source);
                }
            }
            assert!(begun.elapsed() < PATIENCE, "no email came to {to} about {subject}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts a server that allows addresses of one domain.
    pub(crate) async fn with_domain(kind: Kind) -> Self {
        Self::with_domain_and(kind, &[]).await
    }

    /// The same, with environment variables.
    pub(crate) async fn with_domain_and(kind: Kind, environment: &[(&str, &str)]) -> Self {
        let waggle = Self::with(kind, environment).await;
        let values = json!({
            "ALLOWED_DOMAIN": "hive.example",
            "PUBLIC_URL": waggle.process.base,
            "ADMIN_NOTIFICATION_EMAILS": "boss@hive.example",
            // The tests send these requests more often than people do.
            "LIMITS": "mail.pause=100/1,mail.address=100/60,register.client=1000/60,\
                       reset.client=1000/60",
        });
        let body = Some(json!({ "values": values }));
        waggle.send(Method::PATCH, "/api/v1/settings", body).await.ok();
        waggle
    }

    async fn register(&self, email: &str) -> Value {
        let body = json!({ "email": email, "password": PASSWORD, "first_name": "Jo" });
        answer(self.open("register", body)).await.ok()
    }

    async fn events(&self, of: &str) -> Vec<Value> {
        let path = format!("/api/v1/auth-events?event_type={of}");
        let found = answer(self.by_admin(Method::GET, &path).await).await.ok();
        found["items"].as_array().unwrap().clone()
    }
}

fn code_of(flow: &Value, code: &str) -> Value {
    json!({ "flow": flow["flow"], "code": code })
}

async fn a_user_registers_with_a_code(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;

    let flow = waggle.register("Joe.Doe@Hive.example").await;
    let mail = waggle.mail("joe.doe@hive.example", "verification code").await;
    let confirm = |body: Value| waggle.open("register/confirm", body);
    answer(waggle.login("joe.doe", PASSWORD)).await.refused(401);
    let wrong = if mail.code() == "000000" { "000001" } else { "000000" };
    answer(confirm(code_of(&flow, wrong))).await.refused(403);
    let other_flow = waggle.register("eve@hive.example").await;
    answer(confirm(code_of(&other_flow, &mail.code()))).await.refused(403);
    let number: u32 = mail.code().parse().unwrap();
    answer(confirm(json!({ "flow": flow["flow"], "code": number }))).await.refused(400);
    for odd in ["12345a", "", "123", "١٢٣٤٥٦"] {
        answer(confirm(code_of(&flow, odd))).await.refused(422);
    }
    // A code is valid for one purpose only.
    let mut reset = code_of(&flow, &mail.code());
    reset["password"] = json!(OTHER);
    answer(waggle.open("password-reset/confirm", reset)).await.refused(403);

    let response = confirm(code_of(&flow, &mail.code())).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap();
    let me = waggle.request(Method::GET, "/api/v1/me").header("cookie", cookie);
    let me = answer(me).await.ok();
    assert_eq!(
        (&me["user"]["role"], &me["user"]["username"]),
        (&json!("viewer"), &json!("joe.doe"))
    );
    assert!(me["user"]["email_verified_at"].is_string() && me["user"]["first_name"] == "Jo");
    answer(confirm(code_of(&flow, &mail.code()))).await.refused(403);
    answer(waggle.login("joe.doe@hive.example", PASSWORD)).await.ok();
    let told = waggle.mail("boss@hive.example", "New User").await;
    assert!(told.text.contains("joe.doe@hive.example"), "{told:?}");
    assert_eq!(waggle.events("REGISTER_EMAIL").await.len(), 1);
    assert!(!waggle.events("VERIFY_CODE_FAILURE").await.is_empty());
    // Neither the audit log nor the log contains the code.
    let everything = format!("{:?}", waggle.events("VERIFY_CODE_FAILURE").await)
        + &std::fs::read_to_string(crate::process::log_path(&waggle.database)).unwrap();
    assert!(!everything.contains(&mail.code()), "{everything}");
}

async fn a_registration_link_requires_a_new_password(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;
    // Somebody else registers Joe's address, with a password of their own.
    waggle.register("joe@hive.example").await;
    let link = waggle.mail("joe@hive.example", "verification code").await.link("verify");

    let confirm = |body: Value| waggle.open("register/confirm", body);
    answer(confirm(json!({ "link": link }))).await.refused(422);
    answer(confirm(json!({ "link": link, "password": "short" }))).await.refused(422);
    answer(confirm(json!({ "link": link, "password": OTHER, "code": "123456" })))
        .await
        .refused(422);
    answer(confirm(json!({ "link": link, "password": OTHER }))).await.ok();

    answer(waggle.login("joe", PASSWORD)).await.refused(401);
    answer(waggle.login("joe", OTHER)).await.ok();
    answer(confirm(json!({ "link": link, "password": OTHER }))).await.refused(403);
}

async fn responses_do_not_reveal_who_is_a_user(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;
    user(&waggle, "joe", "admin");
    user(&waggle, "shut", "viewer");
    assert!(run(&waggle.database, &["users", "deactivate", "shut"], "").status.success());
    waggle.mail("shut@hive.example", "permissions").await;
    let shape = |mut answer: Value| {
        let flow = answer["flow"].as_str().unwrap().len();
        answer["flow"] = json!(flow);
        answer["expires_at"] = json!(0);
        answer
    };
    let mut shapes = Vec::new();
    for name in ["joe", "shut", "nobody"] {
        let email = format!("{name}@hive.example");
        shapes.push(shape(waggle.register(&email).await));
        let asked = answer(waggle.open("password-reset", json!({ "email": email }))).await;
        shapes.push(shape(asked.ok()));
    }
    let stranger = json!({ "email": "stranger@elsewhere.example" });
    shapes.push(shape(answer(waggle.open("password-reset", stranger)).await.ok()));

    assert!(shapes.iter().all(|one| *one == shapes[0]), "{shapes:?}");
    waggle.mail("joe@hive.example", "tried to use your email address").await;
    let code = waggle.mail("joe@hive.example", "verification code").await;
    assert!(code.text.contains("new password"), "{code:?}");
    waggle.mail("nobody@hive.example", "verification code").await;
    // By now, all emails have been sent.
    let left = std::fs::read_dir(waggle.database.folder.0.join("outbox")).unwrap().count();
    assert_eq!(left, 0, "nobody else got an email");
    // The owner of the address is not affected.
    answer(waggle.login("joe", PASSWORD)).await.ok();
    assert_eq!(waggle.events("PASSWORD_RESET_BREACH").await.len(), 1);
}

async fn only_allowed_domains_can_register(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;
    for email in [
        "joe@elsewhere.example",
        "joe@sub.hive.example",
        "joe@hive.example.evil.example",
        "joe@ahive.example",
    ] {
        let body = json!({ "email": email, "password": PASSWORD });
        answer(waggle.open("register", body)).await.refused(403);
    }
    for email in
        ["\"joe\"@hive.example", "joe@hive.example.", "joe@hive.example\r\nBcc: e@x.example"]
    {
        let body = json!({ "email": email, "password": PASSWORD });
        answer(waggle.open("register", body)).await.refused(422);
    }
    assert_eq!(waggle.events("REGISTER_EMAIL_BREACH").await.len(), 4);
    let set = async |values: Value| {
        let body = Some(json!({ "values": values }));
        waggle.send(Method::PATCH, "/api/v1/settings", body).await.ok();
    };
    set(json!({ "ALLOWED_DOMAIN": "[]" })).await;
    let body = json!({ "email": "joe@hive.example", "password": PASSWORD });
    answer(waggle.open("register", body.clone())).await.refused(403);
    set(json!({ "ADMIN_BYPASS": true, "SUPER_ADMIN_EMAILS": "joe@hive.example" })).await;
    answer(waggle.open("register", body.clone())).await.ok();
    set(json!({ "DOMAIN_RESTRICTION_ENABLED": false, "REGISTRATION_ENABLED": false })).await;
    answer(waggle.open("register", body)).await.refused(403);
    let sneaky = json!({ "email": "j@hive.example", "password": PASSWORD, "role": "admin" });
    answer(waggle.open("register", sneaky)).await.refused(400);
}

async fn codes_cannot_be_guessed(kind: Kind) {
    let waggle = Arc::new(Waggle::with_domain(kind).await);
    user(&waggle, "joe", "viewer");
    let ask = async || {
        answer(waggle.open("password-reset", json!({ "email": "joe@hive.example" }))).await.ok()
    };
    let flow = ask().await;
    let mail = waggle.mail("joe@hive.example", "verification code").await;

    let right = mail.code();
    let guesses = (0..19).map(|n| {
        let code = format!("{:06}", (right.parse::<u32>().unwrap() + 1 + n) % 1_000_000);
        let body = json!({ "flow": flow["flow"], "code": code, "password": OTHER });
        tokio::spawn(answer(waggle.open("password-reset/confirm", body)))
    });
    let mut statuses = BTreeSet::new();
    for guess in guesses.collect::<Vec<_>>() {
        statuses.insert(guess.await.unwrap().status);
    }
    let mut body = code_of(&flow, &right);
    body["password"] = json!(OTHER);
    let complete = |body: &Value| answer(waggle.open("password-reset/confirm", body.clone()));
    complete(&body).await.refused(403);

    assert_eq!(statuses, BTreeSet::from([403]));
    // After twenty wrong codes, the client is rejected with another code, too.
    let flow = ask().await;
    let mail = waggle.mail("joe@hive.example", "verification code").await;
    let mut body = code_of(&flow, &mail.code());
    body["password"] = json!(OTHER);
    let refused = complete(&body).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    answer(waggle.login("joe", PASSWORD)).await.ok();
    // The link cannot be guessed and still works, but only once, even if it is used in parallel.
    let body = json!({ "link": mail.link("reset"), "password": OTHER });
    let uses =
        (0..8).map(|_| tokio::spawn(answer(waggle.open("password-reset/confirm", body.clone()))));
    let mut done = 0;
    for one in uses.collect::<Vec<_>>() {
        let status = one.await.unwrap().status;
        assert!(status == 200 || status == 403, "{status}");
        done += i32::from(status == 200);
    }
    assert_eq!(done, 1);
    answer(waggle.login("joe", OTHER)).await.ok();
    assert_eq!(waggle.events("VERIFY_CODE_LIMITED").await.len(), 1);
    // Invented links are limited, so that they do not fill the audit log.
    let before = waggle.events("VERIFY_CODE_FAILURE").await.len();
    let made_up = json!({ "link": format!("wgv_{}", "A".repeat(43)), "password": OTHER });
    let tries =
        (0..30).map(|_| tokio::spawn(answer(waggle.open("password-reset/confirm", &made_up))));
    let mut limited = 0;
    for one in tries.collect::<Vec<_>>() {
        limited += i32::from(one.await.unwrap().status == 429);
    }
    let after = waggle.events("VERIFY_CODE_FAILURE").await.len();
    assert!(limited >= 10 && after - before <= 20, "{limited} {before} {after}");
}

/// Password resets for unknown addresses do not use up the limits that users need.
async fn resets_of_unknown_addresses_do_not_block_others(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;
    user(&waggle, "joe", "viewer");
    let limits = "mail.system=3/3600,code.system=3/3600,reset.client=1000/60,code.client=1000/60,\
                  mail.pause=100/1,mail.address=100/60";
    waggle.put("LIMITS", json!(limits)).await.ok();
    let ask = async |name: &str| {
        let email = format!("{name}@hive.example");
        answer(waggle.open("password-reset", json!({ "email": email }))).await
    };
    let confirm = async |flow: &Value, code: &str| {
        let body = json!({ "flow": flow["flow"], "code": code, "password": OTHER });
        answer(waggle.open("password-reset/confirm", body)).await
    };
    for number in 0..8 {
        let flow = ask(&format!("nobody-{number}")).await.ok();
        confirm(&flow, "123456").await.refused(403);
    }

    let flow = ask("joe").await.ok();
    let code = waggle.mail("joe@hive.example", "verification code").await.code();
    // People may type the code in groups.
    let spoken = format!(" {}-{} ", &code[..3], &code[3..]);
    confirm(&flow, &spoken).await.ok();

    // The limit of the whole system counts emails that are sent. When it is exhausted, requests for
    // unknown addresses are rejected as well.
    ask("joe").await.ok();
    ask("joe").await.ok();
    ask("joe").await.refused(429);
    ask("nobody").await.refused(429);
}

async fn a_forgotten_password_is_replaced(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;
    user(&waggle, "joe", "editor");
    let browser = waggle.browser("joe").await;
    let own = json!({ "name": "mine", "scopes": ["read"] });
    let token = browser.send(Method::POST, "/tokens", own).await.ok();
    let token = token["token"].as_str().unwrap();
    waggle.mail("joe@hive.example", "API token").await;
    for n in 0..4 {
        answer(waggle.login("joe", &format!("guess number {n}"))).await.refused(401);
    }
    answer(waggle.login("joe", PASSWORD)).await.refused(429);

    let ask = answer(waggle.open("password-reset", json!({ "email": "JOE@hive.example" }))).await;
    let flow = ask.ok();
    let mail = waggle.mail("joe@hive.example", "verification code").await;
    let complete = |password: &str| {
        let mut body = code_of(&flow, &mail.code());
        body["password"] = json!(password);
        body["revoke_tokens"] = json!(true);
        answer(waggle.open("password-reset/confirm", body))
    };
    complete("short").await.refused(422);
    complete("my name is joe@hive.example").await.refused(422);
    complete(OTHER).await.ok();

    waggle.mail("joe@hive.example", "password was changed").await;
    browser.get("/me").await.refused(401);
    let by_token = waggle.request(Method::GET, "/api/v1/posts").bearer_auth(token);
    answer(by_token).await.refused(401);
    // A lock because of wrong guesses of others is lifted.
    answer(waggle.login("joe", OTHER)).await.ok();
    answer(waggle.login("joe", PASSWORD)).await.refused(401);
    complete(OTHER).await.refused(403);
    assert_eq!(
        waggle.events("PASSWORD_RESET_COMPLETE").await[0]["metadata"]["tokens_revoked"],
        true
    );
}

async fn an_address_is_changed_by_its_owner(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;
    user(&waggle, "joe", "editor");
    user(&waggle, "eve", "editor");
    let (browser, elsewhere) = (waggle.browser("joe").await, waggle.browser("joe").await);
    let eve = waggle.browser("eve").await;
    let ask = |email: &str| browser.send(Method::POST, "/me/email", json!({ "email": email }));
    ask("joe@elsewhere.example").await.refused(403);
    ask("eve@hive.example").await.ok();
    waggle.mail("eve@hive.example", "tried to use your email address").await;

    let flow = ask("joseph@hive.example").await.ok();
    let mail = waggle.mail("joseph@hive.example", "verification code").await;
    let confirm = async |browser: &crate::accounts::Browser<'_>, code: &str| -> Answer {
        browser.send(Method::POST, "/me/email/confirm", code_of(&flow, code)).await
    };
    // A stranger who registers the same address does not invalidate the code.
    waggle.register("joseph@hive.example").await;
    // The code is not valid for another user, nor for registration.
    confirm(&eve, &mail.code()).await.refused(403);
    answer(waggle.open("register/confirm", code_of(&flow, &mail.code()))).await.refused(403);
    let changed = confirm(&browser, &mail.code()).await.ok();

    assert_eq!(changed["email"], "joseph@hive.example");
    assert!(changed["email_verified_at"].is_string());
    let told = waggle.mail("joe@hive.example", "address was changed").await;
    assert!(told.text.contains("joseph@hive.example"));
    browser.get("/me").await.ok();
    elsewhere.get("/me").await.refused(401);
    answer(waggle.login("joe@hive.example", PASSWORD)).await.refused(401);
    answer(waggle.login("joseph@hive.example", PASSWORD)).await.ok();
    // After a while, the password is required again.
    let short = json!({ "values": { "RECENT_AUTHENTICATION_SECONDS": 30 } });
    waggle.send(Method::PATCH, "/api/v1/settings", Some(short)).await.ok();
    let ago = match kind {
        Kind::Sqlite => "UPDATE sessions SET authenticated_at = authenticated_at - 31000000",
        Kind::Postgres => {
            "UPDATE sessions SET authenticated_at = authenticated_at - interval '31 s'"
        }
    };
    crate::execute(&waggle.database, ago).await.unwrap();
    let refused = ask("jo@hive.example").await.refused(403);
    assert_eq!(refused["needs"], "recent_authentication");
    let prove = |password: &str| {
        browser.send(Method::POST, "/auth/confirm", json!({ "password": password }))
    };
    prove("wrong").await.refused(401);
    prove(PASSWORD).await.ok();
    ask("jo@hive.example").await.ok();
}

async fn super_admins_match_the_list(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;
    user(&waggle, "joe", "viewer");
    let set = async |list: &str| {
        let body = Some(json!({ "values": { "SUPER_ADMIN_EMAILS": list } }));
        waggle.send(Method::PATCH, "/api/v1/settings", body).await.ok();
    };
    set("joe@hive.example,levi@hive.example").await;
    let me = async || waggle.browser("joe").await.get("/me").await.ok()["user"].clone();
    assert_eq!(me().await["is_super_admin"], false, "the address is not verified");

    let browser = waggle.browser("joe").await;
    let email = json!({ "email": "joe@hive.example" });
    let flow = browser.send(Method::POST, "/me/email", email).await.ok();
    let code = waggle.mail("joe@hive.example", "verification code").await.code();
    browser.send(Method::POST, "/me/email/confirm", code_of(&flow, &code)).await.ok();
    let now = me().await;
    assert_eq!((&now["is_super_admin"], &now["role"]), (&json!(true), &json!("viewer")));
    waggle.browser("joe").await.get("/users").await.ok();

    let synced = run(&waggle.database, &["super-admins", "sync", "--json"], "");
    let synced: Value = serde_json::from_slice(&synced.stdout).unwrap();
    assert_eq!(synced["made"][0]["email"], "levi@hive.example", "{synced}");
    assert_eq!(
        (&synced["made"][0]["has_password"], &synced["made"][0]["is_super_admin"]),
        (&json!(false), &json!(false))
    );
    // A user without a password gets access by email first.
    answer(waggle.open("password-reset", json!({ "email": "levi@hive.example" }))).await.ok();
    let link = waggle.mail("levi@hive.example", "verification code").await.link("reset");
    let body = json!({ "link": link, "password": OTHER });
    answer(waggle.open("password-reset/confirm", body)).await.ok();
    let levi = answer(waggle.login("levi", OTHER)).await.ok();
    assert_eq!(levi["user"]["is_super_admin"], true);

    let open = waggle.browser("joe").await;
    set("levi@hive.example").await;
    open.get("/me").await.refused(401);
    assert_eq!(me().await["is_super_admin"], false);
    assert!(run(&waggle.database, &["users", "deactivate", "levi"], "").status.success());
    run(&waggle.database, &["super-admins", "sync"], "");
    answer(waggle.login("levi", OTHER)).await.refused(401);
}

async fn tokens_belong_to_their_users(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;
    let joe = user(&waggle, "joe", "approver");
    user(&waggle, "eve", "viewer");
    let (browser, eve) = (waggle.browser("joe").await, waggle.browser("eve").await);
    let order = |scopes: Value| {
        browser.send(Method::POST, "/tokens", json!({ "name": "n8n", "scopes": scopes }))
    };
    order(json!(["admin"])).await.refused(403);
    order(json!([])).await.refused(422);
    let made = order(json!(["approve", "read"])).await.ok();
    let token = made["token"].as_str().unwrap().to_owned();
    let me = || waggle.request(Method::GET, "/api/v1/me").bearer_auth(&token);
    assert_eq!(answer(me()).await.ok()["scopes"], json!(["read", "approve"]));
    let list = browser.get("/tokens").await.ok();
    assert_eq!(list["items"][0]["user_id"], json!(joe));
    assert!(!list.to_string().contains(&token));
    assert_eq!(eve.get("/tokens").await.ok()["items"], json!([]));
    let path = format!("/tokens/{}", made["id"].as_str().unwrap());
    eve.send(Method::DELETE, &path, json!({})).await.refused(404);
    // A token cannot create tokens.
    let more = json!({ "name": "more", "scopes": ["read"] });
    waggle.post("/api/v1/tokens", more).await.refused(403);

    let role = |role: &'static str| run(&waggle.database, &["users", "set-role", "joe", role], "");
    assert!(role("viewer").status.success());
    assert_eq!(
        answer(me()).await.ok()["scopes"],
        json!(["read"]),
        "only what the owner's role allows as well"
    );
    assert!(run(&waggle.database, &["users", "deactivate", "joe"], "").status.success());
    answer(me()).await.refused(401);
    assert!(run(&waggle.database, &["users", "activate", "joe"], "").status.success());
    let browser = waggle.browser("joe").await;
    answer(me()).await.ok();
    browser.send(Method::DELETE, &path, json!({})).await.ok();
    answer(me()).await.refused(401);
    let by_operator =
        ["tokens", "create", "--json", "--name", "x", "--scope", "read", "--user", "eve"];
    let made: Value =
        serde_json::from_slice(&run(&waggle.database, &by_operator, "").stdout).unwrap();
    let admin = waggle
        .by_admin(Method::DELETE, &format!("/api/v1/users/tokens/{}", made["id"].as_str().unwrap()))
        .await;
    assert_eq!(eve.get("/tokens").await.ok()["items"][0]["name"], "x");
    answer(admin).await.ok();
    let kinds: Vec<Value> = waggle.events("TOKEN_REVOKED").await;
    assert_eq!(kinds.len(), 2, "{kinds:?}");
}

async fn a_dead_mail_server_loses_nothing(kind: Kind) {
    let folder = std::env::temp_dir().join(format!("waggle-smtp-{}-{kind:?}", std::process::id()));
    let server = SmtpServer::start(&folder, Begins::WithTheFirstByte).await;
    let other = SmtpServer::start(&folder.join("starttls"), Begins::WithStartTls).await;
    let both = folder.join("both.pem");
    let certificates =
        [&server, &other].map(|one| std::fs::read_to_string(&one.certificate).unwrap());
    std::fs::write(&both, certificates.concat()).unwrap();
    let waggle = Waggle::with(kind, &[("SSL_CERT_FILE", both.to_str().unwrap())]).await;
    let set = async |values: Value| {
        let body = Some(json!({ "values": values }));
        waggle.send(Method::PATCH, "/api/v1/settings", body).await
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dead = json!({
        "EMAIL_HOST": "localhost", "EMAIL_PORT": closed, "EMAIL_HOST_USER": smtp::USER,
        "EMAIL_HOST_PASSWORD": smtp::PASSWORD, "DEFAULT_FROM_EMAIL": "Waggle <waggle@hive.example>",
        "ALLOWED_DOMAIN": "hive.example", "PUBLIC_URL": waggle.process.base,
    });
    set(dead).await.ok();
    let test = async |values: Value| {
        let body = Some(json!({ "values": values }));
        waggle.send(Method::POST, "/api/v1/settings/test/mail", body).await.ok()
    };
    assert_eq!(test(json!({})).await["ok"], false);

    let flow = waggle.register("joe@hive.example").await;
    let log = || std::fs::read_to_string(crate::process::log_path(&waggle.database)).unwrap();
    let until = async |is_right: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_right() {
            assert!(begun.elapsed() < PATIENCE, "{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until(&|| log().contains("an email could not be sent and will be retried")).await;
    let wrong = json!({ "EMAIL_PORT": server.port, "EMAIL_HOST_PASSWORD": "wrong secret" });
    let tested = test(wrong).await;
    assert_eq!(tested["ok"], false, "{tested}");
    let encoded = STANDARD.encode(format!("\0{}\0wrong secret", smtp::USER));
    let tested = tested["detail"].as_str().unwrap().to_owned();
    assert!(tested.contains("535 5.7.8 wrong: AUTH PLAIN ..."), "{tested}");
    assert!(!tested.contains(&encoded), "{tested}");
    let stranger = json!({
        "EMAIL_PORT": server.port, "EMAIL_HOST_USER": null, "EMAIL_HOST_PASSWORD": null,
    });
    let tested = test(stranger).await["detail"].to_string();
    assert!(tested.contains("requires a login") && tested.contains("530 5.7.0"), "{tested}");
    let half = json!({ "EMAIL_PORT": server.port, "EMAIL_HOST_PASSWORD": null });
    let tested = test(half).await["detail"].to_string();
    assert!(tested.contains("EMAIL_HOST_PASSWORD is not"), "{tested}");
    let right = json!({ "EMAIL_PORT": server.port, "EMAIL_HOST_PASSWORD": smtp::PASSWORD });
    let tested = test(right.clone()).await;
    assert_eq!(tested["ok"], true, "{tested}");
    let tried = server.seen.lock().unwrap().mails.pop().expect("a mail was sent");
    assert!(tried.contains("To: settings-admin@hive.example"), "{tried}");
    set(right).await.ok();
    until(&|| !server.seen.lock().unwrap().mails.is_empty()).await;

    let mail = Mail::read(&server.seen.lock().unwrap().mails[0].clone());
    let confirmed = waggle.open("register/confirm", code_of(&flow, &mail.code()));
    answer(confirmed).await.ok();
    assert_eq!(server.seen.lock().unwrap().refused, ["wrong password", "stranger"]);
    // An email to an unknown recipient is given up. One that failed with the same code for a
    // temporary reason is not.
    let lines = |part: &str| log().matches(part).count();
    let (later, given_up) = ("an email could not be sent and will be retried", "is given up");
    let before = lines(later);
    waggle.register("gone@hive.example").await;
    until(&|| lines(given_up) == 1).await;
    waggle.register("full@hive.example").await;
    until(&|| lines(later) > before).await;
    assert_eq!(lines(given_up), 1, "{}", log());
    // A recipient for whom the server never answers does not delay the others. If the server has
    // the email and does not say whether it accepted it, the outcome is unknown.
    let before = server.seen.lock().unwrap().mails.len();
    for name in ["slow", "mute", "odd", "quick"] {
        waggle.register(&format!("{name}@hive.example")).await;
    }
    let known = || server.seen.lock().unwrap().mails.len();
    until(&|| known() == before + 3 && lines("is_unknown=true") == 2).await;
    assert!(!log().contains("slow@hive.example"), "{}", log());
    let unknown =
        count(&waggle.database, "SELECT count(*) FROM mails WHERE unknown_ends = 1").await;
    assert_eq!(unknown, 2);
    let said = "SELECT count(*) FROM mails WHERE last_error LIKE '%550 5.1.1 nobody of that name%'";
    assert_eq!(count(&waggle.database, said).await, 1);
    // The other server requires STARTTLS, and nothing is sent to it without TLS.
    let starttls = json!({
        "EMAIL_PORT": other.port, "EMAIL_USE_TLS": true, "EMAIL_USE_SSL": false,
        "EMAIL_HOST_PASSWORD": smtp::PASSWORD,
    });
    set(starttls).await.ok();
    answer(waggle.open("password-reset", json!({ "email": "joe@hive.example" }))).await.ok();
    until(&|| !other.seen.lock().unwrap().mails.is_empty()).await;
    assert!(other.seen.lock().unwrap().refused.is_empty());
    let clear = set(json!({ "EMAIL_HOST": "mail.hive.example", "EMAIL_USE_TLS": false,
        "EMAIL_HOST_PASSWORD": smtp::PASSWORD }))
    .await
    .refused(422);
    assert!(clear.to_string().contains("EMAIL_USE_SSL"), "{clear}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_address_comes_from_a_trusted_proxy() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    user(&waggle, "joe", "viewer");
    let login = |forwarded: &str| {
        let call = waggle.login("joe", "wrong").header("x-forwarded-for", forwarded);
        answer(call)
    };
    login("198.51.100.7").await.refused(401);
    let set = json!({ "values": { "TRUSTED_PROXIES": "127.0.0.1" } });
    waggle.send(Method::PATCH, "/api/v1/settings", Some(set)).await.ok();
    login("203.0.113.1, 198.51.100.7").await.refused(401);

    // Unreadable bytes at the beginning do not hide what the proxy appended.
    let odd = reqwest::header::HeaderValue::from_bytes(b"\xff, 198.51.100.9").unwrap();
    answer(waggle.login("joe", "wrong").header("x-forwarded-for", odd)).await.refused(401);

    let failures = waggle.events("LOGIN_FAILURE").await;
    let from: Vec<&Value> = failures.iter().map(|event| &event["ip_address"]).collect();
    assert_eq!(from, [&json!("198.51.100.9"), &json!("198.51.100.7"), &json!("127.0.0.1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_allowed_host_names_are_served() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    let set = json!({ "values": { "ALLOWED_HOSTS": "127.0.0.1,.hive.example" } });
    let done = waggle.send(Method::PATCH, "/api/v1/settings", Some(set)).await.ok();
    assert!(done.get("warnings").is_none(), "{done}");
    let call = |path: &str, host: &str| {
        answer(waggle.request(Method::GET, path).bearer_auth(&waggle.token).header("host", host))
    };
    for host in
        ["waggle.hive.example", "WAGGLE.hive.example:8000", "127.0.0.1:80", "a.b.hive.example."]
    {
        call("/api/v1/me", host).await.ok();
    }
    for host in
        ["evil.example", "hive.example.evil.example", "ahive.example", "hive.example", "localhost"]
    {
        call("/api/v1/me", host).await.refused(421);
    }
    call("/health/live", "10.0.0.7").await.ok();
    // A change that excludes the host name of the caller returns a warning, and can be undone on
    // the command line.
    let set = json!({ "value": ".hive.example" });
    let done = waggle.send(Method::PUT, "/api/v1/settings/ALLOWED_HOSTS", Some(set)).await.ok();
    let warning = done["warnings"][0].as_str().unwrap();
    assert!(warning.contains("waggle settings unset ALLOWED_HOSTS"), "{done}");
    waggle.get("/api/v1/me").await.refused(421);
    assert!(run(&waggle.database, &["settings", "unset", "ALLOWED_HOSTS"], "").status.success());
    let begun = Instant::now();
    while waggle.get("/api/v1/me").await.status == 421 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

on_both! {
    resets_of_unknown_addresses_do_not_block_others,
    a_user_registers_with_a_code,
    a_registration_link_requires_a_new_password,
    responses_do_not_reveal_who_is_a_user,
    only_allowed_domains_can_register,
    codes_cannot_be_guessed,
    a_forgotten_password_is_replaced,
    an_address_is_changed_by_its_owner,
    super_admins_match_the_list,
    tokens_belong_to_their_users,
    a_dead_mail_server_loses_nothing,
}
