//! The contracts of the stores of second factors and passkeys.

use std::sync::Arc;

use chrono::Duration;
use waggle_kernel::SealedSecret;
use waggle_kernel::ids::{PasskeyId, SessionId, UserId};

use super::{event, made, noon, password, session};
use crate::auth_event::EventKind;
use crate::factors::stored_passkey::{NewPasskey, PasskeyName};
use crate::people::password::StoredPassword;
use crate::people::role::Role;
use crate::people::user::User;
use crate::ports::{
    Added, Challenge, EndSessions, NewFactor, PasskeyRepository, Proof, SecondFactorRepository,
    SessionRepository, TotpBegun, UserRepository, WhichFactor,
};
use crate::sessions::session::NewSession;
use crate::tokens::token::StoredHash;

fn secret(byte: u8) -> SealedSecret {
    SealedSecret { key: "key-1".to_owned(), bytes: vec![byte; 50] }
}

fn codes() -> Vec<StoredHash> {
    (1..=10).map(|byte| StoredHash([byte; 32])).collect()
}

fn passkey(byte: u8) -> NewPasskey {
    NewPasskey {
        name: PasskeyName::parse("phone").expect("it is a name"),
        credential_id: vec![byte; 16],
        key: vec![byte; 40],
        state: vec![0],
        created_at: noon(),
    }
}

async fn add(
    factors: &Arc<dyn SecondFactorRepository>,
    user: UserId,
    factor: &NewFactor,
    sessions: EndSessions,
) -> Added {
    let told = event(EventKind::FactorAdded, Some(user));
    factors.add(user, factor, &codes(), sessions, &told).await.expect("the store answers")
}

async fn begin(factors: &Arc<dyn SecondFactorRepository>, user: &User, byte: u8) -> TotpBegun {
    factors.begin_totp(user.id, &secret(byte), noon()).await.expect("the store answers")
}

/// Returns the app with this secret. Its codes are used up to step 100.
fn app(byte: u8) -> NewFactor {
    NewFactor::Totp { secret: secret(byte), step: 100 }
}

async fn with_app(factors: &Arc<dyn SecondFactorRepository>, user: &User) {
    assert_eq!(begin(factors, user, 1).await, TotpBegun::Kept);
    assert_eq!(add(factors, user.id, &app(1), EndSessions::None).await, Added::First);
}

async fn again(users: &Arc<dyn UserRepository>, user: &User) -> User {
    users.find(user.id).await.expect("the store answers").expect("the user is there")
}

/// An app takes effect once, when it is confirmed. No session is opened for a user who was read
/// before that.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn an_app_counts_when_it_was_confirmed(
    users: Arc<dyn UserRepository>,
    sessions: Arc<dyn SessionRepository>,
    factors: Arc<dyn SecondFactorRepository>,
) {
    let joe = made(&users, "joe", Role::Editor).await;
    let told = event(EventKind::LoginSuccess, Some(joe.id));
    let open = async |user: &User, byte| {
        let opened = sessions.open(&session(joe.id, byte), user, &password(), &told).await;
        opened.expect("the store answers")
    };
    let (first, second) = (open(&joe, 1).await.expect("it is kept"), open(&joe, 2).await);
    assert!(second.is_some());
    let confirm = app(8);

    assert_eq!(add(&factors, joe.id, &confirm, EndSessions::None).await, Added::Refused);
    for byte in [7, 8] {
        let begun = begin(&factors, &joe, byte).await;
        assert_eq!(begun, TotpBegun::Kept, "what was not confirmed is written over");
    }
    let other = add(&factors, joe.id, &app(7), EndSessions::None).await;
    assert_eq!(other, Added::Refused, "it is not the one that was looked at");
    let found = factors.find_totp(joe.id).await.expect("the store answers").expect("it is there");
    assert_eq!((found.secret, found.is_confirmed), (secret(8), false));
    assert!(!again(&users, &joe).await.has_second_factor, "nothing is asked for yet");

    let others = EndSessions::AllBut(first);
    assert_eq!(add(&factors, joe.id, &confirm, others).await, Added::First);
    assert_eq!(add(&factors, joe.id, &confirm, others).await, Added::Refused);
    assert_eq!(begin(&factors, &joe, 9).await, TotpBegun::IsOn);
    let found = factors.find_totp(joe.id).await.expect("the store answers").expect("it is there");
    assert_eq!((found.secret, found.is_confirmed), (secret(8), true));
    assert_eq!(factors.recovery_codes_left(joe.id).await.expect("the store answers"), 10);
    let open_now = sessions.list(joe.id, noon()).await.expect("the store answers");
    assert_eq!(open_now.iter().map(|session| session.id).collect::<Vec<_>>(), [first]);
    assert_eq!(open(&joe, 3).await, None, "the user was seen without a second factor");
    let joe = again(&users, &joe).await;
    assert!(joe.has_second_factor && open(&joe, 3).await.is_some());

    let sealed = factors.totp_secrets().await.expect("the store answers");
    assert_eq!(sealed, [(joe.id, secret(8))]);
    let reseal = async |seen: u8, renewed: u8| {
        let resealed = factors.reseal_totp(joe.id, &secret(seen), &secret(renewed)).await;
        resealed.expect("the store answers")
    };
    assert!(!reseal(7, 5).await && reseal(8, 5).await);
    let told = event(EventKind::RecoveryRenewed, Some(joe.id));
    let renewed = [StoredHash([99; 32])];
    let renew = async |user, session| {
        let renewed = factors.renew_recovery_codes(user, &renewed, session, &told).await;
        renewed.expect("the store answers")
    };
    assert!(!renew(joe.id, SessionId::new(9_999)).await, "nobody asks for it any more");
    assert!(renew(joe.id, first).await);
    assert_eq!(factors.recovery_codes_left(joe.id).await.expect("the store answers"), 1);
    let eve = made(&users, "eve", Role::Viewer).await;
    assert!(!renew(eve.id, first).await, "there is nothing to recover");
}

/// Opens a pending session. The time of the last sign-in stays unchanged.
async fn pending(sessions: &Arc<dyn SessionRepository>, user: &User, byte: u8) -> SessionId {
    let told = event(EventKind::FactorAsked, Some(user.id));
    let new = NewSession { is_pending: true, ..session(user.id, byte) };
    let opened = sessions.open(&new, user, &password(), &told).await;
    opened.expect("the store answers").expect("it is kept")
}

/// A proof opens one session, in place of the one it was presented in, also under concurrency.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_proof_opens_one_session(
    users: Arc<dyn UserRepository>,
    sessions: Arc<dyn SessionRepository>,
    factors: Arc<dyn SecondFactorRepository>,
) {
    let (joe, eve) =
        (made(&users, "joe", Role::Editor).await, made(&users, "eve", Role::Viewer).await);
    with_app(&factors, &joe).await;
    let joe = again(&users, &joe).await;
    let let_in = |from: SessionId, proof: Proof, user: UserId, byte: u8| {
        let factors = Arc::clone(&factors);
        let told = [event(EventKind::LoginSuccess, Some(user))];
        tokio::spawn(async move {
            factors.let_in(from, &proof, &session(user, byte), &told).await.expect("it answers")
        })
    };

    for (round, proof) in
        [Proof::Step(101), Proof::RecoveryCode(StoredHash([3; 32]))].iter().enumerate()
    {
        let mut rivals = Vec::new();
        for n in 0..8_u8 {
            let byte = u8::try_from(round).expect("it is small") * 100 + n;
            let from = pending(&sessions, &joe, 20 + byte).await;
            rivals.push(let_in(from, proof.clone(), joe.id, 60 + byte));
        }
        let mut opened = 0;
        for rival in rivals {
            opened += usize::from(rival.await.expect("no panic"));
        }
        assert_eq!(opened, 1, "{proof:?}");
    }
    assert_eq!(factors.recovery_codes_left(joe.id).await.expect("the store answers"), 9);
    let open = sessions.list(joe.id, noon()).await.expect("the store answers");
    assert_eq!(open.len(), 2, "those that open nothing are not shown");

    let from = pending(&sessions, &joe, 250).await;
    let code = |byte| Proof::RecoveryCode(StoredHash([byte; 32]));
    let of_eve = pending(&sessions, &eve, 251).await;
    for (from, proof, user, why) in [
        (from, Proof::Step(101), joe.id, "it was used"),
        (from, Proof::Step(99), joe.id, "a later one was used"),
        (from, code(77), joe.id, "there is none such"),
        (of_eve, code(4), eve.id, "it is another's"),
        (of_eve, code(4), joe.id, "the session is another's"),
        (SessionId::new(9_999), Proof::Step(102), joe.id, "there is no such session"),
    ] {
        assert!(!let_in(from, proof, user, 252).await.expect("no panic"), "{why}");
    }
    assert!(
        let_in(from, Proof::Step(102), joe.id, 252).await.expect("no panic"),
        "none was used up"
    );
    assert!(
        !let_in(from, Proof::Step(103), joe.id, 253).await.expect("no panic"),
        "it is replaced"
    );
    let (found, _) = sessions
        .find(&StoredHash([252; 32]))
        .await
        .expect("the store answers")
        .expect("it is there");
    assert!(!found.is_pending);

    let from = pending(&sessions, &joe, 250).await;
    let told = event(EventKind::UserDeactivated, Some(joe.id));
    let shut_out = User { is_active: false, ..again(&users, &joe).await };
    users.save(&shut_out, EndSessions::None, &told).await.expect("it is saved");
    assert!(!let_in(from, Proof::Step(104), joe.id, 254).await.expect("no panic"));
}

/// Recovery codes are added with the first factor and removed with the last, and a passkey belongs
/// to one user.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn factors_come_and_go(
    users: Arc<dyn UserRepository>,
    sessions: Arc<dyn SessionRepository>,
    factors: Arc<dyn SecondFactorRepository>,
    passkeys: Arc<dyn PasskeyRepository>,
) {
    let (joe, eve) =
        (made(&users, "joe", Role::Editor).await, made(&users, "eve", Role::Viewer).await);
    let keep = async |user: &User, byte| {
        add(&factors, user.id, &NewFactor::Passkey(passkey(byte)), EndSessions::None).await
    };
    assert_eq!(keep(&joe, 1).await, Added::First);
    assert_eq!(keep(&joe, 2).await, Added::Further);
    assert_eq!(keep(&eve, 2).await, Added::Refused, "it is another's");
    assert!(!again(&users, &eve).await.has_second_factor);
    assert_eq!(begin(&factors, &joe, 1).await, TotpBegun::Kept);
    assert_eq!(add(&factors, joe.id, &app(1), EndSessions::None).await, Added::Further);
    assert_eq!(factors.recovery_codes_left(joe.id).await.expect("the store answers"), 10);
    let list = async |user: &User| passkeys.list(user.id).await.expect("the store answers");
    let kept = list(&joe).await;
    let first = kept.first().expect("it is there");
    assert_eq!((first.name.as_str(), first.credential_id.as_slice()), ("phone", &[1; 16][..]));
    assert_eq!((first.last_used_at, kept.len()), (None, 2));
    let first = first.id;

    let joe = again(&users, &joe).await;
    let from = pending(&sessions, &joe, 20).await;
    let shown = |seen: u8| Proof::Passkey { id: first, seen: vec![seen], renewed: vec![5] };
    let told = [event(EventKind::LoginSuccess, Some(joe.id))];
    let let_in = async |proof: Proof| {
        factors.let_in(from, &proof, &session(joe.id, 30), &told).await.expect("it answers")
    };
    assert!(!let_in(shown(7)).await, "it was used since it was seen");
    assert!(let_in(shown(0)).await);
    let used = list(&joe).await;
    let used = used.first().expect("it is there");
    assert_eq!((used.state.as_slice(), used.last_used_at), (&[5][..], Some(noon())));

    let from = pending(&sessions, &joe, 20).await;
    let until = noon() + Duration::minutes(5);
    let ask = async |session, challenge, state: &[u8], until| {
        passkeys.ask(session, challenge, state, until).await.expect("the store answers")
    };
    for state in [b"one", b"two"] {
        assert!(ask(from, Challenge::Prove, state, until).await);
    }
    assert!(ask(from, Challenge::Register, b"new", noon()).await);
    let take = async |challenge| passkeys.take(from, challenge, noon()).await.expect("it answers");
    assert_eq!(take(Challenge::Prove).await.as_deref(), Some(&b"two"[..]));
    assert_eq!(take(Challenge::Prove).await, None, "it was taken");
    assert_eq!(take(Challenge::Register).await, None, "its time is over");
    assert!(ask(from, Challenge::Prove, b"three", until).await);
    let ended = event(EventKind::SessionRevoked, Some(joe.id));
    assert!(sessions.end(joe.id, from, &ended).await.expect("the store answers"));
    assert_eq!(take(Challenge::Prove).await, None, "it went with the session");
    assert!(!ask(from, Challenge::Prove, b"four", until).await);

    let told = event(EventKind::FactorRemoved, Some(joe.id));
    let remove = async |user: &User, which| {
        factors.remove(user.id, which, EndSessions::All, &told).await.expect("it answers")
    };
    assert!(!remove(&eve, WhichFactor::Passkey(first)).await, "it is another's");
    assert!(!remove(&joe, WhichFactor::Passkey(PasskeyId::new(999))).await);
    assert!(remove(&joe, WhichFactor::Totp).await);
    assert!(remove(&joe, WhichFactor::Passkey(first)).await);
    let left = factors.recovery_codes_left(joe.id).await.expect("the store answers");
    assert!(again(&users, &joe).await.has_second_factor && left == 10, "there is one more");
    assert!(sessions.list(joe.id, noon()).await.expect("the store answers").is_empty());
    assert!(remove(&joe, WhichFactor::All).await && !remove(&joe, WhichFactor::All).await);
    assert!(!again(&users, &joe).await.has_second_factor && list(&joe).await.is_empty());
    assert_eq!(factors.recovery_codes_left(joe.id).await.expect("the store answers"), 0);
}

/// A deactivated user or an ended session changes nothing, an unconfirmed app is not a factor, and
/// the number of passkeys is limited.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn an_ended_session_changes_no_factors(
    users: Arc<dyn UserRepository>,
    sessions: Arc<dyn SessionRepository>,
    factors: Arc<dyn SecondFactorRepository>,
) {
    let joe = made(&users, "joe", Role::Editor).await;
    let told = event(EventKind::LoginSuccess, Some(joe.id));
    let opened = sessions.open(&session(joe.id, 1), &joe, &password(), &told).await;
    let ended = opened.expect("the store answers").expect("it is kept");
    assert_eq!(begin(&factors, &joe, 1).await, TotpBegun::Kept);
    let remove = async |which, sessions| {
        factors.remove(joe.id, which, sessions, &told).await.expect("the store answers")
    };
    for which in [WhichFactor::Totp, WhichFactor::All] {
        assert!(!remove(which, EndSessions::All).await, "nothing was confirmed");
    }
    assert_eq!(sessions.list(joe.id, noon()).await.expect("the store answers").len(), 1);
    assert!(sessions.end(joe.id, ended, &told).await.expect("the store answers"));

    let by_it = EndSessions::AllBut(ended);
    assert_eq!(add(&factors, joe.id, &app(1), by_it).await, Added::Refused);
    assert_eq!(add(&factors, joe.id, &NewFactor::Passkey(passkey(1)), by_it).await, Added::Refused);
    assert!(!again(&users, &joe).await.has_second_factor);
    let new = StoredPassword("$argon2id$new".to_owned());
    let set = users.set_password(joe.id, Some(password()), &new, by_it, None).await;
    assert!(!set.expect("the store answers"));
    assert_eq!(add(&factors, joe.id, &app(1), EndSessions::None).await, Added::First);
    assert!(!remove(WhichFactor::Totp, by_it).await);
    for byte in 0..=20 {
        let one = NewFactor::Passkey(passkey(byte));
        let kept = add(&factors, joe.id, &one, EndSessions::None).await;
        assert_eq!(kept, if byte < 20 { Added::Further } else { Added::Refused });
    }
    let shut_out = User { is_active: false, ..again(&users, &joe).await };
    users.save(&shut_out, EndSessions::All, &told).await.expect("it is saved");
    assert!(remove(WhichFactor::Totp, EndSessions::None).await, "an admin may");
    assert_eq!(begin(&factors, &joe, 2).await, TotpBegun::Kept);
    assert_eq!(add(&factors, joe.id, &app(2), EndSessions::None).await, Added::Refused);
}
