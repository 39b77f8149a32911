//! Tests with values that workflows, spreadsheets, JavaScript and proxies have damaged, and with
//! bodies that could use too much memory.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database::Kind;
use crate::n8n::{CHECK, RECEIVE, new_ids, stored};
use crate::process::token;
use crate::{Waggle, answer, memory, on_both};

const DATE: &str = "2025-08-14T14:30:31Z";

fn tweet(id: impl Into<Value>) -> Value {
    json!({ "id": id.into(), "text": "words", "createdAt": DATE })
}

async fn an_unrendered_run_name_counts_as_missing(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let names =
        ["undefined", "null", "NaN", "[object Object]", "{{ $json.id }}", "={{ $json.id }}"];
    for (number, name) in names.into_iter().enumerate() {
        let report = |text: &str| {
            let item = json!({ "id": format!("50{number}"), "text": text, "createdAt": DATE });
            json!({ "execution_id": name, "tweets": [item] })
        };

        let first = waggle.post(CHECK, report("one")).await.ok();
        let other = waggle.post(CHECK, report("another run")).await.ok();

        assert_eq!(new_ids(&first).len(), 1, "{name}");
        assert_eq!(first["data"]["execution_id"], "unknown", "{name}");
        assert_eq!(new_ids(&other).len(), 0, "{name}");
        let by_header = waggle
            .request(Method::POST, CHECK)
            .bearer_auth(&waggle.token)
            .header("x-execution-id", name)
            .json(&json!({ "tweets": [tweet(format!("60{number}"))] }));
        assert_eq!(answer(by_header).await.ok()["data"]["execution_id"], "unknown", "{name}");
    }
}

async fn damaged_ids_are_rejected(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let sheet = json!([tweet("1.95594E+18"), tweet("1.95594E+18"), tweet(1.95594E18)]);
    let rounded = json!([tweet(732_822_797_798_539_300_i64), tweet(732_822_797_798_539_300_i64)]);
    let odd =
        json!([tweet("12.0"), tweet("-5"), tweet("１２"), tweet("1".repeat(21)), tweet("null")]);
    for bad in [sheet, rounded, odd] {
        let count = bad.as_array().unwrap().len();

        let refused =
            waggle.post(CHECK, json!({ "execution_id": "r", "tweets": bad })).await.refused(422);

        assert_eq!(refused["errors"].as_array().unwrap().len(), count, "{refused}");
    }
    assert_eq!(stored(&waggle).await, 0);

    let padded = json!({ "execution_id": "r5", "tweets": [
        { "Tweet ID": " 1955939434343434347 ", "Content": "x", "Date": DATE },
        { "Tweet ID": "1955939434343434347", "Content": "x", "Date": DATE },
    ] });
    let padded = waggle.post(CHECK, padded).await.ok();
    assert_eq!((new_ids(&padded).len(), stored(&waggle).await), (1, 1));
    assert_eq!(padded["data"]["duplicate_ids"], json!(["1955939434343434347"]));

    let mut both = tweet(675_127_116_845_989_900_i64);
    both["id_str"] = json!("675127116845989888");
    waggle.post(CHECK, json!({ "execution_id": "r4", "tweets": [both] })).await.ok();
    let found = waggle.get("/api/v1/source-tweets?tweet_id=675127116845989888").await.ok();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let linked = json!({
        "campaign_batch": "b", "source_tweet_ids": [" 675127116845989888 ", "no id"],
        "tweets": [{ "id": "t", "content": "x" }],
    });
    let linked = waggle.post(RECEIVE, linked).await.ok();
    assert_eq!(linked["processed_source_tweets"], 1);
    assert!(linked["warnings"].to_string().contains("source_tweet_ids[1]"), "{linked}");
}

async fn an_unreadable_count_is_a_warning_and_full_texts_are_read(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let with_views = |id: &str, views: Value| {
        let mut tweet = tweet(id);
        tweet["viewCount"] = views;
        tweet
    };
    let mut full = json!({ "id": "5", "full_text": "all of the words", "createdAt": DATE });
    full["text"] = json!("all of…");
    let body = json!({ "execution_id": "r8", "tweets": [
        with_views("1", json!("1.2K")), with_views("2", json!("N/A")), with_views("3", json!(-1)),
        with_views("4", json!("1,234")), full,
    ] });

    let answer = waggle.post(CHECK, body).await.ok();

    assert_eq!(new_ids(&answer).len(), 5);
    assert_eq!(answer["debug_info"]["warning_count"], 2, "{answer}");
    assert_eq!(answer["warnings"][0]["tweet_id"], "2");
    assert_eq!(answer["warnings"][1]["index"], 2);
    let list = waggle.get("/api/v1/source-tweets?sort=views&order=desc").await.ok();
    let views: Vec<&Value> =
        list["items"].as_array().unwrap().iter().map(|tweet| &tweet["views"]).collect();
    assert_eq!(views[..3], [&json!(1234), &json!(1200), &json!(0)]);
    let full = waggle.get("/api/v1/source-tweets?tweet_id=5").await.ok();
    assert_eq!(full["items"][0]["content"], "all of the words");
}

async fn an_unrendered_text_is_stored_and_not_ready(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let texts = ["undefined", "[object Object]", "{{ $json.tweet }}", "News: {{ $json.title }}"];

    let tweets = waggle.batch("r1", &texts).await;

    for (tweet, text) in tweets.into_iter().zip(texts) {
        let shown = waggle.get(&format!("/api/v1/generated-tweets/{tweet}")).await.ok();
        assert_eq!(shown["content"], text);
        assert_eq!(shown["ready_for_deployment"], false, "{shown}");
        let reason = shown["not_ready_reason"].as_str().unwrap();
        assert!(reason.contains("did not fill in"), "{reason}");
        waggle.act(tweet, "approve").await.refused(422);
    }
}

async fn an_invalid_field_of_a_batch_affects_only_itself(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let long = "x".repeat(300);
    let body = format!(
        r#"{{"campaign_batch":"b","tweet_count":"many","ready_for_deployment":-2,"title":"{long}",
            "description":"half \ud800","execution_id":["x"],"analysis_summary":{{"a":"\u0000"}},
            "source_tweet_ids":"none","tweets":[
            {{"id":"t-1","content":"one","coophive_elements":"\u0000","type":"{long}"}},
            {{"id":"t-1","content":"one","coophive_elements":"\u0000","type":"{long}"}},
            {{"id":"t-1","content":"two"}}, {{"id":"undefined","content":"three"}}]}}"#
    );

    let received = waggle.post_raw(RECEIVE, body).await.ok();

    assert_eq!(received["stored_count"], 3, "{received}");
    let warnings = received["warnings"].as_array().unwrap();
    assert_eq!(received["warning_count"], warnings.len());
    for (about, index) in [
        ("tweet_count", None),
        ("ready_for_deployment", None),
        ("title", None),
        ("description", None),
        ("execution_id", None),
        ("analysis_summary", None),
        ("source_tweet_ids", None),
        ("coophive_elements", Some(0)),
        ("same as the tweet at index 0", Some(1)),
        ("id of the tweet at index 0", Some(2)),
        ("had no id", Some(3)),
    ] {
        let found = warnings.iter().find(|warning| {
            warning["message"].as_str().unwrap().contains(about) && warning["index"] == json!(index)
        });
        assert!(found.is_some(), "{about}: {received}");
    }
}

const JSON: &str = "application/json";

async fn bodies_are_read_in_the_forms_that_programs_send(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let body = |id: &str| json!({ "execution_id": id, "tweets": [tweet(id)] }).to_string();
    let send = async |body: String, types: &[&str]| {
        let mut request = waggle.request(Method::POST, CHECK).bearer_auth(&waggle.token).body(body);
        for kind in types {
            request = request.header("content-type", *kind);
        }
        answer(request).await
    };
    let mark = send(format!("\u{FEFF}{}", body("1")), &[JSON]).await.ok();
    let twice = send(Value::from(body("2")).to_string(), &[JSON]).await.ok();
    let doubled = send(body("3"), &[JSON, "application/json; charset=utf-8"]).await.ok();
    let joined = send(body("4"), &["application/json, application/json"]).await.ok();
    send(body("5"), &[JSON, "text/plain"]).await.refused(415);

    for (answer, id) in [(mark, "1"), (twice, "2"), (doubled, "3"), (joined, "4")] {
        assert_eq!(new_ids(&answer), [id]);
    }
    // The native API accepts the same forms.
    let claim = "\u{FEFF}{\"limit\": 1, \"lease_seconds\": 5}";
    let claim = waggle
        .request(Method::POST, "/api/v1/source-tweets/claim")
        .bearer_auth(&waggle.token)
        .header("content-type", "application/json, application/json")
        .body(claim);
    answer(claim).await.ok();
}

async fn an_error_explains_how_to_send_the_token(kind: Kind) {
    let waggle = Waggle::with(kind, &[("TRUSTED_INGEST_NETWORKS", "127.0.0.0/8")]).await;
    let ingest = token(&waggle.database, &["ingest"]);
    let body = json!({ "execution_id": "r", "tweets": [tweet("1")] });
    let post = || waggle.request(Method::POST, CHECK).json(&body);

    let bare = answer(post().header("authorization", &ingest)).await.refused(401);
    let user = answer(post().basic_auth(&ingest, Some(""))).await.refused(401);

    assert!(bare["message"].as_str().unwrap().contains("Bearer is missing"), "{bare}");
    assert!(user["message"].as_str().unwrap().contains("password of HTTP Basic"), "{user}");
    // Requests of a browser for another site need a credential.
    answer(post().header("origin", "https://evil.example")).await.refused(403);
    answer(post().header("sec-fetch-mode", "no-cors")).await.refused(403);
    answer(post()).await.ok();
}

on_both! {
    an_unrendered_run_name_counts_as_missing,
    damaged_ids_are_rejected,
    an_unreadable_count_is_a_warning_and_full_texts_are_read,
    an_unrendered_text_is_stored_and_not_ready,
    an_invalid_field_of_a_batch_affects_only_itself,
    bodies_are_read_in_the_forms_that_programs_send,
    an_error_explains_how_to_send_the_token,
}

/// No body uses more memory than eight times its size.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_costs_at_most_eight_times_its_size() {
    const SIZE: usize = 10_000_000;

    let mut waggle = Waggle::start(Kind::Sqlite).await;
    let many = |part: &str, sep: &str| {
        let mut text = String::with_capacity(SIZE);
        while text.len() + part.len() + sep.len() + 400 < SIZE {
            if !text.is_empty() {
                text.push_str(sep);
            }
            text.push_str(part);
        }
        text
    };
    let item = r#"{"Tweet ID":"1","Content":"x","Date":"2025-08-14","#;
    let long = "x".repeat(1_000);
    let bodies = [
        format!(r#"{{"campaign_batch":"b","tweets":[{}]}}"#, many("1", ",")),
        format!(r#"{{"campaign_batch":"b","tweets":[{}]}}"#, many("{}", ",")),
        format!("[{}]", many("{}", ",")),
        format!(r#"{{"campaign_batch":"b","tweets":[],{}}}"#, many(r#""a":1"#, ",")),
        format!(r#"{{"tweets":[{item}"a":[{}]}}]}}"#, many("1", ",")),
        format!(r#"{{"tweets":[{item}{}}}]}}"#, many(r#""a":1"#, ",")),
        format!(r#"{{"tweets":[{item}"a":{}1{}}}]}}"#, "[".repeat(SIZE / 2), "]".repeat(SIZE / 2)),
        format!(r#"{{"campaign_batch":"b","analysis_summary":[{}],"tweets":[]}}"#, many("1", ",")),
        format!(r#"{{"campaign_batch":"b","analysis_summary":[{}],"tweets":[]}}"#, many("[]", ",")),
        format!(
            r#"{{"campaign_batch":"b","analysis_summary":{{"a":[{}]}},"tweets":[]}}"#,
            many(&format!("\"{}\"", &long[..46]), ",")
        ),
        format!(
            r#"{{"campaign_batch":"b","tweets":[{{"content":"x","coophive_elements":[{}]}}]}}"#,
            many("\"\"", ",")
        ),
        format!(
            r#"{{"campaign_batch":"d","tweets":[{}]}}"#,
            many(
                &format!(
                    r#"{{"content":"x","coophive_elements":[{}]}}"#,
                    vec![format!("\"{}\"", &long[..46]); 2_000].join(",")
                ),
                ","
            )
        ),
        format!(r#"{{"campaign_batch":"b","source_tweet_ids":[{}],"tweets":[]}}"#, many("1", ",")),
        format!(
            r#"{{"execution_id":"e","tweets":[{}]}}"#,
            many(&format!(r#"{{"Tweet ID":"1","Content":"{long}","Date":"2025-08-14"}}"#), ",")
        ),
        format!(
            r#"{{"campaign_batch":"c","tweets":[{}]}}"#,
            many(&format!(r#"{{"id":"1","content":"{long}"}}"#), ",")
        ),
        Value::from(format!(r#"{{"execution_id":"e","tweets":[{}]}}"#, many("1", ","))).to_string(),
        many("[", ""),
        format!("\"{}\"", many("\\u0041", "")),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        for path in [CHECK, RECEIVE] {
            // A new process, so that memory of an earlier body does not hide what this one uses.
            waggle.process.kill();
            waggle.again(&[]);
            let process = waggle.process.id();
            let (before, _) = memory(process);
            let size = body.len() as u64;

            let answer = waggle.post_raw(path, body.clone()).await;

            let (_, highest) = memory(process);
            let cost = highest.saturating_sub(before);
            assert!(answer.status < 500, "{number} {path}: {answer:?}");
            let shown: String = body.chars().take(60).collect();
            assert!(
                cost <= 8 * size,
                "body {number} at {path} of {size} bytes costs {cost}: {shown}"
            );
            println!("{number} {path}: {}.{} times its size", cost / size, cost * 10 / size % 10);
        }
    }
}
