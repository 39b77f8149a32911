//! Every page is drawn from samples of every state, and looked at without a browser.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId};
use waggle_kernel::{Actor, Clock as _, FixedClock, Scope, Scopes, Version};
use waggle_twitter_n8n::{
    Action, BatchStatus, CampaignBatch, GeneratedTweet, HistoryAction, HistoryEntry,
    NewGeneratedTweet, Status, StatusCounts,
};

use super::{BatchPage, BatchesPage, MessagePage, ReviewPage, TweetPage};
use crate::Page;
use crate::ops::OPS;
use crate::shell::{Section, Shell};

const VIEWER: Scopes = Scopes::of(&[Scope::Read]);
const EDITOR: Scopes = Scopes::of(&[Scope::Read, Scope::Write]);
const APPROVER: Scopes = Scopes::of(&[Scope::Read, Scope::Write, Scope::Approve]);
/// What must stay text.
const MARKUP: &str = "<b>\"bold\"</b> & 'more' <script>alert(1)</script>";

fn shell(scopes: Scopes) -> Shell {
    let (user, section) = (MARKUP.to_owned(), Section::Review);
    Shell { user, scopes, section, is_sandbox_only: true }
}

fn tweet(id: i64, content: &str) -> GeneratedTweet {
    let new = NewGeneratedTweet {
        engagement_hook: MARKUP.to_owned(),
        theme_connection: MARKUP.to_owned(),
        ..NewGeneratedTweet::new(format!("t-{id}"), content)
    };
    let now = FixedClock::noon().now();
    GeneratedTweet::received(GeneratedTweetId::new(id), CampaignBatchId::new(id / 2), new, now)
}

/// A tweet in each status.
fn tweets() -> Vec<GeneratedTweet> {
    let now = FixedClock::noon().now();
    let approved = |id| tweet(id, MARKUP).approve(&Actor::system(), now).unwrap();
    vec![
        tweet(1, MARKUP),
        tweet(2, &"long ".repeat(70)),
        tweet(3, "first").edit(Some("second".to_owned()), None, now).unwrap(),
        approved(4),
        tweet(5, "no").reject(now).unwrap(),
        tweet(6, "gone").delete(now).unwrap(),
    ]
}

fn batch(id: i64, is_deleted: bool) -> CampaignBatch {
    let now = FixedClock::noon().now();
    let mut counts = StatusCounts::default();
    counts.add(Status::Draft, id);
    CampaignBatch {
        id: CampaignBatchId::new(id),
        batch_id: MARKUP.to_owned(),
        claimed_batch_id: MARKUP.to_owned(),
        analysis_summary: Value::Null,
        brand_alignment_score: Some(8.5),
        total_tweets: 1,
        ready_for_deployment: 1,
        source_type: String::new(),
        title: MARKUP.to_owned(),
        description: String::new(),
        generated_at: None,
        execution_id: None,
        status: BatchStatus::Draft,
        counts,
        received_from: String::new(),
        unauthenticated: id == 1,
        created_at: now,
        deleted_at: is_deleted.then_some(now),
        version: Version::FIRST,
    }
}

fn review(scopes: Scopes) -> String {
    let (next, batches) = (Some("cursor".to_owned()), [batch(0, false), batch(1, false)]);
    ReviewPage::new(shell(scopes), &tweets(), &batches, next, false).render().unwrap()
}

fn history() -> Vec<HistoryEntry> {
    let entry = |(id, action)| HistoryEntry {
        id,
        action,
        actor: MARKUP.to_owned(),
        at: FixedClock::noon().now(),
        from: Status::Draft,
        to: Status::Approved,
        content_before: Some(MARKUP.to_owned()),
        content_after: Some("after".to_owned()),
        note: Some(MARKUP.to_owned()),
    };
    (1..).zip(HistoryAction::ALL).map(entry).collect()
}

/// All pages in all states.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for (role, scopes) in [("viewer", VIEWER), ("editor", EDITOR), ("approver", APPROVER)] {
        pages.insert(format!("review {role}"), review(scopes));
        let batches = [batch(1, false), batch(0, true)];
        let next = || Some("cursor".to_owned());
        let all = BatchesPage::new(shell(scopes), &batches, next(), false);
        pages.insert(format!("batches {role}"), all.render().unwrap());
        for is_first in [true, false] {
            let none = BatchesPage::new(shell(scopes), &[], None, is_first);
            pages.insert(format!("no batches {role} {is_first}"), none.render().unwrap());
            let of = (&batches[usize::from(is_first)], vec![MARKUP.to_owned()]);
            let page = BatchPage::new(shell(scopes), of, &tweets(), next(), is_first);
            pages.insert(format!("batch {role} {is_first}"), page.render().unwrap());
        }
        let nothing = |is_first| ReviewPage::new(shell(scopes), &[], &[], None, is_first);
        pages.insert(format!("nothing {role}"), nothing(true).render().unwrap());
        pages.insert(format!("nothing more {role}"), nothing(false).render().unwrap());
        for tweet in tweets() {
            let name = format!("{} {role}", tweet.id());
            let page = TweetPage::new(shell(scopes), &tweet, history()).render().unwrap();
            pages.insert(name, page);
        }
        let tweet = TweetPage::new(shell(scopes), &tweet(1, "one"), Vec::new());
        pages.insert(format!("no history {role}"), tweet.render().unwrap());
    }
    let (text, request_id) = (MARKUP.to_owned(), MARKUP.to_owned());
    let message = MessagePage { shell: shell(VIEWER), title: "Title", text, request_id };
    pages.insert("message".to_owned(), message.render().unwrap());
    pages
}

/// The values of an attribute.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    page.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn what_people_and_workflows_wrote_stays_text() {
    for (name, page) in pages() {
        assert!(!page.contains("<b>") && !page.contains("<script>"), "{name}");
        assert!(page.contains("&#60;script&#62;"), "{name}: {page}");
    }
}

#[test]
fn each_page_has_one_heading_a_title_and_no_id_twice() {
    for (name, page) in pages() {
        assert_eq!(page.matches("<h1").count(), 1, "{name}");
        assert!(page.contains(" · Waggle</title>"), "{name}");
        let ids = values(&page, "id");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{name}: {ids:?}");
        for label in values(&page, "for").into_iter().chain(values(&page, "aria-labelledby")) {
            assert!(ids.contains(&label), "{name}: {label}");
        }
    }
}

/// The content security policy allows neither scripts nor styles in a page.
#[test]
fn pages_have_no_scripts_and_styles_of_their_own() {
    for (name, page) in pages() {
        assert!(!page.contains(" style=") && !page.contains("<style"), "{name}");
        assert!(!page.contains(" onclick") && !page.contains("javascript:"), "{name}");
        assert_eq!(page.matches("<script").count(), 1, "{name}");
    }
}

#[test]
fn each_control_is_an_operation_that_the_user_may_call() {
    for (role, scopes) in [("viewer", VIEWER), ("editor", EDITOR), ("approver", APPROVER)] {
        let page = review(scopes);
        let calls = values(&page, "data-op").into_iter().zip(values(&page, "data-method"));
        for ((id, method), path) in calls.zip(values(&page, "data-path")) {
            let op = OPS.iter().find(|op| op.id == id).unwrap();
            assert!(scopes.grant(op.scope), "{role}: {id}");
            let (begin, end) = op.path.split_once("{id}").unwrap();
            assert_eq!(method, op.method, "{role}");
            assert!(path.starts_with(begin) && path.ends_with(end), "{role}: {path}");
        }
        let undo = values(&page, "data-undo-path").into_iter().filter(|path| !path.is_empty());
        for path in undo {
            let is_known = OPS.iter().any(|op| {
                let (begin, end) = op.path.split_once("{id}").unwrap();
                scopes.grant(op.scope) && path.starts_with(begin) && path.ends_with(end)
            });
            assert!(is_known, "{role}: {path}");
        }
    }
}

#[test]
fn roles_see_the_controls_that_they_may_use() {
    let of = |scopes| {
        let page = review(scopes);
        values(&page, "data-op").iter().map(ToString::to_string).collect::<BTreeSet<_>>()
    };
    let names = |names: &[&str]| {
        names.iter().map(|name| format!("{name}_generated_tweet")).collect::<BTreeSet<_>>()
    };

    assert_eq!(of(VIEWER), names(&[]));
    assert_eq!(of(EDITOR), names(&["edit", "reject", "restore", "delete"]));
    let all = ["approve", "withdraw", "edit", "reject", "restore", "delete"];
    assert_eq!(of(APPROVER), names(&all));
}

#[test]
fn a_text_that_is_too_long_has_no_control_to_approve_it() {
    let long = tweet(2, &"long ".repeat(70));
    let page = TweetPage::new(shell(APPROVER), &long, Vec::new()).render().unwrap();

    assert!(long.status().after(Action::Approve).is_some());
    assert!(!values(&page, "data-op").contains(&"approve_generated_tweet"));
    assert!(page.contains("cannot be approved: the text has 350 characters"), "{page}");
}
