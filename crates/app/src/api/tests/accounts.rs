//! Outcomes of the operations on accounts, sessions and second factors.

use expect_test::expect;
use serde_json::json;
use waggle_accounts::Role;

use super::{PASSWORD, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_password_is_refused() {
    let server = Server::empty().await;
    server.session(Role::Viewer).await;

    let said = server
        .call("POST /auth/login")
        .nobody()
        .body(json!({ "login": "viewer@hive.example", "password": "not this one" }))
        .said()
        .await;

    expect![[r#"401 the user name, email address or password is wrong"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sign_in_without_a_password_is_refused() {
    let server = Server::empty().await;

    let said =
        server.call("POST /auth/login").nobody().body(json!({ "login": "joe" })).said().await;

    expect![[r#"400 'password' is missing"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_without_credentials_is_refused() {
    let server = Server::empty().await;

    let said = server.call("GET /me").nobody().said().await;

    expect![[r#"
        401 authentication is required: send an API token as 'Authorization: Bearer
        wgl_...' or as the password of HTTP Basic, or sign in"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_token_is_refused() {
    let server = Server::empty().await;

    let said = server.call("GET /me").token("wgl_0123456789ab_x").said().await;

    expect![[r#"401 the API token is wrong, expired or revoked"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn somebody_who_is_signed_in_is_shown() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("GET /me").with_session(&viewer).said().await;

    expect![[r#"
        200 {"actor":"user:1:viewer","scopes":["read"],"user":{"id":1,"username":"viewer",
        "email":"viewer@hive.example","email_verified_at":null,"first_name":"",
        "last_name":"","role":"viewer","is_active":true,"is_super_admin":false,
        "has_password":true,"has_second_factor":false,"time_zone":null,
        "after_approval":"nothing","date_joined":"<time>","last_login":"<time>",
        "version":1}}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_password_does_not_confirm_a_session() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server
        .call("POST /auth/confirm")
        .with_session(&viewer)
        .body(json!({ "password": "not this one" }))
        .said()
        .await;

    expect![[r#"401 the user name, email address or password is wrong"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_is_ended() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("POST /auth/logout").with_session(&viewer).said().await;

    expect![[r#"200 {"ended":1}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_that_does_not_exist_cannot_be_ended() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("DELETE /sessions/99").with_session(&viewer).said().await;

    expect![[r#"404 there is no such session"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_other_sessions_are_ended() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let body = json!({ "login": "viewer@hive.example", "password": PASSWORD });
    server.call("POST /auth/login").nobody().body(body).ok().await;

    let said = server.call("DELETE /sessions").with_session(&viewer).said().await;

    expect![[r#"200 {"ended":1}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_viewer_cannot_list_users() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("GET /users").with_session(&viewer).said().await;

    expect![[r#"
        403 this operation needs the scope 'admin', which the API token or the role does
        not have"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_user_that_does_not_exist_is_not_found() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("GET /users/99").with_session(&admin).said().await;

    expect![[r#"404 there is no such user"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_address_can_have_one_user() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("POST /users")
        .with_session(&admin)
        .body(json!({ "email": "admin@hive.example", "username": "other", "role": "viewer" }))
        .said()
        .await;

    expect![[r#"409 another user already has this email address"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_invalid_address_is_refused() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("POST /users")
        .with_session(&admin)
        .body(json!({ "email": "admin", "role": "viewer" }))
        .said()
        .await;

    expect![[r#"422 this is not a valid email address, such as someone@example.com"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_user_that_does_not_exist_cannot_be_changed() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PATCH /users/99")
        .with_session(&admin)
        .body(json!({ "first_name": "Ada" }))
        .said()
        .await;

    expect![[r#"404 there is no such user"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_user_who_has_changed_is_not_changed() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PATCH /users/1")
        .with_session(&admin)
        .if_match(99)
        .body(json!({ "first_name": "Ada" }))
        .said()
        .await;

    expect![[r#"409 the user was changed in the meantime"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn admins_cannot_change_their_own_role() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("PATCH /users/1")
        .with_session(&admin)
        .body(json!({ "role": "viewer" }))
        .said()
        .await;

    expect![[r#"403 you cannot change your own role or deactivate yourself"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_second_factor_of_a_user_that_does_not_exist_cannot_be_removed() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("DELETE /users/99/second-factor").with_session(&admin).said().await;

    expect![[r#"404 there is no such user"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn admins_cannot_remove_their_own_second_factor() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("DELETE /users/1/second-factor").with_session(&admin).said().await;

    expect![[r#"
        403 you cannot remove your own second factor as an admin; confirm it and remove it
        in your account"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unknown_kind_of_event_is_refused() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("GET /auth-events?event_type=NONE").with_session(&admin).said().await;

    expect![[r#"422 event_type is not a known event type"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_password_is_changed_only_with_the_current_one() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server
        .call("POST /me/password")
        .with_session(&viewer)
        .body(json!({ "present": "not this one", "wanted": "a longer night in May" }))
        .said()
        .await;

    expect![[r#"403 the current password is wrong"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_password_reset_does_not_reveal_whether_there_is_a_user() {
    let server = Server::empty().await;

    let said = server
        .call("POST /auth/password-reset")
        .nobody()
        .body(json!({ "email": "nobody@hive.example" }))
        .said()
        .await;

    expect![[r#"200 {"flow":"<random>","expires_at":"<time>"}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_code_is_refused() {
    let server = Server::empty().await;

    let said = server
        .call("POST /auth/password-reset/confirm")
        .nobody()
        .body(json!({ "flow": "none", "code": "000000", "password": "a longer night in May" }))
        .said()
        .await;

    expect![[r#"403 the code is wrong or no longer valid; request a new one"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_address_of_a_domain_that_is_not_allowed_cannot_register() {
    let server = Server::empty().await;

    let said = server
        .call("POST /auth/register")
        .nobody()
        .body(json!({ "email": "joe@other.example", "password": "a longer night in May" }))
        .said()
        .await;

    expect![[r#"403 addresses of this domain are not allowed"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn google_is_not_configured_by_default() {
    let server = Server::empty().await;

    let said = server.call("POST /auth/google").nobody().body(json!({})).said().await;

    expect![[r#"409 signing in with Google is not configured"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_user_without_a_second_factor_has_none() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("GET /me/second-factor").with_session(&viewer).said().await;

    expect![[r#"
        200 {"has_totp":false,"passkeys":[],"can_have_passkeys":false,
        "recovery_codes_left":0,"is_required":false}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_factor_is_not_confirmed_before_it_was_begun() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server
        .call("POST /me/second-factor/totp/confirm")
        .with_session(&viewer)
        .body(json!({ "code": "000000" }))
        .said()
        .await;

    expect![[r#"409 no such second factor is set up"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_factor_that_is_not_set_up_cannot_be_removed() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("DELETE /me/second-factor/totp").with_session(&viewer).said().await;

    expect![[r#"409 no such second factor is set up"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn passkeys_need_a_public_address() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("POST /me/second-factor/passkeys").with_session(&viewer).said().await;

    expect![[r#"
        409 to use passkeys, set PUBLIC_URL to a domain with TLS, such as
        https://waggle.example, or to http://localhost"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_passkey_that_does_not_exist_cannot_be_removed() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said =
        server.call("DELETE /me/second-factor/passkeys/99").with_session(&viewer).said().await;

    expect![[r#"409 no such second factor is set up"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn recovery_codes_need_a_second_factor() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said =
        server.call("POST /me/second-factor/recovery-codes").with_session(&viewer).said().await;

    expect![[r#"409 no such second factor is set up"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn somebody_signs_in() {
    let server = Server::empty().await;
    server.session(Role::Viewer).await;

    let said = server
        .call("POST /auth/login")
        .nobody()
        .body(json!({ "login": "viewer", "password": super::PASSWORD }))
        .said()
        .await;

    expect![[r#"
        200 {"user":{"id":1,"username":"viewer","email":"viewer@hive.example",
        "email_verified_at":null,"first_name":"","last_name":"","role":"viewer",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":false,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":1},"ends_at":"<time>",
        "needs":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_is_confirmed() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server
        .call("POST /auth/confirm")
        .with_session(&viewer)
        .body(json!({ "password": super::PASSWORD }))
        .said()
        .await;

    expect![[r#"200 {"message":"your identity is confirmed"}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn own_sessions_are_listed() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("GET /sessions").with_session(&viewer).said().await;

    expect![[r#"
        200 {"items":[{"id":1,"is_this":true,"created_at":"<time>","last_used_at":"<time>",
        "idle_until":"<time>","ends_at":"<time>","ip":"","user_agent":""}]}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_own_session_is_ended() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("DELETE /sessions/1").with_session(&viewer).said().await;

    expect![[r#"200 {"ended":1}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn users_are_listed() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("GET /users").with_session(&admin).said().await;

    expect![[r#"
        200 {"items":[{"id":1,"username":"admin","email":"admin@hive.example",
        "email_verified_at":null,"first_name":"","last_name":"","role":"admin",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":false,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":1}],"next_cursor":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_user_is_shown() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server.call("GET /users/1").with_session(&admin).said().await;

    expect![[r#"
        200 {"id":1,"username":"admin","email":"admin@hive.example",
        "email_verified_at":null,"first_name":"","last_name":"","role":"admin",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":false,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":1}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_user_is_created() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("POST /users")
        .with_session(&admin)
        .body(json!({ "email": "ada@hive.example", "role": "editor" }))
        .said()
        .await;

    expect![[r#"
        200 {"id":2,"username":"ada","email":"ada@hive.example","email_verified_at":null,
        "first_name":"","last_name":"","role":"editor","is_active":true,
        "is_super_admin":false,"has_password":false,"has_second_factor":false,
        "time_zone":null,"after_approval":"nothing","date_joined":"<time>",
        "last_login":null,"version":1}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_name_can_have_one_user() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said = server
        .call("POST /users")
        .with_session(&admin)
        .body(json!({ "email": "other@hive.example", "username": "admin", "role": "editor" }))
        .said()
        .await;

    expect![[r#"409 another user already has this name"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_user_is_changed() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;
    server.session(Role::Viewer).await;

    let said = server
        .call("PATCH /users/2")
        .with_session(&admin)
        .body(json!({ "role": "editor" }))
        .said()
        .await;

    expect![[r#"
        200 {"id":2,"username":"viewer","email":"viewer@hive.example",
        "email_verified_at":null,"first_name":"","last_name":"","role":"editor",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":false,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_second_factor_of_a_user_who_has_none_is_not_removed() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;
    server.session(Role::Viewer).await;

    let said = server.call("DELETE /users/2/second-factor").with_session(&admin).said().await;

    expect![[r#"409 no such second factor is set up"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_are_listed() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said =
        server.call("GET /auth-events?event_type=LOGIN_SUCCESS").with_session(&admin).said().await;

    expect![[r#"
        200 {"items":[{"id":4,"event_type":"LOGIN_SUCCESS","user_id":1,
        "email":"admin@hive.example","actor":"user:1:admin","ip_address":"","user_agent":"",
        "request_id":"<random>","metadata":{"method":"password"},"timestamp":"<time>"}],
        "next_cursor":null}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_are_exported() {
    let server = Server::empty().await;
    let admin = server.session(Role::Admin).await;

    let said =
        server.call("GET /auth-events/export?format=jsonl").with_session(&admin).said().await;

    expect![[r#"200 null"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_password_is_changed() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server
        .call("POST /me/password")
        .with_session(&viewer)
        .body(json!({ "present": super::PASSWORD, "wanted": "a longer night in May" }))
        .said()
        .await;

    expect![[r#"
        200 {"id":1,"username":"viewer","email":"viewer@hive.example",
        "email_verified_at":null,"first_name":"","last_name":"","role":"viewer",
        "is_active":true,"is_super_admin":false,"has_password":true,
        "has_second_factor":false,"time_zone":null,"after_approval":"nothing",
        "date_joined":"<time>","last_login":"<time>","version":1}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_authenticator_app_is_begun() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("POST /me/second-factor/totp").with_session(&viewer).said().await;

    expect![[r#"200 {"secret":"<random>","url":"<random>","qr":"<random>"}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_code_does_not_confirm_an_authenticator_app() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;
    server.call("POST /me/second-factor/totp").with_session(&viewer).ok().await;

    let said = server
        .call("POST /me/second-factor/totp/confirm")
        .with_session(&viewer)
        .body(json!({ "code": "000000" }))
        .said()
        .await;

    expect![[r#"403 the code is wrong or was already used"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_address_is_not_changed_by_a_wrong_code() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server
        .call("POST /me/email/confirm")
        .with_session(&viewer)
        .body(json!({ "flow": "none", "code": "000000" }))
        .said()
        .await;

    expect![[r#"403 the code is wrong or no longer valid; request a new one"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_of_address_sends_a_code() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server
        .call("POST /me/email")
        .with_session(&viewer)
        .body(json!({ "email": "ada@hive.example" }))
        .said()
        .await;

    expect![[r#"200 {"flow":"<random>","expires_at":"<time>"}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_registration_is_not_completed_by_a_wrong_code() {
    let server = Server::empty().await;

    let said = server
        .call("POST /auth/register/confirm")
        .nobody()
        .body(json!({ "flow": "none", "code": "000000" }))
        .said()
        .await;

    expect![[r#"403 the code is wrong or no longer valid; request a new one"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn google_does_not_confirm_a_flow_that_was_not_begun() {
    let server = Server::empty().await;

    let said = server
        .call("POST /auth/google/confirm")
        .nobody()
        .body(json!({ "flow": "none", "code": "000000" }))
        .said()
        .await;

    expect![[r#"403 the code is wrong or no longer valid; request a new one"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_factor_that_is_not_set_up_is_not_shown() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server
        .call("POST /auth/second-factor")
        .with_session(&viewer)
        .body(json!({ "code": "000000" }))
        .said()
        .await;

    expect![[r#"409 no such second factor is set up"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_passkey_that_is_not_set_up_is_not_asked_for() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server.call("POST /auth/second-factor/passkey").with_session(&viewer).said().await;

    expect![[r#"
        409 to use passkeys, set PUBLIC_URL to a domain with TLS, such as
        https://waggle.example, or to http://localhost"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_passkey_is_not_registered_before_it_was_begun() {
    let server = Server::empty().await;
    let viewer = server.session(Role::Viewer).await;

    let said = server
        .call("POST /me/second-factor/passkeys/confirm")
        .with_session(&viewer)
        .body(json!({ "name": "key", "credential": {} }))
        .said()
        .await;

    expect![[r#"403 this was started in another session or has expired; start again"#]]
        .assert_eq(&said);
}
