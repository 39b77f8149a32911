//! Publishes to X through its API v2 (<https://docs.x.com/x-api>).
//!
//! X has no idempotency key that would make a repeated request harmless. An unknown outcome is
//! therefore reconciled by reading the account's own timeline. The times used for that come from
//! X's own clock: see [`time`].

#![expect(
    clippy::indexing_slicing,
    reason = "reading JSON by a key gives null where there is none; it does not panic"
)]

mod answers;
mod matching;
mod oauth1;
mod time;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::SecondsFormat;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Client, Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use url::Url;
use waggle_content::ports::Publisher;
use waggle_content::{
    Finding, Mark, Marker, Outcome, Platform, Prepared, PublishablePost, ReconcilePolicy,
};
use waggle_kernel::{Clock, Entropy, error_chain, hex};

pub use self::oauth1::OAuth1;
use self::time::PlatformTime;

/// The credentials of the account that posts.
pub enum XCredentials {
    /// OAuth 1.0a user context: four values that do not expire.
    OAuth1(OAuth1),
    /// An OAuth 2.0 user access token.
    OAuth2(SecretString),
}

impl XCredentials {
    /// Identifies the account. An OAuth 1.0a token starts with the account's id, which is used if
    /// present. Otherwise, this is a hash of the token, so a new token counts as another account.
    fn account(&self) -> String {
        let token = match self {
            Self::OAuth1(keys) => match keys.token.split_once('-') {
                Some((id, _)) if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => {
                    return id.to_owned();
                }
                _ => keys.token.as_str(),
            },
            Self::OAuth2(token) => token.expose_secret(),
        };
        let hash = Sha256::new().chain_update(b"waggle channel").chain_update(token).finalize();
        hex(&hash).chars().take(16).collect()
    }
}

/// A check starts this long before the attempt, because the clocks of X's servers differ.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::seconds(60);
/// The maximum size of a response, in bytes.
const MOST_ANSWER: usize = 4 * 1024 * 1024;
/// The fields that distinguish one post from another. X renamed some of these in 2026 and responds
/// with either name.
const FIELDS: &str = "created_at,entities,referenced_tweets";

/// The publisher for X.
pub struct X {
    base: Url,
    credentials: XCredentials,
    reconcile: ReconcilePolicy,
    client: Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    own_id: OnceCell<String>,
    time: PlatformTime,
}

/// Why a request got no response.
enum NoAnswer {
    /// No byte of the request was sent.
    NotSent(String),
    /// It is unknown whether the request reached X.
    Unknown(String),
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl X {
    /// Creates a publisher that calls X at `base`. Each request takes at most `timeout`.
    /// `reconcile` says how unknown outcomes are reconciled, because X does not say how far its
    /// timelines lag.
    ///
    /// # Errors
    ///
    /// [`reqwest::Error`] if the HTTP client cannot be created. It needs an installed TLS provider.
    pub fn new(
        base: Url,
        credentials: XCredentials,
        timeout: Duration,
        reconcile: ReconcilePolicy,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .redirect(reqwest::redirect::Policy::none())
            // A repeated request could publish the post twice.
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("waggle/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let time = PlatformTime::new(Arc::clone(&clock));
        let own_id = OnceCell::new();
        Ok(Self { base, credentials, reconcile, client, clock, entropy, own_id, time })
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Answer, NoAnswer> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let authorization = match &self.credentials {
            XCredentials::OAuth2(token) => format!("Bearer {}", token.expose_secret()),
            XCredentials::OAuth1(keys) => {
                let chance =
                    self.entropy.bytes().map_err(|error| NoAnswer::NotSent(error.to_string()))?;
                // X refuses a signature whose timestamp is too far from its own time.
                let now = self.time.now().unwrap_or_else(|| self.clock.now());
                keys.authorization(method.as_str(), &url, query, &chance, now)
            }
        };
        let mut request =
            self.client.request(method, url).query(query).header(AUTHORIZATION, authorization);
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|error| {
            // The URL of a failed request is left out of the record, because it adds no
            // information.
            let connecting = error.is_connect() || error.is_builder();
            let reason = error_chain(&error.without_url());
            if connecting { NoAnswer::NotSent(reason) } else { NoAnswer::Unknown(reason) }
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        self.time.read(&headers);
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= MOST_ANSWER => {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                Ok(Some(_)) => {
                    return Err(NoAnswer::Unknown("the response is too large".to_owned()));
                }
                Err(error) => return Err(NoAnswer::Unknown(error_chain(&error.without_url()))),
            }
        }
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { status, headers, body })
    }

    /// The id of the account that posts.
    async fn own_id(&self) -> Result<&str, Finding> {
        self.own_id
            .get_or_try_init(|| async {
                let answer = self.look(&["2", "users", "me"], &[]).await?;
                answer["data"]["id"].as_str().map(str::to_owned).ok_or_else(|| Finding::TryLater {
                    reason: "X did not say which account the credentials belong to".to_owned(),
                })
            })
            .await
            .map(String::as_str)
    }

    /// Asks X which account the credentials belong to, and describes the result for people.
    ///
    /// # Errors
    ///
    /// A human-readable description of the problem, without credentials.
    pub async fn check(&self) -> Result<String, String> {
        let answer = match self.call(Method::GET, &["2", "users", "me"], &[], None).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(reason)) => return Err(format!("X cannot be reached: {reason}")),
            Err(NoAnswer::Unknown(reason)) => return Err(format!("X did not respond: {reason}")),
        };
        // If the server is not X, its error messages are not shown to remote callers.
        let is_x = matches!(self.base.host_str(), Some("api.x.com" | "api.twitter.com"));
        let body = if is_x || answer.status == StatusCode::OK { answer.body } else { Value::Null };
        answers::of_check(answer.status, &answer.headers, &body)
    }

    async fn look(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Finding> {
        let answer = self.look_with_headers(path, query).await?;
        Ok(answer.body)
    }

    async fn look_with_headers(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Answer, Finding> {
        match self.call(Method::GET, path, query, None).await {
            Ok(answer) => {
                answers::of_look(answer.status, &answer.body)?;
                Ok(answer)
            }
            Err(NoAnswer::NotSent(reason) | NoAnswer::Unknown(reason)) => {
                Err(Finding::TryLater { reason })
            }
        }
    }

    async fn search(&self, prepared: &Prepared, since: Option<Marker>) -> Result<Finding, Finding> {
        let cannot_tell = |reason: &str| Finding::CannotTell { reason: reason.to_owned() };
        let since = since.as_ref().and_then(time::of_marker).ok_or_else(|| {
            cannot_tell(
                "X's time before the post was sent is unknown, so the timeline cannot be checked",
            )
        })?;
        let own_id = self.own_id().await?;
        let start = (since - CLOCK_SKEW).to_rfc3339_opts(SecondsFormat::Secs, true);
        let query = [
            ("start_time", start),
            ("max_results", "100".to_owned()),
            ("tweet.fields", FIELDS.to_owned()),
        ];
        let answer = self.look_with_headers(&["2", "users", own_id, "tweets"], &query).await?;
        let posts = answers::timeline(&answer.body)?;
        let after = time::of_answer(&answer.headers)
            .map(|now| now - since)
            .ok_or_else(|| cannot_tell("X's response has no valid Date header"))?;
        Ok(matching::find(&prepared.request, &posts, after))
    }
}

#[async_trait]
impl Publisher for X {
    fn platform(&self) -> Platform {
        Platform::X
    }

    fn channel(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("x:{host}{port}:{}", self.credentials.account())
    }

    fn reconcile_policy(&self) -> ReconcilePolicy {
        self.reconcile
    }

    fn prepare(&self, post: &PublishablePost) -> Result<Prepared, String> {
        let publication = &post.publication;
        if !publication.media.is_empty() {
            return Err("publishing media to X is not supported yet".to_owned());
        }
        let mut request = json!({ "text": publication.text });
        if let Some(target) = &publication.reply_to {
            request["reply"] = json!({ "in_reply_to_tweet_id": target });
        }
        if let Some(target) = &publication.quote_of {
            request["quote_tweet_id"] = json!(target);
        }
        Ok(Prepared {
            platform: Platform::X,
            channel: self.channel(),
            key: format!("post-{}", post.id),
            request,
            hash: publication.hash(),
            marker: None,
        })
    }

    /// X's time. If X has not reported it recently, it is read from the response to the cheapest
    /// request, the one for the account itself.
    async fn mark(&self) -> Mark {
        if let Some(now) = self.time.now() {
            return Mark::At(time::marker(now));
        }
        match self.call(Method::GET, &["2", "users", "me"], &[], None).await {
            Ok(answer) => {
                if let (StatusCode::OK, Some(id)) =
                    (answer.status, answer.body["data"]["id"].as_str())
                {
                    // This fails only if the id is already known.
                    let _ = self.own_id.set(id.to_owned());
                }
                self.time.now().map_or(Mark::NotGiven, |now| Mark::At(time::marker(now)))
            }
            Err(NoAnswer::NotSent(reason) | NoAnswer::Unknown(reason)) => Mark::Away { reason },
        }
    }

    async fn send(&self, prepared: &Prepared) -> Outcome {
        match self.call(Method::POST, &["2", "tweets"], &[], Some(&prepared.request)).await {
            Ok(answer) => {
                answers::of_post(answer.status, &answer.headers, &answer.body, self.clock.now())
            }
            Err(NoAnswer::NotSent(reason)) => Outcome::NotSent { reason },
            Err(NoAnswer::Unknown(reason)) => Outcome::Unknown { reason },
        }
    }

    async fn find(&self, prepared: &Prepared, since: Option<Marker>) -> Finding {
        match self.search(prepared, since).await {
            Ok(finding) | Err(finding) => finding,
        }
    }
}

#[cfg(test)]
mod tests;
