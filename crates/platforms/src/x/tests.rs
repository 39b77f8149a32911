//! X's adapter against a server that answers as X's published contract says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::{EndpointExt as _, Request, Response, Server};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;
use waggle_content::ports::Publisher as _;
use waggle_content::{DoubtPolicy, Finding, Outcome, Platform, Prepared, PublishablePost};
use waggle_kernel::ids::PostId;
use waggle_kernel::{Clock as _, FixedClock, MockEntropy, Publication};

use super::{OAuth1, X, XCredentials};

/// What a server was asked: method, path with query, authorization, body.
type Seen = Arc<Mutex<Vec<(String, String, String, Value)>>>;

struct FakeX {
    x: X,
    seen: Seen,
}

/// A server that answers every request as `answer` says.
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
    X::new(base, credentials, timeout, DoubtPolicy::IMMEDIATE, clock, Arc::new(entropy)).unwrap()
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
async fn each_refusal_is_taken_for_what_it_is() {
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
async fn a_rate_limit_is_waited_out_as_its_header_says() {
    let reset = FixedClock::noon().now().timestamp() + 300;
    let fake = fake(bearer(), move |_| {
        Response::builder()
            .status(poem::http::StatusCode::TOO_MANY_REQUESTS)
            .header("x-rate-limit-reset", reset.to_string())
            .header("x-rate-limit-remaining", "0")
            .body("{}")
    })
    .await;

    let outcome = fake.x.send(&prepared(&fake.x)).await;

    let Outcome::Wait { until, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(until.timestamp(), reset + 1);
}

#[tokio::test]
async fn a_refused_connection_is_not_sent_and_a_cut_one_is_unknown() {
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

#[tokio::test]
async fn a_doubt_is_settled_by_reading_the_own_timeline() {
    let fake = fake(bearer(), |path| {
        if path.starts_with("/2/users/me") {
            json_answer(200, &json!({ "data": { "id": "42", "username": "waggle" } }))
        } else {
            json_answer(200, &json!({ "data": [{ "id": "7", "text": "words" }] }))
        }
    })
    .await;

    let finding = fake.x.find(&prepared(&fake.x), FixedClock::noon().now()).await;

    assert!(matches!(finding, Finding::Found { ref id, .. } if id == "7"), "{finding:?}");
    let seen = fake.seen.lock().unwrap();
    assert_eq!(seen[0].1, "/2/users/me");
    assert!(
        seen[1].1.starts_with("/2/users/42/tweets?start_time=2026-01-01T11%3A59%3A00Z"),
        "{}",
        seen[1].1
    );
}

#[tokio::test]
async fn an_account_that_may_not_read_cannot_tell() {
    let fake = fake(bearer(), |_| json_answer(403, &json!({ "title": "Forbidden" }))).await;

    let finding = fake.x.find(&prepared(&fake.x), FixedClock::noon().now()).await;

    assert!(matches!(finding, Finding::CannotTell { .. }), "{finding:?}");
}

#[tokio::test]
async fn a_check_says_whose_account_it_is_or_what_is_wrong() {
    let me = json!({ "data": { "id": "7", "name": "Hive", "username": "hive" } });
    let cases = [
        (200, me.clone(), Ok("@hive")),
        (401, json!({ "title": "Unauthorized" }), Err("does not accept the credentials")),
        (403, json!({ "detail": "client-forbidden" }), Err("does not let them in")),
        (429, json!({}), Err("too many requests")),
        (503, json!({}), Err("not well")),
        (200, json!({ "hello": "world" }), Err("not how X answers")),
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
    assert!(read_only.x.check().await.unwrap_err().contains("only read"));
    let nobody = x(Url::parse("http://127.0.0.1:1").unwrap(), bearer());
    assert!(nobody.check().await.unwrap_err().contains("cannot be reached"));
}

#[test]
fn an_account_keeps_its_channel_when_its_token_is_made_anew() {
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
