//! People are told of each matter once, no matter how often the server is killed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::accounts::{Browser, user};
use crate::database::Kind;
use crate::process::PATIENCE;
use crate::{Waggle, count, execute, on_both};

const BATCHES: usize = 1_000;

/// A mail server that does not answer, so that the emails stay in the queue.
const NO_MAIL: [(&str, &str); 3] = [
    ("EMAIL_HOST", "127.0.0.1"),
    ("EMAIL_PORT", "1"),
    ("DEFAULT_FROM_EMAIL", "waggle@hive.example"),
];

/// The batches of which a person has notifications, by name.
async fn told(person: &Browser<'_>) -> Vec<String> {
    let mut told = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = person.get(&format!("/notifications?limit=200{cursor}")).await.ok();
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["kind"], "batch_arrived");
            told.push(item["object_id"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return told,
        }
    }
}

/// The lines of the queued emails about batches: all of them, and how many differ.
async fn mailed(waggle: &Waggle, kind: Kind, to: &str) -> (i64, i64, i64) {
    let (lines, more) = match kind {
        Kind::Sqlite => (
            "json_extract(line.value, '$.path') FROM mails, json_each(mails.data, '$.lines') line",
            "json_extract(data, '$.more')",
        ),
        Kind::Postgres => (
            "line ->> 'path' FROM mails, json_array_elements(mails.data -> 'lines') line",
            "CAST(data ->> 'more' AS BIGINT)",
        ),
    };
    let (path, from) = lines.split_once(" FROM ").unwrap();
    let of = format!("letter = 'MATTERS' AND recipient = '{to}'");
    let number = async |sql: String| count(&waggle.database, &sql).await;
    (
        number(format!("SELECT COUNT({path}) FROM {from} WHERE {of}")).await,
        number(format!("SELECT COUNT(DISTINCT {path}) FROM {from} WHERE {of}")).await,
        number(format!("SELECT CAST(COALESCE(SUM({more}), 0) AS BIGINT) FROM mails WHERE {of}"))
            .await,
    )
}

/// As if a minute had passed and the last email had gone out, so that the next one can.
async fn next_email(waggle: &Waggle) {
    let sql = "UPDATE notification_choices SET mailed_at = NULL; \
               UPDATE mails SET due_at = NULL WHERE letter = 'MATTERS'";
    execute(&waggle.database, sql).await.unwrap();
}

/// Several clients submit batches, and repeat what was not answered, while the server is killed
/// again and again. Each of two people who asked for it is told of each batch once, and each batch
/// is in one email.
async fn each_of_1000_batches_is_told_once(kind: Kind) {
    let mut waggle = Waggle::with(kind, &NO_MAIL).await;
    for (name, role) in
        [("ann", "admin"), ("ben", "approver"), ("cleo", "approver"), ("ed", "editor")]
    {
        user(&waggle, name, role);
    }
    let choose = async |name, delivery| {
        let person = waggle.browser(name).await;
        let body = json!({ "batch_arrived": delivery });
        person.send(Method::PATCH, "/me/notifications", body).await.ok();
    };
    choose("ann", "at_once").await;
    choose("ben", "console").await;
    choose("cleo", "off").await;

    let done = Arc::new(AtomicUsize::new(0));
    let (address, current) = watch::channel(waggle.process.base.clone());
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (done, http, token) =
                (Arc::clone(&done), waggle.client.clone(), waggle.token.clone());
            let current = current.clone();
            tokio::spawn(async move {
                for number in (client..BATCHES).step_by(4) {
                    let body = json!({ "campaign_batch": format!("b-{number}"), "tweets": [
                        { "id": "t-1", "content": "words" },
                    ] });
                    loop {
                        let url = format!("{}/api/receive-tweets", *current.borrow());
                        let sent = http.post(url).bearer_auth(&token).json(&body).send().await;
                        if sent.is_ok_and(|response| response.status() == 200) {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    done.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for round in 1..=8 {
        let begun = Instant::now();
        while done.load(Ordering::SeqCst) < round * BATCHES / 9 {
            assert!(begun.elapsed() < PATIENCE, "the batches are not answered");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waggle.process.kill();
        next_email(&waggle).await;
        waggle.again(&NO_MAIL);
        address.send_replace(waggle.process.base.clone());
    }
    for client in clients {
        client.await.unwrap();
    }

    let begun = Instant::now();
    while told(&waggle.browser("ann").await).await.len() < BATCHES {
        assert!(begun.elapsed() < PATIENCE, "not all are told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Everything is considered.
    assert_eq!(waggle.process.terminate(), Some(0));
    waggle.again(&NO_MAIL);
    for (name, number) in [("ann", BATCHES), ("ben", BATCHES), ("cleo", 0), ("ed", 0)] {
        let told = told(&waggle.browser(name).await).await;
        let distinct: BTreeSet<&String> = told.iter().collect();
        assert_eq!((told.len(), distinct.len()), (number, number), "{name}");
    }
    next_email(&waggle).await;
    let due = "SELECT COUNT(*) FROM notifications WHERE mail_due_at IS NOT NULL";
    let begun = Instant::now();
    while count(&waggle.database, due).await > 0 {
        assert!(begun.elapsed() < PATIENCE, "not all are mailed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (lines, distinct, more) = mailed(&waggle, kind, "ann@hive.example").await;
    assert_eq!(lines, distinct, "a batch is in two emails");
    assert_eq!(lines + more, i64::try_from(BATCHES).unwrap());
    assert_eq!(mailed(&waggle, kind, "ben@hive.example").await, (0, 0, 0));
}

/// A post that failed is told by an email with a link. Publishing it again settles the matter.
async fn a_failed_post_is_told_until_it_is_published(kind: Kind) {
    let url = ("PUBLIC_URL", "http://localhost:9");
    let mut waggle = Waggle::with(kind, &[("SANDBOX_FAULTS", "refuse"), url]).await;
    user(&waggle, "ben", "approver");
    let tweet = waggle.batch("b", &["words"]).await[0];

    let post = waggle.publish(tweet).await;

    let subject = format!("Waggle: Post {post} in the sandbox failed");
    let mail = waggle.mail("ben@hive.example", &subject).await;
    let link = format!("http://localhost:9/posts/{post}");
    assert!(mail.text.contains(&link), "{}", mail.text);
    let kinds = async |waggle: &Waggle| {
        let listed = waggle.browser("ben").await.get("/notifications").await.ok();
        let items = listed["items"].as_array().unwrap().clone();
        items.into_iter().map(|item| item["kind"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(kinds(&waggle).await, ["post_failed"]);

    waggle.process.kill();
    waggle.again(&[url]);
    let path = format!("/api/v1/generated-tweets/{tweet}");
    let version = waggle.get(&path).await.ok()["version"].as_i64();
    waggle.publish_at(tweet, version, json!({})).await.ok();
    waggle.until_published(post).await;
    let begun = Instant::now();
    while !kinds(&waggle).await.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the notification stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

on_both! {
    each_of_1000_batches_is_told_once,
    a_failed_post_is_told_until_it_is_published,
}
