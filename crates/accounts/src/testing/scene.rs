//! Mocks and a policy that tests of several use cases share.

use std::sync::Arc;

use chrono::Duration;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use waggle_kernel::{
    FixedClock, Mark, MockEntropy, MockLimits, MockServerKeys, SealedSecret, ServerKeys as _,
};

use super::user;
use crate::codes::code::{Code, CodeLength, Flow, Intent, Purpose, Verification, bound};
use crate::codes::mailed_codes::{Codes, Presented};
use crate::limits::LimitTable;
use crate::people::admission::Admission;
use crate::people::role::Role;
use crate::policy::{AccountPolicy, SignInPolicy};
use crate::ports::{MockAuthEventRepository, MockVerificationRepository};
use crate::sessions::manage_sessions::Visitor;
use crate::sessions::session::{Session, SessionLife};

/// Returns a policy that allows `hive.example`.
pub(crate) fn policy() -> AccountPolicy {
    let life = SessionLife { idle: Duration::hours(24), absolute: Duration::days(14) };
    AccountPolicy {
        sign_in: SignInPolicy {
            admins: life,
            others: life,
            failures_per_account: 8,
            failures_per_client: 20,
            window: Duration::minutes(5),
            limits: LimitTable::default(),
        },
        admission: Admission {
            domains: Some(vec!["hive.example".to_owned()]),
            super_admins: vec!["boss@hive.example".parse().expect("it is an address")],
            admit_super_admins: false,
        },
        limits: LimitTable::default(),
        code_length: CodeLength::new(6),
        has_links: true,
        is_registration_open: true,
        new_user_role: Role::Viewer,
        google_code: true,
        security_admins: vec!["watch@hive.example".parse().expect("it is an address")],
        notified: Vec::new(),
        recent: Duration::minutes(5),
        admins_need_second_factor: false,
    }
}

/// Returns keys that use the SHA-256 of a secret as its mark.
pub(crate) fn keys() -> MockServerKeys {
    let hash = |text: &str| <[u8; 32]>::from(Sha256::digest(text));
    let mut keys = MockServerKeys::new();
    keys.expect_mark().returning(move |secret| {
        Ok(Mark { key: String::new(), hash: hash(secret.expose_secret()) })
    });
    keys.expect_is_marked()
        .returning(move |secret, mark| mark.hash == hash(secret.expose_secret()));
    keys.expect_seal().returning(|_, _| Ok(SealedSecret { key: String::new(), bytes: Vec::new() }));
    keys
}

/// The mocks behind [`Codes`].
pub(crate) struct Scene {
    pub(crate) verifications: MockVerificationRepository,
    pub(crate) events: MockAuthEventRepository,
    pub(crate) limits: MockLimits,
}

impl Scene {
    /// Creates mocks whose limits are never reached, without other expectations.
    pub(crate) fn new() -> Self {
        let mut limits = MockLimits::new();
        limits.expect_take().returning(|_, _| Ok(None));
        Self {
            verifications: MockVerificationRepository::new(),
            events: MockAuthEventRepository::new(),
            limits,
        }
    }

    /// Adds a code `123456` with this intent, mailed to `joe@hive.example`.
    pub(crate) fn with_code(mut self, purpose: Purpose, intent: Intent) -> Self {
        let address = "joe@hive.example".parse().expect("it is an address");
        let code: Code = "123456".parse().expect("it is a code");
        let mark = keys().mark(&bound(purpose, &address, &flow(), &code)).expect("it is marked");
        let known = Verification { purpose, address, flow: flow().hash(), mark, intent };
        let by_link = known.clone();
        self.verifications.expect_attempt().returning(move |_, _, _| Ok(Some(known.clone())));
        self.verifications.expect_find_link().returning(move |_, _, _| Ok(Some(by_link.clone())));
        self.limits.expect_give_back().returning(|_| Ok(()));
        self
    }

    pub(crate) fn codes(mut self) -> Arc<Codes> {
        self.limits.expect_give_back().returning(|_| Ok(()));
        let mut entropy = MockEntropy::new();
        entropy.expect_bytes().returning(|| Ok([7; 32]));
        Arc::new(Codes {
            verifications: Arc::new(self.verifications),
            events: Arc::new(self.events),
            limits: Arc::new(self.limits),
            keys: Arc::new(keys()),
            clock: Arc::new(FixedClock::noon()),
            entropy: Arc::new(entropy),
        })
    }
}

/// Returns the flow of the client that requested the code.
pub(crate) fn flow() -> Flow {
    Flow::make(&[9; 32])
}

pub(crate) fn presented(code: &str) -> Presented {
    Presented::Code { flow: flow().text().to_owned(), code: code.to_owned() }
}

/// Returns user 3, who authenticated this long before noon.
pub(crate) fn visitor(ago: Duration) -> Visitor {
    let at = super::noon() - ago;
    let session = Session {
        id: waggle_kernel::ids::SessionId::new(1),
        user: waggle_kernel::ids::UserId::new(3),
        created_at: at,
        authenticated_at: at,
        last_used_at: at,
        idle_until: at,
        ends_at: at,
        ip: String::new(),
        user_agent: String::new(),
        is_pending: false,
    };
    Visitor { user: user(3, Role::Viewer), session }
}
