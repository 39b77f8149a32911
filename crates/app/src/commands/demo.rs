//! `waggle demo`: runs the main workflow over HTTP on a separate server, with input like that of
//! n8n.

#![expect(
    clippy::indexing_slicing,
    reason = "reading JSON by a key gives null where there is none; it does not panic"
)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::header::IF_MATCH;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use waggle_accounts::{Client as Caller, WantedToken};
use waggle_kernel::{Actor, Scope, Scopes};
use waggle_store::{Mode, Store};
use waggle_system::MasterKeyPlace;

use super::database::make_data_dir;
use super::output::{Failure, print, program};
use super::serve::Server;
use crate::config::Config;

/// The maximum time until a post is published.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs all steps. The exit code is 0 only if every step has the expected result.
pub(super) async fn run(config: &Config) -> Result<ExitCode, Failure> {
    let folder = config.data_dir.join("demo");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    make_data_dir(&folder)?;
    let store = Store::open(&format!("sqlite://{}", folder.join("waggle.db").display())).await?;
    store.migrate(Mode::Run).await?;
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data_dir: folder.clone(),
        master_key: MasterKeyPlace::DataDir(folder.join("master.key")),
        ..config.clone()
    };
    let server = Server::start(&store, &config).await?;
    let result = Walk::new(&server).await?.all(&folder).await;
    server.stop().await;
    match result {
        Ok(()) => {
            print("\nAll steps succeeded.");
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            print(&format!("\nThe demo stopped: {failure}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

struct Walk {
    base: String,
    client: Client,
    workflow: SecretString,
    reviewer: SecretString,
    step: u8,
}

struct Answer {
    status: StatusCode,
    body: Value,
}

impl Walk {
    async fn new(server: &Server) -> Result<Self, Failure> {
        let token = async |name, scopes: &[Scope]| {
            let (name, scopes) = (String::from(name), Scopes::of(scopes));
            let wanted = WantedToken { name, owner: None, scopes, expires_at: None };
            let (actor, client) = (Actor::system(), Caller::default());
            let created = server.app.people.tokens.create(&actor, &wanted, &client).await?;
            Ok::<_, Failure>(created.secret)
        };
        Ok(Self {
            base: format!("http://{}", server.address),
            client: Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?,
            workflow: token("n8n", &[Scope::Ingest]).await?,
            reviewer: token(
                "reviewer",
                &[Scope::Read, Scope::Write, Scope::Approve, Scope::Publish],
            )
            .await?,
            step: 0,
        })
    }

    async fn all(mut self, folder: &Path) -> Result<(), Failure> {
        print("Waggle's main workflow over HTTP, step by step.\n");
        self.check_duplicates().await?;
        let tweets = self.hand_in().await?;
        self.decide(tweets).await?;
        self.publish(tweets).await?;
        self.guard(tweets).await?;
        let folder = folder.display();
        print("\nTo look at the result, start Waggle with the data of the demo:\n");
        let program = program();
        print(&format!("    export WAGGLE_DATA_DIR={folder}\n    {program} serve\n"));
        print(&format!(
            "Then create a token ({program} tokens create --name me --scope read) and request"
        ));
        print("    /api/v1/generated-tweets   /api/v1/posts   /api/v1/sandbox/timeline");
        print(&format!("The timeline is in {folder}/sandbox/timeline.jsonl"));
        Ok(())
    }

    async fn check_duplicates(&mut self) -> Result<(), Failure> {
        let report = |run: &str| {
            json!({
                "execution_id": run,
                "source_url": "https://n8n.example.com",
                "tweets": [
                    tweet(1, "Thu Aug 14 14:30:31 +0000 2025"),
                    tweet(2, "Tue Aug 12 09:00:00 +0000 2025"),
                    tweet(3, "2025-08-13T10:00:00Z"),
                ],
            })
        };
        let path = "/api/check-duplicate-tweet";
        let new = |answer: &Answer| answer.body["data"]["new_tweets"].as_array().map(Vec::len);

        let first = self.n8n(path, report("exec_demo_1")).await?;
        self.say("n8n reports three tweets", &first, new(&first) == Some(3), "all three are new")?;
        let again = self.n8n(path, report("exec_demo_1")).await?;
        let same = again.body["data"] == first.body["data"];
        self.say(
            "n8n did not receive the response and repeats the call",
            &again,
            same,
            "the same three are new: nothing is lost",
        )?;
        let other = self.n8n(path, report("exec_demo_2")).await?;
        let known = other.body["summary"]["duplicates_found"] == 3 && new(&other) == Some(0);
        self.say("the next run reports the same tweets", &other, known, "all three are known")
    }

    /// Submits a batch and returns the ids of its tweets: three good ones and one that is too long.
    async fn hand_in(&mut self) -> Result<[i64; 4], Failure> {
        let batch = json!({
            "campaign_batch": "batch_2025-08-14_14-31",
            "execution_id": "exec_demo_1",
            "analysis_summary": { "dominant_themes": ["compute"], "brand_alignment_score": "9.2" },
            "tweet_count": 4,
            "ready_for_deployment": 4,
            "title": "Idle compute",
            "description": "Drafts about idle compute",
            "tweets": [
                drafted(
                    1,
                    "Idle GPUs are a coordination problem 🐝 https://example.com/idle-compute",
                ),
                drafted(2, "Agents should bid for compute the way bees pick flowers."),
                drafted(3, "Buy now!!!"),
                drafted(4, &"Too long. ".repeat(40)),
            ],
        });
        let received = self.n8n("/api/receive-tweets", batch.clone()).await?;
        let stored = received.body["stored_count"] == 4;
        self.say("n8n submits a batch of four drafts", &received, stored, "all four are stored")?;
        let replay = self.n8n("/api/receive-tweets", batch).await?;
        let nothing = replay.body["stored_count"] == 0;
        self.say("n8n sends the batch again", &replay, nothing, "nothing is stored twice")?;
        let list = self.call(Method::GET, "/api/v1/generated-tweets?order=asc", None).await?;
        let items = list.body["items"].as_array().cloned().unwrap_or_default();
        let ids: Vec<i64> = items.iter().filter_map(|tweet| tweet["id"].as_i64()).collect();
        let ids: [i64; 4] = ids.try_into().map_err(|_| "there are not four drafts")?;
        let counted = items.first().map(|tweet| tweet["character_count"].clone());
        self.say(
            "a person lists the drafts",
            &list,
            counted == Some(json!(63)),
            "the first has 63 characters as X counts them: 23 for the URL, 2 for the bee",
        )?;
        Ok(ids)
    }

    async fn decide(&mut self, [first, second, third, long]: [i64; 4]) -> Result<(), Failure> {
        let text = "Agents should bid for compute the way bees choose flowers: by dancing.";
        let edited = self.patch(second, json!({ "content": text })).await?;
        let draft = edited.body["status"] == "Draft";
        self.say("a person edits the second draft", &edited, draft, "it is a Draft now")?;
        let refused = self.approve(long).await?;
        let unfit = refused.status == StatusCode::UNPROCESSABLE_ENTITY;
        self.say(
            "a person tries to approve the draft that is too long",
            &refused,
            unfit,
            "rejected, and the draft is kept",
        )?;
        for id in [first, second] {
            let approved = self.approve(id).await?;
            let bound =
                approved.body["approved_hash"].as_str().is_some_and(|hash| hash.len() == 64);
            self.say(
                "a person approves a draft",
                &approved,
                bound,
                "the approval is bound to the exact text",
            )?;
        }
        let rejected = self.act(third, "reject", Value::Null).await?;
        let gone = rejected.body["status"] == "Rejected";
        self.say(
            "a person rejects the third draft",
            &rejected,
            gone,
            "it is Rejected, and can be restored",
        )
    }

    #[expect(clippy::disallowed_methods, reason = "a duration is measured")]
    async fn publish(&mut self, [first, ..]: [i64; 4]) -> Result<(), Failure> {
        let queued = self.act(first, "publish", json!({ "platform": "sandbox" })).await?;
        let post = queued.body["post"]["id"].as_i64().unwrap_or_default();
        self.say(
            "a person publishes the first draft",
            &queued,
            post > 0,
            "a post is queued for the sandbox",
        )?;
        let path = format!("/api/v1/posts/{post}");
        let begun = std::time::Instant::now();
        let published = loop {
            let answer = self.call(Method::GET, &path, None).await?;
            if answer.body["status"] == "published" || begun.elapsed() > PATIENCE {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let id = published.body["platform_post_id"].as_str().unwrap_or_default().to_owned();
        let is_out = published.body["status"] == "published" && id.starts_with("sandbox-");
        self.say(
            "the worker delivers it",
            &published,
            is_out,
            &format!("it is published as {id}"),
        )?;
        let timeline = self.call(Method::GET, "/api/v1/sandbox/timeline", None).await?;
        let once = timeline.body["items"].as_array().map(Vec::len) == Some(1);
        self.say("the sandbox's timeline", &timeline, once, "the post is there once")?;
        let tweet =
            self.call(Method::GET, &format!("/api/v1/generated-tweets/{first}"), None).await?;
        let posted = tweet.body["status"] == "Posted" && tweet.body["x_com_post_id"] == json!(id);
        self.say("the generated tweet", &tweet, posted, "it is Posted, with the id and the time")
    }

    async fn guard(&mut self, [first, second, ..]: [i64; 4]) -> Result<(), Failure> {
        let twice = self.act(first, "publish", json!({ "platform": "sandbox" })).await?;
        let refused = twice.status == StatusCode::CONFLICT;
        self.say(
            "a person publishes the first draft again",
            &twice,
            refused,
            "rejected: it was already published",
        )?;
        self.patch(second, json!({ "content": "A text that was not approved." })).await?;
        let unapproved = self.act(second, "publish", json!({ "platform": "sandbox" })).await?;
        let refused = unapproved.status == StatusCode::CONFLICT;
        self.say(
            "the second draft is edited after its approval, and published",
            &unapproved,
            refused,
            "rejected: the edit withdrew the approval",
        )?;
        let history = self
            .call(Method::GET, &format!("/api/v1/generated-tweets/{first}/history"), None)
            .await?;
        let told = history.body["items"].as_array().map(Vec::len) == Some(3);
        self.say(
            "the history of the first draft",
            &history,
            told,
            "approved, queued, published: by whom and when",
        )
    }

    fn say(
        &mut self,
        what: &str,
        answer: &Answer,
        right: bool,
        outcome: &str,
    ) -> Result<(), Failure> {
        self.step += 1;
        let status = answer.status.as_u16();
        if right {
            print(&format!("{:2}. {what}\n      {status}: {outcome}", self.step));
            Ok(())
        } else {
            let body = answer.body.to_string();
            let step = self.step;
            Err(format!("step {step} ({what}) returned {status} instead of '{outcome}': {body}")
                .into())
        }
    }

    async fn n8n(&self, path: &str, body: Value) -> Result<Answer, Failure> {
        let token = self.workflow.expose_secret().to_owned();
        self.send(Method::POST, path, Some(body), &token).await
    }

    async fn act(&self, id: i64, action: &str, body: Value) -> Result<Answer, Failure> {
        let body = Some(body).filter(|body| !body.is_null());
        self.call(Method::POST, &format!("/api/v1/generated-tweets/{id}/{action}"), body).await
    }

    /// Reads a tweet, and approves it at the version that was read.
    async fn approve(&self, id: i64) -> Result<Answer, Failure> {
        let path = format!("/api/v1/generated-tweets/{id}");
        let seen = self.call(Method::GET, &path, None).await?;
        let request = self
            .client
            .post(format!("{}{path}/approve", self.base))
            .bearer_auth(self.reviewer.expose_secret())
            .header(IF_MATCH, seen.body["version"].to_string());
        answer(request).await
    }

    async fn patch(&self, id: i64, body: Value) -> Result<Answer, Failure> {
        self.call(Method::PATCH, &format!("/api/v1/generated-tweets/{id}"), Some(body)).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, Failure> {
        let token = self.reviewer.expose_secret().to_owned();
        self.send(method, path, body, &token).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        token: &str,
    ) -> Result<Answer, Failure> {
        let mut request =
            self.client.request(method, format!("{}{path}", self.base)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }
}

async fn answer(request: RequestBuilder) -> Result<Answer, Failure> {
    let response = request.send().await?;
    Ok(Answer { status: response.status(), body: response.json().await? })
}

/// A tweet as the workflow reports it.
fn tweet(number: u32, date: &str) -> Value {
    let id = format!("195593943434343430{number}");
    json!({
        "Tweet ID": id,
        "URL": format!("https://x.com/example/status/{id}"),
        "Content": format!("A tweet of a monitored account, number {number}"),
        "Likes": 10 * number,
        "Retweets": number,
        "Replies": 0,
        "Quotes": 0,
        "Views": 1000 * number,
        "Date": date,
        "Status": "success",
        "Tweet": format!("https://twitter.com/example/status/{id}"),
    })
}

/// A tweet as the workflow drafts it.
fn drafted(number: u32, content: &str) -> Value {
    json!({
        "id": format!("batch_2025-08-14_14-31-tweet-{number}"),
        "type": "developer_tools",
        "content": content,
        "character_count": 200,
        "engagement_hook": "Tell us",
        "coophive_elements": ["marketplace-design"],
        "discord_voice_patterns": ["agent-centric"],
        "theme_connection": "Tighter",
        "ready_for_deployment": true,
        "status": "Brand Aligned",
    })
}
