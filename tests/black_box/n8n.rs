//! Tests of the n8n endpoints with valid, invalid and repeated calls.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database::Kind;
use crate::process::token;
use crate::{Waggle, answer, on_both};

pub(crate) const CHECK: &str = "/api/check-duplicate-tweet";
pub(crate) const RECEIVE: &str = "/api/receive-tweets";
const THURSDAY: &str = "Thu Aug 14 14:30:31 +0000 2025";

pub(crate) fn item(id: impl Into<Value>) -> Value {
    json!({ "Tweet ID": id.into(), "Content": "words", "Likes": 1, "Date": THURSDAY })
}

#[expect(clippy::needless_pass_by_value, reason = "the lists are made for this call")]
pub(crate) fn report(run: &str, items: Vec<Value>) -> Value {
    json!({ "execution_id": run, "source_url": "https://n8n.example.com", "tweets": items })
}

pub(crate) fn new_ids(answer: &Value) -> Vec<String> {
    let tweets = answer["data"]["new_tweets"].as_array().unwrap();
    tweets
        .iter()
        .map(|tweet| tweet.get("Tweet ID").or(tweet.get("id")).unwrap().to_string())
        .map(|id| id.trim_matches('"').to_owned())
        .collect()
}

pub(crate) async fn stored(waggle: &Waggle) -> i64 {
    waggle.get("/api/v1/source-tweets/totals").await.ok()["tweets"].as_i64().unwrap()
}

async fn every_path_responds_directly(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let mut number = 0;
    for prefix in ["/api", "/twitter/api"] {
        for slash in ["", "/"] {
            number += 1;
            let body = report(&format!("run-{number}"), vec![item(number)]);
            let path = format!("{prefix}/check-duplicate-tweet{slash}");

            let checked = waggle.post(&path, body).await.ok();

            assert_eq!(new_ids(&checked), [number.to_string()]);
            let body = json!({ "campaign_batch": format!("b-{number}"), "tweets": [] });
            let path = format!("{prefix}/receive-tweets{slash}");
            assert_eq!(waggle.post(&path, body).await.ok()["status"], "success");
            let read = waggle.get(&path).await;
            assert_eq!(read.status, 405, "{read:?}");
            assert!(read.content_type.contains("json"), "{read:?}");
        }
    }
}

async fn all_forms_of_a_report_are_accepted(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let detailed = json!({
        "id": "21", "text": "words", "likeCount": "7", "retweetCount": 1.0, "createdAt": THURSDAY,
        "url": "https://x.com/a/status/21", "twitterUrl": "https://twitter.com/a/status/21",
    });
    let with_id = |id: i64| {
        let mut item = detailed.clone();
        item["id"] = json!(id);
        item
    };

    let under_data =
        json!({ "status": "success", "msg": "success", "data": { "tweets": [with_id(21)] } });
    let under_data = waggle.post(CHECK, under_data).await.ok();
    assert_eq!(new_ids(&under_data), ["21"]);
    assert_eq!(under_data["data"]["execution_id"], "exec_success");
    assert_eq!(under_data["data"]["source_url"], "api_detailed");

    let at_the_top = json!({
        "status": "success", "msg": "success", "has_next_page": false, "tweets": [with_id(22)],
    });
    assert_eq!(new_ids(&waggle.post(CHECK, at_the_top).await.ok()), ["22"]);

    // A workflow may have added tweets to either list.
    let both = json!({ "msg": "success", "data": { "tweets": [] }, "tweets": [with_id(24)] });
    assert_eq!(new_ids(&waggle.post(CHECK, both).await.ok()), ["24"]);
    let both = json!({ "data": { "tweets": [with_id(25)] }, "tweets": [with_id(26)] });
    assert_eq!(new_ids(&waggle.post(CHECK, both).await.ok()), ["25", "26"]);

    let wrapped = json!([
        report("list-1", vec![item(31), item("32")]),
        report("list-1", vec![item("32"), item(33)]),
        { "execution_id": "list-2", "data": { "tweets": [with_id(34)] } },
    ]);
    let wrapped = waggle.post(CHECK, wrapped).await.ok();
    assert_eq!(new_ids(&wrapped), ["31", "32", "33", "34"]);
    assert_eq!(wrapped["data"]["duplicate_ids"], json!(["32"]));
    assert_eq!(wrapped["summary"]["total_processed"], 5);
    assert_eq!(wrapped["data"]["execution_id"], "list-1");

    // The same ids in another run are duplicates, whatever the name of that run is.
    let again = json!({ "msg": "success", "tweets": [with_id(22), with_id(23)] });
    let again = waggle.post(CHECK, again).await.ok();
    assert_eq!(new_ids(&again), ["23"]);
    let row = waggle.get("/api/v1/source-tweets?tweet_id=21").await.ok();
    assert_eq!(row["items"][0]["likes"], 7);
    assert_eq!(row["items"][0]["date"], "2025-08-14T14:30:31+00:00");
    assert_eq!(row["items"][0]["date_raw"], THURSDAY);
}

async fn items_are_echoed_byte_for_byte(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let item = concat!(
        r#"{"Tweet ID" : 9007199254740993, "Content":"🐝 \u00fc", "Date":"2025-08-14T14:30:31Z","#,
        r#" "x":1.50,"y":[{"z":12345678901234567890123}]}"#
    );

    let echoed =
        waggle.post_raw(CHECK, format!(r#"{{"execution_id":"e","tweets":[{item}]}}"#)).await;

    assert_eq!(echoed.status, 200, "{echoed:?}");
    assert!(echoed.text.contains(item), "{}", echoed.text);
    let row = waggle.get("/api/v1/source-tweets?tweet_id=9007199254740993").await.ok();
    assert_eq!(row["items"][0]["content"], "🐝 ü");
}

async fn a_repeated_call_gets_the_same_answer(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let body = report("run", vec![item(1), item(2), item(2)]);
    let first = waggle.post(CHECK, body.clone()).await.ok();

    let again = waggle.post(CHECK, body.clone()).await.ok();
    let other = waggle.post(CHECK, report("other", vec![item(1), item(3)])).await.ok();

    for part in ["data", "summary", "message", "status"] {
        assert_eq!(again[part], first[part], "{part}");
    }
    assert_eq!(first["data"]["duplicate_ids"], json!(["2"]));
    assert_eq!(first["message"], "✅ Success: 2 new tweets saved, 1 duplicates found");
    assert_eq!(new_ids(&other), ["3"]);
    assert_eq!(other["data"]["duplicate_ids"], json!(["1"]));
    assert_eq!(stored(&waggle).await, 3);

    // A run can give its name in the header only.
    let nameless = json!({ "tweets": [item(9)] });
    for _ in 0..2 {
        let request = waggle
            .request(Method::POST, CHECK)
            .bearer_auth(&waggle.token)
            .header("X-Execution-ID", "exec_header")
            .json(&nameless);
        let answer = answer(request).await.ok();
        assert_eq!(new_ids(&answer), ["9"]);
        assert_eq!(answer["data"]["execution_id"], "exec_header");
    }
}

async fn identical_parallel_calls_lose_nothing(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let body = report("twin", (0..60).map(item).collect());
    let answers =
        futures_util::future::join_all((0..8).map(|_| waggle.post(CHECK, body.clone()))).await;
    for answer in answers {
        assert_eq!(new_ids(&answer.ok()).len(), 60);
    }
    assert_eq!(stored(&waggle).await, 60);

    let batch = json!({ "campaign_batch": "b", "tweets": [{ "id": "t-1", "content": "one" }] });
    let answers =
        futures_util::future::join_all((0..8).map(|_| waggle.post(RECEIVE, batch.clone()))).await;
    let stored: i64 =
        answers.into_iter().map(|answer| answer.ok()["stored_count"].as_i64().unwrap()).sum();
    assert_eq!(stored, 1);
}

async fn invalid_items_do_not_affect_valid_ones(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let good = r#"{"Tweet ID":"1","Content":"fine","Date":"2025-08-14T14:30:31Z"}"#;
    let deep = format!(r#"{{"Tweet ID":"13","Content":{}1{}}}"#, "[".repeat(90), "]".repeat(90));
    let bad = [
        (r#"{"Tweet ID":"2","Content":"nul \u0000","Date":"2025-08-14"}"#, "NUL"),
        (r#"{"Tweet ID":"3","Content":"half \ud83d","Date":"2025-08-14"}"#, "surrogate"),
        (r#"{"Tweet ID":"4","Content":"x","Date":"next week"}"#, "date"),
        (r#"{"Tweet ID":"5","Content":"x"}"#, "Date is missing"),
        (r#"{"Tweet ID":"6","Content":"x","Date":1755181831}"#, "not a string"),
        (r#"{"Tweet ID":"","Content":"x","Date":"2025-08-14"}"#, "id is missing"),
        (r#"{"Content":"no id","Date":"2025-08-14"}"#, "id is missing"),
        (r#"{"Tweet ID":["x"],"Date":"2025-08-14"}"#, "Tweet ID"),
        (r#"{"Tweet ID":"7","Content":["a list"],"Date":"2025-08-14"}"#, "Content"),
        (r#"{"Tweet ID":"8","Date":"2025-08-14"}"#, "text of the tweet is missing"),
        (r#""just a text""#, "not a JSON object"),
        ("null", "not a JSON object"),
        ("[]", "not a JSON object"),
        (&deep, "Content is not a string"),
    ];
    let mut items = vec![good.to_owned()];
    items.extend(bad.iter().map(|(item, _)| (*item).to_owned()));
    items.push(good.replace("\"1\"", "\"12\""));
    let body = format!(r#"{{"execution_id":"e","tweets":[{}]}}"#, items.join(","));

    let answer = waggle.post_raw(CHECK, body).await.ok();

    assert_eq!(new_ids(&answer), ["1", "12"]);
    assert_eq!(answer["debug_info"]["error_count"], bad.len());
    assert_eq!(answer["summary"]["total_processed"], bad.len() + 2);
    let errors = answer["errors"].as_array().unwrap();
    for (error, (item, reason)) in errors.iter().zip(bad) {
        assert!(error["message"].as_str().unwrap().contains(reason), "{item}: {error}");
    }
    assert_eq!(errors[4]["tweet_id"], "6");
    assert_eq!(errors[4]["index"], 5);
    assert_eq!(stored(&waggle).await, 2);

    // A call is rejected if none of its items can be read.
    let only_bad = format!(r#"{{"execution_id":"f","tweets":[{},{}]}}"#, bad[0].0, bad[3].0);
    let refused = waggle.post_raw(CHECK, only_bad).await.refused(422);
    assert!(refused["message"].as_str().unwrap().contains("none of the tweets"), "{refused}");
    assert_eq!(refused["errors"][1]["index"], 1);
}

async fn an_unusable_body_gets_a_reason_and_stores_nothing(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let deep = format!(r#"{{"tweets":[{}1{}]}}"#, "[".repeat(70), "]".repeat(70));
    let many = format!(
        r#"{{"execution_id":"e","campaign_batch":"b","tweets":[{}]}}"#,
        vec![r#"{"Tweet ID":"1","id":"1","content":"x","Date":"2025-08-14"}"#; 10_001].join(",")
    );
    let bodies: Vec<(String, u16, u16)> = vec![
        (String::new(), 400, 400),
        ("   ".into(), 400, 400),
        ("{".into(), 400, 400),
        (r#"{"execution_id":"e","tweets":[{"Tweet ID":"1""#.into(), 400, 400),
        ("null".into(), 400, 400),
        ("\"text\"".into(), 400, 400),
        ("[]".into(), 400, 400),
        ("[1]".into(), 422, 422),
        ("{}".into(), 422, 400),
        (r#"{"tweets":null,"campaign_batch":null}"#.into(), 422, 400),
        (r#"{"tweets":"a text","campaign_batch":"b"}"#.into(), 422, 422),
        (r#"{"tweets":{},"campaign_batch":"b"}"#.into(), 422, 422),
        (r#"{"tweets":NaN}"#.into(), 400, 400),
        (
            r#"{"error":true,"message":"LLM output was no JSON","type":"flask_transform_error"}"#
                .into(),
            422,
            422,
        ),
        (r#"[{"error":true,"message":"no"}]"#.into(), 422, 422),
        (r#"{"campaign_batch":"","tweets":[]}"#.into(), 200, 400),
        (r#"{"campaign_batch":["x"],"execution_id":["x"],"tweets":[]}"#.into(), 200, 422),
        (
            format!(
                r#"{{"campaign_batch":"{0}","execution_id":"{0}","tweets":[]}}"#,
                "x".repeat(300)
            ),
            200,
            422,
        ),
        (r#"{"campaign_batch":"a\u0000b","execution_id":"a\u0000b","tweets":[]}"#.into(), 200, 422),
        (r#"{"campaign_batch":"undefined","tweets":[{"content":"x"}]}"#.into(), 422, 400),
        (deep, 422, 400),
        (many, 422, 422),
    ];
    for (body, check, receive) in bodies {
        for (path, expected) in [(CHECK, check), (RECEIVE, receive)] {
            let answer = waggle.post_raw(path, body.clone()).await;

            let shown: String = body.chars().take(80).collect();
            assert_eq!(answer.status, expected, "{path} {shown}: {answer:?}");
            assert!(answer.content_type.starts_with("application/json"), "{answer:?}");
            if expected != 200 {
                let refused = answer.refused(expected);
                assert_eq!(refused["status"], "error", "{path} {shown}");
            }
        }
    }
    let bytes = waggle.post_raw(CHECK, vec![b'{', 0xff, 0xfe, b'}']).await;
    assert_eq!(bytes.status, 400, "{bytes:?}");
    let huge = waggle.post_raw(CHECK, vec![b' '; 10 * 1024 * 1024 + 1]).await;
    huge.refused(413);
    let form = waggle.request(Method::POST, CHECK).bearer_auth(&waggle.token).body("a=b");
    answer(form).await.refused(415);
    assert_eq!(stored(&waggle).await, 0);
    let batches = waggle.get("/api/v1/campaign-batches").await.ok();
    assert_eq!(batches["items"], json!([]), "{batches}");
}

async fn batches_are_stored_completely(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let batch = json!({
        "campaign_batch": "batch_2025-08-14_10-00",
        "analysis_summary": { "brand_alignment_score": "9.5", "dominant_themes": ["a"] },
        "tweet_count": 2, "ready_for_deployment": "1", "title": "Über",
        "generated_at": "2025-08-14T10:00:00Z",
        "tweets": [
            { "id": "t-1", "content": "one https://example.com/a/b", "character_count": 202,
              "type": "developer_tools", "engagement_hook": "cta", "coophive_elements": ["x"],
              "ready_for_deployment": true, "status": "Approved" },
            { "id": 2, "content": "x".repeat(300), "ready_for_deployment": "no" },
            { "id": "t-3" },
            { "id": "t-4", "content": 5 },
            { "content": "without an id" },
        ],
    });

    let received = waggle.post(RECEIVE, batch.clone()).await.ok();
    let replay = waggle.post(RECEIVE, json!([batch])).await.ok();

    assert_eq!(received["campaign_batch"], "batch_2025-08-14_10-00");
    assert!(
        received["message"].as_str().unwrap().starts_with("Received 3 tweets (saved to database)")
    );
    assert_eq!(received["error_count"], 2, "{received}");
    assert_eq!(received["errors"][0]["tweet_id"], "t-3");
    assert!(received["warnings"].to_string().contains("Approved"), "{received}");
    assert_eq!(replay["stored_count"], 0, "{replay}");
    assert!(
        replay["message"].as_str().unwrap().starts_with("Received 0 tweets (saved to database)")
    );
    let list = waggle.get("/api/v1/generated-tweets?order=asc").await.ok();
    let tweets = list["items"].as_array().unwrap();
    assert_eq!(tweets.len(), 3);
    assert_eq!(tweets[0]["status"], "Brand Aligned");
    assert_eq!(tweets[0]["character_count"], 27);
    assert_eq!(tweets[0]["claimed_character_count"], 202);
    assert_eq!(tweets[1]["tweet_id"], "2");
    assert_eq!(tweets[1]["ready_for_deployment"], false);
    assert!(tweets[1]["not_ready_reason"].as_str().unwrap().contains("300"));
    let shown = waggle
        .get(&format!("/api/v1/campaign-batches/{}", received["campaign_batch_id"]))
        .await
        .ok();
    assert_eq!(shown["brand_alignment_score"], 9.5);
    assert_eq!(shown["generated_at"], "2025-08-14T10:00:00Z");

    // A second run in the same minute has the same ids and other texts.
    let mut second = batch.clone();
    second["tweets"] = json!([{ "id": "t-1", "content": "other words" }]);
    let second = waggle.post(RECEIVE, second).await.ok();
    assert_eq!(second["batch_id"], "batch_2025-08-14_10-00-v2");
    assert_eq!(second["campaign_batch"], "batch_2025-08-14_10-00");
    assert!(second["message"].as_str().unwrap().contains("-v2"), "{second}");

    // Of several batches in one call, the good ones are stored and the bad ones named.
    let several = json!([
        { "campaign_batch": "s-1", "tweets": [{ "id": "1", "content": "a" }] },
        { "error": true, "message": "no" },
        { "campaign_batch": 7, "tweets": [{ "id": "1", "content": "b" }] },
    ]);
    let several = waggle.post(RECEIVE, several).await.ok();
    assert_eq!(several["stored_count"], 2);
    assert_eq!(several["batches"][1]["campaign_batch"], 7);
    assert_eq!(several["refused_batches"][0]["element"], 1);

    // Names with special characters are safe, because paths contain numbers.
    let slash = waggle.post(RECEIVE, json!({ "campaign_batch": "a/b?c", "tweets": [] })).await.ok();
    assert_eq!(slash["batch_id"], "a/b?c");
    waggle.get("/api/v1/campaign-batches").await.ok();
}

async fn a_batch_marks_the_tweets_it_came_from(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    waggle.post(CHECK, report("run-a", vec![item(1), item(2)])).await.ok();
    waggle.post(CHECK, report("run-b", vec![item(3), item(4)])).await.ok();

    let body = json!({
        "campaign_batch": "b", "execution_id": "run-a", "source_tweet_ids": [3],
        "tweets": [{ "id": "1", "content": "x" }],
    });
    let received = waggle.post(RECEIVE, body).await.ok();

    assert_eq!(received["processed_source_tweets"], 3);
    let open = waggle.get("/api/v1/source-tweets?is_processed=false").await.ok();
    assert_eq!(open["items"].as_array().unwrap().len(), 1);
    let path = format!("/api/v1/campaign-batches/{}", received["campaign_batch_id"]);
    let shown = waggle.get(&path).await.ok();
    assert_eq!(shown["source_tweet_ids"], json!(["1", "2", "3"]));
}

async fn a_batch_without_tweets_processes_no_source_tweets(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    waggle.post(CHECK, report("run-a", vec![item(1)])).await.ok();
    let nameless = json!({ "msg": "success", "tweets": [item(2)] });
    waggle.post(CHECK, nameless).await.ok();

    // No tweet can be stored, so the source tweets stay open for another try with the same name.
    let bad = json!({
        "campaign_batch": "b", "execution_id": "run-a",
        "tweets": [{ "id": "a" }, { "content": 5 }],
    });
    let refused = waggle.post(RECEIVE, bad).await.refused(422);
    assert!(refused["message"].as_str().unwrap().contains("content is missing"), "{refused}");
    let empty = json!({ "campaign_batch": "empty", "execution_id": "run-a", "tweets": [] });
    assert_eq!(waggle.post(RECEIVE, empty).await.ok()["processed_source_tweets"], 0);
    // A name that Waggle generated for a nameless run refers to no other run, only to that one.
    let made_up = json!({
        "campaign_batch": "c", "execution_id": "exec_success",
        "tweets": [{ "id": "1", "content": "x" }],
    });
    assert_eq!(waggle.post(RECEIVE, made_up).await.ok()["processed_source_tweets"], 1);

    let good = json!({
        "campaign_batch": "b", "execution_id": "run-a",
        "tweets": [{ "id": "a", "content": "x" }],
    });
    let good = waggle.post(RECEIVE, good).await.ok();
    assert_eq!(good["batch_id"], "b");
    assert_eq!(good["processed_source_tweets"], 1);
}

async fn the_order_of_tweets_does_not_make_another_batch(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let mut tweets = vec![
        json!({ "id": "t", "content": "one" }),
        json!({ "id": "t", "content": "two" }),
        json!({ "content": "three" }),
    ];
    let batch = |tweets: &[Value]| json!({ "campaign_batch": "b", "tweets": tweets });
    assert_eq!(waggle.post(RECEIVE, batch(&tweets)).await.ok()["stored_count"], 3);

    tweets.reverse();

    let again = waggle.post(RECEIVE, batch(&tweets)).await.ok();
    assert_eq!((&again["stored_count"], &again["known_count"]), (&json!(0), &json!(3)));
}

async fn work_is_claimed_and_released(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    waggle.post(CHECK, report("run", (1..=5).map(item).collect())).await.ok();
    let claim = async |limit: i64, seconds: i64| {
        let body = json!({ "limit": limit, "lease_seconds": seconds });
        waggle.post("/api/v1/source-tweets/claim", body).await
    };

    let first = claim(3, 600).await.ok();
    let second = claim(10, 600).await.ok();
    let third = claim(10, 600).await.ok();

    let count = |claimed: &Value| claimed["items"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second), count(&third)), (3, 2, 0));
    let done = json!({ "lease": first["lease"], "ids": [first["items"][0]["id"]] });
    let done = waggle.post("/api/v1/source-tweets/acknowledge", done).await.ok();
    assert_eq!(done["count"], 1);
    let rest = json!({ "lease": first["lease"] });
    let rest = waggle.post("/api/v1/source-tweets/release", rest).await.ok();
    assert_eq!(rest["count"], 2);
    assert_eq!(count(&claim(10, 1).await.ok()), 2);
    // A workflow that crashes releases nothing, but its lease expires.
    waggle
        .until("/api/v1/source-tweets?is_processed=false", |list| {
            let now = chrono::Utc::now();
            list["items"].as_array().unwrap().iter().any(|tweet| {
                let until = tweet["leased_until"].as_str().unwrap_or_default();
                until.parse::<chrono::DateTime<chrono::Utc>>().is_ok_and(|until| until < now)
            })
        })
        .await;
    assert_eq!(count(&claim(10, 600).await.ok()), 2);
    let stranger = json!({ "lease": "nobody's" });
    waggle.post("/api/v1/source-tweets/acknowledge", stranger).await.refused(409);
    claim(0, 600).await.refused(422);
    claim(201, 600).await.refused(422);
    claim(1, 0).await.refused(422);
}

async fn only_callers_with_the_scope_can_submit(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let body = report("run", vec![item(1)]);
    let ingest = token(&waggle.database, &["ingest"]);
    let read = token(&waggle.database, &["read", "write"]);
    let post = |path: &str| waggle.request(Method::POST, path).json(&body);

    answer(post(CHECK)).await.refused(401);
    answer(post(CHECK).bearer_auth("wgl_000000000000_nonsense")).await.refused(401);
    answer(post(CHECK).bearer_auth(format!("{ingest}x"))).await.refused(401);
    answer(post(CHECK).header("authorization", "Digest x")).await.refused(401);
    answer(post(CHECK).bearer_auth(&read)).await.refused(403);
    answer(post(RECEIVE)).await.refused(401);
    // Access is checked before the body is parsed.
    let nonsense = waggle.request(Method::POST, CHECK).body("nonsense");
    answer(nonsense).await.refused(401);
    assert_eq!(stored(&waggle).await, 0);
    answer(post(CHECK).basic_auth("any user", Some(&ingest))).await.ok();
    answer(waggle.request(Method::GET, "/api/v1/source-tweets").bearer_auth(&ingest))
        .await
        .refused(403);
    assert_eq!(stored(&waggle).await, 1);
}

async fn a_trusted_network_submits_without_a_token_and_is_marked(kind: Kind) {
    let settings = [("TRUSTED_INGEST_NETWORKS", "10.0.0.0/8, 127.0.0.0/8")];
    let waggle = Waggle::with(kind, &settings).await;
    let post = |path: &str, body: Value| waggle.request(Method::POST, path).json(&body);

    answer(post(CHECK, report("run", vec![item(1)]))).await.ok();
    answer(post(RECEIVE, json!({ "campaign_batch": "b", "tweets": [] }))).await.ok();

    // Other endpoints need a token, and a wrong token is rejected.
    answer(waggle.request(Method::GET, "/api/v1/source-tweets")).await.refused(401);
    let claim = json!({ "limit": 1, "lease_seconds": 1 });
    answer(post("/api/v1/source-tweets/claim", claim)).await.refused(401);
    answer(post(CHECK, report("run", vec![])).bearer_auth("wrong")).await.refused(401);
    let row = waggle.get("/api/v1/source-tweets").await.ok();
    assert_eq!(row["items"][0]["unauthenticated"], true);
    assert_eq!(row["items"][0]["received_from"], "network:127.0.0.1");
    let batch = waggle.get("/api/v1/campaign-batches").await.ok();
    assert_eq!(batch["items"][0]["unauthenticated"], true);
    assert!(waggle.log().contains("TRUSTED_INGEST_NETWORKS is set"));
}

async fn forwarding_headers_of_untrusted_clients_are_ignored(kind: Kind) {
    let waggle = Waggle::with(kind, &[("TRUSTED_INGEST_NETWORKS", "10.0.0.0/8")]).await;
    let request = waggle
        .request(Method::POST, CHECK)
        .header("x-forwarded-for", "10.1.2.3")
        .header("forwarded", "for=10.1.2.3")
        .json(&report("run", vec![item(1)]));

    answer(request).await.refused(401);
}

on_both! {
    every_path_responds_directly,
    all_forms_of_a_report_are_accepted,
    items_are_echoed_byte_for_byte,
    a_repeated_call_gets_the_same_answer,
    identical_parallel_calls_lose_nothing,
    invalid_items_do_not_affect_valid_ones,
    an_unusable_body_gets_a_reason_and_stores_nothing,
    batches_are_stored_completely,
    a_batch_marks_the_tweets_it_came_from,
    a_batch_without_tweets_processes_no_source_tweets,
    the_order_of_tweets_does_not_make_another_batch,
    work_is_claimed_and_released,
    only_callers_with_the_scope_can_submit,
    a_trusted_network_submits_without_a_token_and_is_marked,
    forwarding_headers_of_untrusted_clients_are_ignored,
}
