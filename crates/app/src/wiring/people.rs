//! The use cases of accounts, wired to their real ports.

use std::path::PathBuf;
use std::sync::Arc;

use waggle_accounts::ports::PasswordHasher;
use waggle_accounts::{
    ChangeAddress, Codes, DeliverMail, GoogleSignIn, ManageUsers, Passkeys, Register,
    ResetPassword, SecondFactor, Sessions, SetUp, SignIn, Tokens,
};
use waggle_kernel::{Clock, Entropy, ServerKeys};
use waggle_settings::SettingsManager;
use waggle_store::Store;
use waggle_system::{SystemClock, SystemEntropy};

use crate::http::CALLBACK;
use crate::live::google::LiveGoogle;
use crate::live::mailer::LiveMailer;
use crate::live::passkeys::LivePasskeys;
use crate::live::server_keys::MasterServerKeys;
use crate::use_cases::People;

/// The server keys, which use the master keys of the settings.
fn keys(settings: &Arc<SettingsManager>) -> Arc<dyn ServerKeys> {
    let (settings, entropy) = (Arc::clone(settings), Arc::new(SystemEntropy));
    Arc::new(MasterServerKeys { settings, entropy })
}

/// The use case of second factors, wired to its real ports.
pub(crate) fn second_factor(store: &Store, settings: &Arc<SettingsManager>) -> SecondFactor {
    let ports = store.ports();
    SecondFactor {
        factors: ports.second_factors,
        events: ports.auth_events,
        limits: ports.limits,
        keys: keys(settings),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

/// The use case of API tokens, wired to its real ports.
pub(crate) fn tokens(store: &Store) -> Tokens {
    Tokens {
        tokens: store.ports().tokens,
        limits: store.ports().limits,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

/// The use case of users, wired to its real ports.
pub(crate) fn users(store: &Store, hasher: Arc<dyn PasswordHasher>) -> ManageUsers {
    let ports = store.ports();
    ManageUsers {
        users: ports.users,
        events: ports.auth_events,
        limits: ports.limits,
        hasher,
        clock: Arc::new(SystemClock),
    }
}

/// The use case of the first admin, wired to its real ports.
pub(crate) fn set_up(store: &Store, hasher: Arc<dyn PasswordHasher>) -> SetUp {
    let ports = store.ports();
    SetUp {
        setup: ports.setup,
        users: ports.users,
        events: ports.auth_events,
        limits: ports.limits,
        hasher,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

/// All use cases of accounts. Without a mail server, emails are written to the folder `outbox`.
pub(crate) fn people(
    store: &Store,
    settings: &Arc<SettingsManager>,
    hasher: Arc<dyn PasswordHasher>,
    outbox: PathBuf,
) -> People {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let ports = store.ports();
    let keys = keys(settings);
    let codes = Arc::new(Codes {
        verifications: ports.verifications,
        events: Arc::clone(&ports.auth_events),
        limits: Arc::clone(&ports.limits),
        keys: Arc::clone(&keys),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
    });
    let second_factor = Arc::new(second_factor(store, settings));
    People {
        tokens: tokens(store),
        passkeys: Passkeys {
            passkeys: ports.passkeys,
            verifier: Arc::new(LivePasskeys { settings: Arc::clone(settings) }),
            factor: Arc::clone(&second_factor),
            clock: Arc::clone(&clock),
        },
        second_factor,
        users: users(store, Arc::clone(&hasher)),
        set_up: set_up(store, Arc::clone(&hasher)),
        register: Register {
            codes: Arc::clone(&codes),
            users: Arc::clone(&ports.users),
            hasher: Arc::clone(&hasher),
            clock: Arc::clone(&clock),
        },
        reset_password: ResetPassword {
            codes: Arc::clone(&codes),
            users: Arc::clone(&ports.users),
            hasher: Arc::clone(&hasher),
            clock: Arc::clone(&clock),
        },
        google: GoogleSignIn {
            provider: Arc::new(LiveGoogle::new(Arc::clone(settings), CALLBACK, Arc::clone(&clock))),
            accounts: ports.google,
            users: Arc::clone(&ports.users),
            codes: Arc::clone(&codes),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        },
        change_address: ChangeAddress {
            codes,
            users: Arc::clone(&ports.users),
            clock: Arc::clone(&clock),
        },
        deliver_mail: DeliverMail {
            queue: ports.mails,
            mailer: Arc::new(LiveMailer::new(Arc::clone(settings), outbox)),
            keys,
            clock: Arc::clone(&clock),
        },
        sign_in: SignIn {
            users: ports.users,
            sessions: Arc::clone(&ports.sessions),
            events: ports.auth_events,
            limits: ports.limits,
            hasher,
            clock: Arc::clone(&clock),
            entropy,
        },
        sessions: Sessions { sessions: ports.sessions, clock },
    }
}
