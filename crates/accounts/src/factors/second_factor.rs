//! Second factors in addition to the password or Google: authenticator apps, and recovery codes for
//! the case that the app is lost.
//!
//! ```text
//! begin ──▶ the app shows codes ──▶ confirm: enabled, recovery codes are shown once
//! first factor ──▶ a pending session without access ──▶ prove ──▶ a new session with access
//! ```

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{
    Actor, Budget, Clock, Entropy, Exhausted, Forbidden, Limits, PortError, PortErrorKind, Scope,
    ServerKeys,
};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::factors::totp::{App, NewTotp, RECOVERY_CODES, StoredTotp, Typed, recovery_code};
use crate::limits::{FACTOR_CHANGE, FACTOR_CLIENT, FACTOR_USER, LOCKED_MAILS, LimitTable, network};
use crate::mails::mail::{Letter, NewMail};
use crate::people::user::User;
use crate::policy::AccountPolicy;
use crate::ports::{
    Added, AuthEventRepository, EndSessions, NewFactor, Proof, SecondFactorRepository, TotpBegun,
    WhichFactor,
};
use crate::sessions::manage_sessions::{NotRecent, Visitor};
use crate::sessions::session::NewSession;
use crate::sessions::sign_in::SignedIn;
use crate::tokens::token::StoredHash;

/// Sets up second factors and verifies them.
pub struct SecondFactor {
    pub factors: Arc<dyn SecondFactorRepository>,
    pub events: Arc<dyn AuthEventRepository>,
    pub limits: Arc<dyn Limits>,
    /// Seals the secrets of apps.
    pub keys: Arc<dyn ServerKeys>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// Which second factors a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorState {
    pub has_totp: bool,
    pub recovery_codes_left: u32,
}

impl SecondFactor {
    /// Creates the secret for an app, in place of an unconfirmed one. It has no effect before
    /// [`confirm`](Self::confirm).
    ///
    /// # Errors
    ///
    /// [`SecondFactorError::IsOn`] if there already is a confirmed app.
    pub async fn begin(
        &self,
        visitor: &Visitor,
        policy: &AccountPolicy,
    ) -> Result<NewTotp, SecondFactorError> {
        let (user, now) = (&visitor.user, self.clock.now());
        visitor.require_recent(now, policy.recent)?;
        self.allow_change(user, policy).await?;
        let (app, kept) = App::make(&self.entropy.bytes()?, user.email.as_str())?;
        let sealed = self.keys.seal(&place(user.id), &kept)?;
        match self.factors.begin_totp(user.id, &sealed, now).await? {
            TotpBegun::Kept => Ok(app.shown()?),
            TotpBegun::IsOn => Err(SecondFactorError::IsOn),
            TotpBegun::OldKey => {
                let doing = "sealing the secret of an app";
                Err(PortError::unavailable(doing, "another master key is now in use").into())
            }
        }
    }

    /// Enables the app if `code` proves that it has the secret. All other sessions end, and the
    /// owner is notified by email. Returns the recovery codes, which are not shown again; it
    /// returns none if another factor already has some.
    ///
    /// # Errors
    ///
    /// On any error, the app stays disabled.
    pub async fn confirm(
        &self,
        visitor: &Visitor,
        code: &str,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Vec<SecretString>, SecondFactorError> {
        let user = &visitor.user;
        visitor.require_recent(self.clock.now(), policy.recent)?;
        let stored = self.factors.find_totp(user.id).await?.filter(|stored| !stored.is_confirmed);
        let stored = stored.ok_or(SecondFactorError::NotBegun)?;
        let Some(Typed::App(code)) = Typed::read(code) else {
            return Err(SecondFactorError::Refused);
        };
        // A limit per user is not needed: users who set up an app know its secret.
        let budgets = self.allow_client(user, client, policy).await?;
        let step = self.step(user, &stored, &code).await?.ok_or(SecondFactorError::Refused)?;
        self.limits.give_back(&budgets).await?;
        let factor = NewFactor::Totp { secret: stored.secret, step };
        let what = "an authenticator app was set up";
        let added = self.add(visitor, &factor, what, client, policy).await?;
        added.ok_or(SecondFactorError::NotBegun)
    }

    /// Stores a factor that the visitor has proved to have, with recovery codes if it is the first
    /// one. All other sessions end. Returns `None` if the factor was not stored.
    pub(crate) async fn add(
        &self,
        visitor: &Visitor,
        factor: &NewFactor,
        what: &str,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Option<Vec<SecretString>>, SecondFactorError> {
        self.allow_change(&visitor.user, policy).await?;
        let (codes, hashes) = self.recovery_codes()?;
        let event = self.told(EventKind::FactorAdded, &visitor.user, client, what);
        let others = EndSessions::AllBut(visitor.session.id);
        match self.factors.add(visitor.user.id, factor, &hashes, others, &event).await? {
            Added::First => Ok(Some(codes)),
            Added::Further => Ok(Some(Vec::new())),
            Added::Refused => Ok(None),
        }
    }

    /// Removes one of the visitor's factors, and the recovery codes with the last one. All other
    /// sessions end, and the owner is notified by email.
    ///
    /// # Errors
    ///
    /// On any error, the factor stays.
    pub async fn remove(
        &self,
        visitor: &Visitor,
        which: WhichFactor,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), SecondFactorError> {
        visitor.require_recent(self.clock.now(), policy.recent)?;
        self.allow_change(&visitor.user, policy).await?;
        let what = match which {
            WhichFactor::Totp => "the authenticator app was removed",
            WhichFactor::Passkey(_) => "a passkey was removed",
            WhichFactor::All => "all second factors were removed",
        };
        let event = self.told(EventKind::FactorRemoved, &visitor.user, client, what);
        let others = EndSessions::AllBut(visitor.session.id);
        self.take_away(&visitor.user, which, others, &event).await
    }

    /// Removes all factors of a user who has lost them. All sessions end, and the owner is notified
    /// by email.
    ///
    /// # Errors
    ///
    /// [`SecondFactorError::Own`] if admins do this to themselves: while they have the factor, they
    /// can use [`remove`](Self::remove). On any error, the factors stay.
    pub async fn remove_for(
        &self,
        actor: &Actor,
        user: &User,
        client: &Client,
    ) -> Result<(), SecondFactorError> {
        actor.require(Scope::Admin)?;
        if actor.is_user(user.id) {
            return Err(SecondFactorError::Own);
        }
        let mut event = self.told(
            EventKind::FactorRemoved,
            user,
            client,
            "an admin removed all second factors",
        );
        event.by = actor.reference();
        self.take_away(user, WhichFactor::All, EndSessions::All, &event).await
    }

    async fn take_away(
        &self,
        user: &User,
        which: WhichFactor,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<(), SecondFactorError> {
        if !self.factors.remove(user.id, which, sessions, event).await? {
            return Err(SecondFactorError::NotBegun);
        }
        // The secret that was guessed at is gone, so its failures no longer count.
        if !matches!(which, WhichFactor::Passkey(_)) {
            let guesses = LimitTable::default().budget(&FACTOR_USER, &user.id.to_string());
            self.limits.forget(&[guesses.key]).await?;
        }
        Ok(())
    }

    /// Returns which second factors the visitor has.
    pub async fn state(&self, visitor: &Visitor) -> Result<FactorState, SecondFactorError> {
        let user = visitor.user.id;
        let totp = self.factors.find_totp(user).await?;
        Ok(FactorState {
            has_totp: totp.is_some_and(|stored| stored.is_confirmed),
            recovery_codes_left: self.factors.recovery_codes_left(user).await?,
        })
    }

    /// Creates new recovery codes, which are not shown again. The previous ones become invalid.
    ///
    /// # Errors
    ///
    /// On any error, the previous codes stay valid.
    pub async fn renew_recovery_codes(
        &self,
        visitor: &Visitor,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Vec<SecretString>, SecondFactorError> {
        visitor.require_recent(self.clock.now(), policy.recent)?;
        self.allow_change(&visitor.user, policy).await?;
        let (codes, hashes) = self.recovery_codes()?;
        let (kind, what) = (EventKind::RecoveryRenewed, "new recovery codes were created");
        let event = self.told(kind, &visitor.user, client, what);
        let (user, session) = (visitor.user.id, visitor.session.id);
        if self.factors.renew_recovery_codes(user, &hashes, session, &event).await? {
            Ok(codes)
        } else {
            Err(SecondFactorError::NotBegun)
        }
    }

    /// Completes a sign-in, or authenticates the visitor again, with an app code or a recovery
    /// code. Each code is valid once. The visitor gets a new session in place of the current one.
    ///
    /// # Errors
    ///
    /// On any error, the session stays as it is.
    pub async fn prove(
        &self,
        visitor: &Visitor,
        code: &str,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<SignedIn, SecondFactorError> {
        let user = &visitor.user;
        if !user.has_second_factor {
            return Err(SecondFactorError::NotBegun);
        }
        // A malformed code is neither counted nor recorded.
        let typed = Typed::read(code).ok_or(SecondFactorError::Refused)?;
        let budgets = match &typed {
            Typed::App(_) => self.allow_guess(user, client, policy).await?,
            Typed::Recovery(_) => self.allow_client(user, client, policy).await?,
        };
        let (proof, method) = match typed {
            Typed::App(code) => {
                let stored = self.factors.find_totp(user.id).await;
                let stored = self.limits.unless_failed(&budgets, stored).await?;
                let step = match stored.filter(|stored| stored.is_confirmed) {
                    Some(stored) => self.step(user, &stored, &code).await,
                    None => Ok(None),
                };
                if matches!(step, Err(SecondFactorError::Unreadable)) {
                    self.limits.give_back(&budgets).await?;
                }
                (step?.map(Proof::Step), "totp")
            }
            Typed::Recovery(hash) => (Some(Proof::RecoveryCode(hash)), "recovery code"),
        };
        let result = match proof {
            Some(proof) => self.let_in(visitor, &proof, method, client, policy).await,
            None => Err(SecondFactorError::Refused),
        };
        if matches!(result, Err(SecondFactorError::Refused)) {
            let why = "the code is wrong or was already used";
            self.failed(user, why, None, client, policy).await?;
            return result;
        }
        let result = self.limits.unless_failed(&budgets, result).await?;
        self.limits.give_back(&budgets).await?;
        Ok(result)
    }

    /// Replaces the visitor's session with a new one. The proof is used up.
    pub(crate) async fn let_in(
        &self,
        visitor: &Visitor,
        proof: &Proof,
        method: &str,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<SignedIn, SecondFactorError> {
        let (user, now, life) =
            (&visitor.user, self.clock.now(), policy.sign_in.life(&visitor.user));
        let chance = self.entropy.bytes()?;
        let (session, token) = NewSession::make(&chance, user.id, client.clone(), now, life);
        let kind = if visitor.session.is_pending {
            EventKind::LoginSuccess
        } else {
            EventKind::Reauthenticated
        };
        let mut event = NewAuthEvent::of_user(kind, user, client, now);
        event.metadata = json!({ "method": method });
        let mut events = vec![event];
        if matches!(proof, Proof::RecoveryCode(_)) {
            let what = "a recovery code was used and is no longer valid";
            events.push(self.told(EventKind::RecoveryUsed, user, client, what));
        }
        if self.factors.let_in(visitor.session.id, proof, &session, &events).await? {
            let user = user.clone();
            Ok(SignedIn { user, token, ends_at: now + life.absolute, is_complete: true })
        } else {
            Err(SecondFactorError::Refused)
        }
    }

    /// Records a wrong factor. If there is a `letter`, it is mailed to the owner, but only a few
    /// times a day.
    pub(crate) async fn failed(
        &self,
        user: &User,
        why: &str,
        letter: Option<Letter>,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), PortError> {
        let (kind, now) = (EventKind::FactorFailure, self.clock.now());
        let mut event = NewAuthEvent::of_user(kind, user, client, now);
        event.metadata = json!({ "why": why });
        if let Some(letter) = letter {
            let budget = [policy.limits.budget(&LOCKED_MAILS, &user.id.to_string())];
            if self.limits.take(&budget, now).await?.is_none() {
                event.mails = vec![NewMail::notice(user.email.clone(), letter, now)];
            }
        }
        self.events.record(&event).await
    }

    /// Reseals the secrets of all apps with the newest key, and returns how many. Secrets that no
    /// key can open stay unchanged.
    ///
    /// # Errors
    ///
    /// On any error, the secrets before it have been resealed.
    pub async fn reseal(&self, actor: &Actor) -> Result<Resealed, SecondFactorError> {
        actor.require(Scope::Admin)?;
        let mut done = Resealed::default();
        for (user, stored) in self.factors.totp_secrets().await? {
            let Ok(secret) = self.keys.open(&place(user), &stored).await else {
                done.lost += 1;
                continue;
            };
            let renewed = self.keys.seal(&place(user), &secret)?;
            if renewed.key != stored.key
                && self.factors.reseal_totp(user, &stored, &renewed).await?
            {
                done.sealed += 1;
            }
        }
        Ok(done)
    }

    /// Takes from the budgets for a guess at an app code. Six digits can be guessed in time, so the
    /// limit of an account is low.
    async fn allow_guess(
        &self,
        user: &User,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Vec<Budget>, SecondFactorError> {
        let mut budgets = self.allow_client(user, client, policy).await?;
        let of_user = policy.limits.budget(&FACTOR_USER, &user.id.to_string());
        let letter = Some(Letter::FactorAttacked);
        self.take(&of_user, user, letter, client).await?;
        budgets.push(of_user);
        Ok(budgets)
    }

    /// Takes from the budget of this client for this user. Other users behind the same address have
    /// budgets of their own.
    pub(crate) async fn allow_client(
        &self,
        user: &User,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Vec<Budget>, SecondFactorError> {
        let network = client.ip.map_or_else(String::new, network);
        let budget = policy.limits.budget(&FACTOR_CLIENT, &format!("{network}:{}", user.id));
        self.take(&budget, user, None, client).await?;
        Ok(vec![budget])
    }

    /// Takes from a budget. Only the first refusal is recorded, so that repeated attempts do not
    /// fill the audit log.
    async fn take(
        &self,
        budget: &Budget,
        user: &User,
        letter: Option<Letter>,
        client: &Client,
    ) -> Result<(), SecondFactorError> {
        let now = self.clock.now();
        let Some(exhausted) = self.limits.take(std::slice::from_ref(budget), now).await? else {
            return Ok(());
        };
        if exhausted.refusals == 1 {
            let mut event = NewAuthEvent::of_user(EventKind::FactorLimited, user, client, now);
            let mail = |letter| NewMail::notice(user.email.clone(), letter, now);
            event.mails = letter.map(mail).into_iter().collect();
            self.events.record(&event).await?;
        }
        Err(SecondFactorError::Limited(exhausted))
    }

    /// Takes from the budget for changes.
    async fn allow_change(
        &self,
        user: &User,
        policy: &AccountPolicy,
    ) -> Result<(), SecondFactorError> {
        let budget = [policy.limits.budget(&FACTOR_CHANGE, &user.id.to_string())];
        match self.limits.take(&budget, self.clock.now()).await? {
            Some(exhausted) => Err(SecondFactorError::TooManyChanges(exhausted)),
            None => Ok(()),
        }
    }

    async fn step(
        &self,
        user: &User,
        stored: &StoredTotp,
        code: &str,
    ) -> Result<Option<i64>, SecondFactorError> {
        let opened = self.keys.open(&place(user.id), &stored.secret).await;
        let secret = opened.map_err(|error| match error.kind() {
            PortErrorKind::Broken => SecondFactorError::Unreadable,
            _ => error.into(),
        })?;
        Ok(App::open(&secret, user.email.as_str())?.step(code, self.clock.now()))
    }

    fn recovery_codes(&self) -> Result<(Vec<SecretString>, Vec<StoredHash>), PortError> {
        let codes: Result<Vec<_>, PortError> =
            (0..RECOVERY_CODES).map(|_| Ok(recovery_code(&self.entropy.bytes()?))).collect();
        Ok(codes?.into_iter().unzip())
    }

    fn told(&self, kind: EventKind, user: &User, client: &Client, what: &str) -> NewAuthEvent {
        let now = self.clock.now();
        let mut event = NewAuthEvent::of_user(kind, user, client, now);
        let letter = Letter::SecondFactorChanged { what: what.to_owned() };
        event.mails = vec![NewMail::notice(user.email.clone(), letter, now)];
        event.metadata = json!({ "what": what });
        event
    }
}

/// The result of resealing secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resealed {
    /// The number of secrets that were resealed.
    pub sealed: u32,
    /// The number of secrets that no key can open. Their users need a recovery code or an admin.
    pub lost: u32,
}

/// Returns the place that a secret is sealed for. It is bound to its user.
fn place(user: UserId) -> String {
    format!("totp {user}")
}

/// Errors of [`SecondFactor`].
#[derive(Debug, Error)]
pub enum SecondFactorError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    /// Admins cannot remove their own factors without proving to have them.
    #[error(
        "you cannot remove your own second factor as an admin; confirm it and remove it in \
         your account"
    )]
    Own,
    #[error("an authenticator app is already set up; remove it first")]
    IsOn,
    /// There is no such factor, or no app that was begun.
    #[error("no such second factor is set up")]
    NotBegun,
    #[error("the code is wrong or was already used")]
    Refused,
    #[error("too many wrong codes; try again later, or use another second factor")]
    Limited(Exhausted),
    #[error("too many changes of second factors; try again later")]
    TooManyChanges(Exhausted),
    /// The key that the app's secret was sealed with is missing.
    #[error("codes of this app can no longer be verified; use a recovery code or a passkey")]
    Unreadable,
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use waggle_kernel::{FixedClock, MockEntropy, MockLimits, MockServerKeys, SealedSecret};

    use super::*;
    use crate::people::role::Role;
    use crate::ports::{MockAuthEventRepository, MockSecondFactorRepository};
    use crate::testing::scene::{policy, visitor};
    use crate::testing::{noon, user};

    struct Scene {
        factors: MockSecondFactorRepository,
        events: MockAuthEventRepository,
        limits: MockLimits,
        keys: MockServerKeys,
    }

    impl Scene {
        /// Creates mocks without expectations.
        fn new() -> Self {
            Self {
                factors: MockSecondFactorRepository::new(),
                events: MockAuthEventRepository::new(),
                limits: MockLimits::new(),
                keys: MockServerKeys::new(),
            }
        }

        fn second_factor(self) -> SecondFactor {
            let mut entropy = MockEntropy::new();
            entropy.expect_bytes().returning(|| Ok([7; 32]));
            SecondFactor {
                factors: Arc::new(self.factors),
                events: Arc::new(self.events),
                limits: Arc::new(self.limits),
                keys: Arc::new(self.keys),
                clock: Arc::new(FixedClock::noon()),
                entropy: Arc::new(entropy),
            }
        }
    }

    /// User 3 has a second factor and has only proved the first one.
    fn halfway() -> Visitor {
        let mut visitor = visitor(Duration::zero());
        visitor.user.has_second_factor = true;
        visitor.session.is_pending = true;
        visitor
    }

    #[tokio::test]
    async fn changes_need_recent_authentication() {
        let (client, policy) = (Client::default(), policy());
        for visitor in [visitor(policy.recent + Duration::seconds(1)), halfway()] {
            let factor = Scene::new().second_factor();

            let begun = factor.begin(&visitor, &policy).await.err();
            let confirmed = factor.confirm(&visitor, "123456", &client, &policy).await.err();
            let removed = factor.remove(&visitor, WhichFactor::All, &client, &policy).await.err();
            let renewed = factor.renew_recovery_codes(&visitor, &client, &policy).await.err();

            for error in [begun, confirmed, removed, renewed] {
                assert!(matches!(error, Some(SecondFactorError::NotRecent(_))), "{error:?}");
            }
        }
    }

    #[tokio::test]
    async fn the_owner_is_notified_once_about_guessing() {
        for refusals in [1, 2] {
            let mut scene = Scene::new();
            scene
                .limits
                .expect_take()
                .withf(|budgets, _| budgets.iter().any(|b| b.key == "factor.user:3"))
                .once()
                .returning(move |budgets, _| {
                    let budget = budgets.first().expect("it is there").clone();
                    Ok(Some(Exhausted { budget, until: noon(), refusals }))
                });
            scene.limits.expect_take().returning(|_, _| Ok(None));
            scene
                .events
                .expect_record()
                .withf(|event| event.kind == EventKind::FactorLimited && event.mails.len() == 1)
                .times(usize::from(refusals == 1))
                .returning(|_| Ok(()));

            let factor = scene.second_factor();
            let proven = factor.prove(&halfway(), "123456", &Client::default(), &policy()).await;

            assert!(matches!(proven, Err(SecondFactorError::Limited(_))));
        }
    }

    #[tokio::test]
    async fn malformed_codes_are_neither_counted_nor_recorded() {
        for typed in ["", "x", "12345", "1234567"] {
            let factor = Scene::new().second_factor();
            let proven = factor.prove(&halfway(), typed, &Client::default(), &policy()).await;
            assert!(matches!(proven, Err(SecondFactorError::Refused)));
        }
    }

    #[tokio::test]
    async fn an_attempt_with_a_missing_key_is_not_counted() {
        let mut scene = Scene::new();
        scene.limits.expect_take().returning(|_, _| Ok(None));
        scene
            .limits
            .expect_give_back()
            .withf(|budgets| budgets.iter().any(|budget| budget.key == "factor.user:3"))
            .once()
            .returning(|_| Ok(()));
        let secret = SealedSecret { key: "gone".to_owned(), bytes: vec![1] };
        scene.factors.expect_find_totp().returning(move |_| {
            Ok(Some(StoredTotp { secret: secret.clone(), is_confirmed: true }))
        });
        let gone = || PortError::broken("opening", "the key is gone");
        scene.keys.expect_open().returning(move |_, _| Err(gone()));

        let factor = scene.second_factor();
        let proven = factor.prove(&halfway(), "123456", &Client::default(), &policy()).await;

        assert!(matches!(proven, Err(SecondFactorError::Unreadable)));
    }

    #[tokio::test]
    async fn guessing_app_codes_does_not_block_recovery_codes() {
        let mut scene = Scene::new();
        scene
            .limits
            .expect_take()
            .withf(|budgets, _| budgets.iter().all(|b| !b.key.starts_with("factor.user")))
            .returning(|_, _| Ok(None));
        scene.limits.expect_give_back().returning(|_| Ok(()));
        scene
            .factors
            .expect_let_in()
            .withf(|_, proof, session, events| {
                let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
                matches!(proof, Proof::RecoveryCode(_))
                    && !session.is_pending
                    && kinds == [EventKind::LoginSuccess, EventKind::RecoveryUsed]
            })
            .once()
            .returning(|_, _, _, _| Ok(true));

        let factor = scene.second_factor();
        let code = "bbbb-bbbb-bbbb-bbbb";
        let proven = factor.prove(&halfway(), code, &Client::default(), &policy()).await;

        assert!(proven.is_ok_and(|signed_in| signed_in.is_complete));
    }

    #[tokio::test]
    async fn admins_cannot_remove_their_own_second_factor() {
        let (admin, client) = (user(3, Role::Admin), Client::default());
        let factor = Scene::new().second_factor();

        let own = factor.remove_for(&admin.actor(), &admin, &client).await;
        let editor = user(4, Role::Editor).actor();
        let foreign = factor.remove_for(&editor, &admin, &client).await;

        assert!(matches!(own, Err(SecondFactorError::Own)), "{own:?}");
        assert!(matches!(foreign, Err(SecondFactorError::Forbidden(_))), "{foreign:?}");
    }

    #[tokio::test]
    async fn secrets_sealed_with_an_older_key_are_resealed() {
        let sealed = |key: &str| SealedSecret { key: key.to_owned(), bytes: vec![1] };
        let mut scene = Scene::new();
        let all = ["old", "new", "lost"].map(sealed);
        let all: Vec<_> =
            all.into_iter().zip(1..).map(|(one, id)| (UserId::new(id), one)).collect();
        scene.factors.expect_totp_secrets().returning(move || Ok(all.clone()));
        scene.keys.expect_open().returning(|place, sealed| match sealed.key.as_str() {
            "lost" => Err(PortError::broken("opening", "the key is gone")),
            _ => Ok(place.to_owned().into()),
        });
        scene.keys.expect_seal().returning(move |_, _| Ok(sealed("new")));
        let is_first = |user: &UserId, _: &SealedSecret, _: &SealedSecret| *user == UserId::new(1);
        scene.factors.expect_reseal_totp().withf(is_first).once().returning(|_, _, _| Ok(true));

        let done = scene.second_factor().reseal(&Actor::system()).await.unwrap();

        assert_eq!(done, Resealed { sealed: 1, lost: 1 });
    }
}
