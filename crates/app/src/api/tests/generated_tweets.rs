//! Outcomes of the operations on generated tweets.

use expect_test::expect;
use serde_json::json;

use super::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tweets_are_listed() {
    let server = Server::with_drafts().await;

    let said = server.call("GET /generated-tweets?limit=1&order=asc").said().await;

    expect![[r#"
        200 {"items":[{"id":1,"campaign_batch_id":1,"tweet_id":"t-1","type":"generated",
        "content":"One","character_count":3,"claimed_character_count":null,
        "engagement_hook":"","coophive_elements":[],"discord_voice_patterns":[],
        "theme_connection":"","ready_for_deployment":true,"not_ready_reason":null,
        "status":"Brand Aligned","allowed":["edit","approve","reject","delete"],
        "is_edited":false,"approved_by":null,"approved_at":null,"approved_hash":null,
        "created_at":"<time>","updated_at":"<time>","published_at":null,
        "x_com_post_id":null,"version":1}],"next_cursor":"<random>"}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cursor_that_waggle_did_not_give_is_refused() {
    let server = Server::empty().await;

    let said = server.call("GET /generated-tweets?cursor=x").said().await;

    expect![[r#"
        422 cursor: the cursor is invalid; use the one that was returned with an earlier
        page"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_is_shown() {
    let server = Server::with_drafts().await;

    let said = server.call("GET /generated-tweets/1").said().await;

    expect![[r#"
        200 {"id":1,"campaign_batch_id":1,"tweet_id":"t-1","type":"generated",
        "content":"One","character_count":3,"claimed_character_count":null,
        "engagement_hook":"","coophive_elements":[],"discord_voice_patterns":[],
        "theme_connection":"","ready_for_deployment":true,"not_ready_reason":null,
        "status":"Brand Aligned","allowed":["edit","approve","reject","delete"],
        "is_edited":false,"approved_by":null,"approved_at":null,"approved_hash":null,
        "created_at":"<time>","updated_at":"<time>","published_at":null,
        "x_com_post_id":null,"version":1}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_does_not_exist_is_not_found() {
    let server = Server::empty().await;

    let said = server.call("GET /generated-tweets/1").said().await;

    expect![[r#"404 there is no such generated tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_is_edited() {
    let server = Server::with_drafts().await;

    let said = server
        .call("PATCH /generated-tweets/1")
        .if_match(1)
        .body(json!({ "content": "Uno" }))
        .said()
        .await;

    expect![[r#"
        200 {"id":1,"campaign_batch_id":1,"tweet_id":"t-1","type":"generated",
        "content":"Uno","character_count":3,"claimed_character_count":null,
        "engagement_hook":"","coophive_elements":[],"discord_voice_patterns":[],
        "theme_connection":"","ready_for_deployment":true,"not_ready_reason":null,
        "status":"Draft","allowed":["edit","approve","reject","delete"],"is_edited":true,
        "approved_by":null,"approved_at":null,"approved_hash":null,"created_at":"<time>",
        "updated_at":"<time>","published_at":null,"x_com_post_id":null,"version":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_edit_without_fields_is_refused() {
    let server = Server::with_drafts().await;

    let said = server.call("PATCH /generated-tweets/1").body(json!({})).said().await;

    expect![[r#"422 there is nothing to change: send content or engagement_hook"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_edit_with_an_unknown_field_is_refused() {
    let server = Server::with_drafts().await;

    let said =
        server.call("PATCH /generated-tweets/1").body(json!({ "contents": "Uno" })).said().await;

    expect![[r#"400 'contents' is unknown; known fields are content, engagement_hook"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_edit_of_a_tweet_that_has_changed_is_refused() {
    let server = Server::with_drafts().await;

    let said = server
        .call("PATCH /generated-tweets/1")
        .if_match(99)
        .body(json!({ "content": "Uno" }))
        .said()
        .await;

    expect![[r#"409 the tweet has changed since you read it"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_does_not_exist_cannot_be_edited() {
    let server = Server::empty().await;

    let said =
        server.call("PATCH /generated-tweets/1").body(json!({ "content": "Uno" })).said().await;

    expect![[r#"404 there is no such generated tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_is_approved() {
    let server = Server::with_drafts().await;

    let said = server.call("POST /generated-tweets/1/approve").if_match(1).said().await;

    expect![[r#"
        200 {"id":1,"campaign_batch_id":1,"tweet_id":"t-1","type":"generated",
        "content":"One","character_count":3,"claimed_character_count":null,
        "engagement_hook":"","coophive_elements":[],"discord_voice_patterns":[],
        "theme_connection":"","ready_for_deployment":true,"not_ready_reason":null,
        "status":"Approved","allowed":["edit","withdraw","reject","delete","publish"],
        "is_edited":false,"approved_by":"token:1:test","approved_at":"<time>",
        "approved_hash":"870a975aa02aba0d7c6455960c9ebeebdd80695627ac11abaef7f69b14a17f39",
        "created_at":"<time>","updated_at":"<time>","published_at":null,
        "x_com_post_id":null,"version":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_approval_needs_the_version_that_was_reviewed() {
    let server = Server::with_drafts().await;

    let said = server.call("POST /generated-tweets/1/approve").said().await;

    expect![[r#"
        428 read the tweet first, and send its version in If-Match: an approval covers what
        you have seen"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_has_changed_is_not_approved() {
    let server = Server::with_drafts().await;

    let said = server.call("POST /generated-tweets/1/approve").if_match(99).said().await;

    expect![[r#"409 the tweet has changed since you read it"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_does_not_exist_cannot_be_approved() {
    let server = Server::empty().await;

    let said = server.call("POST /generated-tweets/1/approve").if_match(1).said().await;

    expect![[r#"404 there is no such generated tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn several_tweets_are_approved() {
    let server = Server::with_drafts().await;

    let said = server
        .call("POST /generated-tweets/approve-many")
        .body(json!({ "tweets": [{ "id": 1, "version": 1 }, { "id": 9, "version": 1 }] }))
        .said()
        .await;

    expect![[r#"
        200 {"approved":[{"id":1,"campaign_batch_id":1,"tweet_id":"t-1","type":"generated",
        "content":"One","character_count":3,"claimed_character_count":null,
        "engagement_hook":"","coophive_elements":[],"discord_voice_patterns":[],
        "theme_connection":"","ready_for_deployment":true,"not_ready_reason":null,
        "status":"Approved","allowed":["edit","withdraw","reject","delete","publish"],
        "is_edited":false,"approved_by":"token:1:test","approved_at":"<time>",
        "approved_hash":"870a975aa02aba0d7c6455960c9ebeebdd80695627ac11abaef7f69b14a17f39",
        "created_at":"<time>","updated_at":"<time>","published_at":null,
        "x_com_post_id":null,"version":2}],"refused":[{"id":9,"reason":"there is no such
        generated tweet"}]}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_approval_of_several_tweets_needs_their_versions() {
    let server = Server::with_drafts().await;

    let said = server
        .call("POST /generated-tweets/approve-many")
        .body(json!({ "ids": [1, 2] }))
        .said()
        .await;

    expect![[r#"
        428 read the tweets first, and send tweets as [{"id", "version"}]: an approval
        covers what you have seen"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_approval_of_no_tweets_is_refused() {
    let server = Server::with_drafts().await;

    let said = server.call("POST /generated-tweets/approve-many").body(json!({})).said().await;

    expect![[r#"422 tweets is missing: send [{"id", "version"}]"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_is_rejected() {
    let server = Server::with_drafts().await;

    let said = server
        .call("POST /generated-tweets/1/reject")
        .body(json!({ "reason": "off topic" }))
        .said()
        .await;

    expect![[r#"
        200 {"id":1,"campaign_batch_id":1,"tweet_id":"t-1","type":"generated",
        "content":"One","character_count":3,"claimed_character_count":null,
        "engagement_hook":"","coophive_elements":[],"discord_voice_patterns":[],
        "theme_connection":"","ready_for_deployment":true,"not_ready_reason":null,
        "status":"Rejected","allowed":["delete","restore"],"is_edited":false,
        "approved_by":null,"approved_at":null,"approved_hash":null,"created_at":"<time>",
        "updated_at":"<time>","published_at":null,"x_com_post_id":null,"version":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_does_not_exist_cannot_be_rejected() {
    let server = Server::empty().await;

    let said = server.call("POST /generated-tweets/1/reject").body(json!({})).said().await;

    expect![[r#"404 there is no such generated tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_draft_cannot_be_restored() {
    let server = Server::with_drafts().await;

    let said = server.call("POST /generated-tweets/1/restore").said().await;

    expect![[r#"409 cannot restore the tweet: its status is Brand Aligned"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_does_not_exist_cannot_be_restored() {
    let server = Server::empty().await;

    let said = server.call("POST /generated-tweets/1/restore").said().await;

    expect![[r#"404 there is no such generated tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn several_tweets_are_published_and_cancelled() {
    let server = Server::with_drafts().await;
    server.call("POST /generated-tweets/1/approve").if_match(1).ok().await;
    server.call("POST /generated-tweets/2/approve").if_match(1).ok().await;
    let tweets = json!([
        { "id": 1, "version": 2 }, { "id": 2, "version": 1 }, { "id": 9, "version": 1 },
    ]);

    let body = json!({ "tweets": tweets, "in_seconds": 60 });
    let (status, many) =
        server.call("POST /generated-tweets/publish-many").body(body).response().await;

    assert_eq!((status, many["queued"].as_array().unwrap().len()), (200, 1), "{many}");
    assert_eq!(many["queued"][0]["twitter"]["generated_tweet_id"], 1);
    expect![[r#"
        [{"id":2,"reason":"the tweet has changed since you read it; read it again"},{"id":9,
        "reason":"there is no such generated tweet"}]"#]]
    .assert_eq(&super::wrapped(&many["refused"].to_string()));
    let posts = json!({ "posts": [{ "id": 1, "version": 1 }, { "id": 7, "version": 1 }] });
    let (status, many) = server.call("POST /posts/cancel-many").body(posts).response().await;
    assert_eq!((status, &many["cancelled"][0]["status"]), (200, &json!("cancelled")), "{many}");
    expect![[r#"[{"id":7,"reason":"there is no such post"}]"#]]
        .assert_eq(&many["refused"].to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_to_publish_several_tweets_is_refused_as_a_whole() {
    let server = Server::with_drafts().await;
    let publish =
        async |body| server.call("POST /generated-tweets/publish-many").body(body).said().await;
    let many: Vec<_> = (0..201).map(|id| json!({ "id": id, "version": 1 })).collect();

    expect!["400 'tweets' is missing"].assert_eq(&publish(json!({})).await);
    expect!["422 'tweets' has more than 200 entries"]
        .assert_eq(&publish(json!({ "tweets": many })).await);
    expect!["409 the platform x is not connected; its credentials are missing from the settings"]
        .assert_eq(&publish(json!({ "tweets": [], "platform": "x" })).await);
    let past = json!({ "tweets": [], "at": "2020-01-01T00:00:00Z" });
    expect!["422 the time is more than 5 minutes in the past"].assert_eq(&publish(past).await);
    let twice = json!({ "tweets": [], "at": "2020-01-01T00:00:00Z", "in_seconds": 1 });
    expect!["422 send either at or in_seconds, not both"].assert_eq(&publish(twice).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_is_moved_in_its_batch() {
    let server = Server::with_drafts().await;
    let order = async || {
        let list = server.call("GET /generated-tweets?campaign_batch_id=1&order=asc");
        let (_, listed) = list.response().await;
        let items = listed["items"].as_array().unwrap();
        items.iter().map(|tweet| tweet["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };

    server.call("POST /generated-tweets/2/move").body(json!({ "before": 1 })).ok().await;
    assert_eq!(order().await, [2, 1]);
    server.call("POST /generated-tweets/2/move").body(json!({ "after": 1 })).ok().await;
    assert_eq!(order().await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_is_moved_only_next_to_another_one_of_its_batch() {
    let server = Server::with_drafts().await;
    let said = async |id: i64, body| {
        server.call(&format!("POST /generated-tweets/{id}/move")).body(body).said().await
    };

    expect!["422 send either before or after"].assert_eq(&said(1, json!({})).await);
    expect!["422 send either before or after"]
        .assert_eq(&said(1, json!({ "before": 2, "after": 2 })).await);
    expect!["422 a tweet is moved before or after another tweet of its batch"]
        .assert_eq(&said(1, json!({ "before": 1 })).await);
    expect!["422 a tweet is moved before or after another tweet of its batch"]
        .assert_eq(&said(1, json!({ "before": 9 })).await);
    expect!["404 there is no such generated tweet"]
        .assert_eq(&said(9, json!({ "before": 1 })).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_is_deleted() {
    let server = Server::with_drafts().await;

    let said = server.call("DELETE /generated-tweets/1").said().await;

    expect![[r#"
        200 {"id":1,"campaign_batch_id":1,"tweet_id":"t-1","type":"generated",
        "content":"One","character_count":3,"claimed_character_count":null,
        "engagement_hook":"","coophive_elements":[],"discord_voice_patterns":[],
        "theme_connection":"","ready_for_deployment":true,"not_ready_reason":null,
        "status":"Deleted","allowed":["restore"],"is_edited":false,"approved_by":null,
        "approved_at":null,"approved_hash":null,"created_at":"<time>","updated_at":"<time>",
        "published_at":null,"x_com_post_id":null,"version":2}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_does_not_exist_cannot_be_deleted() {
    let server = Server::empty().await;

    let said = server.call("DELETE /generated-tweets/1").said().await;

    expect![[r#"404 there is no such generated tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_approved_tweet_that_is_queued_already_is_queued_once() {
    let server = Server::with_post().await;

    let said = server
        .call("POST /generated-tweets/1/publish")
        .body(json!({ "platform": "sandbox" }))
        .said()
        .await;

    expect![[r#"
        200 {"was_queued":false,"post":{"id":1,"platform":"sandbox","content":"One",
        "status":"scheduled","scheduled_time":"<time>","published_time":null,
        "due_at":"<time>","is_held":false,"platform_post_id":"","url":"","public":[],
        "attempts":0,"last_error":null,
        "approved_hash":"870a975aa02aba0d7c6455960c9ebeebdd80695627ac11abaef7f69b14a17f39",
        "approved_by":"token:1:test","approved_at":"<time>","likes":0,"shares":0,
        "comments":0,"views":0,"hashtags":[],"mentions":[],"media_urls":[],
        "twitter":{"reply_to_tweet_id":"","quoted_tweet_id":"","is_thread":false,
        "thread_position":0,"retweets":0,"quote_tweets":0,"bookmarks":0,"impressions":0,
        "generated_tweet_id":1,"campaign_batch_id":1,"brand_alignment_score":null,
        "audience_target":"generated","coophive_elements":[]},"created_at":"<time>",
        "updated_at":"<time>","version":2}}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_draft_is_not_published() {
    let server = Server::with_drafts().await;

    let said = server.call("POST /generated-tweets/1/publish").body(json!({})).said().await;

    expect![[r#"409 the tweet is Brand Aligned; only an approved tweet can be published"#]]
        .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_is_not_published_to_an_unknown_platform() {
    let server = Server::with_drafts().await;

    let said = server
        .call("POST /generated-tweets/1/publish")
        .body(json!({ "platform": "y" }))
        .said()
        .await;

    expect![[r#"422 platform: unknown platform 'y'; expected x or sandbox"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_is_not_published_to_a_platform_that_is_not_connected() {
    let server = Server::with_drafts().await;

    let said = server
        .call("POST /generated-tweets/1/publish")
        .body(json!({ "platform": "x" }))
        .said()
        .await;

    expect![[
        r#"409 the platform x is not connected; its credentials are missing from the settings"#
    ]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_does_not_exist_is_not_published() {
    let server = Server::empty().await;

    let said = server.call("POST /generated-tweets/1/publish").body(json!({})).said().await;

    expect![[r#"404 there is no such generated tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cancelled_post_is_published_again_only_with_a_version() {
    let server = Server::with_post().await;
    server.call("POST /posts/1/cancel").ok().await;
    server.call("POST /generated-tweets/1/restore").said().await;

    let said = server
        .call("POST /generated-tweets/1/publish")
        .body(json!({ "platform": "sandbox" }))
        .said()
        .await;

    expect![[r#"
        428 the post of the tweet is cancelled; to put it back into the queue, read the
        tweet and send its version in If-Match"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_history_is_shown() {
    let server = Server::with_drafts().await;

    let said = server.call("GET /generated-tweets/1/history").said().await;

    expect![[r#"200 {"items":[],"next_cursor":null}"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_history_of_a_tweet_that_does_not_exist_is_not_found() {
    let server = Server::empty().await;

    let said = server.call("GET /generated-tweets/1/history").said().await;

    expect![[r#"404 there is no such generated tweet"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_has_changed_is_not_deleted() {
    let server = Server::with_drafts().await;

    let said = server.call("DELETE /generated-tweets/1").if_match(99).said().await;

    expect![[r#"409 the tweet has changed since you read it"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_tweet_that_has_changed_is_not_rejected() {
    let server = Server::with_drafts().await;

    let said =
        server.call("POST /generated-tweets/1/reject").if_match(99).body(json!({})).said().await;

    expect![[r#"409 the tweet has changed since you read it"#]].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deleted_tweet_is_restored() {
    let server = Server::with_drafts().await;
    server.call("DELETE /generated-tweets/1").ok().await;

    let said = server.call("POST /generated-tweets/1/restore").said().await;

    expect![[r#"
        200 {"id":1,"campaign_batch_id":1,"tweet_id":"t-1","type":"generated",
        "content":"One","character_count":3,"claimed_character_count":null,
        "engagement_hook":"","coophive_elements":[],"discord_voice_patterns":[],
        "theme_connection":"","ready_for_deployment":true,"not_ready_reason":null,
        "status":"Brand Aligned","allowed":["edit","approve","reject","delete"],
        "is_edited":false,"approved_by":null,"approved_at":null,"approved_hash":null,
        "created_at":"<time>","updated_at":"<time>","published_at":null,
        "x_com_post_id":null,"version":3}"#]]
    .assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_withdrawn_approval_takes_the_post_out_of_the_queue() {
    let server = Server::with_post().await;

    let withdrawn = server.call("POST /generated-tweets/1/withdraw").ok().await;

    assert_eq!(withdrawn["status"], "Brand Aligned");
    assert_eq!(withdrawn["approved_by"], json!(null));
    assert_eq!(server.call("GET /posts/1").ok().await["status"], "cancelled");
    let history = server.call("GET /generated-tweets/1/history").ok().await;
    assert_eq!(history["items"][0]["action"], "withdraw");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_approval_that_does_not_exist_is_not_withdrawn() {
    let server = Server::with_drafts().await;

    let said = server.call("POST /generated-tweets/1/withdraw").said().await;

    expect!["409 cannot withdraw the tweet: its status is Brand Aligned"].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_edited_tweet_is_a_draft_again_when_its_approval_is_withdrawn() {
    let server = Server::with_drafts().await;
    let body = json!({ "content": "Other words" });
    server.call("PATCH /generated-tweets/1").body(body).ok().await;
    server.call("POST /generated-tweets/1/approve").if_match(2).ok().await;

    let withdrawn = server.call("POST /generated-tweets/1/withdraw").ok().await;

    assert_eq!(withdrawn["status"], "Draft");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tweets_that_wait_for_a_decision_are_listed() {
    let server = Server::with_drafts().await;
    server.call("POST /generated-tweets/1/reject").ok().await;
    let ids = async |waiting: bool| {
        let list = server.call(&format!("GET /generated-tweets?waiting={waiting}")).ok().await;
        let items = list["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };

    assert_eq!((ids(true).await, ids(false).await), (vec![2], vec![1]));
}
