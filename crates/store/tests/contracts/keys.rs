//! Tests that the domains store secrets only under the master key in use.

use waggle_accounts::ports::TotpBegun;
use waggle_accounts::{Client, EventKind, NewAuthEvent, NewUser, PersonName, Role, StoredPassword};
use waggle_kernel::{Clock as _, FixedClock, SealedSecret};
use waggle_settings::{Action, Kept, KeyId, NewChange, NewChanges, Revision};
use waggle_store::Ports;

/// A process that does not know the newest key stores nothing that only the previous key decrypts.
async fn nothing_is_kept_under_a_key_that_was_replaced(ports: Ports) {
    let now = FixedClock::noon().now();
    let joe = NewUser {
        username: "joe".parse().unwrap(),
        email: "joe@example.com".parse().unwrap(),
        email_verified_at: None,
        first_name: PersonName::default(),
        last_name: PersonName::default(),
        role: Role::Viewer,
        is_super_admin: false,
        password: StoredPassword::none(),
        date_joined: now,
    };
    let told = NewAuthEvent::new(EventKind::UserCreated, &Client::default(), now);
    let joe = ports.users.insert(&joe, &told).await.unwrap();
    let begin = async |key: &str| {
        let secret = SealedSecret { key: key.to_owned(), bytes: vec![7; 50] };
        ports.second_factors.begin_totp(joe, &secret, now).await.unwrap()
    };
    let mut revision = ports.settings.load().await.unwrap().revision;
    let mut based_on = None::<(Kept, Revision)>;
    for (key, begun) in [
        ("k1", [("k1", TotpBegun::Kept), ("k2", TotpBegun::OldKey)]),
        ("k2", [("k1", TotpBegun::OldKey), ("k2", TotpBegun::Kept)]),
    ] {
        let value = Kept::Clear(key.to_owned());
        let change = NewChange {
            key: "S".to_owned(),
            action: Action::Set,
            from: based_on.take(),
            to: Some(value.clone()),
        };
        let changes = NewChanges {
            based_on: revision,
            at: now,
            by: waggle_kernel::Actor::system().reference(),
            master_key: Some(KeyId(key.to_owned())),
            changes: vec![change],
        };
        revision = ports.settings.save(&changes).await.unwrap();
        based_on = Some((value, revision));

        for (sealed_with, expected) in begun {
            assert_eq!(begin(sealed_with).await, expected, "{sealed_with} while {key} is in use");
        }
        let kept = ports.second_factors.find_totp(joe).await.unwrap().unwrap();
        assert_eq!(kept.secret.key, key);
    }
}

crate::on_both! {
    nothing_is_kept_under_a_key_that_was_replaced(ports) =>
        super::nothing_is_kept_under_a_key_that_was_replaced(ports);
}
