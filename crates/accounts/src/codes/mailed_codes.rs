//! Mailing and checking codes. The steps are the same for all purposes, and whether or not there is
//! a user.
//!
//! ```text
//! allow (budgets) ──▶ issue: stored and mailed in one step
//! check: budgets ──▶ attempt counted ──▶ compared ──▶ budgets given back ──▶ used up by the caller
//! ```

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{Budget, Clock, Entropy, Exhausted, Limits, PortError, ServerKeys};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::codes::code::{
    CODE_LIFE, Code, Flow, Intent, InvalidCode, Link, NewVerification, Purpose, Verification, bound,
};
use crate::limits::{
    CODE_ADDRESS, CODE_CLIENT, CODE_SYSTEM, LINK_CLIENT, MAIL_ADDRESS, MAIL_PAUSE, MAIL_SYSTEM,
    NamedLimit, fingerprint,
};
use crate::mails::mail::{Letter, NewMail, Proof};
use crate::people::address::Address;
use crate::policy::AccountPolicy;
use crate::ports::{AuthEventRepository, VerificationRepository};

/// Mails codes and checks them.
pub struct Codes {
    pub verifications: Arc<dyn VerificationRepository>,
    pub events: Arc<dyn AuthEventRepository>,
    pub limits: Arc<dyn Limits>,
    /// Computes the keyed hashes of codes, and seals codes in mails.
    pub keys: Arc<dyn ServerKeys>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// A code was mailed, or appears to have been.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Must be presented together with the code.
    pub flow: Flow,
    /// When the code expires.
    pub expires_at: DateTime<Utc>,
}

/// The proof of having received an email.
pub enum Presented {
    /// A code, presented by the client that requested it.
    Code {
        /// Identifies that client.
        flow: String,
        code: String,
    },
    /// A link, which can be opened anywhere.
    Link(String),
}

impl Presented {
    /// Returns whether this is a link. The person who opens a link may not be the one who requested
    /// it.
    pub const fn is_link(&self) -> bool {
        matches!(self, Self::Link(_))
    }
}

/// A code to be mailed, and its reason.
pub(crate) struct Wanted<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) address: &'a Address,
    /// With [`Intent::Nothing`], no code is mailed.
    pub(crate) intent: Intent,
    /// What is mailed instead if no code is mailed.
    pub(crate) instead: Option<Letter>,
    pub(crate) event: NewAuthEvent,
}

impl Codes {
    /// Takes from the requester's budget.
    pub(crate) async fn allow_asking(
        &self,
        of_asker: Option<Budget>,
        purpose: Purpose,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), CodeError> {
        let budgets: Vec<Budget> = of_asker.into_iter().collect();
        self.take(&budgets, purpose, client, policy).await
    }

    /// Takes from the budgets for mailing a code to an address. Requests of `user` have separate
    /// budgets, which nobody else can use up.
    pub(crate) async fn allow_mailing(
        &self,
        purpose: Purpose,
        address: &Address,
        user: Option<UserId>,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), CodeError> {
        let whose = whose(purpose, address, user);
        let budget = |limit: &NamedLimit, whose: &str| policy.limits.budget(limit, whose);
        let [system, nothing] = of_system(&MAIL_SYSTEM, policy);
        let budgets = [budget(&MAIL_PAUSE, &whose), budget(&MAIL_ADDRESS, &whose), system, nothing];
        self.take(&budgets, purpose, client, policy).await
    }

    /// Creates a code, stores it and mails it. If no code may be mailed, all other steps are the
    /// same. Mails that are not sent do not count towards the system's limit.
    pub(crate) async fn issue(
        &self,
        wanted: Wanted<'_>,
        policy: &AccountPolicy,
    ) -> Result<Issued, CodeError> {
        let [system, nothing] = of_system(&MAIL_SYSTEM, policy);
        let is_mailed = wanted.intent != Intent::Nothing || wanted.instead.is_some();
        let issued = self.keep(wanted, policy).await;
        let unused = if is_mailed && issued.is_ok() { nothing } else { system };
        let given_back = self.limits.give_back(&[unused]).await;
        let issued = issued?;
        given_back?;
        Ok(issued)
    }

    async fn keep(&self, wanted: Wanted<'_>, policy: &AccountPolicy) -> Result<Issued, CodeError> {
        let Wanted { purpose, address, intent, instead, mut event } = wanted;
        let now = self.clock.now();
        let expires_at = now + CODE_LIFE;
        let code = loop {
            if let Some(code) = Code::make(&self.entropy.bytes()?, policy.code_length) {
                break code;
            }
        };
        let flow = Flow::make(&self.entropy.bytes()?);
        let proof = Proof { link: Link::make(&self.entropy.bytes()?), code };
        let mark = self.keys.mark(&bound(purpose, address, &flow, &proof.code))?;
        let mail =
            NewMail::with_proof(address.clone(), purpose, &proof, &*self.keys, now, expires_at)?;
        let notice = instead.map(|letter| NewMail::notice(address.clone(), letter, now));
        event.mails.extend(if intent == Intent::Nothing { notice } else { Some(mail) });
        let verification = NewVerification {
            purpose,
            address: address.clone(),
            flow: flow.hash(),
            mark,
            link: proof.link.hash(),
            intent,
            created_at: now,
            expires_at,
        };
        self.verifications.keep(&verification, &event).await?;
        Ok(Issued { flow, expires_at })
    }

    /// Returns the code that `presented` proves. An attempt with a code is counted before it is
    /// compared.
    pub(crate) async fn check(
        &self,
        presented: &Presented,
        purpose: Purpose,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Verification, CodeError> {
        let now = self.clock.now();
        let limit = if presented.is_link() { &LINK_CLIENT } else { &CODE_CLIENT };
        let of_client: Vec<Budget> = policy.limits.of_client(limit, client).into_iter().collect();
        let (flow, code) = match presented {
            // A sign-in with Google must be finished in the browser that began it.
            Presented::Link(_) if purpose == Purpose::GoogleVerification => {
                return Err(CodeError::Refused);
            }
            Presented::Link(link) => {
                let Some(link) = Link::parse(link) else { return Err(CodeError::Refused) };
                self.take(&of_client, purpose, client, policy).await?;
                let found = self.verifications.find_link(&link.hash(), purpose, now).await?;
                let Some(found) = found.filter(|found| found.intent != Intent::Nothing) else {
                    return self.refused(purpose, None, client).await;
                };
                self.limits.give_back(&of_client).await?;
                // Wrong guesses by others must not prevent the owner of the mailbox from using
                // codes.
                let failures = Self::failures(&found, policy).key;
                self.limits.forget(&[failures]).await?;
                return Ok(found);
            }
            Presented::Code { flow, code } => (flow, code.parse::<Code>()?),
        };
        self.take(&of_client, purpose, client, policy).await?;
        let Some(flow) = Flow::parse(flow) else {
            return self.refused(purpose, None, client).await;
        };
        let Some(found) = self.verifications.attempt(&flow.hash(), purpose, now).await? else {
            return self.refused(purpose, None, client).await;
        };
        // Codes that were never mailed must not use up the system's limit.
        let [system, nothing] = of_system(&CODE_SYSTEM, policy);
        let of_code = [system.clone(), nothing.clone(), Self::failures(&found, policy)];
        self.take(&of_code, purpose, client, policy).await?;
        let text = bound(purpose, &found.address, &flow, &code);
        let is_mailed = found.intent != Intent::Nothing;
        if !self.keys.is_marked(&text, &found.mark) || !is_mailed {
            self.limits.give_back(&[if is_mailed { nothing } else { system }]).await?;
            return self.refused(purpose, Some(&found.address), client).await;
        }
        let budgets: Vec<Budget> = of_client.into_iter().chain(of_code).collect();
        self.limits.give_back(&budgets).await?;
        Ok(found)
    }

    /// Returns the budget for wrong codes. If mails have no links, a code is the only way, so the
    /// window is at most a day.
    fn failures(found: &Verification, policy: &AccountPolicy) -> Budget {
        let user = match &found.intent {
            Intent::ChangeAddress(user) => Some(*user),
            _ => None,
        };
        let whose = whose(found.purpose, &found.address, user);
        let budget = policy.limits.budget(&CODE_ADDRESS, &whose);
        let window =
            if policy.has_links { budget.window } else { budget.window.min(Duration::days(1)) };
        Budget { window, ..budget }
    }

    async fn take(
        &self,
        budgets: &[Budget],
        purpose: Purpose,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), CodeError> {
        let now = self.clock.now();
        let Some(exhausted) = self.limits.take(budgets, now).await? else { return Ok(()) };
        // Only the first refusal: repeated attempts must not fill the audit log, because it is
        // never pruned.
        if exhausted.refusals == 1 {
            let mut event = NewAuthEvent::new(EventKind::CodeLimited, client, now);
            let limit = exhausted.budget.key.split(':').next().unwrap_or_default();
            event.metadata = json!({ "purpose": purpose.name(), "limit": limit });
            if limit == CODE_SYSTEM.name {
                let tell = |to: &Address| NewMail::notice(to.clone(), Letter::CodesAttacked, now);
                event.mails = policy.caretakers().iter().map(tell).collect();
            }
            self.events.record(&event).await?;
        }
        Err(CodeError::Limited(exhausted))
    }

    async fn refused(
        &self,
        purpose: Purpose,
        address: Option<&Address>,
        client: &Client,
    ) -> Result<Verification, CodeError> {
        let mut event = NewAuthEvent::new(EventKind::CodeFailure, client, self.clock.now());
        event.email = address.map(ToString::to_string).unwrap_or_default();
        event.metadata = json!({ "purpose": purpose.name() });
        self.events.record(&event).await?;
        Err(CodeError::Refused)
    }
}

/// Returns the system's budget for real codes, and an unlimited one for codes that only appear to
/// be. Both are taken, and one is given back. This way, an address without a user causes the same
/// writes, but uses up nothing.
fn of_system(limit: &NamedLimit, policy: &AccountPolicy) -> [Budget; 2] {
    let nothing = policy.limits.budget(limit, "nothing");
    [policy.limits.budget(limit, "all"), Budget { most: i32::MAX.unsigned_abs(), ..nothing }]
}

/// Returns whose budget it is: that of an address and a purpose, and of the user who requests the
/// code.
fn whose(purpose: Purpose, address: &Address, user: Option<UserId>) -> String {
    let user = user.map(|user| format!(":{user}")).unwrap_or_default();
    format!("{}:{}{user}", purpose.name(), fingerprint(address.as_str()))
}

/// Errors of [`Codes`].
#[derive(Debug, Error)]
pub enum CodeError {
    #[error(transparent)]
    Malformed(#[from] InvalidCode),
    /// The code is wrong, used, expired or replaced; the error does not say which.
    #[error("the code is wrong or no longer valid; request a new one")]
    Refused,
    /// Codes were tried or requested too often.
    #[error("too many attempts; try again later")]
    Limited(Exhausted),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use waggle_kernel::FixedClock;

    use super::*;
    use crate::testing::scene::{Scene, policy, presented};

    const RESET: Purpose = Purpose::PasswordReset;

    fn intent() -> Intent {
        Intent::ResetPassword(UserId::new(3))
    }

    async fn check(scene: Scene, presented: &Presented) -> Result<Verification, CodeError> {
        scene.codes().check(presented, RESET, &Client::default(), &policy()).await
    }

    #[tokio::test]
    async fn a_correct_code_is_accepted_and_does_not_count_as_a_failure() {
        let mut scene = Scene::new().with_code(RESET, intent());
        scene.limits.checkpoint();
        scene.limits.expect_take().times(2).returning(|_, _| Ok(None));
        scene
            .limits
            .expect_give_back()
            .withf(|budgets| budgets.len() == 3)
            .once()
            .returning(|_| Ok(()));

        let found = check(scene, &presented("123456")).await.unwrap();

        assert_eq!(found.intent, intent());
    }

    #[tokio::test]
    async fn a_wrong_code_is_counted_and_recorded() {
        let mut scene = Scene::new().with_code(RESET, intent());
        scene.limits.checkpoint();
        scene.limits.expect_take().returning(|_, _| Ok(None));
        // The wrong code counts. Only the unlimited budget is given back.
        scene
            .limits
            .expect_give_back()
            .withf(|budgets| budgets.len() == 1 && budgets[0].key == "code.system:nothing")
            .once()
            .returning(|_| Ok(()));
        scene
            .events
            .expect_record()
            .withf(|event| {
                event.kind == EventKind::CodeFailure && event.email == "joe@hive.example"
            })
            .once()
            .returning(|_| Ok(()));

        let refused = check(scene, &presented("123457")).await;

        assert!(matches!(refused, Err(CodeError::Refused)), "{refused:?}");
    }

    #[tokio::test]
    async fn a_code_without_effect_is_rejected() {
        for shown in [presented("123456"), Presented::Link(Link::make(&[1; 32]).text().to_owned())]
        {
            let mut scene = Scene::new().with_code(RESET, Intent::Nothing);
            scene.events.expect_record().once().returning(|_| Ok(()));

            let refused = check(scene, &shown).await;

            assert!(matches!(refused, Err(CodeError::Refused)), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn a_malformed_code_is_not_counted() {
        let mut scene = Scene::new();
        scene.limits.checkpoint();
        scene.limits.expect_take().never();

        let refused = check(scene, &presented("12345x")).await;

        assert!(matches!(refused, Err(CodeError::Malformed(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_mailed_link_cannot_finish_a_google_sign_in() {
        let link = Presented::Link(Link::make(&[1; 32]).text().to_owned());
        let purpose = Purpose::GoogleVerification;

        let refused =
            Scene::new().codes().check(&link, purpose, &Client::default(), &policy()).await;

        assert!(matches!(refused, Err(CodeError::Refused)), "{refused:?}");
    }

    #[tokio::test]
    async fn super_admins_are_notified_once_about_guessed_codes() {
        for refusals in [1, 2] {
            let mut scene = Scene::new().with_code(RESET, intent());
            scene.limits.checkpoint();
            let until = FixedClock::noon().now();
            scene.limits.expect_take().returning(move |budgets, _| {
                let Some(budget) = budgets.first().cloned() else { return Ok(None) };
                Ok(Some(Exhausted { budget, until, refusals }))
            });
            let times = usize::from(refusals == 1);
            scene
                .events
                .expect_record()
                .withf(|event| {
                    event.kind == EventKind::CodeLimited
                        && event.mails.len() == 1
                        && event.mails.iter().all(|mail| {
                            mail.letter == Letter::CodesAttacked
                                && mail.to.as_str() == "boss@hive.example"
                        })
                })
                .times(times)
                .returning(|_| Ok(()));

            let refused = check(scene, &presented("123456")).await;

            assert!(matches!(refused, Err(CodeError::Limited(_))), "{refused:?}");
        }
    }
}
