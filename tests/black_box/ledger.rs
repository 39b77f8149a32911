//! Tests that the ledger stays correct with invalid rows in its tables, and with wrong credentials.

use serde_json::json;

use crate::database::Kind;
use crate::settings::fake_x;
use crate::{Waggle, execute, on_both};

/// Invalid rows, written without Waggle: a post with a platform that this build does not know, one
/// with an invalid hash, one with an impossible time, and an email of an unknown kind. Where the
/// database accepts it, also a post and an email with text that is not UTF-8.
fn odd_rows(kind: Kind) -> String {
    let (now, json) = match kind {
        Kind::Sqlite => ("1000000", ""),
        Kind::Postgres => ("now() - interval '1 hour'", "::json"),
    };
    let never = if kind == Kind::Sqlite { "9223372036854775807" } else { "'infinity'" };
    let post_at = |platform: &str, hash: &str, content: &str, time: &str| {
        format!(
            "INSERT INTO posts (platform, content, status, scheduled_time, due_at, hashtags, \
             mentions,
                media_urls, approved_by, approved_at, approved_hash, created_at, updated_at)
             VALUES ('{platform}', {content}, 'scheduled', {time}, {now}, '[]'{json}, '[]'{json}, \
             '[]'{json},
                'system', {now}, '{hash}', {now}, {now});"
        )
    };
    let post = |platform: &str, hash: &str| post_at(platform, hash, "'odd'", now);
    let later = if kind == Kind::Sqlite { "9000000000000000" } else { "now() + interval '1 hour'" };
    let mail = format!(
        "INSERT INTO mails (recipient, letter, data, created_at, useless_at, due_at)
         VALUES ('joe@hive.example', 'no-such-letter', '{{}}'{json}, {now}, {later}, {now});"
    );
    let hash = "0".repeat(64);
    let timeless = post_at("sandbox", &hash, "'odd'", never);
    let unreadable = [
        post_at("sandbox", &hash, "CAST(x'ff' AS TEXT)", now),
        mail.replace("'joe@hive.example'", "CAST(x'ff' AS TEXT)"),
    ];
    let odd = [post("linkedin", &hash), post("sandbox", "no hash"), timeless, mail].concat();
    if kind == Kind::Sqlite { odd + &unreadable.concat() } else { odd }
}

async fn a_row_that_cannot_be_read_keeps_nothing_else(kind: Kind) {
    let waggle = Waggle::with_domain(kind).await;
    execute(&waggle.database, &odd_rows(kind)).await.unwrap();
    let tweet = waggle.batch("b", &["words"]).await[0];

    let post = waggle.publish(tweet).await;
    waggle.until_published(post).await;
    crate::accounts::user(&waggle, "joe", "editor");
    let reset = waggle.request(reqwest::Method::POST, "/api/v1/auth/password-reset");
    crate::answer(reset.json(&json!({ "email": "joe@hive.example" }))).await.ok();
    waggle.mail("joe@hive.example", "").await;

    let log = waggle.log();
    assert!(log.contains("a post cannot be read and was removed from the queue"), "{log}");
    assert!(log.contains("posts.approved_hash"), "{log}");
    assert!(log.contains("an email cannot be read and is given up"), "{log}");
    assert_eq!(waggle.timeline().await, ["words"]);
    // The post of the other platform waits for a build that knows it.
    waggle.get("/api/v1/posts?platform=sandbox&status=published").await.ok();
    let waiting = waggle.get("/api/v1/posts?status=scheduled").await.ok();
    assert_eq!(waiting["items"], json!([]));
    let count = "SELECT 1 / (CASE WHEN (SELECT count(*) FROM posts WHERE platform = 'linkedin' \
                 AND status = 'scheduled') = 1 THEN 1 ELSE 0 END)";
    let left = if kind == Kind::Postgres { execute(&waggle.database, count).await } else { Ok(()) };
    assert_eq!(left, Ok(()));
}

async fn held_posts_are_released_by_new_credentials(kind: Kind) {
    let (url, _) = fake_x().await;
    let waggle = Waggle::with(kind, &[("TWITTER_API_URL", &url)]).await;
    waggle.put("TWITTER_OAUTH2_TOKEN", json!("bad-token")).await.ok();
    let tweet = waggle.batch("b", &["words"]).await[0];
    let post = waggle.publish(tweet).await;
    let path = format!("/api/v1/posts/{post}");

    let held = waggle.until(&path, |post| post["is_held"] == true).await;
    assert_eq!((&held["status"], &held["attempts"]), (&json!("scheduled"), &json!(0)));
    assert!(held["last_error"].as_str().unwrap().contains("401"), "{held}");
    waggle.put("TWITTER_OAUTH2_TOKEN", json!("good-token")).await.ok();

    let published = waggle.until_published(post).await;
    assert_eq!(published["public"][0]["platform_post_id"], "42");
    let deliveries = waggle.get(&format!("{path}/deliveries")).await.ok();
    let states: Vec<_> = deliveries["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| delivery["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["not_sent", "published"]);
    // The fake X returns the same id for every post. The id belongs to the first post only.
    let second = waggle.batch("c", &["other words"]).await[0];
    let second = waggle.publish(second).await;
    let asked =
        waggle.until(&format!("/api/v1/posts/{second}"), |post| post["status"] == "unknown").await;
    assert!(asked["last_error"].as_str().unwrap().contains(&format!("post {post}")), "{asked}");
}

async fn a_call_to_publish_changes_a_post_that_waits_and_brings_none_back(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let tweet = waggle.batch("b", &["words"]).await[0];
    waggle.act(tweet, "approve").await.ok();
    let version = || async {
        let path = format!("/api/v1/generated-tweets/{tweet}");
        waggle.get(&path).await.ok()["version"].as_i64()
    };
    let seen_first = version().await;
    let tomorrow = (chrono::Utc::now() + chrono::Duration::days(1)).to_rfc3339();
    let later = (chrono::Utc::now() + chrono::Duration::days(2)).to_rfc3339();

    let queued = waggle.publish_at(tweet, seen_first, json!({ "at": tomorrow })).await.ok();
    let repeated = waggle.publish_at(tweet, seen_first, json!({ "at": tomorrow })).await.ok();
    let stale = waggle.publish_at(tweet, seen_first, json!({ "at": later })).await;
    let moved = waggle.publish_at(tweet, version().await, json!({ "at": later })).await.ok();

    assert_eq!((&queued["was_queued"], &repeated["was_queued"]), (&json!(false), &json!(true)));
    stale.refused(409);
    assert_eq!(moved["was_queued"], false);
    assert_ne!(moved["post"]["scheduled_time"], queued["post"]["scheduled_time"]);

    let post = moved["post"]["id"].as_i64().unwrap();
    let cancel = format!("/api/v1/posts/{post}/cancel");
    let wrong = waggle.request(reqwest::Method::POST, &cancel).bearer_auth(&waggle.token);
    crate::answer(wrong.header("if-match", "\"99\"")).await.refused(409);
    waggle.post(&cancel, json!({})).await.ok();
    waggle.publish_at(tweet, seen_first, json!({})).await.refused(409);
    waggle.publish_at(tweet, None, json!({})).await.refused(428);
    assert_eq!(waggle.timeline().await, Vec::<String>::new());

    waggle.publish_at(tweet, version().await, json!({})).await.ok();
    waggle.until_published(post).await;
    waggle.publish_at(tweet, seen_first, json!({})).await.refused(409);
    assert_eq!(waggle.timeline().await, ["words"]);
}

on_both! {
    a_row_that_cannot_be_read_keeps_nothing_else,
    held_posts_are_released_by_new_credentials,
    a_call_to_publish_changes_a_post_that_waits_and_brings_none_back,
}
