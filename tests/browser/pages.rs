//! What holds of all pages: they fit, they are small, and texts stay texts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::{Site, TAB, check};

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

/// A site whose pages all show something, with an admin.
async fn full_site() -> Site {
    let site = Site::with_user("admin").await;
    let tweet = json!({ "Tweet ID": "19", "Content": "Hi", "Date": "2026-08-14T14:30:00Z" });
    let report = json!({ "execution_id": "e-1", "tweets": [tweet] });
    site.call(Method::POST, "/api/check-duplicate-tweet", Some(report)).await;
    site.submit("b-1", &["One idea", "Another idea"]).await;
    let tweets = json!({ "tweets": [{ "id": 1, "version": 1 }] });
    site.call(Method::POST, "/api/v1/generated-tweets/approve-many", Some(tweets)).await;
    site.call(Method::POST, "/api/v1/generated-tweets/1/publish", Some(json!({}))).await;
    site
}

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

/// How much the layout of a page shifted since it was opened (<https://web.dev/articles/cls>).
const SHIFT: &str = "new Promise((resolve) => { \
                     new PerformanceObserver((list) => resolve(list.getEntries()\
                     .reduce((sum, { value }) => sum + value, 0)))\
                     .observe({ type: 'layout-shift', buffered: true }); \
                     setTimeout(() => resolve(0), 500); })";

/// A page with 50 cards is small, its layout does not shift, and it is kept by the browser.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_small() {
    let site = site_with_50_drafts().await;
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
    let shift = browser.evaluate(SHIFT).await.as_f64().unwrap();

    let cards = browser.run("return document.querySelectorAll('.card').length").await;
    assert_eq!(cards, 50);
    assert!(cold.0 <= 12 && cold.1 <= 60_000, "{cold:?}");
    assert!(warm.0 <= 1 && warm.1 <= 20_000, "{warm:?}");
    assert!(shift < 0.02, "the layout shifts by {shift}");
}

/// Every page in both themes, on a screen, a phone, and a window as narrow as text of twice the
/// size makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_fits_every_window() {
    let site = full_site().await;
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

/// Every control of every page is reached by `Tab`, and is seen when it has the focus.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_work_by_keyboard_alone() {
    let site = full_site().await;
    let browser = Browser::open(1280, 700, false).await;
    site.sign_in(&browser, "/posts").await;
    // Without what is in closed editors and dialogs. Arrows lead to the others of a group.
    let missed = "return [...document.querySelectorAll('a[href], button, summary, input, select, \
                  textarea')].filter((one) => one.checkVisibility() && !one.disabled && \
                  (one.type !== 'radio' || one.checked) && \
                  !window.reached.has(one)).map((one) => one.outerHTML.slice(0, 120))";
    // The first place is enough for a link that is broken over two lines.
    let focused = "const one = document.activeElement; \
                   if (one === document.body) return null; \
                   const box = one.getClientRects()[0]; \
                   const at = document.elementFromPoint(box.left + box.width / 2, \
                                                        box.top + box.height / 2); \
                   const isSeen = one.contains(at) || at?.contains(one) && at.matches('label'); \
                   window.reached ??= new Set(); window.reached.add(one); \
                   return [Boolean(isSeen), one.outerHTML.slice(0, 120)]";
    for path in PAGES {
        browser.goto(&format!("{}{path}", site.process.base)).await;
        // A notice covers the end of the page.
        browser.run("document.getElementById('notice').textContent = 'Something happened'").await;
        for step in 0..400 {
            browser.press(None, TAB).await;
            let found = browser.run(focused).await;
            if found.is_null() {
                assert!(step > 10, "{path}");
                break;
            }
            assert_eq!(found[0], true, "{path}: {}", found[1]);
            assert!(step < 399, "{path}: the focus does not leave the page");
        }
        assert_eq!(browser.run(missed).await, json!([]), "{path}");
    }
}

/// A filter is in the address: it stays on the next page, after a reload, and for others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_stay() {
    let site = Site::with_user("editor").await;
    let tweets: Vec<Value> = (1..=120)
        .map(|number| {
            let word = if number % 2 == 0 { "even" } else { "odd" };
            json!({ "Tweet ID": number.to_string(), "Content": format!("{word} {number}"),
                    "Date": "2025-08-14T14:30:00Z", "Likes": number })
        })
        .collect();
    let report = json!({ "execution_id": "run 1", "tweets": tweets });
    site.call(Method::POST, "/api/check-duplicate-tweet", Some(report)).await;
    let browser = Browser::open(1280, 900, false).await;
    site.sign_in(&browser, "/sources?search=even&sort=likes&order=desc").await;
    let shown = "[...document.querySelectorAll('#sources li .text')].map((one) => one.innerText)";
    let texts = async |browser: &Browser| -> Vec<String> {
        let texts = browser.run(&format!("return {shown}")).await;
        serde_json::from_value(texts).unwrap()
    };
    let even = |from: i32, to: i32| -> Vec<String> {
        (to / 2..=from / 2).rev().map(|half| format!("even {}", half * 2)).collect()
    };
    assert_eq!(texts(&browser).await, even(120, 22));

    browser.run("document.querySelector('.pages a[rel=next]').click()").await;
    browser.until(&format!("{shown}[0] === 'even 20'")).await;
    assert_eq!(texts(&browser).await, even(20, 2));
    let address = browser.run("return location.href").await;
    assert!(address.as_str().unwrap().contains("search=even&sort=likes&order=desc"), "{address}");
    let fields =
        "return ['search', 'sort'].map((name) => document.querySelector(`[name=${name}]`).value)";
    assert_eq!(browser.run(fields).await, json!(["even", "likes"]));

    browser.goto(address.as_str().unwrap()).await;
    assert_eq!(texts(&browser).await, even(20, 2));
    let other = Browser::open(1280, 900, false).await;
    site.sign_in(&other, "/posts").await;
    other.goto(address.as_str().unwrap()).await;
    assert_eq!(texts(&other).await, even(20, 2));
}

/// Without JavaScript, pages show what there is and say what needs it. Links and filters work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_can_be_read_without_javascript() {
    let site = full_site().await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/posts").await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    let text = async || browser.run("return document.body.innerText").await;

    for path in PAGES {
        browser.goto(&format!("{}{path}", site.process.base)).await;
        let text = text().await;
        let text = text.as_str().unwrap();
        assert!(text.contains("its buttons need JavaScript"), "{path}: {text}");
        assert!(text.len() > 200, "{path}: {text}");
    }
    browser.goto(&format!("{}/review", site.process.base)).await;
    assert!(text().await.as_str().unwrap().contains("Another idea"));
    browser.run("document.querySelector('.card h3 a').click()").await;
    browser.until("location.pathname.startsWith('/tweets/')").await;
    browser.goto(&format!("{}/posts", site.process.base)).await;
    browser.run("document.querySelector('.filters').submit()").await;
    browser.until("location.search.includes('=')").await;
}

/// Ten tabs of one browser share six connections to the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_tabs_stay_usable() {
    let site = Site::with_drafts(&["One idea", "Another idea"]).await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/review").await;
    let mut tabs = Vec::new();
    for _ in 0..10 {
        tabs.push(browser.open_tab().await);
        browser.goto(&format!("{}/review", site.process.base)).await;
        browser.until("document.querySelectorAll('.card').length === 2").await;
    }
    let edit = async |text: &str| {
        let change = Some(json!({ "content": text }));
        site.call(Method::PATCH, "/api/v1/generated-tweets/2", change).await;
    };
    let shows =
        |text: &str| format!("document.querySelector('#tweet-2 .text').innerText === '{text}'");

    // The last tab hears what happens, and acts.
    edit("Of Ben").await;
    browser.until(&shows("Of Ben")).await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "a").await;
    browser.until("document.querySelector('#tweet-1 .state.good')").await;
    // So does the first one, which missed it.
    browser.use_tab(&tabs[0]).await;
    browser.until(&shows("Of Ben")).await;
    edit("Of Ben again").await;
    browser.until(&shows("Of Ben again")).await;
}

async fn site_with_50_drafts() -> Site {
    let texts: Vec<String> = (0..50).map(|n| format!("Idea {n}: {}", "word ".repeat(40))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Site::with_drafts(&texts).await
}

/// Prints how quick a page of 50 cards is in a browser. `make bench` runs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures times, which says nothing beside other tests"]
async fn measure_the_review() {
    const RUNS: usize = 5;
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let site = site_with_50_drafts().await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/posts").await;
    browser.devtools("Network.enable", json!({})).await;

    // Nothing is kept, on a slow network, with a quarter of the processor. Scripts have run when
    // the page says that its content is loaded, because they are modules.
    let network = json!({
        "offline": false, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 94_000,
    });
    browser.devtools("Network.emulateNetworkConditions", network).await;
    browser.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": 4 })).await;
    browser.devtools("Network.setCacheDisabled", json!({ "cacheDisabled": true })).await;
    let mut usable = Vec::new();
    for _ in 0..RUNS {
        browser.goto(&format!("{}/review", site.process.base)).await;
        let script =
            "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd";
        usable.push(browser.run(script).await.as_f64().unwrap());
    }
    println!(
        "usable, cold at 1.6 Mbit/s and 150 ms, a quarter of the CPU: {:.0} ms",
        median(usable)
    );

    // On this machine, from the key to the card that the server has drawn again.
    let network = json!({
        "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
    });
    browser.devtools("Network.emulateNetworkConditions", network).await;
    browser.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": 1 })).await;
    browser.devtools("Network.setCacheDisabled", json!({ "cacheDisabled": false })).await;
    browser.goto(&format!("{}/review", site.process.base)).await;
    let watch = "window.long = []; new PerformanceObserver((list) => { \
                 for (const { startTime, duration } of list.getEntries()) \
                 window.long.push([startTime, duration].map(Math.round)); \
                 }).observe({ type: 'longtask', buffered: true }); \
                 document.addEventListener('keydown', (event) => { window.at = event.timeStamp; \
                 }, true); \
                 new MutationObserver(() => { const card = document.getElementById(window.wanted); \
                 if (card?.querySelector('.state.good')) { \
                 window.took ??= performance.now() - window.at; } \
                 }).observe(document.getElementById('main'), { childList: true, subtree: true })";
    browser.run(watch).await;
    let mut times = Vec::new();
    for number in 1..=RUNS {
        browser
            .run(&format!(
                "window.wanted = 'tweet-{number}'; window.took = undefined; \
                 document.getElementById('tweet-{number}').focus()"
            ))
            .await;
        browser.press(None, "a").await;
        browser.until("window.took").await;
        times.push(browser.run("return window.took").await.as_f64().unwrap());
    }
    println!("key a to the card that is drawn again: {:.0} ms", median(times));
    let long = browser.run("return window.long").await;
    println!("tasks of the browser over 50 ms, in milliseconds: {long}");
}
