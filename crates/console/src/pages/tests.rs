//! Every page is drawn from samples of every state, and looked at without a browser.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde_json::{Value, json};
use waggle_accounts::{AfterApproval, ApiToken, OwnedToken, Passkey, Role, Session, User, Visitor};
use waggle_content::{
    Backlog, Delivery, DeliveryState, Metrics, Platform, Post, PostFilter, PostStatus, Prepared,
    PublicAddress, TwitterDetails,
};
use waggle_kernel::ids::{
    CampaignBatchId, DeliveryId, GeneratedTweetId, PasskeyId, PostId, SessionId, SourceTweetId,
    TokenId, UserId,
};
use waggle_kernel::{Actor, Clock as _, Event, FixedClock, Scope, Scopes, Version};
use waggle_notifications::{Choices, Delivery as Way, Kind, Notification};
use waggle_settings::{
    Action as SettingAction, DECLARATIONS, Group, Past, Revision, Shown, ShownChange, Source,
};
use waggle_twitter_n8n::{
    Action, BatchFilter, BatchStatus, CampaignBatch, Engagement, GeneratedTweet, HistoryAction,
    HistoryEntry, NewGeneratedTweet, NewSourceTweet, SourceTweet, SourceTweetTotals, Status,
    StatusCounts,
};

use super::{
    AccountPage, AuditFilter, AuditPage, BatchPage, BatchesPage, Check, CheckState, ChecksPage,
    Factors, HelpPage, HomePage, MessagePage, NotificationsPage, PostPage, PostsPage, PostsWith,
    PublishingPage, ReviewPage, SandboxPage, SettingsHistoryPage, SettingsPage, SetupState,
    SignInPage, SourceFilter, SourcesPage, TokensPage, TweetPage, UsersPage,
};
use crate::Page;
use crate::links::Links;
use crate::ops::{OPS, Op};
use crate::shell::{Section, Shell};

const VIEWER: Scopes = Scopes::of(&[Scope::Read]);
const EDITOR: Scopes = Scopes::of(&[Scope::Read, Scope::Write, Scope::Ingest]);
const APPROVER: Scopes =
    Scopes::of(&[Scope::Read, Scope::Write, Scope::Ingest, Scope::Approve, Scope::Publish]);
const ADMIN: Scopes = Scopes::of(&[
    Scope::Ingest,
    Scope::Read,
    Scope::Write,
    Scope::Approve,
    Scope::Publish,
    Scope::Admin,
]);
const ROLES: [(&str, Scopes); 4] =
    [("viewer", VIEWER), ("editor", EDITOR), ("approver", APPROVER), ("admin", ADMIN)];
/// What must stay text.
const MARKUP: &str = "<b>\"bold\"</b> & 'more' <script>alert(1)</script>";

fn shell(scopes: Scopes) -> Shell {
    Shell {
        user: MARKUP.to_owned(),
        scopes,
        zone: "Europe/Berlin".parse().unwrap(),
        section: Section::Review,
        is_sandbox_only: true,
        needs_person: true,
        unread: 3,
        after_approval: AfterApproval::Publish,
    }
}

/// The links of a page in the middle of a list, or of the only one.
fn links(is_only: bool) -> Links {
    let to = |place: &str| (!is_only).then(|| format!("/list?q=%3Cb%3E&cursor={place}"));
    Links { here: "/list".to_owned(), first: to("first"), next: to("next") }
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
    let batches = [batch(0, false), batch(1, false)];
    ReviewPage::new(shell(scopes), &tweets(), &batches, links(false)).render().unwrap()
}

/// A post in each status, held, and public twice. All are made from the approved tweet.
fn posts() -> Vec<Post> {
    let now = FixedClock::noon().now();
    let post = |id, status| Post {
        id: PostId::new(id),
        platform: Platform::X,
        content: MARKUP.to_owned(),
        status,
        scheduled_time: Some(now),
        published_time: Some(now),
        due_at: Some(now),
        is_held: false,
        platform_post_id: String::new(),
        url: "javascript:alert(1)".to_owned(),
        public: Vec::new(),
        attempts: 1,
        last_error: Some(MARKUP.to_owned()),
        approved_hash: tweet(4, MARKUP).publication().hash(),
        approved_by: MARKUP.to_owned(),
        approved_at: now,
        metrics: Metrics::default(),
        hashtags: Value::Null,
        mentions: Value::Null,
        media_urls: Value::Null,
        twitter: Some(TwitterDetails {
            generated_tweet: Some(GeneratedTweetId::new(4)),
            ..TwitterDetails::default()
        }),
        created_at: now,
        updated_at: now,
        version: Version::FIRST,
    };
    let mut posts: Vec<Post> =
        (1..).zip(PostStatus::ALL).map(|(id, status)| post(id, status)).collect();
    posts.push(Post { is_held: true, ..post(8, PostStatus::Scheduled) });
    let public = |id: &str| PublicAddress {
        platform_post_id: id.to_owned(),
        url: format!("https://x.com/i/web/status/{id}"),
    };
    posts.push(Post { public: vec![public("1"), public("2")], ..post(9, PostStatus::Unknown) });
    posts
}

/// A delivery in each state, of the first post.
fn deliveries() -> Vec<Delivery> {
    let now = FixedClock::noon().now();
    let delivery = |(number, state)| Delivery {
        id: DeliveryId::new(i64::from(number)),
        post: PostId::new(1),
        attempt: number,
        state,
        prepared: Prepared {
            platform: Platform::X,
            channel: MARKUP.to_owned(),
            key: MARKUP.to_owned(),
            request: json!({ "text": MARKUP }),
            hash: tweet(4, MARKUP).publication().hash(),
            marker: None,
        },
        started_at: now,
        settled_at: Some(now),
        platform_post_id: None,
        error: Some(MARKUP.to_owned()),
        looks: number,
    };
    (1..).zip(DeliveryState::ALL).map(delivery).collect()
}

/// A source tweet: processed, with a run, lapsed or waiting.
fn source(id: i64) -> SourceTweet {
    let now = FixedClock::noon().now();
    SourceTweet {
        id: SourceTweetId::new(id),
        report: NewSourceTweet {
            tweet_id: id.to_string(),
            url: "javascript:alert(1)".to_owned(),
            tweet_url: if id == 1 { "https://x.com/a/status/1" } else { "data:text/html,x" }.into(),
            content: MARKUP.to_owned(),
            engagement: Engagement::default(),
            date: now,
            date_raw: MARKUP.to_owned(),
            status: MARKUP.to_owned(),
        },
        execution_id: MARKUP.to_owned(),
        source_url: MARKUP.to_owned(),
        received_from: MARKUP.to_owned(),
        unauthenticated: true,
        processed_at: now,
        refreshed_at: None,
        is_processed: id == 1,
        leased_until: match id {
            2 => Some(now + TimeDelta::hours(1)),
            3 => Some(now),
            _ => None,
        },
        offers: 1,
    }
}

/// The pages of posts, for a user with these scopes.
fn post_pages(scopes: Scopes) -> Vec<String> {
    let (posts, deliveries, tweets) = (posts(), deliveries(), tweets());
    let with =
        |posts| PostsWith { posts, deliveries: &deliveries, tweets: tweets.get(3..4).unwrap() };
    let filter = PostFilter { status: Some(PostStatus::Failed), ..PostFilter::default() };
    let list = |filter: &PostFilter, posts, is_only| {
        let ignored = vec![MARKUP.to_owned()];
        PostsPage::new(shell(scopes), filter, ignored, with(posts), links(is_only)).render()
    };
    let publishing = |posts, unknown| {
        let backlog = Backlog { unknown, ..Backlog::default() };
        let (lag, none) = (TimeDelta::minutes(7), PostsWith::default());
        let approved = (tweets.get(3..4).unwrap(), [].as_slice());
        PublishingPage::new(shell(scopes), backlog, lag, [with(posts), none, none], approved)
            .render()
    };
    let timeline = [("sandbox-1".to_owned(), MARKUP.to_owned(), FixedClock::noon().now())];
    let setup = |is_done| SetupState {
        has_second_factor: true,
        has_address: is_done,
        has_domain: is_done,
        has_mail: is_done,
        has_batch: is_done,
        has_x: is_done,
    };
    let home = |waiting, setup, batches: &[CampaignBatch]| {
        let backlog = Backlog::default();
        HomePage::new(
            shell(scopes),
            waiting,
            backlog,
            with(&posts),
            (batches, batches.is_empty()),
            setup,
        )
        .render()
    };
    let all_sources: Vec<SourceTweet> = (1..=4).map(source).collect();
    let sources = |tweets: &[SourceTweet], totals, is_only| {
        let chosen = SourceFilter { search: MARKUP.to_owned(), ..SourceFilter::default() };
        let chosen = (if is_only { SourceFilter::default() } else { chosen }, Vec::new());
        let now = FixedClock::noon().now();
        SourcesPage::new(shell(scopes), chosen, totals, tweets, now, links(is_only)).render()
    };
    let mut pages = vec![
        home((0, false), Some(setup(false)), &[]),
        home((1, false), None, &[batch(1, false)]),
        home((50, true), Some(setup(true)), &[batch(1, false)]),
        sources(&all_sources, Some(SourceTweetTotals::default()), false),
        sources(&[], None, false),
        sources(&[], None, true),
        list(&filter, &posts, false),
        list(&filter, &[], true),
        list(&PostFilter::default(), &[], true),
        list(&PostFilter::default(), &[], false),
        publishing(&posts, 77),
        publishing(&[], 0),
        SandboxPage::new(shell(scopes), timeline).render(),
        SandboxPage::new(shell(scopes), []).render(),
    ];
    for post in &posts {
        pages.push(PostPage::new(shell(scopes), post, &deliveries, tweets.get(3)).render());
        let tweet = tweets.get(3).unwrap();
        pages.push(TweetPage::new(shell(scopes), tweet, Some(post), Vec::new()).render());
    }
    pages.into_iter().collect::<Result<_, _>>().unwrap()
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

/// A setting of each kind, from each source.
fn settings() -> Vec<Shown> {
    let of = |key: &str| DECLARATIONS.iter().find(|declared| declared.key == key).unwrap();
    let values = [
        ("DEFAULT_FROM_EMAIL", json!(MARKUP)),
        ("EMAIL_PORT", json!(7)),
        ("EMAIL_USE_TLS", json!(true)),
        ("ALLOWED_DOMAIN", json!([MARKUP, "b"])),
        ("EMAIL_HOST_PASSWORD", Value::Null),
        ("LIMITS", json!({ "a": MARKUP })),
    ];
    let sources = [Source::Database, Source::Environment, Source::Default];
    let shown = |((key, value), source): ((&str, Value), Source)| Shown {
        key: key.to_owned(),
        declaration: Some(of(key)),
        is_set: true,
        value,
        last4: Some("last".to_owned()),
        source,
        version: Revision(3),
        updated_at: (source == Source::Database).then(|| FixedClock::noon().now()),
        updated_by: (source == Source::Database).then(|| MARKUP.to_owned()),
    };
    let mut all: Vec<Shown> =
        values.into_iter().zip(sources.into_iter().cycle()).map(shown).collect();
    all.push(Shown { value: json!(MARKUP), ..Shown::gone("CUSTOM".to_owned()) });
    all
}

/// The pages of settings, users, tokens and the audit log. Only admins get most of them.
fn admin_pages(scopes: Scopes) -> Vec<String> {
    let now = FixedClock::noon().now();
    let users: Vec<User> = (1..=3)
        .map(|id| User {
            username: format!("user-{id}").parse().unwrap(),
            first_name: "Jo".parse().unwrap(),
            is_active: id != 2,
            has_second_factor: id == 3,
            last_login: (id == 1).then_some(now),
            ..waggle_accounts::testing::user(id, Role::Editor)
        })
        .collect();
    let token = |number: i64, owner: Option<User>| OwnedToken {
        token: ApiToken {
            id: TokenId::new(number),
            public_id: format!("{number:012}"),
            name: MARKUP.to_owned(),
            owner: owner.as_ref().map(|owner| owner.id),
            scopes: ADMIN,
            created_at: now,
            expires_at: (number == 2).then_some(now),
            revoked_at: (number == 3).then_some(now),
            last_used_at: Some(now),
        },
        owner,
    };
    let own = Shell { user: "user-1".to_owned(), ..shell(scopes) };
    let mut tokens = vec![token(1, users.first().cloned())];
    let mut pages = vec![];
    if scopes.grant(Scope::Admin) {
        tokens.extend((1..=3).map(|number| token(number + 3, users.last().cloned())));
        tokens.extend((1..=3).map(|number| token(number, None)).skip(1));
        let settings = settings();
        let change = |to| ShownChange {
            revision: Revision(7),
            key: "CUSTOM".to_owned(),
            action: SettingAction::Set,
            from: Past::NotSet,
            to,
            at: now,
            by: MARKUP.to_owned(),
        };
        let changes = [change(Past::Secret), change(Past::Value(json!(MARKUP)))];
        let event = Event {
            position: 7,
            kind: MARKUP.to_owned(),
            object_kind: "post".to_owned(),
            object_id: "3".to_owned(),
            version: None,
            actor: "user:1".to_owned(),
            user: None,
            request_id: String::new(),
            at: now,
            change: json!({ "status": MARKUP }).as_object().cloned().unwrap_or_default(),
            personal: json!({ "actor": MARKUP, "note": 7 }).as_object().cloned(),
        };
        let other =
            Event { position: 6, object_kind: MARKUP.to_owned(), personal: None, ..event.clone() };
        let events = [event, other];
        let filter = AuditFilter { kind: MARKUP.to_owned(), ..AuditFilter::default() };
        let ignored = vec![MARKUP.to_owned()];
        pages.extend([
            SettingsPage::new(own.clone(), Group::Mail, ignored, &settings).render(),
            SettingsPage::new(shell(scopes), Group::Custom, Vec::new(), &[]).render(),
            SettingsHistoryPage::new(shell(scopes), None, &changes, links(false)).render(),
            SettingsHistoryPage::new(shell(scopes), Some(MARKUP), &[], links(true)).render(),
            UsersPage::new(shell(scopes), &users, links(false)).render(),
            AuditPage::new(shell(scopes), filter, vec![MARKUP.into()], &events, links(false))
                .render(),
            AuditPage::new(shell(scopes), AuditFilter::default(), Vec::new(), &[], links(true))
                .render(),
        ]);
    }
    if scopes.grant(Scope::Admin) {
        let states = [CheckState::Ok, CheckState::Warning, CheckState::Failed];
        let check = |state| Check {
            title: "Mail",
            state,
            found: format!("`{MARKUP}` is found"),
            remedy: if state == CheckState::Ok { String::new() } else { MARKUP.to_owned() },
        };
        let checks = states.map(check).into();
        pages.push(ChecksPage { shell: shell(scopes), checks }.render());
    }
    pages.push(HelpPage { shell: shell(scopes), home: MARKUP.to_owned() }.render());
    pages.push(TokensPage::new(own, &tokens, now).render());
    pages.push(TokensPage::new(shell(scopes), &[], now).render());
    pages.into_iter().collect::<Result<_, _>>().unwrap()
}

/// The page of notifications: of each kind, read and unread, and without any.
fn notification_pages(scopes: Scopes) -> Vec<String> {
    let now = FixedClock::noon().now();
    let of = |(id, kind): (i64, Kind)| Notification {
        id,
        kind,
        object: "7".to_owned(),
        summary: MARKUP.to_owned(),
        created_at: now,
        read_at: (id % 2 == 0).then_some(now),
    };
    let all: Vec<Notification> = (1..).zip(Kind::all_for(scopes)).map(of).collect();
    let mut choices = Choices::default();
    for (kind, delivery) in Kind::ALL.into_iter().zip(Way::ALL.into_iter().cycle()) {
        choices.set(kind, delivery);
    }
    let page = |shell, items: &[Notification], choices: &Choices, is_only| {
        NotificationsPage::new(shell, items, choices, links(is_only)).render().unwrap()
    };
    let all_read = Shell { unread: 0, ..shell(scopes) };
    let many = Shell { unread: 100, ..shell(scopes) };
    vec![
        page(shell(scopes), &all, &choices, true),
        page(many, &all, &choices, false),
        page(all_read.clone(), &[], &Choices::default(), true),
        page(all_read, &[], &Choices::default(), false),
    ]
}

#[test]
fn the_bell_counts_what_is_unread() {
    let pages = notification_pages(ADMIN);

    assert!(pages[0].contains(r#"<span class="unread">3<span"#), "{}", pages[0]);
    assert!(pages[1].contains(r#"<span class="unread">99+<span"#), "{}", pages[1]);
    assert!(!pages[2].contains(r#"class="unread""#) && pages[2].contains("Nothing needs you."));
}

#[test]
fn times_are_in_the_zone_of_the_user() {
    let page = &notification_pages(ADMIN)[0];

    assert!(page.contains(r#" title="1 Jan 2026, 12:00 UTC">1 Jan 2026, 13:00</time>"#), "{page}");
    assert!(page.contains(r#"data-zone="Europe/Berlin">Europe/Berlin</span>"#));
}

/// The account of a user with and without second factors, and the sign-in in each view.
fn account_pages(scopes: Scopes) -> Vec<String> {
    let now = FixedClock::noon().now();
    let role = Role::ALL.into_iter().find(|role| role.scopes() == scopes).unwrap_or(Role::Admin);
    let session = |id| Session {
        id: SessionId::new(id),
        user: UserId::new(1),
        created_at: now,
        authenticated_at: now,
        last_used_at: now,
        idle_until: now,
        ends_at: now,
        ip: MARKUP.to_owned(),
        user_agent: if id == 1 { MARKUP.to_owned() } else { String::new() },
        is_pending: false,
    };
    let passkey = |id| Passkey {
        id: PasskeyId::new(id),
        name: MARKUP.to_owned(),
        credential_id: Vec::new(),
        key: Vec::new(),
        state: Vec::new(),
        created_at: now,
        last_used_at: (id == 1).then_some(now),
    };
    let (sessions, passkeys) = ([session(1), session(2)], [passkey(1), passkey(2)]);
    let account = |has_factors: bool, has_password, is_enrolling| {
        let zone = has_factors.then(|| "Europe/Berlin".parse().unwrap());
        let user =
            User { has_password, time_zone: zone, ..waggle_accounts::testing::user(1, role) };
        let visitor = Visitor { user, session: session(1) };
        let factors = Factors {
            has_totp: has_factors,
            passkeys: if has_factors { &passkeys } else { &[] },
            recovery_codes_left: u32::from(has_factors),
            can_have_passkeys: has_factors,
        };
        AccountPage::new(shell(scopes), &visitor, factors, &sessions, is_enrolling).render()
    };
    let sign_in = |view, has_google| {
        let (can_register, signed_in_as) = (has_google, MARKUP.to_owned());
        SignInPage {
            view,
            back_after: 3,
            return_to: "/".to_owned(),
            has_google,
            can_register,
            signed_in_as,
        }
        .render()
    };
    let pages = [
        account(true, true, false),
        account(false, false, false),
        account(true, true, true),
        account(false, true, true),
        sign_in("", true),
        sign_in("foreign-domain", false),
    ];
    pages.into_iter().map(Result::unwrap).collect()
}

/// All pages in all states.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for (role, scopes) in ROLES {
        pages.insert(format!("review {role}"), review(scopes));
        let batches = [batch(1, false), batch(0, true)];
        let all = {
            let filter = BatchFilter { search: Some(MARKUP.to_owned()), ..BatchFilter::default() };
            BatchesPage::new(shell(scopes), &filter, vec![MARKUP.into()], &batches, links(false))
        };
        pages.insert(format!("batches {role}"), all.render().unwrap());
        for is_first in [true, false] {
            let none = {
                let (all, none) = (BatchFilter::default(), Vec::new());
                BatchesPage::new(shell(scopes), &all, none, &[], links(is_first))
            };
            pages.insert(format!("no batches {role} {is_first}"), none.render().unwrap());
            let sources = if is_first { vec![source(1), source(2)] } else { Vec::new() };
            let of = (&batches[usize::from(is_first)], (sources.len(), &*sources));
            let (tweets, posts) = (tweets(), posts());
            let page = BatchPage::new(shell(scopes), of, (&tweets, &posts), links(is_first));
            pages.insert(format!("batch {role} {is_first}"), page.render().unwrap());
        }
        let nothing = |is_first| ReviewPage::new(shell(scopes), &[], &[], links(is_first));
        pages.insert(format!("nothing {role}"), nothing(true).render().unwrap());
        pages.insert(format!("nothing more {role}"), nothing(false).render().unwrap());
        for tweet in tweets() {
            let name = format!("{} {role}", tweet.id());
            let page = TweetPage::new(shell(scopes), &tweet, None, history()).render().unwrap();
            pages.insert(name, page);
        }
        let tweet = TweetPage::new(shell(scopes), &tweet(1, "one"), None, Vec::new());
        pages.insert(format!("no history {role}"), tweet.render().unwrap());
        let others = post_pages(scopes).into_iter().chain(admin_pages(scopes));
        let others = others.chain(notification_pages(scopes)).chain(account_pages(scopes));
        for (number, page) in others.enumerate() {
            pages.insert(format!("other {number} {role}"), page);
        }
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

#[test]
fn password_managers_find_their_fields() {
    let mut seen = BTreeSet::new();
    for (name, page) in pages() {
        for field in page.split("<input").skip(1) {
            let field = field.split('>').next().unwrap();
            let expected: &[&str] = if field.contains(r#"type="password""#) {
                &["current-password", "new-password", "off"]
            } else if field.contains(r#"name="code""#) {
                &["one-time-code"]
            } else if field.contains(r#"name="login""#) {
                &["username"]
            } else {
                continue;
            };
            let told = field.split(r#"autocomplete=""#).nth(1).unwrap_or_default();
            let told = told.split('"').next().unwrap();
            assert!(expected.contains(&told), "{name}: <input{field}>");
            seen.insert(told.to_owned());
        }
    }
    assert!(seen.len() >= 4, "{seen:?}");
}

#[test]
fn empty_pages_say_what_to_do() {
    let mut seen = 0;
    for (name, page) in pages() {
        for section in page.split(r#"class="empty""#).skip(1) {
            let section = section.split("</section>").next().unwrap();
            assert!(section.contains("<a href=\"/"), "{name}: {section}");
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen} empty pages");
}

/// The content security policy allows neither scripts nor styles in a page.
#[test]
fn pages_have_no_scripts_and_styles_of_their_own() {
    for (name, page) in pages() {
        assert!(!page.contains(" style=") && !page.contains("<style"), "{name}");
        assert!(!page.contains(" onclick") && !page.contains("javascript:"), "{name}");
        let modules = page.matches(r#"<script type="module" src="/assets/"#).count();
        assert_eq!((page.matches("<script").count(), modules > 0), (modules, true), "{name}");
    }
}

/// Before its scripts are loaded, a form does nothing. It does not put a password into an address.
#[test]
fn forms_send_nothing_by_themselves() {
    for (name, page) in pages() {
        for form in page.split("<form").skip(1) {
            let tag = form.split('>').next().unwrap();
            let is_filter = tag.contains(r#"class="filters" action="/"#);
            assert!(is_filter || tag.contains(r#"method="dialog""#), "{name}: <form{tag}>");
        }
    }
}

/// Whether a path is that of an operation, for some object.
fn is_path_of(op: &Op, path: &str) -> bool {
    let Some((begin, rest)) = op.path.split_once('{') else { return op.path == path };
    let (_, end) = rest.split_once('}').unwrap();
    path.starts_with(begin) && path.ends_with(end) && path.len() > begin.len() + end.len()
}

#[test]
fn each_control_is_an_operation_that_the_user_may_call() {
    for (role, scopes) in ROLES {
        let others =
            [admin_pages(scopes), notification_pages(scopes), account_pages(scopes)].concat();
        let page = [vec![review(scopes)], post_pages(scopes), others].concat().concat();
        let calls = values(&page, "data-op").into_iter().zip(values(&page, "data-method"));
        for ((id, method), path) in calls.zip(values(&page, "data-path")) {
            let op = OPS.iter().find(|op| op.id == id).unwrap();
            assert!(scopes.grant(op.scope), "{role}: {id}");
            assert_eq!(method, op.method, "{role}");
            assert!(is_path_of(op, path), "{role}: {path}");
        }
        let undo = values(&page, "data-undo-path").into_iter().filter(|path| !path.is_empty());
        for path in undo {
            let is_known = OPS.iter().any(|op| scopes.grant(op.scope) && is_path_of(op, path));
            assert!(is_known, "{role}: {path}");
        }
    }
}

#[test]
fn roles_see_the_controls_that_they_may_use() {
    let of = |scopes| {
        let others =
            [admin_pages(scopes), notification_pages(scopes), account_pages(scopes)].concat();
        let page = [vec![review(scopes)], post_pages(scopes), others].concat().concat();
        values(&page, "data-op").iter().map(ToString::to_string).collect::<BTreeSet<_>>()
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let editing =
        ["edit", "move", "reject", "restore", "delete"].map(|op| format!("{op}_generated_tweet"));

    // Everybody has an account and tokens of their own.
    let own = names(&[
        "create_token",
        "revoke_token",
        "update_me",
        "change_own_password",
        "remove_totp",
        "remove_passkey",
        "renew_recovery_codes",
        "end_session",
        "end_other_sessions",
    ]);
    let editing = own
        .iter()
        .cloned()
        .chain(editing)
        .chain(["delete_source_tweets", "create_sample_batch"].map(str::to_owned))
        .chain(["read_notifications", "update_notification_choices"].map(str::to_owned));
    let editing = editing.collect::<BTreeSet<_>>();
    let deciding = ["approve", "withdraw", "publish"].map(|op| format!("{op}_generated_tweet"));
    let posts = names(&[
        "cancel_post",
        "resolve_post",
        "approve_generated_tweets",
        "publish_generated_tweets",
    ]);
    // This one undoes another one only.
    let mut all: BTreeSet<String> = OPS.iter().map(|op| op.id.to_owned()).collect();
    all.remove("cancel_posts");

    assert_eq!(of(VIEWER), own);
    assert_eq!(of(EDITOR), editing);
    assert_eq!(of(APPROVER), editing.into_iter().chain(deciding).chain(posts).collect());
    assert_eq!(of(ADMIN), all);
}

#[test]
fn a_text_that_is_too_long_has_no_control_to_approve_it() {
    let long = tweet(2, &"long ".repeat(70));
    let page = TweetPage::new(shell(APPROVER), &long, None, Vec::new()).render().unwrap();

    assert!(long.status().after(Action::Approve).is_some());
    assert!(!values(&page, "data-op").contains(&"approve_generated_tweet"));
    assert!(page.contains("cannot be approved: the text has 350 characters"), "{page}");
}

#[test]
fn a_post_whose_outcome_is_unknown_shows_the_evidence_and_how_to_settle_it() {
    let unknown = Post { public: Vec::new(), ..posts().remove(8) };
    let delivery = Delivery { post: unknown.id, ..deliveries().remove(0) };
    let draw = |post: &Post| {
        PostPage::new(shell(APPROVER), post, std::slice::from_ref(&delivery), None).render()
    };
    let page = draw(&unknown).unwrap();

    assert!(page.contains("Attempt 1 began") && page.contains("does not know whether"), "{page}");
    assert_eq!(values(&page, "data-op"), ["update_me", "resolve_post", "resolve_post"]);
    assert!(page.contains(r#"name="url" type="url" required"#), "{page}");

    // If it is public twice, one copy is kept.
    let page = draw(&posts()[8]).unwrap();
    let bodies = values(&page, "data-body");
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies[1].contains("&#34;platform_post_id&#34;:&#34;2&#34;"), "{bodies:?}");
}

#[test]
fn addresses_that_are_none_of_the_web_are_no_links() {
    for page in post_pages(VIEWER) {
        for link in values(&page, "href") {
            assert!(
                link.starts_with(['/', '#']) || link.starts_with("https://") || link.is_empty(),
                "{link}"
            );
        }
    }
}
