//! An OpenID Connect issuer on this machine, which answers what a test tells it to.

#![expect(clippy::needless_pass_by_value, reason = "handlers are given what they take")]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use poem::http::StatusCode;
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::web::Data;
use poem::{EndpointExt as _, Request, Response, Route, Server, get, handler, post};
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

pub(crate) const CLIENT_ID: &str = "waggle.apps.example";
pub(crate) const CLIENT_SECRET: &str = "a secret of the OAuth client";

/// The DER prefix of a SHA-256 digest (RFC 8017, 9.2, note 1).
const SHA_256: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// The key of the issuer, and another key. Generating them takes long, so all tests share them.
static KEYS: LazyLock<[RsaPrivateKey; 2]> =
    LazyLock::new(|| [(); 2].map(|()| RsaPrivateKey::new(&mut OsRng, 2_048).unwrap()));

/// What a token is signed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedWith {
    TheKey,
    AnotherKey,
    /// HMAC with the client secret, which some libraries accept in place of the public key.
    TheSecret,
    Nothing,
}

/// What a code can be exchanged for.
struct Ticket {
    challenge: String,
    token: String,
}

#[derive(Default)]
struct State {
    tickets: HashMap<String, Ticket>,
    /// The name under which the key is published.
    kid: String,
    /// Whether the issuer answers with 503.
    is_down: bool,
}

/// An issuer that runs until its test ends.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) base: String,
    /// The name of the issuer in its documents.
    name: String,
    state: Arc<Mutex<State>>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        Self::start_as("").await
    }

    /// Starts an issuer whose name ends with `end`.
    pub(crate) async fn start_as(end: &str) -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = acceptor.local_addr()[0].as_socket_addr().unwrap().to_owned();
        let state = State { kid: "key-1".to_owned(), ..State::default() };
        let base = format!("http://{address}");
        let name = format!("{base}{end}");
        let issuer = Self { base, name, state: Arc::new(Mutex::new(state)) };
        let routes = Route::new()
            .at("/.well-known/openid-configuration", get(tell_places))
            .at("/keys", get(tell_keys))
            .at("/token", post(redeem))
            .data(issuer.clone());
        tokio::spawn(Server::new_with_acceptor(acceptor).run(routes));
        issuer
    }

    /// Publishes the key under another name.
    pub(crate) fn rename_key(&self, kid: &str) {
        kid.clone_into(&mut self.state.lock().unwrap().kid);
    }

    /// Starts or ends an outage.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    fn is_down(&self) -> bool {
        self.state.lock().unwrap().is_down
    }

    /// Agrees on the page at `url`, and returns the state and the code that the browser is sent
    /// back with. `forge` changes the token before it is signed.
    pub(crate) fn agree(
        &self,
        url: &str,
        with: SignedWith,
        forge: impl FnOnce(&mut Value, &mut Value),
    ) -> (String, String) {
        let url: Url = url.parse().unwrap();
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["client_id"], CLIENT_ID);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["redirect_uri"].ends_with("/accounts/google/login/callback/"));
        assert!(asked["state"].len() >= 22 && asked["nonce"].len() >= 22);
        let now = chrono::Utc::now().timestamp();
        let mut header =
            json!({ "alg": "RS256", "typ": "JWT", "kid": self.state.lock().unwrap().kid });
        let mut claims = json!({
            "iss": self.name, "aud": CLIENT_ID, "sub": "108", "email": "joe@hive.example",
            "email_verified": true, "hd": "hive.example", "given_name": "Joe", "family_name": "Doe",
            "iat": now, "exp": now + 3_600, "nonce": asked["nonce"],
        });
        forge(&mut header, &mut claims);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = match with {
            SignedWith::TheKey => signature(&KEYS[0], &signed),
            SignedWith::AnotherKey => signature(&KEYS[1], &signed),
            SignedWith::TheSecret => keyed(&signed),
            SignedWith::Nothing => Vec::new(),
        };
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        let mut state = self.state.lock().unwrap();
        let code = format!("code-{}", state.tickets.len());
        let challenge = asked["code_challenge"].clone();
        state.tickets.insert(code.clone(), Ticket { challenge, token });
        (asked["state"].clone(), code)
    }
}

fn signature(key: &RsaPrivateKey, text: &str) -> Vec<u8> {
    let digest = [&SHA_256[..], &Sha256::digest(text)].concat();
    key.sign(Pkcs1v15Sign::new_unprefixed(), &digest).unwrap()
}

/// HMAC-SHA256 with the client secret (RFC 2104).
fn keyed(text: &str) -> Vec<u8> {
    let pad = |with: u8| -> Vec<u8> {
        let key = CLIENT_SECRET.bytes().chain(std::iter::repeat(0)).take(64);
        key.map(|byte| byte ^ with).collect()
    };
    let inner = Sha256::digest([pad(0x36), text.as_bytes().to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

fn down() -> Response {
    Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).body("<h1>in a moment</h1>")
}

fn answer(value: &Value) -> Response {
    Response::builder().content_type("application/json").body(value.to_string())
}

#[handler]
fn tell_places(issuer: Data<&Issuer>) -> Response {
    if issuer.is_down() {
        return down();
    }
    let Issuer { base, name, .. } = &*issuer;
    answer(&json!({
        "issuer": name,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

#[handler]
fn tell_keys(issuer: Data<&Issuer>) -> Response {
    let key = &KEYS[0];
    let number = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let kid = issuer.state.lock().unwrap().kid.clone();
    answer(&json!({ "keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
        "n": number(key.n().to_bytes_be()), "e": number(key.e().to_bytes_be()),
    }] }))
}

/// Exchanges a code for a token. A code is valid once, for this client only, and with the verifier
/// of the request that it belongs to.
#[handler]
fn redeem(issuer: Data<&Issuer>, request: &Request, body: String) -> Response {
    if issuer.is_down() {
        return down();
    }
    let form: HashMap<String, String> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let shown = request.header("authorization").unwrap_or_default();
    let encoded: String = url::form_urlencoded::byte_serialize(CLIENT_SECRET.as_bytes()).collect();
    let known = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{encoded}")));
    let ticket = issuer.state.lock().unwrap().tickets.remove(&form["code"]);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    let right = ticket.filter(|ticket| ticket.challenge == challenge && shown == known);
    let Some(ticket) = right else {
        let error = json!({ "error": "invalid_grant" });
        return Response::builder()
            .status(StatusCode::BAD_REQUEST)
            .content_type("application/json")
            .body(error.to_string());
    };
    answer(&json!({
        "access_token": "of no use", "token_type": "Bearer", "expires_in": 3_600,
        "id_token": ticket.token,
    }))
}
