//! What holds of all pages: they fit, they are small, and texts stay texts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::{Site, check};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_fit_a_phone_and_show_markup_as_text() {
    let markup = "<img src=x onerror=alert(1)> \u{202e}turned <b>bold</b> https://example.com/a";
    let long = "word ".repeat(80);
    let site = Site::with_drafts(&[markup, &long]).await;
    let browser = Browser::open(360, 780, false).await;
    site.sign_in(&browser, "/tweets/1").await;
    check(&browser, "tweet-phone").await;
    assert_eq!(browser.run("return document.querySelectorAll('main img, main b').length").await, 0);

    browser.goto(&format!("{}/review", site.process.base)).await;
    check(&browser, "review-phone").await;
    let approve = "[data-op=approve_generated_tweet]";
    let of_long = format!("return document.querySelector('#tweet-2 {approve}')");
    assert_eq!(browser.run(&of_long).await, Value::Null, "it is too long");

    for id in [1, 2] {
        site.call(Method::POST, &format!("/api/v1/generated-tweets/{id}/reject"), Some(json!({})))
            .await;
    }
    browser.goto(&format!("{}/review", site.process.base)).await;
    browser.until("document.querySelector('.empty')").await;
    check(&browser, "review-empty").await;
    browser.goto(&format!("{}/tweets/2", site.process.base)).await;
    check(&browser, "tweet-rejected").await;
    browser.goto(&format!("{}/batches", site.process.base)).await;
    browser.run("document.querySelector('.lines a').click()").await;
    browser.until("location.pathname === '/batches/1' && document.querySelector('.card')").await;
    check(&browser, "batch-phone").await;
    browser.goto(&format!("{}/tweets/99", site.process.base)).await;
    browser.until("document.querySelector('h1').innerText.includes('no such page')").await;
}

/// A page with 50 cards is small, and so is what a browser keeps of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_small() {
    let texts: Vec<String> = (0..50).map(|n| format!("Idea {n}: {}", "word ".repeat(40))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let site = Site::with_drafts(&texts).await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/posts").await;
    let measure = async |is_cold: bool| {
        browser.devtools("Network.setCacheDisabled", json!({ "cacheDisabled": is_cold })).await;
        browser.goto(&format!("{}/review", site.process.base)).await;
        browser.until("document.readyState === 'complete'").await;
        let measured = browser
            .evaluate(
                "(() => { const all = ['navigation', 'resource'].flatMap((kind) => \
                 performance.getEntriesByType(kind)).filter((one) => one.transferSize); \
                 return [all.length, all.reduce((sum, one) => sum + one.transferSize, 0)]; })()",
            )
            .await;
        (measured[0].as_u64().unwrap(), measured[1].as_u64().unwrap())
    };
    browser.devtools("Network.enable", json!({})).await;

    let (cold, warm) = (measure(true).await, measure(false).await);

    let cards = browser.run("return document.querySelectorAll('.card').length").await;
    assert_eq!(cards, 50);
    assert!(cold.0 <= 12 && cold.1 <= 60_000, "{cold:?}");
    assert!(warm.0 <= 1 && warm.1 <= 20_000, "{warm:?}");
}

/// Every page in both themes, on a screen, a phone, and a window as narrow as text of twice the
/// size makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_fits_every_window() {
    const PAGES: [&str; 18] = [
        "/",
        "/review",
        "/batches",
        "/batches/1",
        "/tweets/1",
        "/sources",
        "/posts",
        "/posts/1",
        "/publishing",
        "/sandbox",
        "/notifications",
        "/account",
        "/tokens",
        "/help",
        "/settings",
        "/users",
        "/audit",
        "/checks",
    ];
    let site = Site::with_user("admin").await;
    let tweet = json!({ "Tweet ID": "19", "Content": "Hi", "Date": "2026-08-14T14:30:00Z" });
    let report = json!({ "execution_id": "e-1", "tweets": [tweet] });
    site.call(Method::POST, "/api/check-duplicate-tweet", Some(report)).await;
    site.submit("b-1", &["One idea", "Another idea"]).await;
    let tweets = json!({ "tweets": [{ "id": 1, "version": 1 }] });
    site.call(Method::POST, "/api/v1/generated-tweets/approve-many", Some(tweets)).await;
    site.call(Method::POST, "/api/v1/generated-tweets/1/publish", Some(json!({}))).await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/posts").await;
    // Links within a text may be smaller (WCAG 2.2, 2.5.8).
    let small = "return [...document.querySelectorAll('button, summary, select, nav a, \
                 input:not([type=hidden], [type=checkbox])')].filter((one) => \
                 one.checkVisibility() && one.getBoundingClientRect().height < 24)\
                 .map((one) => one.outerHTML)";
    for path in PAGES {
        browser.goto(&format!("{}{path}", site.process.base)).await;
        let name = path.trim_matches('/').replace('/', "-");
        let name = if name.is_empty() { "home" } else { &name };
        for (width, height) in [(1280, 800), (390, 844), (320, 640)] {
            for is_dark in [false, true] {
                browser.look(width, height, is_dark).await;
                let theme = if is_dark { "dark" } else { "light" };
                check(&browser, &format!("all-{name}-{width}-{theme}")).await;
            }
            assert_eq!(browser.run(small).await, json!([]), "{path} at {width}");
        }
    }
}
