//! What people see and change of their own: notifications, time zone, sign-in and factors.

use chrono::{NaiveDateTime, TimeDelta};
use reqwest::Method;
use serde_json::{Value, json};
use waggle_kernel::Zone;

use crate::driver::Browser;
use crate::{ESCAPE, PASSWORD, Site, check};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_told_until_a_matter_is_settled() {
    let site = Site::with_user("approver").await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/notifications").await;
    browser.until("document.getElementById('notifications').innerText.includes('Nothing')").await;
    check(&browser, "notifications-none").await;

    // The bell follows what happens.
    site.submit("b-1", &["One idea", "Another idea"]).await;
    browser.until("document.querySelector('#bell .unread')?.innerText.startsWith('1')").await;
    browser.until("document.querySelector('#notifications li')").await;
    check(&browser, "notifications").await;

    // A person chooses how to be told.
    browser.run("document.getElementById('choice-post_failed').value = 'console'").await;
    browser.run("document.getElementById('digest-hour').value = '17'").await;
    browser.run("document.getElementById('digest-hour').form.requestSubmit()").await;
    browser.until("document.getElementById('notice').innerText.includes('Saved')").await;
    let chosen = browser.evaluate("fetch('/api/v1/me/notifications').then((a) => a.json())").await;
    assert_eq!((&chosen["post_failed"], &chosen["digest_hour"]), (&json!("console"), &json!(17)));
    assert_eq!(chosen["batch_arrived"], "digest");

    // Opening it is reading it. It stays until nothing of the batch waits.
    browser.run("document.querySelector('#notifications li a').click()").await;
    browser.until("location.pathname === '/batches/1' && document.querySelector('.card')").await;
    browser.goto(&format!("{}/notifications", site.process.base)).await;
    let is_read = "document.querySelector('#notifications li') && \
                   !document.querySelector('#bell .unread')";
    browser.until(is_read).await;
    check(&browser, "notifications-read").await;
    for id in 1..=2 {
        site.call(Method::POST, &format!("/api/v1/generated-tweets/{id}/reject"), None).await;
    }
    browser.until("document.getElementById('notifications').innerText.includes('Nothing')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_in_the_zone_of_the_person() {
    let site = Site::with_drafts(&["One idea", "Another idea"]).await;
    let browser = Browser::open(390, 844, true).await;
    let zone = json!({ "timezoneId": "Europe/Berlin" });
    browser.devtools("Emulation.setTimezoneOverride", zone).await;
    site.sign_in(&browser, "/batches/1").await;
    let says =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");

    // The zone of the browser is taken over by one click.
    browser.until("!document.getElementById('other-zone').hidden").await;
    check(&browser, "other-zone").await;
    browser.run("document.querySelector('#other-zone form button').click()").await;
    browser.until("document.querySelector('[data-zone]')?.dataset.zone === 'Europe/Berlin'").await;
    browser.until("document.getElementById('other-zone')?.hidden").await;

    // What is entered is local time.
    let tweets = json!({ "tweets": [{ "id": 1, "version": 1 }] });
    site.call(Method::POST, "/api/v1/generated-tweets/approve-many", Some(tweets)).await;
    browser.until("document.getElementById('tweet-1-at')").await;
    let enter = |local: &str| {
        format!(
            "const at = document.getElementById('tweet-1-at'); at.value = '{local}'; \
             at.form.requestSubmit()"
        )
    };
    browser.run(&enter("2027-03-28T02:30")).await;
    browser.until(&says("clocks skip this time")).await;
    browser.run(&enter("2027-10-31T02:30")).await;
    browser.until("document.getElementById('twice').open").await;
    check(&browser, "twice").await;
    browser.run("document.querySelector('#twice button[value=\"1\"]').click()").await;
    browser.until(&says("is scheduled")).await;
    let post = site.call(Method::GET, "/api/v1/posts/1", None).await;
    assert_eq!(post["scheduled_time"], "2027-10-31T01:30:00+00:00");
    browser
        .until("document.getElementById('tweet-1').innerText.includes('31 Oct 2027, 02:30')")
        .await;

    // Scripts and server agree in 40 zones, over both changes of daylight saving.
    let zones: Vec<Zone> = Zone::all().step_by(15).take(40).collect();
    let mut wanted = Vec::new();
    for zone in &zones {
        for day in ["2027-03-28", "2027-10-31", "2027-04-04", "2027-09-05", "2027-07-01"] {
            for time in ["00:30", "01:15", "02:30", "03:00", "23:45"] {
                let local = format!("{day}T{time}");
                wanted.push(json!([zone.name(), &local, times_of(*zone, &local)]));
            }
        }
    }
    let cases: Vec<Value> = wanted.iter().map(|case| json!([case[0], case[1]])).collect();
    let program = format!(
        "import(document.querySelector('link[href$=\"zone.js\"]').href).then(({{ timesOf }}) => \
         {}.map(([zone, local]) => [zone, local, timesOf(local, zone)]))",
        json!(cases)
    );
    assert_eq!(browser.evaluate(&program).await, json!(wanted));
    assert_eq!(zones.len(), 40);
}

/// The times at which the clocks of a zone show this, by looking at each quarter of an hour.
fn times_of(zone: Zone, local: &str) -> Vec<String> {
    let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%dT%H:%M").unwrap();
    (-26 * 4..=26 * 4)
        .map(|quarters| local.and_utc() + TimeDelta::minutes(quarters * 15))
        .filter(|time| zone.local(*time) == local)
        .map(|time| time.format("%Y-%m-%dT%H:%M:%S.000Z").to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_managed_in_the_browser() {
    let site = Site::with_user("editor").await;
    let browser = Browser::open(390, 844, true).await;
    let account = format!("{}/account", site.process.base);
    browser.goto(&account).await;
    for view in ["sign-in", "register", "reset", "link"] {
        let place = if view == "link" { "reset=token" } else { view };
        browser.run(&format!("location.hash = '{place}'")).await;
        browser
            .until(&format!("document.querySelector('[data-for={view}]').checkVisibility()"))
            .await;
        check(&browser, &format!("account-{view}")).await;
    }
    site.sign_in(&browser, "/posts").await;
    browser.goto(&account).await;
    browser.until("document.getElementById('sessions')").await;
    check(&browser, "account").await;
    let says =
        |words: &str| format!("document.getElementById('notice').innerText.includes('{words}')");
    let submit = async |form: &str, fields: &[(&str, &str)]| {
        let fill = fields.iter().fold(String::new(), |fill, (name, value)| {
            fill + &format!("form.elements.{name}.value = '{value}';")
        });
        let script = format!("const form = document.querySelector('{form}'); {fill}");
        browser.run(&format!("{script} form.requestSubmit()")).await;
    };

    // Names and time zone are saved, and an empty name, too.
    let profile = "[data-op=update_me]:has(#zone)";
    submit(profile, &[("first_name", "Ana"), ("time_zone", "Asia/Kathmandu")]).await;
    browser.until("document.querySelector('[data-zone]').dataset.zone === 'Asia/Kathmandu'").await;
    browser.until("document.getElementById('first-name')?.value === 'Ana'").await;
    submit(profile, &[("first_name", "")]).await;
    browser.until("document.getElementById('first-name')?.value === ''").await;

    // The password is changed, which ends the other sessions.
    let other = Browser::open(1280, 800, false).await;
    site.sign_in(&other, "/review").await;
    browser.goto(&account).await;
    let sessions = "document.querySelectorAll('#sessions li').length";
    browser.until(&format!("{sessions} === 2")).await;
    let wanted = format!("{PASSWORD} again");
    submit("[data-op=change_own_password]", &[("present", PASSWORD), ("wanted", &wanted)]).await;
    browser.until(&says("password is changed")).await;
    browser.until(&format!("{sessions} === 1 && !document.getElementById('present').value")).await;

    // An authenticator app is added, after a proof with the new password if it is needed.
    submit("#add-totp", &[]).await;
    browser.until("document.getElementById('totp').open").await;
    check(&browser, "account-totp").await;
    submit("#confirm-totp", &[("code", "000000")]).await;
    browser.until("document.getElementById('totp-problem').innerText").await;
    let secret = browser.run("return document.getElementById('totp-secret').innerText").await;
    let secret = secret.as_str().unwrap().replace(' ', "");
    submit("#confirm-totp", &[("code", &code_of(&secret))]).await;
    browser.until("document.getElementById('secret').open").await;
    check(&browser, "account-codes").await;
    let codes = browser.run("return document.getElementById('secret-text').innerText").await;
    let codes: Vec<String> = codes.as_str().unwrap().lines().map(str::to_owned).collect();
    assert_eq!(codes.len(), 10);
    browser.press(None, ESCAPE).await;
    browser
        .until("document.getElementById('factors').innerText.includes('10 recovery codes')")
        .await;
    assert_eq!(browser.run("return document.getElementById('totp-secret').innerText").await, "");
    check(&browser, "account-factor").await;

    // A link for another account is shown, and its secret does not stay in the address.
    browser.goto(&format!("{account}?x=1#reset=secret-of-a-link")).await;
    browser.until("document.querySelector('[data-for=link]')?.checkVisibility()").await;
    let address = browser.run("return location.href").await;
    assert!(!address.as_str().unwrap().contains("secret"), "{address}");
    check(&browser, "account-link-signed-in").await;
    browser.goto(&account).await;

    // Signing in again asks for the second factor, and leads back.
    submit("#sign-out", &[]).await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
    browser.goto(&format!("{}/posts?status=failed", site.process.base)).await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
    submit("#sign-in", &[("login", "ana"), ("password", &wanted)]).await;
    browser.until("document.getElementById('factor').checkVisibility()").await;
    check(&browser, "account-second-factor").await;
    browser.goto(&account).await;
    browser.until("document.getElementById('factor')?.checkVisibility()").await;
    submit("#factor", &[("code", &codes[0])]).await;
    browser.until("location.pathname === '/' && document.getElementById('main')").await;
}

/// An admin who must have a second factor sets one up, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_sets_up_the_second_factor_that_is_required() {
    let site = Site::with_user("admin").await;
    site.set("ADMIN_SECOND_FACTOR_REQUIRED", "true", true).await;
    let browser = Browser::open(1280, 800, false).await;
    browser.goto(&format!("{}/account", site.process.base)).await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
    let fill = format!(
        "const form = document.getElementById('sign-in'); form.login.value = 'ana'; \
         form.password.value = '{PASSWORD}'; form.requestSubmit();"
    );
    browser.run(&fill).await;
    browser.until("document.getElementById('enrolling')").await;
    check(&browser, "account-enrolling").await;
    browser.run("document.getElementById('add-totp').requestSubmit()").await;
    browser.until("document.getElementById('totp').open").await;
    let secret = browser.run("return document.getElementById('totp-secret').innerText").await;
    let code = code_of(&secret.as_str().unwrap().replace(' ', ""));
    let confirm = format!(
        "const form = document.getElementById('confirm-totp'); \
         form.elements.code.value = '{code}'; form.requestSubmit()"
    );
    browser.run(&confirm).await;
    browser.until("document.getElementById('secret').open").await;

    browser.run("document.querySelector('#secret form').requestSubmit()").await;
    browser.until("location.pathname === '/' && document.querySelector('nav')").await;
}

/// The code that an authenticator app shows now.
fn code_of(secret: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp =
        totp_rs::Builder::new().with_secret(secret).with_account_name("ana").build().unwrap();
    totp.generate(u64::try_from(chrono::Utc::now().timestamp()).unwrap()).to_string()
}

/// A passkey is added, and then signs in as the second factor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_is_added_and_used() {
    let site = Site::with_user("approver").await;
    // Browsers have passkeys for names, not for IP addresses.
    let base = site.process.base.replace("127.0.0.1", "localhost");
    site.set("PUBLIC_URL", &base, format!("{base}/")).await;
    let browser = Browser::open(390, 844, false).await;
    browser.add_authenticator().await;
    let sign_in = format!(
        "const form = document.getElementById('sign-in'); form.login.value = 'ana'; \
         form.password.value = '{PASSWORD}'; form.requestSubmit();"
    );
    browser.goto(&format!("{base}/account")).await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
    browser.run(&sign_in).await;
    browser.until("location.pathname === '/' && document.getElementById('main')").await;

    browser.goto(&format!("{base}/account")).await;
    let add = "const form = document.getElementById('add-passkey'); \
               form.elements.name.value = 'My phone'; form.requestSubmit()";
    browser.run(add).await;
    browser.until("document.getElementById('secret').open").await;
    browser.press(None, ESCAPE).await;
    browser.until("document.getElementById('factors').innerText.includes('My phone')").await;
    check(&browser, "account-passkey").await;

    browser.run("document.getElementById('sign-out').requestSubmit()").await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
    browser.run(&sign_in).await;
    browser.until("document.getElementById('passkey')?.checkVisibility()").await;
    check(&browser, "account-with-passkey").await;
    browser.run("document.getElementById('passkey').requestSubmit()").await;
    browser.until("location.pathname === '/' && document.getElementById('main')").await;
}

/// After signing out, nothing of the pages is left in the browser.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_after_signing_out() {
    let site = Site::with_drafts(&["One secret idea"]).await;
    let browser = Browser::open(1280, 800, false).await;
    site.sign_in(&browser, "/review").await;
    browser.run("document.getElementById('tweet-1').focus()").await;
    browser.press(None, "e").await;
    browser.until("document.activeElement.name === 'content'").await;
    browser.press(None, " written").await;
    let kept = "return JSON.stringify([{ ...localStorage }, { ...sessionStorage }])";
    let before = browser.run(kept).await;
    assert!(before.as_str().unwrap().contains("One secret idea written"), "{before}");
    assert!(!before.as_str().unwrap().contains(PASSWORD), "{before}");

    browser.goto(&format!("{}/account", site.process.base)).await;
    browser.run("document.getElementById('sign-out').requestSubmit()").await;
    browser.until("document.getElementById('sign-in')?.checkVisibility()").await;

    let after = browser.run(kept).await;
    assert!(!after.as_str().unwrap().contains("secret idea"), "{after}");
    for _ in 0..2 {
        browser.run("history.back()").await;
        browser.until("document.getElementById('sign-in')?.checkVisibility()").await;
        let page = browser.run("return document.documentElement.outerHTML").await;
        assert!(!page.as_str().unwrap().contains("secret idea"), "{page}");
    }
}
