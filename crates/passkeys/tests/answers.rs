//! Answers of a software authenticator: valid ones are accepted, and every forged one is rejected.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

#[path = "../../../tests/support/authenticator.rs"]
mod authenticator;

use serde_json::{Value, json};
use waggle_accounts::ports::{PasskeyError, PasskeyVerifier as _, Proof};
use waggle_accounts::testing::user;
use waggle_accounts::{Passkey, Role, User};
use waggle_kernel::ids::PasskeyId;
use waggle_passkeys::RelyingParty;

use crate::authenticator::{Authenticator, Lie};

const ORIGIN: &str = "https://waggle.hive.example";

fn here() -> RelyingParty {
    RelyingParty::at(&ORIGIN.parse().unwrap()).unwrap()
}

fn joe() -> User {
    user(3, Role::Editor)
}

/// Registers a passkey, with a forged part.
fn register(one: &mut Authenticator, lie: &Lie) -> Result<Passkey, PasskeyError> {
    let asked = here().begin_registering(&joe(), &[]).unwrap();
    let answer = one.create(&asked.options, ORIGIN, lie).unwrap();
    let credential = here().finish_registering(&joe(), &asked.state, &answer)?;
    Ok(Passkey {
        id: PasskeyId::new(1),
        name: String::new(),
        credential_id: credential.id,
        key: credential.key,
        state: credential.state,
        created_at: joe().date_joined,
        last_used_at: None,
    })
}

/// Proves a passkey with a forged part, and stores its new state.
fn prove(one: &mut Authenticator, passkey: &mut Passkey, lie: &Lie) -> Result<(), PasskeyError> {
    let present = [passkey.clone()];
    let asked = here().begin_proving(&present).unwrap();
    let answer = one.get(&asked.options, ORIGIN, lie);
    let proof = here().finish_proving(&joe(), &present, &asked.state, &answer)?;
    let Proof::Passkey { id, seen, renewed } = proof else { panic!("{proof:?}") };
    assert_eq!((id, seen), (passkey.id, passkey.state.clone()));
    passkey.state = renewed;
    Ok(())
}

fn lies() -> Vec<Lie> {
    vec![
        Lie { origin: Some("https://waggle.evil.example"), ..Lie::default() },
        Lie { origin: Some("https://waggle.hive.example/"), ..Lie::default() },
        Lie { origin: Some("http://waggle.hive.example"), ..Lie::default() },
        Lie { rp_id: Some("evil.example"), ..Lie::default() },
        Lie { challenge: Some([9; 16]), ..Lie::default() },
        Lie { is_absent: true, ..Lie::default() },
        Lie { is_framed: true, ..Lie::default() },
    ]
}

#[test]
fn an_honest_authenticator_is_accepted() {
    for counter in [0, 5] {
        let mut one = Authenticator::new(7, counter);
        let mut passkey = register(&mut one, &Lie::default()).unwrap();
        assert_eq!(passkey.credential_id, one.id);

        for _ in 0..3 {
            prove(&mut one, &mut passkey, &Lie::default()).unwrap();
        }
    }
    let odd = Lie { transports: Some(json!(["internal", "cable", 7])), ..Lie::default() };
    register(&mut Authenticator::new(7, 0), &odd).unwrap();
}

#[test]
fn every_forged_answer_is_rejected() {
    let proofs = [
        Lie { signature: true, ..Lie::default() },
        Lie { ceremony: Some("webauthn.create"), ..Lie::default() },
        Lie { user_handle: Some(json!("AAAAAAAAAAAAAAAAAAAAAA")), ..Lie::default() },
    ];
    let registrations = [Lie { ceremony: Some("webauthn.get"), ..Lie::default() }];
    for lie in lies().iter().chain(&registrations) {
        let registered = register(&mut Authenticator::new(7, 5), lie);
        assert!(matches!(registered, Err(PasskeyError::Refused(_))), "{lie:?}");
    }
    for lie in lies().iter().chain(&proofs) {
        let mut one = Authenticator::new(7, 5);
        let mut passkey = register(&mut one, &Lie::default()).unwrap();
        let proven = prove(&mut one, &mut passkey, lie);
        assert!(matches!(proven, Err(PasskeyError::Refused(_))), "{lie:?}");
    }
}

#[test]
fn a_copied_authenticator_is_detected() {
    let mut one = Authenticator::new(7, 5);
    let mut passkey = register(&mut one, &Lie::default()).unwrap();
    prove(&mut one, &mut passkey, &Lie::default()).unwrap();

    for counter in [0, 1, 6] {
        let lie = Lie { counter: Some(counter), ..Lie::default() };
        let proven = prove(&mut one, &mut passkey, &lie);
        assert!(matches!(proven, Err(PasskeyError::Cloned)), "{proven:?}");
    }
}

#[test]
fn a_challenge_or_passkey_of_another_user_is_rejected() {
    let (mut one, mut other) = (Authenticator::new(7, 0), Authenticator::new(8, 0));
    let passkey = register(&mut one, &Lie::default()).unwrap();
    let foreign = register(&mut other, &Lie::default()).unwrap();
    let eve = user(4, Role::Viewer);

    let asked = here().begin_registering(&eve, &[]).unwrap();
    let answer = one.create(&asked.options, ORIGIN, &Lie::default()).unwrap();
    assert!(here().finish_registering(&joe(), &asked.state, &answer).is_err());
    let asked = here().begin_proving(std::slice::from_ref(&foreign)).unwrap();
    let answer = one.get(&asked.options, ORIGIN, &Lie::default());
    let both = [passkey.clone(), foreign];
    assert!(here().finish_proving(&joe(), &both, &asked.state, &answer).is_err());
    let asked = here().begin_registering(&joe(), &[passkey]).unwrap();
    assert_eq!(one.create(&asked.options, ORIGIN, &Lie::default()), None, "it is kept already");
    assert!(matches!(here().begin_proving(&[]), Err(PasskeyError::None)));
}

#[test]
fn malformed_answers_are_rejected() {
    let mut one = Authenticator::new(7, 0);
    let passkey = register(&mut one, &Lie::default()).unwrap();
    let (create, get) = (
        here().begin_registering(&joe(), &[]).unwrap(),
        here().begin_proving(std::slice::from_ref(&passkey)).unwrap(),
    );
    let created = one.create(&create.options, ORIGIN, &Lie::default()).unwrap();
    let got = one.get(&get.options, ORIGIN, &Lie::default());
    let mut nonsense =
        vec![Value::Null, json!([]), json!("x"), json!({}), json!({ "response": 7 })];
    // Each field of the answers, with a wrong value or a wrong type.
    for answer in [&created, &got] {
        for field in answer["response"].as_object().unwrap().keys() {
            for wrong in [Value::Null, json!(7), json!(""), json!("AAAA"), json!("!"), json!({})] {
                let mut answer = answer.clone();
                answer["response"][field] = wrong;
                nonsense.push(answer);
            }
        }
    }
    let presents = [passkey];
    for answer in nonsense {
        let created = here().finish_registering(&joe(), &create.state, &answer);
        let got = here().finish_proving(&joe(), &presents, &get.state, &answer);
        let is_port = |error: &PasskeyError| matches!(error, PasskeyError::Port(_));
        assert!(!created.as_ref().is_err_and(is_port) && !got.as_ref().is_err_and(is_port));
    }
    for state in [&[][..], &[1], &[0; 500]] {
        assert!(here().finish_registering(&joe(), state, &created).is_err());
        assert!(here().finish_proving(&joe(), &presents, state, &got).is_err());
    }
}

#[test]
fn passkeys_need_a_domain_with_tls_or_localhost() {
    for (home, has_them) in [
        ("https://waggle.hive.example", true),
        ("https://waggle.hive.example:8443/", true),
        ("http://localhost:8080", true),
        ("http://waggle.hive.example", false),
        ("https://192.0.2.7", false),
        ("https://[2001:db8::7]", false),
        ("http://127.0.0.1:8080", false),
    ] {
        assert_eq!(RelyingParty::at(&home.parse().unwrap()).is_some(), has_them, "{home}");
    }
}
