//! An admin sets Waggle up and runs it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database::Kind;
use crate::driver::Browser;
use crate::process::{self, Process, command};
use crate::{PASSWORD, Site, check};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_admin_comes_by_link() {
    let database = process::database(Kind::Sqlite).await;
    let process = Process::start(&database, &[]);
    let printed = command(&database).args(["--json", "setup-link"]).output().unwrap();
    let link: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let token = link["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let browser = Browser::open(390, 844, false).await;

    browser.goto(&format!("{}/setup", process.base)).await;
    browser.until("!document.getElementById('no-token').hidden").await;
    check(&browser, "setup-without-link").await;
    browser.goto("about:blank").await;
    browser.goto(&format!("{}/setup#{token}", process.base)).await;
    browser.until("!document.getElementById('setup').hidden").await;
    check(&browser, "setup").await;
    let fill = format!(
        "const form = document.getElementById('setup'); form.email.value = 'ana@hive.example'; \
         form.password.value = '{PASSWORD}'; form.requestSubmit();"
    );
    browser.run(&fill).await;
    browser.until("location.pathname === '/' && document.getElementById('steps')").await;
    browser.until("document.querySelector('.bar').innerText.includes('ana')").await;
    check(&browser, "home-first").await;

    // From there, a sample batch is loaded, reviewed and published.
    browser.run("document.querySelector('[data-op=create_sample_batch] button').click()").await;
    browser.until("document.querySelector('#runs a')").await;
    check(&browser, "home-sample").await;
    browser.run("document.querySelector('#runs a').click()").await;
    browser.until("document.getElementById('tweet-1')").await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "a").await;
    browser.until("document.querySelector('#tweet-1 .state.good')").await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "p").await;
    browser.until("document.querySelector('#tweet-1').innerText.includes('scheduled in')").await;
    browser.until("document.querySelector('#tweet-1').innerText.includes('published in')").await;
    browser.goto(&format!("{}/sandbox", process.base)).await;
    browser.until("document.querySelector('.card').innerText.includes('Most hardware')").await;
    browser.goto(&format!("{}/sources", process.base)).await;
    browser.until("document.querySelector('.empty')").await;
    check(&browser, "sources-empty-phone").await;
    browser.goto(&format!("{}/help", process.base)).await;
    browser.until("document.body.innerText.includes('/api/receive-tweets')").await;
    check(&browser, "help-phone").await;
    browser.goto(&format!("{}/", process.base)).await;
    browser.until("document.querySelector('.button')").await;
    check(&browser, "home-phone").await;
    browser.goto(&format!("{}/setup#{token}", process.base)).await;
    browser.until("document.body.innerText.includes('set up already')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_runs_the_place_in_the_browser() {
    let site = Site::with_user("admin").await;
    let browser = Browser::open(1280, 900, false).await;
    let notice =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");
    site.sign_in(&browser, "/settings?group=mail").await;
    check(&browser, "settings").await;
    let port = "document.getElementById('value-EMAIL_PORT')";
    let save = |value: &str| format!("{port}.value = '{value}'; {port}.form.requestSubmit()");

    // A wrong value is refused with its reason, and stays in the field.
    browser.run(&save("many")).await;
    browser.until(&notice("EMAIL_PORT")).await;
    assert_eq!(browser.run(&format!("return {port}.value")).await, "many");
    // A right one is saved, and undone.
    browser.run(&save("2525")).await;
    browser.until(&notice("EMAIL_PORT is changed")).await;
    browser
        .until("document.getElementById('setting-EMAIL_PORT').innerText.includes('database')")
        .await;
    check(&browser, "settings-changed").await;
    browser.run("document.querySelector('#notice button').click()").await;
    browser.until(&notice("Undone")).await;
    browser.until(&format!("{port}.value === '465'")).await;
    // The history tells of both.
    browser.goto(&format!("{}/settings/history", site.process.base)).await;
    browser.until("document.querySelectorAll('#changes li').length >= 2").await;
    check(&browser, "settings-history").await;

    // A user is added, and gets another role.
    browser.goto(&format!("{}/users", site.process.base)).await;
    let add = "document.getElementById('new-user').open = true; \
               document.getElementById('new-email').value = 'ben@hive.example'; \
               document.getElementById('new-role').value = 'editor'; \
               document.querySelector('#new-user form').requestSubmit()";
    browser.run(add).await;
    browser.until("document.getElementById('users').innerText.includes('ben@hive.example')").await;
    check(&browser, "users").await;
    let role = "document.getElementById('role-2').value = 'approver'; \
                document.getElementById('role-2').form.requestSubmit()";
    browser.run(role).await;
    browser.until(&notice("ben has a new role")).await;
    browser.until("document.getElementById('user-2').innerText.includes('approver')").await;

    // A token is shown once.
    browser.goto(&format!("{}/tokens", site.process.base)).await;
    let create = "document.getElementById('new-token').open = true; \
                  document.getElementById('token-name').value = 'n8n here'; \
                  document.querySelector('[value=ingest]').checked = true; \
                  document.querySelector('#new-token form').requestSubmit()";
    browser.run(create).await;
    browser.until("document.getElementById('secret').open").await;
    let text = browser.run("return document.getElementById('secret-text').innerText").await;
    check(&browser, "tokens-secret").await;
    browser.run("document.querySelector('#secret button').click()").await;
    browser.until("document.getElementById('tokens').innerText.includes('n8n here')").await;
    let page = browser.run("return document.documentElement.outerHTML").await;
    assert!(text.as_str().unwrap().starts_with("wgl_"), "{text}");
    assert!(!page.as_str().unwrap().contains(text.as_str().unwrap()), "it is gone");
    check(&browser, "tokens").await;

    // The audit log says who changed what.
    let audit = "/audit?kind=setting.changed&actor=user%3A1";
    browser.goto(&format!("{}{audit}", site.process.base)).await;
    browser.until("document.body.innerText.includes('EMAIL_PORT')").await;
    check(&browser, "audit").await;
    browser.goto(&format!("{}/checks", site.process.base)).await;
    browser.until("document.querySelector('h1').innerText === 'Checks'").await;
    check(&browser, "checks").await;

    // Where an operation needs a recent authentication, it is asked for once. To wait until the
    // sign-in is not recent takes too long here, so the browser pretends to have been told so.
    browser.goto(&format!("{}/settings?group=mail", site.process.base)).await;
    let pretend = "const sent = window.fetch; window.fetch = (path, options) => { \
                   if (options?.method !== 'PUT') return sent(path, options); \
                   window.fetch = sent; \
                   const body = JSON.stringify({ needs: 'recent_authentication' }); \
                   return Promise.resolve(new Response(body, { status: 403 })); }";
    browser.run(pretend).await;
    browser.run(&save("2526")).await;
    browser.until("document.getElementById('proof').open").await;
    check(&browser, "proof").await;
    let prove = |password: &str| {
        format!(
            "document.getElementById('proof-password').value = '{password}'; \
             document.querySelector('#prove .first').click()"
        )
    };
    browser.run(&prove("wrong")).await;
    browser.until("document.getElementById('proof-problem').innerText").await;
    browser.run(&prove(PASSWORD)).await;
    browser.until(&notice("EMAIL_PORT is changed")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chosen_source_tweets_are_deleted() {
    let site = Site::with_user("editor").await;
    let tweets: Vec<Value> = (1..=3)
        .map(|number| {
            json!({ "Tweet ID": number.to_string(), "Content": format!("Idea {number}"),
                    "Date": "2025-08-14T14:30:00Z", "Likes": number })
        })
        .collect();
    let report = json!({ "execution_id": "run 1", "tweets": tweets });
    site.call(Method::POST, "/api/check-duplicate-tweet", Some(report)).await;
    let browser = Browser::open(1280, 900, true).await;
    site.sign_in(&browser, "/sources?sort=likes").await;
    browser.until("document.querySelectorAll('#sources li').length === 3").await;
    check(&browser, "sources").await;

    let delete = "document.querySelectorAll('[name=ids]')[0].click(); \
                  document.querySelectorAll('[name=ids]')[2].click(); \
                  document.getElementById('chosen').requestSubmit()";
    browser.run(delete).await;
    browser.until("document.querySelectorAll('#sources li').length === 1").await;
    browser.until("document.getElementById('sources').innerText.includes('Idea 2')").await;
    // The filters stay.
    assert_eq!(browser.run("return location.search").await, "?sort=likes");
}
