//! Successes that need a mailed code, an authenticator app or a passkey.

use std::sync::Arc;

use async_trait::async_trait;
use expect_test::expect;
use poem::http::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};
use url::Url;
use waggle_accounts::ports::IdentityProvider;
use waggle_accounts::{
    Callback, Client, Finished, GoogleIdentity, GoogleProfile, GoogleSignIn, IdentityError, Role,
    SignInSecrets,
};
use waggle_kernel::{Actor, Clock as _};
use waggle_settings::{Action, Given, Wish};
use waggle_system::SystemClock;

use super::authenticator::{Authenticator, Lie};
use super::{PASSWORD, Server};

/// Google, where Ada of hive.example has signed in.
struct Google;

#[async_trait]
impl IdentityProvider for Google {
    async fn address(
        &self,
        secrets: &SignInSecrets,
        _domain: Option<String>,
    ) -> Result<Url, IdentityError> {
        Ok(format!("https://google.example/?state={}", secrets.state).parse().unwrap())
    }

    async fn profile(
        &self,
        _code: &str,
        _secrets: &SignInSecrets,
    ) -> Result<GoogleProfile, IdentityError> {
        Ok(GoogleProfile {
            identity: GoogleIdentity {
                issuer: "https://google.example".into(),
                subject: "7".into(),
            },
            email: "ada@hive.example".parse().unwrap(),
            hosted_domain: Some("hive.example".into()),
            first_name: "Ada".parse().unwrap(),
            last_name: "Lovelace".parse().unwrap(),
        })
    }
}

const ORIGIN: &str = "http://localhost:8080";

impl Server {
    /// The code in the email that was queued last.
    async fn mailed_code(&self) -> String {
        let deliver = &self.app.people.deliver_mail;
        let mail = deliver.claim(8).await.unwrap().mails.pop().unwrap();
        let proof = mail.open(&*deliver.keys).await.unwrap().proof.unwrap();
        proof.code.digits().to_owned()
    }

    /// The session of a new viewer with an authenticator app, and the next code of the app.
    async fn with_app(&self) -> (String, String) {
        let viewer = self.session(Role::Viewer).await;
        let begun = self.call("POST /me/second-factor/totp").with_session(&viewer).ok().await;
        let body = json!({ "code": shown(&begun, 0) });
        let confirm = self.call("POST /me/second-factor/totp/confirm").with_session(&viewer);
        confirm.body(body).ok().await;
        (viewer, shown(&begun, 1))
    }

    /// The session of the viewer, who has shown the password only.
    async fn half_signed_in(&self) -> String {
        let body = json!({ "login": "viewer@hive.example", "password": PASSWORD });
        let response = self.call("POST /auth/login").nobody().body(body).send().await;
        let cookie = response.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn with_passkey(&self, authenticator: &mut Authenticator) -> String {
        let url = Wish::new("PUBLIC_URL", Given::Json(json!(ORIGIN)));
        self.app.settings.change(&Actor::system(), &[url], Action::Set).await.unwrap();
        let viewer = self.session(Role::Viewer).await;
        let asked = self.call("POST /me/second-factor/passkeys").with_session(&viewer).ok().await;
        let made = authenticator.create(&asked["options"], ORIGIN, &Lie::default()).unwrap();
        let confirm = self.call("POST /me/second-factor/passkeys/confirm").with_session(&viewer);
        confirm.body(json!({ "name": "phone", "credential": made })).ok().await;
        viewer
    }
}

/// The code that an authenticator app shows `steps` times 30 seconds from now.
fn shown(begun: &Value, steps: u64) -> String {
    let secret = Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
    let totp = Builder::new().with_secret(secret).with_account_name("ada").build().unwrap();
    let now = u64::try_from(SystemClock.now().timestamp()).unwrap();
    totp.generate(now + 30 * steps).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mailed_code_completes_a_registration() {
    let server = Server::empty().await;
    let body = json!({ "email": "ada@hive.example", "password": PASSWORD });
    let begun = server.call("POST /auth/register").nobody().body(body).ok().await;

    let said = server
        .call("POST /auth/register/confirm")
        .nobody()
        .body(json!({ "flow": begun["flow"], "code": server.mailed_code().await }))
        .said()
        .await;

    expect![[r#"
        200 {"user":{"id":1,"username":"ada","email":"ada@hive.example",
        "email_verified_at":"<time>","first_name":"","last_name":"","role":"viewer",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":false,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":null,"version":1},"ends_at":"<time>",
        "needs":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mailed_code_completes_the_first_sign_in_with_google() {
    let server = Server::empty().await;
    let (own, policy) = (&server.app.people.google, server.app.policy());
    let google = GoogleSignIn {
        provider: Arc::new(Google),
        accounts: own.accounts.clone(),
        users: own.users.clone(),
        codes: own.codes.clone(),
        clock: own.clock.clone(),
        entropy: own.entropy.clone(),
    };
    let begun = google.begin("/", &Client::default(), &policy).await.unwrap();
    let (_, state) = begun.url.query_pairs().next().unwrap();
    let callback = Callback { state: state.into_owned(), outcome: Ok("code".to_owned()) };
    let browser = Some(begun.browser.expose_secret());
    let finished = google.finish(browser, &callback, &Client::default(), &policy).await.unwrap();
    let Finished::CodeSent(issued) = finished else { panic!("the user is known") };

    let said = server
        .call("POST /auth/google/confirm")
        .nobody()
        .body(json!({ "flow": issued.flow.text(), "code": server.mailed_code().await }))
        .said()
        .await;

    expect![[r#"
        200 {"user":{"id":1,"username":"ada","email":"ada@hive.example",
        "email_verified_at":"<time>","first_name":"Ada","last_name":"Lovelace",
        "role":"viewer","is_active":true,"is_super_admin":false,"has_password":false,
        "has_second_factor":false,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":null,"version":1},"ends_at":"<time>",
        "needs":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mailed_code_resets_a_password() {
    let server = Server::empty().await;
    server.session(Role::Viewer).await;
    let body = json!({ "email": "viewer@hive.example" });
    let begun = server.call("POST /auth/password-reset").nobody().body(body).ok().await;

    let code = server.mailed_code().await;
    let said = server
        .call("POST /auth/password-reset/confirm")
        .nobody()
        .body(json!({ "flow": begun["flow"], "code": code, "password": "a longer night in May" }))
        .said()
        .await;

    expect![[r#"200 {"message":"the password was changed; sign in with it"}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mailed_code_changes_an_address() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;
    let body = json!({ "email": "ada@hive.example" });
    let begun = server.call("POST /me/email").with_session(&viewer).body(body).ok().await;

    let said = server
        .call("POST /me/email/confirm")
        .with_session(&viewer)
        .body(json!({ "flow": begun["flow"], "code": server.mailed_code().await }))
        .said()
        .await;

    expect![[r#"
        200 {"id":1,"username":"viewer","email":"ada@hive.example",
        "email_verified_at":"<time>","first_name":"","last_name":"","role":"viewer",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":false,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_code_of_an_authenticator_app_sets_it_up() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;
    let begun = server.call("POST /me/second-factor/totp").with_session(&viewer).ok().await;

    let done = server
        .call("POST /me/second-factor/totp/confirm")
        .with_session(&viewer)
        .body(json!({ "code": shown(&begun, 0) }))
        .ok()
        .await;

    assert_eq!(done["recovery_codes"].as_array().unwrap().len(), 10, "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_code_of_an_authenticator_app_completes_a_sign_in() {
    let server = Server::empty().await;
    let (_, code) = server.with_app().await;
    let half = server.half_signed_in().await;

    let said = server
        .call("POST /auth/second-factor")
        .with_session(&half)
        .body(json!({ "code": code }))
        .said()
        .await;

    expect![[r#"
        200 {"user":{"id":1,"username":"viewer","email":"viewer@hive.example",
        "email_verified_at":null,"first_name":"","last_name":"","role":"viewer",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":true,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":2},"ends_at":"<time>",
        "needs":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_authenticator_app_can_be_removed() {
    let server = Server::empty().await;
    let (viewer, _) = server.with_app().await;

    let said = server.call("DELETE /me/second-factor/totp").with_session(&viewer).said().await;

    expect![[r#"200 {"message":"the authenticator app was removed"}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn recovery_codes_can_be_replaced() {
    let server = Server::empty().await;
    let (viewer, _) = server.with_app().await;

    let renew = server.call("POST /me/second-factor/recovery-codes").with_session(&viewer);
    let renewed = renew.ok().await;

    assert_eq!(renewed["recovery_codes"].as_array().unwrap().len(), 10, "{renewed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_passkey_completes_a_sign_in() {
    let server = Server::empty().await;
    let mut phone = Authenticator::new(1, 0);
    server.with_passkey(&mut phone).await;
    let half = server.half_signed_in().await;
    let ask = server.call("POST /auth/second-factor/passkey").with_session(&half);
    let asked = ask.ok().await;

    let said = server
        .call("POST /auth/second-factor/passkey/confirm")
        .with_session(&half)
        .body(json!({ "credential": phone.get(&asked["options"], ORIGIN, &Lie::default()) }))
        .said()
        .await;

    expect![[r#"
        200 {"user":{"id":1,"username":"viewer","email":"viewer@hive.example",
        "email_verified_at":null,"first_name":"","last_name":"","role":"viewer",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":true,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":2},"ends_at":"<time>",
        "needs":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_passkey_can_be_removed() {
    let server = Server::empty().await;
    let viewer = server.with_passkey(&mut Authenticator::new(1, 0)).await;

    let said =
        server.call("DELETE /me/second-factor/passkeys/1").with_session(&viewer).said().await;

    expect![[r#"200 {"message":"the passkey was removed"}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_set_up_link_makes_the_first_admin_who_is_signed_in() {
    let server = Server::empty().await;
    let link = server.app.people.set_up.link(&Actor::system()).await.unwrap().unwrap();
    let body = |token: &str, password: &str| {
        let email = "ana@elsewhere.example";
        json!({ "token": token, "email": email, "password": password })
    };
    let set_up = |body| server.call("POST /setup").nobody().body(body);
    let wrong = format!("{}x", link.token.text());

    expect!["403 this set-up link is not valid; print a new one with `waggle setup-link`"]
        .assert_eq(&set_up(body(&wrong, PASSWORD)).said().await);
    let weak = set_up(body(link.token.text(), "ana")).said().await;
    assert!(weak.starts_with("422"), "{weak}");
    let mut page = server.request(Method::GET, "/setup").nobody().send().await;
    assert!(page.take_body().into_string().await.unwrap().contains("Create the first admin"));

    let response = set_up(body(link.token.text(), PASSWORD)).send().await;
    let cookie = response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let me = server.call("GET /me").with_session(&cookie).ok().await;
    assert_eq!(me["actor"], "user:1:ana", "{me}");
    assert_eq!(me["user"]["role"], "admin", "{me}");

    // From then on there is nothing to set up, whatever the token.
    for token in [link.token.text(), &wrong] {
        expect!["404 Waggle is set up already; sign in, or ask an admin to add you"]
            .assert_eq(&set_up(body(token, PASSWORD)).said().await);
    }
    assert!(server.app.people.set_up.link(&Actor::system()).await.unwrap().is_none());
    let mut page = server.request(Method::GET, "/setup").nobody().send().await;
    assert_eq!(page.header("content-security-policy").unwrap().matches("'self'").count(), 5);
    assert!(page.take_body().into_string().await.unwrap().contains("set up already"));
}
