//! The contracts of the stores of codes and Google accounts, and of the queue of mails.

use std::sync::Arc;

use chrono::Duration;
use waggle_kernel::ids::{SessionId, UserId};
use waggle_kernel::{Limit, Mark, PageRequest, SealedSecret};

use super::{event, made, new_user, noon, password, session};
use crate::auth_event::{AuthEventFilter, EventKind, NewAuthEvent};
use crate::codes::code::{
    CODE_LIFE, Intent, MOST_TRIES, NewVerification, Purpose, Registration, Verification,
};
use crate::google::identity::GoogleIdentity;
use crate::mails::mail::{Letter, NewMail, QueuedMail};
use crate::people::password::StoredPassword;
use crate::people::role::Role;
use crate::people::user::{Login, User};
use crate::ports::{
    AuthEventRepository, CarryOutError, Effect, GoogleAccounts, MailQueue, NotSent,
    SessionRepository, TokenRepository, UserRepository, VerificationRepository,
};
use crate::tokens::token::{NewApiToken, StoredHash, TokensOnReset};

/// Returns a code whose hashes are each made of one byte.
fn verification(byte: u8, purpose: Purpose, address: &str, intent: Intent) -> NewVerification {
    NewVerification {
        purpose,
        address: address.parse().expect("it is an address"),
        flow: flow(byte),
        mark: Mark { key: "key".to_owned(), hash: [byte.wrapping_add(1); 32] },
        link: link(byte),
        intent,
        created_at: noon(),
        expires_at: noon() + CODE_LIFE,
    }
}

fn flow(byte: u8) -> StoredHash {
    StoredHash([byte; 32])
}

fn link(byte: u8) -> StoredHash {
    StoredHash([byte.wrapping_add(2); 32])
}

fn registration(name: &str) -> Registration {
    Registration {
        username: name.parse().expect("it is a name"),
        first_name: "Νίκη".parse().expect("it is a name"),
        last_name: "Doe".parse().expect("it is a name"),
        password: password(),
    }
}

fn google(subject: &str) -> GoogleIdentity {
    let issuer = "https://accounts.google.com".to_owned();
    GoogleIdentity { issuer, subject: subject.to_owned() }
}

fn told() -> NewAuthEvent {
    event(EventKind::RegisterRequest, None)
}

async fn kept(codes: &Arc<dyn VerificationRepository>, new: &NewVerification) -> Verification {
    codes.keep(new, &told()).await.expect("it is kept");
    let found = codes.find_link(&new.link, new.purpose, noon()).await;
    found.expect("the store answers").expect("it is there")
}

/// A code is found with all of its data, for its purpose only, and a new one for the same address
/// replaces it.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_code_is_found_as_it_was_kept(
    codes: Arc<dyn VerificationRepository>,
    users: Arc<dyn UserRepository>,
) {
    let joe = made(&users, "joe", Role::Viewer).await;
    let intents = [
        (Purpose::EmailVerification, Intent::Nothing),
        (Purpose::EmailVerification, Intent::Register(registration("joe"))),
        (Purpose::EmailVerification, Intent::ChangeAddress(joe.id)),
        (Purpose::PasswordReset, Intent::ResetPassword(joe.id)),
        (Purpose::GoogleVerification, Intent::LinkGoogle(joe.id, google("7"))),
        (Purpose::GoogleVerification, Intent::RegisterGoogle(registration("joe"), google("7"))),
    ];
    for (byte, (purpose, intent)) in (10..).step_by(5).zip(intents) {
        let new = verification(byte, purpose, "joe@example.com", intent);
        let found = kept(&codes, &new).await;
        let wanted = Verification {
            purpose,
            address: new.address.clone(),
            flow: new.flow.clone(),
            mark: new.mark.clone(),
            intent: new.intent.clone(),
        };
        assert_eq!(found, wanted);
        for other in Purpose::ALL.into_iter().filter(|other| *other != purpose) {
            let strange = codes.attempt(&new.flow, other, noon()).await;
            assert_eq!(strange.expect("the store answers"), None, "it is for {purpose:?}");
            let strange = codes.find_link(&new.link, other, noon()).await;
            assert_eq!(strange.expect("the store answers"), None);
        }
    }
    let new = |byte| {
        verification(byte, Purpose::PasswordReset, "joe@example.com", Intent::ResetPassword(joe.id))
    };
    kept(&codes, &new(100)).await;
    kept(&codes, &new(110)).await;
    let attempt = async |byte, at| {
        codes.attempt(&flow(byte), Purpose::PasswordReset, at).await.expect("the store answers")
    };
    assert_eq!(attempt(100, noon()).await, None, "another took its place");
    assert!(attempt(110, noon()).await.is_some());
    assert_eq!(attempt(110, noon() + CODE_LIFE).await, None, "its time is over");
    let late = codes.find_link(&link(110), Purpose::PasswordReset, noon() + CODE_LIFE).await;
    assert_eq!(late.expect("the store answers"), None);
    assert_eq!(attempt(200, noon()).await, None, "there is none such");
}

/// A code cannot be tried more often than allowed, also under concurrency.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn tries_are_counted_exactly(codes: Arc<dyn VerificationRepository>) {
    let new = verification(10, Purpose::PasswordReset, "joe@example.com", Intent::Nothing);
    kept(&codes, &new).await;

    let mut tries = Vec::new();
    for _ in 0..16 {
        let codes = Arc::clone(&codes);
        tries.push(tokio::spawn(async move {
            codes.attempt(&flow(10), Purpose::PasswordReset, noon()).await
        }));
    }
    let mut granted = 0;
    for one in tries {
        let found = one.await.expect("no panic").expect("the store answers");
        granted += i64::from(found.is_some());
    }

    assert_eq!(granted, MOST_TRIES);
    let renewed = verification(20, Purpose::PasswordReset, "joe@example.com", Intent::Nothing);
    kept(&codes, &renewed).await;
    let fresh = codes.attempt(&flow(20), Purpose::PasswordReset, noon()).await;
    assert!(fresh.expect("the store answers").is_some(), "another code starts from nothing");
}

/// Of many concurrent uses of a code, only one succeeds, and one user is created.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_code_is_used_once(
    codes: Arc<dyn VerificationRepository>,
    users: Arc<dyn UserRepository>,
    events: Arc<dyn AuthEventRepository>,
) {
    let (purpose, address) = (Purpose::EmailVerification, "joe@example.com");
    let intent = Intent::Register(registration("joe"));
    kept(&codes, &verification(10, purpose, address, intent)).await;
    let second = verification(20, Purpose::GoogleVerification, address, Intent::Nothing);
    kept(&codes, &second).await;

    let make =
        |name: &'static str| Effect::MakeUser { user: new_user(name, Role::Viewer), google: None };
    let mut rivals = Vec::new();
    for _ in 0..8 {
        let (codes, effect) = (Arc::clone(&codes), make("joe"));
        rivals.push(tokio::spawn(async move {
            codes.carry_out(Some(flow(10)), &effect, &event(EventKind::Registered, None)).await
        }));
    }
    let mut done = Vec::new();
    for rival in rivals {
        match rival.await.expect("no panic") {
            Ok(user) => done.extend(user),
            Err(error) => assert!(matches!(error, CarryOutError::AddressTaken), "{error}"),
        }
    }

    assert_eq!(done.len(), 1, "{done:?}");
    let first = PageRequest::first(Limit::DEFAULT);
    assert_eq!(users.list(first).await.expect("the store answers").items.len(), 1);
    let filter = AuthEventFilter { kind: Some(EventKind::Registered), ..Default::default() };
    let written = events.list(&filter, first).await.expect("the store answers").items;
    assert_eq!(written.iter().map(|event| event.user).collect::<Vec<_>>(), [done.first().copied()]);
    let again = codes.find_link(&link(10), purpose, noon()).await.expect("the store answers");
    assert_eq!(again, None, "it was used");
    let other = codes.attempt(&flow(20), Purpose::GoogleVerification, noon()).await;
    assert_eq!(other.expect("it answers"), None, "the others of the address ended with it");
    // Another user has the name. The code can be used again, with another name.
    let intent = Intent::Register(registration("joe"));
    kept(&codes, &verification(30, purpose, "other@example.com", intent)).await;
    let mut same_name = new_user("joe", Role::Viewer);
    same_name.email = "other@example.com".parse().expect("it is an address");
    let named = Effect::MakeUser { user: same_name.clone(), google: None };
    let taken = codes.carry_out(Some(flow(30)), &named, &told()).await;
    assert!(matches!(taken, Err(CarryOutError::UsernameTaken)), "{taken:?}");
    same_name.username = "joe2".parse().expect("it is a name");
    let renamed = Effect::MakeUser { user: same_name, google: Some(google("7")) };
    let late = NewAuthEvent { at: noon() + CODE_LIFE, ..told() };
    let late = codes.carry_out(Some(flow(30)), &renamed, &late).await.expect("it answers");
    assert_eq!(late, None, "its time is over");
    assert!(
        codes.carry_out(Some(flow(30)), &renamed, &told()).await.expect("it answers").is_some()
    );
}

/// A password reset ends what was open with the previous password, and changes nothing if the user
/// is not in the expected state.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_reset_ends_what_was_open(
    codes: Arc<dyn VerificationRepository>,
    users: Arc<dyn UserRepository>,
    sessions: Arc<dyn SessionRepository>,
    tokens: Arc<dyn TokenRepository>,
) {
    let joe = made(&users, "joe", Role::Viewer).await;
    sessions.open(&session(joe.id, 1), &joe, &password(), &told()).await.expect("it is open");
    let token = NewApiToken { owner: Some(joe.id), ..super::token("00000000000a") };
    tokens.insert(&token, &told()).await.expect("it is kept");
    let new = |byte, purpose| {
        verification(byte, purpose, "joe@example.com", Intent::ResetPassword(joe.id))
    };
    kept(&codes, &new(10, Purpose::PasswordReset)).await;
    kept(&codes, &new(20, Purpose::EmailVerification)).await;
    let effect = |address: &str, password: &str| Effect::SetPassword {
        user: joe.id,
        address: address.parse().expect("it is an address"),
        password: StoredPassword(password.to_owned()),
        tokens: TokensOnReset::Revoke,
    };
    let carry_out = async |byte, effect: &Effect| {
        codes.carry_out(Some(flow(byte)), effect, &told()).await.expect("the store answers")
    };

    assert_eq!(carry_out(10, &effect("other@example.com", "$x")).await, None);
    assert_eq!(carry_out(99, &effect("joe@example.com", "$x")).await, None);
    assert_eq!(carry_out(10, &effect("joe@example.com", "$argon2id$new")).await, Some(joe.id));
    assert_eq!(carry_out(10, &effect("joe@example.com", "$again")).await, None);

    let login = Login::Email(joe.email.clone());
    let (now, stored) = users.find_login(&login).await.expect("it answers").expect("it is there");
    assert_eq!(stored.0, "$argon2id$new");
    assert!(now.email_verified_at.is_some() && now.version > joe.version);
    assert!(sessions.list(joe.id, noon()).await.expect("it answers").is_empty());
    let found = tokens.find("00000000000a").await.expect("it answers").expect("it is there");
    assert!(found.token.revoked_at.is_some());
    let other = codes.find_link(&link(20), Purpose::EmailVerification, noon()).await;
    assert_eq!(other.expect("it answers"), None, "the user's other codes ended");
    made(&users, "boss", Role::Admin).await;
    let shut_out = User { is_active: false, ..now };
    users.save(&shut_out, super::EndSessions::All, &told()).await.expect("it is saved");
    kept(&codes, &new(30, Purpose::PasswordReset)).await;
    assert_eq!(
        carry_out(30, &effect("joe@example.com", "$x")).await,
        None,
        "the user stays deactivated"
    );
}

/// A Google account is linked to one user, a user to one Google account, and an address belongs to
/// one user.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_google_account_opens_one_user(
    codes: Arc<dyn VerificationRepository>,
    users: Arc<dyn UserRepository>,
    accounts: Arc<dyn GoogleAccounts>,
) {
    let joe = made(&users, "joe", Role::Viewer).await;
    let eve = made(&users, "eve", Role::Viewer).await;
    let effect = |user: &User, subject: &str| Effect::LinkGoogle {
        user: user.id,
        address: user.email.clone(),
        google: google(subject),
    };

    let linked = codes.carry_out(None, &effect(&joe, "7"), &told()).await.expect("it answers");

    assert_eq!(linked, Some(joe.id));
    let (found, _) = accounts.find(&google("7")).await.expect("it answers").expect("it is there");
    assert!(found.id == joe.id && found.email_verified_at.is_some());
    let is_linked = async |id: UserId| accounts.is_linked(id).await.expect("it answers");
    assert!(is_linked(joe.id).await && !is_linked(eve.id).await);
    assert!(accounts.find(&google("8")).await.expect("it answers").is_none());
    let elsewhere = GoogleIdentity { issuer: "https://evil.example".to_owned(), ..google("7") };
    assert!(accounts.find(&elsewhere).await.expect("it answers").is_none());
    for (user, subject) in [(&eve, "7"), (&joe, "8")] {
        let refused = codes.carry_out(None, &effect(user, subject), &told()).await;
        assert!(matches!(refused, Err(CarryOutError::AddressTaken)), "{refused:?}");
    }
    let take =
        Effect::SetAddress { user: eve.id, address: joe.email.clone(), spared: SessionId::new(1) };
    let refused = codes.carry_out(None, &take, &told()).await;
    assert!(matches!(refused, Err(CarryOutError::AddressTaken)), "{refused:?}");
}

/// The list of super admins only applies to verified addresses.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn the_list_of_super_admins_counts_for_verified_addresses(
    codes: Arc<dyn VerificationRepository>,
    users: Arc<dyn UserRepository>,
    sessions: Arc<dyn SessionRepository>,
) {
    let joe = made(&users, "joe", Role::Viewer).await;
    let eve = made(&users, "eve", Role::Viewer).await;
    let opened = sessions.open(&session(joe.id, 1), &joe, &password(), &told()).await;
    let spared = opened.expect("the store answers").expect("it is kept");
    let list = [joe.email.clone()];
    let changes = async |list: &[_]| users.super_admin_changes(list).await.expect("it answers");

    assert!(changes(&list).await.is_empty(), "nobody has shown that the address is theirs");
    let by = |spared| Effect::SetAddress { user: joe.id, address: joe.email.clone(), spared };
    let ended = codes.carry_out(None, &by(SessionId::new(9_999)), &told()).await;
    assert_eq!(ended.expect("it answers"), None, "the session that asked for it has ended");
    assert!(changes(&list).await.is_empty());
    codes.carry_out(None, &by(spared), &told()).await.expect("it answers");

    let found = changes(&list).await;
    assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), [joe.id]);
    let joe = found.into_iter().next().expect("it is there");
    assert!(users.set_super_admin(&joe, true, &told()).await.expect("it answers"));
    assert!(!users.set_super_admin(&joe, false, &told()).await.expect("it answers"), "it is stale");
    assert!(changes(&list).await.is_empty());
    let off = changes(&[eve.email]).await;
    assert_eq!(off.iter().map(|user| user.id).collect::<Vec<_>>(), [joe.id]);
    assert_eq!(changes(&[]).await.len(), 1);
}

/// Mails are queued with their event, leased by one process at a time, and stay until they are sent
/// or expire.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn mails_wait_until_they_are_taken(
    events: Arc<dyn AuthEventRepository>,
    queue: Arc<dyn MailQueue>,
) {
    let to = |n: u32| format!("joe{n}@example.com").parse().expect("it is an address");
    let letter = Letter::TokenCreated { name: "n8n".to_owned() };
    let mut happened = told();
    happened.mails = (0..12).map(|n| NewMail::notice(to(n), letter.clone(), noon())).collect();
    let sealed = SealedSecret { key: "key".to_owned(), bytes: vec![7; 40] };
    happened.mails.push(NewMail {
        proof: Some(sealed.clone()),
        letter: Letter::Code(Purpose::PasswordReset),
        useless_at: noon() + CODE_LIFE,
        ..NewMail::notice(to(12), letter, noon())
    });
    events.record(&happened).await.expect("it is written down");

    let lease = Duration::minutes(3);
    let claim = async |at, most| queue.claim(at, at + lease, most).await.expect("it answers").mails;
    let mut claimers = Vec::new();
    for _ in 0..4 {
        let queue = Arc::clone(&queue);
        claimers.push(tokio::spawn(async move { queue.claim(noon(), noon() + lease, 4).await }));
    }
    let mut claimed: Vec<QueuedMail> = Vec::new();
    for claimer in claimers {
        claimed.extend(claimer.await.expect("no panic").expect("the store answers").mails);
    }
    // A claim may have skipped mails that another one had locked.
    claimed.extend(claim(noon(), 20).await);
    claimed.sort_by_key(|mail| mail.id);
    let recipients: Vec<String> = claimed.iter().map(|mail| mail.to.to_string()).collect();
    assert_eq!(recipients, (0..13).map(|n| to(n).to_string()).collect::<Vec<_>>());
    assert!(claimed.iter().all(|mail| mail.tries == 1));
    let last = claimed.last().expect("it is there");
    assert_eq!((&last.proof, &last.letter), (&Some(sealed), &Letter::Code(Purpose::PasswordReset)));
    assert!(claim(noon(), 20).await.is_empty(), "they are in hand");

    let id = |n: usize| claimed.get(n).map(|mail| mail.id).expect("it is there");
    let later = noon() + Duration::minutes(1);
    queue.sent(id(0)).await.expect("it answers");
    let not_sent = |is_unknown| NotSent { reason: "550 5.1.1 nobody".to_owned(), is_unknown };
    queue.later(id(1), later, &not_sent(true)).await.expect("it answers");
    queue.give_up(id(2), &not_sent(false)).await.expect("it answers");
    let again = claim(later, 20).await;
    let again: Vec<_> = again.iter().map(|mail| (mail.id, mail.tries, mail.unknown_ends)).collect();
    assert_eq!(again, [(id(1), 2, 1)]);
    // The process that leased them has died. The email with the code has expired.
    let rest = claim(noon() + CODE_LIFE, 20).await;
    assert_eq!(rest.len(), 10, "{rest:?}");
    assert!(rest.iter().all(|mail| mail.letter != Letter::Code(Purpose::PasswordReset)));
}
