//! People decide about drafts.

use reqwest::Method;
use serde_json::json;

use crate::driver::Browser;
use crate::{ALT, ARROW_DOWN, ARROW_UP, CONTROL, DELETE, ENTER, ESCAPE, Site, check};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_reviewed_by_keyboard() {
    let site = Site::with_drafts(&["One idea", "Another idea", "A third idea"]).await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/review").await;
    check(&browser, "review").await;
    let focused = "document.activeElement.id";

    // Approves the first; the focus goes to the next that waits.
    browser.press(None, "j").await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    browser.press(None, "a").await;
    browser.until(&format!("{focused} === 'tweet-2'")).await;
    assert_eq!(site.status(1).await, "Approved");
    check(&browser, "review-approved").await;

    // A step is announced once.
    browser
        .run(
            "window.said = []; new MutationObserver(() => window.said.push(\
             document.getElementById('notice').innerText)).observe(\
             document.getElementById('notice'), { childList: true })",
        )
        .await;

    // Rejects the second, and undoes that.
    browser.press(None, "x").await;
    browser.until(&format!("{focused} === 'tweet-3'")).await;
    assert_eq!(site.status(2).await, "Rejected");
    browser.press(None, "u").await;
    browser.until(&format!("{focused} === 'tweet-2'")).await;
    assert_eq!(site.status(2).await, "Brand Aligned");

    let said = browser.run("return window.said").await;
    assert_eq!(said.as_array().unwrap().len(), 2, "{said}");

    // Deletes it, and undoes that, too.
    browser.press(None, DELETE).await;
    browser.until(&format!("{focused} === 'tweet-3'")).await;
    assert_eq!(site.status(2).await, "Deleted");
    browser.press(None, "u").await;
    browser.until(&format!("{focused} === 'tweet-2'")).await;
    assert_eq!(site.status(2).await, "Brand Aligned");

    // Undoes the approval, too. Then nothing is left to undo.
    browser.press(None, "u").await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    assert_eq!(site.status(1).await, "Brand Aligned");
    browser.press(None, "u").await;
    browser.until("document.getElementById('notice').innerText.includes('nothing')").await;

    // Edits, leaves the editor, saves, and undoes the edit.
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " and more ajx").await;
    browser.press(None, ESCAPE).await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    assert_eq!(site.status(1).await, "Brand Aligned", "letters in an editor do nothing else");
    browser.press(None, "e").await;
    check(&browser, "review-edit").await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until("document.getElementById('notice').innerText.includes('edited')").await;
    assert_eq!(site.tweet(1).await["content"], "One idea and more ajx");
    browser.press(None, "u").await;
    browser.until("document.getElementById('notice').innerText.includes('Undone')").await;
    assert_eq!(site.tweet(1).await["content"], "One idea");

    // Several steps on one tweet are undone one after the other.
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, "!").await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until("document.getElementById('notice').innerText.includes('edited')").await;
    browser.press(None, "a").await;
    browser.until(&format!("{focused} === 'tweet-2'")).await;
    browser.press(None, "u").await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    browser.until("document.getElementById('notice').innerText.includes('Undone')").await;
    browser.press(None, "u").await;
    browser.until("document.querySelector('#tweet-1 .text').innerText === 'One idea'").await;

    // The palette finds pages, and what can be done with the card that has the focus.
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(Some(CONTROL), "k").await;
    browser.until("document.getElementById('palette')?.open").await;
    check(&browser, "palette").await;
    browser.press(None, "reject tweet-1").await;
    browser
        .until("document.querySelector('#palette-list li').innerText.startsWith('Reject')")
        .await;
    browser.press(None, ENTER).await;
    browser.until("document.querySelector('#tweet-1 .state.off')").await;
    browser.press(None, "u").await;
    browser.until("document.querySelector('#tweet-1 .state.waits')").await;

    // With single keys off, no letter acts.
    browser.press(None, "?").await;
    browser.until("document.getElementById('keys').open").await;
    check(&browser, "keys").await;
    browser.run("document.getElementById('single-keys').click()").await;
    browser.press(None, ESCAPE).await;
    browser.until("!document.getElementById('keys').open").await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "a").await;
    browser.run("document.getElementById('single-keys').click()").await;
    assert_eq!(site.status(1).await, "Draft");

    browser.press(Some(CONTROL), "k").await;
    browser.until("document.getElementById('palette').open").await;
    browser.press(None, "publishing").await;
    browser.press(None, ENTER).await;
    browser.until("location.pathname === '/publishing'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_ten_is_decided_by_keyboard() {
    let long = "word ".repeat(80);
    let ideas: Vec<String> = (1..=9).map(|number| format!("Idea {number}")).collect();
    let texts: Vec<&str> = ideas.iter().map(String::as_str).chain([long.as_str()]).collect();
    let site = Site::with_drafts(&texts).await;
    let browser = Browser::open(1280, 900, false).await;
    site.sign_in(&browser, "/batches/1").await;
    let notice =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");
    let focused = "document.activeElement.id";

    // The first is rejected with a reason, the second is edited, the third is left out.
    browser.press(None, "n").await;
    browser.until(&format!("{focused} === 'tweet-1'")).await;
    browser.press(None, "X").await;
    browser.until("document.activeElement.name === 'reason'").await;
    browser.press(None, "off topic").await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until(&notice("rejected")).await;
    browser.until(&format!("{focused} === 'tweet-2'")).await;
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " improved").await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until(&notice("edited")).await;
    browser.press(None, "jm").await;
    browser.until("document.getElementById('tweet-3').matches('.out')").await;

    // While the question stands, somebody changes the fourth: it is not approved.
    browser.press(None, "A").await;
    browser.until("document.getElementById('approve-all').open").await;
    check(&browser, "approve-all").await;
    let count = "return document.getElementById('approve-count').innerText";
    assert_eq!(browser.run(count).await, "7");
    let change = Some(json!({ "content": "Idea 4 of Ben" }));
    site.call(Method::PATCH, "/api/v1/generated-tweets/4", change).await;
    browser.until("document.querySelector('#tweet-4 .text').innerText === 'Idea 4 of Ben'").await;
    browser.press(None, ENTER).await;
    browser.until(&notice("Approved: 6.")).await;
    check(&browser, "approved-all").await;
    let mut states = Vec::new();
    for id in 1..=10 {
        states.push(site.status(id).await);
    }
    let approved = ["Approved"; 5];
    let expected =
        [&["Rejected", "Approved", "Brand Aligned", "Draft"][..], &approved[..]].concat();
    assert_eq!(states[..9], expected[..], "{states:?}");
    assert_eq!(states[9], "Brand Aligned", "it is too long");

    // The question can be left, also after it was answered once.
    browser.press(None, "A").await;
    browser.until("document.getElementById('approve-all').open").await;
    browser.press(None, ESCAPE).await;
    browser.until("!document.getElementById('approve-all').open").await;
    assert_eq!(site.status(4).await, "Draft");

    // One undo takes all of them back, and the page keeps what was left out.
    browser.press(None, "u").await;
    browser.until(&notice("Undone")).await;
    for id in [2, 5, 6, 7, 8, 9] {
        assert_ne!(site.status(id).await, "Approved", "{id}");
    }
    browser.goto(&format!("{}/review", site.process.base)).await;
    browser.until("document.getElementById('tweet-3').matches('.out')").await;
    let history = site.call(Method::GET, "/api/v1/generated-tweets/1/history", None).await;
    assert_eq!(history["items"][0]["note"], "off topic", "{history}");

    // What is being written survives a reload.
    browser.run("document.getElementById('tweet-5').focus()").await;
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " unsaved").await;
    browser.goto(&format!("{}/review", site.process.base)).await;
    let field = "document.getElementById('tweet-5-text')";
    browser.until(&format!("{field}?.value === 'Idea 5 unsaved'")).await;
    browser.run(&format!("{field}.form.requestSubmit()")).await;
    browser.until(&notice("edited")).await;
    browser.goto(&format!("{}/review", site.process.base)).await;
    browser.until(&format!("{field}?.value === 'Idea 5 unsaved'")).await;
    let kept = "return Object.keys(sessionStorage).filter((key) => key.includes('tweet-5'))";
    assert_eq!(browser.run(kept).await, json!([]));
    browser.press(None, "gp").await;
    browser.until("location.pathname === '/publishing'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_do_is_seen_and_overwrites_nothing() {
    let site = Site::with_drafts(&["One idea", "Another idea"]).await;
    let browser = Browser::open(1280, 800, true).await;
    site.sign_in(&browser, "/review").await;
    let edit = |content: &str| Some(json!({ "content": content }));

    // A change elsewhere is drawn, and a new batch is announced.
    site.call(Method::PATCH, "/api/v1/generated-tweets/2", edit("Of Ben")).await;
    browser.until("document.querySelector('#tweet-2 .text').innerText === 'Of Ben'").await;
    site.submit("b-2", &["More"]).await;
    browser.until("!document.getElementById('fresh').hidden").await;
    check(&browser, "review-dark").await;

    // What is being written stays, and what somebody else saved is not overwritten.
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " of Ana").await;
    site.call(Method::PATCH, "/api/v1/generated-tweets/1", edit("One idea of Ben")).await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until("document.getElementById('notice').innerText.includes('somebody changed')").await;
    browser.until("document.querySelector('#tweet-1 .text').innerText === 'One idea of Ben'").await;
    let field = "document.getElementById('tweet-1-text').value";
    assert_eq!(browser.run(&format!("return {field}")).await, "One idea of Ana");
    assert_eq!(site.tweet(1).await["content"], "One idea of Ben");
    // The page shows how both differ.
    let parts = "return [...document.querySelectorAll('#tweet-1 .diff > *')].map((part) => \
                 `${part.localName} ${part.textContent.trim()}`)";
    assert_eq!(browser.run(parts).await, json!(["span One idea of", "del Ben", "ins Ana"]));
    check(&browser, "review-conflict").await;
    // The second time, the new version was seen.
    browser.run("document.getElementById('tweet-1-text').form.requestSubmit()").await;
    browser.until("document.getElementById('notice').innerText.includes('edited')").await;
    assert_eq!(site.tweet(1).await["content"], "One idea of Ana");
}

/// The tweets of a batch are put in order by key, by button and by dragging.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tweets_are_put_in_order() {
    let site = Site::with_drafts(&["One idea", "Another idea", "A third idea"]).await;
    let browser = Browser::open(1280, 1200, false).await;
    site.sign_in(&browser, "/batches/1").await;
    let shows = |order: &str| {
        format!(
            "[...document.querySelectorAll('.card')].map(({{ id }}) => id.slice(6)).join('') \
             === '{order}'"
        )
    };
    let stored = async || {
        let path = "/api/v1/generated-tweets?campaign_batch_id=1&order=asc";
        let list = site.call(Method::GET, path, None).await;
        let ids = list["items"].as_array().unwrap().iter().map(|tweet| tweet["id"].to_string());
        ids.collect::<String>()
    };
    let says =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");

    // By key. The focus stays, and the ends are told.
    browser.run("document.getElementById('tweet-3').focus()").await;
    browser.press(Some(ALT), ARROW_UP).await;
    browser.until(&shows("132")).await;
    assert_eq!(browser.run("return document.activeElement.id").await, "tweet-3");
    browser.press(Some(ALT), ARROW_UP).await;
    browser.until(&shows("312")).await;
    browser.press(Some(ALT), ARROW_UP).await;
    browser.until(&says("the first of its batch")).await;
    assert_eq!(stored().await, "312");

    // By button, which keeps the focus, too.
    browser.run("document.querySelector('#tweet-3 [data-move=down]').focus()").await;
    browser.press(None, ENTER).await;
    browser.until(&shows("132")).await;
    assert_eq!(browser.run("return document.activeElement.dataset.move").await, "down");

    // By dragging it behind the last one, or back when it is dropped nowhere.
    let handle = "#tweet-1 .handle";
    browser.drag(handle, "#tweet-2", 0.9, None).await;
    browser.until(&shows("321")).await;
    browser.until(&says("moved")).await;
    assert_eq!(stored().await, "321");
    browser.drag(handle, "#tweet-3", 0.1, Some(ESCAPE)).await;
    browser.until("!document.querySelector('.card.moves')").await;
    assert_eq!(stored().await, "321");
    check(&browser, "batch-ordered").await;

    // Each step is undone. Others see the order when they load the page.
    browser.press(None, "u").await;
    browser.until(&shows("132")).await;
    browser.press(None, "uuu").await;
    browser.until(&shows("123")).await;
    browser.until(&says("Undone")).await;
    assert_eq!(stored().await, "123");

    // A move between other steps does not stand in their way.
    browser.run("document.getElementById('tweet-2').focus()").await;
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, "!").await;
    browser.press(Some(CONTROL), ENTER).await;
    browser.until(&says("edited")).await;
    browser.press(Some(ALT), &format!("{ARROW_UP}{ARROW_UP}")).await;
    browser.until(&says("the first of its batch")).await;
    browser.until(&shows("213")).await;
    browser.press(None, "x").await;
    browser.until(&says("rejected")).await;
    browser.press(None, "uuu").await;
    browser.until("document.querySelector('#tweet-2 .text').innerText === 'Another idea'").await;
    browser.until(&shows("123")).await;
    browser.until(&says("Undone")).await;

    // What is undone is the place in the batch, of which the page may show only a part.
    site.call(Method::POST, "/api/v1/generated-tweets/2/reject", Some(json!({}))).await;
    browser.goto(&format!("{}/review", site.process.base)).await;
    browser.until(&shows("13")).await;
    browser.run("document.querySelector('#tweet-1 [data-move=down]').click()").await;
    browser.until(&shows("31")).await;
    assert_eq!(stored().await, "231");
    browser.press(None, "u").await;
    browser.until(&shows("13")).await;
    browser.until(&says("Undone")).await;
    assert_eq!(stored().await, "123");

    // What is undone waits for what is still being moved.
    site.call(Method::POST, "/api/v1/generated-tweets/2/restore", Some(json!({}))).await;
    browser.goto(&format!("{}/review", site.process.base)).await;
    browser.until(&shows("123")).await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(Some(ALT), &format!("{ARROW_DOWN}{ARROW_DOWN}")).await;
    browser.press(None, "u").await;
    browser.until(&says("Undone")).await;
    assert_eq!(browser.run(&format!("return {}", shows("213"))).await, true);
    assert_eq!(stored().await, "213");
    browser.goto(&format!("{}/tweets/1", site.process.base)).await;
    let place = "return document.querySelector('.place').checkVisibility()";
    assert_eq!(browser.run(place).await, false, "alone, it has no place");
}

/// Two people approve one tweet at once. One of them does, and the other one sees who.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_approves_and_the_other_sees_who() {
    let site = Site::with_drafts(&["One idea", "Another idea"]).await;
    crate::add_user(&site.database, "ben", "approver");
    let (ana, ben) = tokio::join!(Browser::open(1280, 800, false), Browser::open(1280, 800, false));
    site.sign_in(&ana, "/posts").await;
    site.sign_in_as("ben", &ben, "/posts").await;
    // They do not hear of each other, as on a slow network.
    for browser in [&ana, &ben] {
        browser.devtools("Network.enable", json!({})).await;
        let blocked = json!({ "urls": ["*/api/v1/changes"] });
        browser.devtools("Network.setBlockedURLs", blocked).await;
        browser.goto(&format!("{}/review", site.process.base)).await;
        browser.run("document.getElementById('tweet-1').focus()").await;
    }

    tokio::join!(ana.press(None, "a"), ben.press(None, "a"));

    let notice = "document.getElementById('notice').innerText";
    let approved = format!("{notice}.includes('tweet-1 approved')");
    let refused = format!("{notice}.includes('somebody changed this')");
    for browser in [&ana, &ben] {
        browser.until(&format!("{approved} || {refused}")).await;
    }
    let tweet = site.tweet(1).await;
    assert_eq!((&tweet["status"], &tweet["version"]), (&json!("Approved"), &json!(2)));
    let is_of_ana = tweet["approved_by"] == "user:1:ana";
    let (winner, loser, name) = if is_of_ana { (&ana, &ben, "ana") } else { (&ben, &ana, "ben") };
    assert_eq!(winner.run(&format!("return {approved}")).await, true);
    loser.until(&refused).await;
    let shown = format!("document.getElementById('tweet-1').innerText.includes('by {name},')");
    loser.until(&shown).await;
    loser.errors(&["net::ERR_BLOCKED_BY_CLIENT", "409 (Conflict)"]).await;
    check(loser, "review-approved-by-another").await;
}

/// A text stays in its editor when the session ends, until it can be saved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_survives_the_end_of_the_session() {
    let site = Site::with_drafts(&["One idea"]).await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/review").await;
    let page = browser.tab().await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " of Ana").await;

    // It ends in another tab.
    let other = browser.open_tab().await;
    browser.goto(&format!("{}/account", site.process.base)).await;
    browser.run("document.getElementById('sign-out').requestSubmit()").await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
    browser.use_tab(&page).await;
    browser.run("document.getElementById('tweet-1-text').form.requestSubmit()").await;
    browser.until("document.getElementById('notice').innerText.includes('signed out')").await;
    let field = "return document.getElementById('tweet-1-text').value";
    assert_eq!(browser.run(field).await, "One idea of Ana");
    check(&browser, "review-signed-out").await;

    browser.use_tab(&other).await;
    site.sign_in(&browser, "/posts").await;
    browser.use_tab(&page).await;
    browser.run("document.getElementById('tweet-1-text').form.requestSubmit()").await;
    browser.until("document.getElementById('notice').innerText.includes('edited')").await;
    assert_eq!(site.tweet(1).await["content"], "One idea of Ana");
}
