//! Passkeys (WebAuthn) as a second factor: keys that an authenticator keeps and never shows.
//!
//! ```text
//! begin ──▶ what the authenticator is asked, kept with the session ──▶ its answer ──▶ finish: kept, or let in
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

/// How long an authenticator may take to answer.
const PATIENCE: Duration = Duration::minutes(5);

/// Keeps passkeys and asks for them.
pub struct Passkeys {
    /// Where they are kept.
    pub passkeys: Arc<dyn PasskeyRepository>,
    /// Asks authenticators and checks what they answer.
    pub verifier: Arc<dyn PasskeyVerifier>,
    /// What they are one kind of.
    pub factor: Arc<SecondFactor>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl Passkeys {
    /// How many passkeys a user has at most.
    pub const MOST: usize = 20;

    /// Asks for a new passkey: returns what the browser hands its authenticator.
    ///
    /// # Errors
    ///
    /// [`PasskeysError`].
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

    /// Keeps the passkey that the authenticator answered with. All other sessions end, and the owner is told. Returns recovery codes,
    /// which cannot be had again, if it is the first second factor.
    ///
    /// # Errors
    ///
    /// [`PasskeysError`]; then it is not kept, and has to be begun anew.
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

    /// The visitor's passkeys, oldest first.
    ///
    /// # Errors
    ///
    /// [`PasskeysError::Port`].
    pub async fn list(&self, visitor: &Visitor) -> Result<Vec<Passkey>, PasskeysError> {
        Ok(self.passkeys.list(visitor.user.id).await?)
    }

    /// Asks for one of the visitor's passkeys: returns what the browser hands its authenticator.
    ///
    /// # Errors
    ///
    /// [`PasskeysError`].
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

    /// Lets somebody in, or proves once more who they are, by what the authenticator answered. The session is another from then on.
    ///
    /// # Errors
    ///
    /// [`PasskeysError`]; then the session goes on as it was, and it has to be begun anew.
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

/// Why that could not be done.
#[derive(Debug, Error)]
pub enum PasskeysError {
    /// It is long ago that somebody proved who they are.
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    /// The name is none.
    #[error(transparent)]
    Name(#[from] InvalidPasskeyName),
    /// There are as many as there may be.
    #[error("there are {} passkeys already; remove one first", Passkeys::MOST)]
    TooMany,
    /// The session ended meanwhile.
    #[error("the session has ended; sign in again")]
    Ended,
    /// Nothing was begun in this session, or too long ago.
    #[error("this was begun in another session, or too long ago; begin anew")]
    Stale,
    /// Somebody has the passkey already, or the session ended meanwhile.
    #[error("this passkey is kept already, or the session has ended")]
    Taken,
    /// The authenticator's answer is not right, or there are no passkeys here.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    /// It was not kept or not taken.
    #[error(transparent)]
    Factor(#[from] SecondFactorError),
    /// Something behind it could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waggle_kernel::ids::PasskeyId;
    use waggle_kernel::{FixedClock, MockEntropy};

    use super::*;
    use crate::auth_event::EventKind;
    use crate::keys::MockServerKeys;
    use crate::ports::{
        Added, Asked, MockAuthEventRepository, MockLimits, MockPasskeyRepository,
        MockPasskeyVerifier, MockSecondFactorRepository, NewCredential, Proof,
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
        /// The user has so many passkeys, and something was asked in the session.
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
    fn names_can_be_seen() {
        assert_eq!(PasskeyName::parse(" Joe's 📱 ").unwrap().as_str(), "Joe's 📱");
        for name in ["", "  ", "a\u{7}b", "\u{200b}", "a\u{202e}b", &"x".repeat(101)] {
            assert_eq!(PasskeyName::parse(name), Err(InvalidPasskeyName), "{name}");
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_for_what_would_not_be_taken() {
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
    async fn a_right_answer_is_kept_and_the_owner_told() {
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
    async fn a_wrong_answer_is_written_down_and_a_copy_told() {
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
    async fn a_proof_lets_in_if_it_is_not_used_up() {
        for is_first in [true, false] {
            let mut scene = Scene::with(1);
            let proof = || Proof::Passkey { id: PasskeyId::new(1), seen: vec![3], anew: vec![4] };
            scene.verifier.expect_finish_proving().returning(move |_, _, _, _| Ok(proof()));
            scene.factors.expect_let_in().once().returning(move |_, _, _, _| Ok(is_first));

            let (client, policy) = (Client::default(), policy());
            let proven =
                scene.passkeys().finish_proving(&fresh(), &json!({}), &client, &policy).await;

            assert_eq!(proven.is_ok(), is_first);
        }
    }
}
