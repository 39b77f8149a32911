//! Tests of the publisher for X against a server that follows X's published contract.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::{EndpointExt as _, Request, Response, Server};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;
use waggle_content::ports::Publisher as _;
use waggle_content::{
    Finding, Mark, Marker, Outcome, Platform, Prepared, PublishablePost, ReconcilePolicy,
};
use waggle_kernel::ids::PostId;
use waggle_kernel::{Clock as _, FixedClock, MockEntropy, Publication};

use super::{OAuth1, X, XCredentials};

/// The requests that the server received: method, path with query, authorization, body.
type Seen = Arc<Mutex<Vec<(String, String, String, Value)>>>;

struct FakeX {
    x: X,
    seen: Seen,
}

/// Starts a server that responds to every request with `answer`.
async fn fake(
    credentials: XCredentials,
    answer: impl Fn(&str) -> Response + Send + Sync + 'static,
) -> FakeX {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seen = Seen::default();
    let record = Arc::clone(&seen);
    let endpoint = poem::endpoint::make(move |mut request: Request| {
        let record = Arc::clone(&record);
        let path = request.uri().to_string();
        let response = answer(&path);
        async move {
            let authorization = request.header("authorization").unwrap_or_default().to_owned();
            let method = request.method().to_string();
            let body = request.take_body().into_bytes().await.unwrap_or_default();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            record.lock().unwrap().push((method, path, authorization, body));
            response
        }
    });
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = acceptor.local_addr()[0].to_string();
    let address = address.trim_start_matches("socket://").to_owned();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint.map_to_response()));
    let base = Url::parse(&format!("http://{address}")).unwrap();
    FakeX { x: x(base, credentials), seen }
}

fn x(base: Url, credentials: XCredentials) -> X {
    let mut entropy = MockEntropy::new();
    entropy.expect_bytes().returning(|| Ok([7; 32]));
    let timeout = Duration::from_secs(5);
    let clock = Arc::new(FixedClock::noon());
    X::new(base, credentials, timeout, ReconcilePolicy::IMMEDIATE, clock, Arc::new(entropy))
        .unwrap()
}

fn bearer() -> XCredentials {
    XCredentials::OAuth2(SecretString::from("the-token"))
}

fn prepared(x: &X) -> Prepared {
    let publication = Publication::of_text("words");
    x.prepare(&PublishablePost {
        id: PostId::new(1),
        platform: Platform::X,
        approved_hash: publication.hash(),
        scheduled_time: None,
        publication,
    })
    .unwrap()
}

fn json_answer(status: u16, body: &Value) -> Response {
    Response::builder()
        .status(poem::http::StatusCode::from_u16(status).unwrap())
        .content_type("application/json")
        .body(body.to_string())
}

async fn sent(status: u16, body: Value) -> Outcome {
    let fake = fake(bearer(), move |_| json_answer(status, &body)).await;
    fake.x.send(&prepared(&fake.x)).await
}

#[tokio::test]
async fn a_post_is_sent_as_the_contract_says() {
    let fake = fake(bearer(), |_| {
        json_answer(201, &json!({ "data": { "id": "1346889436626259968", "text": "words" } }))
    })
    .await;

    let outcome = fake.x.send(&prepared(&fake.x)).await;

    assert_eq!(
        outcome,
        Outcome::Published {
            id: "1346889436626259968".into(),
            url: "https://x.com/i/web/status/1346889436626259968".into(),
        }
    );
    let seen = fake.seen.lock().unwrap();
    assert_eq!(
        *seen,
        [(
            "POST".to_owned(),
            "/2/tweets".to_owned(),
            "Bearer the-token".to_owned(),
            json!({ "text": "words" })
        )]
    );
}

#[tokio::test]
async fn user_keys_sign_the_request() {
    let keys = OAuth1 {
        consumer_key: "ck".into(),
        consumer_secret: SecretString::from("cs"),
        token: "at".into(),
        token_secret: SecretString::from("ats"),
    };
    let fake = fake(XCredentials::OAuth1(keys), |_| {
        json_answer(201, &json!({ "data": { "id": "1", "text": "words" } }))
    })
    .await;

    fake.x.send(&prepared(&fake.x)).await;

    let seen = fake.seen.lock().unwrap();
    let authorization = &seen[0].2;
    assert!(authorization.starts_with("OAuth oauth_consumer_key=\"ck\""), "{authorization}");
    assert!(authorization.contains("oauth_signature=\""), "{authorization}");
    assert!(!authorization.contains("cs") && !authorization.contains("ats"), "{authorization}");
}

#[tokio::test]
async fn each_refusal_gives_the_right_outcome() {
    let duplicate = json!({
        "detail": "You are not allowed to create a Tweet with duplicate content.",
        "type": "about:blank", "title": "Forbidden", "status": 403,
    });
    let forbidden = json!({ "detail": "You are not permitted to perform this action." });
    let credits =
        json!({ "title": "CreditsDepleted", "type": "https://api.x.com/2/problems/credits" });
    let client = json!({ "type": "https://api.x.com/2/problems/client-forbidden" });
    let capped = json!({ "type": "https://api.x.com/2/problems/usage-capped" });

    assert!(matches!(sent(403, duplicate).await, Outcome::Duplicate { .. }));
    assert!(matches!(sent(403, forbidden).await, Outcome::Refused { .. }));
    assert!(matches!(sent(400, json!({})).await, Outcome::Refused { .. }));
    for (status, body) in [(401, json!({})), (402, credits), (403, client), (429, capped)] {
        let outcome = sent(status, body).await;
        assert!(matches!(outcome, Outcome::Channel { .. }), "{status}: {outcome:?}");
    }
    for status in [500, 502, 503, 504] {
        let outcome = sent(status, Value::Null).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{status}: {outcome:?}");
    }
    assert!(matches!(sent(201, json!({ "data": {} })).await, Outcome::Unknown { .. }));
}

#[tokio::test]
async fn a_problem_that_the_account_owner_must_solve_does_not_fail_the_post() {
    let kind = |name: &str| json!({ "type": format!("https://api.twitter.com/2/problems/{name}") });
    let code = |code: i64| json!({ "errors": [{ "message": "no", "code": code }] });
    let detail =
        |text: &str| json!({ "detail": text, "type": "about:blank", "title": "Forbidden" });
    for (status, body) in [
        (403, kind("oauth1-permissions")),
        (403, kind("client-forbidden")),
        (403, kind("unsupported-authentication")),
        (403, json!({ "errors": [kind("usage-capped")] })),
        (
            403,
            detail(
                "Your client app is not configured with the appropriate oauth1 app permissions for \
                 this endpoint.",
            ),
        ),
        (403, detail("Your account has been suspended")),
        (403, detail("Your account is temporarily locked.")),
        (403, json!({ "reason": "client-not-enrolled" })),
        (403, code(64)),
        (403, code(261)),
        (403, code(326)),
        (403, code(453)),
        (
            429,
            json!({
                "title": "UsageCapExceeded",
                "detail": "Usage cap exceeded: Monthly product cap",
            }),
        ),
    ] {
        let outcome = sent(status, body.clone()).await;

        assert!(matches!(outcome, Outcome::Channel { .. }), "{body}: {outcome:?}");
    }
    for body in [code(186), code(385), detail("You are not permitted to perform this action.")] {
        let outcome = sent(403, body.clone()).await;

        assert!(matches!(outcome, Outcome::Refused { .. }), "{body}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_as_the_headers_say() {
    // X's clock is an hour behind ours, so the wait must be computed with X's clock.
    let noon = FixedClock::noon().now();
    let reset = noon.timestamp() - 3_600 + 300;
    let fake = fake(bearer(), move |_| {
        Response::builder()
            .status(poem::http::StatusCode::TOO_MANY_REQUESTS)
            .header("date", "Thu, 01 Jan 2026 11:00:00 GMT")
            .header("x-rate-limit-reset", reset.to_string())
            .header("x-rate-limit-remaining", "0")
            .body("{}")
    })
    .await;

    let outcome = fake.x.send(&prepared(&fake.x)).await;

    let Outcome::Wait { until, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(until, noon + chrono::Duration::seconds(301));
}

#[tokio::test]
async fn a_refused_connection_sends_nothing_and_a_dropped_one_is_unknown() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = Url::parse(&format!("http://{}", closed.local_addr().unwrap())).unwrap();
    drop(closed);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let away = x(refused, bearer());

    let not_sent = away.send(&prepared(&away)).await;

    assert!(matches!(not_sent, Outcome::NotSent { .. }), "{not_sent:?}");

    let cutting = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", cutting.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = cutting.accept().await {
            let mut bytes = [0; 64];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut bytes).await;
        }
    });
    let cut = x(base, bearer());

    let unknown = cut.send(&prepared(&cut)).await;

    assert!(matches!(unknown, Outcome::Unknown { .. }), "{unknown:?}");
}

/// The marker of noon by X's clock.
fn noon() -> Marker {
    Marker("2026-01-01T12:00:00.000Z".into())
}

/// The finding of a check at 12:15 by X's clock, if X returns this timeline.
async fn found(timeline: Value) -> (Finding, Seen) {
    let fake = fake(bearer(), move |path| {
        let body = if path.starts_with("/2/users/me") {
            json!({ "data": { "id": "42", "username": "waggle" } })
        } else {
            timeline.clone()
        };
        let mut answer = json_answer(200, &body);
        answer.headers_mut().insert("date", "Thu, 01 Jan 2026 12:15:00 GMT".parse().unwrap());
        answer
    })
    .await;
    let finding = fake.x.find(&prepared(&fake.x), Some(noon())).await;
    (finding, fake.seen)
}

#[tokio::test]
async fn an_unknown_outcome_is_reconciled_by_reading_the_timeline() {
    let timeline =
        json!({ "data": [{ "id": "7", "text": "words" }], "meta": { "result_count": 1 } });

    let (finding, seen) = found(timeline).await;

    let is_there =
        matches!(&finding, Finding::Alike { posts, .. } if posts[0].id == "7" && posts[0].is_exact);
    assert!(is_there, "{finding:?}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].1, "/2/users/me");
    let path = &seen[1].1;
    assert!(path.starts_with("/2/users/42/tweets?start_time=2026-01-01T11%3A59%3A00Z"), "{path}");
}

#[tokio::test]
async fn an_absence_says_how_much_time_has_passed_by_the_clock_of_x() {
    let (finding, _) = found(json!({ "meta": { "result_count": 0 } })).await;

    assert_eq!(finding, Finding::Absent { after: chrono::Duration::minutes(15) });
}

#[tokio::test]
async fn a_response_that_is_not_fully_understood_proves_no_absence() {
    let post = json!({ "id": "7", "text": "other" });
    for timeline in [
        json!({}),
        json!({ "data": [] }),
        json!({ "errors": [{ "title": "Not Found Error" }] }),
        json!({ "errors": [{ "title": "Not Found Error" }], "meta": { "result_count": 0 } }),
        json!({ "errors": {}, "meta": { "result_count": 0 } }),
        json!({ "data": [post], "meta": {} }),
        json!({ "data": [post], "meta": { "result_count": 2 } }),
        json!({ "meta": { "result_count": 1 } }),
        json!({ "data": {}, "meta": { "result_count": 0 } }),
        json!({ "data": [{ "id": 7, "text": "other" }], "meta": { "result_count": 1 } }),
        json!({ "data": [{ "id": "7" }], "meta": { "result_count": 1 } }),
        json!({ "data": [post], "meta": { "result_count": 1, "next_token": "n" } }),
    ] {
        let (finding, _) = found(timeline.clone()).await;

        assert!(matches!(finding, Finding::CannotTell { .. }), "{timeline}: {finding:?}");
    }
    for timeline in [json!([]), json!("words"), Value::Null] {
        let (finding, _) = found(timeline.clone()).await;

        assert!(matches!(finding, Finding::TryLater { .. }), "{timeline}: {finding:?}");
    }
}

#[tokio::test]
async fn without_the_time_of_x_an_absence_cannot_be_established() {
    let fake =
        fake(bearer(), |_| json_answer(200, &json!({ "meta": { "result_count": 0 } }))).await;

    let finding = fake.x.find(&prepared(&fake.x), None).await;

    assert!(matches!(finding, Finding::CannotTell { .. }), "{finding:?}");
}

#[tokio::test]
async fn the_time_of_x_is_requested_only_once() {
    let fake = fake(bearer(), |_| {
        let mut answer = json_answer(401, &json!({}));
        answer.headers_mut().insert("date", "Thu, 01 Jan 2026 11:58:00 GMT".parse().unwrap());
        answer
    })
    .await;

    let (first, second) = (fake.x.mark().await, fake.x.mark().await);

    for mark in [first, second] {
        let Mark::At(Marker(time)) = mark else { panic!("{mark:?}") };
        assert!(time.starts_with("2026-01-01T11:58:00."), "{time}");
    }
    assert_eq!(fake.seen.lock().unwrap().len(), 1);
    let nobody = x(Url::parse("http://127.0.0.1:1").unwrap(), bearer());
    assert!(matches!(nobody.mark().await, Mark::Away { .. }));
}

#[tokio::test]
async fn an_account_without_read_access_cannot_be_checked() {
    let fake = fake(bearer(), |_| json_answer(403, &json!({ "title": "Forbidden" }))).await;

    let finding = fake.x.find(&prepared(&fake.x), Some(noon())).await;

    assert!(matches!(finding, Finding::CannotTell { .. }), "{finding:?}");
}

#[tokio::test]
async fn a_check_names_the_account_or_the_problem() {
    let me = json!({ "data": { "id": "7", "name": "Hive", "username": "hive" } });
    let cases = [
        (200, me.clone(), Ok("@hive")),
        (401, json!({ "title": "Unauthorized" }), Err("does not accept the credentials")),
        (403, json!({ "detail": "client-forbidden" }), Err("denies access")),
        (429, json!({}), Err("too many requests")),
        (503, json!({}), Err("server error")),
        (200, json!({ "hello": "world" }), Err("does not look like one from X")),
    ];
    for (status, body, expected) in cases {
        let fake = fake(bearer(), move |_| json_answer(status, &body)).await;

        let result = fake.x.check().await;

        match expected {
            Ok(part) => {
                assert!(result.as_ref().is_ok_and(|text| text.contains(part)), "{result:?}");
            }
            Err(part) => {
                assert!(result.as_ref().is_err_and(|text| text.contains(part)), "{result:?}");
            }
        }
    }
    let read_only = fake(bearer(), move |_| {
        let mut answer = json_answer(200, &me);
        answer.headers_mut().insert("x-access-level", "read".parse().unwrap());
        answer
    })
    .await;
    assert!(read_only.x.check().await.unwrap_err().contains("read-only"));
    let nobody = x(Url::parse("http://127.0.0.1:1").unwrap(), bearer());
    assert!(nobody.check().await.unwrap_err().contains("cannot be reached"));
}

#[test]
fn an_account_keeps_its_channel_when_its_token_is_regenerated() {
    let base = || Url::parse("https://api.x.com").unwrap();
    let oauth1 = |token: &str| {
        XCredentials::OAuth1(OAuth1 {
            consumer_key: "key".into(),
            consumer_secret: SecretString::from("hush"),
            token: token.into(),
            token_secret: SecretString::from("hush"),
        })
    };
    let _ = rustls::crypto::ring::default_provider().install_default();

    let one = x(base(), oauth1("123-abc")).channel();

    assert_eq!(one, "x:api.x.com:123");
    assert_eq!(one, x(base(), oauth1("123-def")).channel());
    assert_ne!(one, x(base(), oauth1("124-abc")).channel());
    let token = x(base(), bearer()).channel();
    assert!(!token.contains("the-token") && token.len() < 40, "{token}");
}
