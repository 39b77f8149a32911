//! The contracts of the ports, as tests to be run against every implementation.

#![expect(clippy::expect_used, reason = "a contract that is broken stops the test")]

pub mod codes;
pub mod factors;
#[cfg(test)]
pub(crate) mod scene;

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use waggle_kernel::ids::{SessionId, UserId};
use waggle_kernel::{
    Actor, Budget, Clock as _, FixedClock, Limit, Limits, PageRequest, Scope, Scopes, Version,
};

use crate::auth_event::{AuthEventFilter, Client, EventKind, NewAuthEvent};
use crate::people::password::StoredPassword;
use crate::people::role::Role;
use crate::people::setup_link::SetUpEnded;
use crate::people::user::{AfterApproval, Login, NewUser, PersonName, User};
use crate::ports::{
    AuthEventRepository, EndSessions, InsertUserError, KnownToken, SaveUserError,
    SessionRepository, SetupRepository, TokenRepository, UserRepository,
};
use crate::sessions::session::{NewSession, SessionLife};
use crate::tokens::token::{NewApiToken, OwnedToken, StoredHash};

fn token(public_id: &str) -> NewApiToken {
    NewApiToken {
        public_id: public_id.to_owned(),
        hash: StoredHash([7; 32]),
        name: "n8n".to_owned(),
        owner: None,
        scopes: Scopes::of(&[Scope::Ingest, Scope::Read]),
        created_at: FixedClock::noon().now(),
        expires_at: Some(FixedClock::noon().now() + Duration::days(1)),
    }
}

/// A token is found with all of its data.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_token_is_found_as_it_was_kept(tokens: Arc<dyn TokenRepository>) {
    let id = tokens
        .insert(&token("00000000000a"), &event(EventKind::TokenCreated, None))
        .await
        .expect("the store answers");

    let KnownToken { token: found, hash, owner } =
        tokens.find("00000000000a").await.expect("the store answers").expect("it is there");

    assert_eq!(found.id, id);
    assert_eq!(found.scopes, token("").scopes);
    assert_eq!(found.expires_at, token("").expires_at);
    assert_eq!((found.revoked_at, found.last_used_at), (None, None));
    assert_eq!((hash, owner), (StoredHash([7; 32]), None));
    assert_eq!(tokens.find("00000000000b").await.expect("the store answers"), None);
    assert!(
        tokens.insert(&token("00000000000a"), &event(EventKind::TokenCreated, None)).await.is_err(),
        "a public id is unique"
    );
}

/// Of many concurrent first tokens, only one is stored.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn the_first_token_is_kept_once(tokens: Arc<dyn TokenRepository>) {
    let mut tasks = Vec::new();
    for number in 0..8 {
        let tokens = Arc::clone(&tokens);
        let token = token(&format!("0000000000{number:02}"));
        let made = event(EventKind::TokenCreated, None);
        tasks.push(tokio::spawn(async move { tokens.insert_first(&token, &made).await }));
    }
    let mut kept = 0;
    for task in tasks {
        let first = task.await.expect("it does not panic").expect("the store answers");
        kept += usize::from(first.is_some());
    }

    assert_eq!(kept, 1);
    assert_eq!(tokens.list(None).await.expect("the store answers").len(), 1);
}

/// A token is revoked once, and its use is recorded.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_token_is_ended_once(tokens: Arc<dyn TokenRepository>) {
    let now = FixedClock::noon().now();
    let id = tokens
        .insert(&token("00000000000a"), &event(EventKind::TokenCreated, None))
        .await
        .expect("the store answers");

    tokens.touch(id, now).await.expect("the store answers");
    let ended = event(EventKind::TokenRevoked, None);
    let strange = tokens.revoke("00000000000a", Some(UserId::new(7)), &ended).await;
    assert!(!strange.expect("the store answers"), "it is not that user's");
    let first = tokens.revoke("00000000000a", None, &ended).await.expect("the store answers");
    let second = tokens.revoke("00000000000a", None, &ended).await.expect("the store answers");

    assert!(first && !second);
    let list = tokens.list(None).await.expect("the store answers");
    assert_eq!(list.first().map(|owned| owned.token.revoked_at), Some(Some(now)));
    assert_eq!(list.first().map(|owned| owned.token.last_used_at), Some(Some(now)));
}

/// A token belongs to its owner, and is found with the owner's current state.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_token_has_an_owner(
    tokens: Arc<dyn TokenRepository>,
    users: Arc<dyn UserRepository>,
    sessions: Arc<dyn SessionRepository>,
) {
    let joe = made(&users, "joe", Role::Editor).await;
    let told = event(EventKind::TokenCreated, Some(joe.id));
    let owned = NewApiToken { owner: Some(joe.id), ..token("00000000000a") };
    let opened = sessions.open(&session(joe.id, 1), &joe, &password(), &told).await;
    let here = opened.expect("the store answers").expect("it is kept");
    let ask = async |session| tokens.insert_own(joe.id, &owned, session, &told).await;
    let gone = ask(SessionId::new(9_999)).await.expect("the store answers");
    assert_eq!(gone, None, "the session that asks for it has ended");
    assert!(ask(here).await.expect("the store answers").is_some());
    tokens.insert(&token("00000000000b"), &told).await.expect("it is kept");

    let shut_out = User { is_active: false, ..joe.clone() };
    let boss = made(&users, "boss", Role::Admin).await;
    assert!(boss.is_active);
    users.save(&shut_out, EndSessions::All, &told).await.expect("it is saved");

    let found = tokens.find("00000000000a").await.expect("the store answers").expect("it is there");
    assert_eq!(found.owner.map(|owner| (owner.id, owner.is_active)), Some((joe.id, false)));
    let own = tokens.list(Some(joe.id)).await.expect("the store answers");
    let whose = |one: &OwnedToken| one.owner.as_ref().map(|owner| (owner.id, owner.is_active));
    assert_eq!(own.iter().map(whose).collect::<Vec<_>>(), [Some((joe.id, false))]);
    assert_eq!(tokens.list(None).await.expect("the store answers").len(), 2);
    assert!(tokens.revoke("00000000000a", Some(joe.id), &told).await.expect("it answers"));
}

pub(crate) fn noon() -> DateTime<Utc> {
    FixedClock::noon().now()
}

/// Returns an active user with a password.
///
/// # Panics
///
/// Never; all texts are valid.
pub fn user(id: i64, role: Role) -> User {
    User {
        id: UserId::new(id),
        username: "joe".parse().expect("it is a name"),
        email: "joe@example.com".parse().expect("it is an address"),
        email_verified_at: Some(noon()),
        first_name: PersonName::default(),
        last_name: PersonName::default(),
        role,
        is_active: true,
        is_super_admin: false,
        has_password: true,
        has_second_factor: false,
        time_zone: None,
        after_approval: AfterApproval::default(),
        date_joined: noon(),
        last_login: None,
        version: Version::FIRST,
    }
}

fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        username: name.parse().expect("it is a name"),
        email: format!("{name}@example.com").parse().expect("it is an address"),
        email_verified_at: None,
        first_name: "Jo".parse().expect("it is a name"),
        last_name: PersonName::default(),
        role,
        is_super_admin: false,
        password: password(),
        date_joined: noon(),
    }
}

fn event(kind: EventKind, user: Option<UserId>) -> NewAuthEvent {
    NewAuthEvent {
        kind,
        user,
        email: "Joe@example.com".to_owned(),
        by: Actor::system().reference(),
        client: Client::new("10.0.0.7".parse().ok(), "curl/8", "request-1".to_owned()),
        metadata: json!({ "why": "a test" }),
        at: noon(),
        mails: Vec::new(),
    }
}

fn session(user: UserId, byte: u8) -> NewSession {
    NewSession {
        hash: StoredHash([byte; 32]),
        user,
        client: Client::new("10.0.0.7".parse().ok(), "curl/8", String::new()),
        created_at: noon(),
        life: SessionLife { idle: Duration::hours(1), absolute: Duration::hours(12) },
        is_pending: false,
    }
}

fn password() -> StoredPassword {
    StoredPassword("$argon2id$x".to_owned())
}

/// Stores an active user with this name and role.
///
/// # Panics
///
/// If the store does not answer.
pub async fn made(users: &Arc<dyn UserRepository>, name: &str, role: Role) -> User {
    let kept = users.insert(&new_user(name, role), &event(EventKind::UserCreated, None)).await;
    let id = kept.expect("the user is kept");
    users.find(id).await.expect("the store answers").expect("the user is there")
}

/// A user is stored once, regardless of case, and found by address and name.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_user_is_kept_once_and_found(
    users: Arc<dyn UserRepository>,
    events: Arc<dyn AuthEventRepository>,
) {
    let joe = made(&users, "Joe", Role::Editor).await;
    assert_eq!((joe.email.as_str(), joe.version), ("joe@example.com", Version::FIRST));
    assert!(joe.is_active && joe.has_password && joe.last_login.is_none());

    let told = event(EventKind::UserCreated, None);
    let again = users.insert(&new_user("joe", Role::Viewer), &told).await;
    let other = NewUser {
        email: "other@example.com".parse().expect("it is an address"),
        ..new_user("JOE", Role::Viewer)
    };
    let same_name = users.insert(&other, &told).await;
    assert!(matches!(again, Err(InsertUserError::EmailTaken)), "{again:?}");
    assert!(matches!(same_name, Err(InsertUserError::UsernameTaken)), "{same_name:?}");

    for login in ["joe", "JOE", "joe@example.com", "Joe@Example.com"] {
        let login: Login = login.parse().expect("it is a login");
        let (found, password) =
            users.find_login(&login).await.expect("the store answers").expect("it is there");
        assert_eq!((found.id, password.0.as_str()), (joe.id, "$argon2id$x"));
    }
    let nobody: Login = "nobody".parse().expect("it is a login");
    assert!(users.find_login(&nobody).await.expect("the store answers").is_none());
    let told = events
        .list(&AuthEventFilter::default(), PageRequest::first(Limit::DEFAULT))
        .await
        .expect("the store answers");
    assert_eq!(told.items.len(), 1, "who was not made is not written down");
    let told = told.items.first().expect("it is there");
    assert_eq!((told.user, told.ip.as_str()), (Some(joe.id), "10.0.0.7"));
    assert_eq!(told.metadata, json!({ "why": "a test" }));
}

/// Of several concurrent users with the same address, only one is stored.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn concurrent_users_of_one_address_are_one(users: Arc<dyn UserRepository>) {
    let mut rivals = Vec::new();
    for _ in 0..8 {
        let users = Arc::clone(&users);
        rivals.push(tokio::spawn(async move {
            users.insert(&new_user("joe", Role::Viewer), &event(EventKind::UserCreated, None)).await
        }));
    }
    let mut kept = 0;
    for rival in rivals {
        let result = rival.await.expect("no panic");
        assert!(matches!(result, Ok(_) | Err(InsertUserError::EmailTaken)), "{result:?}");
        kept += i32::from(result.is_ok());
    }
    assert_eq!(kept, 1);
}

/// A set-up link makes one admin, while there is no user: the last one that was stored, until it
/// expires, and of concurrent attempts only one.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn one_link_makes_one_admin(
    setup: Arc<dyn SetupRepository>,
    users: Arc<dyn UserRepository>,
) {
    let told = event(EventKind::SetupLinkCreated, None);
    let until = noon() + Duration::hours(1);
    let link = |byte| StoredHash([byte; 32]);
    assert!(setup.has_no_user().await.expect("the store answers"));
    for byte in [1, 2] {
        assert!(setup.store_link(&link(byte), until, &told).await.expect("the store answers"));
    }
    for (byte, at, is) in [(1, noon(), false), (2, noon(), true), (2, until, false)] {
        let found = setup.is_link(&link(byte), at).await.expect("the store answers");
        assert_eq!(found, is, "{byte} {at}");
    }
    let attempt = |byte, at, name: &'static str| {
        let setup = Arc::clone(&setup);
        async move {
            let told = NewAuthEvent { at, ..event(EventKind::UserCreated, None) };
            let admin = new_user(name, Role::Admin);
            setup.complete(&link(byte), &admin, &told).await.expect("the store answers")
        }
    };
    assert_eq!(attempt(1, noon(), "ana").await, SetUpEnded::Refused, "it was replaced");
    assert_eq!(attempt(2, until, "ana").await, SetUpEnded::Refused, "it has expired");
    assert!(setup.has_no_user().await.expect("the store answers"));

    let rivals = ["ana", "ben", "cem", "dan"].map(|name| tokio::spawn(attempt(2, noon(), name)));
    let mut made = Vec::new();
    for rival in rivals {
        match rival.await.expect("no panic") {
            SetUpEnded::Done(id) => made.push(id),
            ended => assert_eq!(ended, SetUpEnded::Closed),
        }
    }
    let page = users.list(PageRequest::first(Limit::DEFAULT)).await.expect("the store answers");
    assert_eq!(page.items.iter().map(|user| user.id).collect::<Vec<_>>(), made);
    assert_eq!(page.items.iter().map(|user| user.role).collect::<Vec<_>>(), [Role::Admin]);

    // From then on there are no links.
    assert!(!setup.has_no_user().await.expect("the store answers"));
    assert!(!setup.store_link(&link(3), until, &told).await.expect("the store answers"));
    assert_eq!(attempt(2, noon(), "eve").await, SetUpEnded::Closed);
}

/// A user is only saved over the version that was read, and one active admin always remains.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn the_last_admin_stays(users: Arc<dyn UserRepository>) {
    let one = made(&users, "one", Role::Admin).await;
    let two = made(&users, "two", Role::Admin).await;
    let changed = |user: &User| User { role: Role::Viewer, ..user.clone() };
    let told = |user: &User| event(EventKind::RoleChanged, Some(user.id));

    let save = |user: User| {
        let users = Arc::clone(&users);
        let told = told(&user);
        tokio::spawn(async move { users.save(&changed(&user), EndSessions::All, &told).await })
    };
    let (first, second) = (save(one.clone()), save(two.clone()));
    let results = [first.await.expect("no panic"), second.await.expect("no panic")];

    let refused =
        results.iter().filter(|result| matches!(result, Err(SaveUserError::LastAdmin))).count();
    assert_eq!(refused, 1, "{results:?}");
    let stale = User { version: Version::new(7), ..changed(&one) };
    let stale = users.save(&stale, EndSessions::None, &told(&one)).await;
    assert!(matches!(stale, Err(SaveUserError::Stale)), "{stale:?}");
    let page = users.list(PageRequest::first(Limit::DEFAULT)).await.expect("the store answers");
    let admins = page.items.iter().filter(|user| user.role == Role::Admin).count();
    assert_eq!((page.items.len(), admins), (2, 1));
}

/// What a user changes of themselves is found again.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn own_changes_are_kept(users: Arc<dyn UserRepository>) {
    let joe = made(&users, "joe", Role::Editor).await;
    let eve = made(&users, "eve", Role::Editor).await;
    assert_eq!((joe.time_zone, joe.after_approval), (None, AfterApproval::Nothing));

    for (time_zone, after_approval) in [
        ("Asia/Kathmandu".parse().ok(), AfterApproval::Publish),
        (None, AfterApproval::Schedule),
        (None, AfterApproval::Nothing),
    ] {
        let before = users.find(joe.id).await.expect("the store answers").expect("it is there");
        let first_name = "Joe".parse().expect("it is a name");
        let after = User { first_name, time_zone, after_approval, ..before };
        let changed = event(EventKind::UserChanged, Some(joe.id));
        let version = users.save(&after, EndSessions::None, &changed).await.expect("it is saved");
        let found = users.find(joe.id).await.expect("the store answers").expect("it is there");
        assert_eq!(found, User { version, ..after });
    }
    assert_eq!(users.find(eve.id).await.expect("the store answers"), Some(eve));
}

/// A session is found by its hash until it ends, and only its owner can end it.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_session_lives_until_it_is_ended(
    users: Arc<dyn UserRepository>,
    sessions: Arc<dyn SessionRepository>,
) {
    let joe = made(&users, "joe", Role::Editor).await;
    let eve = made(&users, "eve", Role::Admin).await;
    let opened = event(EventKind::LoginSuccess, Some(joe.id));
    let mut ids = Vec::new();
    for byte in 1..=3 {
        let kept = sessions.open(&session(joe.id, byte), &joe, &password(), &opened).await;
        ids.push(kept.expect("the store answers").expect("it is kept"));
    }
    let hash = |byte| StoredHash([byte; 32]);
    let find = async |byte| sessions.find(&hash(byte)).await.expect("the store answers");

    let (found, of) = find(1).await.expect("it is there");
    assert_eq!((found.user, of.last_login), (joe.id, Some(noon())));
    assert_eq!(found.idle_until, noon() + Duration::hours(1));
    assert_eq!(found.ends_at, noon() + Duration::hours(12));
    let later = noon() + Duration::minutes(30);
    let first = *ids.first().expect("it is there");
    sessions.touch(first, later, later + Duration::hours(1)).await.expect("the store answers");
    let (touched, _) = find(1).await.expect("it is there");
    assert_eq!((touched.last_used_at, touched.idle_until), (later, later + Duration::hours(1)));

    let told = event(EventKind::SessionRevoked, Some(joe.id));
    assert!(!sessions.end(eve.id, first, &told).await.expect("the store answers"));
    assert!(sessions.end(joe.id, first, &told).await.expect("the store answers"));
    assert!(!sessions.end(joe.id, first, &told).await.expect("the store answers"));
    assert!(find(1).await.is_none());
    sessions.touch(first, later, later).await.expect("the store answers");
    assert!(find(1).await.is_none(), "using an ended session does not bring it back");

    let open = sessions.list(joe.id, noon()).await.expect("the store answers");
    assert_eq!(open.len(), 2);
    let last = *ids.last().expect("it is there");
    let others = EndSessions::AllBut(last);
    assert_eq!(sessions.end_all(joe.id, others, &told).await.expect("the store answers"), 1);
    assert!(find(2).await.is_none() && find(3).await.is_some());
    let after = noon() + Duration::days(1);
    assert!(sessions.list(joe.id, after).await.expect("the store answers").is_empty());
    let shut_out = User { is_active: false, ..joe };
    users.save(&shut_out, EndSessions::All, &told).await.expect("it is saved");
    assert!(find(3).await.is_none());
    assert!(!sessions.end(shut_out.id, SessionId::new(999), &told).await.expect("it answers"));
}

/// A budget is used up exactly, also under concurrency, and is full again after its window.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_budget_is_used_up_exactly(limits: Arc<dyn Limits>) {
    let budget = |key: &str| Budget { key: key.to_owned(), most: 5, window: Duration::minutes(5) };
    let mut takers = Vec::new();
    for n in 0..12 {
        let (limits, budgets) = (Arc::clone(&limits), [budget("one"), budget(&format!("own-{n}"))]);
        takers.push(tokio::spawn(async move { limits.take(&budgets, noon()).await }));
    }
    let mut refusals = Vec::new();
    for taker in takers {
        let exhausted = taker.await.expect("no panic").expect("the store answers");
        if let Some(exhausted) = exhausted {
            assert_eq!(
                (exhausted.budget, exhausted.until),
                (budget("one"), noon() + Duration::minutes(5))
            );
            refusals.push(exhausted.refusals);
        }
    }
    refusals.sort_unstable();
    assert_eq!(refusals, [1, 2, 3, 4, 5, 6, 7], "five were granted, and each refusal is counted");

    let (one, behind) = ([budget("one")], [budget("one"), budget("behind")]);
    let take = async |budgets: &[Budget], at| limits.take(budgets, at).await.expect("it answers");
    assert!(take(&behind, noon()).await.is_some());
    let later = noon() + Duration::minutes(6);
    for _ in 0..5 {
        assert_eq!(take(&[budget("behind")], noon()).await, None, "it was not counted");
        assert_eq!(take(&one, later).await, None, "it is whole again");
    }
    assert!(take(&one, later).await.is_some());
    let fresh = [budget("fresh")];
    for _ in 0..9 {
        assert_eq!(limits.take(&fresh, noon()).await.expect("the store answers"), None);
        limits.give_back(&fresh).await.expect("the store answers");
    }
}

/// The store always knows whether any user has a password from Django.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn imported_passwords_are_counted(users: Arc<dyn UserRepository>) {
    let joe = made(&users, "joe", Role::Editor).await;
    let any = async || users.any_imported_password().await.expect("the store answers");
    assert!(!any().await);

    let old = StoredPassword("pbkdf2_sha256$1000$seasalt$c2Vh".to_owned());
    let set = users.set_password(joe.id, None, &old, EndSessions::None, None).await;
    assert!(set.expect("the store answers") && any().await);
    let set = users.set_password(joe.id, None, &password(), EndSessions::None, None).await;
    assert!(set.expect("the store answers") && !any().await);
}

/// A session is opened, and a password replaced, only if the user has not changed since it was
/// read.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn an_outdated_proof_opens_no_session(
    users: Arc<dyn UserRepository>,
    sessions: Arc<dyn SessionRepository>,
) {
    let joe = made(&users, "joe", Role::Editor).await;
    let boss = made(&users, "boss", Role::Admin).await;
    assert!(boss.is_active);
    let told = event(EventKind::LoginSuccess, Some(joe.id));
    let open = async |user: &User, password: &StoredPassword| {
        sessions.open(&session(joe.id, 9), user, password, &told).await.expect("it answers")
    };
    let new = StoredPassword("$argon2id$new".to_owned());

    let reset = users.set_password(joe.id, None, &new, EndSessions::All, None).await;
    assert!(reset.expect("the store answers"));
    assert_eq!(open(&joe, &password()).await, None, "the password was reset");
    let (none, old) = (EndSessions::None, StoredPassword("$argon2id$old".to_owned()));
    let upgrade = users.set_password(joe.id, Some(password()), &old, none, None).await;
    assert!(!upgrade.expect("the store answers"), "the reset stays");
    let promoted = User { role: Role::Admin, ..joe.clone() };
    let version = users.save(&promoted, EndSessions::All, &told).await.expect("it is saved");
    assert_eq!(open(&joe, &new).await, None, "the role was changed");
    let promoted = User { version, ..promoted };
    assert!(open(&promoted, &new).await.is_some());
    let shut_out = User { is_active: false, ..promoted.clone() };
    users.save(&shut_out, EndSessions::All, &told).await.expect("it is saved");
    assert_eq!(open(&promoted, &new).await, None, "the user was deactivated");
}
