//! Passkeys (WebAuthn) as a second factor. An authenticator keeps the private keys and never
//! reveals them.
//!
//! ```text
//! begin ──▶ options for the authenticator, state stored with the session ──▶ its answer
//!                             ──▶ finish: the passkey is stored, or the visitor gets a new session
//! ```

use std::sync::Arc;

use chrono::Duration;
use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;
use waggle_kernel::{Clock, PortError};

use crate::auth_event::Client;
use crate::factors::second_factor::{SecondFactor, SecondFactorError};
use crate::factors::stored_passkey::{InvalidPasskeyName, NewPasskey, Passkey, PasskeyName};
use crate::mails::mail::Letter;
use crate::policy::AccountPolicy;
use crate::ports::{Challenge, NewFactor, PasskeyError, PasskeyRepository, PasskeyVerifier};
use crate::sessions::manage_sessions::{NotRecent, Visitor};
use crate::sessions::sign_in::SignedIn;

/// The timeout for the answer of an authenticator.
const PATIENCE: Duration = Duration::minutes(5);

/// Registers passkeys and verifies them.
pub struct Passkeys {
    pub passkeys: Arc<dyn PasskeyRepository>,
    /// Creates challenges for authenticators and verifies their answers.
    pub verifier: Arc<dyn PasskeyVerifier>,
    /// The part that is common to all second factors.
    pub factor: Arc<SecondFactor>,
    pub clock: Arc<dyn Clock>,
}

impl Passkeys {
    /// The maximum number of passkeys of a user.
    pub const MOST: usize = 20;

    /// Starts registering a new passkey. Returns the options that the browser passes to the
    /// authenticator.
    pub async fn begin_registering(
        &self,
        visitor: &Visitor,
        policy: &AccountPolicy,
    ) -> Result<Value, PasskeysError> {
        let now = self.clock.now();
        visitor.require_recent(now, policy.recent)?;
        let present = self.passkeys.list(visitor.user.id).await?;
        if present.len() >= Self::MOST {
            return Err(PasskeysError::TooMany);
        }
        let asked = self.verifier.begin_registering(&visitor.user, &present)?;
        let (session, challenge) = (visitor.session.id, Challenge::Register);
        if self.passkeys.ask(session, challenge, &asked.state, now + PATIENCE).await? {
            Ok(asked.options)
        } else {
            Err(PasskeysError::Ended)
        }
    }

    /// Stores the passkey of the authenticator's answer, ends all other sessions and notifies the
    /// owner by email. Returns the recovery codes if this is the first second factor; they are not
    /// shown again.
    ///
    /// # Errors
    ///
    /// On any error, the passkey is not stored, and registering must begin again.
    pub async fn finish_registering(
        &self,
        visitor: &Visitor,
        name: &str,
        answer: &Value,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Vec<SecretString>, PasskeysError> {
        let (user, now) = (&visitor.user, self.clock.now());
        visitor.require_recent(now, policy.recent)?;
        let name = PasskeyName::parse(name)?;
        let asked = self.passkeys.take(visitor.session.id, Challenge::Register, now).await?;
        let asked = asked.ok_or(PasskeysError::Stale)?;
        let credential = self.verifier.finish_registering(user, &asked, answer)?;
        let passkey = NewPasskey {
            name,
            credential_id: credential.id,
            key: credential.key,
            state: credential.state,
            created_at: now,
        };
        let factor = NewFactor::Passkey(passkey);
        let added =
            self.factor.add(visitor, &factor, "a passkey was added", client, policy).await?;
        added.ok_or(PasskeysError::Taken)
    }

    /// Returns the visitor's passkeys, oldest first.
    pub async fn list(&self, visitor: &Visitor) -> Result<Vec<Passkey>, PasskeysError> {
        Ok(self.passkeys.list(visitor.user.id).await?)
    }

    /// Starts verifying one of the visitor's passkeys. Returns the options that the browser passes
    /// to the authenticator.
    pub async fn begin_proving(&self, visitor: &Visitor) -> Result<Value, PasskeysError> {
        let present = self.passkeys.list(visitor.user.id).await?;
        let asked = self.verifier.begin_proving(&present)?;
        let (session, until) = (visitor.session.id, self.clock.now() + PATIENCE);
        if self.passkeys.ask(session, Challenge::Prove, &asked.state, until).await? {
            Ok(asked.options)
        } else {
            Err(PasskeysError::Ended)
        }
    }

    /// Completes a sign-in, or authenticates the visitor again, with the authenticator's answer.
    /// The visitor gets a new session in place of the current one.
    ///
    /// # Errors
    ///
    /// On any error, the session stays as it is, and verifying must begin again.
    pub async fn finish_proving(
        &self,
        visitor: &Visitor,
        answer: &Value,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<SignedIn, PasskeysError> {
        let (user, now) = (&visitor.user, self.clock.now());
        let budgets = self.factor.allow_client(user, client, policy).await?;
        let limits = &self.factor.limits;
        let asked = self.passkeys.take(visitor.session.id, Challenge::Prove, now).await;
        let asked = limits.unless_failed(&budgets, asked).await?.ok_or(PasskeysError::Stale)?;
        let present = self.passkeys.list(user.id).await;
        let present = limits.unless_failed(&budgets, present).await?;
        let proof = match self.verifier.finish_proving(user, &present, &asked, answer) {
            Ok(proof) => proof,
            Err(error) => {
                let is_copy = matches!(error, PasskeyError::Cloned);
                let letter = is_copy.then_some(Letter::PasskeyCopied);
                self.factor.failed(user, &error.reason(), letter, client, policy).await?;
                return Err(error.into());
            }
        };
        let signed_in = self.factor.let_in(visitor, &proof, "passkey", client, policy).await?;
        self.factor.limits.give_back(&budgets).await?;
        Ok(signed_in)
    }
}

/// Errors of [`Passkeys`].
#[derive(Debug, Error)]
pub enum PasskeysError {
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    #[error(transparent)]
    Name(#[from] InvalidPasskeyName),
    #[error("you already have {} passkeys; remove one first", Passkeys::MOST)]
    TooMany,
    /// The session has ended in the meantime.
    #[error("the session has ended; sign in again")]
    Ended,
    /// Nothing was begun in this session, or its time is over.
    #[error("this was started in another session or has expired; start again")]
    Stale,
    /// Another user has the passkey, or the session has ended in the meantime.
    #[error("this passkey is already registered, or the session has ended")]
    Taken,
    /// The answer is wrong, or passkeys are not available.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    #[error(transparent)]
    Factor(#[from] SecondFactorError),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waggle_kernel::ids::PasskeyId;
    use waggle_kernel::{FixedClock, MockEntropy, MockLimits, MockServerKeys};

    use super::*;
    use crate::auth_event::EventKind;
    use crate::ports::{
        Added, Asked, MockAuthEventRepository, MockPasskeyRepository, MockPasskeyVerifier,
        MockSecondFactorRepository, NewCredential, Proof,
    };
    use crate::testing::noon;
    use crate::testing::scene::{policy, visitor};

    struct Scene {
        passkeys: MockPasskeyRepository,
        verifier: MockPasskeyVerifier,
        factors: MockSecondFactorRepository,
        events: MockAuthEventRepository,
    }

    impl Scene {
        /// The user has `present` passkeys, and the session has a challenge.
        fn with(present: usize) -> Self {
            let mut passkeys = MockPasskeyRepository::new();
            let one = Passkey {
                id: PasskeyId::new(1),
                name: "phone".to_owned(),
                credential_id: vec![1; 16],
                key: vec![2],
                state: vec![3],
                created_at: noon(),
                last_used_at: None,
            };
            passkeys.expect_list().returning(move |_| Ok(vec![one.clone(); present]));
            passkeys.expect_take().returning(|_, _, _| Ok(Some(vec![7])));
            Self {
                passkeys,
                verifier: MockPasskeyVerifier::new(),
                factors: MockSecondFactorRepository::new(),
                events: MockAuthEventRepository::new(),
            }
        }

        fn passkeys(self) -> Passkeys {
            let (mut limits, mut entropy) = (MockLimits::new(), MockEntropy::new());
            limits.expect_take().returning(|_, _| Ok(None));
            limits.expect_give_back().returning(|_| Ok(()));
            entropy.expect_bytes().returning(|| Ok([7; 32]));
            let clock = Arc::new(FixedClock::noon());
            let factor = SecondFactor {
                factors: Arc::new(self.factors),
                events: Arc::new(self.events),
                limits: Arc::new(limits),
                keys: Arc::new(MockServerKeys::new()),
                clock: clock.clone(),
                entropy: Arc::new(entropy),
            };
            Passkeys {
                passkeys: Arc::new(self.passkeys),
                verifier: Arc::new(self.verifier),
                factor: Arc::new(factor),
                clock,
            }
        }
    }

    fn fresh() -> Visitor {
        visitor(Duration::zero())
    }

    #[test]
    fn passkey_names_have_only_visible_characters() {
        assert_eq!(PasskeyName::parse(" Joe's 📱 ").unwrap().as_str(), "Joe's 📱");
        for name in ["", "  ", "a\u{7}b", "\u{200b}", "a\u{202e}b", &"x".repeat(101)] {
            assert_eq!(PasskeyName::parse(name), Err(InvalidPasskeyName), "{name}");
        }
    }

    #[tokio::test]
    async fn a_challenge_needs_recent_authentication_a_free_slot_and_a_live_session() {
        let policy = policy();
        let stale = visitor(policy.recent + Duration::seconds(1));

        let too_late = Scene::with(0).passkeys().begin_registering(&stale, &policy).await;
        let too_many =
            Scene::with(Passkeys::MOST).passkeys().begin_registering(&fresh(), &policy).await;
        let mut ended = Scene::with(1);
        ended.passkeys.expect_ask().returning(|_, _, _, _| Ok(false));
        ended
            .verifier
            .expect_begin_proving()
            .returning(|_| Ok(Asked { options: json!({}), state: vec![7] }));
        let ended = ended.passkeys().begin_proving(&fresh()).await;

        assert!(matches!(too_late, Err(PasskeysError::NotRecent(_))), "{too_late:?}");
        assert!(matches!(too_many, Err(PasskeysError::TooMany)), "{too_many:?}");
        assert!(matches!(ended, Err(PasskeysError::Ended)), "{ended:?}");
    }

    #[tokio::test]
    async fn a_valid_answer_stores_the_passkey_and_notifies_the_owner() {
        let mut scene = Scene::with(0);
        scene.verifier.expect_finish_registering().withf(|_, state, _| state == [7]).returning(
            |_, _, _| Ok(NewCredential { id: vec![1; 16], key: vec![2], state: vec![3] }),
        );
        scene
            .factors
            .expect_add()
            .withf(|_, factor, codes, _, event| {
                let is_it =
                    matches!(factor, NewFactor::Passkey(one) if one.name.as_str() == "phone");
                is_it && codes.len() == 10 && event.mails.len() == 1
            })
            .once()
            .returning(|_, _, _, _, _| Ok(Added::First));

        let (client, policy) = (Client::default(), policy());
        let passkeys = scene.passkeys();
        let kept =
            passkeys.finish_registering(&fresh(), "phone", &json!({}), &client, &policy).await;

        assert_eq!(kept.unwrap().len(), 10);
    }

    #[tokio::test]
    async fn an_invalid_answer_is_recorded_and_a_copied_passkey_is_reported() {
        let wrong = || PasskeyError::Refused("the signature\nis wrong".repeat(50));
        for (error, mails) in [(wrong(), 0), (PasskeyError::Cloned, 1)] {
            let mut scene = Scene::with(1);
            let mut error = Some(error);
            scene
                .verifier
                .expect_finish_proving()
                .returning(move |_, _, _, _| Err(error.take().expect("it is asked once")));
            scene
                .events
                .expect_record()
                .withf(move |event| {
                    let why = event.metadata["why"].as_str().unwrap_or_default();
                    let is_short = why.chars().count() <= 200 && !why.contains('\n');
                    event.kind == EventKind::FactorFailure && event.mails.len() == mails && is_short
                })
                .once()
                .returning(|_| Ok(()));

            let (client, policy) = (Client::default(), policy());
            let proven =
                scene.passkeys().finish_proving(&fresh(), &json!({}), &client, &policy).await;

            assert!(matches!(proven.err(), Some(PasskeysError::Passkey(_))));
        }
    }

    #[tokio::test]
    async fn a_proof_opens_a_session_unless_it_was_used() {
        for is_first in [true, false] {
            let mut scene = Scene::with(1);
            let proof =
                || Proof::Passkey { id: PasskeyId::new(1), seen: vec![3], renewed: vec![4] };
            scene.verifier.expect_finish_proving().returning(move |_, _, _, _| Ok(proof()));
            scene.factors.expect_let_in().once().returning(move |_, _, _, _| Ok(is_first));

            let (client, policy) = (Client::default(), policy());
            let proven =
                scene.passkeys().finish_proving(&fresh(), &json!({}), &client, &policy).await;

            assert_eq!(proven.is_ok(), is_first);
        }
    }
}
