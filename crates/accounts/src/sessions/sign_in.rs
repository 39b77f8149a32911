//! Signing in with a password, and confirming it again.
//!
//! ```text
//! take from the budgets ──▶ verify (as slow without a user as with one) ──▶ give back
//!                       ──▶ open a session
//! ```

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{Budget, Clock, Entropy, Exhausted, Limits, PortError};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::limits::{LOCKED_MAILS, fingerprint, network};
use crate::mails::mail::{Letter, NewMail};
use crate::people::password::{NewPassword, StoredPassword, Verdict};
use crate::people::user::{Login, User};
use crate::policy::SignInPolicy;
use crate::ports::{
    AuthEventRepository, EndSessions, PasswordHasher, SessionRepository, UserRepository,
};
use crate::sessions::manage_sessions::Visitor;
use crate::sessions::session::{NewSession, SessionLife};

/// Signs users in.
pub struct SignIn {
    pub users: Arc<dyn UserRepository>,
    pub sessions: Arc<dyn SessionRepository>,
    pub events: Arc<dyn AuthEventRepository>,
    pub limits: Arc<dyn Limits>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// How a user authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvenBy {
    Password,
    /// With a code or link that was mailed to them.
    Mail,
    Google,
}

/// How long a session waits for the second factor.
const PENDING: SessionLife =
    SessionLife { idle: Duration::minutes(10), absolute: Duration::minutes(10) };

/// A user who has signed in.
pub struct SignedIn {
    pub user: User,
    /// The session token, which cannot be recovered later.
    pub token: SecretString,
    /// When the session ends in any case.
    pub ends_at: DateTime<Utc>,
    /// Whether the session gives access. If the user has a second factor, it must be proved first.
    pub is_complete: bool,
}

impl SignIn {
    /// Signs a user in with a password.
    ///
    /// # Errors
    ///
    /// - [`SignInError::Refused`] whatever is wrong. Neither the error nor the timing reveals
    ///   whether there is such a user.
    /// - [`SignInError::Limited`] after too many failures.
    /// - [`SignInError::Port`] if the store fails, or too many sign-ins run at the same time.
    pub async fn run(
        &self,
        login: &str,
        password: &SecretString,
        client: &Client,
        policy: &SignInPolicy,
    ) -> Result<SignedIn, SignInError> {
        let now = self.clock.now();
        let found = match login.parse::<Login>() {
            Ok(login) => self.users.find_login(&login).await?,
            Err(_) => None,
        };
        let (user, stored) = match found {
            Some((user, stored)) => (Some(user), stored),
            None => (None, StoredPassword::none()),
        };
        let id = user.as_ref().map(|user| user.id);
        let (budgets, own) = budgets(id, login, client, policy);
        if let Some(exhausted) = self.limits.take(&budgets, now).await? {
            self.limited(&exhausted, user.as_ref(), id, login, client, policy).await?;
            return Err(SignInError::Limited(exhausted));
        }
        // The user had too many failures under another login. Reporting that would reveal that both
        // logins belong to the same user.
        let locked = self.limits.take(&own, now).await;
        let locked = self.limits.unless_failed(&budgets, locked).await?;
        if let Some(exhausted) = &locked {
            self.limited(exhausted, user.as_ref(), id, login, client, policy).await?;
        }
        let all: Vec<Budget> = budgets.into_iter().chain(own).collect();
        let is_sane = password.expose_secret().len() <= 4 * NewPassword::MOST;
        let verdict = if is_sane {
            let verdict = self.hasher.verify(password, &stored).await;
            self.limits.unless_failed(&all, verdict).await?
        } else {
            Verdict::Wrong
        };
        let user = match user {
            Some(user) if verdict != Verdict::Wrong && user.is_active && locked.is_none() => user,
            _ => {
                let event = self.event(EventKind::LoginFailure, id, login, client);
                self.events.record(&event).await?;
                // The response time must not reveal which kind of hash the user has.
                if self.users.any_imported_password().await? {
                    self.hasher.even_out(now).await;
                }
                return Err(SignInError::Refused);
            }
        };
        self.limits.give_back(&all).await?;
        let mut stored = stored;
        if verdict == Verdict::RightButOld {
            let renewed = self.hasher.hash(password).await?;
            let seen = Some(stored);
            let none = EndSessions::None;
            if !self.users.set_password(user.id, seen, &renewed, none, None).await? {
                return Err(SignInError::Refused);
            }
            stored = renewed;
        }
        self.open(user, &stored, ProvenBy::Password, client, policy).await
    }

    /// Opens a session for a user who has authenticated.
    ///
    /// # Errors
    ///
    /// [`SignInError::Refused`] if the user or the password has changed since they were read.
    pub async fn open(
        &self,
        user: User,
        stored: &StoredPassword,
        proof: ProvenBy,
        client: &Client,
        policy: &SignInPolicy,
    ) -> Result<SignedIn, SignInError> {
        let now = self.clock.now();
        let is_complete = !user.has_second_factor;
        let life = if is_complete { policy.life(&user) } else { PENDING };
        let chance = self.entropy.bytes()?;
        let (session, token) = NewSession::make(&chance, user.id, client.clone(), now, life);
        let session = NewSession { is_pending: !is_complete, ..session };
        let (kind, method) = match proof {
            ProvenBy::Password => (EventKind::LoginSuccess, "password"),
            ProvenBy::Mail => (EventKind::LoginSuccess, "mail"),
            ProvenBy::Google => (EventKind::GoogleSuccess, "google"),
        };
        let mut event = NewAuthEvent::of_user(kind, &user, client, now);
        event.metadata = json!({ "method": method });
        if !is_complete {
            event.kind = EventKind::FactorAsked;
        }
        match self.sessions.open(&session, &user, stored, &event).await? {
            Some(_) => Ok(SignedIn { user, token, ends_at: now + life.absolute, is_complete }),
            // The password or the rights were changed since they were read.
            None => Err(SignInError::Refused),
        }
    }

    /// Authenticates the visitor again, with the password. Sensitive actions are then allowed for a
    /// while.
    ///
    /// # Errors
    ///
    /// - [`SignInError::NeedsFactor`] if the user has a second factor.
    /// - [`SignInError::NoPassword`] if the user has no password.
    /// - [`SignInError::Refused`] if the password is wrong, or the session has ended.
    /// - [`SignInError::Limited`] after too many failures.
    pub async fn confirm(
        &self,
        visitor: &Visitor,
        password: &SecretString,
        client: &Client,
        policy: &SignInPolicy,
    ) -> Result<(), SignInError> {
        let (user, now) = (&visitor.user, self.clock.now());
        // An attacker who only knows the password must not be able to remove the second factor.
        if user.has_second_factor {
            return Err(SignInError::NeedsFactor);
        }
        if !user.has_password {
            return Err(SignInError::NoPassword);
        }
        let budget = [Budget {
            key: format!("password:user:{}", user.id),
            most: policy.failures_per_account,
            window: policy.window,
        }];
        if let Some(exhausted) = self.limits.take(&budget, now).await? {
            return Err(SignInError::Limited(exhausted));
        }
        let login = Login::Email(user.email.clone());
        let found = self.users.find_login(&login).await?;
        let stored = found.map_or_else(StoredPassword::none, |(_, stored)| stored);
        let verdict = self.hasher.verify(password, &stored).await;
        if self.limits.unless_failed(&budget, verdict).await? == Verdict::Wrong {
            let event = NewAuthEvent::of_user(EventKind::LoginFailure, user, client, now);
            self.events.record(&event).await?;
            return Err(SignInError::Refused);
        }
        self.limits.give_back(&budget).await?;
        let event = NewAuthEvent::of_user(EventKind::Reauthenticated, user, client, now);
        if self.sessions.confirm(visitor.session.id, now, &event).await? {
            Ok(())
        } else {
            Err(SignInError::Refused)
        }
    }

    /// Records that a budget is used up. Only the first refusal is recorded: repeated attempts must
    /// not fill the audit log, because it is never pruned.
    async fn limited(
        &self,
        exhausted: &Exhausted,
        locked: Option<&User>,
        user: Option<UserId>,
        login: &str,
        client: &Client,
        policy: &SignInPolicy,
    ) -> Result<(), SignInError> {
        if exhausted.refusals > 1 {
            return Ok(());
        }
        let mut event = self.event(EventKind::LoginLimited, user, login, client);
        let is_lock = ["login:user:", "login:typed:"];
        let is_lock = is_lock.iter().any(|start| exhausted.budget.key.starts_with(start));
        if is_lock {
            let account = match locked {
                Some(user) => user.id.to_string(),
                None => format!("nobody:{}", fingerprint(&Login::folded(login))),
            };
            let budget = [policy.limits.budget(&LOCKED_MAILS, &account)];
            let may_mail = self.limits.take(&budget, event.at).await?.is_none();
            if let Some(user) = locked.filter(|_| may_mail) {
                event.mails = vec![NewMail::notice(user.email.clone(), Letter::Locked, event.at)];
            }
        }
        self.events.record(&event).await?;
        Ok(())
    }

    fn event(
        &self,
        kind: EventKind,
        user: Option<UserId>,
        typed: &str,
        client: &Client,
    ) -> NewAuthEvent {
        let email = NewAuthEvent::typed(typed, user);
        NewAuthEvent { user, email, ..NewAuthEvent::new(kind, client, self.clock.now()) }
    }
}

/// Returns the budgets of the client and the typed login, and those of the user.
///
/// The client's budget comes first, so a client that has used it up takes nothing from the budgets
/// of accounts. Typed logins are counted whether or not they belong to a user, so a limit does not
/// reveal which users exist. The budgets of a user count all of their logins together.
///
/// Logins and users have two budgets each: all allowed failures per window, and half of them per
/// tenth of the window. The second one slows down guessing.
fn budgets(
    user: Option<UserId>,
    login: &str,
    client: &Client,
    policy: &SignInPolicy,
) -> (Vec<Budget>, Vec<Budget>) {
    let of_client = client.ip.map(|ip| Budget {
        key: format!("login:client:{}", network(ip)),
        most: policy.failures_per_client,
        window: policy.window,
    });
    let of_account = |account: &str| {
        let slowly = Budget {
            key: format!("{SLOWLY}:{account}"),
            most: policy.failures_per_account.div_ceil(2),
            window: policy.window / 10,
        };
        let locked = Budget {
            key: format!("{LOCKED}:{account}"),
            most: policy.failures_per_account,
            window: policy.window,
        };
        [slowly, locked]
    };
    // A hash, because people sometimes type their password here.
    let typed = fingerprint(&Login::folded(login));
    let own = match user {
        Some(id) => of_account(&format!("user:{id}")),
        // Without a user, the same counters are written, but they are never used up.
        None => of_account(&format!("nobody:{typed}")).map(|one| Budget { most: u32::MAX, ..one }),
    };
    let typed = of_account(&format!("typed:{typed}"));
    (of_client.into_iter().chain(typed).collect(), own.into())
}

const SLOWLY: &str = "login-pace";
const LOCKED: &str = "login";

/// Returns the keys of the counters of a user's failed sign-ins.
pub(crate) fn failures_of(user: &User) -> Vec<String> {
    let typed = |text: &str| format!("typed:{}", fingerprint(&Login::folded(text)));
    let names =
        [typed(user.email.as_str()), typed(user.username.as_str()), format!("user:{}", user.id)];
    names.iter().flat_map(|name| [format!("{SLOWLY}:{name}"), format!("{LOCKED}:{name}")]).collect()
}

/// Errors of [`SignIn`].
#[derive(Debug, Error)]
pub enum SignInError {
    /// The login or the password is wrong; the error does not say which.
    #[error("the user name, email address or password is wrong")]
    Refused,
    #[error("you have no password; sign in with Google again, or set a password by resetting it")]
    NoPassword,
    #[error("confirm your second factor instead of the password")]
    NeedsFactor,
    #[error("too many failed attempts; try again later")]
    Limited(Exhausted),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use waggle_kernel::ids::SessionId;
    use waggle_kernel::{FixedClock, MockEntropy, MockLimits};

    use super::*;
    use crate::limits::LimitTable;
    use crate::people::role::Role;
    use crate::ports::{
        MockAuthEventRepository, MockPasswordHasher, MockSessionRepository, MockUserRepository,
    };
    use crate::testing::user;

    const POLICY: SignInPolicy = SignInPolicy {
        admins: SessionLife { idle: Duration::hours(1), absolute: Duration::hours(12) },
        others: SessionLife { idle: Duration::hours(24), absolute: Duration::days(14) },
        failures_per_account: 8,
        failures_per_client: 20,
        window: Duration::minutes(5),
        limits: LimitTable { otherwise: Vec::new() },
    };

    struct Scene {
        users: MockUserRepository,
        sessions: MockSessionRepository,
        events: MockAuthEventRepository,
        limits: MockLimits,
        hasher: MockPasswordHasher,
    }

    fn scene(found: Option<User>, verdict: Verdict) -> Scene {
        let mut scene = Scene {
            users: MockUserRepository::new(),
            sessions: MockSessionRepository::new(),
            events: MockAuthEventRepository::new(),
            limits: MockLimits::new(),
            hasher: MockPasswordHasher::new(),
        };
        scene.users.expect_find_login().returning(move |_| {
            Ok(found.clone().map(|user| (user, StoredPassword("$argon2id$".to_owned()))))
        });
        scene.users.expect_any_imported_password().returning(|| Ok(false));
        scene.hasher.expect_verify().times(0..=1).returning(move |_, _| Ok(verdict));
        scene.limits.expect_take().returning(|_, _| Ok(None));
        scene
    }

    async fn run(scene: Scene, login: &str) -> Result<SignedIn, SignInError> {
        let mut entropy = MockEntropy::new();
        entropy.expect_bytes().returning(|| Ok([7; 32]));
        let sign_in = SignIn {
            users: Arc::new(scene.users),
            sessions: Arc::new(scene.sessions),
            events: Arc::new(scene.events),
            limits: Arc::new(scene.limits),
            hasher: Arc::new(scene.hasher),
            clock: Arc::new(FixedClock::noon()),
            entropy: Arc::new(entropy),
        };
        sign_in.run(login, &"a good long password".into(), &Client::default(), &POLICY).await
    }

    #[tokio::test]
    async fn a_correct_password_opens_a_session_and_is_recorded() {
        let mut scene = scene(Some(user(3, Role::Editor)), Verdict::Right);
        scene.limits.expect_give_back().once().returning(|_| Ok(()));
        scene
            .sessions
            .expect_open()
            .withf(|session, _, _, event| {
                session.user == UserId::new(3)
                    && session.life == POLICY.others
                    && event.kind == EventKind::LoginSuccess
            })
            .once()
            .returning(|_, _, _, _| Ok(Some(SessionId::new(1))));

        let signed_in = run(scene, "joe").await.unwrap();

        assert!(signed_in.token.expose_secret().starts_with("wgs_"));
    }

    #[tokio::test]
    async fn an_error_while_verifying_does_not_count_as_a_failed_sign_in() {
        let mut scene = scene(Some(user(3, Role::Editor)), Verdict::Right);
        scene.hasher.checkpoint();
        scene
            .hasher
            .expect_verify()
            .returning(|_, _| Err(PortError::unavailable("comparing", "it is busy")));
        scene
            .limits
            .expect_give_back()
            .withf(|budgets| budgets.iter().any(|budget| budget.key.starts_with("login:user:")))
            .once()
            .returning(|_| Ok(()));

        let result = run(scene, "joe").await.map(drop);

        assert!(matches!(result, Err(SignInError::Port(_))), "{result:?}");
    }

    #[tokio::test]
    async fn every_rejection_is_the_same_and_verifies_a_password() {
        let mut inactive = user(3, Role::Admin);
        inactive.is_active = false;
        let cases = [
            (None, Verdict::Wrong, "joe"),
            (Some(user(3, Role::Admin)), Verdict::Wrong, "joe"),
            (Some(inactive), Verdict::Right, "joe"),
            (None, Verdict::Wrong, "no such@login@"),
        ];
        for (found, verdict, login) in cases {
            let mut scene = scene(found, verdict);
            scene.hasher.checkpoint();
            scene.hasher.expect_verify().once().returning(move |_, _| Ok(verdict));
            scene.sessions.expect_open().never();
            scene
                .events
                .expect_record()
                .withf(|event| event.kind == EventKind::LoginFailure)
                .once()
                .returning(|_| Ok(()));

            let result = run(scene, login).await.map(drop);

            assert!(matches!(result, Err(SignInError::Refused)), "{result:?}");
        }
    }

    #[tokio::test]
    async fn every_rejection_takes_equally_long_while_imported_passwords_exist() {
        for found in [None, Some(user(3, Role::Admin))] {
            let mut users = MockUserRepository::new();
            users.expect_find_login().returning(move |_| {
                Ok(found.clone().map(|user| (user, StoredPassword("$argon2id$".to_owned()))))
            });
            users.expect_any_imported_password().returning(|| Ok(true));
            let mut scene = Scene { users, ..scene(None, Verdict::Wrong) };
            scene.events.expect_record().returning(|_| Ok(()));
            let began = FixedClock::noon().now();
            let since_it_began = move |since: &DateTime<Utc>| *since == began;
            scene.hasher.expect_even_out().withf(since_it_began).once().returning(|_| ());

            assert!(matches!(run(scene, "joe").await, Err(SignInError::Refused)));
        }
    }

    #[tokio::test]
    async fn no_password_is_verified_after_too_many_failures() {
        let mut scene = scene(Some(user(3, Role::Admin)), Verdict::Right);
        let until = FixedClock::noon().now() + Duration::minutes(4);
        scene.limits.checkpoint();
        scene.limits.expect_take().returning(move |budgets, _| {
            let budget = budgets.last().unwrap().clone();
            let is_mail = budget.key.starts_with("mail.");
            Ok((!is_mail).then_some(Exhausted { budget, until, refusals: 1 }))
        });
        scene.hasher.checkpoint();
        scene.hasher.expect_verify().never();
        let tells = |event: &NewAuthEvent| event.mails.iter().all(|m| m.letter == Letter::Locked);
        scene
            .events
            .expect_record()
            .withf(move |event| event.mails.len() == 1 && tells(event))
            .once()
            .returning(|_| Ok(()));

        let result = run(scene, "joe").await.map(drop);

        assert!(matches!(result, Err(SignInError::Limited(_))), "{result:?}");
    }

    #[tokio::test]
    async fn an_unknown_login_writes_the_same_counters_and_events() {
        // Without a limit, and with the failure that locks the account.
        for is_locked in [false, true] {
            let mut costs = Vec::new();
            for user in [None, Some(user(3, Role::Viewer))] {
                let mut scene = scene(user, Verdict::Wrong);
                let until = FixedClock::noon().now();
                let written = Arc::new(std::sync::Mutex::new(Vec::new()));
                let counted = Arc::clone(&written);
                scene.limits.checkpoint();
                scene.limits.expect_take().returning(move |budgets, _| {
                    counted.lock().unwrap().push(budgets.len());
                    let budget = budgets.last().unwrap().clone();
                    let is_lock = is_locked && budget.key.starts_with("login:typed:");
                    Ok(is_lock.then_some(Exhausted { budget, until, refusals: 1 }))
                });
                let events = Arc::clone(&written);
                scene.events.expect_record().returning(move |_| {
                    events.lock().unwrap().push(0);
                    Ok(())
                });

                run(scene, "joe").await.map(drop).unwrap_err();

                costs.push(written.lock().unwrap().clone());
            }
            assert_eq!(costs[0], costs[1], "{is_locked}");
        }
    }

    #[tokio::test]
    async fn a_user_locked_under_another_login_gets_the_usual_rejection() {
        let mut scene = scene(Some(user(3, Role::Admin)), Verdict::Right);
        let until = FixedClock::noon().now() + Duration::minutes(4);
        scene.limits.checkpoint();
        scene.limits.expect_take().returning(move |budgets, _| {
            let budget = budgets.last().unwrap().clone();
            let is_own = budget.key.contains(":user:");
            Ok(is_own.then_some(Exhausted { budget, until, refusals: 2 }))
        });
        scene.events.expect_record().once().returning(|_| Ok(()));

        let result = run(scene, "joe").await.map(drop);

        assert!(matches!(result, Err(SignInError::Refused)), "{result:?}");
    }

    #[tokio::test]
    async fn an_old_password_hash_is_replaced_at_sign_in() {
        let mut scene = scene(Some(user(3, Role::Viewer)), Verdict::RightButOld);
        scene.limits.expect_give_back().returning(|_| Ok(()));
        scene.sessions.expect_open().returning(|_, _, _, _| Ok(Some(SessionId::new(1))));
        scene.hasher.expect_hash().once().returning(|_| Ok(StoredPassword("new".to_owned())));
        scene
            .users
            .expect_set_password()
            .withf(|_, _, password, sessions, _| {
                password.0 == "new" && *sessions == EndSessions::None
            })
            .once()
            .returning(|_, _, _, _, _| Ok(true));

        assert!(run(scene, "joe").await.is_ok());
    }

    #[tokio::test]
    async fn a_user_changed_during_verification_is_rejected() {
        let mut changed = scene(Some(user(3, Role::Viewer)), Verdict::Right);
        changed.limits.expect_give_back().returning(|_| Ok(()));
        changed.sessions.expect_open().returning(|_, _, _, _| Ok(None));
        let mut reset = scene(Some(user(3, Role::Viewer)), Verdict::RightButOld);
        reset.limits.expect_give_back().returning(|_| Ok(()));
        reset.hasher.expect_hash().returning(|_| Ok(StoredPassword("new".to_owned())));
        reset.users.expect_set_password().returning(|_, _, _, _, _| Ok(false));
        reset.sessions.expect_open().never();

        for scene in [changed, reset] {
            let result = run(scene, "joe").await.map(drop);
            assert!(matches!(result, Err(SignInError::Refused)), "{result:?}");
        }
    }

    #[test]
    fn counters_do_not_contain_what_was_typed() {
        let client = Client::default();
        let keys = |login: &str| budgets(None, login, &client, &POLICY);

        assert!(keys("my secret password").0.iter().all(|budget| !budget.key.contains("secret")));
        assert_eq!(keys("Joe"), keys(" joe"));
        let (typed, own) = budgets(Some(UserId::new(3)), "joe", &client, &POLICY);
        assert_eq!(typed, keys("joe").0, "what was typed counts alike for everybody");
        assert_eq!(own[1].key, "login:user:3");
    }
}
