//! Approved drafts are published, and what needs a person is settled.

use reqwest::Method;
use serde_json::json;

use crate::driver::Browser;
use crate::{ARROW_DOWN, ARROW_UP, ENTER, Site, check};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approved_tweet_is_published_and_can_be_stopped_until_then() {
    let site = Site::with_drafts(&[
        "Most hardware sleeps most of the day. What would you build if idle machines found work?",
        "A market is a conversation. Software can hold it all night.",
        "Three questions for every automation: who notices, who stops it, who explains it?",
    ])
    .await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/batches/1").await;
    let says =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");
    let focus = |id: i64| format!("document.getElementById('tweet-{id}').focus()");
    let state = |id: i64, words: &str| {
        format!("document.querySelector('#tweet-{id}').innerText.includes('{words}')")
    };

    // What is published now can be stopped, and then the approval is undone.
    browser.run(&focus(2)).await;
    browser.press(None, "a").await;
    browser.until(&says("approved")).await;
    browser.run(&focus(2)).await;
    browser.press(None, "p").await;
    browser.until(&says("goes out in 10 seconds")).await;
    browser.until(&state(2, "scheduled in the sandbox")).await;
    check(&browser, "batch-queued").await;
    browser.press(None, "u").await;
    browser.until(&state(2, "cancelled in the sandbox")).await;
    browser.until(&says("Undone")).await;
    browser.press(None, "u").await;
    browser.until(&state(2, "Brand Aligned")).await;
    assert_eq!(site.call(Method::GET, "/api/v1/posts/1", None).await["status"], "cancelled");
    assert_eq!(site.status(2).await, "Brand Aligned");

    // A time is chosen by keyboard, and the post is cancelled by key.
    browser.run(&focus(3)).await;
    browser.press(None, "a").await;
    browser.until(&state(3, "Approved")).await;
    browser.run(&focus(3)).await;
    browser.press(None, "t").await;
    browser.until("document.activeElement.type === 'datetime-local'").await;
    let fill = "document.activeElement.value = new Date(Date.now() + 864e5).toISOString()\
                .slice(0, 16); document.activeElement.form.requestSubmit()";
    browser.run(fill).await;
    browser.until(&says("is scheduled")).await;
    browser.until(&state(3, "scheduled in the sandbox")).await;
    check(&browser, "batch-scheduled").await;
    browser.press(None, "c").await;
    browser.until(&state(3, "cancelled in the sandbox")).await;

    // A post goes out by itself, which every page shows.
    site.call(
        Method::POST,
        "/api/v1/generated-tweets/approve-many",
        Some(json!({
            "tweets": [{ "id": 1, "version": site.tweet(1).await["version"] }],
        })),
    )
    .await;
    site.call(Method::POST, "/api/v1/generated-tweets/1/publish", Some(json!({}))).await;
    browser.until(&state(1, "published in the sandbox")).await;
    browser.goto(&format!("{}/posts", site.process.base)).await;
    check(&browser, "posts").await;
    browser.run("document.querySelector('#post-3 a[rel]').click()").await;
    browser.until("location.pathname === '/sandbox' && document.querySelector('.card')").await;
    check(&browser, "sandbox").await;
    browser.goto(&format!("{}/publishing", site.process.base)).await;
    browser.until("document.querySelector('h1').innerText === 'Publishing'").await;
    check(&browser, "publishing-well").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_is_settled_in_two_clicks() {
    let site = Site::with_drafts(&["Lost on the way", "Refused"]).await;
    let browser = Browser::open(390, 844, true).await;
    let publish = async |id: i64, faults: &[&str]| {
        site.set("SANDBOX_FAULTS", &faults.join(","), faults.to_vec()).await;
        let version = site.tweet(id).await["version"].clone();
        let tweets = json!({ "tweets": [{ "id": id, "version": version }] });
        site.call(Method::POST, "/api/v1/generated-tweets/approve-many", Some(tweets)).await;
        let path = format!("/api/v1/generated-tweets/{id}/publish");
        site.call(Method::POST, &path, Some(json!({}))).await["post"]["id"].as_i64().unwrap()
    };
    site.sign_in(&browser, "/publishing").await;
    let lost = publish(1, &["lost-request", "blind"]).await;
    browser.until("!document.getElementById('fresh').hidden").await;
    browser.run("document.querySelector('#fresh a').click()").await;
    let post = format!("document.querySelector('#attention ~ #post-{lost}')");
    browser.until(&post).await;
    check(&browser, "publishing-unknown-phone").await;
    let text = browser.run(&format!("return {post}.innerText")).await;
    let text = text.as_str().unwrap();
    assert!(text.contains("does not know") && text.contains("Attempt 1 began"), "{text}");

    // One click says that it is not there, the second publishes it again.
    site.set("SANDBOX_FAULTS", "", json!([])).await;
    let click = |label: &str| {
        format!(
            "[...document.querySelectorAll('button')].find((button) => \
             button.innerText.startsWith('{label}')).click()"
        )
    };
    browser.run(&click("It is not there")).await;
    browser.until("document.body.innerText.includes('Publish again')").await;
    browser.run(&click("Publish again")).await;
    browser.until(&format!("{post}.innerText.includes('published in the sandbox')")).await;
    assert_eq!(site.status(1).await, "Posted");

    // A refused post is listed with its reason.
    let refused = publish(2, &["refuse"]).await;
    site.until(&format!("/api/v1/posts/{refused}"), "status", "failed").await;
    browser.until("!document.getElementById('fresh').hidden").await;
    browser.run("document.querySelector('#fresh a').click()").await;
    browser.until("document.body.innerText.includes('configured to refuse')").await;
    check(&browser, "publishing-failed-phone").await;
}

/// What follows an approval is chosen once, and kept for the user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_an_approval_is_chosen() {
    let texts = ["One idea", "Another idea", "A third idea", "A fourth idea", "A fifth idea"];
    let site = Site::with_drafts(&texts).await;
    let browser = Browser::open(1280, 900, false).await;
    site.sign_in(&browser, "/review").await;
    let says =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");
    let state = |id: i64, words: &str| {
        format!("document.querySelector('#tweet-{id}').innerText.includes('{words}')")
    };
    let choose =
        |choice: &str| format!("document.querySelector('#after [value={choice}]').click()");
    let focus = |id: i64| format!("document.getElementById('tweet-{id}').focus()");

    // Without a choice, an approval publishes nothing.
    browser.run(&focus(1)).await;
    browser.press(None, "a").await;
    browser.until(&says("tweet-1 approved")).await;
    assert_eq!(site.call(Method::GET, "/api/v1/posts", None).await["items"], json!([]));

    // Published, and stopped: first the post, then the approval is undone.
    browser.run(&choose("publish")).await;
    browser.until(&says("Saved")).await;
    browser.run(&focus(2)).await;
    browser.press(None, "a").await;
    browser.until(&says("tweet-2 approved. Publishing in 10 seconds.")).await;
    browser.until(&state(2, "scheduled in the sandbox")).await;
    assert_eq!(browser.run("return document.activeElement.id").await, "tweet-3");
    check(&browser, "review-after-approval").await;
    browser.press(None, "u").await;
    browser.until(&state(2, "cancelled in the sandbox")).await;
    assert_eq!(site.status(2).await, "Approved");
    browser.press(None, "u").await;
    browser.until(&state(2, "Brand Aligned")).await;

    // Two quick changes: the last one counts. Keys choose among the radio buttons.
    browser.run("document.querySelector('#after :checked').focus()").await;
    browser.press(None, &format!("{ARROW_DOWN}{ARROW_UP}{ARROW_UP}{ARROW_DOWN}")).await;
    browser.until("document.querySelector('#after :checked').value === 'publish'").await;
    let kept = "fetch('/api/v1/me').then((a) => a.json()).then((me) => me.user.after_approval)";
    browser
        .run(
            "document.querySelector('#after [value=nothing]').click(); \
                 document.querySelector('#after [value=publish]').click()",
        )
        .await;
    // The second one is sent after the first one.
    browser.until("!document.getElementById('after').ariaBusy").await;
    let choice = browser.evaluate(kept).await;
    assert_eq!(choice, "publish");

    // The choice is kept. Without a time, nothing is approved.
    browser.goto(&format!("{}/batches/1", site.process.base)).await;
    browser.until("document.querySelector('#after :checked').value === 'publish'").await;
    browser.run(&choose("schedule")).await;
    browser.until(&says("Saved")).await;
    browser.run(&focus(2)).await;
    browser.press(None, "a").await;
    browser.until(&says("Not approved: enter the time")).await;
    assert_eq!(browser.run("return document.activeElement.id").await, "after-at");
    assert_eq!(site.status(2).await, "Brand Aligned");
    let fill = |days: i32| {
        format!(
            "document.getElementById('after-at').value = \
             new Date(Date.now() + {days} * 864e5).toISOString().slice(0, 16)"
        )
    };
    browser.run(&fill(-1)).await;
    browser.run(&focus(2)).await;
    browser.press(None, "a").await;
    browser.until(&says("has passed")).await;
    assert_eq!(site.status(2).await, "Brand Aligned");
    browser.run(&fill(1)).await;

    // All that fit are scheduled, which the question says. Undoing that cancels them, and then
    // withdraws the approvals.
    browser.run(&focus(2)).await;
    browser.press(None, "A").await;
    browser.until("document.getElementById('approve-all').open").await;
    let follows = "return document.getElementById('approve-all').innerText";
    let follows = browser.run(follows).await;
    assert!(follows.as_str().unwrap().contains("for the time that you entered"), "{follows}");
    assert!(!follows.as_str().unwrap().contains("10 seconds later"), "{follows}");
    check(&browser, "approve-all-schedule").await;
    browser.press(None, ENTER).await;
    browser.until(&says("Approved: 4. Scheduled for the time that you entered.")).await;
    for id in 2..=5 {
        browser.until(&state(id, "scheduled in the sandbox")).await;
    }
    browser.press(None, "uu").await;
    for id in 2..=5 {
        browser.until(&state(id, "Brand Aligned")).await;
    }
    let posts = site.call(Method::GET, "/api/v1/posts?status=cancelled", None).await;
    assert_eq!(posts["items"].as_array().unwrap().len(), 4, "{posts}");

    // If the approval arrives and the rest does not, that is told.
    browser.devtools("Network.enable", json!({})).await;
    let blocked = json!({ "urls": ["*/publish-many"] });
    browser.devtools("Network.setBlockedURLs", blocked).await;
    browser.run(&focus(3)).await;
    browser.press(None, "a").await;
    browser
        .until(&says(
            "tweet-3 approved. It is not known whether they are published or scheduled: 1.",
        ))
        .await;
    assert_eq!(site.status(3).await, "Approved");
    browser.errors(&["net::ERR_BLOCKED_BY_CLIENT"]).await;

    // On the page of publishing, a tweet has no place in its batch.
    browser.goto(&format!("{}/publishing", site.process.base)).await;
    let place = "return document.querySelector('#tweet-3 .place').checkVisibility()";
    assert_eq!(browser.run(place).await, false);
}
